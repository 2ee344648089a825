//! What somebody wants, read and checked against what the lot allows.

use std::sync::Arc;

use jiff::tz::TimeZone;
use portico_devices::Check;
use portico_identity::local_time::moment_of;
use portico_model::Timestamp;
use portico_model::identity::Permission;
use portico_model::parking::lot::Lot;
use portico_model::parking::reservation::Wish;
use portico_model::parking::spot::{Spot, SpotState};
use portico_platform::{Actor, Error, Result};

use crate::lots::lot_not_found;
use crate::memory::Held;
use crate::spots::{SpotQuery, spot_not_found};

/// One may be so late to say that one is here already.
const PAST_MS: i64 = 5 * 60_000;

/// Where and when, as far as it does not depend on what others have.
pub struct Wanted<'h> {
    pub lot: &'h Lot,
    pub zone: TimeZone,
    /// Spots that fit, the one that is named or all, in no better order than their ids.
    pub spots: Vec<&'h Arc<Spot>>,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// The clock of a lot.
pub fn zone_of(lot: &Lot) -> TimeZone {
    TimeZone::get(&lot.time_zone_in_force).unwrap_or(TimeZone::UTC)
}

/// A moment; without an offset by the clock of the lot.
pub fn moment(zone: &TimeZone, field: &str, text: &str) -> Result<Timestamp> {
    let text = text.trim();
    // A time without an offset is one of the wall clock there; `T08:30Z`, `+01:00` and `-05:00` are offsets.
    let time = text.get(10..).unwrap_or_default();
    let has_offset = time.contains(['Z', 'z', '+']) || time.contains('-');
    let read = if has_offset { Timestamp::parse_iso(text) } else { moment_of(zone, &text.replacen(' ', "T", 1)) };
    read.ok_or_else(|| Error::field(field, "a day and a time such as 2026-11-23T08:30, with or without an offset"))
}

pub fn missing() -> Error {
    Error::invalid("missing_fields", "Missing required fields")
}

/// From when until when.
pub fn times(zone: &TimeZone, wish: &Wish) -> Result<(Timestamp, Timestamp)> {
    if wish.start_time.trim().is_empty() || (wish.end_time.is_none() && wish.duration_hours.is_none()) {
        return Err(missing());
    }
    let start = moment(zone, "start_time", &wish.start_time)?;
    let end = match (&wish.end_time, &wish.duration_hours) {
        (Some(end), _) => moment(zone, "end_time", end)?,
        (None, Some(hours)) => {
            let length = hours.milliseconds();
            start.plus_millis(length.ok_or_else(|| Error::field("duration_hours", "a number of hours above 0"))?)
        }
        (None, None) => return Err(missing()),
    };
    if end <= start {
        return Err(Error::field("end_time", "lies after the beginning"));
    }
    Ok((start, end))
}

/// That the lot takes reservations, or from those who operate it.
pub fn check_bookable(actor: &Actor, lot: &Lot) -> Result<()> {
    if lot.booking.is_bookable || actor.may(Permission::OperateParking) {
        return Ok(());
    }
    Err(Error::conflict("not_bookable", "Spots of this lot cannot be reserved."))
}

/// That the lot allows these times. Those who operate it are only kept from what makes no sense.
pub fn check_times(actor: &Actor, lot: &Lot, start: Timestamp, end: Timestamp, now: Timestamp) -> Result<()> {
    let rules = &lot.booking;
    let operates = actor.may(Permission::OperateParking);
    let mut check = Check::default();
    if start < now.plus_millis(-PAST_MS) {
        check.problem("start_time", "lies in the past");
    }
    if !operates && start.millis_since(now) > rules.ahead_days * 86_400_000 {
        check.problem("start_time", format!("at most {} days ahead", rules.ahead_days));
    }
    if end.millis_since(start) / 60_000 < rules.min_minutes {
        check.problem("end_time", format!("at least {} minutes", rules.min_minutes));
    }
    if let Some(problem) = too_long(actor, lot, start, end) {
        check.problem("end_time", problem);
    }
    check.done(())
}

/// That a reservation is not longer than the lot allows. Who looks after the lot may have longer ones.
pub fn check_longest(actor: &Actor, lot: &Lot, start: Timestamp, end: Timestamp) -> Result<()> {
    too_long(actor, lot, start, end).map_or(Ok(()), |problem| Err(Error::field("end_time", problem)))
}

fn too_long(actor: &Actor, lot: &Lot, start: Timestamp, end: Timestamp) -> Option<String> {
    let most = if actor.may(Permission::OperateParking) { 44_640 } else { lot.booking.max_minutes };
    (end.millis_since(start) / 60_000 > most).then(|| format!("at most {} hours", most / 60))
}

/// Reads a wish.
pub fn read<'h>(actor: &Actor, held: &'h Held, wish: &Wish, now: Timestamp) -> Result<Wanted<'h>> {
    let named = wish.spot_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let (lot, spots) = match (named, wish.lot_id) {
        (Some(id), _) => {
            let spot = held.find_spot(id).ok_or_else(spot_not_found)?;
            (held.lot(spot.lot_id).ok_or_else(lot_not_found)?, vec![spot])
        }
        (None, Some(lot)) => {
            let lot = held.lot(lot).ok_or_else(lot_not_found)?;
            let query = SpotQuery {
                lot: Some(lot.id),
                // Who does not ask for such a spot leaves it to those who need it.
                is_accessible: Some(wish.is_accessible == Some(true)),
                is_ev: wish.is_ev,
                height_cm: wish.height_cm,
                ..SpotQuery::default()
            };
            (lot, held.spots.iter().filter(|spot| !spot.is_disabled && query.fits(spot, held)).collect())
        }
        (None, None) => return Err(missing()),
    };
    let zone = zone_of(lot);
    let (start, end) = times(&zone, wish)?;
    check_bookable(actor, lot)?;
    check_times(actor, lot, start, end, now)?;
    Ok(Wanted { lot, zone, spots, start, end })
}

/// Whether a car that stands there now would be in the way.
pub fn is_blocked(spot: &Spot, lot: &Lot, start: Timestamp, now: Timestamp) -> bool {
    spot.is_disabled || (spot.state == SpotState::Occupied && start.plus_millis(-lot.booking.early_ms()) <= now)
}
