//! Makes a car park known over REST, as a person would do it: what is there already stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portico_model::devices::NewDevice;
use portico_model::parking::lot::{Level, Lot, LotSettings};
use portico_model::parking::sensor::Sensor;
use portico_model::parking::spot::{Grid, SensorType, Spot, SpotSettings};
use portico_model::{LotId, Page};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::plan::{LevelPlan, LotPlan, Mounting, Purpose};
use crate::api::{Api, ApiError};

/// How often it looks for sensors that have not been heard yet, and how long.
const LOOK_EVERY: Duration = Duration::from_millis(400);
const LOOKS: usize = 150;

#[derive(Deserialize)]
struct Lots {
    lots: Vec<Lot>,
}

#[derive(Deserialize)]
struct Levels {
    levels: Vec<Level>,
}

#[derive(Deserialize)]
struct Spots {
    spots: Vec<Spot>,
}

/// The lot with its levels and spots.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn lot(api: &Api, plan: &LotPlan) -> Result<LotId, ApiError> {
    const PATH: &str = "/api/v1/parking/lots";
    let known = get::<Lots>(api, PATH).await?.lots.into_iter().find(|lot| lot.name == plan.name);
    let lot = match known {
        Some(lot) => lot.id,
        None => {
            let settings = LotSettings {
                name: plan.name.clone(),
                address: plan.address.clone(),
                latitude: Some(plan.latitude),
                longitude: Some(plan.longitude),
                stale_after_minutes: plan.stale_after_minutes,
                ..LotSettings::default()
            };
            read::<Lot>(PATH, api.post(PATH, &body(&settings)).await?)?.id
        }
    };
    let path = format!("{PATH}/{lot}/levels");
    let levels = get::<Levels>(api, &path).await?.levels;
    let spots = spots(api, lot).await?;
    let mut is_new = false;
    for level_plan in &plan.levels {
        let level = match levels.iter().find(|level| level.name == level_plan.name) {
            Some(level) => level.id,
            None => {
                let (name, position, clearance_cm) = (&level_plan.name, level_plan.position, level_plan.clearance_cm);
                let new = json!({ "name": name, "position": position, "clearance_cm": clearance_cm });
                read::<Level>(&path, api.post(&path, &new).await?)?.id
            }
        };
        if !spots.iter().any(|spot| spot.level_id == level) {
            api.post(&format!("/api/v1/parking/levels/{level}/spots"), &body(&grid(level_plan))).await?;
            is_new = true;
        }
    }
    if is_new {
        // Those that were there before are as people want them.
        let before: BTreeSet<String> = spots.into_iter().map(|spot| spot.id).collect();
        mark(api, plan, lot, &before).await?;
    }
    Ok(lot)
}

/// Says which spots are accessible, and which have a charger.
async fn mark(api: &Api, plan: &LotPlan, lot: LotId, before: &BTreeSet<String>) -> Result<(), ApiError> {
    let spots = spots(api, lot).await?;
    for spot_plan in plan.spots() {
        let (is_accessible, is_ev) = (spot_plan.purpose == Purpose::Accessible, spot_plan.purpose == Purpose::Charging);
        let spot = spots.iter().find(|spot| spot.id == spot_plan.id && !before.contains(&spot.id));
        let Some(spot) = spot.filter(|_| is_accessible || is_ev).cloned() else { continue };
        let path = format!("/api/v1/spots/{}", spot.id);
        let settings = SpotSettings {
            id: spot.id,
            level_id: Some(spot.level_id),
            location: spot.location,
            zone: spot.zone,
            sensor_type: spot.sensor_type,
            is_accessible,
            is_ev,
            size: Some(spot.size),
            clearance_cm: spot.clearance_cm,
            is_disabled: spot.is_disabled,
            tariff_id: spot.tariff_id,
            ..SpotSettings::default()
        };
        api.call(Method::PUT, &path, Some(&body(&settings))).await?;
    }
    Ok(())
}

