//! The former system's administration: for the admin token and for admins.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use portico_identity::{Auth, MaybeAuth};
use portico_model::devices::{DeviceChange, DeviceStatus};
use portico_model::identity::{Permission, Role};
use portico_model::{DeviceId, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Error, Principal, Result};
use serde::Deserialize;
use serde_json::{Value, json};

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

async fn resolve(devices: &Devices, actor: &Actor, id: &str) -> Result<DeviceId> {
    devices.resolve(actor.organization, id).await
}

/// All devices
#[utoipa::path(get, path = "/api/v1/admin/devices", tag = "admin", responses(
    (status = 200, body = serde_json::Value),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(State(devices): State<Devices>, Admin(actor): Admin) -> Result<Json<Value>> {
    let total = devices.counts(&actor).await?.total;
    let found = devices.list_by_offset(&actor, None, None, MOST_LISTED, 0).await?;
    let bodies: Vec<DeviceBody> = found.into_iter().map(DeviceBody::from).collect();
    Ok(Json(json!({"status": "success", "total_devices": total, "devices": bodies})))
}

/// A device
#[utoipa::path(get, path = "/api/v1/admin/devices/{id}", tag = "admin",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = serde_json::Value),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(State(devices): State<Devices>, Admin(actor): Admin, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = resolve(&devices, &actor, &id).await?;
    let device = DeviceBody::from(devices.get(&actor, id).await?);
    Ok(Json(json!({"status": "success", "device": device})))
}

/// Put a device into or out of use
#[utoipa::path(put, path = "/api/v1/admin/devices/{id}/status", tag = "admin", request_body = serde_json::Value,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = serde_json::Value),
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
) -> Result<Json<Value>> {
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
    Ok(Json(json!({
        "status": "success", "message": message, "device_id": id, "old_status": before, "new_status": status,
    })))
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
    (status = 200, body = serde_json::Value),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn stats(State(devices): State<Devices>, Admin(actor): Admin) -> Result<Json<Value>> {
    let counts = devices.counts(&actor).await?;
    let online = devices.count_active_online(&actor).await?;
    Ok(Json(json!({
        "status": "success",
        "timestamp": devices.now(),
        "device_stats": {
            "total": counts.total,
            "active": counts.active,
            "inactive": counts.inactive,
            "maintenance": counts.maintenance,
            "online": online,
            "offline": counts.active - online,
        },
        "total_devices": counts.total,
    })))
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
    (status = 200, body = serde_json::Value),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn statuses(
    State(devices): State<Devices>,
    Admin(actor): Admin,
    Query(query): Query<StatusesQuery>,
) -> Result<Json<Value>> {
    list_statuses(&devices, &actor, &query).await
}

/// The state of each device that the caller sees
#[utoipa::path(get, path = "/api/v1/devices/statuses", tag = "devices", params(StatusesQuery), responses(
    (status = 200, body = serde_json::Value),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn visible_statuses(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<StatusesQuery>,
) -> Result<Json<Value>> {
    list_statuses(&devices, &actor, &query).await
}

async fn list_statuses(devices: &Devices, actor: &Actor, query: &StatusesQuery) -> Result<Json<Value>> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    let offset = query.offset.unwrap_or(0).max(0);
    let total = devices.counts(actor).await?.total;
    let found = devices.list_by_offset(actor, None, None, limit, offset).await?;
    let rows: Vec<Value> = found
        .into_iter()
        .map(DeviceBody::from)
        .map(|body| {
            json!({
                "id": body.device.id,
                "name": body.device.name,
                "device_type": body.device.device_type,
                "status": body.device.status,
                "is_online": body.is_online,
            })
        })
        .collect();
    Ok(Json(json!({
        "status": "success", "devices": rows, "meta": {"total": total, "limit": limit, "offset": offset},
    })))
}
