//! Many series at once, as JSON and as CSV.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use portico_identity::Auth;
use portico_model::explore::{QueriedTelemetry, SeriesRef};
use portico_model::telemetry::{Aggregation, parse_duration_ms, parse_time};
use portico_model::{Problem, Timestamp};
use portico_platform::http::Json;
use portico_platform::{Error, Result};
use serde::Deserialize;

use crate::{Devices, TelemetryQuery};

/// For a width that is chosen.
const DEFAULT_WINDOWS: i64 = 600;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "series": [
        {"device_id": "0193a0000000700080000000000000ab", "key": "temperature"},
        {"device_id": "0193a0000000700080000000000000cd", "key": "temperature"},
    ],
    "start_time": "-24h", "aggregation": "mean", "window": "1h",
}))]
pub struct SeriesQuery {
    /// 1 to 50.
    series: Vec<SeriesRef>,
    /// `-1h`, `-30m`, `-7d`, `now`, ISO 8601, or seconds or milliseconds since 1970; absent: `-24h`.
    #[serde(default)]
    start_time: Option<String>,
    /// The same forms; absent: `now`.
    #[serde(default)]
    end_time: Option<String>,
    /// Absent: `mean`.
    #[serde(default)]
    aggregation: Option<Aggregation>,
    /// `30s`, `5m`, `1h`, `1d`, `1w`; absent or `auto`: chosen for the range, each value by itself when there are few.
    #[serde(default)]
    window: Option<String>,
    /// For a width that is chosen: about so many windows a series, 10 to 2,000; absent: 600.
    #[serde(default)]
    max_windows: Option<i64>,
}

fn time(devices: &Devices, field: &str, text: Option<&str>, default: &str) -> Result<Timestamp> {
    parse_time(text.unwrap_or(default), devices.now()).map_err(|error| Error::field(field, error.to_string()))
}

/// Many series over one range
///
/// Series of devices that are not there, or that the caller may not see, are named in `missing`.
#[utoipa::path(post, path = "/api/v1/telemetry/query", tag = "telemetry", request_body = SeriesQuery, responses(
    (status = 200, body = QueriedTelemetry),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn query(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(query): Json<SeriesQuery>,
) -> Result<Json<QueriedTelemetry>> {
    let window_ms = match query.window.as_deref() {
        None | Some("auto") => None,
        Some(window) => Some(
            parse_duration_ms(window)
                .map_err(|_| Error::field("window", "auto, or a whole number and s, m, h, d or w, such as 5m"))?,
        ),
    };
    let query = TelemetryQuery {
        from: time(&devices, "start_time", query.start_time.as_deref(), "-24h")?,
        to: time(&devices, "end_time", query.end_time.as_deref(), "now")?,
        series: query.series,
        aggregation: query.aggregation.unwrap_or(Aggregation::Mean),
        window_ms,
        max_windows: query.max_windows.unwrap_or(DEFAULT_WINDOWS).clamp(10, 2_000),
    };
    Ok(Json(devices.query(&actor, &query).await?))
}

/// Many series as CSV: every value
///
/// `timestamp,device_id,device_name,key,value`, series by series, oldest first. Series that the caller may not see are left out.
#[utoipa::path(get, path = "/api/v1/telemetry/query.csv", tag = "telemetry", params(
    ("series" = Vec<String>, Query, description = "`ID:key`, once for each series, 1 to 50",
        example = json!(["0193a0000000700080000000000000ab:temperature"])),
    ("start_time" = Option<String>, Query, description = "As in the query; absent: `-24h`"),
    ("end_time" = Option<String>, Query, description = "Absent: `now`"),
), responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn query_csv(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let (mut series, mut start, mut end) = (Vec::new(), None, None);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "series" => {
                let one = SeriesRef::parse(&value).ok_or_else(|| Error::field("series", "must be ID:key"))?;
                if !series.contains(&one) {
                    series.push(one);
                }
            }
            "start_time" => start = Some(value.into_owned()),
            "end_time" => end = Some(value.into_owned()),
            _ => {}
        }
    }
    let from = time(&devices, "start_time", start.as_deref(), "-24h")?;
    let to = time(&devices, "end_time", end.as_deref(), "now")?;
    Ok(csv_answer(devices.query_csv(&actor, &series, from, to).await?, "telemetry.csv"))
}

/// A file that is read while it is sent.
pub(super) fn csv_answer(rows: impl Stream<Item = Result<String>> + Send + 'static, name: &str) -> Response {
    let mut response = Body::from_stream(rows).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
