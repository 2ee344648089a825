//! Lots with levels of a thousand spots, and a sensor at each spot: those of the first lot behind gateways on MQTT, the
//! others told of over HTTP.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use portico_model::Page;
use portico_model::parking::sensor::Sensor;
use portico_simulator::{Api, noise};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::super::now_ms;
use crate::mqtt::Publisher;
use crate::server::{Prepared, Running, TestDevice, psql};
use crate::{http, load};

/// Spots of a level, and of the garage: as many sensors without a spot may wait.
pub const SPOTS: usize = 1_000;
const ROWS: usize = 20;
/// Sensors of a gateway, as in the simulated car parks.
const SENSORS: usize = 100;

const CONNECTIONS: usize = 16;

pub const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const QUARTER_MS: i64 = 900_000;
/// Quarters of an hour in a file of history: a month.
const QUARTERS: usize = 2_976;

/// One lot whose sensors speak over MQTT.
pub struct Garage {
    pub lot: String,
    pub gateways: Vec<Gateway>,
}

pub struct Gateway {
    device: TestDevice,
    pub words: Words,
}

/// What the sensors of a gateway say, one after the other; each has a second of its own in a past day, so that every
/// message is a new row and the newest of its sensor.
#[derive(Debug, Clone)]
pub struct Words {
    gateway: usize,
    /// What each said last.
    occupied: Vec<bool>,
    said: usize,
    at_ms: i64,
}

impl Words {
    fn new(gateway: usize, at_ms: i64) -> Self {
        Self { gateway, occupied: vec![false; SENSORS], said: 0, at_ms }
    }

    /// The next message; one in `change_in` says something else than the one before of its sensor.
    pub fn say(&mut self, change_in: u64) -> Vec<u8> {
        let sensor = self.said % SENSORS;
        if sensor == 0 {
            self.at_ms += 1_000;
        }
        let number = i64::try_from(self.said).unwrap_or(0);
        if noise::mix(11, self.gateway as u64, number).is_multiple_of(change_in) {
            self.occupied[sensor] = !self.occupied[sensor];
        }
        self.said += 1;
        let (code, occupied, at) = (self.code(sensor), self.occupied[sensor], self.at_ms);
        let distance_cm = if occupied { 40 } else { 250 };
        format!(
            r#"{{"type":"spot","sensor_id":"S-{code}","occupied":{occupied},"timestamp":{at},"distance_cm":{distance_cm},"battery_level":85,"signal_strength":-60}}"#
        )
        .into_bytes()
    }

    /// What is written on the sign of the spot at which a sensor stands.
    fn code(&self, sensor: usize) -> String {
        code(0, self.gateway * SENSORS + sensor)
    }
}

impl Gateway {
    pub async fn connect(&self, mqtt: &str) -> Result<Publisher> {
        Ok(Publisher::connect(mqtt, &self.device).await?.below("event"))
    }
}

impl Garage {
    /// A lot of 1,000 spots, all free; every word of a sensor counts at once.
    pub async fn make(server: &Running, api: &Api) -> Result<Self> {
        let lot = lot(api, "Bench garage").await?;
        level(api, &lot, 0).await?;
        let devices = server.devices(api, SPOTS / SENSORS, "gateway").await?;
        let at_ms = now_ms() - DAY_MS;
        let words = (0..).map(|gateway| Words::new(gateway, at_ms));
        let mut gateways: Vec<Gateway> =
            devices.into_iter().zip(words).map(|(device, words)| Gateway { device, words }).collect();
        for gateway in &mut gateways {
            let mut publisher = gateway.connect(&server.mqtt).await?;
            let (words, mut left) = (&mut gateway.words, 0..SENSORS);
            // Never another word than the one before: free.
            publisher.flood(super::WINDOW, || left.next().map(|_| words.say(u64::MAX))).await?;
        }
        place(server, api, 0).await?;
        Ok(Self { lot, gateways })
    }

    /// So many days of quarters of an hour until now, over the import.
    pub async fn add_year(&self, api: &Api, days: i64) -> Result<()> {
        let until = now_ms();
        let mut quarters = (until - days * DAY_MS..until).step_by(usize::try_from(QUARTER_MS)?).peekable();
        while quarters.peek().is_some() {
            let mut file = String::from("timestamp,lot,occupied,capacity\n");
            for at in quarters.by_ref().take(QUARTERS) {
                let usual = if (7..19).contains(&(at.rem_euclid(DAY_MS) / HOUR_MS)) { 700 } else { 150 };
                let occupied = usual + noise::mix(12, 0, at) % 200;
                // Writing to a text cannot fail.
                let _ = writeln!(file, "{at},{},{occupied},{SPOTS}", self.lot);
            }
            api.upload("/api/v1/parking/history", file.into_bytes()).await?;
        }
        Ok(())
    }

    /// The spots whose sensors said last that they are free.
    pub fn free(&self) -> Vec<String> {
        let words = self.gateways.iter().map(|gateway| &gateway.words);
        let free = words.flat_map(|words| {
            let free = words.occupied.iter().enumerate().filter(|(_, occupied)| !**occupied);
            free.map(|(sensor, _)| words.code(sensor)).collect::<Vec<_>>()
        });
        free.collect()
    }
}

