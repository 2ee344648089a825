//! REST of sensors; `POST /api/v1/sensor-data` with the texts of the former system.

use axum::extract::State;
use axum::http::StatusCode;
use portico_devices::rest::Reader;
use portico_identity::Auth;
use portico_model::parking::sensor::Sensor;
use portico_model::{Page, ParkingSensorId, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{SensorQuery, Which};
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(list))
        .routes(routes!(place, delete))
        .routes(routes!(ignore))
}

/// A measurement, with the fields of the former system; others are of no effect.
#[derive(Debug, utoipa::ToSchema)]
#[schema(example = json!({
    "sensor_id": "PARK_001", "occupied": true, "timestamp": "2026-11-21T02:00:00Z", "distance_cm": 42.5,
    "battery_level": 85, "signal_strength": -60, "firmware_version": "1.0.0"
}))]
#[allow(dead_code)] // read from JSON by hand, for the texts of the former system
pub struct SensorData {
    /// At most 50 printable characters.
    sensor_id: String,
    occupied: bool,
    /// ISO 8601, or seconds or milliseconds since 1970; a time that cannot be counts as now.
    timestamp: Value,
    /// Centimetres.
    distance_cm: Option<f64>,
    /// Percent.
    battery_level: Option<f64>,
    /// dBm.
    signal_strength: Option<f64>,
    firmware_version: Option<String>,
    location: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"status": "success", "spot_id": "PARK_001", "occupied": true, "status_changed": true}))]
pub struct SensorAnswer {
    status: &'static str,
    /// What is written on the sign of its spot; `null`: the sensor has none yet and waits in the list of new ones.
    spot_id: Option<String>,
    /// As believed now.
    occupied: bool,
    status_changed: bool,
}

/// Report what a sensor sees
///
/// A device speaks for its own sensors; people and services need `operate_parking`.
#[utoipa::path(post, path = "/api/v1/sensor-data", tag = "parking", request_body = SensorData,
    security(("api_key" = []), ("bearer" = [])), responses(
    (status = 200, body = SensorAnswer),
    (status = 409, body = Problem, description = "`sensor_of_another`, `too_many_new_sensors`"),
))]
pub async fn report(
    State(parking): State<Parking>,
    Reader(actor): Reader,
    Json(body): Json<Value>,
) -> Result<Json<SensorAnswer>> {
    if ["sensor_id", "occupied", "timestamp"].into_iter().any(|field| body[field].is_null()) {
        return Err(Error::invalid("missing_fields", "Missing required fields"));
    }
    let told = parking.report(&actor, &body).await?;
    Ok(Json(SensorAnswer {
        status: "success",
        spot_id: told.spot_id,
        occupied: told.occupied,
        status_changed: told.status_changed,
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those of this sort.
    #[param(inline)]
    which: Which,
    /// Part of its name, or of its spot's id.
    search: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
}

/// Sensors, by name
#[utoipa::path(get, path = "/api/v1/parking/sensors", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Page<Sensor>),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Sensor>>> {
    let ListQuery { which, search, cursor, limit } = query;
    Ok(Json(parking.sensors(&actor, SensorQuery { which, search, cursor, limit }).await?))
}

/// Where a sensor stands.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"spot_id": "PARK_001"}))]
pub struct SensorPlace {
    /// What is written on the sign of the spot, or its key; `null`: at none.
    spot_id: Option<String>,
}

/// Say at which spot a sensor stands
///
/// The spot is from now on as the sensor says; another sensor of it loses it.
#[utoipa::path(put, path = "/api/v1/parking/sensors/{id}", tag = "parking", request_body = SensorPlace,
    params(("id" = ParkingSensorId, Path)), responses((status = 200, body = Sensor)))]
pub async fn place(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSensorId>,
    Json(place): Json<SensorPlace>,
) -> Result<Json<Sensor>> {
    Ok(Json(parking.place_sensor(&actor, id, place.spot_id.as_deref()).await?))
}

/// Remove a sensor without a spot
///
/// With what it measured. If it reports again, it is a new one.
#[utoipa::path(delete, path = "/api/v1/parking/sensors/{id}", tag = "parking",
    params(("id" = ParkingSensorId, Path)), responses(
    (status = 204),
    (status = 409, body = Problem, description = "`sensor_has_spot`"),
))]
pub async fn delete(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSensorId>,
) -> Result<StatusCode> {
    parking.delete_sensor(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether it is listed among the new ones.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"ignored": true}))]
pub struct Ignoring {
    ignored: bool,
}

/// Take a sensor off the list of new ones, or put it back
#[utoipa::path(put, path = "/api/v1/parking/sensors/{id}/ignored", tag = "parking", request_body = Ignoring,
    params(("id" = ParkingSensorId, Path)), responses(
    (status = 200, body = Sensor),
    (status = 409, body = Problem, description = "`sensor_has_spot`"),
))]
pub async fn ignore(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSensorId>,
    Json(ignoring): Json<Ignoring>,
) -> Result<Json<Sensor>> {
    Ok(Json(parking.ignore_sensor(&actor, id, ignoring.ignored).await?))
}
