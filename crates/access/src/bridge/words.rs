//! What the older firmware says and understands (`contracts.md` 1.5, 3.4 and 4.4). Pure.

use portico_model::Timestamp;
use portico_model::commands::Command;
use serde_json::{Value, json};

/// Topics that all devices of a kind write.
const FROM_DEVICES: &[&str] = &["smartlock/status", "door/access/request", "door/state", "door/system/status"];

/// Topics that it reads.
pub const TO_DEVICES: &[&str] = &["smartlock/commands", "door/access/response", "door/alerts", "door/users/sync"];

/// Longer payloads do not fit into its 256-byte packets.
const MAX_PAYLOAD: usize = 230;

/// Longest name of a device, a card: beyond it is nonsense.
const MAX_TEXT: usize = 100;

/// Of a parking sensor's message: the members that an event of a spot has too.
const OF_A_SPOT: &[&str] = &[
    "sensor_id",
    "occupied",
    "timestamp",
    "distance_cm",
    "battery_level",
    "signal_strength",
    "firmware_version",
    "location",
];

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Beat {
        state: Option<String>,
        rssi: Option<i64>,
    },
    Door {
        state: String,
    },
    Question {
        method: String,
        member: &'static str,
        value: Value,
    },
    /// What a parking sensor measured, as an event of its spot.
    Spot {
        event: Value,
    },
    /// It cannot measure.
    Fault {
        error: String,
    },
}

/// What goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub topic: &'static str,
    pub payload: String,
    /// What the device says when it has done it; `None`: it does not say.
    pub confirmed_by: Option<&'static str>,
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let is_plain = !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    is_plain.then(|| text.to_owned())
}

/// Whether older firmware writes there.
pub fn is_from_device(topic: &str) -> bool {
    FROM_DEVICES.contains(&topic) || parking_sensor(topic).is_some()
}

/// The sensor that a topic `parking/sensor/NAME/KIND` is of, and the kind of message.
fn parking_sensor(topic: &str) -> Option<(&str, &str)> {
    let (name, kind) = topic.strip_prefix("parking/sensor/")?.split_once('/')?;
    matches!(kind, "status" | "heartbeat" | "error").then_some((name, kind))
}

/// The name in the topic and that in the message must be the same.
fn of_parking_sensor(name: &str, kind: &str, message: &Value) -> Option<(String, Heard)> {
    let said = text(&message["sensor_id"]).filter(|said| said == name)?;
    let heard = match kind {
        "status" => {
            let kept = OF_A_SPOT.iter().filter_map(|member| Some(((*member).to_owned(), message.get(member)?.clone())));
            let mut event = Value::Object(kept.collect());
            event["type"] = json!("spot");
            event["bridged"] = json!(true);
            Heard::Spot { event }
        }
        "error" => Heard::Fault { error: text(&message["error"]).unwrap_or_default() },
        _ => Heard::Beat { state: None, rssi: None },
    };
    Some((said, heard))
}

/// Who speaks, and what it says; `None` when it cannot be read.
pub fn read(topic: &str, payload: &[u8]) -> Option<(String, Heard)> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    if let Some((name, kind)) = parking_sensor(topic) {
        return of_parking_sensor(name, kind, &message);
    }
    let heard = match topic {
        "smartlock/status" => return Some((text(&message["device"])?, smart_lock(&message))),
        "door/access/request" => question(&message)?,
        "door/state" => match message["state"].as_str()? {
            state @ ("open" | "closed") => Heard::Door { state: state.to_owned() },
            state @ ("locked" | "unlocked") => Heard::Beat { state: Some(state.to_owned()), rssi: None },
            _ => return None,
        },
        "door/system/status" => Heard::Beat { state: None, rssi: message["wifi_rssi"].as_i64() },
        _ => return None,
    };
    Some((text(&message["device_id"])?, heard))
}

/// The bolt is in whichever of the two fields says `Locked` or `Unlocked`: heartbeats write `Online` over the one, and
/// after a command both have it.
fn smart_lock(message: &Value) -> Heard {
    let bolt = |field: &str| match message[field].as_str() {
        Some("Locked") => Some("locked"),
        Some("Unlocked") => Some("unlocked"),
        Some("Unknown") => Some("unknown"),
        _ => None,
    };
    Heard::Beat { state: bolt("status").or(bolt("state")).map(ToOwned::to_owned), rssi: None }
}

