//! Parking: lots with levels and spots, the sensors that say which spot is taken, reservations and what they cost, vehicles
//! that come and leave.
//!
//! The database refuses two reservations of one spot that overlap; a sensor that falls silent makes its spot unknown, not
//! free; what is read often comes from memory and is never behind a commit ([`memory`]). [`Parking`] holds the use cases, a
//! folder for each part: [`lots`], [`spots`], [`sensors`], [`tariffs`], [`reservations`], [`guests`], [`payments`],
//! [`receipts`], [`sessions`], [`permits`], [`analytics`], [`exports`], [`apds`], [`public`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod analytics;
mod announce;
mod apds;
mod exports;
mod guests;
mod jobs;
mod lots;
mod memory;
mod observer;
mod owner;
mod payments;
mod permits;
mod public;
mod receipts;
mod reservations;
pub mod rest;
mod search;
mod sensors;
mod sessions;
mod spots;
mod tariffs;
mod topics;
mod version;
mod wall;

use std::sync::Arc;

use portico_access::Access;
use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::Identity;
use portico_model::OrganizationId;
use portico_platform::{Platform, Result, Tx};

pub use analytics::ImportedHistory;
pub use apds::{ApdsElement, ApdsExpand, ApdsKind, ApdsQuery};
pub use exports::{Cell as ExportCell, Export};
pub use guests::BegunStay;
pub use lots::LotQuery;
pub use payments::{Payable, stripe};
pub use permits::PermitQuery;
pub use public::{PublicFill, PublicLot};
pub use receipts::{ReceiptFile, receipt};
pub use reservations::{Change as ReservationChange, ReservationQuery};
pub use sensors::{SensorQuery, Told, Which as WhichSensors};
pub use sessions::SessionQuery;
pub use spots::{Imported, Period, SpotQuery};
pub use wall::Wall;

/// Routes that devices call with their keys look them up there.
impl axum::extract::FromRef<Parking> for Devices {
    fn from_ref(parking: &Parking) -> Self {
        parking.0.devices.clone()
    }
}

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Parking(Arc<Inner>);

struct Inner {
    platform: Platform,
    identity: Identity,
    alarms: Alarms,
    devices: Devices,
    access: Access,
    payments: Option<payments::Payments>,
    /// Stripe has told something.
    payment_work: tokio::sync::Notify,
    memory: memory::Memory,
    writer: sensors::Writer,
}

impl Parking {
    /// # Errors
    /// Invalid, when the configuration of payments makes no sense.
    pub fn new(
        platform: Platform,
        identity: Identity,
        alarms: Alarms,
        devices: Devices,
        access: Access,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            payments: payments::Payments::new(&platform.config.stripe)?,
            payment_work: tokio::sync::Notify::new(),
            platform,
            identity,
            alarms,
            devices,
            access,
            memory: memory::Memory::default(),
            writer: sensors::Writer::default(),
        })))
    }

    /// Begins the background work, offers the live topics and listens to devices. Call once.
    pub fn start(&self) {
        self.0.platform.hub.register(Arc::new(topics::ParkingTopics(self.clone())));
        self.0.devices.observe(Arc::new(self.clone()));
        self.0.access.ask_for_rights(Arc::new(self.clone()));
        sensors::spawn(self);
        reservations::spawn(self);
        payments::spawn(self);
        sessions::spawn(self);
        analytics::spawn(self);
        guests::spawn(self);
    }

    /// What is so now, from memory.
    async fn held(&self, organization: OrganizationId) -> Result<Arc<memory::Held>> {
        let mut tx = self.0.platform.db.read().await?;
        self.held_in(&mut tx, organization).await
    }

    /// As [`Parking::held`]; in a transaction that writes, only before its first change.
    async fn held_in(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Arc<memory::Held>> {
        self.0.memory.get(tx, organization).await
    }
}
