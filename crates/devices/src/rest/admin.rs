//! The former system's administration: for the admin token and for admins.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use portico_identity::{Auth, MaybeAuth};
use portico_model::devices::{Connection, DeviceChange, DeviceStatus};
use portico_model::identity::{Permission, Role};
use portico_model::{DeviceId, Problem, Timestamp};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Error, Principal, Result};
use serde::{Deserialize, Serialize};

use super::{DeviceBody, Done, json_object};
use crate::Devices;

/// The old list has no pages; beyond this `GET /api/v1/devices` is to be used.
const MOST_LISTED: i64 = 10_000;

/// The admin token, an admin, or a service that may manage every device.
pub struct Admin(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let MaybeAuth(actor) = MaybeAuth::from_request_parts(parts, state).await?;
        let actor = actor.ok_or_else(|| Error::unauthenticated("admin_token_required", "Admin token required"))?;
        match &actor.principal {
            Principal::AdminToken | Principal::System | Principal::User { role: Role::Admin, .. } => Ok(Self(actor)),
            Principal::Service { .. } if actor.may(Permission::ManageAllDevices) => Ok(Self(actor)),
            _ => Err(Error::forbidden("not_permitted", "Only admins may do this.")),
        }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AdminDevices {
    status: &'static str,
    #[schema(example = 24)]
    total_devices: i64,
    /// At most 10,000.
    devices: Vec<DeviceBody>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AdminDevice {
    status: &'static str,
    device: DeviceBody,
}

/// For the description: the body is read with the former system's texts.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = AdminNewStatus)]
#[allow(dead_code)]
pub struct NewStatus {
    status: DeviceStatus,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminStatusChanged)]
pub struct StatusChanged {
    status: &'static str,
    #[schema(example = "Device status updated from active to maintenance")]
    message: String,
    device_id: DeviceId,
    old_status: DeviceStatus,
    new_status: DeviceStatus,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AdminStats {
    status: &'static str,
    timestamp: Timestamp,
    device_stats: DeviceStats,
    #[schema(example = 24)]
    total_devices: i64,
}

/// How many devices there are in each state; only active ones count as online or offline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeviceStats {
    #[schema(example = 24)]
    total: i64,
    #[schema(example = 22)]
    active: i64,
    #[schema(example = 1)]
    inactive: i64,
    #[schema(example = 1)]
    maintenance: i64,
    #[schema(example = 20)]
    online: i64,
    #[schema(example = 2)]
    offline: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceStatuses)]
pub struct Statuses {
    status: &'static str,
    devices: Vec<StatusRow>,
    meta: StatusesMeta,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceStatusRow)]
pub struct StatusRow {
    id: DeviceId,
    name: String,
    device_type: String,
    status: DeviceStatus,
    is_online: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceStatusesMeta)]
pub struct StatusesMeta {
    total: i64,
    limit: i64,
    offset: i64,
}

async fn resolve(devices: &Devices, actor: &Actor, id: &str) -> Result<DeviceId> {
    devices.resolve(actor.organization, id).await
}

/// All devices
#[utoipa::path(get, path = "/api/v1/admin/devices", tag = "admin", responses(
    (status = 200, body = AdminDevices),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(State(devices): State<Devices>, Admin(actor): Admin) -> Result<Json<AdminDevices>> {
    let total_devices = devices.counts(&actor).await?.total;
    let found = devices.list_by_offset(&actor, None, None, MOST_LISTED, 0).await?;
    let devices = found.into_iter().map(DeviceBody::from).collect();
    Ok(Json(AdminDevices { status: "success", total_devices, devices }))
}

/// A device
#[utoipa::path(get, path = "/api/v1/admin/devices/{id}", tag = "admin",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = AdminDevice),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Json<AdminDevice>> {
    let id = resolve(&devices, &actor, &id).await?;
    Ok(Json(AdminDevice { status: "success", device: devices.get(&actor, id).await?.into() }))
}

