//! Telemetry out: by the device's own key, or by a person who sees the device.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use portico_identity::Auth;
use portico_model::telemetry::{Aggregation, ChartSeries, parse_duration_ms, parse_time};
use portico_model::{Problem, Timestamp};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::Deserialize;

use super::answers::{Aggregated, AggregatedWindow, DeleteRange, Deleted, Latest, Range, RangeSample};
use super::caller::Reader;
use super::{check_content_type, json_object};
use crate::{Devices, TelemetryKey};

/// A time of a query, in one of its names.
fn time(devices: &Devices, field: &str, text: Option<&str>, default: &str) -> Result<Timestamp> {
    parse_time(text.unwrap_or(default), devices.now()).map_err(|error| Error::field(field, error.to_string()))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// `-1h`, `-30m`, `-7d`, `-2w`, `-5s`, `now`, ISO 8601, or seconds or milliseconds since 1970; absent: `-1h`.
    #[serde(alias = "start", alias = "from")]
    start_time: Option<String>,
    /// The same forms; absent: `now`.
    #[serde(alias = "end", alias = "to", alias = "stop_time")]
    end_time: Option<String>,
    /// Samples, at most 10,000; absent: 1,000. Not for CSV, which is whole.
    limit: Option<i64>,
    /// Only these, separated by commas.
    #[serde(alias = "key", alias = "field", alias = "measurement")]
    keys: Option<String>,
    /// `csv`: `timestamp,key,value` instead of JSON.
    format: Option<String>,
}

/// A device's telemetry, newest first; `{id}.csv` or `format=csv` as CSV
#[utoipa::path(get, path = "/api/v1/telemetry/{id}", tag = "telemetry", security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "Id or hardware id; `.csv` behind it gives CSV"), RangeQuery), responses(
    (status = 200, body = Range),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn range(
    State(devices): State<Devices>,
    reader: Reader,
    Path(id): Path<String>,
    Query(query): Query<RangeQuery>,
) -> Result<Response> {
    let (id, as_csv) = match id.strip_suffix(".csv") {
        Some(id) => (id, true),
        None => (id.as_str(), query.format.as_deref() == Some("csv")),
    };
    let id = reader.device(&devices, id).await?;
    let from = time(&devices, "start_time", query.start_time.as_deref(), "-1h")?;
    let to = time(&devices, "end_time", query.end_time.as_deref(), "now")?;
    if as_csv {
        let rows = devices.csv(&reader.0, id, from, to).await?;
        let mut response = Body::from_stream(rows).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"telemetry-{id}.csv\"")) {
            headers.insert(header::CONTENT_DISPOSITION, name);
        }
        return Ok(response);
    }
    let limit = query.limit.unwrap_or(1_000);
    if limit < 0 {
        return Err(Error::field("limit", "0 to 10000"));
    }
    let keys: Vec<String> = query
        .keys
        .iter()
        .flat_map(|keys| keys.split(','))
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty())
        .collect();
    let device = devices.get(&reader.0, id).await?;
    let samples = devices.range(&reader.0, id, from, to, &keys, limit).await?;
    let data: Vec<RangeSample> = samples.into_iter().map(RangeSample::from).collect();
    let answer = Range {
        device_id: device.id,
        device_name: device.name,
        device_type: device.device_type,
        start_time: query.start_time.unwrap_or_else(|| "-1h".to_owned()),
        count: data.len(),
        data,
        postgres_available: true,
    };
    Ok(Json(answer).into_response())
}

