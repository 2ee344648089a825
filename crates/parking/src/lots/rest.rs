//! REST of lots and levels.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::parking::lot::{Level, LevelSettings, Lot, LotSettings};
use portico_model::{LotId, ParkingLevelId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::LotQuery;
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(levels, create_level))
        .routes(routes!(update_level, delete_level))
}

/// All of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Lots {
    lots: Vec<Lot>,
}

/// All of them, by position.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Levels {
    levels: Vec<Level>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct NearQuery {
    /// Degrees north: nearest first, from here; with `longitude`.
    #[param(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Degrees east.
    #[param(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Only lots that are not further away, metres.
    within_m: Option<f64>,
}

/// Lots, by name or by distance
#[utoipa::path(get, path = "/api/v1/parking/lots", tag = "parking", params(NearQuery), responses(
    (status = 200, body = Lots),
    (status = 400, body = Problem),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<NearQuery>,
) -> Result<Json<Lots>> {
    let near = match (query.latitude, query.longitude) {
        (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
        (None, None) => None,
        _ => return Err(portico_platform::Error::field("longitude", "latitude and longitude are given together")),
    };
    Ok(Json(Lots { lots: parking.lots(&actor, LotQuery { near, within_m: query.within_m }).await? }))
}

/// Add a lot
#[utoipa::path(post, path = "/api/v1/parking/lots", tag = "parking", request_body = LotSettings, responses(
    (status = 201, body = Lot),
    (status = 409, body = Problem, description = "`name_taken`, `too_many_lots`"),
))]
pub async fn create(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(settings): Json<LotSettings>,
) -> Result<(StatusCode, Json<Lot>)> {
    Ok((StatusCode::CREATED, Json(parking.create_lot(&actor, settings).await?)))
}

/// A lot
#[utoipa::path(get, path = "/api/v1/parking/lots/{id}", tag = "parking", params(("id" = LotId, Path)), responses(
    (status = 200, body = Lot),
))]
pub async fn get(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<LotId>) -> Result<Json<Lot>> {
    Ok(Json(parking.lot(&actor, id).await?))
}

/// Change a lot
///
/// All its settings: what is absent goes back to its default.
#[utoipa::path(put, path = "/api/v1/parking/lots/{id}", tag = "parking", request_body = LotSettings,
    params(("id" = LotId, Path)), responses(
    (status = 200, body = Lot),
    (status = 409, body = Problem, description = "`name_taken`"),
))]
pub async fn update(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<LotId>,
    Json(settings): Json<LotSettings>,
) -> Result<Json<Lot>> {
    Ok(Json(parking.update_lot(&actor, id, settings).await?))
}

/// Remove a lot
///
/// With its levels and spots.
#[utoipa::path(delete, path = "/api/v1/parking/lots/{id}", tag = "parking", params(("id" = LotId, Path)), responses(
    (status = 204),
    (status = 409, body = Problem, description = "`in_use`: somebody has a spot there"),
))]
pub async fn delete(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<LotId>) -> Result<StatusCode> {
    parking.delete_lot(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Levels of a lot
#[utoipa::path(get, path = "/api/v1/parking/lots/{id}/levels", tag = "parking", params(("id" = LotId, Path)), responses(
    (status = 200, body = Levels),
))]
pub async fn levels(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<LotId>) -> Result<Json<Levels>> {
    Ok(Json(Levels { levels: parking.levels(&actor, id).await? }))
}

/// Add a level to a lot
#[utoipa::path(post, path = "/api/v1/parking/lots/{id}/levels", tag = "parking", request_body = LevelSettings,
    params(("id" = LotId, Path)), responses(
    (status = 201, body = Level),
    (status = 409, body = Problem, description = "`name_taken`, `too_many_levels`"),
))]
pub async fn create_level(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<LotId>,
    Json(settings): Json<LevelSettings>,
) -> Result<(StatusCode, Json<Level>)> {
    Ok((StatusCode::CREATED, Json(parking.create_level(&actor, id, settings).await?)))
}

/// Change a level
#[utoipa::path(put, path = "/api/v1/parking/levels/{id}", tag = "parking", request_body = LevelSettings,
    params(("id" = ParkingLevelId, Path)), responses(
    (status = 200, body = Level),
    (status = 409, body = Problem, description = "`name_taken`"),
))]
pub async fn update_level(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingLevelId>,
    Json(settings): Json<LevelSettings>,
) -> Result<Json<Level>> {
    Ok(Json(parking.update_level(&actor, id, settings).await?))
}

/// Remove a level
///
/// With its spots.
#[utoipa::path(delete, path = "/api/v1/parking/levels/{id}", tag = "parking",
    params(("id" = ParkingLevelId, Path)), responses(
    (status = 204),
    (status = 409, body = Problem, description = "`in_use`: somebody has a spot there"),
))]
pub async fn delete_level(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingLevelId>,
) -> Result<StatusCode> {
    parking.delete_level(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
