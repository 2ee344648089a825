//! A vehicle comes.

use std::sync::Arc;

use portico_devices::Check;
use portico_model::parking::lot::Lot;
use portico_model::parking::permit::PermitState;
use portico_model::parking::reservation::ReservationState;
use portico_model::parking::sensor::plausible;
use portico_model::parking::session::{ParkingSession, SessionSource, VehicleArrival, plate_key};
use portico_model::parking::spot::Spot;
use portico_model::parking::tariff::Price;
use portico_model::{LotId, OrganizationId, ParkingSessionId, PermitId, ReservationId, SpotId, TariffId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::json;

use super::checked_plate;
use super::store::{self, Open};
use crate::lots::lot_not_found;
use crate::memory::Held;
use crate::spots::spot_not_found;
use crate::{Parking, permits, reservations, tariffs};

/// What an arrival or a departure is about.
pub(super) struct Seen {
    /// As it was read; empty: not read.
    pub plate: String,
    /// As plates are compared.
    pub key: String,
    pub spot: Option<Arc<Spot>>,
    pub at: Timestamp,
}

impl Seen {
    /// The plate, or where none was read the spot.
    pub fn who(&self) -> (&str, Option<SpotId>) {
        (&self.key, self.spot.as_ref().map(|spot| spot.key).filter(|_| self.key.is_empty()))
    }
}

/// What somebody parks by.
#[derive(Default)]
struct Right {
    reservation: Option<ReservationId>,
    permit: Option<PermitId>,
}

impl Right {
    const fn is_none(&self) -> bool {
        self.reservation.is_none() && self.permit.is_none()
    }
}

/// Reads what was seen, where.
pub(super) fn read<'h>(
    held: &'h Held,
    lot: LotId,
    (plate, spot, at): (Option<&str>, Option<&str>, Option<Timestamp>),
    now: Timestamp,
) -> Result<(&'h Lot, Seen)> {
    let lot = held.lot(lot).ok_or_else(lot_not_found)?;
    let mut check = Check::default();
    let plate = checked_plate(&mut check, plate.unwrap_or_default());
    check.done(())?;
    let spot = match spot.map(str::trim).filter(|spot| !spot.is_empty()) {
        Some(id) => Some(held.find_spot(id).filter(|spot| spot.lot_id == lot.id).ok_or_else(spot_not_found)?.clone()),
        None => None,
    };
    if plate.is_empty() && spot.is_none() {
        return Err(Error::field("plate", "the plate of the vehicle, or its spot"));
    }
    let seen = Seen { key: plate_key(&plate), plate, spot, at: plausible(at, now).min(now) };
    Ok((lot, seen))
}

fn spot_taken() -> Error {
    Error::conflict("spot_taken", "Another vehicle stands at this spot: end its session first.")
}

impl Parking {
    /// A vehicle has come; whether it was not there yet. The same reading again changes nothing, and a vehicle that is seen at
    /// a spot stands there from then on. A device may tell it when its owner may; permission: `OperateParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when another vehicle has the spot.
    pub async fn vehicle_came(&self, actor: &Actor, arrival: &VehicleArrival) -> Result<(ParkingSession, bool)> {
        self.may_report(actor).await?;
        let (organization, now) = (actor.organization, self.0.platform.clock.now());
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let what = (arrival.plate.as_deref(), arrival.spot_id.as_deref(), arrival.at);
        let (lot, seen) = read(&held, arrival.lot_id, what, now)?;
        let spot = seen.spot.as_ref().map(|spot| spot.key);
        let open = store::open(&mut tx, organization, lot.id, &seen.key, spot).await?;
        if let Some(known) = already_there(&open, &seen)? {
            if spot.is_none() || known.spot_id == spot {
                drop(tx);
                return Ok((self.shown_session(organization, known.id).await?, false));
            }
            let mut one = store::find(&mut tx, organization, known.id).await?.ok_or_else(super::session_not_found)?;
            (one.spot_key, one.updated_at) = (spot, now);
            store::update(&mut tx, organization, &one).await?;
            let details = json!({"spot_id": seen.spot.as_ref().map(|spot| &spot.id)});
            let entry = Entry::success("parking_session.moved").target("parking_session", one.id).details(details);
            self.commit(tx, actor, entry).await?;
            self.announce_sessions(organization);
            return Ok((self.shown_session(organization, one.id).await?, false));
        }
        // Told late: it has left since.
        let after = seen.at.plus_millis(1);
        let late = store::last_left(&mut tx, organization, lot.id, seen.who(), after, seen.at).await?;
        if let Some(left) = late {
            drop(tx);
            return Ok((self.shown_session(organization, left).await?, false));
        }
        let right = self.right_of(&mut tx, organization, lot, &seen, arrival.permit_id).await?;
        let tariff = seen.spot.as_ref().and_then(|spot| spot.tariff_id).or(lot.tariff_id);
        let (tariff, currency) = in_force(&mut tx, organization, tariff).await?;
        let longest = lot.booking.longest_stay_minutes.map(|minutes| seen.at.plus_millis(minutes * 60_000));
        let one = ParkingSession {
            id: ParkingSessionId::generate(),
            lot_id: lot.id,
            lot_name: lot.name.clone(),
            time_zone: lot.time_zone_in_force.clone(),
            spot_id: seen.spot.as_ref().map(|spot| spot.id.clone()),
            spot_key: spot,
            plate: seen.plate,
            source: arrival.source.unwrap_or(source_of(actor)),
            entered_at: seen.at,
            left_at: None,
            reservation_id: right.reservation,
            permit_id: right.permit,
            covered_until: None,
            grace_minutes: if right.reservation.is_some() { lot.booking.grace_minutes } else { 0 },
            may_stay_until: longest.filter(|_| right.is_none()),
            is_overstaying: false,
            tariff_id: tariff.map(|(id, _)| id),
            tariff_version: tariff.map(|(_, version)| version),
            price: Price { total_minor: 0, currency: currency.clone(), parts: Vec::new() },
            amount_minor: 0,
            currency,
            paid_minor: 0,
            due_minor: 0,
            created_at: now,
            updated_at: now,
        };
        store::insert(&mut tx, organization, &one).await?;
        let came = self.check_in_by_session(&mut tx, actor, right.reservation, seen.at, version).await?;
        // No plate: the trail is kept for longer than plates are.
        let details = json!({"lot_id": lot.id, "spot_id": one.spot_id, "source": one.source,
            "reservation_id": one.reservation_id, "permit_id": one.permit_id});
        let entry = Entry::success("parking_session.entered").target("parking_session", one.id).details(details);
        self.commit(tx, actor, entry).await?;
        self.announce_sessions(organization);
        if let Some((reservation, spot)) = came {
            self.announce_reservation(organization, reservation, &[spot]).await?;
        }
        Ok((self.shown_session(organization, one.id).await?, true))
    }

