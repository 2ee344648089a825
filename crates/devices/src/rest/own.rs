//! For the device itself, by its key.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use portico_model::devices::{DeviceChange, DeviceStatus};
use portico_model::{DeviceId, Problem, Timestamp};
use portico_platform::http::Json;
use portico_platform::secrets::hex;
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::{
    Configured, ConfiguredValue, DeviceConfiguration, DeviceCredentials, DeviceIdentity, DeviceOwner,
};
use super::caller::{ActiveDevice, ActiveKey, KeyHolder};
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
    (status = 200, body = DeviceConfiguration),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn config(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
) -> Result<Json<DeviceConfiguration>> {
    let device = devices.get_own(&device).await?;
    let heartbeat_interval_s =
        ConfiguredValue { value: device.heartbeat_interval_s, data_type: "integer", updated_at: device.updated_at };
    let configuration = Configured { heartbeat_interval_s };
    Ok(Json(DeviceConfiguration { status: "success", device_id: device.id, configuration }))
}

/// What a device may say of itself.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = DeviceOwnConfig)]
#[allow(dead_code)] // for the description; the former system reads the body more freely
pub struct OwnConfig {
    /// `active`, `inactive` or `maintenance`; another value is passed over.
    #[schema(example = "active")]
    status: String,
    location: Option<String>,
    firmware_version: Option<String>,
    hardware_version: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceConfigured)]
pub struct Configuration {
    #[schema(example = "Device configuration updated successfully")]
    message: &'static str,
    device: DeviceBody,
}

/// The device tells its place and versions, or takes itself out of use
#[utoipa::path(put, path = "/api/v1/devices/config", tag = "devices", security(("api_key" = [])),
    request_body = OwnConfig, responses(
    (status = 200, body = Configuration),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn set_config(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Configuration>> {
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
    Ok(Json(Configuration { message: "Device configuration updated successfully", device }))
}

/// Who the device is (never its key)
#[utoipa::path(get, path = "/api/v1/devices/credentials", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = DeviceCredentials),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn credentials(
    State(devices): State<Devices>,
    KeyHolder(device): KeyHolder,
) -> Result<Json<DeviceCredentials>> {
    let device = devices.get_own(&device).await?;
    let owner = DeviceOwner { username: device.owner_name, user_id: device.owner_id };
    let device = DeviceIdentity {
        id: device.id,
        name: device.name,
        device_type: device.device_type,
        user_id: device.owner_id,
        status: device.status,
        owner,
    };
    Ok(Json(DeviceCredentials { status: "success", device }))
}

/// What a device needs to know that a command comes from Portico.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceSigningKey, example = json!({
    "device_id": "0199a0000000700080000000000000ab", "key_id": "0c71cb94",
    "key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "grant_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "counter": 6, "time_ms": 1_795_226_400_000_i64
}))]
pub struct SigningKey {
    device_id: DeviceId,
    /// Stands in each command that is signed with this key.
    key_id: String,
    /// 32 bytes in hexadecimal: the key of the HMAC-SHA-256 of commands. Never shown to anyone else.
    key: String,
    /// 32 bytes in hexadecimal: the Ed25519 public key that signs Bluetooth grants.
    grant_key: String,
    /// Commands up to this counter are done with: a device that has lost its memory refuses them.
    counter: i64,
    /// What time it is, epoch milliseconds; for a device without another clock.
    time_ms: i64,
}

/// The key that the device's commands are signed with
///
/// It belongs to the API key that the device comes with: after a rotation it is another. docs/firmware.md says how a
/// device checks a command.
#[utoipa::path(get, path = "/api/v1/devices/signing-key", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = SigningKey),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn signing_key(
    State(devices): State<Devices>,
    ActiveKey(device, api_key): ActiveKey,
) -> Result<Json<SigningKey>> {
    let trust = devices.trust_of(&device, api_key).await?;
    Ok(Json(SigningKey {
        device_id: device.id,
        key: hex(&trust.signing.key),
        key_id: trust.signing.id,
        grant_key: hex(&trust.grant_key),
        counter: trust.counter,
        time_ms: trust.now.millis(),
    }))
}
