//! What is told after a commit.

use std::collections::HashSet;

use portico_model::live::Event;
use portico_model::parking::spot::{Spot, SpotState};
use portico_model::{LotId, OrganizationId, SpotId, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Result, Tx};

use crate::Parking;

/// Lots and levels of an organisation, and how full they are.
pub fn all(organization: OrganizationId) -> Channel {
    Channel::all(organization, "parking")
}

/// The spots of a lot.
pub fn lot(organization: OrganizationId, id: LotId) -> Channel {
    Channel::new(organization, &format!("parking/{id}"))
}

/// Sensors.
pub fn sensors(organization: OrganizationId) -> Channel {
    Channel::all(organization, "parking_sensors")
}

/// Vehicles that come and leave, and permits.
pub fn sessions(organization: OrganizationId) -> Channel {
    Channel::all(organization, "parking_sessions")
}

/// All reservations.
pub fn reservations(organization: OrganizationId) -> Channel {
    Channel::all(organization, "reservations")
}

/// Those of one person.
pub fn reservations_of(organization: OrganizationId, user: UserId) -> Channel {
    Channel::owned(organization, "reservations", user)
}

impl Parking {
    /// Audit record, commit, and news that lots, levels or spots are not what they were.
    pub(crate) async fn commit_and_announce(&self, tx: Tx, actor: &Actor, entry: Entry) -> Result<()> {
        self.commit(tx, actor, entry).await?;
        self.publish(vec![all(actor.organization)], Event::ParkingChanged);
        Ok(())
    }

    /// Audit record, commit, and news of the record.
    pub(crate) async fn commit(&self, mut tx: Tx, actor: &Actor, entry: Entry) -> Result<()> {
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.publish(vec![Channel::all(actor.organization, "audit")], Event::AuditAppended { record });
        Ok(())
    }

    /// A spot is free or taken now.
    pub(crate) fn announce_status(&self, organization: OrganizationId, spot: &Spot) {
        let event = Event::SpotStatusChanged {
            spot_id: spot.id.clone(),
            key: spot.key,
            lot_id: spot.lot_id,
            occupied: (spot.state != SpotState::Unknown).then_some(spot.state == SpotState::Occupied),
            status: spot.status,
            timestamp: spot.last_updated.unwrap_or_default(),
        };
        self.publish(vec![all(organization), lot(organization, spot.lot_id)], event);
    }

    /// Something else about a spot has changed.
    pub(crate) fn announce_spot(&self, organization: OrganizationId, spot: Spot) {
        self.publish(vec![all(organization), lot(organization, spot.lot_id)], Event::SpotChanged { spot });
    }

    /// Tells how spots are now, each once.
    pub(crate) async fn announce_spots(&self, organization: OrganizationId, spots: &[SpotId]) -> Result<()> {
        let (held, now) = (self.held(organization).await?, self.0.platform.clock.now());
        let mut told = HashSet::new();
        for spot in spots.iter().filter(|spot| told.insert(**spot)).filter_map(|spot| held.spot(*spot)) {
            self.announce_spot(organization, held.shown(spot, now));
        }
        Ok(())
    }

    /// Sensors came, were given a spot, or fell silent.
    pub(crate) fn announce_sensors(&self, organization: OrganizationId) {
        self.publish(vec![sensors(organization)], Event::ParkingSensorsChanged);
    }

    /// Vehicles came or left, or permits have changed.
    pub(crate) fn announce_sessions(&self, organization: OrganizationId) {
        self.publish(vec![sessions(organization)], Event::ParkingSessionsChanged);
    }

    pub(crate) fn publish(&self, channels: Vec<Channel>, event: Event) {
        self.0.platform.hub.publish(Publication { channels, event, delivery: Delivery::Every });
    }
}
