//! The hours of the week and the days of a lot.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use portico_identity::local_time::Wall;
use portico_model::identity::Permission;
use portico_model::parking::analytics::{Day, HourOfWeek, Money, Trends};
use portico_model::{LotId, Timestamp};
use portico_platform::{Actor, Error, Result};

use super::store::{self, Slot};
use super::two_decimals;
use crate::Parking;
use crate::lots::lot_not_found;
use crate::reservations::zone_of;

/// Longest time that is looked at: a year and a day.
const LONGEST_MS: i64 = 367 * 86_400_000;

/// When nothing is said: the last four weeks.
const USUAL_MS: i64 = 28 * 86_400_000;

const HOURS_OF_WEEK: usize = 168;

#[derive(Clone, Copy, Default)]
struct Sum {
    occupied: i64,
    capacity: i64,
    arrivals: i64,
    /// Quarters of an hour.
    slots: i64,
}

#[derive(Default)]
struct DaySum {
    sum: Sum,
    peak: Option<f64>,
    departures: i64,
    stayed_ms: i64,
    spots: i64,
    revenue: BTreeMap<String, i64>,
}

#[allow(clippy::cast_precision_loss)] // counts, far below 2^53
fn percent(occupied: i64, capacity: i64) -> Option<f64> {
    (capacity > 0).then(|| two_decimals(occupied as f64 * 100.0 / capacity as f64))
}

impl Parking {
    /// How a lot was used between two moments, at most a year; absent: the last four weeks. Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields.
    pub async fn trends(
        &self,
        actor: &Actor,
        lot: LotId,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Trends> {
        actor.require(Permission::ReadParking)?;
        let (from, until) = self.time_looked_at(from, until)?;
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let known = held.lot(lot).ok_or_else(lot_not_found)?;
        let zone = zone_of(known);
        let slots = store::slots(&mut tx, actor.organization, lot, from, until).await?;
        let revenue = store::revenue(&mut tx, actor.organization, lot, from, until).await?;
        let time_zone = known.time_zone_in_force.clone();
        // A year is some 35,000 rows: too much for a thread that answers others.
        let counted = tokio::task::spawn_blocking(move || (hours_of(&slots, &zone), days_of(&slots, &revenue, &zone)));
        let (hours, days) = counted.await.map_err(Error::internal)?;
        Ok(Trends { lot_id: lot, time_zone, from, until, hours, days })
    }

    /// From when until when; absent: the last four weeks.
    pub(crate) fn time_looked_at(
        &self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<(Timestamp, Timestamp)> {
        let until = until.unwrap_or_else(|| self.0.platform.clock.now());
        let from = from.unwrap_or_else(|| until.plus_millis(-USUAL_MS));
        if from >= until || until.millis_since(from) > LONGEST_MS {
            return Err(Error::field("from", "before `until`, and at most a year"));
        }
        Ok((from, until))
    }
}

#[allow(clippy::cast_precision_loss)] // counts, far below 2^53
fn hours_of(slots: &[Slot], zone: &TimeZone) -> Vec<HourOfWeek> {
    let mut sums = [Sum::default(); HOURS_OF_WEEK];
    for slot in slots {
        let wall = Wall::of(zone, slot.at);
        let Some(sum) = sums.get_mut(usize::from(wall.weekday()) * 24 + usize::from(wall.minute() / 60)) else {
            continue;
        };
        sum.occupied += slot.occupied;
        sum.capacity += slot.capacity;
        sum.arrivals += slot.arrivals;
        sum.slots += 1;
    }
    let hour = |(at, sum): (usize, &Sum)| HourOfWeek {
        weekday: u8::try_from(at / 24).unwrap_or_default(),
        hour: u8::try_from(at % 24).unwrap_or_default(),
        occupancy_rate: percent(sum.occupied, sum.capacity),
        // Four quarters make one hour of one week.
        arrivals: if sum.slots == 0 { 0.0 } else { two_decimals(sum.arrivals as f64 * 4.0 / sum.slots as f64) },
    };
    sums.iter().enumerate().map(hour).collect()
}

#[allow(clippy::cast_precision_loss)] // counts, far below 2^53
fn days_of(slots: &[Slot], revenue: &[(Timestamp, String, i64)], zone: &TimeZone) -> Vec<Day> {
    let mut days: BTreeMap<String, DaySum> = BTreeMap::new();
    for slot in slots {
        let day = days.entry(Wall::of(zone, slot.at).date()).or_default();
        day.sum.occupied += slot.occupied;
        day.sum.capacity += slot.capacity;
        day.sum.arrivals += slot.arrivals;
        day.departures += slot.departures;
        day.stayed_ms += slot.stayed_ms;
        let rate = percent(slot.occupied, slot.capacity);
        day.peak = day.peak.into_iter().chain(rate).reduce(f64::max);
        day.spots = day.spots.max(if slot.samples > 0 { slot.capacity / slot.samples } else { 0 });
    }
    for (at, currency, amount_minor) in revenue {
        let day = days.entry(Wall::of(zone, *at).date()).or_default();
        *day.revenue.entry(currency.clone()).or_default() += amount_minor;
    }
    let day = |(date, day): (String, DaySum)| Day {
        date,
        occupancy_rate: percent(day.sum.occupied, day.sum.capacity),
        peak_rate: day.peak,
        arrivals: day.sum.arrivals,
        departures: day.departures,
        turnover: (day.spots > 0).then(|| two_decimals(day.sum.arrivals as f64 / day.spots as f64)),
        mean_stay_minutes: (day.departures > 0)
            .then(|| two_decimals(day.stayed_ms as f64 / 60_000.0 / day.departures as f64)),
        revenue: day.revenue.into_iter().map(|(currency, amount_minor)| Money { currency, amount_minor }).collect(),
    };
    days.into_iter().map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(at: &str, occupied: i64, arrivals: i64) -> Slot {
        let at = Timestamp::parse_iso(at).unwrap();
        let (departures, stayed_ms) = (arrivals, arrivals * 3_600_000);
        Slot { at, occupied: occupied * 15, capacity: 150, samples: 15, arrivals, departures, stayed_ms }
    }

    #[test]
    fn hours_are_those_of_the_lots_clock() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // Monday, 2026-11-23, 09:00 there; the other is Sunday, 23:45.
        let slots = [
            slot("2026-11-23T08:00:00Z", 5, 2),
            slot("2026-11-23T08:15:00Z", 7, 0),
            slot("2026-11-22T22:45:00Z", 1, 0),
        ];
        let hours = hours_of(&slots, &berlin);
        assert_eq!(hours.len(), 168);
        assert_eq!((hours[9].occupancy_rate, hours[9].arrivals), (Some(60.0), 4.0));
        assert_eq!((hours[167].occupancy_rate, hours[8].occupancy_rate), (Some(10.0), None));
    }

    #[test]
    fn days_have_their_peak_turnover_stays_and_revenue() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let slots = [slot("2026-11-23T08:00:00Z", 5, 20), slot("2026-11-23T09:00:00Z", 9, 10)];
        let revenue = [(slots[0].at, "EUR".to_owned(), 250), (slots[1].at, "EUR".to_owned(), 50)];
        let days = days_of(&slots, &revenue, &berlin);
        assert_eq!((days.len(), days[0].date.as_str()), (1, "2026-11-23"));
        let day = &days[0];
        assert_eq!((day.occupancy_rate, day.peak_rate, day.turnover), (Some(70.0), Some(90.0), Some(3.0)));
        assert_eq!((day.mean_stay_minutes, day.revenue[0].amount_minor), (Some(60.0), 300));
    }
}
