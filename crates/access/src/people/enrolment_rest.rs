//! REST of enrolments: for people, and with the paths and texts of the former door lock for its readers.

use axum::extract::State;
use axum::http::StatusCode;
use portico_devices::rest::ActiveDevice;
use portico_identity::Auth;
use portico_model::access::people::{CredentialKind, Enrolment, EnrolmentMode, NewEnrolment};
use portico_model::{EnrolmentId, Problem};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::enrolment::Claim;
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(get, cancel))
        .routes(routes!(start_registration))
        .routes(routes!(poll_registration))
        .routes(routes!(clear_registration))
        .routes(routes!(register_rfid))
        .routes(routes!(register_fingerprint))
}

/// Enrol a card or a finger at a reader
///
/// The reader takes the next one that is shown, within a minute.
#[utoipa::path(post, path = "/api/v1/access/enrolments", tag = "access", request_body = NewEnrolment, responses(
    (status = 201, body = Enrolment),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Another is open at this reader, or it is not in use"),
))]
pub async fn start(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(new): Json<NewEnrolment>,
) -> Result<(StatusCode, Json<Enrolment>)> {
    Ok((StatusCode::CREATED, Json(access.start_enrolment(&actor, &new).await?)))
}

/// How far an enrolment is
#[utoipa::path(get, path = "/api/v1/access/enrolments/{id}", tag = "access", params(("id" = EnrolmentId, Path)),
    responses(
    (status = 200, body = Enrolment),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<EnrolmentId>,
) -> Result<Json<Enrolment>> {
    Ok(Json(access.enrolment(&actor, id).await?))
}

/// Cancel an enrolment
#[utoipa::path(delete, path = "/api/v1/access/enrolments/{id}", tag = "access", params(("id" = EnrolmentId, Path)),
    responses(
    (status = 200, body = Enrolment),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn cancel(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<EnrolmentId>,
) -> Result<Json<Enrolment>> {
    Ok(Json(access.cancel_enrolment(&actor, id).await?))
}

/// How it went, as the former door lock says it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RegistrationMessage {
    #[schema(example = "RFID registered successfully")]
    message: &'static str,
}

fn number_of(body: &Map<String, Value>, missing: &'static str) -> Result<i64> {
    let wrong = || Error::field("user_id", "a number").with_message("invalid_user_id", "user_id must be a number");
    match body.get("user_id") {
        None | Some(Value::Null) => Err(Error::field("user_id", "is required").with_message("missing_field", missing)),
        Some(Value::Number(number)) => number.as_i64().ok_or_else(wrong),
        Some(Value::String(text)) => text.trim().parse().map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"user_id": 7, "device_id": "0193a0000000700080000000000000ab", "mode": "any"}))]
#[allow(dead_code)] // describes the body, which is read by hand for the former system's texts
pub struct StartRegistration {
    /// The person's number; a text of digits is read, too.
    user_id: i64,
    /// Id or hardware id of the reader; may be absent while there is only one.
    device_id: Option<String>,
    /// `any`, `rfid`, `finger` or `fingerprint`; absent: any.
    mode: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"message": "Registration started", "user_id": 7}))]
pub struct RegistrationStarted {
    message: &'static str,
    user_id: i64,
}

/// Begin a registration, as the former door lock's page did
///
/// For people: a reader's key cannot begin what it finishes.
#[utoipa::path(post, path = "/api/v1/start_registration", tag = "door lock", request_body = StartRegistration, responses(
    (status = 200, body = RegistrationStarted),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Another is open at this reader, or it is not in use"),
))]
pub async fn start_registration(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<RegistrationStarted>> {
    let user_id = number_of(&body, "user_id required")?;
    let mode = match body.get("mode").and_then(Value::as_str).unwrap_or("any") {
        "any" => EnrolmentMode::Any,
        "rfid" => EnrolmentMode::Rfid,
        "finger" | "fingerprint" => EnrolmentMode::Fingerprint,
        _ => return Err(Error::field("mode", "any, rfid, finger or fingerprint")),
    };
    let reader = match body.get("device_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(reader)) => Some(reader.as_str()),
        Some(_) => return Err(Error::field("device_id", "an id as text")),
    };
    access.start_registration(&actor, user_id, reader, mode).await?;
    Ok(Json(RegistrationStarted { message: "Registration started", user_id }))
}

/// Whether this reader is to register somebody.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"register": true, "user_id": 7}))]
pub struct Registration {
    register: bool,
    /// The person's number.
    user_id: Option<i64>,
}

/// Whether this reader is to register a card or a finger
#[utoipa::path(get, path = "/api/v1/poll_registration", tag = "door lock", security(("api_key" = [])), responses(
    (status = 200, body = Registration),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn poll_registration(
    State(access): State<Access>,
    ActiveDevice(reader): ActiveDevice,
) -> Result<Json<Registration>> {
    let user_id = access.poll_enrolment(&reader).await?.map(|found| found.number);
    Ok(Json(Registration { register: user_id.is_some(), user_id }))
}

/// This reader is done, or gives up
#[utoipa::path(post, path = "/api/v1/clear_registration", tag = "door lock", security(("api_key" = [])), responses(
    (status = 200, body = RegistrationMessage, example = json!({"message": "Registration cleared"})),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn clear_registration(
    State(access): State<Access>,
    ActiveDevice(reader): ActiveDevice,
) -> Result<Json<RegistrationMessage>> {
    access.clear_enrolment(&reader).await?;
    Ok(Json(RegistrationMessage { message: "Registration cleared" }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"user_id": 7, "rfid_uid": "A1B2C3D4"}))]
