//! Sensors: those that are new and wait for somebody to say where they stand, and all the others.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::parking::sensor::Sensor;
use portico_model::{Page, ParkingSensorId};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};
use crate::ui::{Glyph, Tone};

/// All that the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorsView {
    /// Without a spot, the first of them.
    pub fresh: Vec<Sensor>,
    /// Whether there are more of them.
    pub is_more: bool,
    /// Those that the filters ask for.
    pub found: Page<Sensor>,
    /// Spots without a sensor, for those who may place one.
    pub free_spots: Vec<String>,
}

#[cfg(feature = "ssr")]
const MOST_NEW: i64 = 25;
#[cfg(feature = "ssr")]
const MOST_SHOWN: i64 = 50;

/// New sensors, and a page of those that are asked for.
#[server(name = ListSensors, prefix = "/sfn", endpoint = "parking/sensors", input = GetUrl)]
pub async fn list_sensors(
    #[server(default)] which: String,
    #[server(default)] search: String,
    #[server(default)] cursor: String,
) -> Result<SensorsView, Failure> {
    use portico_model::identity::Permission;
    use portico_parking::{SensorQuery, SpotQuery, WhichSensors};

    use super::typed::given;
    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    let query = SensorQuery { which: WhichSensors::New, limit: Some(MOST_NEW), ..SensorQuery::default() };
    let fresh = parking.sensors(&actor, query).await.map_err(failed)?;
    let query = SensorQuery {
        which: match which.as_str() {
            "placed" => WhichSensors::Placed,
            "attention" => WhichSensors::Attention,
            "ignored" => WhichSensors::Ignored,
            _ => WhichSensors::All,
        },
        search: given(&search),
        cursor: given(&cursor),
        limit: Some(MOST_SHOWN),
    };
    let found = parking.sensors(&actor, query).await.map_err(failed)?;
    let mut free_spots = Vec::new();
    if actor.may(Permission::ManageParking) && !fresh.items.is_empty() {
        let (spots, _, _) = parking.spots(&actor, &SpotQuery::default()).await.map_err(failed)?;
        free_spots = spots.into_iter().filter(|spot| spot.sensor_id.is_none()).map(|spot| spot.id).take(500).collect();
    }
    Ok(SensorsView { fresh: fresh.items, is_more: fresh.next.is_some(), found, free_spots })
}

/// Says at which spot a sensor stands; an empty `spot_id`: at none.
#[server(name = PlaceSensor, prefix = "/sfn", endpoint = "parking/place_sensor")]
pub async fn place_sensor(id: ParkingSensorId, #[server(default)] spot_id: String) -> Result<Sensor, Failure> {
    use leptos::server_fn::ServerFn as _;

    use super::typed::{beside, given};
    use crate::server::{actor, failed, form_done, form_failed, parking};

    const PAGE: &str = "/parking/sensors";
    let text = id.to_string();
    let values = [("id", text.as_str()), ("spot_id", spot_id.as_str())];
    let refused = |failure| form_failed(PlaceSensor::PATH, PAGE, &values, beside(failure, "spot_not_found", "spot_id"));
    let spot = given(&spot_id).ok_or_else(|| refused(Failure::field("spot_id", "Choose a spot.")))?;
    let placed = parking()?.place_sensor(&actor()?, id, Some(&spot)).await;
    let sensor = placed.map_err(|error| refused(failed(error)))?;
    form_done(PlaceSensor::PATH, PAGE, &[]);
    Ok(sensor)
}

/// Takes a sensor away from its spot.
#[server(name = TakeSensorAway, prefix = "/sfn", endpoint = "parking/take_sensor_away")]
pub async fn take_sensor_away(id: ParkingSensorId) -> Result<Sensor, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    const PAGE: &str = "/parking/sensors";
    let refused = |error| form_failed(TakeSensorAway::PATH, PAGE, &[], failed(error));
    let sensor = parking()?.place_sensor(&actor()?, id, None).await.map_err(refused)?;
    form_done(TakeSensorAway::PATH, PAGE, &[]);
    Ok(sensor)
}

/// Takes a sensor off the list of new ones (`ignore` is `yes`), or puts it back.
#[server(name = IgnoreSensor, prefix = "/sfn", endpoint = "parking/ignore_sensor")]
pub async fn ignore_sensor(id: ParkingSensorId, #[server(default)] ignore: String) -> Result<Sensor, Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    const PAGE: &str = "/parking/sensors";
    let refused = |error| form_failed(IgnoreSensor::PATH, PAGE, &[], failed(error));
    let sensor = parking()?.ignore_sensor(&actor()?, id, ignore == "yes").await.map_err(refused)?;
    form_done(IgnoreSensor::PATH, PAGE, &[]);
    Ok(sensor)
}

/// Removes a sensor without a spot.
#[server(name = DeleteSensor, prefix = "/sfn", endpoint = "parking/delete_sensor")]
pub async fn delete_sensor(id: ParkingSensorId) -> Result<(), Failure> {
    use leptos::server_fn::ServerFn as _;

    use crate::server::{actor, failed, form_done, form_failed, parking};

    const PAGE: &str = "/parking/sensors";
    let refused = |error| form_failed(DeleteSensor::PATH, PAGE, &[], failed(error));
    parking()?.delete_sensor(&actor()?, id).await.map_err(refused)?;
    form_done(DeleteSensor::PATH, PAGE, &[]);
    Ok(())
}

/// What it last said, and whether it still says anything.
#[must_use]
pub const fn sensor_look(sensor: &Sensor) -> (Tone, Glyph, &'static str) {
    match sensor.occupied {
        _ if sensor.is_silent => (Tone::Attention, Glyph::Offline, "Silent"),
        Some(true) => (Tone::Neutral, Glyph::Car, "Occupied"),
        Some(false) => (Tone::Ok, Glyph::Check, "Free"),
        None => (Tone::Unknown, Glyph::Unknown, "Nothing yet"),
    }
}

/// `85 %`; empty when it does not say.
#[must_use]
pub fn battery_text(sensor: &Sensor) -> Option<String> {
    sensor.battery_percent.map(|percent| format!("{percent:.0}"))
}

/// `-60`, dBm.
#[must_use]
pub fn signal_text(sensor: &Sensor) -> Option<String> {
    sensor.rssi_dbm.map(|dbm| format!("{dbm:.0}"))
}

impl Ask for ListSensors {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("which", &self.which), ("search", &self.search), ("cursor", &self.cursor)])
    }
}
