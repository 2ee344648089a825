//! Reservations: a spot for a time.

mod book;
mod gate;
mod jobs;
pub(crate) mod rest;
mod steps;
pub(crate) mod store;
mod wish;

use portico_model::identity::Permission;
use portico_model::parking::reservation::{Reservation, ReservationState};
use portico_model::{LotId, OrganizationId, Page, ReservationId, Timestamp};
use portico_platform::{Actor, Error, Result, Tx};

use crate::Parking;
use crate::search::{cleaned, read_cursor};

pub use book::Change;
pub(crate) use book::{Begun, Booking, Contact, over};
pub(crate) use jobs::spawn;
pub(crate) use wish::{Wanted, moment, zone_of};

/// Most reservations on a page.
pub const MAX_PAGE: i64 = 500;

/// Which reservations to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReservationQuery {
    /// Only one's own. Who may not see others' gets his own in any case.
    pub mine: bool,
    pub lot: Option<LotId>,
    /// What is written on the sign of the spot, or its key.
    pub spot: Option<String>,
    pub state: Option<ReservationState>,
    /// Those that still have their spot, the next first; or those that no longer do, the latest first.
    pub has_spot: Option<bool>,
    /// Those that end after this.
    pub from: Option<Timestamp>,
    /// Those that begin before this.
    pub until: Option<Timestamp>,
    /// Part of the name, the e-mail address, the plate or the spot.
    pub search: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
}

pub(crate) fn reservation_not_found() -> Error {
    Error::not_found("reservation_not_found", "There is no such reservation")
}

pub(crate) fn not_available() -> Error {
    Error::conflict("spot_not_available", "Parking spot not available")
}

impl Parking {
    /// Reservations by their beginning: all with `ReadParking`, else one's own. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden; a cursor that is none of ours.
    pub async fn reservations(&self, actor: &Actor, query: &ReservationQuery) -> Result<Page<Reservation>> {
        actor.require(Permission::UseParking)?;
        let sees_all = actor.may(Permission::ReadParking);
        let user = match (actor.user_id(), query.mine || !sees_all) {
            (Some(user), true) => Some(user),
            (_, false) => None,
            (None, true) => {
                return Err(Error::forbidden("not_permitted", "Only people have reservations of their own."));
            }
        };
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let spot = match &query.spot {
            Some(spot) => Some(held.find_spot(spot).ok_or_else(crate::spots::spot_not_found)?.key),
            None => None,
        };
        let filter = store::Filter {
            user,
            lot: query.lot,
            spot,
            state: query.state,
            has_spot: query.has_spot,
            from: query.from,
            until: query.until,
            search: query.search.as_deref().and_then(cleaned),
            after: query.cursor.as_deref().map(read_cursor).transpose()?,
            descending: query.has_spot != Some(true),
            limit: limit + 1,
        };
        let items = store::list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |last: &Reservation| format!("{}-{}", last.start_time.millis(), last.id)))
    }

    /// One's own, or with `ReadParking` anybody's. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn reservation(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        let mut tx = self.0.platform.db.read().await?;
        self.visible(&mut tx, actor, id, Permission::ReadParking).await
    }

    /// The reservation, if it is the actor's own or he has the permission for those of others.
    pub(crate) async fn visible(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: ReservationId,
        others: Permission,
    ) -> Result<Reservation> {
        actor.require(Permission::UseParking)?;
        let found = store::find(tx, actor.organization, id).await?.ok_or_else(reservation_not_found)?;
        let is_own = found.user_id.is_some() && found.user_id == actor.user_id();
        if is_own || actor.may(others) {
            return Ok(found);
        }
        if actor.may(Permission::ReadParking) {
            actor.require(others)?;
        }
        // Not allowed to know that it exists.
        Err(reservation_not_found())
    }

    /// A committed reservation, as it is now.
    pub(crate) async fn shown_reservation(
        &self,
        organization: OrganizationId,
        id: ReservationId,
    ) -> Result<Reservation> {
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, organization, id).await?.ok_or_else(reservation_not_found)
    }
}
