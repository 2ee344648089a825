//! What a stay costs: time is counted as it passes, and the clock on the wall says what each unit costs when it begins.
//!
//! Units are not looked at one by one. Between two edges (of a band, of a local day, a change of the zone's offset, the end
//! of the stay) all units cost the same, so the work grows with the days of a stay and not with its minutes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use portico_model::Timestamp as Moment;
use portico_model::parking::tariff::{
    DAY_MINUTES, MAX_CAP_MINOR, MAX_FREE_MINUTES, MAX_PRICE_MINOR, MAX_UNIT_MINUTES, PartKind, Price, PricePart,
    TariffRules, Weekday,
};

const MINUTE_MS: i64 = 60_000;

/// A day of the wall clock: dates are counted with it, never time that passes.
const DAY_MS: i64 = DAY_MINUTES * MINUTE_MS;

/// The longest stay that is priced, milliseconds: 366 days. A longer one costs as much as this; it is a session that was
/// forgotten, or a clock that was wrong.
pub const MAX_STAY_MS: i64 = 366 * DAY_MS;

/// What a stay costs, from one moment to another in UTC milliseconds. The end does not belong to the stay, so one that ends
/// when it begins, or before, costs nothing.
///
/// The rules are expected to be valid ([`TariffRules::validate`]). Values out of bounds count as the nearest that is
/// allowed: a damaged row gives a wrong price, not a server that stops.
#[must_use]
pub fn price(rules: &TariffRules, start_ms: i64, end_ms: i64, zone: &TimeZone) -> Price {
    // Within the calendar no sum below overflows, and the zone has an answer for every moment.
    let latest = Timestamp::MAX.as_millisecond();
    let start = start_ms.clamp(Timestamp::MIN.as_millisecond(), latest);
    let end = end_ms.clamp(start, start + MAX_STAY_MS).min(latest);
    let free_until = end.min(start + rules.free_minutes.clamp(0, MAX_FREE_MINUTES) * MINUTE_MS);
    let unit_ms = rules.unit_minutes.clamp(1, MAX_UNIT_MINUTES) * MINUTE_MS;

    let mut receipt = Receipt::default();
    if free_until > start {
        receipt.add_line(PartKind::Free, start, free_until, 0);
    }
    let week = Week::of(rules);
    let mut begin = free_until;
    let mut clock = Clock::at(zone, begin);
    while begin < end {
        if begin >= clock.until {
            clock = Clock::at(zone, begin);
        }
        let local = begin + clock.offset_ms;
        let (rate, local_until) = week.at(local);
        let until = end.min(clock.until).min(local_until - clock.offset_ms);
        // Those that begin before `until`; the last of them may end after it.
        let units = (until - begin + unit_ms - 1) / unit_ms;
        receipt.add_units(rate, begin, units, unit_ms, local.div_euclid(DAY_MS));
        begin += units * unit_ms;
    }
    receipt.cap_days(rules.daily_cap_minor);
    receipt.cap_stay(rules.stay_cap_minor, free_until, begin);
    let total_minor = receipt.total();
    Price { total_minor, currency: rules.currency.clone(), parts: receipt.parts }
}

/// How far local time is from UTC, up to the next moment at which that changes.
struct Clock {
    offset_ms: i64,
    /// UTC.
    until: i64,
}

impl Clock {
    fn at(zone: &TimeZone, at: i64) -> Self {
        let at = Timestamp::from_millisecond(at).unwrap_or_default();
        Self {
            offset_ms: i64::from(zone.to_offset(at).seconds()) * 1_000,
            until: zone.following(at).next().map_or(i64::MAX, |change| change.timestamp().as_millisecond()),
        }
    }
}

/// What a unit costs, and what the receipt calls it.
#[derive(Clone, Copy)]
struct Rate<'a> {
    name: &'a str,
    unit_price_minor: i64,
}

/// What units cost through the week, from Monday on. A stretch ends with its day at the latest, since caps go by days.
struct Week<'a> {
    /// Where each stretch ends, in milliseconds of the week, and its price.
    stretches: Vec<(i64, Rate<'a>)>,
}

