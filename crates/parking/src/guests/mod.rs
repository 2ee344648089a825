//! Parking without an account: who stands at a spot begins a stay by its code, and holds it by a secret link. A stay is a
//! reservation like any other, of nobody: the same refusal of overlaps, tariffs, holds and refunds.
//!
//! The code of a spot is no secret. It shows nothing that who stands there does not see, and only where the lot allows it.

mod jobs;
pub(crate) mod rest;
pub(crate) mod store;

use std::sync::Arc;

use portico_devices::Check;
use portico_identity::RequestContext;
use portico_model::parking::lot::Lot;
use portico_model::parking::reservation::{Quote, Reservation, ReservationState};
use portico_model::parking::spot::Spot;
use portico_model::parking::tariff::words::summary;
use portico_model::parking::walk_up::{Extension, GuestStay, NewStay, Standing, WalkUpSpot, begin_of_stay, standing};
use portico_model::{OrganizationId, SpotId};
use portico_platform::secrets::{hex, keyed_hash};
use portico_platform::{Actor, Error, Principal, Result, Tx};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::memory::Held;
use crate::payments::{Payable, due_minor};
use crate::reservations::{
    Begun, Booking, Change, Contact, Wanted, moment, not_available, over, store as reservations, zone_of,
};
use crate::spots::spot_not_found;
use crate::{Parking, tariffs};

pub(crate) use jobs::spawn;

const MINUTE_MS: i64 = 60_000;

/// A stay that has begun.
#[derive(Debug)]
pub struct BegunStay {
    /// Whoever has it holds the stay. Shown this once.
    pub token: SecretString,
    pub stay: GuestStay,
    /// What the browser needs to pay. Absent: it is paid for at the place, costs nothing, or Stripe cannot be reached now.
    pub payable: Option<Payable>,
}

/// A spot where walk-ups are allowed.
struct Found<'h> {
    spot: &'h Arc<Spot>,
    lot: &'h Lot,
}

fn stay_not_found() -> Error {
    Error::not_found("stay_not_found", "There is no such stay.")
}

fn guest(organization: OrganizationId, ctx: &RequestContext) -> Actor {
    Actor {
        organization,
        principal: Principal::Guest,
        address: ctx.address.clone(),
        request_id: ctx.request_id.clone(),
    }
}

/// The spot, where its lot allows walk-ups.
fn find_spot(held: &Held, key: SpotId) -> Result<Found<'_>> {
    let spot = held.spot(key).ok_or_else(spot_not_found)?;
    let lot = held.lot(spot.lot_id).filter(|lot| lot.booking.is_walk_up).ok_or_else(spot_not_found)?;
    Ok(Found { spot, lot })
}

/// That the rules of the lot allow a stay of so many minutes in all.
fn check_length(lot: &Lot, minutes: i64) -> Result<()> {
    let rules = &lot.booking;
    if minutes < rules.min_minutes {
        return Err(Error::field("duration_minutes", format!("at least {} minutes", rules.min_minutes)));
    }
    if minutes > rules.max_minutes {
        return Err(Error::field("duration_minutes", format!("at most {} minutes", rules.max_minutes)));
    }
    Ok(())
}

impl Parking {
    /// A spot as anybody who stands there may know it.
    ///
    /// # Errors
    /// Not found, also where the lot does not allow walk-ups.
    pub async fn walk_up_spot(&self, key: SpotId) -> Result<WalkUpSpot> {
        let mut tx = self.0.platform.db.read().await?;
        let organization = store::organization_of_spot(&mut tx, key).await?.ok_or_else(spot_not_found)?;
        let held = self.held_in(&mut tx, organization).await?;
        let found = find_spot(&held, key)?;
        let now = self.standing_of(&mut tx, &found).await?;
        let tariff = match found.spot.tariff_id.or(found.lot.tariff_id) {
            Some(tariff) => tariffs::store::current(&mut tx, organization, tariff).await?,
            None => None,
        };
        let Found { spot, lot } = found;
        Ok(WalkUpSpot {
            key,
            spot_id: spot.id.clone(),
            lot_name: lot.name.clone(),
            address: lot.address.clone(),
            level: spot.level.clone(),
            zone: spot.zone.clone(),
            time_zone: lot.time_zone_in_force.clone(),
            is_accessible: spot.is_accessible,
            is_ev: spot.is_ev,
            status: now.status,
            until: now.until,
            pay_online: self.takes_payments() && tariff.is_some(),
            tariff: tariff.map(|(_, rules)| summary(&rules)).unwrap_or_default(),
            shortest_minutes: lot.booking.min_minutes,
            longest_minutes: now.longest_minutes,
            hold_minutes: lot.booking.hold_minutes,
        })
    }

