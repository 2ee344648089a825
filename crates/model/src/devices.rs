//! Devices: how they are described, and when one counts as online.

use serde::{Deserialize, Serialize};

use crate::telemetry::PayloadProblem;
use crate::{DeviceId, ProblemId, Timestamp, UserId};

/// What the owner has decided about a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum DeviceStatus {
    /// In use.
    Active,
    /// Registered but not in use: its messages are refused until it is activated.
    Inactive,
    /// Being worked on: its messages are refused.
    Maintenance,
}

impl DeviceStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Maintenance];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Maintenance => "maintenance",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Whether we hear from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Connection {
    /// Heard from within its deadline.
    Online,
    /// Said good-bye (last will) or missed its deadline.
    Offline,
    /// Never heard from.
    Never,
}

impl Connection {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Never => "never",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Online, Self::Offline, Self::Never].into_iter().find(|connection| connection.as_str() == text)
    }
}

/// A device as shown to those who may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Device {
    pub id: DeviceId,
    pub name: String,
    /// The id the device carries itself (printed on it); unique in the organisation.
    pub hardware_id: Option<String>,
    pub device_type: String,
    pub description: String,
    pub location: String,
    pub firmware_version: String,
    pub hardware_version: String,
    pub metadata: serde_json::Value,
    pub status: DeviceStatus,
    pub connection: Connection,
    /// What the device itself last complained of; empty when nothing.
    pub issue: String,
    pub battery_percent: Option<f64>,
    /// Received signal strength, dBm.
    pub rssi_dbm: Option<f64>,
    /// How often the device promises to be heard, seconds; silent for three times as long it counts as offline.
    pub heartbeat_interval_s: i64,
    pub last_seen_at: Option<Timestamp>,
    pub owner_id: UserId,
    pub owner_name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Heartbeats may be missed this often before a device counts as offline.
pub const MISSED_HEARTBEATS_ALLOWED: i64 = 3;

/// Grace beyond the missed heartbeats, milliseconds: a beat that is merely late on a slow network is no outage.
pub const HEARTBEAT_GRACE_MS: i64 = 3_000;

/// When a silent device counts as offline.
#[must_use]
pub const fn offline_deadline(last_seen: Timestamp, heartbeat_interval_s: i64) -> Timestamp {
    last_seen.plus_secs(heartbeat_interval_s.saturating_mul(MISSED_HEARTBEATS_ALLOWED)).plus_millis(HEARTBEAT_GRACE_MS)
}

/// A sampled bad payload: what came, and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct DeviceProblem {
    pub id: ProblemId,
    pub at: Timestamp,
    /// Stable, for programs: `not_json`, `time_out_of_range`, …
    pub code: String,
    pub message: String,
    /// The beginning of the payload, made printable.
    pub sample: String,
    /// How many of this code came since the one before was sampled, this one included.
    pub count: i64,
}

/// What a new device is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct NewDevice {
    pub name: String,
    pub device_type: String,
    #[serde(default)]
    pub hardware_id: Option<String>,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub location: String,
    #[serde(default)]
    pub firmware_version: String,
    #[serde(default)]
    pub hardware_version: String,
    #[serde(default)]
    pub metadata: Option<serde_json::Value>,
    /// Seconds, 1 to 86,400; absent: 60.
    #[serde(default)]
    pub heartbeat_interval_s: Option<i64>,
}

/// What to change; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct DeviceChange {
    pub name: Option<String>,
    pub device_type: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    pub firmware_version: Option<String>,
    pub hardware_version: Option<String>,
    pub metadata: Option<serde_json::Value>,
    pub heartbeat_interval_s: Option<i64>,
    pub status: Option<DeviceStatus>,
}

/// A device just registered, or whose key was just rotated. The key is shown this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct DeviceWithKey {
    pub device: Device,
    /// 32 base62 characters.
    pub api_key: String,
}

/// What a device tells of itself on its status topic; its last will says `offline`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatusReport {
    pub online: bool,
    /// `None`: as before. Empty: no longer anything.
    pub issue: Option<String>,
    pub battery_percent: Option<f64>,
    pub rssi_dbm: Option<f64>,
    pub firmware_version: Option<String>,
}

impl StatusReport {
    /// This report on top of an older one.
    #[must_use]
    pub fn over(self, older: Self) -> Self {
        Self {
            online: self.online,
            issue: self.issue.or(older.issue),
            battery_percent: self.battery_percent.or(older.battery_percent),
            rssi_dbm: self.rssi_dbm.or(older.rssi_dbm),
            firmware_version: self.firmware_version.or(older.firmware_version),
        }
    }
}

