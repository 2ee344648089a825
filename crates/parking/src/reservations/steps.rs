//! What becomes of a reservation: its holder comes, leaves, cancels, opens the gate.

use portico_model::ReservationId;
use portico_model::identity::Permission;
use portico_model::parking::reservation::{PaymentStatus, Reservation, ReservationState};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::book::{Begun, over};
use super::gate::right_name;
use super::store;
use crate::memory::Held;
use crate::{Parking, payments};

impl Parking {
    /// Gives the spot back. Permission: `UseParking` for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when it is over, or has begun.
    pub async fn cancel_reservation(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        self.step(actor, id, "parking_reservation.cancelled", |one, _| match one.state {
            ReservationState::Held | ReservationState::Confirmed => {
                one.state = ReservationState::Cancelled;
                one.hold_until = None;
                Ok(())
            }
            ReservationState::CheckedIn => {
                Err(Error::conflict("has_begun", "The vehicle is there already: check it out instead."))
            }
            _ => Err(over()),
        })
        .await
    }

    /// The vehicle has come. Permission: `UseParking` for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when it is too early, not paid for, or over.
    pub async fn check_in(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        self.step(actor, id, "parking_reservation.checked_in", |one, now| match one.state {
            ReservationState::CheckedIn => Ok(()),
            ReservationState::Held => Err(not_paid()),
            ReservationState::Confirmed if !one.is_good_at(now) => Err(not_yet(one)),
            ReservationState::Confirmed => {
                one.state = ReservationState::CheckedIn;
                one.check_in_time = Some(now);
                Ok(())
            }
            _ => Err(over()),
        })
        .await
    }

    /// The vehicle has left: the spot is free for others. Permission: `UseParking` for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when nobody has come.
    pub async fn check_out(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        self.step(actor, id, "parking_reservation.checked_out", |one, now| match one.state {
            ReservationState::CheckedIn => {
                one.state = ReservationState::Completed;
                one.check_out_time = Some(now);
                Ok(())
            }
            ReservationState::Held | ReservationState::Confirmed => {
                Err(Error::conflict("not_checked_in", "The vehicle has not come yet."))
            }
            _ => Err(over()),
        })
        .await
    }

    /// What was paid at the place; a reservation that waited for it is confirmed. Permission: `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when nothing is to be paid.
    pub async fn note_paid(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        actor.require(Permission::OperateParking)?;
        self.step(actor, id, "parking_reservation.paid", |one, now| {
            if one.due_minor() <= 0 {
                return Err(Error::conflict("nothing_due", "Nothing is to be paid."));
            }
            one.paid_minor += one.due_minor();
            one.payment_status = PaymentStatus::Paid;
            one.paid_on_site_at = Some(now);
            one.confirm_held();
            Ok(())
        })
        .await
    }

    /// Opens the gate of the lot for the holder, within the time of the reservation. Permission: `UseParking` for one's own,
    /// else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict outside of its time, when it is not paid for, when the lot has no gate, during a
    /// lockdown, or when nothing at the gate can open it.
    pub async fn open_gate(&self, actor: &Actor, id: ReservationId) -> Result<Reservation> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let found = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        drop(tx);
        let gate = held.lot(found.lot_id).and_then(|lot| lot.gate_door_id);
        let gate = gate.ok_or_else(|| Error::conflict("no_gate", "This lot has no gate that Portico opens."))?;
        if !found.is_good_at(now) {
            return Err(match found.state {
                ReservationState::Held => not_paid(),
                ReservationState::Confirmed | ReservationState::CheckedIn if now < found.end_time => not_yet(&found),
                _ => over(),
            });
        }
        self.0.access.open_door_by_right(actor, gate, &right_name(&found.spot_id)).await?;
        if found.state == ReservationState::Confirmed { self.check_in(actor, id).await } else { Ok(found) }
    }

    async fn step(
        &self,
        actor: &Actor,
        id: ReservationId,
        action: &'static str,
        change: impl FnOnce(&mut Reservation, portico_model::Timestamp) -> Result<()> + Send,
    ) -> Result<Reservation> {
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        let before = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        self.step_found(actor, (tx, version, held), before, action, change).await
    }

    /// A step of a reservation that the caller may take.
    pub(crate) async fn step_found(
        &self,
        actor: &Actor,
        (mut tx, version, held): Begun,
        before: Reservation,
        action: &'static str,
        change: impl FnOnce(&mut Reservation, portico_model::Timestamp) -> Result<()> + Send,
    ) -> Result<Reservation> {
        let (organization, now, id) = (actor.organization, self.0.platform.clock.now(), before.id);
        let mut after = before.clone();
        change(&mut after, now)?;
        if after == before {
            return Ok(before);
        }
        after.updated_at = now;
        if after.state == ReservationState::Cancelled {
            self.give_back_cancelled(&mut tx, &held, &after).await?;
        }
        let entry = self.write_step(&mut tx, actor, &after, action, version).await?;
        self.commit(tx, actor, entry).await?;
        self.announce_reservation(organization, id, &[after.spot_key]).await
    }

    /// Gives back what the rules of the lot say, to who is cancelled now.
    pub(crate) async fn give_back_cancelled(&self, tx: &mut Tx, held: &Held, one: &Reservation) -> Result<()> {
        let rules = held.lot(one.lot_id).map(|lot| lot.booking.clone()).unwrap_or_default();
        let left = one.refundable_minor() - payments::store::wanted_refunds(tx, one.id).await?;
        let back = rules.refund(left.max(0), one.start_time, self.0.platform.clock.now());
        self.give_back(tx, one, back, "The reservation was cancelled.").await.map(drop)
    }

    /// Writes a reservation that came further, and what follows for its spot.
    pub(crate) async fn write_step(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        one: &Reservation,
        action: &'static str,
        version: i64,
    ) -> Result<Entry> {
        store::set_step(tx, actor.organization, one).await?;
        store::refresh_spot(tx, one.spot_key, one.updated_at, version).await?;
        // Over, or paid in another way: what still waits to be paid online is called off.
        if !one.state.is_payable() || one.due_minor() <= 0 {
            payments::store::hurry(tx, one.id, one.updated_at).await?;
        }
        let details = json!({"spot_id": one.spot_id, "state": one.state, "payment_status": one.payment_status});
        Ok(Entry::success(action).target("parking_reservation", one.id).details(details))
    }
}

fn not_paid() -> Error {
    Error::conflict("not_paid", "The reservation waits for its payment.")
}

fn not_yet(one: &Reservation) -> Error {
    let text = format!("It is too early: one may come {} minutes before the beginning.", one.early_minutes);
    Error::conflict("too_early", text)
}
