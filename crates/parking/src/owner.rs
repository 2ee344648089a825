//! What becomes of a person's reservations, permits and parked vehicles when the account goes or is erased.

use portico_identity::{AfterCommit, ErasedLabels, UserDependents};
use portico_model::parking::reservation::ReservationState;
use portico_model::{OrganizationId, UserId};
use portico_platform::{Actor, BoxFuture, Error, Result, Tx};
use serde_json::{Map, Value};

use crate::reservations::store::{self, Filter};
use crate::{Parking, permits, sessions, version};

/// Most reservations of a person that are handed out; also far more than anybody has to come.
const MOST: i64 = 100_000;

impl UserDependents for Parking {
    /// Nobody comes any more: spots that are reserved for later are free again, and permits end.
    fn user_deleted<'a>(
        &'a self,
        tx: &'a mut Tx,
        actor: &'a Actor,
        user: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let organization = actor.organization;
            let filter = Filter { user: Some(user), has_spot: Some(true), limit: MOST, ..Filter::default() };
            let mut spots = Vec::new();
            version::lock(tx, organization).await?;
            let coming = store::list(tx, organization, &filter).await?;
            if !coming.is_empty() {
                let version = version::next(tx, organization).await?;
                let held = self.held_in(tx, organization).await?;
                for mut one in coming.into_iter().filter(|one| one.state != ReservationState::CheckedIn) {
                    one.state = ReservationState::Cancelled;
                    one.hold_until = None;
                    one.updated_at = self.0.platform.clock.now();
                    self.give_back_cancelled(tx, &held, &one).await?;
                    let entry = self.write_step(tx, actor, &one, "parking_reservation.cancelled", version).await?;
                    self.0.platform.audit.append(tx, actor, entry).await?;
                    spots.push(one.spot_key);
                }
            }
            // Before the permits no longer say whose they were.
            sessions::store::forget_plates_of(tx, organization, user).await?;
            let now = self.0.platform.clock.now();
            let has_permits = permits::store::forget_holder(tx, organization, user, now).await? > 0;
            let parking = self.clone();
            let after: AfterCommit = Box::pin(async move {
                if let Err(error) = parking.announce_spots(organization, &spots).await {
                    tracing::warn!(%error, "spots are free again and nobody is told");
                }
                if has_permits {
                    parking.announce_sessions(organization);
                }
            });
            Ok(after)
        })
    }

    fn personal_data<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> BoxFuture<'a, Result<Map<String, Value>>> {
        Box::pin(async move {
            let filter = Filter { user: Some(user), limit: MOST, ..Filter::default() };
            let reservations = store::list(tx, organization, &filter).await?;
            let reservations = serde_json::to_value(reservations).map_err(Error::internal)?;
            let filter = permits::store::Filter { user: Some(user), limit: MOST, ..Default::default() };
            let (permits, now) = (permits::store::list(tx, organization, &filter).await?, self.0.platform.clock.now());
            let permits: Vec<_> = permits.into_iter().map(|permit| permits::shown(permit, now)).collect();
            let filter = sessions::store::Filter { user: Some(user), limit: MOST, ..Default::default() };
            let sessions = sessions::store::list(tx, organization, &filter).await?;
            Ok(Map::from_iter([
                ("parking_reservations".to_owned(), reservations),
                ("parking_permits".to_owned(), serde_json::to_value(permits).map_err(Error::internal)?),
                ("parking_sessions".to_owned(), serde_json::to_value(sessions).map_err(Error::internal)?),
            ]))
        })
    }

    fn user_erased<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        erased: &'a ErasedLabels,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for label in &erased.labels {
                store::forget_person(tx, organization, label, &erased.pseudonym).await?;
            }
            Ok(())
        })
    }
}
