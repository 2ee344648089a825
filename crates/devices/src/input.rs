//! What people say about a device, checked once at the edge.

use portico_model::FieldError;
use portico_model::devices::{Device, DeviceChange, NewDevice};
use portico_platform::{Error, Result};
use serde_json::Value;

/// Seconds; a day at most.
const HEARTBEATS: std::ops::RangeInclusive<i64> = 1..=86_400;

const MAX_METADATA_BYTES: usize = 8 * 1024;

/// Collects what is wrong, so that a form shows all of it at once.
#[derive(Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// Notes a mistake.
    pub fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// A trimmed text of at most so many characters; every printable character is welcome.
    pub fn text(&mut self, field: &str, text: &str, longest: usize) -> String {
        let text = text.trim();
        if text.chars().count() > longest {
            self.problem(field, format!("at most {longest} characters"));
        } else if text.chars().any(|character| character.is_control() && character != '\n' && character != '\t') {
            self.problem(field, "no control characters");
        }
        text.to_owned()
    }

    /// As [`Check::text`], and not empty.
    pub fn required(&mut self, field: &str, text: &str, longest: usize) -> String {
        if text.trim().is_empty() {
            self.problem(field, "must not be empty");
        }
        self.text(field, text, longest)
    }

    fn hardware_id(&mut self, text: Option<&str>) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        let printable = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        if text.len() > 64 || !printable {
            self.problem("hardware_id", "1 to 64 letters, digits, '-', '_', '.' or ':'");
        } else if text.parse::<portico_model::DeviceId>().is_ok() || RESERVED.contains(&text) {
            self.problem("hardware_id", "must not look like an id of Portico");
        }
        Some(text.to_owned())
    }

    fn heartbeat(&mut self, seconds: i64) -> i64 {
        if !HEARTBEATS.contains(&seconds) {
            self.problem("heartbeat_interval_s", "1 to 86400 seconds");
        }
        seconds
    }

    fn metadata(&mut self, metadata: Value) -> Value {
        if metadata.is_null() {
            return Value::Object(serde_json::Map::new());
        }
        let text = metadata.to_string();
        if !metadata.is_object() || text.len() > MAX_METADATA_BYTES {
            self.problem("metadata", format!("an object of at most {MAX_METADATA_BYTES} bytes"));
        } else if text.contains("\\u0000") {
            self.problem("metadata", "no NUL characters");
        }
        metadata
    }

    /// The value, when nothing is wrong.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn done<T>(self, value: T) -> Result<T> {
        if self.0.is_empty() { Ok(value) } else { Err(Error::fields(self.0)) }
    }
}

/// Words that mean something else in the place of an id in a path.
const RESERVED: [&str; 15] = [
    "register",
    "status",
    "statuses",
    "heartbeat",
    "config",
    "commands",
    "credentials",
    "firmware",
    "shadow",
    "user",
    "counts",
    "telemetry",
    "mqtt-credentials",
    "query",
    "query.csv",
];

/// The checked form of a new device.
pub fn new_device(new: NewDevice, default_heartbeat_s: i64) -> Result<NewDevice> {
    let mut check = Check::default();
    let checked = NewDevice {
        name: check.required("name", &new.name, 100),
        device_type: check.required("device_type", &new.device_type, 50),
        hardware_id: check.hardware_id(new.hardware_id.as_deref()),
        description: check.text("description", &new.description, 1000),
        location: check.text("location", &new.location, 200),
        firmware_version: check.text("firmware_version", &new.firmware_version, 20),
        hardware_version: check.text("hardware_version", &new.hardware_version, 20),
        metadata: Some(check.metadata(new.metadata.unwrap_or_default())),
        heartbeat_interval_s: Some(check.heartbeat(new.heartbeat_interval_s.unwrap_or(default_heartbeat_s))),
    };
    check.done(checked)
}

/// The device with the change made.
pub fn changed(mut device: Device, change: DeviceChange) -> Result<Device> {
    let mut check = Check::default();
    if let Some(name) = change.name {
        device.name = check.required("name", &name, 100);
    }
    if let Some(device_type) = change.device_type {
        device.device_type = check.required("device_type", &device_type, 50);
    }
    if let Some(description) = change.description {
        device.description = check.text("description", &description, 1000);
    }
    if let Some(location) = change.location {
        device.location = check.text("location", &location, 200);
    }
    if let Some(version) = change.firmware_version {
        device.firmware_version = check.text("firmware_version", &version, 20);
    }
    if let Some(version) = change.hardware_version {
        device.hardware_version = check.text("hardware_version", &version, 20);
    }
    if let Some(metadata) = change.metadata {
        device.metadata = check.metadata(metadata);
    }
    if let Some(seconds) = change.heartbeat_interval_s {
        device.heartbeat_interval_s = check.heartbeat(seconds);
    }
    if let Some(status) = change.status {
        device.status = status;
    }
    check.done(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: &Error) -> Vec<&str> {
        error.field_errors().iter().map(|error| error.field.as_str()).collect()
    }

    #[test]
    fn ordinary_names_are_welcome() {
        let new = NewDevice {
            name: " Kid's room <update> & \"select\" ".into(),
            device_type: "sensor".into(),
            ..NewDevice::default()
        };
        let checked = new_device(new, 60).unwrap();
        assert_eq!(checked.name, "Kid's room <update> & \"select\"");
        assert_eq!(checked.heartbeat_interval_s, Some(60));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let new = NewDevice {
            name: " ".into(),
            device_type: "x".repeat(51),
            hardware_id: Some("a/b".into()),
            location: "\u{0}".into(),
            metadata: Some(serde_json::json!([1])),
            heartbeat_interval_s: Some(0),
            ..NewDevice::default()
        };
        let error = new_device(new, 60).unwrap_err();
        assert_eq!(
            fields(&error),
            ["name", "device_type", "hardware_id", "location", "metadata", "heartbeat_interval_s"]
        );
    }

    #[test]
    fn hardware_id_cannot_pass_for_one_of_ours() {
        for text in ["0193a0000000700080000000000000ab", "status", "register"] {
            let new = NewDevice {
                name: "n".into(),
                device_type: "t".into(),
                hardware_id: Some(text.into()),
                ..NewDevice::default()
            };
            assert_eq!(fields(&new_device(new, 60).unwrap_err()), ["hardware_id"], "{text}");
        }
    }
}
