//! Access: locks, doors with readers, people with cards, PINs and fingers, who may go where, and what happened.
//!
//! A command is done only when the device says so; an unknown state is never shown as a known one; every decision says
//! why. [`Access`] holds the use cases, a folder for each part: [`locks`], [`doors`], [`people`], [`policies`],
//! [`codes`], [`sync`] (what readers know without network), [`log`] and [`anomaly`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod announce;
mod anomaly;
mod bluetooth;
mod bridge;
mod codes;
pub mod doors;
mod local_time;
mod locks;
mod log;
mod observer;
mod owner;
mod people;
mod policies;
pub mod rest;
mod sync;
mod topics;
mod version;

pub use codes::{CodeQuery, Created as CreatedCode};
pub use locks::{LockQuery, Operation as LockOperation};
pub use people::PersonQuery;
pub use sync::events::{OfflineEvent, OfflineEvents, Taken};
pub use sync::{Content as SyncContent, Told as SyncTold, lookup as sync_lookup, signature as sync_signature};

use std::sync::Arc;

use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::Identity;
use portico_notifications::Notifications;
use portico_platform::Platform;

pub use log::{EventQuery, Logged};

/// Routes that devices call with their keys look them up there.
impl axum::extract::FromRef<Access> for Devices {
    fn from_ref(access: &Access) -> Self {
        access.0.devices.clone()
    }
}

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    platform: Platform,
    identity: Identity,
    notifications: Notifications,
    alarms: Alarms,
    devices: Devices,
    /// A code is to be told to its lock.
    code_work: tokio::sync::Notify,
    /// Questions of readers that were answered lately.
    asked: doors::Asked,
    /// A domain that lets people in beside the policies.
    rights: std::sync::OnceLock<Arc<dyn doors::DoorRights>>,
    judging: anomaly::Judging,
    bridge: Arc<bridge::Bridge>,
}

impl Access {
    #[must_use]
    pub fn new(
        platform: Platform,
        identity: Identity,
        notifications: Notifications,
        alarms: Alarms,
        devices: Devices,
    ) -> Self {
        Self(Arc::new(Inner {
            platform,
            identity,
            notifications,
            alarms,
            devices,
            code_work: tokio::sync::Notify::new(),
            asked: doors::Asked::default(),
            rights: std::sync::OnceLock::new(),
            judging: anomaly::Judging::new(),
            bridge: Arc::default(),
        }))
    }

    /// Begins the background work, offers the live topics and listens to devices. Call once.
    pub fn start(&self) {
        self.0.platform.hub.register(Arc::new(topics::AccessTopics(self.clone())));
        self.0.platform.hub.register(Arc::new(locks::LockTopics(self.clone())));
        self.0.devices.observe(Arc::new(self.clone()));
        codes::spawn(self);
        doors::spawn(self);
        log::jobs::spawn(self);
        anomaly::jobs::spawn(self);
        bridge::spawn(self);
        sync::spawn(self);
        people::jobs::spawn(self);
        bluetooth::spawn(self);
        self.spawn_lock_jobs();
    }
}
