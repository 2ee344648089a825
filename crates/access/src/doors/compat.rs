//! The device interface of the former door system, whose firmware reads exactly these fields.

use axum::extract::State;
use portico_devices::rest::{ActiveDevice, CallingDevice};
use portico_model::access::Method;
use portico_model::access::door::DoorState;
use portico_model::{ErrorKind, Problem, Timestamp};
use portico_platform::http::Json;
use portico_platform::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::{Ask, AskedBy, store};
use crate::Access;

/// The firmware reads the answer into 200 bytes: a longer name, or a sixth field, and the door stays shut.
const NAME_BYTES: usize = 26;

/// Longest card, as in the former system.
const MAX_CARD: usize = 50;

/// Most people a reader is told of.
const MAX_PEOPLE: i64 = 10_000;

/// Exactly five fields.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "access_granted": true, "message": "Access granted", "timestamp": "2026-11-21T02:00:00.000000", "user_id": 7,
    "user_name": "Ann Archer"
}))]
pub struct AccessAnswer {
    access_granted: bool,
    message: &'static str,
    /// UTC, without a zone.
    timestamp: String,
    /// The person's number.
    user_id: Option<i64>,
    /// At most 26 bytes.
    user_name: Option<String>,
}

/// A question of the former system.
#[derive(Debug, utoipa::ToSchema)]
#[schema(example = json!({"method": "rfid", "rfid_uid": "A1B2C3D4"}))]
#[allow(dead_code)] // read from JSON by hand, for the texts of the former system
pub struct AccessQuestion {
    /// `rfid`, `fingerprint` or `pin`.
    method: String,
    /// At most 50 characters.
    rfid_uid: Option<String>,
    fingerprint_id: Option<i64>,
    pin: Option<String>,
}

/// A body that says something.
fn filled(body: Value) -> Result<Value> {
    match body.as_object() {
        Some(object) if !object.is_empty() => Ok(body),
        Some(_) => Err(Error::invalid("no_data", "No data provided")),
        None => Err(Error::invalid("invalid_body", "The body must be a JSON object")),
    }
}

/// The moment as the former system wrote it: microseconds, no zone.
fn plain_iso(at: Timestamp) -> String {
    let iso = at.to_iso();
    format!("{}000", iso.strip_suffix("+00:00").unwrap_or(&iso))
}

/// The beginning of a text that has so many bytes at most.
fn cut(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text[..end].to_owned()
}

fn question(body: &Value) -> Result<(Method, String)> {
    let required = |code, text: &str| Error::invalid(code, text.to_owned());
    let method = match &body["method"] {
        Value::Null => return Err(required("missing_method", "Missing required field: method")),
        Value::String(text) if text.is_empty() => {
            return Err(required("missing_method", "Missing required field: method"));
        }
        Value::String(text) => text.as_str(),
        _ => return Err(Error::field("method", "must be a text")),
    };
    match method {
        "rfid" => match &body["rfid_uid"] {
            Value::String(card) if !card.is_empty() => {
                if card.chars().count() > MAX_CARD || card.contains('\0') {
                    return Err(Error::field("rfid_uid", format!("at most {MAX_CARD} characters")));
                }
                Ok((Method::Rfid, card.clone()))
            }
            Value::Null | Value::String(_) => Err(required("missing_rfid_uid", "RFID UID required for RFID method")),
            _ => Err(Error::field("rfid_uid", "must be a text")),
        },
        "fingerprint" => {
            let missing = || required("missing_fingerprint_id", "Fingerprint ID required for fingerprint method");
            let slot = match &body["fingerprint_id"] {
                Value::Null => return Err(missing()),
                Value::Number(number) => number.as_i64(),
                Value::String(text) if text.is_empty() => return Err(missing()),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            match slot {
                Some(0) => Err(missing()),
                Some(slot) if slot > 0 => Ok((Method::Fingerprint, slot.to_string())),
                _ => Err(Error::field("fingerprint_id", "a number from 1")),
            }
        }
        "pin" => match &body["pin"] {
            Value::String(pin) if !pin.is_empty() && pin.len() <= MAX_CARD && !pin.contains('\0') => {
                Ok((Method::Pin, pin.clone()))
            }
            _ => Err(Error::field("pin", "4 to 8 digits")),
        },
        _ => Ok((Method::Other, String::new())),
    }
}

/// Shall somebody be let in? (former door system)
///
/// Also at `/api/check_access`. Exactly five fields; the whole decision is at `/api/v1/access/check`.
#[utoipa::path(post, path = "/api/v1/check_access", tag = "doors", request_body = AccessQuestion,
    security(("api_key" = [])), responses(
    (status = 200, body = AccessAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
))]
pub async fn check_access(
    State(access): State<Access>,
    caller: Result<CallingDevice>,
    Json(body): Json<Value>,
) -> Result<Json<AccessAnswer>> {
    // The firmware reads this member, whatever the status.
    let undecided = |error: Error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Internal => error.with_member("access_granted", false),
        _ => error,
    };
    let CallingDevice { device, actor } = caller.map_err(undecided)?;
    let (method, presented) = question(&filled(body)?)?;
    let ask = Ask {
        reader: device.id,
        method,
        presented,
        leaving: false,
        at: access.0.platform.clock.now(),
        by: AskedBy::Http,
        is_untrusted: false,
    };
    let verdict = access.check(&actor, ask).await.map_err(undecided)?;
    Ok(Json(AccessAnswer {
        access_granted: verdict.granted,
        message: if verdict.granted { "Access granted" } else { "Access denied" },
        timestamp: plain_iso(verdict.at),
        user_id: verdict.person_number,
        user_name: verdict.person_name.as_deref().map(|name| cut(name, NAME_BYTES)),
    }))
}

