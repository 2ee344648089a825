use portico_model::parking::tariff::Band;

use super::*;

mod properties;

const HOUR_MS: i64 = 3_600_000;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// A moment as RFC 3339 writes it.
fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// Two a started hour, nothing free, no bands, no caps.
fn hourly() -> TariffRules {
    TariffRules {
        currency: "EUR".into(),
        free_minutes: 0,
        unit_minutes: 60,
        unit_price_minor: 200,
        bands: vec![],
        daily_cap_minor: None,
        stay_cap_minor: None,
    }
}

fn band(name: &str, days: &[Weekday], from_minute: i64, to_minute: i64, unit_price_minor: i64) -> Band {
    Band { name: name.into(), days: days.to_vec(), from_minute, to_minute, unit_price_minor }
}

/// One a started hour from 22:00 to 06:00.
fn with_night() -> TariffRules {
    TariffRules { bands: vec![band("Night", &Weekday::ALL, 1_320, 360, 100)], ..hourly() }
}

/// The receipt in words, by the clock of the zone.
fn lines(rules: &TariffRules, zone: &TimeZone, from: &str, until: &str) -> Vec<String> {
    let clock = |ms| zone.to_datetime(Timestamp::from_millisecond(ms).unwrap()).strftime("%d.%H:%M").to_string();
    let price = price(rules, at(from), at(until), zone);
    assert_eq!(price.total_minor, price.parts.iter().map(|part| part.amount_minor).sum::<i64>());
    let line = |part: &PricePart| {
        let what = match part.kind {
            PartKind::Units => format!("{} {}x{}", part.name, part.units, part.unit_price_minor),
            kind => format!("{kind:?}"),
        };
        format!("{}-{} {} = {}", clock(part.from.millis()), clock(part.until.millis()), what.trim(), part.amount_minor)
    };
    price.parts.iter().map(line).chain([format!("{}", price.total_minor)]).collect()
}

#[test]
fn a_started_unit_is_charged_whole_after_the_free_minutes() {
    let rules = TariffRules { free_minutes: 30, ..hourly() };
    let berlin = zone("Europe/Berlin");
    let stay = |until| lines(&rules, &berlin, "2026-06-01T10:00:00+02:00", until);
    assert_eq!(
        stay("2026-06-01T12:40:00+02:00"),
        ["01.10:00-01.10:30 Free = 0", "01.10:30-01.13:30 3x200 = 600", "600"]
    );
    assert_eq!(stay("2026-06-01T10:30:00+02:00"), ["01.10:00-01.10:30 Free = 0", "0"]);
    assert_eq!(stay("2026-06-01T10:20:00+02:00"), ["01.10:00-01.10:20 Free = 0", "0"]);
    assert_eq!(stay("2026-06-01T10:30:00.001+02:00").last().unwrap(), "200");
    assert_eq!(stay("2026-06-01T10:00:00+02:00"), ["0"]);
    assert_eq!(stay("2026-06-01T09:00:00+02:00"), ["0"], "an end before the beginning");
}

#[test]
fn the_beginning_of_a_unit_sets_its_price() {
    let berlin = zone("Europe/Berlin");
    // Monday to Tuesday; the unit of 21:30 keeps its price through 22:00, that of 05:30 through 06:00.
    assert_eq!(
        lines(&with_night(), &berlin, "2026-06-01T20:30:00+02:00", "2026-06-02T07:00:00+02:00"),
        [
            "01.20:30-01.22:30 2x200 = 400",
            "01.22:30-02.06:30 Night 8x100 = 800",
            "02.06:30-02.07:30 1x200 = 200",
            "1400"
        ]
    );
}

