//! The gate of a lot opens for the card of who has reserved, for exactly the time of the reservation.

use portico_access::doors::{DoorRight, DoorRights};
use portico_identity::AfterCommit;
use portico_model::parking::reservation::ReservationState;
use portico_model::{DoorId, OrganizationId, ReservationId, Timestamp, UserId};
use portico_platform::{BoxFuture, Error, Result, Tx};

use super::{reservation_not_found, store};
use crate::{Parking, version};

impl DoorRights for Parking {
    fn find_right<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        door: DoorId,
        user: UserId,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<DoorRight>>> {
        Box::pin(async move {
            let own = store::behind_gate(tx, organization, door, user, at).await?;
            let good = own.into_iter().find(|one| one.is_good_at(at));
            Ok(good.map(|one| DoorRight { name: right_name(&one.spot_id), id: one.id.to_string() }))
        })
    }

    fn right_used<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        right: &'a DoorRight,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let id: ReservationId = right.id.parse().map_err(Error::internal)?;
            // Nobody pays for it or cancels it meanwhile.
            version::lock(tx, organization).await?;
            let one = store::find(tx, organization, id).await?.ok_or_else(reservation_not_found)?;
            let is_new = one.state == ReservationState::Confirmed;
            if is_new {
                self.arrive(tx, organization, one, at).await?;
            }
            let parking = self.clone();
            let after: AfterCommit = Box::pin(async move {
                if is_new && let Err(error) = parking.announce_reservation(organization, id, &[]).await {
                    tracing::warn!(%error, reservation = %id, "somebody has come and nobody is told");
                }
            });
            Ok(after)
        })
    }
}

/// What the access log calls the right of a reservation.
pub(super) fn right_name(spot: &str) -> String {
    format!("Reservation {spot}")
}