fn question(message: &Value) -> Option<Heard> {
    let method = text(&message["method"])?;
    let (member, value) = match method.as_str() {
        "rfid" => ("rfid_uid", json!(text(&message["rfid_uid"])?)),
        // Sent as text by one firmware, as a number by another.
        "fingerprint" => {
            let slot = message["fingerprint_id"].as_i64();
            let slot = slot.or_else(|| message["fingerprint_id"].as_str()?.trim().parse().ok())?;
            ("fingerprint_id", json!(slot))
        }
        _ => return None,
    };
    Some(Heard::Question { method, member, value })
}

/// A command in the words of the older firmware; `None` for one that it has no word for.
pub fn write(name: &str, command: &Command, now: Timestamp) -> Option<Told> {
    let bolt = |word: &str, state| Told {
        topic: "smartlock/commands",
        payload: json!({ "command": word, "device": name }).to_string(),
        confirmed_by: Some(state),
    };
    let told = match command.name.as_str() {
        "lock" => bolt("LOCK", "locked"),
        "unlock" => bolt("UNLOCK", "unlocked"),
        "access_decision" => decision(name, &command.args, now),
        _ => return None,
    };
    (told.payload.len() <= MAX_PAYLOAD).then_some(told)
}

/// What an old reader is told of its question.
pub fn decision(name: &str, args: &Value, now: Timestamp) -> Told {
    let granted = args["granted"].as_bool().unwrap_or(false);
    let answer = |person: Option<&str>| {
        json!({ "access_granted": granted, "user_name": person, "user_id": args["person_number"].as_i64(),
                "timestamp": now.to_string().get(..19), "device_id": name })
        .to_string()
    };
    let mut person = args["person"].as_str().filter(|person| granted && !person.is_empty());
    // A long name costs letters, not the answer.
    while person.is_some_and(|person| answer(Some(person)).len() > MAX_PAYLOAD) {
        person = person.and_then(|person| person.char_indices().next_back().map(|(end, _)| &person[..end]));
        person = person.filter(|person| !person.is_empty());
    }
    let confirmed_by = granted.then_some("unlocked");
    Told { topic: "door/access/response", payload: answer(person), confirmed_by }
}

#[cfg(test)]
mod tests {
    use portico_model::commands::CommandState;
    use portico_model::{CommandId, DeviceId};

    use super::*;

    fn beat(state: Option<&str>) -> Heard {
        Heard::Beat { state: state.map(ToOwned::to_owned), rssi: None }
    }

    #[test]
    fn all_messages_of_the_contract_are_read() {
        let lock = |status: &str, state: &str| json!({ "device": "device-1", "status": status, "state": state });
        let door = |state: &str| json!({ "state": state, "device_id": "ESP32_Door_001", "timestamp": 81_234 });
        let card = json!({ "method": "rfid", "device_id": "ESP32_Door_001", "rfid_uid": "A1B2C3D4" });
        let finger = json!({ "method": "fingerprint", "device_id": "ESP32_Door_001", "fingerprint_id": "3" });
        let status = json!({ "device_id": "ESP32_Door_001", "status": "online", "timestamp": 1, "wifi_rssi": -61, "free_heap": 2 });
        let asked = |method: &str, member, value| Heard::Question { method: method.to_owned(), member, value };
        let table = [
            ("smartlock/status", lock("Online", "Locked"), Some(("device-1", beat(Some("locked"))))),
            ("smartlock/status", lock("Unlocked", "Unlocked"), Some(("device-1", beat(Some("unlocked"))))),
            ("smartlock/status", lock("Online", "Unknown"), Some(("device-1", beat(Some("unknown"))))),
            ("smartlock/status", lock("Booted", ""), Some(("device-1", beat(None)))),
            (
                "door/access/request",
                card.clone(),
                Some(("ESP32_Door_001", asked("rfid", "rfid_uid", json!("A1B2C3D4")))),
            ),
            ("door/access/request", finger, Some(("ESP32_Door_001", asked("fingerprint", "fingerprint_id", json!(3))))),
            ("door/state", door("open"), Some(("ESP32_Door_001", Heard::Door { state: "open".into() }))),
            ("door/state", door("unlocked"), Some(("ESP32_Door_001", beat(Some("unlocked"))))),
            ("door/state", door("ajar"), None),
            ("door/system/status", status, Some(("ESP32_Door_001", Heard::Beat { state: None, rssi: Some(-61) }))),
            ("door/access/request", json!({ "method": "rfid", "rfid_uid": "A1" }), None),
            ("smartlock/status", json!({ "device": "a\nb", "status": "Online" }), None),
            ("smartlock/commands", card, None),
        ];
        for (topic, message, expected) in table {
            let read = read(topic, message.to_string().as_bytes());
            assert_eq!(read, expected.map(|(name, heard)| (name.to_owned(), heard)), "{topic} {message}");
        }
        assert_eq!(read("smartlock/status", b"{"), None);
    }

