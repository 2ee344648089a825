//! Parking without an account: who stands at a spot begins a stay by its code, and holds it by a secret link. A stay is a
//! reservation like any other, of nobody: the same refusal of overlaps, tariffs, holds and refunds.
//!
//! The code of a spot is no secret. It shows nothing that who stands there does not see, and only where the lot allows it.

mod jobs;
pub(crate) mod rest;
mod stay;
pub(crate) mod store;

use std::sync::Arc;

use portico_devices::Check;
use portico_identity::RequestContext;
use portico_model::parking::lot::Lot;
use portico_model::parking::reservation::{Quote, ReservationState};
use portico_model::parking::spot::Spot;
use portico_model::parking::tariff::words::summary;
use portico_model::parking::walk_up::{GuestStay, NewStay, Standing, WalkUpSpot, begin_of_stay, standing};
use portico_model::{OrganizationId, SpotId};
use portico_platform::secrets::hex;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::memory::Held;
use crate::payments::Payable;
use crate::reservations::{Booking, Contact, Wanted, moment, not_available, zone_of};
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

impl BegunStay {
    /// For the link that leads to the stay.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.token.expose_secret()
    }
}

/// A spot where walk-ups are allowed.
struct Found<'h> {
    spot: &'h Arc<Spot>,
    lot: &'h Lot,
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
