//! Answers about telemetry and to devices, with the former system's names.

use std::collections::BTreeMap;

use portico_model::devices::DeviceStatus;
use portico_model::telemetry::{Sample, Value};
use portico_model::{DeviceId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::telemetry::AggregatedBucket;

/// Samples of a range, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryRange)]
pub struct Range {
    pub device_id: DeviceId,
    pub device_name: String,
    pub device_type: String,
    /// As it was asked for.
    pub start_time: String,
    pub count: usize,
    pub data: Vec<RangeSample>,
    /// The database has answered, whichever it is. The name is the former system's.
    pub postgres_available: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryRangeSample)]
pub struct RangeSample {
    timestamp: Timestamp,
    #[schema(example = json!({ "temperature": 21.5, "humidity": 48 }))]
    measurements: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<serde_json::Value>,
}

impl From<Sample> for RangeSample {
    fn from(sample: Sample) -> Self {
        Self { timestamp: sample.ts, measurements: sample.data, metadata: sample.metadata }
    }
}

/// The newest value of each key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryLatest)]
pub struct Latest {
    pub device_id: DeviceId,
    pub device_name: String,
    pub device_type: String,
    #[schema(example = json!({ "temperature": 21.5, "humidity": 48 }))]
    pub latest_data: BTreeMap<String, Value>,
    /// When each was measured.
    #[schema(example = json!({
        "temperature": "2026-03-02T08:15:30.000+00:00", "humidity": "2026-03-02T08:15:30.000+00:00"
    }))]
    pub timestamps: BTreeMap<String, Timestamp>,
    pub postgres_available: bool,
}

/// A key in windows, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryAggregated)]
pub struct Aggregated {
    pub device_id: DeviceId,
    pub device_name: String,
    pub device_type: String,
    pub field: String,
    pub aggregation: String,
    pub window: String,
    pub start_time: String,
    pub count: usize,
    pub data: Vec<AggregatedWindow>,
    pub postgres_available: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryAggregatedWindow)]
pub struct AggregatedWindow {
    /// Start of the window.
    timestamp: Timestamp,
    #[schema(example = 21.5)]
    value: f64,
    count: i64,
}

impl From<&AggregatedBucket> for AggregatedWindow {
    fn from(window: &AggregatedBucket) -> Self {
        Self { timestamp: window.ts, value: window.value, count: window.count }
    }
}

/// What to delete: both ends are included. For the description: numbers are taken for times too.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TelemetryDelete)]
#[allow(dead_code)]
pub struct DeleteRange {
    /// The forms of `start_time` in `GET /api/v1/telemetry/{id}`.
    #[schema(example = "-2h")]
    pub start_time: String,
    #[schema(example = "-1h")]
    pub stop_time: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TelemetryDeleted)]
pub struct Deleted {
    #[schema(example = "Telemetry data deleted for device Thermometer 2.07")]
    pub message: String,
    pub device_id: DeviceId,
    #[schema(example = "-2h")]
    pub start_time: String,
    #[schema(example = "-1h")]
    pub stop_time: String,
    /// How many points.
    #[schema(example = 60)]
    pub deleted: u64,
}

/// The forms of telemetry that `POST /api/v1/telemetry` takes. For the description: `model::telemetry::parse_payload`
/// reads the body, and keeps the good parts of one that has bad ones.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TelemetrySubmission)]
#[serde(untagged)]
#[allow(dead_code)]
pub enum Submission {
    One(SubmittedSample),
    Several(Vec<SubmittedSample>),
    Named { samples: Vec<SubmittedSample> },
}

/// Numbers, booleans and texts by key, with the time they were measured.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TelemetrySample)]
#[allow(dead_code)] // as above
pub struct SubmittedSample {
    #[schema(example = json!({ "temperature": 21.5, "humidity": 48, "door_open": false }))]
    pub data: BTreeMap<String, Value>,
    /// ISO 8601, or seconds or milliseconds since 1970; absent: now. `ts` is another name.
    #[schema(example = "2026-03-02T08:15:30Z")]
    pub timestamp: Option<String>,
    #[schema(example = json!({ "battery": 87 }))]
    pub metadata: Option<serde_json::Value>,
}

/// What the device is told to do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeviceConfiguration {
    pub status: &'static str,
    pub device_id: DeviceId,
    pub configuration: Configured,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Configured {
    pub heartbeat_interval_s: ConfiguredValue,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConfiguredValue {
    #[schema(example = 60)]
    pub value: i64,
    #[schema(example = "integer")]
    pub data_type: &'static str,
    pub updated_at: Timestamp,
}

/// Who a device is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeviceCredentials {
    pub status: &'static str,
    pub device: DeviceIdentity,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeviceIdentity {
    pub id: DeviceId,
    pub name: String,
    pub device_type: String,
    pub user_id: UserId,
    pub status: DeviceStatus,
    pub owner: DeviceOwner,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeviceOwner {
    pub username: String,
    pub user_id: UserId,
}
