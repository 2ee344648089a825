//! The least of Portico's parking: remembers lots, levels and spots, knows sensors by what they said.

use std::collections::BTreeMap;

use portico_model::parking::lot::{BookingRules, Level, Lot, LotSettings};
use portico_model::parking::sensor::Sensor;
use portico_model::parking::spot::{Grid, Outline, Spot, SpotSettings, SpotSize, SpotState, SpotStatus};
use portico_model::{LotId, ParkingLevelId, ParkingSensorId, SpotId, Timestamp};
use serde_json::{Value, json};

#[derive(Default)]
pub struct CarParks {
    pub lots: Vec<Lot>,
    pub levels: Vec<Level>,
    pub spots: Vec<Spot>,
    /// By their sensors.
    pub placed: BTreeMap<String, String>,
    pub reservations: Vec<Value>,
    /// Requests that changed something.
    pub changes: u32,
}

fn id(number: usize) -> String {
    format!("{:032x}", number + 1)
}

fn read<T: serde::de::DeserializeOwned>(body: Value) -> T {
    serde_json::from_value(body).unwrap()
}

impl CarParks {
    pub fn answer<'a>(
        &mut self,
        method: &str,
        path: &str,
        body: Value,
        events: impl Iterator<Item = &'a Value>,
    ) -> Option<Value> {
        self.changes += u32::from(method != "GET");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let steps: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
        let body = || body.clone();
        Some(match (method, &steps[..]) {
            ("GET", ["parking", "lots"]) => json!({ "lots": self.lots }),
            ("POST", ["parking", "lots"]) => {
                self.lots.push(lot(self.lots.len(), read(body())));
                json!(self.lots.last())
            }
            ("GET", ["parking", "lots", of, "levels"]) => {
                let of: LotId = of.parse().unwrap();
                json!({ "levels": self.levels.iter().filter(|level| level.lot_id == of).collect::<Vec<_>>() })
            }
            ("POST", ["parking", "lots", of, "levels"]) => {
                let id: ParkingLevelId = id(self.levels.len()).parse().unwrap();
                let mut level = json!({ "id": id, "lot_id": of, "name": "", "position": 0, "width_cm": 4_000,
                                        "height_cm": 3_000, "clearance_cm": null, "counts": {} });
                level.as_object_mut().unwrap().extend(body().as_object().unwrap().clone());
                self.levels.push(read(level));
                json!(self.levels.last())
            }
            ("POST", ["parking", "levels", of, "spots"]) => {
                let level = self.levels.iter().find(|level| level.id.to_string() == *of).unwrap().clone();
                let grid: Grid = read(body());
                for (number, outline) in (0..).zip(grid.outlines()) {
                    let key: SpotId = id(self.spots.len()).parse().unwrap();
                    let id = format!("{}{:03}", grid.prefix, grid.first + number);
                    let (lot_id, level_id) = (level.lot_id, level.id);
                    self.spots.push(Spot { id, key, lot_id, level_id, outline, level: level.name.clone(), ..spot() });
                }
                json!({ "spots": self.spots.len() })
            }
            ("GET", ["spots"]) => {
                let lot = query.split('&').find_map(|part| part.strip_prefix("lot_id=")).unwrap();
                let only_reserved = query.contains("status=reserved");
                let of = self.spots.iter().filter(|spot| spot.lot_id.to_string() == lot && !only_reserved);
                json!({ "spots": of.collect::<Vec<_>>() })
            }
            ("PUT", ["spots", of]) => {
                let spot = self.spots.iter_mut().find(|spot| spot.id == *of).unwrap();
                let settings: SpotSettings = read(body());
                (spot.is_accessible, spot.is_ev) = (settings.is_accessible, settings.is_ev);
                json!(spot)
            }
            ("GET", ["parking", "sensors"]) => {
                let mut names: Vec<&str> = events.filter_map(|event| event["sensor_id"].as_str()).collect();
                names.sort_unstable();
                names.dedup();
                let all = names.iter().enumerate().map(|(number, name)| self.sensor(number, name));
                json!({ "items": all.collect::<Vec<_>>(), "next": null })
            }
            ("PUT", ["parking", "sensors", of]) => {
                let mut names: Vec<&str> = events.filter_map(|event| event["sensor_id"].as_str()).collect();
                names.sort_unstable();
                names.dedup();
                // Its id is its place among their names then: the tests place when all are there.
                let number = usize::from_str_radix(of, 16).unwrap() - 1;
                self.placed.insert(names[number].to_owned(), body()["spot_id"].as_str().unwrap().to_owned());
                json!({})
            }
            ("POST", ["reservations"]) => {
                self.reservations.push(body());
                json!({ "reservation": { "id": id(self.reservations.len()) } })
            }
            _ => return None,
        })
    }

    fn sensor(&self, number: usize, name: &str) -> Sensor {
        let id: ParkingSensorId = id(number).parse().unwrap();
        Sensor {
            id,
            sensor_id: name.to_owned(),
            device_id: None,
            spot_id: self.placed.get(name).cloned(),
            spot_key: None,
            is_ignored: false,
            is_silent: false,
            is_bridged: false,
            occupied: None,
            reported_at: None,
            heard_at: Timestamp::default(),
            distance_cm: None,
            battery_percent: None,
            rssi_dbm: None,
            firmware_version: String::new(),
            location: String::new(),
            messages: 1,
            first_seen_at: Timestamp::default(),
        }
    }
}

fn lot(number: usize, settings: LotSettings) -> Lot {
    let lot = json!({
        "id": id(number), "name": settings.name, "address": settings.address, "latitude": null, "longitude": null,
        "time_zone": null, "time_zone_in_force": "UTC", "tariff_id": null, "gate_door_id": null, "is_public": false,
        "debounce_s": 5, "stale_after_minutes": settings.stale_after_minutes, "low_battery_percent": 20,
        "booking": BookingRules::default(), "counts": {}, "distance_m": null,
        "created_at": Timestamp::default(), "updated_at": Timestamp::default(),
    });
    read(lot)
}

fn spot() -> Spot {
    Spot {
        id: String::new(),
        key: SpotId::nil(),
        lot_id: LotId::nil(),
        level_id: ParkingLevelId::nil(),
        location: String::new(),
        level: String::new(),
        zone: "A".to_owned(),
        is_occupied: false,
        is_reserved: false,
        status: SpotStatus::Unknown,
        state: SpotState::Unknown,
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