impl<'a> Week<'a> {
    fn of(rules: &'a TariffRules) -> Self {
        let mut edges: Vec<i64> = rules.bands.iter().flat_map(|band| [band.from_minute, band.to_minute]).collect();
        edges.retain(|minute| (1..DAY_MINUTES).contains(minute));
        edges.extend([0, DAY_MINUTES]);
        edges.sort_unstable();
        edges.dedup();
        let mut stretches = Vec::new();
        let mut day_begins = 0;
        for day in Weekday::ALL {
            for (from, until) in edges.iter().zip(edges.iter().skip(1)) {
                let (name, unit_price_minor) = match rules.band_at(day, *from) {
                    Some(band) => (band.name.as_str(), band.unit_price_minor),
                    None => ("", rules.unit_price_minor),
                };
                let rate = Rate { name, unit_price_minor: unit_price_minor.clamp(0, MAX_PRICE_MINOR) };
                stretches.push((day_begins + until * MINUTE_MS, rate));
            }
            day_begins += DAY_MS;
        }
        Self { stretches }
    }

    /// The price at a local time (milliseconds since 1970 on the wall clock), and the local time up to which it holds.
    fn at(&self, local: i64) -> (Rate<'a>, i64) {
        // 1970-01-01 was a Thursday, three days after the Monday with which the week began.
        let in_week = (local + 3 * DAY_MS).rem_euclid(7 * DAY_MS);
        // The last stretch ends with the week, and `in_week` is before that: there always is one.
        let (until, rate) = self.stretches[self.stretches.partition_point(|(until, _)| *until <= in_week)];
        (rate, local - in_week + until)
    }
}

/// The units that began on one local day.
struct Day {
    from: i64,
    until: i64,
    amount_minor: i64,
}

#[derive(Default)]
struct Receipt {
    parts: Vec<PricePart>,
    /// By date, in days since 1970. A date may come back: where clocks are set from 00:01 to 23:01, the evening before
    /// comes twice with a minute of the next day between (St. John's did that until 2010).
    days: BTreeMap<i64, Day>,
}

impl Receipt {
    fn add_line(&mut self, kind: PartKind, from: i64, until: i64, amount_minor: i64) {
        self.parts.push(PricePart {
            kind,
            from: Moment::from_millis(from),
            until: Moment::from_millis(until),
            name: String::new(),
            units: 0,
            unit_price_minor: 0,
            amount_minor,
        });
    }

    fn add_units(&mut self, rate: Rate<'_>, from: i64, units: i64, unit_ms: i64, date: i64) {
        let until = from + units * unit_ms;
        let amount_minor = units * rate.unit_price_minor;
        let day = self.days.entry(date).or_insert(Day { from, until, amount_minor: 0 });
        day.until = until;
        day.amount_minor += amount_minor;
        match self.parts.last_mut() {
            Some(last)
                if last.kind == PartKind::Units
                    && last.name == rate.name
                    && last.unit_price_minor == rate.unit_price_minor =>
            {
                last.until = Moment::from_millis(until);
                last.units += units;
                last.amount_minor += amount_minor;
            }
            _ => self.parts.push(PricePart {
                kind: PartKind::Units,
                from: Moment::from_millis(from),
                until: Moment::from_millis(until),
                name: rate.name.to_owned(),
                units,
                unit_price_minor: rate.unit_price_minor,
                amount_minor,
            }),
        }
    }

    fn cap_days(&mut self, cap: Option<i64>) {
        let Some(cap) = cap.map(|cap| cap.clamp(0, MAX_CAP_MINOR)) else { return };
        for day in std::mem::take(&mut self.days).into_values().filter(|day| day.amount_minor > cap) {
            self.add_line(PartKind::DailyCap, day.from, day.until, cap - day.amount_minor);
        }
    }

    fn cap_stay(&mut self, cap: Option<i64>, from: i64, until: i64) {
        let Some(cap) = cap.map(|cap| cap.clamp(0, MAX_CAP_MINOR)) else { return };
        let total = self.total();
        if total > cap {
            self.add_line(PartKind::StayCap, from, until, cap - total);
        }
    }

    fn total(&self) -> i64 {
        self.parts.iter().map(|part| part.amount_minor).sum()
    }
}

#[cfg(test)]
mod tests;
