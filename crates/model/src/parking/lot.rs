//! Lots and their levels.

use serde::{Deserialize, Serialize};

use super::SpotCounts;
use crate::{DoorId, LotId, ParkingLevelId, TariffId, Timestamp};

/// What holds for reservations of a lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "is_bookable": true, "is_walk_up": false, "hold_minutes": 15, "early_minutes": 15, "no_show_minutes": 60,
    "min_minutes": 15, "max_minutes": 1440, "ahead_days": 90, "refund_until_hours": 24, "late_refund_percent": 50,
    "grace_minutes": 15, "longest_stay_minutes": null
})))]
pub struct BookingRules {
    /// Whether drivers may reserve.
    pub is_bookable: bool,
    /// Whether anybody who stands at a spot may park there by its code, without an account.
    pub is_walk_up: bool,
    /// How long an unpaid reservation is held, 1 to 1,440 minutes.
    pub hold_minutes: i64,
    /// How long before its time a reservation keeps its spot free, and its holder may come, 0 to 240 minutes.
    pub early_minutes: i64,
    /// Who has not come so long after the beginning loses the spot, 5 to 10,080 minutes; absent: never.
    pub no_show_minutes: Option<i64>,
    /// Shortest reservation, 1 to 1,440 minutes.
    pub min_minutes: i64,
    /// Longest reservation, at most 44,640 minutes (31 days).
    pub max_minutes: i64,
    /// How far ahead one may reserve, 1 to 366 days.
    pub ahead_days: i64,
    /// Who cancels so long before the beginning gets all of the price back, 0 to 8,760 hours.
    pub refund_until_hours: i64,
    /// What later ones get back, percent; nobody gets anything after the beginning.
    pub late_refund_percent: i64,
    /// Who stays longer than reserved by more than this is on the list of overstays, 0 to 1,440 minutes.
    pub grace_minutes: i64,
    /// Who stays longer without reservation and permit is on that list too, 5 to 44,640 minutes; absent: nobody.
    pub longest_stay_minutes: Option<i64>,
}

impl Default for BookingRules {
    fn default() -> Self {
        Self {
            is_bookable: true,
            is_walk_up: false,
            hold_minutes: 15,
            early_minutes: 15,
            no_show_minutes: Some(60),
            min_minutes: 15,
            max_minutes: 7 * 1_440,
            ahead_days: 90,
            refund_until_hours: 24,
            late_refund_percent: 50,
            grace_minutes: 15,
            longest_stay_minutes: None,
        }
    }
}

/// Bounds of a number of [`BookingRules`], by its field.
type Bound = (&'static str, fn(&BookingRules) -> Option<i64>, i64, i64);

const BOUNDS: [Bound; 10] = [
    ("hold_minutes", |rules| Some(rules.hold_minutes), 1, 1_440),
    ("early_minutes", |rules| Some(rules.early_minutes), 0, 240),
    ("no_show_minutes", |rules| rules.no_show_minutes, 5, 10_080),
    ("min_minutes", |rules| Some(rules.min_minutes), 1, 1_440),
    ("max_minutes", |rules| Some(rules.max_minutes), 1, 44_640),
    ("ahead_days", |rules| Some(rules.ahead_days), 1, 366),
    ("refund_until_hours", |rules| Some(rules.refund_until_hours), 0, 8_760),
    ("late_refund_percent", |rules| Some(rules.late_refund_percent), 0, 100),
    ("grace_minutes", |rules| Some(rules.grace_minutes), 0, 1_440),
    ("longest_stay_minutes", |rules| rules.longest_stay_minutes, 5, 44_640),
];

impl BookingRules {
    /// What is wrong, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems: Vec<_> = BOUNDS
            .iter()
            .filter(|(_, read, least, most)| read(self).is_some_and(|value| !(*least..=*most).contains(&value)))
            .map(|(field, _, least, most)| (*field, format!("{least} to {most}")))
            .collect();
        if self.max_minutes < self.min_minutes {
            problems.push(("max_minutes", "not less than the shortest".to_owned()));
        }
        problems
    }

    /// How long a spot is kept free before a reservation begins, milliseconds.
    #[must_use]
    pub const fn early_ms(&self) -> i64 {
        self.early_minutes * 60_000
    }

    /// What of a price is given back to somebody who cancels now, in minor units.
    #[must_use]
    pub fn refund(&self, paid_minor: i64, start: Timestamp, now: Timestamp) -> i64 {
        let ahead_ms = start.millis_since(now);
        if ahead_ms <= 0 {
            0
        } else if ahead_ms >= self.refund_until_hours * 3_600_000 {
            paid_minor
        } else {
            paid_minor * self.late_refund_percent / 100
        }
    }
}