    async fn standing_of(&self, tx: &mut Tx, found: &Found<'_>) -> Result<Standing> {
        let now = self.0.platform.clock.now();
        let next = store::next_of_spot(tx, found.spot.key, now, None).await?;
        Ok(standing(&found.lot.booking, found.spot.is_disabled, next, now))
    }

    /// How many minutes there are until a time by the clock of the lot, such as `2026-11-23T18:00`.
    ///
    /// # Errors
    /// Not found; no time, or one that is over.
    pub async fn walk_up_minutes(&self, key: SpotId, until: &str) -> Result<i64> {
        let mut tx = self.0.platform.db.read().await?;
        let organization = store::organization_of_spot(&mut tx, key).await?.ok_or_else(spot_not_found)?;
        let held = self.held_in(&mut tx, organization).await?;
        let end = moment(&zone_of(find_spot(&held, key)?.lot), "until", until)?;
        let minutes = end.millis_since(begin_of_stay(self.0.platform.clock.now())) / MINUTE_MS;
        if minutes > 0 { Ok(minutes) } else { Err(Error::field("until", "lies in the past")) }
    }

    /// What a stay that begins now would cost, and whether it can be had.
    ///
    /// # Errors
    /// Not found; a length that the lot does not allow.
    pub async fn walk_up_quote(&self, key: SpotId, minutes: i64) -> Result<Quote> {
        let mut tx = self.0.platform.db.read().await?;
        let organization = store::organization_of_spot(&mut tx, key).await?.ok_or_else(spot_not_found)?;
        let held = self.held_in(&mut tx, organization).await?;
        let found = find_spot(&held, key)?;
        check_length(found.lot, minutes)?;
        let is_free = minutes <= self.standing_of(&mut tx, &found).await?.longest_minutes;
        let wanted = self.wanted(&found, minutes);
        self.quote_of(&mut tx, organization, &wanted, found.spot, is_free).await
    }

    fn wanted<'h>(&self, found: &Found<'h>, minutes: i64) -> Wanted<'h> {
        let start = begin_of_stay(self.0.platform.clock.now());
        let end = start.plus_millis(minutes * MINUTE_MS);
        Wanted { lot: found.lot, zone: zone_of(found.lot), spots: vec![found.spot], start, end }
    }

    /// Begins a stay. Whatever the sensor of the spot says: it sees the car of who asks.
    ///
    /// # Errors
    /// Not found, invalid fields; conflict when somebody else has the spot.
    pub async fn begin_stay(&self, key: SpotId, new: &NewStay, ctx: &RequestContext) -> Result<BegunStay> {
        let mut tx = self.0.platform.db.read().await?;
        let organization = store::organization_of_spot(&mut tx, key).await?.ok_or_else(spot_not_found)?;
        drop(tx);
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let found = find_spot(&held, key)?;
        check_length(found.lot, new.duration_minutes)?;
        let who = contact(new)?;
        if new.duration_minutes > self.standing_of(&mut tx, &found).await?.longest_minutes {
            return Err(not_available());
        }
        let token = random_token();
        let wanted = self.wanted(&found, new.duration_minutes);
        let guest_hash = Some(self.stay_hash(token.expose_secret()));
        let booking = Booking { wanted: &wanted, spot: found.spot, who, guest_hash };
        let actor = guest(organization, ctx);
        let made = self.book(&actor, (tx, version), booking).await?;
        // When Stripe cannot be reached now, it is asked for again by the page of the stay.
        let payable = match made.state {
            ReservationState::Held => self.pay_stay(token.expose_secret()).await.ok(),
            _ => None,
        };
        Ok(BegunStay { stay: self.stay(token.expose_secret()).await?, token, payable })
    }

    /// What is kept of the secret of a stay: who reads the database cannot open one.
    fn stay_hash(&self, token: &str) -> [u8; 32] {
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
        let is_due = one.state.has_spot() || one.state == ReservationState::Completed;
        Ok(GuestStay {
            due_minor: if is_due { due_minor(&one).max(0) } else { 0 },
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
            pay_online: self.takes_payments(),
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
        let end = move |one: &mut Reservation, now| {
            one.state = state;
            one.hold_until = None;
            one.check_out_time = (state == ReservationState::Completed).then_some(now);
            Ok(())
        };
        self.step_found(&actor, begun, one, action, end).await?;
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

/// 256 random bits.
fn random_token() -> SecretString {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex(&bytes).into()
}

/// What a guest says of himself, which may be nothing.
fn contact(new: &NewStay) -> Result<Contact> {
    let mut check = Check::default();
    let plate = check.text("plate", new.plate.as_deref().unwrap_or_default(), 20);
    let email = check.text("email", new.email.as_deref().unwrap_or_default(), 100);
    if !email.is_empty() && (!email.contains('@') || email.contains(char::is_whitespace)) {
        check.problem("email", "an e-mail address");
    }
    check.done(Contact { plate, email, ..Contact::default() })
}
