//! REST of spots; with the fields and counts of the former system, whose clients read them.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::parking::SpotCounts;
use portico_model::parking::sensor::Reading;
use portico_model::parking::spot::{Grid, Placement, Spot, SpotSettings, SpotSize, SpotStatus};
use portico_model::{LotId, ParkingLevelId, Problem, Timestamp};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query, Raw};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Imported, Period, SpotQuery};
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(available))
        .routes(routes!(get, update, delete))
        .routes(routes!(history))
        .routes(routes!(place, generate))
        .routes(routes!(import))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those of this lot.
    lot_id: Option<LotId>,
    /// Only those of this level.
    level_id: Option<ParkingLevelId>,
    /// Only those of levels of this name.
    #[param(example = "L1")]
    level: Option<String>,
    /// Only those of this zone.
    #[param(example = "A")]
    zone: Option<String>,
    /// Only those for people with a disability badge, or only others.
    is_accessible: Option<bool>,
    /// Only those with a charger, or only others.
    is_ev: Option<bool>,
    #[param(inline)]
    size: Option<SpotSize>,
    /// Height of the vehicle, centimetres: only spots that it fits in.
    height_cm: Option<i64>,
    /// Only those that are so now.
    #[param(inline)]
    status: Option<SpotStatus>,
    /// Part of the id, the location or the zone.
    search: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 50,000; absent: all.
    limit: Option<u32>,
}

impl ListQuery {
    fn read(self) -> SpotQuery {
        SpotQuery {
            lot: self.lot_id,
            level_id: self.level_id,
            level: self.level,
            zone: self.zone,
            is_accessible: self.is_accessible,
            is_ev: self.is_ev,
            size: self.size,
            height_cm: self.height_cm,
            status: self.status,
            search: self.search,
            cursor: self.cursor,
            limit: self.limit.map(|limit| usize::try_from(limit.max(1)).unwrap_or(usize::MAX)),
        }
    }
}

/// Spots, and how all that fit are; a spot that is occupied and reserved counts as both.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Spots {
    spots: Vec<Spot>,
    total_count: i64,
    available_count: i64,
    occupied_count: i64,
    reserved_count: i64,
    counts: SpotCounts,
    /// Absent on the last page.
    next: Option<String>,
}

/// Free spots.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AvailableSpots {
    available_spots: Vec<Spot>,
    /// Of all that fit, on whichever page.
    count: i64,
    next: Option<String>,
}

/// What a sensor measured, with the fields of the former system.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": 1_795_226_400_000_i64, "sensor_id": "PARK_001", "timestamp": "2026-11-21T02:00:00.000+00:00", "occupied": true,
    "distance_cm": 42.5, "battery_level": 85, "signal_strength": -60
}))]
pub struct SensorReading {
    /// Unique among those of its sensor.
    id: i64,
    sensor_id: String,
    timestamp: Timestamp,
    occupied: bool,
    /// Centimetres.
    distance_cm: Option<f64>,
    /// Percent.
    battery_level: Option<i64>,
    /// dBm.
    signal_strength: Option<i64>,
}

impl SensorReading {
    #[allow(clippy::cast_possible_truncation)] // within bounds that were checked
    fn of(spot: &Spot, reading: Reading) -> Self {
        let whole = |value: Option<f64>| value.map(|value| value.round() as i64);
        Self {
            id: reading.at.millis(),
            sensor_id: spot.sensor_id.clone().unwrap_or_default(),
            timestamp: reading.at,
            occupied: reading.occupied,
            distance_cm: reading.distance_cm,
            battery_level: whole(reading.battery_percent),
            signal_strength: whole(reading.rssi_dbm),
        }
    }
}

/// A spot with its newest measurements.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SpotWithReadings {
    spot: Spot,
    /// At most ten, the newest first.
    recent_sensor_data: Vec<SensorReading>,
}

/// Spots, by id
#[utoipa::path(get, path = "/api/v1/spots", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Spots),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Spots>> {
    let (spots, counts, next) = parking.spots(&actor, &query.read()).await?;
    Ok(Json(Spots {
        spots,
        total_count: counts.total,
        available_count: counts.available,
        occupied_count: counts.occupied,
        reserved_count: counts.reserved,
        counts,
        next,
    }))
}

/// Free spots, by id
///
/// Not occupied, not reserved at the moment, not disabled, and known to be so.
#[utoipa::path(get, path = "/api/v1/spots/available", tag = "parking", params(ListQuery), responses(
    (status = 200, body = AvailableSpots),
))]
pub async fn available(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<AvailableSpots>> {
    let query = SpotQuery { status: Some(SpotStatus::Available), ..query.read() };
    let (available_spots, counts, next) = parking.spots(&actor, &query).await?;
    Ok(Json(AvailableSpots { available_spots, count: counts.available, next }))
}

/// Add a spot
#[utoipa::path(post, path = "/api/v1/spots", tag = "parking", request_body = SpotSettings, responses(
    (status = 201, body = Spot),
    (status = 409, body = Problem, description = "`spot_id_taken`, `too_many_spots`"),
))]
pub async fn create(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(settings): Json<SpotSettings>,
) -> Result<(StatusCode, Json<Spot>)> {
    Ok((StatusCode::CREATED, Json(parking.create_spot(&actor, settings).await?)))
}

