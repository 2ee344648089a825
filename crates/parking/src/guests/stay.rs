//! A stay by its secret: how it stands, longer, over, paid.

use portico_identity::RequestContext;
use portico_model::OrganizationId;
use portico_model::parking::reservation::{Reservation, ReservationState};
use portico_model::parking::walk_up::{Extension, GuestStay};
use portico_platform::secrets::keyed_hash;
use portico_platform::{Actor, Error, Result, Tx};

use super::{MINUTE_MS, check_length, guest, store};
use crate::memory::Held;
use crate::payments::Payable;
use crate::reservations::{Begun, Change, not_available, over, store as reservations, zone_of};
use crate::{Parking, tariffs};

fn stay_not_found() -> Error {
    Error::not_found("stay_not_found", "There is no such stay.")
}

impl Parking {
    /// What is kept of the secret of a stay: who reads the database cannot open one.
    pub(super) fn stay_hash(&self, token: &str) -> [u8; 32] {
        keyed_hash(&self.0.platform.secrets.derive("parking guest stay"), &[token.trim().as_bytes()])
    }

    /// A stay by its secret.
    ///
    /// # Errors
    /// Not found.
    pub async fn stay(&self, token: &str) -> Result<GuestStay> {
        let mut tx = self.0.platform.db.read().await?;
        let (organization, one) = self.found_stay(&mut tx, token).await?;
        let held = self.held_in(&mut tx, organization).await?;
        let longest_extension_minutes = self.longest_extension(&mut tx, &held, &one).await?;
        let due = if one.state.is_payable() { one.due_minor().max(0) } else { 0 };
        Ok(GuestStay {
            due_minor: due,
            spot_key: one.spot_key,
            spot_id: one.spot_id,
            lot_name: one.lot_name,
            level: one.level,
            zone: one.zone,
            time_zone: one.time_zone,
            start_time: one.start_time,
            end_time: one.end_time,
            state: one.state,
            hold_until: one.hold_until,
            check_out_time: one.check_out_time,
            price: one.price,
            payment_status: one.payment_status,
            refunded_minor: one.refunded_minor,
            pay_online: self.takes(due, &one.currency),
            longest_extension_minutes,
        })
    }

    async fn found_stay(&self, tx: &mut Tx, token: &str) -> Result<(OrganizationId, Reservation)> {
        let hash = self.stay_hash(token);
        let (organization, id) = store::find_by_hash(tx, &hash).await?.ok_or_else(stay_not_found)?;
        let one = reservations::find(tx, organization, id).await?.ok_or_else(stay_not_found)?;
        Ok((organization, one))
    }

    /// The stay in a transaction that changes it, and who does.
    async fn begun_stay(&self, token: &str, ctx: &RequestContext) -> Result<(Actor, Begun, Reservation)> {
        let mut tx = self.0.platform.db.read().await?;
        let (organization, one) = self.found_stay(&mut tx, token).await?;
        drop(tx);
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let one = reservations::find(&mut tx, organization, one.id).await?.ok_or_else(stay_not_found)?;
        Ok((guest(organization, ctx), (tx, version, held), one))
    }

    /// By how many minutes a stay can be made longer.
    async fn longest_extension(&self, tx: &mut Tx, held: &Held, one: &Reservation) -> Result<i64> {
        let now = self.0.platform.clock.now();
        let lot = held.lot(one.lot_id).filter(|lot| lot.booking.is_walk_up);
        let (Some(lot), ReservationState::CheckedIn, true) = (lot, one.state, now < one.end_time) else { return Ok(0) };
        let rules = &lot.booking;
        let by_rules = rules.max_minutes - one.end_time.millis_since(one.start_time) / MINUTE_MS;
        let next = store::next_of_spot(tx, one.spot_key, now, Some(one.id)).await?;
        let until_next =
            next.map(|next| next.start.plus_millis(-rules.early_ms()).millis_since(one.end_time) / MINUTE_MS);
        Ok(until_next.map_or(by_rules, |minutes| minutes.min(by_rules)).max(0))
    }