/// Another lot of so many spots, all free.
pub async fn add_others(server: &Running, api: &Api, spots: usize) -> Result<()> {
    let lot = lot(api, "Bench lot").await?;
    let authorization = api.authorization().await?;
    for number in 1..=spots / SPOTS {
        level(api, &lot, number).await?;
        let at = now_ms();
        let words = (0..SPOTS).map(|spot| {
            let word = json!({ "sensor_id": sensor(number, spot), "occupied": false, "timestamp": at });
            let credential = ("Authorization", authorization.as_str());
            http::request("POST", "/api/v1/sensor-data", &server.http, credential, &word.to_string())
        });
        load::all(&server.http, CONNECTIONS, words.collect()).await.context("hearing of the sensors")?;
        place(server, api, number).await?;
    }
    Ok(())
}

/// As the server numbers the spots of a level.
fn code(level: usize, spot: usize) -> String {
    format!("B{level}-{:03}", spot + 1)
}

fn sensor(level: usize, spot: usize) -> String {
    format!("S-{}", code(level, spot))
}

async fn lot(api: &Api, name: &str) -> Result<String> {
    let settings = json!({ "name": name, "debounce_s": 0, "stale_after_minutes": 1_440, "low_battery_percent": 0 });
    made(api, "/api/v1/parking/lots", &settings).await
}

/// A level of 1,000 spots.
async fn level(api: &Api, lot: &str, number: usize) -> Result<()> {
    let new = json!({ "name": format!("B{number}"), "position": number });
    let level = made(api, &format!("/api/v1/parking/lots/{lot}/levels"), &new).await?;
    let grid = json!({ "rows": ROWS, "columns": SPOTS / ROWS, "prefix": format!("B{number}-"), "first": 1 });
    api.post(&format!("/api/v1/parking/levels/{level}/spots"), &grid).await.context("drawing the spots")?;
    Ok(())
}

async fn made(api: &Api, path: &str, body: &Value) -> Result<String> {
    let answer = api.post(path, body).await?;
    answer["id"].as_str().map(ToOwned::to_owned).with_context(|| format!("{path}: no id in {answer}"))
}

/// Says that the sensors that wait stand at the spots of a level.
async fn place(server: &Running, api: &Api, level: usize) -> Result<()> {
    let mut ids = HashMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/parking/sensors?which=new&limit=500{cursor}");
        let page: Page<Sensor> = serde_json::from_value(api.call(Method::GET, &path, None).await?)?;
        ids.extend(page.items.into_iter().map(|sensor| (sensor.sensor_id, sensor.id)));
        let Some(next) = page.next else { break };
        cursor = format!("&cursor={next}");
    }
    ensure!(ids.len() == SPOTS, "{} sensors of {SPOTS} were heard", ids.len());
    let authorization = api.authorization().await?;
    let mut requests = Vec::with_capacity(SPOTS);
    for spot in 0..SPOTS {
        let id = ids.get(&sensor(level, spot)).with_context(|| format!("no sensor {}", sensor(level, spot)))?;
        let (path, body) = (format!("/api/v1/parking/sensors/{id}"), json!({ "spot_id": code(level, spot) }));
        requests.push(http::request("PUT", &path, &server.http, ("Authorization", &authorization), &body.to_string()));
    }
    load::all(&server.http, CONNECTIONS, requests).await.context("placing the sensors")?;
    Ok(())
}

/// Measurements in the database.
pub async fn readings(prepared: &Prepared) -> Result<u64> {
    const COUNT: &str = "select count(*) from parking_reading";
    if let Some(url) = &prepared.database_url {
        return Ok(psql(url, COUNT).await?.trim().parse()?);
    }
    let options = SqliteConnectOptions::new().filename(prepared.data.join("portico.db")).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.context("opening the database")?;
    let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut database).await?;
    database.close().await?;
    Ok(u64::try_from(count)?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn said(words: &mut Words, change_in: u64, messages: usize) -> Vec<Value> {
        (0..messages).map(|_| serde_json::from_slice(&words.say(change_in)).unwrap()).collect()
    }

    #[test]
    fn every_message_is_another_reading_and_a_change_when_all_are() {
        let mut words = Words::new(3, 1_795_000_000_000);
        let said = said(&mut words, 1, 3 * SENSORS);
        let times: HashSet<_> =
            said.iter().map(|one| (one["sensor_id"].as_str().unwrap(), one["timestamp"].as_i64().unwrap())).collect();
        assert_eq!(times.len(), 3 * SENSORS);
        assert_eq!((&said[0]["sensor_id"], &said[0]["type"]), (&json!("S-B0-301"), &json!("spot")));
        let of_first: Vec<_> = said.iter().step_by(SENSORS).map(|one| one["occupied"].as_bool().unwrap()).collect();
        assert_eq!(of_first, [true, false, true]);
    }

    #[test]
    fn one_in_ten_is_a_change_and_what_was_said_last_is_known() {
        let mut words = Words::new(0, 1_795_000_000_000);
        let all = said(&mut words, 10, 100 * SENSORS);
        let changes = (SENSORS..all.len()).filter(|at| all[*at]["occupied"] != all[at - SENSORS]["occupied"]).count();
        assert!((850..1_150).contains(&changes), "{changes}");
        let last: Vec<_> = all[99 * SENSORS..].iter().map(|one| one["occupied"].as_bool().unwrap()).collect();
        assert_eq!(last, words.occupied);
        assert!(said(&mut words, u64::MAX, SENSORS).iter().zip(&last).all(|(one, last)| one["occupied"] == *last));
    }
}
