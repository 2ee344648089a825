//! What each kind of sensor measures at a moment: daily and weekly curves, seasons, people, noise. Pure.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use portico_model::Timestamp;
use portico_model::telemetry::Value;

use crate::building::Sensor;
use crate::noise;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A kind of sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Temperature, humidity, CO₂ and presence of a room.
    RoomClimate,
    EnergyMeter,
    WaterMeter,
    Weather,
    ServerRoom,
    /// On a battery; speaks when the door moves.
    DoorContact,
    CarParkAir,
    ColdStore,
    Solar,
}

/// A reading: keys and values.
pub type Reading = BTreeMap<String, Value>;

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::RoomClimate,
        Self::EnergyMeter,
        Self::WaterMeter,
        Self::Weather,
        Self::ServerRoom,
        Self::DoorContact,
        Self::CarParkAir,
        Self::ColdStore,
        Self::Solar,
    ];

    #[must_use]
    pub const fn device_type(self) -> &'static str {
        match self {
            Self::RoomClimate => "room_climate",
            Self::EnergyMeter => "energy_meter",
            Self::WaterMeter => "water_meter",
            Self::Weather => "weather_station",
            Self::ServerRoom => "server_room",
            Self::DoorContact => "door_contact",
            Self::CarParkAir => "air_quality",
            Self::ColdStore => "cold_store",
            Self::Solar => "solar_inverter",
        }
    }

    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::RoomClimate => "Temperature, humidity, CO₂ and presence",
            Self::EnergyMeter => "Power and energy of three phases",
            Self::WaterMeter => "Flow and volume",
            Self::Weather => "Weather outside",
            Self::ServerRoom => "Climate and power of the racks",
            Self::DoorContact => "Magnetic contact on a battery",
            Self::CarParkAir => "Carbon monoxide and ventilation",
            Self::ColdStore => "Temperature, compressor and door",
            Self::Solar => "Power and yield of the roof",
        }
    }

    #[must_use]
    pub const fn hardware(self) -> &'static str {
        match self {
            Self::EnergyMeter | Self::Solar => "DIN gateway rev C",
            Self::WaterMeter => "Pulse reader rev A",
            Self::DoorContact => "ESP32-C3 rev B",
            _ => "ESP32-WROOM-32",
        }
    }

    /// The unit of each key that has one.
    #[must_use]
    pub const fn units(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RoomClimate => &[("temperature", "°C"), ("humidity", "%"), ("co2", "ppm")],
            Self::EnergyMeter | Self::Solar => &[("power_kw", "kW"), ("energy_kwh", "kWh"), ("voltage", "V")],
            Self::WaterMeter => &[("flow_l_min", "l/min"), ("volume_m3", "m³")],
            Self::Weather => {
                &[("temperature", "°C"), ("humidity", "%"), ("pressure", "hPa"), ("wind_m_s", "m/s"), ("light", "lx")]
            }
            Self::ServerRoom => &[("temperature", "°C"), ("humidity", "%"), ("power_kw", "kW")],
            Self::DoorContact => &[],
            Self::CarParkAir => &[("co", "ppm"), ("temperature", "°C")],
            Self::ColdStore => &[("temperature", "°C")],
        }
    }

    /// How often it measures at rate 1, milliseconds.
    #[must_use]
    pub const fn interval_ms(self) -> i64 {
        match self {
            Self::EnergyMeter | Self::ServerRoom | Self::Solar => 5_000,
            Self::RoomClimate | Self::CarParkAir | Self::ColdStore => 10_000,
            Self::WaterMeter => 15_000,
            Self::Weather => 30_000,
            Self::DoorContact => 300_000,
        }
    }

    /// Whether it also speaks at once when something changes, beside its interval.
    #[must_use]
    pub const fn speaks_on_change(self) -> bool {
        matches!(self, Self::DoorContact)
    }

    #[must_use]
    pub const fn has_battery(self) -> bool {
        matches!(self, Self::DoorContact | Self::WaterMeter)
    }
}

