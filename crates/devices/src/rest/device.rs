//! The registry, for people.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::{Auth, MaybeAuth};
use portico_model::devices::{Connection, DeviceChange, DeviceProblem, DeviceStatus};
use portico_model::identity::Permission;
use portico_model::{DeviceId, Page, Problem, Timestamp, UserId};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};

use super::{DeviceBody, Done, parse_user};
use crate::{DeviceCounts, DeviceQuery, Devices, Sort};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of the name, hardware id, type, location or id.
    search: Option<String>,
    status: Option<DeviceStatus>,
    connection: Option<Connection>,
    /// Only this person's devices.
    owner: Option<String>,
    /// `name` (default) or `created` (newest first).
    sort: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

impl ListQuery {
    pub(super) fn read(self) -> Result<DeviceQuery> {
        let sort = match self.sort.as_deref() {
            None | Some("name") => Sort::Name,
            Some("created") => Sort::Created,
            Some(_) => return Err(Error::field("sort", "name or created")),
        };
        Ok(DeviceQuery {
            search: self.search,
            status: self.status,
            connection: self.connection,
            owner: self.owner.as_deref().map(parse_user).transpose()?,
            sort,
            cursor: self.cursor,
            limit: self.limit,
        })
    }
}

/// Devices that the caller may see
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(ListQuery), responses(
    (status = 200, body = Page<DeviceBody>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<DeviceBody>>> {
    let page = devices.list(&actor, query.read()?).await?;
    Ok(Json(Page { items: page.items.into_iter().map(DeviceBody::from).collect(), next: page.next }))
}

/// How many devices the caller sees, by state
#[utoipa::path(get, path = "/api/v1/devices/counts", tag = "devices", responses(
    (status = 200, body = DeviceCounts),
    (status = 401, body = Problem),
))]
pub async fn counts(State(devices): State<Devices>, Auth(actor): Auth) -> Result<Json<DeviceCounts>> {
    Ok(Json(devices.counts(&actor).await?))
}

/// A device
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = DeviceBody),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<DeviceBody>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.get(&actor, id).await?.into()))
}

/// Change a device
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices", request_body = DeviceChange,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = DeviceBody),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn patch(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(change): Json<DeviceChange>,
) -> Result<Json<DeviceBody>> {
    change_device(&devices, &actor, &id, change).await
}

/// Change a device
///
/// The same as PATCH: absent fields stay.
#[utoipa::path(put, path = "/api/v1/devices/{id}", tag = "devices", request_body = DeviceChange,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = DeviceBody),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn put(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(change): Json<DeviceChange>,
) -> Result<Json<DeviceBody>> {
    change_device(&devices, &actor, &id, change).await
}

async fn change_device(devices: &Devices, actor: &Actor, id: &str, change: DeviceChange) -> Result<Json<DeviceBody>> {
    let id = devices.resolve(actor.organization, id).await?;
    Ok(Json(devices.update(actor, id, change).await?.into()))
}

/// Delete a device and what it measured
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(State(devices): State<Devices>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Done>> {
    let id = devices.resolve(actor.organization, &id).await?;
    let device = devices.delete(&actor, id).await?;
    let message = format!("Device {} deleted successfully", device.name);
    Ok(Json(Done { status: "success", message, device_id: id }))
}

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = DeviceKeyRotation)]
pub struct Rotation {
    /// How long the old key works on, seconds; absent: as configured. 0 ends it and its MQTT session at once.
    overlap_s: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = NewDeviceKey)]
pub struct NewKey {
    device_id: DeviceId,
    /// 32 base62 characters; shown this once.
    api_key: String,
}

/// Give a device a new key
#[utoipa::path(post, path = "/api/v1/devices/{id}/key", tag = "devices", request_body = Option<Rotation>,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = NewKey),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn rotate_key(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    body: Option<Json<Rotation>>,
) -> Result<Json<NewKey>> {
    let id = devices.resolve(actor.organization, &id).await?;
    let rotated = match body.and_then(|Json(rotation)| rotation.overlap_s) {
        Some(overlap_s) => devices.rotate_key_with_overlap(&actor, id, overlap_s).await?,
        None => devices.rotate_key(&actor, id).await?,
    };
    Ok(Json(NewKey { device_id: id, api_key: rotated.api_key }))
}

/// Take a device's keys away
///
/// It is refused, and its MQTT session ends, until it is given a new key.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/key", tag = "devices",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn revoke_keys(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let id = devices.resolve(actor.organization, &id).await?;
    devices.revoke_keys(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A device's bad payloads, newest first
#[utoipa::path(get, path = "/api/v1/devices/{id}/problems", tag = "devices",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Vec<DeviceProblem>),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn problems(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Vec<DeviceProblem>>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.problems(&actor, id).await?))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceStatusOf)]
pub struct StatusOf {
    status: &'static str,
    device: DeviceBody,
}

/// A device, as the former system showed it to its owner (without the key)
#[utoipa::path(get, path = "/api/v1/devices/{id}/status", tag = "devices",
    operation_id = "status_of",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = StatusOf),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn status(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<StatusOf>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(StatusOf { status: "success", device: devices.get(&actor, id).await?.into() }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OfUserQuery {
    /// `active`, `inactive` or `maintenance`; another value finds nothing.
    status: Option<String>,
    /// 1 to 1000; absent: 100.
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfUser {
    status: &'static str,
    user_id: UserId,
    username: String,
    /// All that fit the filter, on whichever page.
    total_devices: i64,
    devices: Vec<DeviceBody>,
    meta: OfUserMeta,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfUserMeta {
    limit: i64,
    offset: i64,
    returned: usize,
    at: Timestamp,
}

/// A person's devices
#[utoipa::path(get, path = "/api/v1/devices/user/{user_id}", tag = "devices", params(("user_id" = UserId, Path), OfUserQuery), responses(
    (status = 200, body = OfUser),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn of_user(
    State(devices): State<Devices>,
    MaybeAuth(actor): MaybeAuth,
    Path(user_id): Path<String>,
    Query(query): Query<OfUserQuery>,
) -> Result<Json<OfUser>> {
    let actor = actor.ok_or_else(|| Error::unauthenticated("authentication_required", "Authentication required"))?;
    let unknown = || Error::not_found("user_not_found", "User not found");
    let user: UserId = user_id.parse().map_err(|_| unknown())?;
    if actor.user_id() != Some(user) && !actor.may(Permission::ReadAllDevices) {
        return Err(Error::forbidden("not_your_devices", "Forbidden"));
    }
    let (username, _) = devices.owner_of(actor.organization, user).await?.ok_or_else(unknown)?;
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    let offset = query.offset.unwrap_or(0).max(0);
    let status = query.status.as_deref().map(DeviceStatus::parse);
    let (total, found) = match status {
        Some(None) => (0, Vec::new()),
        known => {
            let status = known.flatten();
            let total = devices.count_of(&actor, user, status).await?;
            (total, devices.list_by_offset(&actor, Some(user), status, limit, offset).await?)
        }
    };
    let meta = OfUserMeta { limit, offset, returned: found.len(), at: devices.now() };
    let devices = found.into_iter().map(DeviceBody::from).collect();
    Ok(Json(OfUser { status: "success", user_id: user, username, total_devices: total, devices, meta }))
}
