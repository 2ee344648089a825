//! What the former system's MQTT service offered devices over HTTP besides: their telemetry without an id in the path, and
//! where the broker is.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use portico_model::telemetry::parse_time;
use portico_model::{DeviceId, Problem, Timestamp};
use portico_platform::http::{Json, Path, Query};
use portico_platform::mqtt::TopicKind;
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::answers::{RangeSample, Submission};
use super::caller::ActiveDevice;
use super::check_content_type;
use super::telemetry::refusal;
use crate::{Devices, Known};

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryReceived)]
pub struct Received {
    message: &'static str,
    device_id: DeviceId,
    device_name: String,
    /// Of the first sample.
    timestamp: Timestamp,
    /// The database has it, whichever it is. The name is the former system's.
    stored_in_iotdb: bool,
}

async fn take(
    devices: &Devices,
    device: &std::sync::Arc<Known>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Timestamp> {
    check_content_type(headers)?;
    let now = devices.now();
    let samples = devices.read_payload(device, body, now).map_err(|problem| refusal(problem, body))?;
    let timestamp = samples.first().map_or(now, |sample| sample.ts);
    devices.submit(device, samples).await?;
    Ok(timestamp)
}

/// Store telemetry of the device whose key this is
///
/// The same as `POST /api/v1/telemetry`, under its older name.
#[utoipa::path(post, path = "/api/v1/devices/telemetry", tag = "telemetry", security(("api_key" = [])),
    request_body = Submission, responses(
    (status = 201, body = Received),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 413, body = Problem),
    (status = 503, body = Problem),
))]
pub async fn submit(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Received>)> {
    let timestamp = take(&devices, &device, &headers, &body).await?;
    let received = Received {
        message: "Telemetry data received successfully",
        device_id: device.id,
        device_name: device.name.clone(),
        timestamp,
        stored_in_iotdb: true,
    };
    Ok((StatusCode::CREATED, Json(received)))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OwnQuery {
    /// Samples, 1 to 1,000; absent: 100.
    limit: Option<i64>,
    /// `-1h`, `-30m`, `-7d`, `now`, ISO 8601, or seconds or milliseconds since 1970; absent: `-24h`.
    start_time: Option<String>,
    /// Only this key.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    key: Option<String>,
}

/// The newest samples of a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryOwnRange)]
pub struct OwnRange {
    status: &'static str,
    count: usize,
    telemetry: Vec<RangeSample>,
    limit: i64,
    /// As it was asked for.
    start_time: String,
}

/// The newest telemetry of the device whose key this is
#[utoipa::path(get, path = "/api/v1/devices/telemetry", tag = "telemetry", security(("api_key" = [])), params(OwnQuery), responses(
    (status = 200, body = OwnRange),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn range(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    Query(query): Query<OwnQuery>,
) -> Result<Json<OwnRange>> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    let start_time = query.start_time.unwrap_or_else(|| "-24h".to_owned());
    let now = devices.now();
    let from = parse_time(&start_time, now).map_err(|error| Error::field("start_time", error.to_string()))?;
    let keys: Vec<String> = query.key.into_iter().collect();
    let samples = devices.range_own(&device, from, now, &keys, limit).await?;
    let telemetry: Vec<RangeSample> = samples.into_iter().map(RangeSample::from).collect();
    Ok(Json(OwnRange { status: "success", count: telemetry.len(), telemetry, limit, start_time }))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryProcessed)]
pub struct Processed {
    status: &'static str,
    message: &'static str,
    device_id: DeviceId,
    device_name: String,
    #[schema(example = "devices/01a1fd01707275349933cdbe54b3fb79/telemetry")]
    topic: String,
    /// Of the first sample.
    timestamp: Timestamp,
}

/// Store telemetry of the device whose key and id these are
///
/// For devices of the former system that posted to its MQTT service over HTTP.
#[utoipa::path(post, path = "/api/v1/mqtt/telemetry/{id}", tag = "telemetry", security(("api_key" = [])),
    params(("id" = String, Path, description = "Id or hardware id")),
    request_body = Submission, responses(
    (status = 201, body = Processed),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 413, body = Problem),
    (status = 503, body = Problem),
))]
pub async fn submit_for_mqtt(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Processed>)> {
    if devices.resolve(device.organization, &id).await.ok() != Some(device.id) {
        return Err(Error::forbidden("device_mismatch", "Forbidden: device mismatch"));
    }
    let timestamp = take(&devices, &device, &headers, &body).await?;
    let topic = devices.topics()?.device(device.id, TopicKind::Telemetry);
    let processed = Processed {
        status: "success",
        message: "Telemetry data processed successfully",
        device_id: device.id,
        device_name: device.name.clone(),
        topic,
        timestamp,
    };
    Ok((StatusCode::CREATED, Json(processed)))
}

/// How to connect to the MQTT broker.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MqttCredentials {
    status: &'static str,
    credentials: MqttConnection,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MqttConnection {
    mqtt_host: String,
    mqtt_port: u16,
    client_id: String,
    username: String,
    /// Never: the key is the password.
    anonymous_connection: bool,
    authentication_note: &'static str,
    topics: MqttTopics,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MqttTopics {
    telemetry_publish: String,
    status_publish: String,
    commands_subscribe: String,
    config_subscribe: String,
}

/// Where the broker is, and the device's topics (never its key)
#[utoipa::path(get, path = "/api/v1/devices/mqtt-credentials", tag = "devices", security(("api_key" = [])), responses(
    (status = 200, body = MqttCredentials),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn mqtt_credentials(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
) -> Result<Json<MqttCredentials>> {
    let (mqtt_host, mqtt_port) = devices.broker_address();
    let topics = devices.topics()?;
    let topic = |kind| topics.device(device.id, kind);
    let credentials = MqttConnection {
        mqtt_host,
        mqtt_port,
        client_id: device.id.to_string(),
        username: device.id.to_string(),
        anonymous_connection: false,
        authentication_note: "User name and client id are the device's id, the password is its API key.",
        topics: MqttTopics {
            telemetry_publish: topic(TopicKind::Telemetry),
            status_publish: topic(TopicKind::Status),
            commands_subscribe: topic(TopicKind::Command),
            config_subscribe: topic(TopicKind::Desired),
        },
    };
    Ok(Json(MqttCredentials { status: "success", credentials }))
}
