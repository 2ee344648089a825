//! Which sensors hang where: the same seed and number always give the same building.

use portico_model::devices::NewDevice;
use serde_json::json;

use crate::noise;
use crate::signal::Kind;

/// A sensor and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Printed on it; unique in the building.
    pub hardware_id: String,
    pub name: String,
    pub location: String,
    pub kind: Kind,
    /// Of its own noise and habits.
    pub seed: u64,
    /// How much its place is used, 0.4 to 1.2: a boardroom is emptier than an open office.
    pub busyness: f64,
    /// Whether it has a clock; those without leave the time to the server.
    pub has_clock: bool,
    pub firmware: &'static str,
}

/// All sensors of one building.
#[derive(Debug, Clone, PartialEq)]
pub struct Building {
    pub seed: u64,
    pub sensors: Vec<Sensor>,
}

/// The first sensors, ordered so that a small building has one of each kind.
const FIRST: &[(&str, &str, Kind)] = &[
    ("Reception", "Ground floor, reception", Kind::RoomClimate),
    ("Main energy meter", "Basement, electrical room", Kind::EnergyMeter),
    ("Weather station", "Roof", Kind::Weather),
    ("Server room", "1st floor, room 1.09", Kind::ServerRoom),
    ("Main entrance", "Ground floor, entrance", Kind::DoorContact),
    ("Meeting room Oslo", "1st floor, room 1.02", Kind::RoomClimate),
    ("Water main", "Basement, plant room", Kind::WaterMeter),
    ("Open office east", "2nd floor, east wing", Kind::RoomClimate),
    ("Car park air", "Basement, car park", Kind::CarParkAir),
    ("Canteen cold store", "Ground floor, kitchen", Kind::ColdStore),
    ("Solar inverter", "Roof", Kind::Solar),
    ("Loading bay door", "Ground floor, loading bay", Kind::DoorContact),
    ("Open office west", "2nd floor, west wing", Kind::RoomClimate),
    ("Meeting room Lisbon", "2nd floor, room 2.11", Kind::RoomClimate),
    ("Lab", "1st floor, room 1.14", Kind::RoomClimate),
    ("Fire exit north", "Ground floor, north stairs", Kind::DoorContact),
    ("Boardroom", "3rd floor, room 3.01", Kind::RoomClimate),
    ("Heat pump meter", "Basement, plant room", Kind::EnergyMeter),
    ("Library", "3rd floor, room 3.05", Kind::RoomClimate),
    ("Canteen", "Ground floor, canteen", Kind::RoomClimate),
    ("Archive", "Basement, room 0.03", Kind::RoomClimate),
    ("Roof hatch", "Roof", Kind::DoorContact),
    ("Irrigation", "Courtyard", Kind::WaterMeter),
    ("Quiet room", "3rd floor, room 3.08", Kind::RoomClimate),
];

const FIRMWARE: &[&str] = &["1.4.2", "1.4.2", "1.5.0", "2.0.1"];

impl Building {
    /// The building with that many sensors; those beyond the first two dozen fill further floors.
    #[must_use]
    pub fn plan(seed: u64, sensors: usize) -> Self {
        let sensors = (0..sensors).map(|index| sensor(seed, index)).collect();
        Self { seed, sensors }
    }
}

fn sensor(seed: u64, index: usize) -> Sensor {
    let (name, location, kind) = match FIRST.get(index) {
        Some((name, location, kind)) => ((*name).to_owned(), (*location).to_owned(), *kind),
        None => further_floor(index - FIRST.len()),
    };
    let own = noise::mix(seed, 1, i64::try_from(index).unwrap_or(i64::MAX));
    let firmware_count = i64::try_from(FIRMWARE.len()).unwrap_or(1);
    Sensor {
        hardware_id: format!("SIM-{seed:04}-{:04}", index + 1),
        name,
        location,
        kind,
        seed: own,
        busyness: 0.4 + 0.8 * noise::unit(own, 2, 0),
        has_clock: kind != Kind::DoorContact && noise::unit(own, 3, 0) < 0.75,
        firmware: FIRMWARE[usize::try_from(noise::mix(own, 4, 0) % firmware_count.cast_unsigned()).unwrap_or(0)],
    }
}

/// Ten sensors a floor from the fourth on: eight rooms, a door, a meter.
fn further_floor(index: usize) -> (String, String, Kind) {
    let (floor, place) = (index / 10 + 4, index % 10 + 1);
    match place {
        9 => (format!("Stair door {floor}"), format!("{floor}th floor, stairs"), Kind::DoorContact),
        10 => (format!("Floor meter {floor}"), format!("{floor}th floor, riser"), Kind::EnergyMeter),
        _ => (
            format!("Office {floor}.{place:02}"),
            format!("{floor}th floor, room {floor}.{place:02}"),
            Kind::RoomClimate,
        ),
    }
}

impl Sensor {
    /// How it is registered. `heartbeat_interval_s` is what it promises.
    #[must_use]
    pub fn registration(&self, heartbeat_interval_s: i64) -> NewDevice {
        let units: serde_json::Map<_, _> =
            self.kind.units().iter().map(|(key, unit)| ((*key).to_owned(), json!(unit))).collect();
        NewDevice {
            name: self.name.clone(),
            device_type: self.kind.device_type().to_owned(),
            hardware_id: Some(self.hardware_id.clone()),
            description: self.kind.description().to_owned(),
            location: self.location.clone(),
            firmware_version: self.firmware.to_owned(),
            hardware_version: self.kind.hardware().to_owned(),
            metadata: Some(json!({ "simulated": true, "units": units })),
            heartbeat_interval_s: Some(heartbeat_interval_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn same_seed_gives_the_same_building_and_another_seed_another() {
        assert_eq!(Building::plan(7, 40), Building::plan(7, 40));
        assert_ne!(Building::plan(7, 40), Building::plan(8, 40));
        assert_eq!(
            Building::plan(7, 40).sensors[..10],
            Building::plan(7, 10).sensors[..],
            "a larger building has the smaller one in it"
        );
    }

    #[test]
    fn hardware_ids_and_names_are_unique() {
        let building = Building::plan(1, 500);
        let ids: BTreeSet<_> = building.sensors.iter().map(|sensor| &sensor.hardware_id).collect();
        let names: BTreeSet<_> = building.sensors.iter().map(|sensor| &sensor.name).collect();
        assert_eq!((ids.len(), names.len()), (500, 500));
    }

    #[test]
    fn small_building_has_every_kind() {
        let kinds: BTreeSet<_> = Building::plan(1, 11).sensors.iter().map(|sensor| sensor.kind.device_type()).collect();
        assert_eq!(kinds.len(), Kind::ALL.len());
    }
}