/// The newest value of each key
#[utoipa::path(get, path = "/api/v1/telemetry/{id}/latest", tag = "telemetry", security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Latest),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "No such device, or nothing measured yet"),
))]
pub async fn latest(State(devices): State<Devices>, reader: Reader, Path(id): Path<String>) -> Result<Json<Latest>> {
    let id = reader.device(&devices, &id).await?;
    let (device, latest) = devices.latest_with_device(&reader.0, id).await?;
    if latest.is_empty() {
        let message = "No telemetry data found";
        return Err(Error::not_found("no_telemetry", message)
            .with_member("device_id", device.id.to_string())
            .with_member("device_name", device.name)
            .with_member("message", message)
            .with_member("postgres_available", true));
    }
    Ok(Json(Latest {
        device_id: device.id,
        device_name: device.name,
        device_type: device.device_type,
        timestamps: latest.iter().map(|latest| (latest.key.clone(), latest.ts)).collect(),
        latest_data: latest.into_iter().map(|latest| (latest.key, latest.value)).collect(),
        postgres_available: true,
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AggregatedQuery {
    /// The key; absent: `temperature`.
    #[serde(alias = "key")]
    field: Option<String>,
    /// `mean` (default), `sum`, `count`, `min`, `max`, `first`, `last`, `p50`, `p95`.
    aggregation: Option<String>,
    /// `30s`, `5m`, `1h` (default), `1d`, `1w`.
    window: Option<String>,
    /// Absent: `-24h`.
    #[serde(alias = "start", alias = "from")]
    start_time: Option<String>,
    /// Absent: `now`.
    #[serde(alias = "end", alias = "to", alias = "stop_time")]
    end_time: Option<String>,
}

/// A key in windows, newest first
#[utoipa::path(get, path = "/api/v1/telemetry/{id}/aggregated", tag = "telemetry", security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "Id or hardware id"), AggregatedQuery), responses(
    (status = 200, body = Aggregated),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn aggregated(
    State(devices): State<Devices>,
    reader: Reader,
    Path(id): Path<String>,
    Query(query): Query<AggregatedQuery>,
) -> Result<Json<Aggregated>> {
    let id = reader.device(&devices, &id).await?;
    let field = query.field.as_deref().unwrap_or("temperature");
    let name = query.aggregation.as_deref().unwrap_or("mean");
    let Some(aggregation) = Aggregation::parse(name) else {
        let functions: Vec<&str> = Aggregation::ALL.iter().map(|function| function.as_str()).collect();
        return Err(Error::invalid("invalid_aggregation", "Invalid aggregation function")
            .with_member("valid_functions", functions));
    };
    let window = query.window.as_deref().unwrap_or("1h");
    let window_ms = parse_duration_ms(window)
        .map_err(|_| Error::field("window", "a whole number and s, m, h, d or w, such as 5m"))?;
    let start_time = query.start_time.as_deref().unwrap_or("-24h");
    let from = time(&devices, "start_time", Some(start_time), "-24h")?;
    let to = time(&devices, "end_time", query.end_time.as_deref(), "now")?;
    let (device, windows) =
        devices.aggregated_with_device(&reader.0, id, field, aggregation, window_ms, from, to).await?;
    let data: Vec<AggregatedWindow> = windows.iter().rev().map(AggregatedWindow::from).collect();
    Ok(Json(Aggregated {
        device_id: device.id,
        device_name: device.name,
        device_type: device.device_type,
        field: field.to_owned(),
        aggregation: name.to_owned(),
        window: window.to_owned(),
        start_time: start_time.to_owned(),
        count: data.len(),
        data,
        postgres_available: true,
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    key: String,
    /// Absent: `-24h`.
    from: Option<String>,
    /// Absent: `now`.
    to: Option<String>,
    /// 10 to 2,000; absent: 600.
    buckets: Option<i64>,
}

/// A key over a range, in as many buckets as a chart can show
#[utoipa::path(get, path = "/api/v1/telemetry/{id}/chart", tag = "telemetry", security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "Id or hardware id"), ChartQuery), responses(
    (status = 200, body = ChartSeries),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn chart(
    State(devices): State<Devices>,
    reader: Reader,
    Path(id): Path<String>,
    Query(query): Query<ChartQuery>,
) -> Result<Json<ChartSeries>> {
    let id = reader.device(&devices, &id).await?;
    if query.key.is_empty() {
        return Err(Error::field("key", "must not be empty"));
    }
    let from = time(&devices, "from", query.from.as_deref(), "-24h")?;
    let to = time(&devices, "to", query.to.as_deref(), "now")?;
    Ok(Json(devices.chart(&reader.0, id, &query.key, from, to, query.buckets.unwrap_or(600)).await?))
}

/// The keys a device has sent
#[utoipa::path(get, path = "/api/v1/telemetry/{id}/keys", tag = "telemetry", security(("api_key" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Vec<TelemetryKey>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn keys(
    State(devices): State<Devices>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Json<Vec<TelemetryKey>>> {
    let id = reader.device(&devices, &id).await?;
    Ok(Json(devices.keys(&reader.0, id).await?))
}

/// Delete what a device measured from `start_time` to `stop_time`, both included
///
/// For people who may change the device; a device cannot delete its own history.
#[utoipa::path(delete, path = "/api/v1/telemetry/{id}", tag = "telemetry", request_body = DeleteRange,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Deleted),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Deleted>> {
    let id = devices.resolve(actor.organization, &id).await?;
    check_content_type(&headers)?;
    let required = || Error::invalid("range_required", "Request body required with start_time and stop_time");
    let object = json_object(&headers, &body).map_err(|_| required())?;
    let text =
        |name: &str| object.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
    let (Some(start), Some(stop)) = (text("start_time"), text("stop_time")) else {
        return Err(Error::invalid("range_required", "start_time and stop_time are required"));
    };
    let from = time(&devices, "start_time", Some(&start), "")?;
    let to = time(&devices, "stop_time", Some(&stop), "")?;
    let device = devices.get(&actor, id).await?;
    let deleted = devices.delete_range(&actor, id, from, to).await?;
    Ok(Json(Deleted {
        message: format!("Telemetry data deleted for device {}", device.name),
        device_id: id,
        start_time: start,
        stop_time: stop,
        deleted,
    }))
}