/// How a door is now.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = DoorStateReport, example = json!({"state": "open"}))]
#[allow(dead_code)] // read from JSON by hand
pub struct StateReport {
    /// `open` or `closed`.
    state: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DoorStateAnswer, example = json!({"message": "Door state updated", "state": "open"}))]
pub struct StateAnswer {
    message: &'static str,
    state: &'static str,
}

/// The reader or contact says whether its door is open
///
/// Also at `/api/door_state`.
#[utoipa::path(post, path = "/api/v1/door_state", tag = "doors", request_body = StateReport,
    security(("api_key" = [])), responses(
    (status = 200, body = StateAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn door_state(
    State(access): State<Access>,
    ActiveDevice(device): ActiveDevice,
    Json(body): Json<Value>,
) -> Result<Json<StateAnswer>> {
    let body = filled(body)?;
    if body["state"].is_null() {
        return Err(Error::invalid("missing_state", "Missing required field: state"));
    }
    let said = body["state"].as_str().and_then(DoorState::parse).filter(|state| *state != DoorState::Unknown);
    let said =
        said.ok_or_else(|| Error::invalid("invalid_door_state", "Invalid door state. Must be \"open\" or \"closed\""))?;
    access.door_state(device.organization, device.id, said, false, None).await?;
    Ok(Json(StateAnswer { message: "Door state updated", state: said.as_str() }))
}

/// A person as readers of the former system know him.
#[derive(Debug, Serialize, utoipa::ToSchema, sqlx::FromRow)]
#[schema(example = json!({
    "id": 7, "name": "Ann Archer", "employee_id": "E1", "rfid_uid": "A1B2C3D4", "fingerprint_id": 5,
    "access_level": "basic"
}))]
pub struct ReaderUser {
    pub id: i64,
    pub name: String,
    pub employee_id: String,
    pub rfid_uid: Option<String>,
    pub fingerprint_id: Option<i64>,
    pub access_level: String,
}

/// Who may come through this reader's door (former door system)
///
/// The former `GET /api/users` with a device key is the same. Active people whom a policy for the door names; no PINs.
#[utoipa::path(get, path = "/api/v1/readers/users", tag = "doors", security(("api_key" = [])), responses(
    (status = 200, body = Vec<ReaderUser>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn users(State(access): State<Access>, ActiveDevice(device): ActiveDevice) -> Result<Json<Vec<ReaderUser>>> {
    let platform = &access.0.platform;
    let mut tx = platform.db.read().await?;
    let now = platform.clock.now();
    Ok(Json(store::people_of_reader(&mut tx, device.organization, device.id, now, MAX_PEOPLE).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("Ann Archer", 26), "Ann Archer");
        assert_eq!(cut("ääääääääääääää", 26), "äääääääääääää");
        assert_eq!(cut("ääääääääääääää", 25), "ääääääääääää");
    }

    #[test]
    fn answer_fits_the_pool_of_the_firmware() {
        let answer = AccessAnswer {
            access_granted: false,
            message: "Access granted",
            timestamp: plain_iso(Timestamp::from_millis(1_795_226_400_000)),
            user_id: Some(i64::from(i32::MAX)),
            user_name: Some("x".repeat(NAME_BYTES)),
        };
        let value = serde_json::to_value(answer).unwrap();
        let object = value.as_object().unwrap();
        // 16 bytes a member, and each key and text with its end.
        let bytes: usize = object
            .iter()
            .map(|(key, value)| 16 + key.len() + 1 + value.as_str().map_or(0, |text| text.len() + 1))
            .sum();
        assert_eq!(object.len(), 5);
        assert!(bytes <= 200, "{bytes}");
        assert_eq!(value["timestamp"], "2026-11-21T02:00:00.000000");
    }

    #[test]
    fn questions_are_refused_with_the_texts_of_the_former_system() {
        let table = [
            (json!({"x": 1}), "Missing required field: method"),
            (json!({"method": "rfid"}), "RFID UID required for RFID method"),
            (json!({"method": "fingerprint"}), "Fingerprint ID required for fingerprint method"),
            (json!({"method": "fingerprint", "fingerprint_id": 0}), "Fingerprint ID required for fingerprint method"),
        ];
        for (body, text) in table {
            assert_eq!(question(&body).unwrap_err().message(), text, "{body}");
        }
        assert_eq!(question(&json!({"method": "iris"})).unwrap().0, Method::Other);
        assert!(question(&json!({"method": 5})).is_err());
        assert!(question(&json!({"method": "rfid", "rfid_uid": "x".repeat(51)})).is_err());
    }
}