#[test]
fn bands_of_one_price_stay_apart_and_a_price_goes_on_over_midnight() {
    let bands = vec![band("Morning", &Weekday::ALL, 480, 720, 100), band("Noon", &Weekday::ALL, 720, 840, 100)];
    let rules = TariffRules { bands, ..hourly() };
    assert_eq!(
        lines(&rules, &TimeZone::UTC, "2026-06-01T11:00:00Z", "2026-06-02T09:00:00Z"),
        [
            "01.11:00-01.12:00 Morning 1x100 = 100",
            "01.12:00-01.14:00 Noon 2x100 = 200",
            "01.14:00-02.08:00 18x200 = 3600",
            "02.08:00-02.09:00 Morning 1x100 = 100",
            "4000",
        ]
    );
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins_and_the_first_band_that_fits_counts() {
    let bands = vec![
        band("Friday night", &[Weekday::Friday], 1_320, 360, 300),
        band("Weekend", &[Weekday::Saturday, Weekday::Sunday], 0, 1_440, 50),
    ];
    let rules = TariffRules { bands, ..hourly() };
    // 2026-06-05 is a Friday.
    assert_eq!(
        lines(&rules, &zone("Europe/Berlin"), "2026-06-05T00:00:00+02:00", "2026-06-08T01:00:00+02:00"),
        [
            "05.00:00-05.22:00 22x200 = 4400",
            "05.22:00-06.06:00 Friday night 8x300 = 2400",
            "06.06:00-08.00:00 Weekend 42x50 = 2100",
            "08.00:00-08.01:00 1x200 = 200",
            "9100",
        ]
    );
}

#[test]
fn the_hour_that_comes_twice_is_charged_twice() {
    let berlin = zone("Europe/Berlin");
    let rules = TariffRules { bands: vec![band("Two", &[Weekday::Sunday], 120, 180, 50)], ..hourly() };
    assert_eq!(
        lines(&rules, &berlin, "2026-10-25T01:00:00+02:00", "2026-10-25T04:00:00+01:00"),
        ["25.01:00-25.02:00 1x200 = 200", "25.02:00-25.03:00 Two 2x50 = 100", "25.03:00-25.04:00 1x200 = 200", "500"]
    );
    assert_eq!(
        lines(&with_night(), &berlin, "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00"),
        ["24.22:00-25.06:00 Night 9x100 = 900", "900"]
    );
}

#[test]
fn the_hour_that_does_not_exist_costs_nothing() {
    let berlin = zone("Europe/Berlin");
    let rules = TariffRules { bands: vec![band("Two", &[Weekday::Sunday], 120, 180, 50)], ..hourly() };
    assert_eq!(
        lines(&rules, &berlin, "2026-03-29T01:00:00+01:00", "2026-03-29T04:00:00+02:00"),
        ["29.01:00-29.04:00 2x200 = 400", "400"]
    );
    assert_eq!(
        lines(&with_night(), &berlin, "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00"),
        ["28.22:00-29.06:00 Night 7x100 = 700", "700"]
    );
}

#[test]
fn half_an_hour_that_comes_twice_is_half_an_hour() {
    // Lord Howe sets its clocks by half an hour: 2026-04-05 02:00 becomes 01:30, 2026-10-04 02:00 becomes 02:30.
    let rules = TariffRules { unit_minutes: 30, bands: vec![band("One", &Weekday::ALL, 60, 120, 50)], ..hourly() };
    let lord_howe = zone("Australia/Lord_Howe");
    assert_eq!(
        lines(&rules, &lord_howe, "2026-04-05T01:00:00+11:00", "2026-04-05T02:30:00+10:30"),
        ["05.01:00-05.02:00 One 3x50 = 150", "05.02:00-05.02:30 1x200 = 200", "350"]
    );
    assert_eq!(
        lines(&rules, &lord_howe, "2026-10-04T01:30:00+10:30", "2026-10-04T03:00:00+11:00"),
        ["04.01:30-04.02:30 One 1x50 = 50", "04.02:30-04.03:00 1x200 = 200", "250"]
    );
}

#[test]
fn caps_take_off_by_local_day_and_then_by_stay() {
    let rules = TariffRules { free_minutes: 60, daily_cap_minor: Some(1_000), stay_cap_minor: Some(2_500), ..hourly() };
    let kathmandu = zone("Asia/Kathmandu");
    assert_eq!(
        lines(&rules, &kathmandu, "2026-06-01T20:00:00+05:45", "2026-06-03T12:00:00+05:45"),
        [
            "01.20:00-01.21:00 Free = 0",
            "01.21:00-03.12:00 39x200 = 7800",
            "02.00:00-03.00:00 DailyCap = -3800",
            "03.00:00-03.12:00 DailyCap = -1400",
            "01.21:00-03.12:00 StayCap = -100",
            "2500",
        ]
    );
    // What just reaches both caps is no line.
    let equal = TariffRules { daily_cap_minor: Some(600), stay_cap_minor: Some(600), ..hourly() };
    assert_eq!(
        lines(&equal, &kathmandu, "2026-06-01T10:00:00+05:45", "2026-06-01T13:00:00+05:45"),
        ["01.10:00-01.13:00 3x200 = 600", "600"]
    );
    let free = TariffRules { daily_cap_minor: Some(0), ..hourly() };
    assert_eq!(price(&free, 0, 50 * HOUR_MS, &TimeZone::UTC).total_minor, 0);
}

#[test]
fn a_date_that_comes_back_has_one_cap() {
    // 2010-11-07 00:01 became 2010-11-06 23:01: units begin on the 6th, on the 7th, on the 6th again, on the 7th again.
    let rules = TariffRules { unit_minutes: 1, unit_price_minor: 1, daily_cap_minor: Some(30), ..hourly() };
    assert_eq!(
        lines(&rules, &zone("America/St_Johns"), "2010-11-06T23:50:00-02:30", "2010-11-07T00:50:00-03:30"),
        ["06.23:50-07.00:50 120x1 = 120", "06.23:50-07.00:00 DailyCap = -39", "07.00:00-07.00:50 DailyCap = -21", "60",]
    );
}

#[test]
fn a_year_in_minutes_is_priced_at_once() {
    let bands = (0..50).map(|index| band("Some", &Weekday::ALL, index * 28, index * 28 + 14, index)).collect();
    let rules = TariffRules { unit_minutes: 1, bands, daily_cap_minor: Some(1_000), ..hourly() };
    let start = at("2026-01-01T00:00:00Z");
    let began = std::time::Instant::now();
    let year = price(&rules, start, start + MAX_STAY_MS, &zone("Europe/Berlin"));
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    assert_eq!(year.total_minor, 367 * 1_000, "Berlin's days begin an hour before UTC's");
    assert_eq!(year, price(&rules, start, start + 2 * MAX_STAY_MS, &zone("Europe/Berlin")), "no more than 366 days");
    assert_eq!(year.parts.iter().map(|part| part.units).sum::<i64>(), 527_040);
}

#[test]
fn damaged_rules_and_clocks_stop_nothing() {
    let mut rules = with_night();
    rules.bands.push(band("", &[], i64::MIN, i64::MAX, i64::MAX));
    let (worst, best) = (i64::MIN, i64::MAX);
    let last_hour = Timestamp::MAX.as_millisecond() - HOUR_MS;
    assert_eq!(price(&hourly(), last_hour, best, &TimeZone::UTC).total_minor, 200, "time ends with the calendar");
    for value in [worst, -1, 0, best] {
        let damaged = TariffRules {
            free_minutes: value,
            unit_minutes: value,
            unit_price_minor: value,
            daily_cap_minor: Some(value),
            stay_cap_minor: Some(value),
            ..rules.clone()
        };
        for (from, until) in [(worst, best), (best, worst), (worst, worst), (best, best), (best - 1, best), (0, best)] {
            for name in ["UTC", "Pacific/Kiritimati", "Pacific/Midway", "America/New_York"] {
                assert!(price(&damaged, from, until, &zone(name)).total_minor >= 0);
            }
        }
    }
}