    /// What it would come to if a stay were longer by so many minutes each; those that are not possible are left out.
    ///
    /// # Errors
    /// Not found.
    pub async fn stay_extensions(&self, token: &str, minutes: &[i64]) -> Result<Vec<Extension>> {
        let mut tx = self.0.platform.db.read().await?;
        let (organization, one) = self.found_stay(&mut tx, token).await?;
        let held = self.held_in(&mut tx, organization).await?;
        let longest = self.longest_extension(&mut tx, &held, &one).await?;
        let rules = match one.tariff_id.zip(one.tariff_version) {
            Some((tariff, version)) => tariffs::store::version(&mut tx, organization, tariff, version).await?,
            None => None,
        };
        let zone = held.lot(one.lot_id).map(zone_of);
        let extension = |minutes: i64| {
            let end_time = one.end_time.plus_millis(minutes * MINUTE_MS);
            let price = rules.as_ref().zip(zone.as_ref());
            let price = price.map(|(rules, zone)| {
                tariffs::price(rules, one.start_time.millis(), end_time.millis(), zone).total_minor
            });
            let more_minor = price.unwrap_or(one.amount_minor) - one.amount_minor;
            Extension { minutes, end_time, more_minor, currency: one.currency.clone() }
        };
        Ok(minutes.iter().copied().filter(|minutes| (1..=longest).contains(minutes)).map(extension).collect())
    }

    /// Makes a stay longer; what it costs follows the tariff it was begun with.
    ///
    /// # Errors
    /// Not found; conflict when it is over or not paid for yet, somebody has reserved the spot after it, or the lot no longer
    /// allows walk-ups.
    pub async fn extend_stay(&self, token: &str, minutes: i64, ctx: &RequestContext) -> Result<GuestStay> {
        let (actor, (mut tx, version, held), one) = self.begun_stay(token, ctx).await?;
        let now = self.0.platform.clock.now();
        match one.state {
            ReservationState::CheckedIn if now < one.end_time => {}
            ReservationState::Held => return Err(Error::conflict("not_paid", "The stay waits for its payment.")),
            _ => return Err(over()),
        }
        let lot = held.lot(one.lot_id).ok_or_else(over)?;
        if !lot.booking.is_walk_up {
            return Err(Error::conflict("walk_up_closed", "Stays can no longer be made longer here."));
        }
        if !(1..=lot.booking.max_minutes).contains(&minutes) {
            return Err(Error::field("duration_minutes", format!("1 to {} minutes", lot.booking.max_minutes)));
        }
        let so_far = one.end_time.millis_since(one.start_time) / MINUTE_MS;
        check_length(lot, so_far + minutes)?;
        if minutes > self.longest_extension(&mut tx, &held, &one).await? {
            return Err(not_available());
        }
        let end_time = one.end_time.plus_millis(minutes * MINUTE_MS).to_iso();
        let change = Change { end_time: Some(end_time), ..Change::default() };
        self.change_found(&actor, (tx, version, held), one, &change).await?;
        self.stay(token).await
    }

    /// Ends a stay now: the spot is free for others. Nothing is given back, as for all that has begun; one that was not paid
    /// for yet is cancelled.
    ///
    /// # Errors
    /// Not found; conflict when it is over.
    pub async fn end_stay(&self, token: &str, ctx: &RequestContext) -> Result<GuestStay> {
        let (actor, begun, one) = self.begun_stay(token, ctx).await?;
        let (state, action) = match one.state {
            ReservationState::CheckedIn => (ReservationState::Completed, "parking_reservation.checked_out"),
            ReservationState::Held => (ReservationState::Cancelled, "parking_reservation.cancelled"),
            _ => return Err(over()),
        };
        self.step_found(&actor, begun, one, action, move |one, now| {
            one.state = state;
            one.hold_until = None;
            one.check_out_time = (state == ReservationState::Completed).then_some(now);
            Ok(())
        })
        .await?;
        self.stay(token).await
    }

    /// What a browser needs to pay a stay; the same payment however often it is asked for.
    ///
    /// # Errors
    /// Not found; conflict when nothing is to be paid, or at the place; unavailable when Stripe cannot be reached.
    pub async fn pay_stay(&self, token: &str) -> Result<Payable> {
        let mut tx = self.0.platform.db.read().await?;
        let (organization, one) = self.found_stay(&mut tx, token).await?;
        drop(tx);
        let (mut tx, _, _) = self.begin_spots(organization).await?;
        let one = reservations::find(&mut tx, organization, one.id).await?.ok_or_else(stay_not_found)?;
        self.payable_found(tx, organization, &one).await
    }
}