/// What `sensor` measures when the building's time is `at`.
#[must_use]
pub fn reading(sensor: &Sensor, at: Timestamp) -> Reading {
    let at_ms = at.millis();
    let values = match sensor.kind {
        Kind::RoomClimate => room(sensor, at_ms),
        Kind::EnergyMeter => energy(sensor, at_ms),
        Kind::WaterMeter => water(sensor, at_ms),
        Kind::Weather => weather(sensor, at_ms),
        Kind::ServerRoom => server_room(sensor, at_ms),
        Kind::DoorContact => vec![("open", Value::Boolean(door_is_open(sensor, at_ms)))],
        Kind::CarParkAir => car_park(sensor, at_ms),
        Kind::ColdStore => cold_store(sensor, at_ms),
        Kind::Solar => solar(sensor, at_ms),
    };
    values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

type Values = Vec<(&'static str, Value)>;

fn number(value: f64, decimals: i32) -> Value {
    let scale = 10_f64.powi(decimals);
    Value::Number((value * scale).round() / scale)
}

#[allow(clippy::cast_precision_loss)] // milliseconds of a day
fn hour_of_day(at_ms: i64) -> f64 {
    at_ms.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64
}

/// 1970-01-01 was a Thursday.
fn is_weekend(at_ms: i64) -> bool {
    (at_ms.div_euclid(DAY_MS) + 3).rem_euclid(7) >= 5
}

/// How full the building is, 0…1: office hours with a dip at noon, nearly empty at night and on weekends.
#[must_use]
pub fn occupancy(at_ms: i64) -> f64 {
    const BY_HOUR: [f64; 25] = [
        0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.2, 0.6, 0.92, 1.0, 0.97, 0.65, 0.75, 0.98, 1.0, 0.9, 0.6, 0.3, 0.15,
        0.08, 0.04, 0.02, 0.0, 0.0,
    ];
    let hour = hour_of_day(at_ms);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..24
    let index = hour as usize;
    let part = hour.fract();
    let weekday = BY_HOUR[index] * (1.0 - part) + BY_HOUR[index + 1] * part;
    if is_weekend(at_ms) { weekday * 0.06 } else { weekday }
}

/// Degrees Celsius outside: season, day, weather fronts.
fn outdoor_temperature(at_ms: i64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // days since 1970
    let day_of_year = (at_ms as f64 / DAY_MS as f64) % 365.25;
    let season = 10.0 - 9.0 * (TAU * (day_of_year - 15.0) / 365.25).cos();
    season + 4.0 * daylight_phase(at_ms) + 3.0 * noise::smooth(0, 10, at_ms, 36 * HOUR_MS)
}

/// 1 at three in the afternoon, −1 at three at night.
fn daylight_phase(at_ms: i64) -> f64 {
    (TAU * (hour_of_day(at_ms) - 15.0) / 24.0).cos()
}

/// How high the sun is, 0…1.
fn sun(at_ms: i64) -> f64 {
    (TAU * (hour_of_day(at_ms) - 12.5) / 24.0).cos().max(0.0)
}

fn clouds(at_ms: i64) -> f64 {
    0.5 + 0.3 * noise::smooth(0, 11, at_ms, 5 * HOUR_MS) + 0.2 * noise::smooth(0, 12, at_ms, 9 * MINUTE_MS)
}

/// People in the room: by quarter of an hour somebody is in or not, more likely when the building is full.
fn is_occupied(sensor: &Sensor, at_ms: i64) -> bool {
    noise::unit(sensor.seed, 20, at_ms.div_euclid(15 * MINUTE_MS)) < occupancy(at_ms) * sensor.busyness
}

fn room(sensor: &Sensor, at_ms: i64) -> Values {
    // Breath fills a room over an hour and a half and airs out as slowly.
    let mut breath = 0.0;
    for step in 0..12 {
        let then = at_ms - step * 8 * MINUTE_MS;
        breath += occupancy(then) * 0.4 + f64::from(u8::from(is_occupied(sensor, then))) * 0.6;
    }
    let breath = breath / 12.0 * sensor.busyness;
    let co2 = 425.0 + 720.0 * breath + 25.0 * noise::smooth(sensor.seed, 21, at_ms, 20 * MINUTE_MS);
    let temperature = 20.4
        + 1.6 * occupancy(at_ms - HOUR_MS)
        + 0.5 * daylight_phase(at_ms)
        + 0.03 * (outdoor_temperature(at_ms) - 10.0)
        + 0.5 * noise::smooth(sensor.seed, 22, at_ms, 3 * HOUR_MS)
        + 0.05 * noise::white(sensor.seed, 23, at_ms);
    let humidity = 42.0
        + 5.0 * breath
        + 5.0 * noise::smooth(0, 13, at_ms, 20 * HOUR_MS)
        + 2.0 * noise::smooth(sensor.seed, 24, at_ms, 2 * HOUR_MS)
        + 0.2 * noise::white(sensor.seed, 25, at_ms);
    vec![
        ("temperature", number(temperature, 2)),
        ("humidity", number(humidity, 1)),
        ("co2", number(co2 + 4.0 * noise::white(sensor.seed, 26, at_ms), 0)),
        ("occupied", Value::Boolean(is_occupied(sensor, at_ms))),
    ]
}

/// A counter that grows by `per_hour(hour)`: whole weeks, then whole hours, then the part of this one. It starts at a
/// plausible reading in 2020, so that it neither wraps nor shows how long the simulator runs.
fn counter(at_ms: i64, per_hour: impl Fn(i64) -> f64) -> f64 {
    /// Monday, 2020-01-06.
    const SINCE_MS: i64 = 1_578_268_800_000;
    const WEEK_HOURS: i64 = 7 * 24;
    let elapsed = (at_ms - SINCE_MS).max(0);
    let hours = elapsed / HOUR_MS;
    let (weeks, rest) = (hours / WEEK_HOURS, hours % WEEK_HOURS);
    let hour_at = |index: i64| per_hour(SINCE_MS + index * HOUR_MS);
    let week: f64 = (0..WEEK_HOURS).map(hour_at).sum();
    let partial: f64 = (0..rest).map(hour_at).sum();
    #[allow(clippy::cast_precision_loss)] // weeks, and the part of an hour
    let (weeks, part) = (weeks as f64, (elapsed % HOUR_MS) as f64 / HOUR_MS as f64);
    weeks * week + partial + part * hour_at(rest)
}

fn energy(sensor: &Sensor, at_ms: i64) -> Values {
    let size = 6.0 + 18.0 * sensor.busyness;
    let load = |at_ms: i64| size * (0.25 + 0.9 * occupancy(at_ms));
    let ripple =
        1.0 + 0.08 * noise::smooth(sensor.seed, 30, at_ms, 4 * MINUTE_MS) + 0.02 * noise::white(sensor.seed, 31, at_ms);
    // The lift and the kitchen come and go.
    let burst =
        if noise::unit(sensor.seed, 32, at_ms.div_euclid(40_000)) < 0.15 * occupancy(at_ms) { 4.5 } else { 0.0 };
    let voltage =
        231.0 + 2.0 * noise::smooth(0, 14, at_ms, 30 * MINUTE_MS) + 0.3 * noise::white(sensor.seed, 33, at_ms);
    vec![
        ("power_kw", number(load(at_ms) * ripple + burst, 2)),
        // The load of the hour's middle stands for the hour.
        ("energy_kwh", number(counter(at_ms, |hour| load(hour + HOUR_MS / 2)), 2)),
        ("voltage", number(voltage, 1)),
    ]
}

fn water(sensor: &Sensor, at_ms: i64) -> Values {
    let use_of = |at_ms: i64| 0.4 + 9.0 * sensor.busyness * occupancy(at_ms);
    let tap_open = noise::unit(sensor.seed, 40, at_ms.div_euclid(25_000)) < 0.1 + 0.7 * occupancy(at_ms);
    let flow =
        if tap_open { use_of(at_ms) * (0.6 + noise::unit(sensor.seed, 41, at_ms.div_euclid(25_000))) } else { 0.0 };
    vec![
        ("flow_l_min", number(flow, 1)),
        ("volume_m3", number(counter(at_ms, |hour| use_of(hour + HOUR_MS / 2) * 60.0 / 1000.0 * 0.7), 3)),
    ]
}

fn weather(sensor: &Sensor, at_ms: i64) -> Values {
    let temperature = outdoor_temperature(at_ms) + 0.1 * noise::white(sensor.seed, 50, at_ms);
    let pressure = 1013.0 + 14.0 * noise::smooth(0, 15, at_ms, 48 * HOUR_MS);
    let wind =
        (3.0 + 2.5 * noise::smooth(0, 16, at_ms, 4 * HOUR_MS) + 1.5 * noise::smooth(sensor.seed, 51, at_ms, 40_000))
            .max(0.0);
    let cloud = clouds(at_ms);
    let rain = cloud > 0.85 || (pressure < 1004.0 && cloud > 0.6);
    vec![
        ("temperature", number(temperature, 1)),
        (
            "humidity",
            number((72.0 - 12.0 * daylight_phase(at_ms) + if rain { 15.0 } else { 0.0 }).clamp(25.0, 100.0), 0),
        ),
        ("pressure", number(pressure, 1)),
        ("wind_m_s", number(wind, 1)),
        ("light", number(78_000.0 * sun(at_ms) * (1.15 - cloud), 0)),
        ("rain", Value::Boolean(rain)),
    ]
}

fn server_room(sensor: &Sensor, at_ms: i64) -> Values {
    let load = 6.5 + 1.8 * occupancy(at_ms) + 0.8 * noise::smooth(sensor.seed, 60, at_ms, 30 * MINUTE_MS);
    // Once in a while the cooling struggles for an hour: something to see on the chart.
    let struggling =
        noise::unit(sensor.seed, 61, at_ms.div_euclid(6 * HOUR_MS)) < 0.2 && at_ms.rem_euclid(6 * HOUR_MS) < HOUR_MS;
    let excess = if struggling { 5.0 * (TAU / 2.0 * hour_of_day(at_ms).fract()).sin() } else { 0.0 };
    let temperature = 21.5 + 0.3 * load / 6.5 + excess + 0.4 * noise::smooth(sensor.seed, 62, at_ms, 12 * MINUTE_MS);
    let cooling = if temperature > 24.0 {
        "high"
    } else if temperature > 21.7 {
        "normal"
    } else {
        "low"
    };
    vec![
        ("temperature", number(temperature, 2)),
        ("humidity", number(38.0 + 2.0 * noise::smooth(sensor.seed, 63, at_ms, 5 * HOUR_MS), 1)),
        ("power_kw", number(load, 2)),
        ("cooling", Value::Text(cooling.to_owned())),
    ]
}

/// In some minutes somebody goes through and the door stands open for 4 to 25 seconds.
#[must_use]
pub fn door_is_open(sensor: &Sensor, at_ms: i64) -> bool {
    let minute = at_ms.div_euclid(MINUTE_MS);
    if noise::unit(sensor.seed, 70, minute) >= (0.02 + 0.6 * occupancy(at_ms)) * sensor.busyness {
        return false;
    }
    let opened = noise::unit(sensor.seed, 71, minute) * 30_000.0;
    let held = 4_000.0 + noise::unit(sensor.seed, 72, minute) * 21_000.0;
    #[allow(clippy::cast_precision_loss)] // within a minute
    let within = at_ms.rem_euclid(MINUTE_MS) as f64;
    (opened..opened + held).contains(&within)
}

fn car_park(sensor: &Sensor, at_ms: i64) -> Values {
    // People arrive and leave: the air is worst when occupancy changes most.
    let traffic = (occupancy(at_ms + 30 * MINUTE_MS) - occupancy(at_ms - 30 * MINUTE_MS)).abs();
    let co =
        2.0 + 38.0 * traffic * sensor.busyness + 1.5 * (1.0 + noise::smooth(sensor.seed, 80, at_ms, 3 * MINUTE_MS));
    vec![
        ("co", number(co, 1)),
        ("temperature", number(0.4 * outdoor_temperature(at_ms) + 9.0, 1)),
        ("ventilation", Value::Boolean(co > 15.0)),
    ]
}

fn cold_store(sensor: &Sensor, at_ms: i64) -> Values {
    const CYCLE_MS: i64 = 18 * MINUTE_MS;
    #[allow(clippy::cast_precision_loss)] // within a cycle
    let phase = at_ms.rem_euclid(CYCLE_MS) as f64 / CYCLE_MS as f64;
    // The compressor runs for a third of the cycle, then the store slowly warms.
    let running = phase < 0.35;
    let swing = if running { 1.0 - phase / 0.35 * 2.0 } else { (phase - 0.35) / 0.65 * 2.0 - 1.0 };
    let door_open = noise::unit(sensor.seed, 90, at_ms.div_euclid(3 * MINUTE_MS)) < 0.25 * occupancy(at_ms);
    let temperature = 3.6 + 0.8 * swing + 0.8 * occupancy(at_ms) + 0.05 * noise::white(sensor.seed, 91, at_ms);
    vec![
        ("temperature", number(temperature, 2)),
        ("compressor", Value::Boolean(running)),
        ("door_open", Value::Boolean(door_open)),
    ]
}

fn solar(sensor: &Sensor, at_ms: i64) -> Values {
    let peak = 12.0 + 10.0 * sensor.busyness;
    let clear = |at_ms: i64| peak * sun(at_ms).powf(1.3);
    vec![
        ("power_kw", number(clear(at_ms) * (1.1 - clouds(at_ms)).clamp(0.05, 1.0), 2)),
        ("energy_kwh", number(counter(at_ms, |hour| clear(hour + HOUR_MS / 2) * 0.6), 2)),
        (
            "voltage",
            number(
                if sun(at_ms) > 0.0 {
                    612.0 + 18.0 * noise::smooth(sensor.seed, 100, at_ms, 10 * MINUTE_MS)
                } else {
                    0.0
                },
                1,
            ),
        ),
    ]
}

/// Battery level at that moment, percent: drained within about two years, then replaced.
#[must_use]
pub fn battery_percent(sensor: &Sensor, at: Timestamp) -> Option<f64> {
    if !sensor.kind.has_battery() {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // fraction of a life
    let life = (at.millis() as f64 / (700.0 * DAY_MS as f64) + noise::unit(sensor.seed, 110, 0)).fract();
    Some(((1.0 - life) * 97.0 + 3.0).round())
}

/// Received signal strength, dBm.
#[must_use]
pub fn rssi_dbm(sensor: &Sensor, at: Timestamp) -> f64 {
    (-48.0 - 30.0 * noise::unit(sensor.seed, 111, 0) + 4.0 * noise::smooth(sensor.seed, 112, at.millis(), 90_000))
        .round()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Building;

    /// Tuesday, 2026-11-17, 00:00 UTC.
    const TUESDAY: i64 = 1_794_873_600_000;

    fn value(sensor: &Sensor, key: &str, at_ms: i64) -> f64 {
        reading(sensor, Timestamp::from_millis(at_ms))[key].number().unwrap()
    }

    fn find(kind: Kind) -> Sensor {
        Building::plan(42, 12).sensors.into_iter().find(|sensor| sensor.kind == kind).unwrap()
    }

    #[test]
    fn readings_of_seed_42_never_change() {
        let building = Building::plan(42, 11);
        let at = Timestamp::from_millis(TUESDAY + 10 * HOUR_MS + 1_234);
        let lines: Vec<String> = building
            .sensors
            .iter()
            .map(|sensor| format!("{}: {}\n", sensor.name, serde_json::to_string(&reading(sensor, at)).unwrap()))
            .collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/signal.snapshot.txt");
        if std::env::var_os("PORTICO_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(path, lines.concat()).unwrap();
        }
        assert_eq!(lines.concat(), std::fs::read_to_string(path).unwrap());
    }

    #[test]
    fn office_is_full_on_a_working_morning_and_empty_at_night_and_on_sunday() {
        assert!(occupancy(TUESDAY + 10 * HOUR_MS) > 0.9);
        assert!(occupancy(TUESDAY + 2 * HOUR_MS) < 0.01);
        assert!(occupancy(TUESDAY + 5 * DAY_MS + 10 * HOUR_MS) < 0.1);
    }

    #[test]
    fn air_is_worse_at_eleven_than_at_four_in_the_night() {
        let room = find(Kind::RoomClimate);
        assert!(value(&room, "co2", TUESDAY + 11 * HOUR_MS) > value(&room, "co2", TUESDAY + 4 * HOUR_MS) + 100.0);
    }

    #[test]
    fn sun_yields_nothing_at_night() {
        let solar = find(Kind::Solar);
        assert_eq!(value(&solar, "power_kw", TUESDAY + HOUR_MS), 0.0);
        assert!(value(&solar, "power_kw", TUESDAY + 12 * HOUR_MS) > 0.5);
    }

    #[test]
    fn door_opens_now_and_then_on_a_working_day() {
        let door = find(Kind::DoorContact);
        let seconds = (0..24 * 3600).filter(|second| door_is_open(&door, TUESDAY + second * 1000)).count();
        assert!((300..30_000).contains(&seconds), "{seconds}");
    }

    proptest! {
        #[test]
        fn readings_are_plausible_at_any_time(index in 0_usize..60, at_ms in 1_600_000_000_000_i64..2_000_000_000_000) {
            let sensor = &Building::plan(3, 60).sensors[index];
            for (key, value) in reading(sensor, Timestamp::from_millis(at_ms)) {
                let Some(number) = value.number() else { continue };
                let range = match key.as_str() {
                    "temperature" => -20.0..=45.0,
                    "humidity" => 0.0..=100.0,
                    "co2" => 380.0..=2_000.0,
                    "pressure" => 980.0..=1_045.0,
                    "power_kw" => 0.0..=60.0,
                    _ => 0.0..=10_000_000.0,
                };
                prop_assert!(range.contains(&number), "{key} = {number}");
            }
        }

        #[test]
        fn counters_never_run_backwards(index in 0_usize..60, at_ms in 1_600_000_000_000_i64..2_000_000_000_000, later in 0_i64..100_000_000) {
            let sensor = &Building::plan(3, 60).sensors[index];
            let before = reading(sensor, Timestamp::from_millis(at_ms));
            let after = reading(sensor, Timestamp::from_millis(at_ms + later));
            for key in ["energy_kwh", "volume_m3"] {
                if let (Some(before), Some(after)) = (before.get(key), after.get(key)) {
                    prop_assert!(after.number() >= before.number());
                }
            }
        }

        #[test]
        fn battery_is_between_empty_and_full(at_ms in 0_i64..4_000_000_000_000) {
            let battery = battery_percent(&find(Kind::DoorContact), Timestamp::from_millis(at_ms)).unwrap();
            prop_assert!((0.0..=100.0).contains(&battery));
        }
    }
}