    /// The reservation for this plate, else that of the spot unless it is for another plate, else the permit for the plate.
    async fn right_of(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lot: &Lot,
        seen: &Seen,
        named: Option<PermitId>,
    ) -> Result<Right> {
        if let Some(id) = named {
            let permit = permits::store::find(tx, organization, id).await?.ok_or_else(permits::permit_not_found)?;
            let is_here = permit.lot_id.is_none_or(|of| of == lot.id);
            if !is_here || permit.state_at(seen.at) != PermitState::Valid {
                return Err(Error::conflict("permit_not_valid", "The permit does not hold here and now."));
            }
            return Ok(Right { permit: Some(id), ..Right::default() });
        }
        let there = store::reservations_at(tx, organization, lot.id, seen.at, lot.booking.early_ms()).await?;
        let by_plate = there.iter().find(|(_, plate, _)| !seen.key.is_empty() && plate_key(plate) == seen.key);
        let by_spot = there.iter().find(|(_, plate, spot)| {
            let is_there = seen.spot.as_ref().is_some_and(|seen| seen.key == *spot);
            is_there && (seen.key.is_empty() || plate_key(plate).is_empty())
        });
        if let Some((id, ..)) = by_plate.or(by_spot) {
            return Ok(Right { reservation: Some(*id), ..Right::default() });
        }
        let permit = permits::store::for_plate(tx, organization, lot.id, &seen.key, seen.at).await?;
        Ok(Right { permit, ..Right::default() })
    }

    /// Whoever reserved has come. The reservation and its spot, when that is new.
    async fn check_in_by_session(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        reservation: Option<ReservationId>,
        at: Timestamp,
        version: i64,
    ) -> Result<Option<(ReservationId, SpotId)>> {
        let Some(id) = reservation else { return Ok(None) };
        let found = reservations::store::find(tx, actor.organization, id).await?;
        let Some(mut one) = found.filter(|one| one.state == ReservationState::Confirmed) else { return Ok(None) };
        one.state = ReservationState::CheckedIn;
        one.check_in_time = Some(at);
        one.updated_at = self.0.platform.clock.now();
        let entry = self.write_step(tx, actor, &one, "parking_reservation.checked_in", version).await?;
        self.0.platform.audit.append(tx, actor, entry).await?;
        Ok(Some((id, one.spot_key)))
    }
}

/// The session of this vehicle, if it is there.
fn already_there<'o>(open: &'o [Open], seen: &Seen) -> Result<Option<&'o Open>> {
    let spot = seen.spot.as_ref().map(|spot| spot.key);
    let at_spot = open.iter().find(|one| spot.is_some() && one.spot_id == spot);
    if seen.key.is_empty() {
        return Ok(at_spot);
    }
    let of_plate = open.iter().find(|one| one.plate_key == seen.key);
    if at_spot.is_some_and(|there| of_plate.is_none_or(|of_plate| of_plate.id != there.id)) {
        return Err(spot_taken());
    }
    Ok(of_plate)
}

/// Tariff and version, and its currency.
async fn in_force(
    tx: &mut Tx,
    organization: OrganizationId,
    tariff: Option<TariffId>,
) -> Result<(Option<(TariffId, i64)>, String)> {
    let Some(id) = tariff else { return Ok((None, "XXX".to_owned())) };
    let (version, rules) =
        tariffs::store::current(tx, organization, id).await?.ok_or_else(tariffs::tariff_not_found)?;
    Ok((Some((id, version)), rules.currency))
}

const fn source_of(actor: &Actor) -> SessionSource {
    match actor.principal {
        Principal::Device { .. } => SessionSource::Camera,
        Principal::User { .. } => SessionSource::Person,
        Principal::Service { .. } | Principal::AdminToken | Principal::System | Principal::Guest => SessionSource::Api,
    }
}