fn grid(level: &LevelPlan) -> Grid {
    Grid {
        rows: level.rows,
        columns: level.columns,
        prefix: level.prefix.clone(),
        first: 1,
        zone_letters: true,
        sensor_type: Some(SensorType::Ultrasonic),
    }
}

async fn spots(api: &Api, lot: LotId) -> Result<Vec<Spot>, ApiError> {
    Ok(get::<Spots>(api, &format!("/api/v1/spots?lot_id={lot}")).await?.spots)
}

/// Ids of spots that somebody has at the moment.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn reserved(api: &Api, lot: LotId) -> Result<BTreeSet<String>, ApiError> {
    let spots = get::<Spots>(api, &format!("/api/v1/spots?lot_id={lot}&status=reserved")).await?.spots;
    Ok(spots.into_iter().map(|spot| spot.id).collect())
}

/// All sensors by what they call themselves.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn sensors(api: &Api) -> Result<BTreeMap<String, Sensor>, ApiError> {
    let mut all = BTreeMap::new();
    let mut path = "/api/v1/parking/sensors?limit=500".to_owned();
    loop {
        let Page { items, next } = get::<Page<Sensor>>(api, &path).await?;
        all.extend(items.into_iter().map(|sensor: Sensor| (sensor.sensor_id.clone(), sensor)));
        let Some(next) = next else { return Ok(all) };
        path = format!("/api/v1/parking/sensors?limit=500&cursor={next}");
    }
}

/// Says at which spots the sensors stand, as they are heard. Sensors that people have placed or ignored, and spots that
/// have one, stay as they are.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn place(api: &Api, plan: &LotPlan) -> Result<(), ApiError> {
    let mut left = plan.spots();
    left.retain(|spot| spot.mounting != Mounting::Unplaced);
    for _ in 0..LOOKS {
        let known = sensors(api).await?;
        let taken: BTreeSet<&String> = known.values().filter_map(|sensor| sensor.spot_id.as_ref()).collect();
        let (here, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|spot| known.contains_key(&spot.sensor_id));
        for spot in &here {
            let Some(sensor) = known.get(&spot.sensor_id) else { continue };
            if sensor.spot_id.is_none() && !sensor.is_ignored && !taken.contains(&spot.id) {
                let path = format!("/api/v1/parking/sensors/{}", sensor.id);
                api.call(Method::PUT, &path, Some(&json!({ "spot_id": spot.id }))).await?;
            }
        }
        if later.is_empty() {
            return Ok(());
        }
        left = later;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tracing::info!(lot = plan.name, sensors = left.len(), "not all simulated sensors are heard");
    Ok(())
}

/// The gateway of that number of a lot.
pub fn gateway(plan: &LotPlan, seed: u64, number: usize, heartbeat: Duration) -> NewDevice {
    let letters: String = plan.name.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    NewDevice {
        name: format!("{} gateway {number}", plan.name),
        device_type: "parking_gateway".to_owned(),
        hardware_id: Some(format!("SIM-PARK-{seed:04}-{letters}-{number:02}").to_uppercase()),
        description: "Speaks for the spots' ultrasonic sensors".to_owned(),
        location: plan.name.clone(),
        firmware_version: "1.0.0".to_owned(),
        hardware_version: "ESP32".to_owned(),
        metadata: Some(json!({ "simulated": true })),
        heartbeat_interval_s: i64::try_from(heartbeat.as_secs()).ok().map(|seconds| seconds.max(1)),
    }
}

fn body<T: serde::Serialize>(of: &T) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

async fn get<T: DeserializeOwned>(api: &Api, path: &str) -> Result<T, ApiError> {
    read(path, api.call(Method::GET, path, None).await?)
}

fn read<T: DeserializeOwned>(path: &str, answer: Value) -> Result<T, ApiError> {
    serde_json::from_value(answer).map_err(|error| {
        tracing::warn!(%error, path, "the server answers in another form than expected");
        ApiError::Unexpected { path: path.to_owned(), missing: "what was asked for" }
    })
}
