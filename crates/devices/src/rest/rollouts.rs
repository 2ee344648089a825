//! Roll-outs of images.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::firmware::{DeviceUpdate, NewRollout, Rollout, UpdateState};
use portico_model::{Page, Problem, RolloutId};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;

use crate::{Devices, RolloutAction};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 20.
    limit: Option<i64>,
}

/// Roll-outs, the newest first
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts", params(ListQuery), responses(
    (status = 200, description = "A page of them", body = Page<Rollout>),
    (status = 400, description = "A bad query", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Rollout>>> {
    Ok(Json(devices.rollouts(&actor, query.cursor.as_deref(), query.limit).await?))
}

/// Begin a roll-out
///
/// The devices of the image's type that are chosen, active and have an older version (or any other, when forced) get
/// the command `firmware_update`, stage by stage.
#[utoipa::path(post, path = "/api/v1/rollouts", tag = "rollouts", request_body = NewRollout, responses(
    (status = 201, description = "Begun", body = Rollout),
    (status = 400, description = "Invalid fields", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such image", body = Problem),
    (status = 409, description = "One is under way for the type, or no device is to be updated", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn start(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(new): Json<NewRollout>,
) -> Result<(StatusCode, Json<Rollout>)> {
    Ok((StatusCode::CREATED, Json(devices.start_rollout(&actor, new).await?)))
}

/// A roll-out
#[utoipa::path(get, path = "/api/v1/rollouts/{rollout_id}", tag = "rollouts", params(("rollout_id" = RolloutId, Path)), responses(
    (status = 200, description = "Where it stands", body = Rollout),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such roll-out", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<RolloutId>,
) -> Result<Json<Rollout>> {
    Ok(Json(devices.rollout(&actor, id).await?))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DevicesQuery {
    /// Only those in this state.
    state: Option<UpdateState>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// The devices of a roll-out, in their order
#[utoipa::path(get, path = "/api/v1/rollouts/{rollout_id}/devices", tag = "rollouts",
    params(("rollout_id" = RolloutId, Path), DevicesQuery), responses(
    (status = 200, description = "A page of them", body = Page<DeviceUpdate>),
    (status = 400, description = "A bad query", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such roll-out", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn devices(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<RolloutId>,
    Query(query): Query<DevicesQuery>,
) -> Result<Json<Page<DeviceUpdate>>> {
    let page = devices.rollout_devices(&actor, id, query.state, query.cursor.as_deref(), query.limit).await?;
    Ok(Json(page))
}

/// Pause a roll-out
///
/// No further device is told; those that have begun go on.
#[utoipa::path(post, path = "/api/v1/rollouts/{rollout_id}/pause", tag = "rollouts", params(("rollout_id" = RolloutId, Path)), responses(
    (status = 200, description = "Paused", body = Rollout),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such roll-out", body = Problem),
    (status = 409, description = "It is not running", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn pause(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<RolloutId>,
) -> Result<Json<Rollout>> {
    Ok(Json(devices.steer_rollout(&actor, id, RolloutAction::Pause).await?))
}

/// Go on with a roll-out
///
/// After a pause, or after it was stopped: the failures until now count no more.
#[utoipa::path(post, path = "/api/v1/rollouts/{rollout_id}/resume", tag = "rollouts", params(("rollout_id" = RolloutId, Path)), responses(
    (status = 200, description = "Running", body = Rollout),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such roll-out", body = Problem),
    (status = 409, description = "It is neither paused nor stopped", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn resume(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<RolloutId>,
) -> Result<Json<Rollout>> {
    Ok(Json(devices.steer_rollout(&actor, id, RolloutAction::Resume).await?))
}

/// End a roll-out
#[utoipa::path(post, path = "/api/v1/rollouts/{rollout_id}/abort", tag = "rollouts", params(("rollout_id" = RolloutId, Path)), responses(
    (status = 200, description = "Ended", body = Rollout),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Needs ManageFirmware", body = Problem),
    (status = 404, description = "No such roll-out", body = Problem),
    (status = 409, description = "It has ended already", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn abort(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<RolloutId>,
) -> Result<Json<Rollout>> {
    Ok(Json(devices.steer_rollout(&actor, id, RolloutAction::Abort).await?))
}
