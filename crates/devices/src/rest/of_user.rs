//! A person's telemetry, of all his devices.

use axum::extract::State;
use portico_identity::MaybeAuth;
use portico_model::identity::Permission;
use portico_model::telemetry::{Sample, Value, parse_time};
use portico_model::{DeviceId, Problem, Timestamp, UserId};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::Devices;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OfUserQuery {
    /// Values, 1 to 1,000; absent: 100.
    limit: Option<i64>,
    /// `-1h`, `-30m`, `-7d`, `-2w`, `-5s`, `now`, ISO 8601, or seconds or milliseconds since 1970; absent: `-24h`.
    #[serde(alias = "start", alias = "from")]
    start_time: Option<String>,
    /// The same forms; absent: `now`.
    #[serde(alias = "end", alias = "to", alias = "stop_time")]
    end_time: Option<String>,
}

/// The newest values of all devices of a person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TelemetryOfUser {
    status: &'static str,
    user_id: UserId,
    count: usize,
    /// All in the range.
    total_count: i64,
    limit: i64,
    telemetry: Vec<UserValue>,
    start_time: Timestamp,
    end_time: Timestamp,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryOfUserValue)]
pub struct UserValue {
    device_id: DeviceId,
    device_name: String,
    timestamp: Timestamp,
    #[schema(example = "temperature")]
    measurement_name: String,
    value: Value,
    metadata: Option<serde_json::Value>,
}

/// The newest telemetry of a person's devices
#[utoipa::path(get, path = "/api/v1/telemetry/user/{user_id}", tag = "telemetry",
    params(("user_id" = UserId, Path), OfUserQuery), responses(
    (status = 200, body = TelemetryOfUser),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn telemetry(
    State(devices): State<Devices>,
    MaybeAuth(actor): MaybeAuth,
    Path(user_id): Path<String>,
    Query(query): Query<OfUserQuery>,
) -> Result<Json<TelemetryOfUser>> {
    let actor = actor.ok_or_else(|| Error::unauthenticated("authentication_required", "Authentication required"))?;
    let unknown = || Error::not_found("user_not_found", "User not found");
    let user: UserId = user_id.parse().map_err(|_| unknown())?;
    if actor.user_id() != Some(user) && !actor.may(Permission::ReadAllDevices) {
        return Err(Error::forbidden("not_your_telemetry", "Forbidden"));
    }
    devices.owner_of(actor.organization, user).await?.ok_or_else(unknown)?;
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    let time = |field: &str, text: Option<&str>, default: &str| {
        parse_time(text.unwrap_or(default), devices.now()).map_err(|error| Error::field(field, error.to_string()))
    };
    let from = time("start_time", query.start_time.as_deref(), "-24h")?;
    let to = time("end_time", query.end_time.as_deref(), "now")?;
    let (samples, total) = devices.newest_of_owner(&actor, user, from, to, limit).await?;
    let most = usize::try_from(limit).unwrap_or(0);
    let rows: Vec<UserValue> = samples
        .into_iter()
        .flat_map(|(device_id, device_name, sample)| {
            let Sample { ts, data, metadata } = sample;
            data.into_iter().map(move |(measurement_name, value)| UserValue {
                device_id,
                device_name: device_name.clone(),
                timestamp: ts,
                measurement_name,
                value,
                metadata: metadata.clone(),
            })
        })
        .take(most)
        .collect();
    Ok(Json(TelemetryOfUser {
        status: "success",
        user_id: user,
        count: rows.len(),
        total_count: total,
        limit,
        telemetry: rows,
        start_time: from,
        end_time: to,
    }))
}
