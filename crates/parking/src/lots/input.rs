//! What people say about lots and levels, checked once at the edge.

use jiff::tz::TimeZone;
use portico_devices::Check;
use portico_model::parking::SpotCounts;
use portico_model::parking::lot::{BookingRules, Level, LevelSettings, Lot, LotSettings};
use portico_model::{LotId, ParkingLevelId, Timestamp};
use portico_platform::Result;

pub fn new_lot(settings: LotSettings, now: Timestamp) -> Result<Lot> {
    let lot = Lot {
        id: LotId::generate(),
        name: String::new(),
        address: String::new(),
        latitude: None,
        longitude: None,
        time_zone: None,
        time_zone_in_force: String::new(),
        tariff_id: None,
        gate_door_id: None,
        is_public: false,
        debounce_s: 0,
        stale_after_minutes: 0,
        low_battery_percent: 0,
        booking: BookingRules::default(),
        counts: SpotCounts::default(),
        distance_m: None,
        created_at: now,
        updated_at: now,
    };
    changed_lot(lot, settings, now)
}

fn within(check: &mut Check, field: &str, value: i64, least: i64, most: i64) -> i64 {
    if !(least..=most).contains(&value) {
        check.problem(field, format!("{least} to {most}"));
    }
    value
}

/// The lot with these settings, all of them.
pub fn changed_lot(mut lot: Lot, settings: LotSettings, now: Timestamp) -> Result<Lot> {
    let mut check = Check::default();
    lot.name = check.required("name", &settings.name, 100);
    lot.address = check.text("address", &settings.address, 200);
    (lot.latitude, lot.longitude) = (settings.latitude, settings.longitude);
    match (settings.latitude, settings.longitude) {
        (Some(latitude), Some(longitude)) => {
            if !(-90.0..=90.0).contains(&latitude) {
                check.problem("latitude", "-90 to 90 degrees");
            }
            if !(-180.0..=180.0).contains(&longitude) {
                check.problem("longitude", "-180 to 180 degrees");
            }
        }
        (None, None) => {}
        (Some(_), None) => check.problem("longitude", "is needed with a latitude"),
        (None, Some(_)) => check.problem("latitude", "is needed with a longitude"),
    }
    lot.time_zone = settings.time_zone.map(|zone| zone.trim().to_owned()).filter(|zone| !zone.is_empty());
    if lot.time_zone.as_deref().is_some_and(|zone| TimeZone::get(zone).is_err()) {
        check.problem("time_zone", "no time zone of this name; one such as Europe/Berlin");
    }
    lot.tariff_id = settings.tariff_id;
    lot.gate_door_id = settings.gate_door_id;
    lot.is_public = settings.is_public;
    lot.debounce_s = within(&mut check, "debounce_s", settings.debounce_s, 0, 600);
    lot.stale_after_minutes = within(&mut check, "stale_after_minutes", settings.stale_after_minutes, 1, 1_440);
    lot.low_battery_percent = within(&mut check, "low_battery_percent", settings.low_battery_percent, 0, 90);
    for (field, message) in settings.booking.problems() {
        check.problem(&format!("booking.{field}"), message);
    }
    lot.booking = settings.booking;
    lot.updated_at = now;
    check.done(lot)
}

pub fn level(id: ParkingLevelId, lot_id: LotId, settings: LevelSettings) -> Result<Level> {
    let mut check = Check::default();
    let level = Level {
        id,
        lot_id,
        name: check.required("name", &settings.name, 50),
        position: within(&mut check, "position", settings.position, -100, 1_000),
        width_cm: within(&mut check, "width_cm", settings.width_cm, 500, 100_000),
        height_cm: within(&mut check, "height_cm", settings.height_cm, 500, 100_000),
        clearance_cm: settings.clearance_cm.map(|height| within(&mut check, "clearance_cm", height, 100, 1_000)),
        counts: SpotCounts::default(),
    };
    check.done(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_at_once() {
        let settings = LotSettings {
            name: " ".into(),
            latitude: Some(91.0),
            longitude: Some(f64::NAN),
            time_zone: Some("Europe/Atlantis".into()),
            debounce_s: -1,
            booking: BookingRules { hold_minutes: 0, ..BookingRules::default() },
            ..LotSettings::default()
        };
        let error = new_lot(settings, Timestamp::from_millis(0)).unwrap_err();
        let fields: Vec<&str> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "latitude", "longitude", "time_zone", "debounce_s", "booking.hold_minutes"]);
    }
}
