//! Making, changing and cancelling reservations.

use std::collections::HashSet;
use std::sync::Arc;

use portico_devices::Check;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::lot::Lot;
use portico_model::parking::reservation::{PaymentStatus, Quote, Reservation, ReservationState, Wish};
use portico_model::parking::spot::Spot;
use portico_model::parking::tariff::Price;
use portico_model::{OrganizationId, ReservationId, SpotId, TariffId, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::json;

use super::wish::{self, Wanted};
use super::{not_available, store};
use crate::memory::Held;
use crate::payments;
use crate::{Parking, announce, guests, tariffs};

/// What is to be another in a reservation; absent: as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({"end_time": "2026-11-23T12:00", "plate": "B AB 123"}))]
pub struct Change {
    /// What is written on the sign of another spot of the lot, or its key.
    pub spot_id: Option<String>,
    /// ISO 8601; without an offset by the clock of the lot.
    pub start_time: Option<String>,
    pub end_time: Option<String>,
    /// At most 20 characters.
    pub plate: Option<String>,
    /// At most 20 characters.
    pub user_phone: Option<String>,
    /// At most 500 characters.
    pub notes: Option<String>,
}

/// Whose a reservation is, and how he is reached.
#[derive(Default)]
pub(crate) struct Contact {
    pub user_id: Option<UserId>,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub plate: String,
    pub notes: String,
}

/// What a stay costs, and by which version of which tariff.
struct Priced {
    tariff: Option<(TariffId, i64)>,
    price: Price,
}

/// What is written when somebody books.
pub(crate) struct Booking<'b, 'h> {
    pub wanted: &'b Wanted<'h>,
    pub spot: &'b Spot,
    pub who: Contact,
    /// He stands there already, without an account: what is kept of the secret of his stay.
    pub guest_hash: Option<[u8; 32]>,
}

/// A transaction that changes spots, as [`Parking::begin_spots`] begins it.
pub(crate) type Begun = (Tx, i64, Arc<Held>);

impl Parking {
    /// What a reservation would cost and whether it can be had; of several spots that fit, the first that is free.
    /// Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the lot takes no reservations.
    pub async fn quote(&self, actor: &Actor, wish: &Wish) -> Result<Quote> {
        actor.require(Permission::UseParking)?;
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let wanted = wish::read(actor, &held, wish, now)?;
        let free = free_spots(&mut tx, &wanted, now).await?;
        let shown = free.first().or(wanted.spots.first()).copied().ok_or_else(not_available)?;
        self.quote_of(&mut tx, actor.organization, &wanted, shown, !free.is_empty()).await
    }

    /// What a spot costs in that time.
    pub(crate) async fn quote_of(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        wanted: &Wanted<'_>,
        shown: &Spot,
        is_free: bool,
    ) -> Result<Quote> {
        let priced = self.price_of(tx, organization, wanted, shown).await?;
        Ok(Quote {
            spot_id: shown.id.clone(),
            spot_key: shown.key,
            lot_id: wanted.lot.id,
            lot_name: wanted.lot.name.clone(),
            level: shown.level.clone(),
            zone: shown.zone.clone(),
            time_zone: wanted.lot.time_zone_in_force.clone(),
            start_time: wanted.start,
            end_time: wanted.end,
            is_free,
            pay_online: self.takes(priced.price.total_minor, &priced.price.currency),
            hold_minutes: wanted.lot.booking.hold_minutes,
            price: priced.price,
        })
    }

    /// Reserves a spot. Permission: `UseParking`; for somebody else, `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when somebody else has it then, or the lot takes no reservations.
    pub async fn reserve(&self, actor: &Actor, wish: &Wish) -> Result<Reservation> {
        actor.require(Permission::UseParking)?;
        let now = self.0.platform.clock.now();
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        let wanted = wish::read(actor, &held, wish, now)?;
        let who = self.contact(&mut tx, actor, wish).await?;
        let free = free_spots(&mut tx, &wanted, now).await?;
        let spot = free.first().copied().ok_or_else(not_available)?;
        self.book(actor, (tx, version), Booking { wanted: &wanted, spot, who, guest_hash: None }).await
    }

    /// Writes a reservation of a spot that is free, as far as the caller knows; the database refuses it when it is not. Who
    /// stands there already is checked in at once, unless he pays first.
    pub(crate) async fn book(
        &self,
        actor: &Actor,
        (mut tx, version): (Tx, i64),
        booking: Booking<'_, '_>,
    ) -> Result<Reservation> {
        let Booking { wanted, spot, who, guest_hash } = booking;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let Priced { tariff, price } = self.price_of(&mut tx, organization, wanted, spot).await?;
        let pays_online = self.takes(price.total_minor, &price.currency);
        let is_walk_up = guest_hash.is_some();
        let state = match (pays_online, is_walk_up) {
            (true, _) => ReservationState::Held,
            (false, true) => ReservationState::CheckedIn,
            (false, false) => ReservationState::Confirmed,
        };
        let hold_until = now.plus_secs(wanted.lot.booking.hold_minutes * 60);
        let reservation = Reservation {
            id: ReservationId::generate(),
            spot_id: spot.id.clone(),
            spot_key: spot.key,
            lot_id: wanted.lot.id,
            lot_name: wanted.lot.name.clone(),
            level: spot.level.clone(),
            zone: spot.zone.clone(),
            time_zone: wanted.lot.time_zone_in_force.clone(),
            start_time: wanted.start,
            end_time: wanted.end,
            duration_hours: 0.0,
            state,
            status: String::new(),
            hold_until: pays_online.then(|| hold_until.min(wanted.end)),
            check_in_time: (state == ReservationState::CheckedIn).then_some(now),
            check_out_time: None,
            tariff_id: tariff.map(|(id, _)| id),
            tariff_version: tariff.map(|(_, version)| version),
            total_amount: 0.0,
            amount_minor: price.total_minor,
            currency: price.currency.clone(),
            payment_status: if price.total_minor == 0 { PaymentStatus::Paid } else { PaymentStatus::Pending },
            price,
            paid_minor: 0,
            refunded_minor: 0,
            adjustment_minor: 0,
            paid_on_site_at: None,
            early_minutes: wanted.lot.booking.early_minutes,
            has_gate: wanted.lot.gate_door_id.is_some(),
            is_walk_up,
            user_id: who.user_id,
            user_name: who.name,
            user_email: who.email,
            user_phone: who.phone,
            plate: who.plate,
            notes: who.notes,
            created_at: now,
            updated_at: now,
        };
        if !self.save(&mut tx, organization, wanted.lot, &reservation, &actor.label()).await? {
            return Err(not_available());
        }
        if let Some(hash) = guest_hash {
            guests::store::set_hash(&mut tx, organization, reservation.id, &hash).await?;
        }
        if pays_online {
            self.want_payment(&mut tx, organization, &reservation).await?;
        }
        store::refresh_spot(&mut tx, spot.key, now, version).await?;
        let details = json!({"spot_id": spot.id, "start": wanted.start, "end": wanted.end,
            "amount_minor": reservation.amount_minor, "currency": reservation.currency});
        let entry = Entry::success("parking_reservation.created").target("parking_reservation", reservation.id);
        self.commit(tx, actor, entry.details(details)).await?;
        let (spot_id, key, lot_id) = (spot.id.clone(), spot.key, spot.lot_id);
        let event = Event::SpotReserved { spot_id, key, lot_id, reservation_id: reservation.id };
        self.publish(vec![announce::all(organization), announce::lot(organization, lot_id)], event);
        self.announce_reservation(organization, reservation.id, &[spot.key]).await
    }

    /// Gives a reservation other times or another spot of the same lot; what it costs follows the tariff it was made with.
    /// After it has begun only its end can change. Permission: `UseParking` for one's own, else `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when it is over, or somebody else has the spot then.
    pub async fn change_reservation(&self, actor: &Actor, id: ReservationId, change: &Change) -> Result<Reservation> {
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        let before = self.visible(&mut tx, actor, id, Permission::OperateParking).await?;
        self.change_found(actor, (tx, version, held), before, change).await
    }

    /// As [`Parking::change_reservation`], of one that the caller may change.
    pub(crate) async fn change_found(
        &self,
        actor: &Actor,
        (mut tx, version, held): Begun,
        before: Reservation,
        change: &Change,
    ) -> Result<Reservation> {
        let (organization, now, id) = (actor.organization, self.0.platform.clock.now(), before.id);
        if !before.state.has_spot() {
            return Err(over());
        }
        let lot = held.lot(before.lot_id).ok_or_else(crate::lots::lot_not_found)?;
        let zone = wish::zone_of(lot);
        let mut after = before.clone();
        if let Some(start) = &change.start_time {
            after.start_time = wish::moment(&zone, "start_time", start)?;
        }
        if let Some(end) = &change.end_time {
            after.end_time = wish::moment(&zone, "end_time", end)?;
        }
        if let Some(id) = &change.spot_id {
            let spot =
                held.find_spot(id).filter(|spot| spot.lot_id == lot.id).ok_or_else(crate::spots::spot_not_found)?;
            (after.spot_key, after.spot_id) = (spot.key, spot.id.clone());
        }
        let has_begun = before.start_time <= now || before.state == ReservationState::CheckedIn;
        if has_begun && (after.start_time, after.spot_key) != (before.start_time, before.spot_key) {
            return Err(Error::conflict("has_begun", "It has begun: only its end can be changed."));
        }
        let mut check = Check::default();
        if let Some(plate) = &change.plate {
            after.plate = check.text("plate", plate, 20);
        }
        if let Some(phone) = &change.user_phone {
            after.user_phone = Some(check.text("user_phone", phone, 20));
        }
        if let Some(notes) = &change.notes {
            after.notes = check.text("notes", notes, 500);
        }
        check.done(())?;
        let is_moved =
            (after.start_time, after.end_time, after.spot_key) != (before.start_time, before.end_time, before.spot_key);
        if is_moved {
            if after.end_time <= after.start_time.max(now.min(before.end_time)) {
                return Err(Error::field("end_time", "lies after the beginning and after now"));
            }
            let from = if has_begun { now } else { after.start_time };
            if !after.is_walk_up {
                wish::check_bookable(actor, lot)?;
            }
            let shortest = from.plus_millis(lot.booking.min_minutes * 60_000);
            wish::check_times(actor, lot, from, after.end_time.max(shortest), now)?;
            if after.end_time > before.end_time {
                // All of it counts, also what is over.
                wish::check_longest(actor, lot, after.start_time, after.end_time)?;
            }
            let taken = store::taken(&mut tx, lot.id, after.start_time, after.end_time).await?;
            let spot = held.spot(after.spot_key).ok_or_else(crate::spots::spot_not_found)?;
            let is_taken = taken.iter().any(|(spot, other)| *spot == after.spot_key && *other != id);
            if is_taken || (!has_begun && wish::is_blocked(spot, lot, after.start_time, now)) {
                return Err(not_available());
            }
            self.price_again(&mut tx, organization, lot, &mut after).await?;
            // Of what was paid for it, and is not on its way back already.
            let in_flight = payments::store::wanted_refunds(&mut tx, id).await?;
            let cheaper = (before.amount_minor - after.amount_minor).min(-after.due_minor() - in_flight);
            if cheaper > 0 {
                let back = lot.booking.refund(cheaper, before.start_time, now);
                self.give_back(&mut tx, &after, back, "The reservation costs less now.").await?;
                after.adjustment_minor += cheaper - back;
            }
            if after.due_minor() <= 0 {
                after.confirm_held();
            }
            payments::store::hurry(&mut tx, id, now).await?;
        }
        after.updated_at = now;
        if !self.save(&mut tx, organization, lot, &after, &actor.label()).await? {
            return Err(not_available());
        }
        let spots = [before.spot_key, after.spot_key];
        for spot in spots {
            store::refresh_spot(&mut tx, spot, now, version).await?;
        }
        let details = json!({"spot_id": after.spot_id, "start": after.start_time, "end": after.end_time,
            "amount_minor": after.amount_minor});
        let entry = Entry::success("parking_reservation.changed").target("parking_reservation", id).details(details);
        self.commit(tx, actor, entry).await?;
        self.announce_reservation(organization, id, &spots).await
    }

    /// By the tariff that it was made with.
    async fn price_again(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lot: &Lot,
        one: &mut Reservation,
    ) -> Result<()> {
        let Some((tariff, version)) = one.tariff_id.zip(one.tariff_version) else { return Ok(()) };
        let rules = tariffs::store::version(tx, organization, tariff, version).await?;
        let rules = rules.ok_or_else(|| Error::internal("the tariff of a reservation is gone"))?;
        one.price = tariffs::price(&rules, one.start_time.millis(), one.end_time.millis(), &wish::zone_of(lot));
        one.amount_minor = one.price.total_minor;
        one.payment_status = if one.due_minor() <= 0 { PaymentStatus::Paid } else { PaymentStatus::Pending };
        Ok(())
    }

    async fn price_of(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        wanted: &Wanted<'_>,
        spot: &Spot,
    ) -> Result<Priced> {
        let none = || Price { total_minor: 0, currency: "XXX".to_owned(), parts: Vec::new() };
        let Some(tariff) = spot.tariff_id.or(wanted.lot.tariff_id) else {
            return Ok(Priced { tariff: None, price: none() });
        };
        let found = tariffs::store::current(tx, organization, tariff).await?;
        let (version, rules) = found.ok_or_else(tariffs::tariff_not_found)?;
        let price = tariffs::price(&rules, wanted.start.millis(), wanted.end.millis(), &wanted.zone);
        Ok(Priced { tariff: Some((tariff, version)), price })
    }

    pub(super) async fn save(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lot: &Lot,
        one: &Reservation,
        by: &str,
    ) -> Result<bool> {
        let no_show_at = lot.booking.no_show_minutes.map(|minutes| one.start_time.plus_millis(minutes * 60_000));
        store::save(tx, organization, one, no_show_at, by).await
    }

    /// Whose it is, and how he is reached.
    async fn contact(&self, tx: &mut Tx, actor: &Actor, wish: &Wish) -> Result<Contact> {
        let given =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (name, email) = (given(&wish.user_name), given(&wish.user_email));
        let is_for_another = actor.may(Permission::OperateParking) && (name.is_some() || email.is_some());
        let user_id = actor.user_id().filter(|_| !is_for_another);
        let own_email = match user_id {
            Some(user) => self.0.identity.email_address(tx, actor.organization, user).await?,
            None => None,
        };
        let own_name = match &actor.principal {
            Principal::User { name, .. } if user_id.is_some() => name.clone(),
            _ => String::new(),
        };
        let mut check = Check::default();
        let contact = Contact {
            user_id,
            name: check.text("user_name", &name.unwrap_or(own_name), 100),
            email: check.text("user_email", &email.or(own_email).unwrap_or_default(), 100),
            phone: given(&wish.user_phone).map(|phone| check.text("user_phone", &phone, 20)),
            plate: check.text("plate", wish.plate.as_deref().unwrap_or_default(), 20),
            notes: check.text("notes", &wish.notes, 500),
        };
        if contact.email.is_empty() {
            check.problem("user_email", "is required");
        } else if !contact.email.contains('@') || contact.email.contains(char::is_whitespace) {
            check.problem("user_email", "an e-mail address");
        }
        check.done(contact)
    }

    /// Tells of a reservation and of its spots; as it is now.
    pub(crate) async fn announce_reservation(
        &self,
        organization: OrganizationId,
        id: ReservationId,
        spots: &[SpotId],
    ) -> Result<Reservation> {
        let shown = self.shown_reservation(organization, id).await?;
        let mut channels = vec![announce::reservations(organization)];
        channels.extend(shown.user_id.map(|user| announce::reservations_of(organization, user)));
        self.publish(channels, Event::ReservationChanged { reservation: shown.clone() });
        self.announce_spots(organization, spots).await?;
        Ok(shown)
    }
}

pub(crate) fn over() -> Error {
    Error::conflict("reservation_over", "The reservation is over.")
}

/// Those that nobody has in that time, and where no car is in the way.
async fn free_spots<'h>(tx: &mut Tx, wanted: &Wanted<'h>, now: Timestamp) -> Result<Vec<&'h Arc<Spot>>> {
    let taken = store::taken(tx, wanted.lot.id, wanted.start, wanted.end).await?;
    let taken: HashSet<SpotId> = taken.into_iter().map(|(spot, _)| spot).collect();
    let is_free =
        |spot: &&Arc<Spot>| !taken.contains(&spot.key) && !wish::is_blocked(spot, wanted.lot, wanted.start, now);
    Ok(wanted.spots.iter().copied().filter(is_free).collect())
}
