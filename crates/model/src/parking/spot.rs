//! Spots: what they are, and how they are now.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{LotId, ParkingLevelId, ReservationId, SpotId, TariffId, Timestamp};

words! {
    /// What is known of a spot itself, whatever was reserved.
    SpotState {
        Free = "free",
        Occupied = "occupied",
        /// Nothing said so yet, or what says it is silent.
        Unknown = "unknown",
    }
}

words! {
    /// What a spot is to somebody who looks for one.
    SpotStatus {
        Available = "available",
        Occupied = "occupied",
        Reserved = "reserved",
        Unknown = "unknown",
        Disabled = "disabled",
    }
}

words! {
    /// The largest vehicle it is made for.
    SpotSize {
        Motorcycle = "motorcycle",
        Compact = "compact",
        Standard = "standard",
        Large = "large",
    }
}

words! {
    /// How a sensor sees a car.
    SensorType {
        Ultrasonic = "ultrasonic",
        Magnetic = "magnetic",
        Camera = "camera",
        Infrared = "infrared",
    }
}

/// Where a spot is drawn on the plan of its level: its centre, its size and how it is turned, in centimetres and degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"x": 1250.0, "y": 400.0, "width": 250.0, "length": 500.0, "angle": 0.0})))]
pub struct Outline {
    /// From the left edge of the plan to the middle of the spot, centimetres.
    pub x: f64,
    /// From the top edge, centimetres.
    pub y: f64,
    /// Centimetres.
    pub width: f64,
    /// Centimetres.
    pub length: f64,
    /// Clockwise, degrees.
    pub angle: f64,
}

impl Default for Outline {
    /// A common bay, 2.5 m by 5 m.
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, width: 250.0, length: 500.0, angle: 0.0 }
    }
}

/// A spot as it is now. `id` is what is written on its sign, and what existing clients know it by; `key` its id in Portico.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "PARK_001", "key": "0199a0000000700080000000000000a1", "lot_id": "0199a0000000700080000000000000a2",
    "level_id": "0199a0000000700080000000000000a3", "location": "Level 1, by the lift", "level": "L1", "zone": "A",
    "is_occupied": false, "is_reserved": false, "status": "available", "state": "free",
    "last_updated": "2026-11-21T02:00:00.000+00:00", "reserved_from": null, "reserved_until": null,
    "reservation_id": null, "sensor_type": "ultrasonic", "sensor_id": "PARK_001", "is_accessible": false, "is_ev": false,
    "size": "standard", "clearance_cm": null, "is_disabled": false, "tariff_id": null,
    "outline": {"x": 1250.0, "y": 400.0, "width": 250.0, "length": 500.0, "angle": 0.0}
})))]
pub struct Spot {
    /// Unique in the organisation.
    pub id: String,
    pub key: SpotId,
    pub lot_id: LotId,
    pub level_id: ParkingLevelId,
    /// In words.
    pub location: String,
    /// Name of the level.
    pub level: String,
    /// Part of the level; may be empty.
    pub zone: String,
    pub is_occupied: bool,
    /// Somebody has it at this moment.
    pub is_reserved: bool,
    /// All of it in a word: disabled goes before occupied, occupied before reserved, reserved before unknown.
    pub status: SpotStatus,
    pub state: SpotState,
    /// Since when `state` is so.
    pub last_updated: Option<Timestamp>,
    /// The present reservation, or else the next.
    pub reserved_from: Option<Timestamp>,
    pub reserved_until: Option<Timestamp>,
    pub reservation_id: Option<ReservationId>,
    pub sensor_type: Option<SensorType>,
    /// What its sensor calls itself.
    pub sensor_id: Option<String>,
    /// For people with a disability badge.
    pub is_accessible: bool,
    /// With a charger.
    pub is_ev: bool,
    pub size: SpotSize,
    /// Highest vehicle, centimetres; absent: that of its level.
    pub clearance_cm: Option<i64>,
    pub is_disabled: bool,
    /// What it costs; absent: as the lot.
    pub tariff_id: Option<TariffId>,
    pub outline: Outline,
}

