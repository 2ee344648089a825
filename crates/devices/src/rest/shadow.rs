//! Shadows: for people, and for a device that asks over HTTP.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use portico_identity::Auth;
use portico_model::Problem;
use portico_model::shadow::{Shadow, ShadowChange};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};

use super::caller::ActiveDevice;
use super::check_content_type;
use crate::Devices;

/// A device's shadow: what is wanted, what the device reports, what is missing
#[utoipa::path(get, path = "/api/v1/devices/{id}/shadow", tag = "shadow",
    params(("id" = String, Path, description = "Id or hardware id of the device")), responses(
    (status = 200, description = "Its shadow; empty documents when there is none yet", body = Shadow),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 404, description = "No such device", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn get(State(devices): State<Devices>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Shadow>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.shadow(&actor, id).await?))
}

/// Change what is wanted
///
/// By JSON merge patch (RFC 7396): members that are null are removed. The device gets the whole document, retained, on
/// `devices/{id}/desired`. With `version` the change is refused when somebody else was quicker.
#[utoipa::path(patch, path = "/api/v1/devices/{id}/shadow", tag = "shadow", request_body = ShadowChange,
    params(("id" = String, Path, description = "Id or hardware id of the device")), responses(
    (status = 200, description = "Changed", body = Shadow),
    (status = 400, description = "Not an object, or too large", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Seen but not to be changed", body = Problem),
    (status = 404, description = "No such device", body = Problem),
    (status = 409, description = "It has another version by now", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn patch(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(change): Json<ShadowChange>,
) -> Result<Json<Shadow>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.change_desired(&actor, id, change).await?))
}

/// Replace what is wanted
///
/// As PATCH, but the document takes the place of the one before.
#[utoipa::path(put, path = "/api/v1/devices/{id}/shadow", tag = "shadow", request_body = ShadowChange,
    params(("id" = String, Path, description = "Id or hardware id of the device")), responses(
    (status = 200, description = "Replaced", body = Shadow),
    (status = 400, description = "Not an object, or too large", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Seen but not to be changed", body = Problem),
    (status = 404, description = "No such device", body = Problem),
    (status = 409, description = "It has another version by now", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn put(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(change): Json<ShadowChange>,
) -> Result<Json<Shadow>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.replace_desired(&actor, id, change).await?))
}

/// The device's own shadow
#[utoipa::path(get, path = "/api/v1/devices/shadow", tag = "shadow", security(("api_key" = [])), responses(
    (status = 200, description = "Its shadow", body = Shadow),
    (status = 401, description = "No key, or a wrong one", body = Problem),
    (status = 403, description = "The device is not in use", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn own(State(devices): State<Devices>, ActiveDevice(device): ActiveDevice) -> Result<Json<Shadow>> {
    Ok(Json(devices.own_shadow(&device).await?))
}

/// The device reports its state
///
/// The same as a message on `devices/{id}/reported`: a JSON merge patch of what it reported before.
#[utoipa::path(patch, path = "/api/v1/devices/shadow", tag = "shadow", security(("api_key" = [])),
    request_body(content = Object, example = json!({"interval_s": 30, "led": {"on": false}})), responses(
    (status = 200, description = "Its shadow now", body = Shadow),
    (status = 400, description = "Not an object, or too large", body = Problem),
    (status = 401, description = "No key, or a wrong one", body = Problem),
    (status = 403, description = "The device is not in use", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn report(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Shadow>> {
    check_content_type(&headers)?;
    match devices.take_reported(&device, &body, devices.now()).await? {
        Ok(()) => Ok(Json(devices.own_shadow(&device).await?)),
        Err(problem) => Err(Error::invalid(problem.code, problem.message)),
    }
}
