//! The locks and readers of a building, and who comes to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portico_model::DeviceId;
use portico_model::devices::NewDevice;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::people::{Person, people, visits};
use super::{Lock, Reader, Touch, Unit, UnitOptions};
use crate::api::{Api, ApiError};
use crate::state::{KnownDevice, StateFile};

/// A door with what belongs to it.
pub struct Door {
    pub name: String,
    pub location: String,
    pub lock: DeviceId,
    pub reader: DeviceId,
}

const DOORS: &[(&str, &str)] = &[
    ("Main entrance", "Ground floor"),
    ("Server room", "1st floor, room 1.09"),
    ("Lab", "1st floor, room 1.14"),
    ("Loading bay", "Ground floor, loading bay"),
    ("Boardroom", "3rd floor, room 3.01"),
    ("Archive", "Basement, room 0.03"),
];

/// Until a hand is on the handle, and until the door has fallen shut.
const AT_THE_DOOR: Duration = Duration::from_millis(1_500);

/// A lock and a reader at each of some doors.
pub struct Yard {
    pub doors: Vec<Door>,
    pub people: Vec<Person>,
    /// By the name of the device.
    pub units: BTreeMap<String, Unit>,
    seed: u64,
}

/// Where and how large.
pub struct YardOptions {
    pub api: Arc<Api>,
    pub unit: UnitOptions,
    pub seed: u64,
    pub doors: usize,
    pub people: usize,
    /// Where devices and keys are kept between runs.
    pub state_file: Option<PathBuf>,
}

impl Yard {
    /// Registers the devices and plugs them in; they run until `stop`.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn start(options: YardOptions, stop: &CancellationToken) -> Result<Self, ApiError> {
        let YardOptions { api, unit, seed, doors: count, people: heads, state_file } = options;
        let mut state = StateFile::load(state_file).await;
        let mut yard = Self { doors: Vec::new(), people: people(seed, heads, count), units: BTreeMap::new(), seed };
        for index in 0..count {
            let (place, location) = DOORS[index % DOORS.len()];
            let name =
                if index < DOORS.len() { place.to_owned() } else { format!("{place} {}", index / DOORS.len() + 1) };
            let mut ids = [DeviceId::nil(); 2];
            for (id, kind) in ids.iter_mut().zip(["lock", "reader"]) {
                let hardware_id = format!("SIM-{kind}-{seed:04}-{:02}", index + 1).to_uppercase();
                let known = match state.get(&hardware_id) {
                    Some(known) => known.clone(),
                    None => {
                        let new = registration(&name, location, kind, &hardware_id, unit.heartbeat);
                        let (id, api_key) = api.register(&new).await?;
                        let known = KnownDevice { id, api_key, history_until: None };
                        state.insert(&hardware_id, known.clone());
                        known
                    }
                };
                *id = known.id;
                let title = format!("{name} {kind}");
                let (api, options, stop) = (Arc::clone(&api), unit.clone(), stop.clone());
                let device = if kind == "lock" {
                    Unit::start(&title, Lock::default(), api, known, options, stop)
                } else {
                    Unit::start(&title, Reader::default(), api, known, options, stop)
                };
                yard.units.insert(title, device);
            }
            yard.doors.push(Door { name, location: location.to_owned(), lock: ids[0], reader: ids[1] });
        }
        if let Err(error) = state.save().await {
            tracing::warn!(%error, "the simulator's state cannot be written");
        }
        Ok(yard)
    }

    /// Lets people come and go, a building's day in the given time, until `stop`.
    pub async fn live(&self, day: Duration, stop: &CancellationToken) {
        if self.doors.is_empty() || self.people.is_empty() {
            return;
        }
        let mut first_day = 0;
        loop {
            let all = visits(self.seed.wrapping_add(first_day), &self.people, self.doors.len(), 28);
            let mut minute = 400;
            for visit in all {
                // Nights pass in a moment.
                let gap = (visit.minute - minute).clamp(0, 90);
                minute = visit.minute;
                let pause = day.mul_f64(f64::from(u32::try_from(gap).unwrap_or(0)) / 1_440.0);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                let Some(reader) = self.units.get(&format!("{} reader", self.doors[visit.door].name)) else { continue };
                reader.touch(Touch::Show { method: "rfid".to_owned(), value: visit.card }).await;
                tokio::time::sleep(AT_THE_DOOR).await;
                if reader.seen().face["last"]["granted"] == true {
                    reader.touch(Touch::Door { open: true }).await;
                    tokio::time::sleep(AT_THE_DOOR).await;
                    reader.touch(Touch::Door { open: false }).await;
                }
            }
            first_day += 28;
        }
    }

    /// All have said good-bye; `stop` was cancelled before.
    pub async fn wait(self) {
        for unit in self.units.into_values() {
            unit.wait().await;
        }
    }
}

fn registration(name: &str, location: &str, kind: &str, hardware_id: &str, heartbeat: Duration) -> NewDevice {
    NewDevice {
        name: format!("{name} {kind}"),
        device_type: kind.to_owned(),
        hardware_id: Some(hardware_id.to_owned()),
        description: if kind == "lock" { "Door lock".to_owned() } else { "Card and PIN reader".to_owned() },
        location: location.to_owned(),
        firmware_version: "1.0.0".to_owned(),
        hardware_version: "ESP32".to_owned(),
        metadata: Some(json!({ "simulated": true })),
        heartbeat_interval_s: i64::try_from(heartbeat.as_secs()).ok().map(|seconds| seconds.max(1)),
    }
}
