//! REST of groups of doors and of zones.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::door::{DoorGroup, DoorGroupSettings, Zone, ZoneSettings};
use portico_model::{DoorGroupId, Problem, ZoneId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rest::Forgotten;
use crate::Access;

pub fn routes() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(list_groups, create_group))
        .routes(routes!(get_group, update_group, delete_group))
        .routes(routes!(list_zones, create_zone))
        .routes(routes!(get_zone, update_zone, delete_zone))
        .routes(routes!(reset_zone))
}

/// All of them, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DoorGroups)]
pub struct Groups {
    groups: Vec<DoorGroup>,
}

/// All of them, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Zones {
    zones: Vec<Zone>,
}

/// Groups of doors, by name
#[utoipa::path(get, path = "/api/v1/door-groups", tag = "doors", responses(
    (status = 200, body = Groups),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list_groups(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Groups>> {
    Ok(Json(Groups { groups: access.door_groups(&actor).await? }))
}

/// Make a group of doors
#[utoipa::path(post, path = "/api/v1/door-groups", tag = "doors", request_body = DoorGroupSettings, responses(
    (status = 201, body = DoorGroup),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "The name is in use, or there are too many"),
    (status = 429, body = Problem),
))]
pub async fn create_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(settings): Json<DoorGroupSettings>,
) -> Result<(StatusCode, Json<DoorGroup>)> {
    Ok((StatusCode::CREATED, Json(access.save_door_group(&actor, None, settings).await?)))
}

/// A group of doors
#[utoipa::path(get, path = "/api/v1/door-groups/{id}", tag = "doors",
    params(("id" = DoorGroupId, Path)), responses(
    (status = 200, body = DoorGroup),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorGroupId>,
) -> Result<Json<DoorGroup>> {
    Ok(Json(access.door_group(&actor, id).await?))
}

/// Change a group of doors
///
/// All its settings: what is absent goes back to its default.
#[utoipa::path(put, path = "/api/v1/door-groups/{id}", tag = "doors", request_body = DoorGroupSettings,
    params(("id" = DoorGroupId, Path)), responses(
    (status = 200, body = DoorGroup),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The name is in use, or there are too many"),
    (status = 429, body = Problem),
))]
pub async fn update_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorGroupId>,
    Json(settings): Json<DoorGroupSettings>,
) -> Result<Json<DoorGroup>> {
    Ok(Json(access.save_door_group(&actor, Some(id), settings).await?))
}

/// Remove a group of doors
#[utoipa::path(delete, path = "/api/v1/door-groups/{id}", tag = "doors",
    params(("id" = DoorGroupId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete_group(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorGroupId>,
) -> Result<StatusCode> {
    access.delete_door_group(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Zones, by name
#[utoipa::path(get, path = "/api/v1/zones", tag = "doors", responses(
    (status = 200, body = Zones),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list_zones(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Zones>> {
    Ok(Json(Zones { zones: access.zones(&actor).await? }))
}

/// Make a zone
#[utoipa::path(post, path = "/api/v1/zones", tag = "doors", request_body = ZoneSettings, responses(
    (status = 201, body = Zone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "The name is in use, or there are too many"),
    (status = 429, body = Problem),
))]
pub async fn create_zone(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(settings): Json<ZoneSettings>,
) -> Result<(StatusCode, Json<Zone>)> {
    Ok((StatusCode::CREATED, Json(access.save_zone(&actor, None, settings).await?)))
}

/// A zone
#[utoipa::path(get, path = "/api/v1/zones/{id}", tag = "doors",
    params(("id" = ZoneId, Path)), responses(
    (status = 200, body = Zone),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get_zone(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<ZoneId>) -> Result<Json<Zone>> {
    Ok(Json(access.zone(&actor, id).await?))
}

/// Change a zone
///
/// All its settings: what is absent goes back to its default.
#[utoipa::path(put, path = "/api/v1/zones/{id}", tag = "doors", request_body = ZoneSettings,
    params(("id" = ZoneId, Path)), responses(
    (status = 200, body = Zone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The name is in use, or there are too many"),
    (status = 429, body = Problem),
))]
pub async fn update_zone(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<ZoneId>,
    Json(settings): Json<ZoneSettings>,
) -> Result<Json<Zone>> {
    Ok(Json(access.save_zone(&actor, Some(id), settings).await?))
}

/// Remove a zone
#[utoipa::path(delete, path = "/api/v1/zones/{id}", tag = "doors",
    params(("id" = ZoneId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete_zone(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<ZoneId>,
) -> Result<StatusCode> {
    access.delete_zone(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begin anti-passback anew in a zone
///
/// Everyone counts as outside.
#[utoipa::path(post, path = "/api/v1/zones/{id}/passback/reset", tag = "doors",
    params(("id" = ZoneId, Path)), responses(
    (status = 200, body = Forgotten),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn reset_zone(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<ZoneId>,
) -> Result<Json<Forgotten>> {
    Ok(Json(Forgotten { people: access.reset_zone(&actor, id).await? }))
}