/// A car park.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a2", "name": "Main garage", "address": "1 Harbour Street", "latitude": 52.52,
    "longitude": 13.405, "time_zone": null, "time_zone_in_force": "Europe/Berlin",
    "tariff_id": "0199a0000000700080000000000000a4", "gate_door_id": null, "is_public": false, "debounce_s": 5,
    "stale_after_minutes": 30, "low_battery_percent": 20,
    "booking": {"is_bookable": true, "is_walk_up": false, "hold_minutes": 15, "early_minutes": 15,
        "no_show_minutes": 60, "min_minutes": 15, "max_minutes": 1440, "ahead_days": 90, "refund_until_hours": 24, "late_refund_percent": 50,
        "grace_minutes": 15, "longest_stay_minutes": null},
    "counts": {"total": 120, "available": 31, "occupied": 80, "reserved": 6, "unknown": 2, "disabled": 1},
    "distance_m": null, "created_at": "2026-11-20T02:00:00.000+00:00", "updated_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Lot {
    pub id: LotId,
    pub name: String,
    pub address: String,
    /// Degrees north (WGS 84).
    pub latitude: Option<f64>,
    /// Degrees east (WGS 84).
    pub longitude: Option<f64>,
    /// IANA time zone; absent: that of the organisation.
    pub time_zone: Option<String>,
    /// The zone by which its tariffs and days go.
    pub time_zone_in_force: String,
    /// What parking costs; absent: nothing.
    pub tariff_id: Option<TariffId>,
    /// The door or barrier that opens for those who have reserved.
    pub gate_door_id: Option<DoorId>,
    /// Whether anybody may see how full it is, without an account.
    pub is_public: bool,
    /// A spot that changes again so soon must say so for as long, seconds.
    pub debounce_s: i64,
    /// A sensor that is silent for so long makes its spot unknown, minutes.
    pub stale_after_minutes: i64,
    /// Below this a sensor's battery raises an alarm, percent.
    pub low_battery_percent: i64,
    pub booking: BookingRules,
    pub counts: SpotCounts,
    /// From the place that was asked about, metres.
    pub distance_m: Option<f64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What people say of a lot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Main garage", "address": "1 Harbour Street", "latitude": 52.52, "longitude": 13.405, "time_zone": null,
    "tariff_id": null, "gate_door_id": null, "is_public": false, "debounce_s": 5, "stale_after_minutes": 30,
    "low_battery_percent": 20, "booking": {"is_bookable": true}
})))]
pub struct LotSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// At most 200 characters.
    pub address: String,
    /// -90 to 90; with `longitude` or not at all.
    pub latitude: Option<f64>,
    /// -180 to 180.
    pub longitude: Option<f64>,
    /// IANA time zone, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    pub tariff_id: Option<TariffId>,
    pub gate_door_id: Option<DoorId>,
    pub is_public: bool,
    /// 0 to 600.
    pub debounce_s: i64,
    /// 1 to 1,440.
    pub stale_after_minutes: i64,
    /// 0 to 90.
    pub low_battery_percent: i64,
    pub booking: BookingRules,
}

impl Default for LotSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            address: String::new(),
            latitude: None,
            longitude: None,
            time_zone: None,
            tariff_id: None,
            gate_door_id: None,
            is_public: false,
            debounce_s: 5,
            stale_after_minutes: 30,
            low_battery_percent: 20,
            booking: BookingRules::default(),
        }
    }
}

/// A level of a lot with its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a3", "lot_id": "0199a0000000700080000000000000a2", "name": "L1", "position": 1,
    "width_cm": 4000, "height_cm": 3000, "clearance_cm": 210,
    "counts": {"total": 60, "available": 12, "occupied": 45, "reserved": 2, "unknown": 1, "disabled": 0}
})))]
#[cfg_attr(feature = "server", schema(as = ParkingLevel))]
pub struct Level {
    pub id: ParkingLevelId,
    pub lot_id: LotId,
    pub name: String,
    /// Levels are listed by it.
    pub position: i64,
    /// Of its plan, centimetres.
    pub width_cm: i64,
    pub height_cm: i64,
    /// Highest vehicle, centimetres.
    pub clearance_cm: Option<i64>,
    pub counts: SpotCounts,
}

/// What people say of a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "L1", "position": 1, "width_cm": 4000, "height_cm": 3000, "clearance_cm": 210
})))]
pub struct LevelSettings {
    /// 1 to 50 characters, unique in the lot.
    pub name: String,
    /// -100 to 1,000.
    pub position: i64,
    /// 500 to 100,000.
    pub width_cm: i64,
    /// 500 to 100,000.
    pub height_cm: i64,
    /// 100 to 1,000.
    pub clearance_cm: Option<i64>,
}

impl Default for LevelSettings {
    fn default() -> Self {
        Self { name: String::new(), position: 0, width_cm: 4_000, height_cm: 3_000, clearance_cm: None }
    }
}

/// Mean radius of the earth, metres (IUGG).
const EARTH_M: f64 = 6_371_008.8;

/// Between two places on the earth along its surface, metres (haversine formula).
#[must_use]
pub fn distance_m(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (latitude, other) = (from.0.to_radians(), to.0.to_radians());
    let half = |difference: f64| (difference / 2.0).sin().powi(2);
    let longitudes = half((to.1 - from.1).to_radians());
    let a = half(other - latitude) + latitude.cos() * other.cos() * longitudes;
    2.0 * EARTH_M * a.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_earth() {
        // Berlin, Alexanderplatz to Hamburg, town hall: 255 km.
        let distance = distance_m((52.5219, 13.4132), (53.5503, 9.9930));
        assert!((250_000.0..260_000.0).contains(&distance), "{distance}");
        let over_the_date_line = distance_m((0.0, 179.9), (0.0, -179.9));
        assert!((over_the_date_line - 22_239.0).abs() < 10.0, "{over_the_date_line}");
        assert!(distance_m((48.0, 11.0), (48.0, 11.0)) < 0.001);
    }

    #[test]
    fn who_cancels_early_gets_more_back() {
        let rules = BookingRules::default();
        let start = Timestamp::from_millis(1_000 * 3_600_000);
        let refund = |hours: i64| rules.refund(1_001, start, start.plus_millis(-hours * 3_600_000));
        assert_eq!([refund(25), refund(24), refund(23), refund(0), refund(-1)], [1_001, 1_001, 500, 0, 0]);
    }

    #[test]
    fn every_number_out_of_bounds_is_told() {
        assert_eq!(BookingRules::default().problems(), []);
        let wrong = BookingRules { hold_minutes: 0, min_minutes: 60, max_minutes: 30, ..BookingRules::default() };
        let fields: Vec<_> = wrong.problems().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["hold_minutes", "max_minutes"]);
    }
}
