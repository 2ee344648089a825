use super::*;

fn band(days: &[Weekday], from_minute: i64, to_minute: i64) -> Band {
    Band { name: "Night".into(), days: days.to_vec(), from_minute, to_minute, unit_price_minor: 100 }
}

fn rules() -> TariffRules {
    TariffRules {
        currency: "EUR".into(),
        free_minutes: 15,
        unit_minutes: 60,
        unit_price_minor: 200,
        bands: vec![band(&[Weekday::Friday], 1_320, 360)],
        daily_cap_minor: Some(2_000),
        stay_cap_minor: None,
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    assert_eq!(rules().validate(), []);
    let bad_band =
        Band { name: " ".into(), days: vec![], from_minute: 1_440, to_minute: 1_441, unit_price_minor: 100_000_001 };
    let bad = TariffRules {
        currency: "eur".into(),
        free_minutes: -1,
        unit_minutes: 0,
        unit_price_minor: -1,
        bands: vec![rules().bands.remove(0), bad_band],
        daily_cap_minor: Some(-1),
        stay_cap_minor: Some(i64::MAX),
    };
    let fields: Vec<String> = bad.validate().into_iter().map(|(field, _)| field).collect();
    let expected = [
        "currency",
        "free_minutes",
        "unit_minutes",
        "unit_price_minor",
        "daily_cap_minor",
        "stay_cap_minor",
        "bands[1].name",
        "bands[1].days",
        "bands[1].from_minute",
        "bands[1].to_minute",
        "bands[1].unit_price_minor",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn bounds_belong_to_what_is_allowed() {
    let most = TariffRules {
        currency: "JPY".into(),
        free_minutes: 44_640,
        unit_minutes: 1_440,
        unit_price_minor: 100_000_000,
        bands: vec![Band { name: "ü".repeat(60), ..band(&Weekday::ALL, 1_439, 1_440) }; 50],
        daily_cap_minor: Some(0),
        stay_cap_minor: Some(1_000_000_000),
    };
    assert_eq!(most.validate(), []);
    let refused = |change: fn(&mut TariffRules), field: &str| {
        let mut rules = rules();
        change(&mut rules);
        let found: Vec<String> = rules.validate().into_iter().map(|(field, _)| field).collect();
        assert_eq!(found, [field]);
    };
    refused(|rules| rules.free_minutes = 44_641, "free_minutes");
    refused(|rules| rules.unit_minutes = 1_441, "unit_minutes");
    refused(|rules| rules.unit_price_minor = 100_000_001, "unit_price_minor");
    refused(|rules| rules.daily_cap_minor = Some(1_000_000_001), "daily_cap_minor");
    refused(|rules| rules.bands = vec![band(&Weekday::ALL, 0, 0); 51], "bands");
    refused(|rules| rules.bands[0].name = "a".repeat(61), "bands[0].name");
    refused(|rules| rules.bands[0].name = "a\nb".into(), "bands[0].name");
    refused(|rules| rules.bands[0].days = vec![Weekday::Monday; 2], "bands[0].days");
    refused(|rules| rules.bands[0].from_minute = -1, "bands[0].from_minute");
    refused(|rules| rules.bands[0].to_minute = -1, "bands[0].to_minute");
    for wrong in ["", "EU", "EURO", "EuR", "E1R", "ÄU"] {
        assert!(!is_currency(wrong), "{wrong}");
    }
}

#[test]
fn a_band_over_midnight_belongs_to_the_day_on_which_it_begins() {
    use Weekday::{Friday, Monday, Saturday, Sunday};
    let night = band(&[Friday, Sunday], 1_320, 360);
    assert!(night.fits(Friday, 1_320) && night.fits(Saturday, 359) && night.fits(Monday, 0));
    assert!(!night.fits(Friday, 1_319) && !night.fits(Friday, 0) && !night.fits(Saturday, 360));
    assert!(!night.fits(Saturday, 1_320));
    for until_midnight in [band(&[Friday], 1_320, 0), band(&[Friday], 1_320, 1_440)] {
        assert!(until_midnight.fits(Friday, 1_439) && !until_midnight.fits(Saturday, 0));
    }
    let whole_day = band(&[Friday], 600, 600);
    assert!(whole_day.fits(Friday, 600) && whole_day.fits(Saturday, 599));
    assert!(!whole_day.fits(Friday, 599) && !whole_day.fits(Saturday, 600));
}

#[test]
fn amounts_have_the_digits_of_their_currency() {
    let table = [
        (1_250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (1_250, "JPY", "1250 JPY"),
        (-300, "KRW", "-300 KRW"),
        (1_250, "KWD", "1.250 KWD"),
        (7, "BHD", "0.007 BHD"),
        (12_345, "CLF", "1.2345 CLF"),
        (i64::MAX, "EUR", "92233720368547758.07 EUR"),
        (i64::MIN, "EUR", "-92233720368547758.08 EUR"),
    ];
    for (amount, currency, expected) in table {
        assert_eq!(format_minor(amount, currency), expected);
    }
}

#[test]
fn the_wire_format_stays() {
    let text = r#"{"currency":"EUR","free_minutes":15,"unit_minutes":60,"unit_price_minor":200,"bands":[{"name":"Night","days":["friday"],"from_minute":1320,"to_minute":360,"unit_price_minor":100}],"daily_cap_minor":2000,"stay_cap_minor":null}"#;
    assert_eq!(serde_json::to_string(&rules()).unwrap(), text);
    assert_eq!(serde_json::from_str::<TariffRules>(text).unwrap(), rules());
    let least = r#"{"currency":"EUR","unit_minutes":60,"unit_price_minor":200}"#;
    assert_eq!(serde_json::from_str::<TariffRules>(least).unwrap().validate(), []);
    assert_eq!(serde_json::to_string(&PartKind::DailyCap).unwrap(), r#""daily_cap""#);
}

#[test]
fn only_these_currencies_have_other_than_two_digits() {
    let table = [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ];
    let capitals = || (b'A'..=b'Z').map(char::from);
    for first in capitals() {
        for text in capitals().flat_map(|second| capitals().map(move |third| format!("{first}{second}{third}"))) {
            let listed = table.iter().find(|(_, list)| list.split(' ').any(|one| one == text));
            assert_eq!(minor_digits(&text), listed.map_or(2, |(digits, _)| *digits), "{text}");
        }
    }
}