/// Longest status message, bytes.
pub const MAX_STATUS_BYTES: usize = 4096;

/// Reads a status message: `online` or `offline` as plain text, or an object
/// `{"status"?, "issue"?, "battery"?, "rssi"?, "firmware"?}`. An object without `status` means online; one that says
/// online and names no issue has none any more. Other fields are of no concern here.
///
/// # Errors
/// What is wrong with it.
pub fn parse_status(bytes: &[u8]) -> Result<StatusReport, PayloadProblem> {
    if bytes.len() > MAX_STATUS_BYTES {
        let message = format!("{} bytes sent, {MAX_STATUS_BYTES} allowed", bytes.len());
        return Err(PayloadProblem::new("payload_too_large", message));
    }
    match bytes.trim_ascii() {
        b"online" => return Ok(StatusReport { online: true, ..StatusReport::default() }),
        b"offline" => return Ok(StatusReport::default()),
        _ => {}
    }
    let json: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| PayloadProblem::new("not_json", format!("neither online, offline nor JSON: {error}")))?;
    let wrong =
        |field: &str, expected: &str| PayloadProblem::new("bad_status", format!("{field:?} must be {expected}"));
    let Some(fields) = json.as_object() else { return Err(wrong("status", "in an object")) };
    let present = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let online = match present("status").map(serde_json::Value::as_str) {
        None | Some(Some("online")) => true,
        Some(Some("offline")) => false,
        Some(_) => return Err(wrong("status", "online or offline")),
    };
    let text = |name: &str, longest: usize| match present(name) {
        None => Ok(None),
        Some(value) => match value.as_str().map(str::trim) {
            Some(text) if text.chars().count() <= longest && !text.contains(char::is_control) => {
                Ok(Some(text.to_owned()))
            }
            _ => Err(wrong(name, &format!("a text of at most {longest} characters"))),
        },
    };
    let number = |name: &str, least: f64, most: f64| match present(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(name, &format!("a number from {least} to {most}"))),
        },
    };
    let issue = text("issue", 200)?;
    Ok(StatusReport {
        online,
        issue: if online { issue.or(Some(String::new())) } else { issue },
        battery_percent: number("battery", 0.0, 100.0)?,
        // Noise lies near -174 dBm/Hz; nothing a device can receive is stronger than 100 dBm.
        rssi_dbm: number("rssi", -200.0, 100.0)?,
        firmware_version: text("firmware", 20)?.filter(|firmware| !firmware.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_missed_beats_and_the_grace_make_the_deadline() {
        let seen = Timestamp::from_millis(1_000_000);
        assert_eq!(offline_deadline(seen, 9).millis_since(seen), 30_000);
    }

    #[test]
    fn status_messages_are_read() {
        let online = StatusReport { online: true, ..StatusReport::default() };
        assert_eq!(parse_status(b"online\n"), Ok(online.clone()));
        assert_eq!(parse_status(b"offline"), Ok(StatusReport::default()));
        assert_eq!(parse_status(br#"{"status":"offline"}"#), Ok(StatusReport::default()));
        let quiet = StatusReport { issue: Some(String::new()), ..online };
        assert_eq!(parse_status(b"{}"), Ok(quiet));
        let full = parse_status(
            br#"{"status":"online","issue":"no power","battery":80,"rssi":-61.5,"firmware":"1.2","x":[]}"#,
        );
        assert_eq!(
            full,
            Ok(StatusReport {
                online: true,
                issue: Some("no power".into()),
                battery_percent: Some(80.0),
                rssi_dbm: Some(-61.5),
                firmware_version: Some("1.2".into()),
            })
        );
    }

    #[test]
    fn wrong_status_messages_are_told_apart() {
        for (text, code) in [
            ("", "not_json"),
            ("up", "not_json"),
            ("[]", "bad_status"),
            ("{\"status\":\"up\"}", "bad_status"),
            ("{\"status\":1}", "bad_status"),
            ("{\"battery\":101}", "bad_status"),
            ("{\"battery\":\"full\"}", "bad_status"),
            ("{\"rssi\":-300}", "bad_status"),
            ("{\"issue\":\"a\\u0000b\"}", "bad_status"),
            ("{\"firmware\":\"123456789012345678901\"}", "bad_status"),
        ] {
            assert_eq!(parse_status(text.as_bytes()).map_err(|problem| problem.code), Err(code), "{text:?}");
        }
        assert_eq!(parse_status(&[b' '; 5000]).map_err(|problem| problem.code), Err("payload_too_large"));
    }
}
