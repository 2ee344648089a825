//! What the clock does: holds that nobody paid end, those who did not come lose their spot, times end.

use std::time::Duration;

use portico_model::parking::reservation::{Reservation, ReservationState};
use portico_model::{OrganizationId, ReservationId, SpotId, Timestamp};
use portico_platform::{Actor, Result, Tx};

use super::store;
use crate::{Parking, jobs};

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn spawn(parking: &Parking) {
    jobs::periodic(parking, "parking reservations", LOOK_EVERY, Parking::end_reservations);
}

impl Parking {
    /// Ends what the clock has ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_reservations(self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let (due, spots) = (store::due(&mut tx, now).await?, store::spots_to_refresh(&mut tx, now).await?);
        drop(tx);
        for (organization, id) in due {
            self.end_reservation(organization, id, now).await?;
        }
        for (organization, spot) in spots {
            let (mut tx, version, _) = self.begin_spots(organization).await?;
            store::refresh_spot(&mut tx, spot, now, version).await?;
            tx.commit().await?;
            self.announce_spots(organization, &[spot]).await?;
        }
        Ok(())
    }

    async fn end_reservation(&self, organization: OrganizationId, id: ReservationId, now: Timestamp) -> Result<()> {
        let (mut tx, version, _) = self.begin_spots(organization).await?;
        let Some(mut one) = store::find(&mut tx, organization, id).await? else { return Ok(()) };
        let (state, action) = match one.state {
            ReservationState::Held if one.hold_until.is_none_or(|until| until <= now) => {
                (ReservationState::Expired, "parking_reservation.expired")
            }
            ReservationState::CheckedIn if one.end_time <= now => {
                (ReservationState::Completed, "parking_reservation.completed")
            }
            ReservationState::Confirmed if one.start_time <= now => {
                (ReservationState::NoShow, "parking_reservation.no_show")
            }
            // Somebody was quicker.
            _ => return Ok(()),
        };
        one.state = state;
        one.updated_at = now;
        let actor = Actor::system(organization);
        let entry = self.write_step(&mut tx, &actor, &one, action, version).await?;
        self.commit(tx, &actor, entry).await?;
        self.announce_reservation(organization, id, &[one.spot_key]).await.map(drop)
    }

    /// A car is there, says the sensor: whoever is expected has come. In the sensor's transaction; the reservation.
    pub(crate) async fn note_arrival(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        spot: SpotId,
        early_ms: i64,
        at: Timestamp,
    ) -> Result<Option<ReservationId>> {
        let Some(one) = store::expected(tx, organization, spot, at, early_ms).await? else { return Ok(None) };
        let id = one.id;
        self.arrive(tx, organization, one, at).await?;
        Ok(Some(id))
    }

    /// Whoever is expected has come.
    pub(super) async fn arrive(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        mut one: Reservation,
        at: Timestamp,
    ) -> Result<()> {
        one.state = ReservationState::CheckedIn;
        one.check_in_time = Some(at);
        one.updated_at = self.0.platform.clock.now();
        store::set_step(tx, organization, &one).await
    }
}
