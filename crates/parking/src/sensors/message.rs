//! What a sensor sends, read from JSON that anybody may have written.

use portico_model::Timestamp;
use portico_model::parking::sensor::{Reading, plausible};
use portico_model::telemetry::PayloadProblem;
use portico_model::telemetry::time::parse_time;
use serde_json::Value;

/// Longest name of a sensor, as in the former system.
const MAX_NAME: usize = 50;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Absent: the device itself is the sensor.
    pub sensor_id: Option<String>,
    pub reading: Reading,
    /// Where it says that it is.
    pub location: Option<String>,
    pub firmware_version: Option<String>,
    /// It came over the bridge for older firmware, which proves nothing of who sent it.
    pub is_bridged: bool,
}

fn problem(code: &'static str, message: impl Into<String>) -> PayloadProblem {
    PayloadProblem::new(code, message)
}

/// Reads a message. Of what is not needed, that which cannot be is left out.
///
/// # Errors
/// What is missing or no value of its kind.
pub fn read(body: &Value, received_at: Timestamp) -> Result<Message, PayloadProblem> {
    let sensor_id = match &body["sensor_id"] {
        Value::Null => None,
        Value::String(name) if is_name(name) => Some(name.clone()),
        _ => return Err(problem("invalid_sensor_id", format!("sensor_id: 1 to {MAX_NAME} printable characters"))),
    };
    let occupied = match &body["occupied"] {
        Value::Bool(occupied) => *occupied,
        Value::Null => return Err(problem("missing_occupied", "occupied is missing")),
        _ => return Err(problem("invalid_occupied", "occupied: true or false")),
    };
    let said = match body.get("timestamp").or_else(|| body.get("ts")) {
        None | Some(Value::Null) => None,
        // Firmware without a clock sends 0, or seconds since its start.
        Some(Value::Number(number)) => parse_time(&number.to_string(), received_at).ok(),
        Some(Value::String(text)) => match Timestamp::parse_iso(text.trim()) {
            Some(at) => Some(at),
            None => {
                return Err(problem("invalid_timestamp", "timestamp: ISO 8601, or seconds or milliseconds since 1970"));
            }
        },
        Some(_) => {
            return Err(problem("invalid_timestamp", "timestamp: ISO 8601, or seconds or milliseconds since 1970"));
        }
    };
    let number = |names: [&str; 2], least: f64, most: f64| {
        names.into_iter().find_map(|name| body[name].as_f64()).filter(|value| (least..=most).contains(value))
    };
    let text = |name: &str, longest: usize| {
        let text = body[name].as_str()?.trim();
        (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.chars().take(longest).collect())
    };
    Ok(Message {
        sensor_id,
        reading: Reading {
            at: plausible(said, received_at),
            occupied,
            distance_cm: number(["distance_cm", "distance"], 0.0, 100_000.0),
            battery_percent: number(["battery_level", "battery_percent"], 0.0, 100.0),
            rssi_dbm: number(["signal_strength", "rssi_dbm"], -200.0, 20.0),
        },
        location: text("location", 200),
        firmware_version: text("firmware_version", 20),
        is_bridged: body["bridged"] == Value::Bool(true),
    })
}

/// Printable ASCII: it stands in lists, logs and topics.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_226_400_000);

    #[test]
    fn message_of_existing_firmware_is_read_whatever_its_clock_says() {
        let body = |timestamp: Value| {
            json!({"sensor_id": "PARK_001", "location": "Level_1_Spot_A1", "timestamp": timestamp, "occupied": true,
                "distance_cm": 42.5, "battery_level": 85, "signal_strength": -60, "firmware_version": "1.0.0"})
        };
        let at = |timestamp| read(&body(timestamp), NOW).unwrap().reading.at.millis();
        assert_eq!(at(json!(1_795_226_000)), 1_795_226_000_000);
        assert_eq!(at(json!(1_795_226_000_500_i64)), 1_795_226_000_500);
        assert_eq!(at(json!("2026-11-21T01:00:00Z")), NOW.millis() - 3_600_000);
        assert_eq!([at(json!(0)), at(json!(-7)), at(json!(12_345)), at(Value::Null)], [NOW.millis(); 4]);
        let message = read(&body(json!(0)), NOW).unwrap();
        assert_eq!(message.sensor_id.as_deref(), Some("PARK_001"));
        assert_eq!((message.reading.battery_percent, message.reading.rssi_dbm), (Some(85.0), Some(-60.0)));
        assert_eq!(message.firmware_version.as_deref(), Some("1.0.0"));
    }

    #[test]
    fn what_cannot_be_is_told_or_left_out() {
        for (body, code) in [
            (json!({}), "missing_occupied"),
            (json!({"occupied": "yes"}), "invalid_occupied"),
            (json!({"occupied": true, "sensor_id": "a b"}), "invalid_sensor_id"),
            (json!({"occupied": true, "sensor_id": "x".repeat(51)}), "invalid_sensor_id"),
            (json!({"occupied": true, "timestamp": "yesterday"}), "invalid_timestamp"),
            (json!([1]), "missing_occupied"),
        ] {
            assert_eq!(read(&body, NOW).unwrap_err().code, code, "{body}");
        }
        let odd =
            read(&json!({"occupied": false, "battery_level": 400, "distance_cm": "near", "location": "\u{0}"}), NOW);
        let odd = odd.unwrap();
        assert_eq!((odd.reading.battery_percent, odd.reading.distance_cm, odd.location), (None, None, None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC*", number in any::<f64>()) {
            let _ = read(&json!({"occupied": true, "timestamp": text, "sensor_id": text, "location": text}), NOW);
            let _ = read(&json!({"occupied": false, "timestamp": number, "distance_cm": number}), NOW);
        }
    }
}
