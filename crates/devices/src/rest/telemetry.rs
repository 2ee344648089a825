//! Telemetry in, and how long it is kept.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use portico_identity::{Auth, MaybeAuth};
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, Problem, Timestamp};
use portico_platform::http::{Json, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::answers::Submission;
use super::caller::ActiveDevice;
use super::check_content_type;
use crate::{Devices, RetentionRule};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Stored {
    message: &'static str,
    device_id: DeviceId,
    device_name: String,
    /// Of the first sample.
    timestamp: Timestamp,
    /// The database has it, whichever it is. The name is the former system's.
    stored_in_postgres: bool,
    /// Samples taken; what was wrong with others is in the device's problems.
    samples: usize,
}

/// Store telemetry
///
/// One object `{"data": {key: number, boolean or text}, "timestamp"?, "metadata"?}`, an array of them, or
/// `{"samples": [...]}`. The answer comes after the commit. The same sample again changes nothing.
#[utoipa::path(post, path = "/api/v1/telemetry", tag = "telemetry", security(("api_key" = [])),
    request_body = Submission, responses(
    (status = 201, body = Stored),
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
) -> Result<(StatusCode, Json<Stored>)> {
    check_content_type(&headers)?;
    let samples = devices.read_payload(&device, &body, devices.now()).map_err(|problem| refusal(problem, &body))?;
    let timestamp = samples.first().map_or_else(|| devices.now(), |sample| sample.ts);
    let count = samples.len();
    devices.submit(&device, samples).await?;
    let stored = Stored {
        message: "Telemetry data stored successfully",
        device_id: device.id,
        device_name: device.name.clone(),
        timestamp,
        stored_in_postgres: true,
        samples: count,
    };
    Ok((StatusCode::CREATED, Json(stored)))
}

pub(super) fn refusal(problem: PayloadProblem, body: &Bytes) -> Error {
    let nothing = matches!(body.trim_ascii(), b"" | b"{}" | b"[]" | b"null");
    match problem.code {
        "payload_too_large" => Error::too_large(problem.code, problem.message),
        _ if nothing => Error::invalid("no_data", "No data provided"),
        "no_data" => Error::invalid("no_data", "Telemetry data is required"),
        "bad_time" => Error::invalid("bad_time", "Invalid timestamp format. Use ISO 8601 format."),
        code => Error::invalid(code, problem.message),
    }
}

/// Whether telemetry can be stored and read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryServiceStatus)]
pub struct ServiceStatus {
    postgres_available: bool,
    #[schema(example = "SQLite")]
    backend: &'static str,
    /// `healthy` or `unavailable`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// For those who are signed in.
    #[schema(example = 24)]
    #[serde(skip_serializing_if = "Option::is_none")]
    total_devices: Option<i64>,
}

/// Whether telemetry can be stored and read
#[utoipa::path(get, path = "/api/v1/telemetry/status", tag = "telemetry", security((), ("bearer" = [])), responses(
    (status = 200, body = ServiceStatus),
))]
pub async fn service_status(
    State(devices): State<Devices>,
    MaybeAuth(actor): MaybeAuth,
) -> Result<Json<ServiceStatus>> {
    let available = devices.database_answers().await;
    // How many devices there are is nobody's business who has not signed in.
    let total_devices = match actor.filter(|_| available) {
        Some(actor) => Some(devices.counts(&actor).await?.total),
        None => None,
    };
    Ok(Json(ServiceStatus {
        postgres_available: available,
        backend: devices.backend(),
        status: if available { "healthy" } else { "unavailable" },
        total_devices,
    }))
}

/// How long measurements are kept: the rules beside the configuration
#[utoipa::path(get, path = "/api/v1/telemetry/retention", tag = "telemetry", responses(
    (status = 200, body = Vec<RetentionRule>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn retention(State(devices): State<Devices>, Auth(actor): Auth) -> Result<Json<Vec<RetentionRule>>> {
    Ok(Json(devices.retention(&actor).await?))
}

/// Add a rule, or replace the one for the same device and key
#[utoipa::path(put, path = "/api/v1/telemetry/retention", tag = "telemetry", request_body = RetentionRule, responses(
    (status = 200, body = RetentionRule),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn set_retention(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(rule): Json<RetentionRule>,
) -> Result<Json<RetentionRule>> {
    devices.set_retention(&actor, &rule).await?;
    Ok(Json(rule))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RuleQuery {
    #[param(value_type = Option<String>)]
    device_id: Option<DeviceId>,
    key: Option<String>,
}

/// Remove a rule
#[utoipa::path(delete, path = "/api/v1/telemetry/retention", tag = "telemetry", params(RuleQuery), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete_retention(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(rule): Query<RuleQuery>,
) -> Result<StatusCode> {
    devices.delete_retention(&actor, rule.device_id, rule.key.as_deref().unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}
