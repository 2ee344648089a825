//! Exploring: many series side by side, and the saved views of them.

use serde::{Deserialize, Serialize};

use crate::telemetry::Aggregation;
use crate::{DeviceId, SavedViewId, Timestamp, UserId};

/// Most series of one query or view.
pub const MAX_SERIES: usize = 50;

/// One key of one device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "device_id": "0193a0000000700080000000000000ab", "key": "temperature",
})))]
pub struct SeriesRef {
    pub device_id: DeviceId,
    pub key: String,
}

impl SeriesRef {
    /// As in addresses: `ID:key`.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}:{}", self.device_id, self.key)
    }

    /// Reads `ID:key`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, key) = text.split_once(':')?;
        let key = Some(key).filter(|key| !key.is_empty())?;
        Some(Self { device_id: id.parse().ok()?, key: key.to_owned() })
    }
}

/// A device with what can be drawn of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesChoice {
    pub device_id: DeviceId,
    pub name: String,
    pub location: String,
    pub metadata: serde_json::Value,
    pub keys: Vec<String>,
}

/// One value of a series: of a window, or as it came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct QueriedPoint {
    /// Start of the window, or the point's own time.
    pub ts: Timestamp,
    pub value: f64,
    /// Points in the window.
    pub count: i64,
}

/// One series over the range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct QueriedSeries {
    pub device_id: DeviceId,
    pub device_name: String,
    pub key: String,
    /// What the device's metadata says it is measured in; absent when it says nothing.
    pub unit: Option<String>,
    /// Oldest first; empty windows are absent.
    pub points: Vec<QueriedPoint>,
}

/// Many series over one range, in windows of one width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "from": "2026-11-21T01:00:00.000+00:00", "to": "2026-11-21T02:00:00.000+00:00", "aggregation": "mean",
    "window_ms": 300_000,
    "series": [{
        "device_id": "0193a0000000700080000000000000ab", "device_name": "Lobby thermometer", "key": "temperature",
        "unit": "°C", "points": [{"ts": "2026-11-21T01:00:00.000+00:00", "value": 21.5, "count": 5}],
    }],
    "missing": [],
})))]
pub struct QueriedTelemetry {
    pub from: Timestamp,
    pub to: Timestamp,
    pub aggregation: Aggregation,
    /// Width of the windows, milliseconds; 1: each point by itself.
    pub window_ms: i64,
    /// In the order asked for.
    pub series: Vec<QueriedSeries>,
    /// Of devices that are not there, or that the asker may not see.
    pub missing: Vec<SeriesRef>,
}

/// What a saved view shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "series": [{"device_id": "0193a0000000700080000000000000ab", "key": "temperature"}],
    "range": "24h", "aggregation": "mean", "window": "auto",
})))]
pub struct ViewDefinition {
    /// 1 to 50.
    pub series: Vec<SeriesRef>,
    /// How far back from now: `1h`, `24h`, `7d`, `30d`, or any whole number and `m`, `h`, `d` or `w`.
    pub range: String,
    pub aggregation: Aggregation,
    /// `auto`, or a whole number and `s`, `m`, `h`, `d` or `w`.
    pub window: String,
}

/// A saved view as shown to those who may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct SavedView {
    pub id: SavedViewId,
    pub name: String,
    /// Whether everyone in the organisation sees it. Each sees in it only the devices he may see anyway.
    pub shared: bool,
    pub owner_id: UserId,
    pub owner_name: String,
    pub definition: ViewDefinition,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a view is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Temperatures of the ground floor", "shared": true,
    "definition": {
        "series": [{"device_id": "0193a0000000700080000000000000ab", "key": "temperature"}],
        "range": "24h", "aggregation": "mean", "window": "auto",
    },
})))]
pub struct NewView {
    /// 1 to 100 characters; unique among its owner's views.
    pub name: String,
    #[serde(default)]
    pub shared: bool,
    pub definition: ViewDefinition,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_as_they_are_written() {
        let text = "0193a0000000700080000000000000ab:soil:moisture, deep";
        let series = SeriesRef::parse(text).unwrap();
        assert_eq!((series.key.as_str(), series.to_text().as_str()), ("soil:moisture, deep", text));
        for wrong in ["", ":key", "0193a0000000700080000000000000ab", "0193a0000000700080000000000000ab:", "x:y"] {
            assert_eq!(SeriesRef::parse(wrong), None, "{wrong}");
        }
    }
}
