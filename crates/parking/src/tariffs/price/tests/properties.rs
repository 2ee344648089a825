use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Zones with what is odd about them, and a moment near which clocks are changed there.
const ZONES: [(&str, &str); 10] = [
    ("UTC", "2026-01-01T00:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Asia/Kathmandu", "2026-04-14T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    // The evening comes back; a whole day is left out.
    ("America/St_Johns", "2010-11-07T02:31:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
];

fn any_band() -> impl Strategy<Value = Band> {
    let days = prop::sample::subsequence(Weekday::ALL.to_vec(), 1..=7);
    let name = prop::sample::select(vec!["A", "B", "C"]);
    (name, days, 0_i64..1_440, 0_i64..=1_440, 0_i64..500)
        .prop_map(|(name, days, from, to, unit_price)| band(name, &days, from, to, unit_price))
}

prop_compose! {
    fn any_rules()(
        free_minutes in prop_oneof![Just(0), 0_i64..300],
        unit_minutes in prop_oneof![Just(60), 1_i64..200, Just(1_440)],
        unit_price_minor in 0_i64..500,
        bands in prop::collection::vec(any_band(), 0..5),
        daily_cap_minor in prop::option::of(0_i64..5_000),
        stay_cap_minor in prop::option::of(0_i64..20_000),
    ) -> TariffRules {
        let currency = "EUR".into();
        TariffRules { currency, free_minutes, unit_minutes, unit_price_minor, bands, daily_cap_minor, stay_cap_minor }
    }
}

prop_compose! {
    /// A zone, and a stay that begins up to two days before its change of the hour, or at any time of a year around it.
    fn any_stay()(
        (name, change) in prop::sample::select(ZONES.to_vec()),
        before_ms in prop_oneof![-180 * DAY_MS..180 * DAY_MS, 0..2 * DAY_MS, (0_i64..2_880).prop_map(|m| m * MINUTE_MS)],
        length_ms in prop_oneof![0..DAY_MS, 0..5 * DAY_MS, 0..40 * DAY_MS],
    ) -> (TimeZone, i64, i64) {
        (zone(name), at(change) - before_ms, length_ms)
    }
}

/// The same sum the slow way: every unit by itself, with the calendar of jiff.
fn unit_by_unit(rules: &TariffRules, start: i64, end: i64, zone: &TimeZone) -> i64 {
    let mut days: BTreeMap<jiff::civil::Date, i64> = BTreeMap::new();
    let mut begin = start + rules.free_minutes * MINUTE_MS;
    while begin < end {
        let wall = zone.to_datetime(Timestamp::from_millisecond(begin).unwrap());
        let since_monday = i64::from(wall.weekday().to_monday_zero_offset()) * 1_440
            + i64::from(wall.hour()) * 60
            + i64::from(wall.minute());
        let fits = |band: &&Band| {
            let lasts = (band.to_minute - band.from_minute).rem_euclid(1_440);
            let lasts = if lasts == 0 { 1_440 } else { lasts };
            let begins = |day: &Weekday| Weekday::ALL.iter().position(|one| one == day).unwrap() as i64 * 1_440;
            band.days.iter().any(|day| (since_monday - begins(day) - band.from_minute).rem_euclid(7 * 1_440) < lasts)
        };
        let unit_price = rules.bands.iter().find(fits).map_or(rules.unit_price_minor, |band| band.unit_price_minor);
        *days.entry(wall.date()).or_default() += unit_price;
        begin += rules.unit_minutes * MINUTE_MS;
    }
    let total: i64 = days.values().map(|sum| rules.daily_cap_minor.map_or(*sum, |cap| cap.min(*sum))).sum();
    rules.stay_cap_minor.map_or(total, |cap| cap.min(total))
}

fn plain(rules: &TariffRules) -> TariffRules {
    TariffRules { free_minutes: 0, daily_cap_minor: None, stay_cap_minor: None, ..rules.clone() }
}

proptest! {
    #[test]
    fn the_sum_is_that_of_units_taken_one_by_one(rules in any_rules(), (zone, start, length) in any_stay()) {
        prop_assert_eq!(rules.validate(), vec![]);
        // Fewer units: the slow way is slow.
        let end = start + length.min((rules.free_minutes + 500 * rules.unit_minutes) * MINUTE_MS);
        prop_assert_eq!(price(&rules, start, end, &zone).total_minor, unit_by_unit(&rules, start, end, &zone));
    }

    #[test]
    fn a_longer_stay_never_costs_less(rules in any_rules(), (zone, start, length) in any_stay(), more in 0..2 * DAY_MS) {
        let cost = |length| price(&rules, start, start + length, &zone).total_minor;
        prop_assert!(cost(length) <= cost(length + 1));
        prop_assert!(cost(length) <= cost(length + more));
    }

    #[test]
    fn caps_are_never_exceeded(rules in any_rules(), (zone, start, length) in any_stay()) {
        let total = price(&rules, start, start + length, &zone).total_minor;
        let date = |ms| zone.to_datetime(Timestamp::from_millisecond(ms).unwrap()).date();
        // The last moment, too: a step may leave out what a stay touches of its last day.
        let moments = (start..start + length).step_by(MINUTE_MS as usize).chain([start + length - 1]);
        let days = moments.map(date).collect::<BTreeSet<_>>().len() as i64;
        prop_assert!(rules.daily_cap_minor.is_none_or(|cap| total <= cap * days));
        prop_assert!(rules.stay_cap_minor.is_none_or(|cap| total <= cap));
    }

    #[test]
    fn a_receipt_adds_up(rules in any_rules(), (zone, start, length) in any_stay()) {
        let price = price(&rules, start, start + length, &zone);
        prop_assert_eq!(price.total_minor, price.parts.iter().map(|part| part.amount_minor).sum::<i64>());
        prop_assert!(price.total_minor >= 0);
        // Free time and units follow each other without a gap from the beginning to the end, or to the end of a unit.
        let unit_ms = rules.unit_minutes * MINUTE_MS;
        let is_time = |part: &&PricePart| matches!(part.kind, PartKind::Free | PartKind::Units);
        let (time, caps): (Vec<&PricePart>, Vec<&PricePart>) = price.parts.iter().partition(is_time);
        let mut reached = start;
        for part in &time {
            prop_assert_eq!(part.from.millis(), reached);
            prop_assert_eq!(part.amount_minor, part.units * part.unit_price_minor);
            prop_assert!(part.kind == PartKind::Free || part.until.millis_since(part.from) == part.units * unit_ms);
            reached = part.until.millis();
        }
        prop_assert!((start + length..start + length + unit_ms).contains(&reached));
        for (one, next) in time.iter().zip(time.iter().skip(1)) {
            prop_assert!(one.kind != next.kind || one.name != next.name || one.unit_price_minor != next.unit_price_minor);
        }
        prop_assert!(caps.iter().all(|part| part.amount_minor < 0 && part.units == 0));
        prop_assert!(price.parts.iter().skip(time.len()).all(|part| caps.contains(&part)), "caps come last");
    }

    #[test]
    fn free_minutes_are_free_and_only_put_off_the_rest(rules in any_rules(), (zone, start, length) in any_stay()) {
        let free_ms = rules.free_minutes * MINUTE_MS;
        prop_assert_eq!(price(&rules, start, start + length.min(free_ms), &zone).total_minor, 0);
        let without = TariffRules { free_minutes: 0, ..rules.clone() };
        prop_assert_eq!(
            price(&rules, start, start + free_ms + length, &zone).total_minor,
            price(&without, start + free_ms, start + free_ms + length, &zone).total_minor
        );
    }

    #[test]
    fn a_unit_begun_costs_like_a_unit(rules in any_rules(), (zone, start, _) in any_stay(), units in 0_i64..200) {
        let unit_ms = rules.unit_minutes * MINUTE_MS;
        let cost = |ms| price(&rules, start, start + rules.free_minutes * MINUTE_MS + ms, &zone);
        prop_assert_eq!(cost(units * unit_ms + 1), cost((units + 1) * unit_ms));
        prop_assert_eq!(cost(units * unit_ms).parts.iter().map(|part| part.units).sum::<i64>(), units);
        prop_assert_eq!(cost(units * unit_ms + 1).parts.iter().map(|part| part.units).sum::<i64>(), units + 1);
    }

    #[test]
    fn without_bands_and_daily_caps_only_elapsed_time_counts(rules in any_rules(), (zone, start, length) in any_stay()) {
        let rules = TariffRules { bands: vec![], daily_cap_minor: None, ..rules };
        let here = price(&rules, start, start + length, &zone);
        let charged = (length - rules.free_minutes * MINUTE_MS).max(0) as u64;
        let units = charged.div_ceil((rules.unit_minutes * MINUTE_MS) as u64) as i64;
        let uncapped = units * rules.unit_price_minor;
        prop_assert_eq!(here.total_minor, rules.stay_cap_minor.map_or(uncapped, |cap| cap.min(uncapped)));
        prop_assert_eq!(&here, &price(&rules, start, start + length, &TimeZone::UTC), "the same receipt in every zone");
    }

    #[test]
    fn a_zone_only_moves_bands_and_days(rules in any_rules(), (_, start, length) in any_stay(), minutes in -840_i32..=840) {
        let offset = jiff::tz::Offset::from_seconds(minutes * 60).unwrap();
        let moved = start - i64::from(minutes) * MINUTE_MS;
        let there = price(&rules, moved, moved + length, &TimeZone::fixed(offset));
        let here = price(&rules, start, start + length, &TimeZone::UTC);
        prop_assert_eq!(there.total_minor, here.total_minor);
        prop_assert_eq!(there.parts.len(), here.parts.len());
    }

    #[test]
    fn a_stay_may_be_split_where_a_unit_ends(rules in any_rules(), (zone, start, length) in any_stay(), units in 0_i64..100) {
        let rules = plain(&rules);
        let cut = start + units * rules.unit_minutes * MINUTE_MS;
        let cost = |from, until| price(&rules, from, until, &zone).total_minor;
        prop_assert_eq!(cost(start, cut) + cost(cut, cut + length), cost(start, cut + length));
    }

    #[test]
    fn years_with_both_changes_of_the_hour_are_charged_by_elapsed_time(
        name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        days_before in 1_i64..50, unit_minutes in 1_i64..=1_440,
    ) {
        let zone = zone(name);
        let (start, end) = (at("2026-02-20T00:00:00Z") - days_before * DAY_MS, at("2026-11-20T00:00:00Z"));
        let hours = TariffRules { unit_minutes, bands: vec![band("All", &Weekday::ALL, 0, 0, 200)], ..hourly() };
        let units = ((end - start) as u64).div_ceil((unit_minutes * MINUTE_MS) as u64) as i64;
        let whole = price(&hours, start, end, &zone);
        prop_assert_eq!((whole.parts.len(), whole.parts[0].units, whole.total_minor), (1, units, units * 200));
    }
}
