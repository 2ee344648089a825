//! A vehicle leaves, and pays.

use portico_model::identity::Permission;
use portico_model::parking::session::{ParkingSession, VehicleDeparture};
use portico_model::{ParkingSessionId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::{Rules, arrive, charge, session_not_found, store};
use crate::Parking;

/// So long after it left, the same vehicle leaving is taken for the same reading again.
const SAME_READING_MS: i64 = 10 * 60_000;

impl Parking {
    /// A vehicle has left; what it owes is told. The same reading again changes nothing. A device may tell it when its owner
    /// may; permission: `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields; not found when no such vehicle is there.
    pub async fn vehicle_left(&self, actor: &Actor, departure: &VehicleDeparture) -> Result<ParkingSession> {
        self.may_report(actor).await?;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let (mut tx, _, held) = self.begin_spots(organization).await?;
        let what = (departure.plate.as_deref(), departure.spot_id.as_deref(), departure.at);
        let (lot, seen) = arrive::read(&held, departure.lot_id, what, now)?;
        let spot = seen.spot.as_ref().map(|spot| spot.key);
        let open = store::open(&mut tx, organization, lot.id, &seen.key, spot).await?;
        // The plate says more than the spot: another vehicle there has not left.
        let of_plate = open.iter().find(|one| !seen.key.is_empty() && one.plate_key == seen.key);
        let at_spot = open.iter().find(|one| seen.key.is_empty() || one.plate_key.is_empty());
        if let Some(known) = of_plate.or(at_spot) {
            return self.close(tx, actor, known.id, seen.at, "parking_session.left").await;
        }
        let from = seen.at.plus_millis(-SAME_READING_MS);
        let last = store::last_left(&mut tx, organization, lot.id, seen.who(), from, now).await?;
        drop(tx);
        self.shown_session(organization, last.ok_or_else(session_not_found)?).await
    }

    /// Ends the session of a vehicle that nobody saw leaving. Permission: `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when it has left.
    pub async fn end_parking_session(&self, actor: &Actor, id: ParkingSessionId) -> Result<ParkingSession> {
        actor.require(Permission::OperateParking)?;
        let (tx, _, _) = self.begin_spots(actor.organization).await?;
        self.close(tx, actor, id, self.0.platform.clock.now(), "parking_session.ended").await
    }

    /// What was owed was paid at the place; by a vehicle that is still there, what it owes so far. Permission:
    /// `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when nothing is to be paid.
    pub async fn note_session_paid(&self, actor: &Actor, id: ParkingSessionId) -> Result<ParkingSession> {
        actor.require(Permission::OperateParking)?;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let (mut tx, _, _) = self.begin_spots(organization).await?;
        let mut one = store::find(&mut tx, organization, id).await?.ok_or_else(session_not_found)?;
        super::show(&mut tx, organization, &mut one, now, &mut Rules::new()).await?;
        if one.due_minor == 0 {
            return Err(Error::conflict("nothing_due", "Nothing is to be paid."));
        }
        let paid = one.due_minor;
        (one.paid_minor, one.updated_at) = (one.paid_minor + paid, now);
        store::update(&mut tx, organization, &one).await?;
        let details = json!({"paid_minor": paid, "currency": one.currency});
        let entry = Entry::success("parking_session.paid").target("parking_session", id).details(details);
        self.commit(tx, actor, entry).await?;
        self.announce_sessions(organization);
        self.shown_session(organization, id).await
    }

    async fn close(
        &self,
        mut tx: Tx,
        actor: &Actor,
        id: ParkingSessionId,
        at: Timestamp,
        action: &'static str,
    ) -> Result<ParkingSession> {
        let organization = actor.organization;
        let mut one = store::find(&mut tx, organization, id).await?.ok_or_else(session_not_found)?;
        if one.left_at.is_some() {
            return Err(Error::conflict("session_over", "The vehicle has left already."));
        }
        let left = at.max(one.entered_at);
        charge(&mut tx, organization, &mut one, left, &mut Rules::new()).await?;
        (one.left_at, one.updated_at) = (Some(left), self.0.platform.clock.now());
        store::update(&mut tx, organization, &one).await?;
        let details = json!({"lot_id": one.lot_id, "amount_minor": one.amount_minor, "currency": one.currency});
        let entry = Entry::success(action).target("parking_session", id).details(details);
        self.commit(tx, actor, entry).await?;
        self.announce_sessions(organization);
        self.shown_session(organization, id).await
    }
}