impl Spot {
    /// Whether somebody has it at a moment. It is kept free for `lead_ms` before a reservation begins.
    #[must_use]
    pub fn is_reserved_at(&self, now: Timestamp, lead_ms: i64) -> bool {
        match (self.reserved_from, self.reserved_until) {
            (Some(from), Some(until)) => from.plus_millis(-lead_ms) <= now && now < until,
            _ => false,
        }
    }

    /// What it is at a moment to somebody who looks for one.
    #[must_use]
    pub fn status_at(&self, now: Timestamp, lead_ms: i64) -> SpotStatus {
        match self.state {
            _ if self.is_disabled => SpotStatus::Disabled,
            SpotState::Occupied => SpotStatus::Occupied,
            _ if self.is_reserved_at(now, lead_ms) => SpotStatus::Reserved,
            SpotState::Unknown => SpotStatus::Unknown,
            SpotState::Free => SpotStatus::Available,
        }
    }

    /// The spot with what follows from the rest at a moment.
    #[must_use]
    pub fn at(mut self, now: Timestamp, lead_ms: i64) -> Self {
        self.is_occupied = self.state == SpotState::Occupied;
        self.is_reserved = self.is_reserved_at(now, lead_ms);
        self.status = self.status_at(now, lead_ms);
        self
    }
}

/// What people say of a spot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "PARK_011", "level_id": "0199a0000000700080000000000000a3", "location": "Level 1, by the lift", "zone": "A",
    "sensor_type": "ultrasonic", "is_accessible": false, "is_ev": true, "size": "standard", "clearance_cm": null,
    "is_disabled": false, "tariff_id": null, "outline": null
})))]
pub struct SpotSettings {
    /// 1 to 50 letters, digits, `-`, `_`, `.`; unique in the organisation.
    pub id: String,
    /// Absent: by `lot_id` and `level`.
    pub level_id: Option<ParkingLevelId>,
    /// Where `level` is; absent: the only lot.
    pub lot_id: Option<LotId>,
    /// Name of the level, when `level_id` is absent.
    pub level: Option<String>,
    /// At most 200 characters.
    pub location: String,
    /// At most 50 characters.
    pub zone: String,
    pub sensor_type: Option<SensorType>,
    pub is_accessible: bool,
    pub is_ev: bool,
    /// Absent: `standard`.
    pub size: Option<SpotSize>,
    /// 100 to 1,000.
    pub clearance_cm: Option<i64>,
    pub is_disabled: bool,
    pub tariff_id: Option<TariffId>,
    /// Absent: as it is; a new one stands in the next free place of its level's plan.
    pub outline: Option<Outline>,
}

/// Where spots of a level are to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "key": "0199a0000000700080000000000000a1", "outline": {"x": 1250.0, "y": 400.0, "width": 250.0, "length": 500.0, "angle": 90.0}
})))]
pub struct Placement {
    pub key: SpotId,
    pub outline: Outline,
}

/// Makes many spots at once, in rows along driving lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "rows": 4, "columns": 12, "prefix": "B1-", "first": 1, "zone_letters": true, "sensor_type": "ultrasonic"
})))]
pub struct Grid {
    /// 1 to 50.
    pub rows: i64,
    /// 1 to 100.
    pub columns: i64,
    /// Before the number of a spot.
    pub prefix: String,
    /// Number of the first spot; they are written with three digits at least.
    pub first: i64,
    /// Each row is a zone of its own: A, B, …
    #[serde(default)]
    pub zone_letters: bool,
    #[serde(default)]
    pub sensor_type: Option<SensorType>,
}

/// A spot of a bay, centimetres.
const BAY: (f64, f64) = (250.0, 500.0);
/// Between two rows of cars, centimetres: half a metre more than the German model garage ordinance asks for beside such
/// bays (M-GarVO, section 4).
const LANE: f64 = 600.0;
/// Around the plan, centimetres.
const MARGIN: f64 = 100.0;