#[allow(dead_code)] // describes the body, which is read by hand for the former system's texts
pub struct RegisterRfid {
    /// The person's number.
    user_id: i64,
    /// Up to 50 letters and digits, with or without separators.
    rfid_uid: String,
}

/// This reader has read the card of the person to register
///
/// Only for the registration that was begun at this reader.
#[utoipa::path(post, path = "/api/v1/register_rfid", tag = "door lock", security(("api_key" = [])),
    request_body = RegisterRfid, responses(
    (status = 200, body = RegistrationMessage),
    (status = 400, body = Problem, description = "Something is missing, or the card is another's"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "No registration of this user is open at this reader"),
    (status = 404, body = Problem),
))]
pub async fn register_rfid(
    State(access): State<Access>,
    ActiveDevice(reader): ActiveDevice,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<RegistrationMessage>> {
    let number = number_of(&body, "Missing required field: user_id")?;
    let Some(uid) = body.get("rfid_uid").filter(|uid| !uid.is_null()) else {
        return Err(
            Error::field("rfid_uid", "is required").with_message("missing_field", "Missing required field: rfid_uid")
        );
    };
    let Some(uid) = uid.as_str() else { return Err(Error::field("rfid_uid", "a text")) };
    let done = access.finish_enrolment(&reader, Claim::Number(number), CredentialKind::Rfid, uid).await;
    done.map_err(as_before)?;
    Ok(Json(RegistrationMessage { message: "RFID registered successfully" }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"user_id": 7, "fingerprint_id": 3}))]
#[allow(dead_code)] // describes the body, which is read by hand for the former system's texts
pub struct RegisterFingerprint {
    /// The person's number.
    user_id: i64,
    /// The slot of this reader's sensor, 1 to 1,000.
    #[schema(minimum = 1, maximum = 1000)]
    fingerprint_id: i64,
}

/// This reader's sensor has learned the finger of the person to register
///
/// Only for the registration that was begun at this reader.
#[utoipa::path(post, path = "/api/v1/register_fingerprint", tag = "door lock", security(("api_key" = [])),
    request_body = RegisterFingerprint, responses(
    (status = 200, body = RegistrationMessage, example = json!({"message": "Fingerprint registered successfully"})),
    (status = 400, body = Problem, description = "Something is missing, or the finger is another's"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "No registration of this user is open at this reader"),
    (status = 404, body = Problem),
))]
pub async fn register_fingerprint(
    State(access): State<Access>,
    ActiveDevice(reader): ActiveDevice,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<RegistrationMessage>> {
    let number = number_of(&body, "Missing required field: user_id")?;
    let slot = match body.get("fingerprint_id") {
        None | Some(Value::Null) => {
            let text = "Missing required field: fingerprint_id";
            return Err(Error::field("fingerprint_id", "is required").with_message("missing_field", text));
        }
        Some(Value::Number(slot)) => slot.to_string(),
        Some(Value::String(slot)) => slot.clone(),
        Some(_) => return Err(Error::field("fingerprint_id", "a number")),
    };
    let done = access.finish_enrolment(&reader, Claim::Number(number), CredentialKind::Fingerprint, &slot).await;
    done.map_err(as_before)?;
    Ok(Json(RegistrationMessage { message: "Fingerprint registered successfully" }))
}

/// The former system says 400 where somebody else has the card or finger.
fn as_before(error: Error) -> Error {
    if error.status() == StatusCode::CONFLICT { Error::invalid("already_registered", error.message()) } else { error }
}
