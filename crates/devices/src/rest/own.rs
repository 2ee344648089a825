//! For the device itself, by its key.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use portico_model::devices::{DeviceChange, DeviceStatus};
use portico_model::{DeviceId, Problem, Timestamp};
use portico_platform::http::Json;
use portico_platform::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::{ActiveDevice, KeyHolder};
use super::{DeviceBody, json_object};
use crate::Devices;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnStatus {
    status: &'static str,
    device: OwnDevice,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OwnDevice {
    #[serde(flatten)]
    device: DeviceBody,
    /// Numbers and booleans stored so far.
    telemetry_count: i64,
}

/// The device's own state
#[utoipa::path(get, path = "/api/v1/devices/status", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = OwnStatus),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn status(State(devices): State<Devices>, ActiveDevice(device): ActiveDevice) -> Result<Json<OwnStatus>> {
    let telemetry_count = devices.count_points(&device).await?;
    let device = devices.get_own(&device).await?.into();
    Ok(Json(OwnStatus { status: "success", device: OwnDevice { device, telemetry_count } }))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Heartbeat {
    message: &'static str,
    device_id: DeviceId,
    timestamp: Timestamp,
    status: &'static str,
}

/// The device is there
#[utoipa::path(post, path = "/api/v1/devices/heartbeat", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = Heartbeat),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn heartbeat(State(devices): State<Devices>, ActiveDevice(device): ActiveDevice) -> Result<Json<Heartbeat>> {
    let timestamp = devices.heartbeat(&device).await?;
    Ok(Json(Heartbeat { message: "Heartbeat received", device_id: device.id, timestamp, status: "online" }))
}

/// What the device is told to do
#[utoipa::path(get, path = "/api/v1/devices/config", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = serde_json::Value),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn config(State(devices): State<Devices>, ActiveDevice(device): ActiveDevice) -> Result<Json<Value>> {
    let device = devices.get_own(&device).await?;
    let heartbeat = json!({
        "value": device.heartbeat_interval_s, "data_type": "integer", "updated_at": device.updated_at,
    });
    let configuration = json!({"heartbeat_interval_s": heartbeat});
    Ok(Json(json!({"status": "success", "device_id": device.id, "configuration": configuration})))
}

/// The device tells its place and versions, or takes itself out of use
#[utoipa::path(put, path = "/api/v1/devices/config", tag = "devices", security(("api_key" = [])),
    request_body = serde_json::Value, responses(
    (status = 200, body = serde_json::Value),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn set_config(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>> {
    let object = json_object(&headers, &body)?;
    let Some(status) = object.get("status").and_then(Value::as_str) else {
        return Err(
            Error::field("status", "must not be empty").with_message("missing_fields", "Missing required fields")
        );
    };
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let change = DeviceChange {
        // Another value is passed over, as it always was.
        status: DeviceStatus::parse(status),
        location: text("location"),
        firmware_version: text("firmware_version"),
        hardware_version: text("hardware_version"),
        ..DeviceChange::default()
    };
    let device = DeviceBody::from(devices.update_own(&device, change).await?);
    Ok(Json(json!({"message": "Device configuration updated successfully", "device": device})))
}

/// Who the device is (never its key)
#[utoipa::path(get, path = "/api/v1/devices/credentials", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = serde_json::Value),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn credentials(State(devices): State<Devices>, KeyHolder(device): KeyHolder) -> Result<Json<Value>> {
    let device = devices.get_own(&device).await?;
    Ok(Json(json!({"status": "success", "device": {
        "id": device.id,
        "name": device.name,
        "device_type": device.device_type,
        "user_id": device.owner_id,
        "status": device.status,
        "owner": {"username": device.owner_name, "user_id": device.owner_id},
    }})))
}
