//! Telemetry: values, ranges, aggregation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Timestamp};

pub mod payload;
pub mod time;

pub use payload::{ParsedPayload, PayloadLimits, PayloadProblem, parse_payload};
pub use time::{InvalidTime, parse_duration_ms, parse_time};

/// A measured value. In JSON a number, a boolean or a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Value {
    Boolean(bool),
    /// Finite.
    Number(f64),
    Text(String),
}

impl Value {
    #[must_use]
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Boolean(true) => Some(1.0),
            Self::Boolean(false) => Some(0.0),
            Self::Text(_) => None,
        }
    }
}

/// What one device measured at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Sample {
    pub ts: Timestamp,
    pub data: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}

/// New samples of a device, oldest first, as pushed over the websocket after the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TelemetryEvent {
    pub device_id: DeviceId,
    pub samples: Vec<Sample>,
}

/// The newest value of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct LatestValue {
    pub key: String,
    pub value: Value,
    pub ts: Timestamp,
}

/// How points of one bucket become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Aggregation {
    Mean,
    Sum,
    Min,
    Max,
    Count,
    First,
    Last,
    P50,
    P95,
}

impl Aggregation {
    pub const ALL: [Self; 9] =
        [Self::Mean, Self::Sum, Self::Min, Self::Max, Self::Count, Self::First, Self::Last, Self::P50, Self::P95];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::First => "first",
            Self::Last => "last",
            Self::P50 => "p50",
            Self::P95 => "p95",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|aggregation| aggregation.as_str() == text)
    }
}

/// One bucket of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Bucket {
    /// Start of the bucket.
    pub ts: Timestamp,
    pub count: i64,
    pub mean: f64,
    pub min: f64,
    pub max: f64,
    pub last: f64,
}

/// A key of one device over a time range, in as many buckets as a chart can show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct ChartSeries {
    pub key: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Width of a bucket, milliseconds.
    pub bucket_ms: i64,
    /// Oldest first; empty buckets are absent, so that gaps show as gaps.
    pub buckets: Vec<Bucket>,
}