/// A spot with its newest measurements
#[utoipa::path(get, path = "/api/v1/spots/{spot_id}", tag = "parking",
    params(("spot_id" = String, Path, description = "What is written on its sign, or its key", example = "PARK_001")), responses(
    (status = 200, body = SpotWithReadings),
))]
pub async fn get(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<SpotWithReadings>> {
    let (spot, readings) = parking.spot(&actor, &id).await?;
    let recent_sensor_data = readings.into_iter().map(|reading| SensorReading::of(&spot, reading)).collect();
    Ok(Json(SpotWithReadings { spot, recent_sensor_data }))
}

/// Change a spot
///
/// All its settings: what is absent goes back to its default, but its level and its place on the plan.
#[utoipa::path(put, path = "/api/v1/spots/{spot_id}", tag = "parking", request_body = SpotSettings,
    params(("spot_id" = String, Path, example = "PARK_001")), responses(
    (status = 200, body = Spot),
    (status = 409, body = Problem, description = "`spot_id_taken`"),
))]
pub async fn update(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(settings): Json<SpotSettings>,
) -> Result<Json<Spot>> {
    Ok(Json(parking.update_spot(&actor, &id, settings).await?))
}

/// Remove a spot
///
/// Its sensor waits for another one.
#[utoipa::path(delete, path = "/api/v1/spots/{spot_id}", tag = "parking",
    params(("spot_id" = String, Path, example = "PARK_001")), responses(
    (status = 204),
    (status = 409, body = Problem, description = "`in_use`: somebody has it"),
))]
pub async fn delete(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<String>) -> Result<StatusCode> {
    parking.delete_spot(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Periods that began before this moment; absent: the newest.
    before: Option<Timestamp>,
}

/// At most 100, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct History {
    periods: Vec<Period>,
}

/// How a spot was
#[utoipa::path(get, path = "/api/v1/spots/{spot_id}/history", tag = "parking",
    params(("spot_id" = String, Path, example = "PARK_001"), HistoryQuery), responses(
    (status = 200, body = History),
))]
pub async fn history(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>> {
    Ok(Json(History { periods: parking.spot_history(&actor, &id, query.before).await? }))
}

/// Places of spots of a level.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Placements {
    /// 1 to 5,000.
    spots: Vec<Placement>,
}

/// Draw spots of a level elsewhere
#[utoipa::path(put, path = "/api/v1/parking/levels/{id}/spots", tag = "parking", request_body = Placements,
    params(("id" = ParkingLevelId, Path)), responses((status = 204)))]
pub async fn place(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingLevelId>,
    Json(places): Json<Placements>,
) -> Result<StatusCode> {
    parking.place_spots(&actor, id, &places.spots).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many were made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"spots": 48}))]
pub struct Generated {
    spots: usize,
}

/// Add rows of spots to an empty level
#[utoipa::path(post, path = "/api/v1/parking/levels/{id}/spots", tag = "parking", request_body = Grid,
    params(("id" = ParkingLevelId, Path)), responses(
    (status = 201, body = Generated),
    (status = 409, body = Problem, description = "`level_not_empty`, `spot_id_taken`, `too_many_spots`"),
))]
pub async fn generate(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingLevelId>,
    Json(grid): Json<Grid>,
) -> Result<(StatusCode, Json<Generated>)> {
    Ok((StatusCode::CREATED, Json(Generated { spots: parking.generate_spots(&actor, id, grid).await? })))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only tell what would come of it.
    dry_run: bool,
}

/// Add and change spots of a lot from a file
///
/// CSV (UTF-8, commas or semicolons) or XLSX (first sheet), at most as large as `http.body_limit_bytes` says. The first row
/// names the columns: `id`, `level`, and any of `zone`, `location`, `sensor_type`, `accessible`, `ev`, `size`,
/// `clearance_cm`, `disabled`. All rows or none.
#[utoipa::path(post, path = "/api/v1/parking/lots/{id}/import", tag = "parking", params(("id" = LotId, Path), ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"), responses(
    (status = 200, body = Imported),
    (status = 400, body = Problem, description = "The file cannot be read, or rows are wrong: `rows[3].size` is row 3"),
    (status = 409, body = Problem, description = "`too_many_spots`"),
))]
pub async fn import(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<LotId>,
    Query(query): Query<ImportQuery>,
    Raw(file): Raw,
) -> Result<Json<Imported>> {
    Ok(Json(parking.import_spots(&actor, id, &file, query.dry_run).await?))
}