impl Grid {
    /// Where each spot lies, row by row: two rows back to back, then a lane.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most 5,000 spots
    pub fn outlines(&self) -> Vec<Outline> {
        // A lane before each odd row.
        let row_top = |row: i64| MARGIN + row as f64 * BAY.1 + ((row + 1) / 2) as f64 * LANE;
        let mut outlines = Vec::new();
        for row in 0..self.rows {
            for column in 0..self.columns {
                outlines.push(Outline {
                    x: MARGIN + (column as f64 + 0.5) * BAY.0,
                    y: row_top(row) + BAY.1 / 2.0,
                    width: BAY.0,
                    length: BAY.1,
                    angle: if row % 2 == 0 { 0.0 } else { 180.0 },
                });
            }
        }
        outlines
    }

    /// Width and height of the plan that they need, centimetres.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // far below
    pub fn extent(&self) -> (i64, i64) {
        let outlines = self.outlines();
        let right = outlines.iter().map(|one| one.x + one.width / 2.0).fold(0.0, f64::max);
        let bottom = outlines.iter().map(|one| one.y + one.length / 2.0).fold(0.0, f64::max);
        ((right + MARGIN).ceil() as i64, (bottom + MARGIN).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot() -> Spot {
        Spot {
            id: "P1".into(),
            key: SpotId::nil(),
            lot_id: LotId::nil(),
            level_id: ParkingLevelId::nil(),
            location: String::new(),
            level: "L1".into(),
            zone: String::new(),
            is_occupied: false,
            is_reserved: false,
            status: SpotStatus::Unknown,
            state: SpotState::Free,
            last_updated: None,
            reserved_from: None,
            reserved_until: None,
            reservation_id: None,
            sensor_type: None,
            sensor_id: None,
            is_accessible: false,
            is_ev: false,
            size: SpotSize::Standard,
            clearance_cm: None,
            is_disabled: false,
            tariff_id: None,
            outline: Outline::default(),
        }
    }

    #[test]
    fn word_of_a_spot_says_what_matters_most() {
        let at = |ms| Timestamp::from_millis(ms);
        let table = [
            (SpotState::Free, false, 5, SpotStatus::Available),
            (SpotState::Free, false, 10, SpotStatus::Reserved),
            (SpotState::Free, false, 20, SpotStatus::Available),
            (SpotState::Occupied, false, 15, SpotStatus::Occupied),
            (SpotState::Unknown, false, 15, SpotStatus::Reserved),
            (SpotState::Unknown, false, 25, SpotStatus::Unknown),
            (SpotState::Occupied, true, 15, SpotStatus::Disabled),
        ];
        for (state, is_disabled, now, expected) in table {
            let reserved = (Some(at(12)), Some(at(20)));
            let spot = Spot { state, is_disabled, reserved_from: reserved.0, reserved_until: reserved.1, ..spot() };
            assert_eq!(spot.at(at(now), 2).status, expected, "{state:?} {now}");
        }
    }

    #[test]
    fn rows_of_a_grid_do_not_overlap_and_leave_lanes() {
        let grid = Grid { rows: 5, columns: 3, prefix: "A".into(), first: 1, zone_letters: false, sensor_type: None };
        let outlines = grid.outlines();
        assert_eq!(outlines.len(), 15);
        for (index, one) in outlines.iter().enumerate() {
            for other in &outlines[index + 1..] {
                let apart = (one.x - other.x).abs() >= 250.0 || (one.y - other.y).abs() >= 500.0;
                assert!(apart, "{one:?} {other:?}");
            }
        }
        // Row 1 and 2 stand back to back; a lane lies between 0 and 1 and between 2 and 3.
        let y = |row: usize| outlines[row * 3].y;
        assert_eq!([y(1) - y(0), y(2) - y(1), y(3) - y(2)], [1_100.0, 500.0, 1_100.0]);
        let (width, height) = grid.extent();
        assert_eq!((width, height), (950, 3_900));
    }
}