    #[test]
    fn parking_sensor_is_the_one_that_its_topic_names() {
        let status = json!({ "sensor_id": "PARK_001", "location": "Level_1_Spot_A1", "timestamp": 1_795_226_400, "occupied": true,
            "distance_cm": 42.25, "battery_level": 85, "signal_strength": -60, "firmware_version": "1.0.0", "type": "door" });
        let alive = json!({ "sensor_id": "PARK_001", "status": "online", "timestamp": 0, "ip_address": "10.0.0.9" });
        let fault = json!({ "sensor_id": "PARK_001", "error": "sensor_read_error", "timestamp": 0 });
        let hear = |topic: &str, message: &Value| read(topic, message.to_string().as_bytes());

        let Some((name, Heard::Spot { event })) = hear("parking/sensor/PARK_001/status", &status) else { panic!() };
        assert_eq!((name.as_str(), &event["type"], &event["bridged"]), ("PARK_001", &json!("spot"), &json!(true)));
        assert_eq!((&event["occupied"], &event["distance_cm"]), (&json!(true), &json!(42.25)));
        let heard = hear("parking/sensor/PARK_001/heartbeat", &alive);
        assert_eq!(heard, Some(("PARK_001".to_owned(), beat(None))));
        let error = Heard::Fault { error: "sensor_read_error".into() };
        assert_eq!(hear("parking/sensor/PARK_001/error", &fault), Some(("PARK_001".to_owned(), error)));

        assert_eq!(hear("parking/sensor/PARK_002/status", &status), None, "another's name");
        for topic in ["parking/sensor/PARK_001", "parking/sensor/PARK_001/config", "parking/config/PARK_001"] {
            assert!(!is_from_device(topic) && hear(topic, &status).is_none(), "{topic}");
        }
        assert!(is_from_device("parking/sensor/PARK_001/status") && is_from_device("door/state"));
    }

    fn command(name: &str, args: Value) -> Command {
        let now = Timestamp::from_millis(1_795_226_400_000);
        Command {
            id: CommandId::nil(),
            device_id: DeviceId::nil(),
            name: name.into(),
            args,
            state: CommandState::Sent,
            counter: 1,
            issued_by: String::new(),
            issued_at: now,
            expires_at: now,
            sent_at: None,
            delivered_at: None,
            finished_at: None,
            attempts: 1,
            error: String::new(),
            response: Value::Null,
        }
    }

    fn told(name: &str, args: Value) -> Option<(Value, Option<&'static str>, usize)> {
        let told = write("ESP32_Door_001", &command(name, args), Timestamp::from_millis(1_795_226_400_000))?;
        Some((serde_json::from_str(&told.payload).unwrap(), told.confirmed_by, told.payload.len()))
    }

    #[test]
    fn commands_are_written_in_its_words_and_fit_its_packets() {
        let (message, confirmed_by, _) = told("unlock", json!({ "for_s": 5 })).unwrap();
        assert_eq!(message, json!({ "command": "UNLOCK", "device": "ESP32_Door_001" }));
        assert_eq!(confirmed_by, Some("unlocked"));
        let args = json!({ "request_id": "r", "granted": true, "person": "Ann Archer", "person_number": 7 });
        let (message, confirmed_by, _) = told("access_decision", args).unwrap();
        let keys: Vec<_> = message.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["access_granted", "device_id", "timestamp", "user_id", "user_name"]);
        assert_eq!((&message["access_granted"], &message["user_name"]), (&json!(true), &json!("Ann Archer")));
        assert_eq!((message["timestamp"].as_str().unwrap().len(), confirmed_by), (19, Some("unlocked")));
        let args = json!({ "granted": true, "person": "é".repeat(200) });
        let (message, _, length) = told("access_decision", args).unwrap();
        assert!(length <= MAX_PAYLOAD && message["user_name"].as_str().unwrap().starts_with('é'));
        let (message, confirmed_by, _) = told("access_decision", json!({ "granted": false, "person": "Ann" })).unwrap();
        assert_eq!((&message["user_name"], confirmed_by), (&Value::Null, None), "no name for one who is refused");
        assert_eq!(told("set_code", json!({})), None);
    }
}
