//! Registration: by a person who is signed in, or by a device that carries its owner's user name and password (the
//! firmware of the former system).

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use portico_identity::{Identity, MaybeAuth, RequestContext, SessionKind};
use portico_model::devices::{DeviceWithKey, NewDevice};
use portico_model::{FieldError, Problem};
use portico_platform::http::Json;
use portico_platform::{Actor, Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{DeviceBody, fields_of, json_object, parse_user};
use crate::Devices;

/// A device just registered, with its key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Registered {
    message: &'static str,
    device: RegisteredDevice,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RegisteredDevice {
    #[serde(flatten)]
    device: DeviceBody,
    /// 32 base62 characters; shown this once.
    api_key: String,
    owner: Owner,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Owner {
    username: String,
    email: String,
}

/// Register a device
///
/// Of one's own; `user_id` names another owner, for those who manage all devices. Firmware that cannot sign in sends
/// `username` and `password` in the body instead of an access token. With `rotate_key: true`, a device of the same
/// name and owner is given a new key: the answer is 409 with its `device.id` and `device.api_key`.
#[utoipa::path(post, path = "/api/v1/devices/register", tag = "devices", request_body = NewDevice, responses(
    (status = 201, body = Registered),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn register(
    State(devices): State<Devices>,
    MaybeAuth(actor): MaybeAuth,
    Extension(identity): Extension<Identity>,
    context: RequestContext,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    // Without credentials nothing of a body is looked at but the credentials in it.
    let object = match (&actor, json_object(&headers, &body)) {
        (_, Ok(object)) => object,
        (Some(_), Err(error)) => return Err(error),
        (None, Err(_)) => return Err(authentication_required()),
    };
    if let Some(actor) = actor {
        return register_as(&devices, &actor, object).await;
    }
    let (Some(username), Some(password)) = (text(&object, "username"), text(&object, "password")) else {
        return Err(authentication_required());
    };
    let signed_in = identity.sign_in(username, password, SessionKind::Api, &context).await?;
    let actor = identity.authenticate(&signed_in.access_token, &context).await?;
    let answer = register_as(&devices, &actor, object).await;
    // The session was for this one request.
    identity.sign_out(&actor).await?;
    answer
}

fn authentication_required() -> Error {
    Error::unauthenticated("authentication_required", "Authentication required")
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

async fn register_as(devices: &Devices, actor: &Actor, object: Map<String, Value>) -> Result<Response> {
    let is_empty = |name: &str| match object.get(name) {
        None | Some(Value::Null) => true,
        Some(value) => value.as_str().is_some_and(|text| text.trim().is_empty()),
    };
    let missing: Vec<FieldError> = ["name", "device_type"]
        .into_iter()
        .filter(|name| is_empty(name))
        .map(|name| FieldError::new(name, "must not be empty"))
        .collect();
    if !missing.is_empty() {
        return Err(Error::fields(missing).with_message("missing_fields", "Missing required fields"));
    }
    let owner = match object.get("user_id") {
        None | Some(Value::Null) => None,
        Some(value) => Some(parse_user(value.as_str().unwrap_or_default())?),
    };
    let rotate = object.get("rotate_key") == Some(&Value::Bool(true));
    let new: NewDevice = fields_of(object)?;
    let name = new.name.clone();
    let registered = match owner {
        Some(owner) => devices.register_for(actor, owner, new).await,
        None => devices.register(actor, new).await,
    };
    match registered {
        Ok(registered) => answer(devices, actor, registered).await,
        Err(error) if rotate && error.code() == "device_name_taken" => rotated(devices, actor, &name, error).await,
        Err(error) => Err(error),
    }
}

async fn answer(devices: &Devices, actor: &Actor, registered: DeviceWithKey) -> Result<Response> {
    let owner = devices.owner_of(actor.organization, registered.device.owner_id).await?;
    let (username, email) = owner.unwrap_or_default();
    let device = RegisteredDevice {
        device: registered.device.into(),
        api_key: registered.api_key,
        owner: Owner { username, email },
    };
    let body = Registered { message: "Device registered successfully", device };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// The device forgot its key and its owner is here: the clash is told, with a new key.
async fn rotated(devices: &Devices, actor: &Actor, name: &str, clash: Error) -> Result<Response> {
    let Some(id) = devices.find_own_by_name(actor, name).await? else { return Err(clash) };
    let rotated = devices.rotate_key(actor, id).await?;
    Err(clash
        .with_member("message", "The device of this name has been given a new key.")
        .with_member("device", json!({"id": id, "api_key": rotated.api_key})))
}
