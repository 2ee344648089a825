//! One spot: how it is and was, its sensor, its settings.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::Timestamp;
use portico_model::parking::lot::{Level, Lot};
use portico_model::parking::sensor::{Reading, Sensor};
use portico_model::parking::spot::{Spot, SpotState};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// How it was, from when until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    pub from: Timestamp,
    /// Absent: it is so now.
    pub until: Option<Timestamp>,
    pub state: SpotState,
}

/// A spot and what this person may see about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpotView {
    pub spot: Spot,
    pub lot: Lot,
    /// Of its lot.
    pub levels: Vec<Level>,
    /// The newest first.
    pub readings: Vec<Reading>,
    /// Absent: this person may not see it.
    pub history: Option<Vec<Stay>>,
    pub sensor: Option<Sensor>,
}

/// A spot by what is written on it, with its history before a moment (milliseconds; empty: up to now).
#[server(name = GetSpot, prefix = "/sfn", endpoint = "parking/spot", input = GetUrl)]
pub async fn get_spot(id: String, #[server(default)] before: String) -> Result<SpotView, Failure> {
    use portico_model::identity::Permission;
    use portico_parking::{SensorQuery, WhichSensors};

    use crate::server::{actor, failed, parking};

    let (parking, actor) = (parking()?, actor()?);
    let (spot, readings) = parking.spot(&actor, &id).await.map_err(failed)?;
    let lot = parking.lot(&actor, spot.lot_id).await.map_err(failed)?;
    let levels = parking.levels(&actor, spot.lot_id).await.map_err(failed)?;
    let (mut history, mut sensor) = (None, None);
    if actor.may(Permission::ReadParking) {
        let before = before.parse().ok().map(Timestamp::from_millis);
        let periods = parking.spot_history(&actor, &id, before).await.map_err(failed)?;
        let stay =
            |period: portico_parking::Period| Stay { from: period.from, until: period.until, state: period.state };
        history = Some(periods.into_iter().map(stay).collect());
        let query =
            SensorQuery { which: WhichSensors::Placed, search: Some(spot.id.clone()), limit: Some(500), cursor: None };
        let near = parking.sensors(&actor, query).await.map_err(failed)?.items;
        sensor = near.into_iter().find(|sensor| sensor.spot_key == Some(spot.key));
    }
    Ok(SpotView { spot, lot, levels, readings, history, sensor })
}

impl Ask for GetSpot {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([("id", &self.id), ("before", &self.before)])
    }
}
