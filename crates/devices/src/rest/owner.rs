//! Whose a device is.

use axum::extract::State;
use portico_identity::Auth;
use portico_model::Problem;
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::Deserialize;

use super::{DeviceBody, parse_user};
use crate::Devices;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"user_id": "0193a0000000700080000000000000cd"}))]
pub struct NewOwner {
    /// 32 hexadecimal characters.
    user_id: String,
}

/// Give a device to another person
///
/// For its owner and those who manage all devices. It leaves the groups of its former owner. Its key stays good: rotate it when the
/// former owner knows it and should not.
#[utoipa::path(put, path = "/api/v1/devices/{id}/owner", tag = "devices", request_body = NewOwner,
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = DeviceBody),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "No such device or person"),
    (status = 409, body = Problem, description = "The person is deactivated, has a device of this name, or has too many"),
))]
pub async fn transfer(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewOwner>,
) -> Result<Json<DeviceBody>> {
    let id = devices.resolve(actor.organization, &id).await?;
    devices.get(&actor, id).await?;
    Ok(Json(devices.transfer(&actor, id, parse_user(&new.user_id)?).await?.into()))
}