/// Put a device into or out of use
#[utoipa::path(put, path = "/api/v1/admin/devices/{id}/status", tag = "admin", request_body = NewStatus,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = StatusChanged),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn set_status(
    State(devices): State<Devices>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<StatusChanged>> {
    let id = resolve(&devices, &actor, &id).await?;
    let object = json_object(&headers, &body)?;
    let Some(status) = object.get("status") else {
        return Err(Error::field("status", "must not be empty").with_message("missing_status", "Missing status"));
    };
    let Some(status) = status.as_str().and_then(DeviceStatus::parse) else {
        let wrong = Error::field("status", "Status must be active, inactive, or maintenance");
        return Err(wrong.with_message("invalid_status", "Invalid status"));
    };
    let before = devices.get(&actor, id).await?.status;
    devices.update(&actor, id, DeviceChange { status: Some(status), ..DeviceChange::default() }).await?;
    let message = format!("Device status updated from {} to {}", before.as_str(), status.as_str());
    Ok(Json(StatusChanged { status: "success", message, device_id: id, old_status: before, new_status: status }))
}

/// Delete a device and what it measured
#[utoipa::path(delete, path = "/api/v1/admin/devices/{id}", tag = "admin",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(State(devices): State<Devices>, Admin(actor): Admin, Path(id): Path<String>) -> Result<Json<Done>> {
    let id = resolve(&devices, &actor, &id).await?;
    let device = devices.delete(&actor, id).await?;
    let message = format!("Device {} deleted successfully", device.name);
    Ok(Json(Done { status: "success", message, device_id: id }))
}

/// How many devices there are, by state
#[utoipa::path(get, path = "/api/v1/admin/stats", tag = "admin", responses(
    (status = 200, body = AdminStats),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn stats(State(devices): State<Devices>, Admin(actor): Admin) -> Result<Json<AdminStats>> {
    let counts = devices.counts(&actor).await?;
    let online = devices.count_active_online(&actor).await?;
    Ok(Json(AdminStats {
        status: "success",
        timestamp: devices.now(),
        device_stats: DeviceStats {
            total: counts.total,
            active: counts.active,
            inactive: counts.inactive,
            maintenance: counts.maintenance,
            online,
            offline: counts.active - online,
        },
        total_devices: counts.total,
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct StatusesQuery {
    /// 1 to 1000; absent: 100.
    limit: Option<i64>,
    offset: Option<i64>,
}

/// The state of each device
#[utoipa::path(get, path = "/api/v1/admin/devices/statuses", tag = "admin", params(StatusesQuery), responses(
    (status = 200, body = Statuses),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn statuses(
    State(devices): State<Devices>,
    Admin(actor): Admin,
    Query(query): Query<StatusesQuery>,
) -> Result<Json<Statuses>> {
    list_statuses(&devices, &actor, &query).await
}

/// The state of each device that the caller sees
#[utoipa::path(get, path = "/api/v1/devices/statuses", tag = "devices", params(StatusesQuery), responses(
    (status = 200, body = Statuses),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn visible_statuses(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<StatusesQuery>,
) -> Result<Json<Statuses>> {
    list_statuses(&devices, &actor, &query).await
}

async fn list_statuses(devices: &Devices, actor: &Actor, query: &StatusesQuery) -> Result<Json<Statuses>> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    let offset = query.offset.unwrap_or(0).max(0);
    let total = devices.counts(actor).await?.total;
    let found = devices.list_by_offset(actor, None, None, limit, offset).await?;
    let devices = found
        .into_iter()
        .map(|device| StatusRow {
            is_online: device.connection == Connection::Online,
            id: device.id,
            name: device.name,
            device_type: device.device_type,
            status: device.status,
        })
        .collect();
    Ok(Json(Statuses { status: "success", devices, meta: StatusesMeta { total, limit, offset } }))
}
