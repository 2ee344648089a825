//! REST of doors.

use axum::extract::State;
use axum::http::StatusCode;
use portico_devices::rest::CallingDevice;
use portico_identity::Auth;
use portico_model::access::door::{Door, DoorCounts, DoorScope, DoorSettings, ModeOrder, Verdict};
use portico_model::access::{AccessReason, DoorMode, Method};
use portico_model::{DoorGroupId, DoorId, ErrorKind, Page, PlanId, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Ask, AskedBy, DoorQuery};
use crate::Access;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of the name or location.
    search: Option<String>,
    /// Only those that work so.
    #[param(inline)]
    mode: Option<DoorMode>,
    /// Only those of this group.
    group_id: Option<DoorGroupId>,
    /// Only those on this plan.
    plan_id: Option<PlanId>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
}

/// Doors, by name
#[utoipa::path(get, path = "/api/v1/doors", tag = "doors", params(ListQuery), responses(
    (status = 200, body = Page<Door>),
    (status = 400, body = Problem, description = "A filter or the cursor is wrong"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Door>>> {
    let query = DoorQuery {
        search: query.search,
        mode: query.mode,
        group: query.group_id,
        plan: query.plan_id,
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(Json(access.doors(&actor, query).await?))
}

/// How many doors are in which mode and state
#[utoipa::path(get, path = "/api/v1/doors/counts", tag = "doors", responses(
    (status = 200, body = DoorCounts),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn counts(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<DoorCounts>> {
    Ok(Json(access.door_counts(&actor).await?))
}

/// Add a door
#[utoipa::path(post, path = "/api/v1/doors", tag = "doors", request_body = DoorSettings, responses(
    (status = 201, body = Door),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`door_name_taken`, `reader_taken`, `too_many_doors`"),
    (status = 429, body = Problem),
))]
pub async fn create(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(settings): Json<DoorSettings>,
) -> Result<(StatusCode, Json<Door>)> {
    Ok((StatusCode::CREATED, Json(access.create_door(&actor, settings).await?)))
}

/// A door
#[utoipa::path(get, path = "/api/v1/doors/{id}", tag = "doors", params(("id" = DoorId, Path)), responses(
    (status = 200, body = Door),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<DoorId>) -> Result<Json<Door>> {
    Ok(Json(access.door(&actor, id).await?))
}

/// Change a door
///
/// All its settings: what is absent goes back to its default.
#[utoipa::path(put, path = "/api/v1/doors/{id}", tag = "doors", request_body = DoorSettings,
    params(("id" = DoorId, Path)), responses(
    (status = 200, body = Door),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`door_name_taken`, `reader_taken`"),
    (status = 429, body = Problem),
))]
pub async fn update(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorId>,
    Json(settings): Json<DoorSettings>,
) -> Result<Json<Door>> {
    Ok(Json(access.update_door(&actor, id, settings).await?))
}

/// Remove a door
///
/// With the policies that name it. Its devices stay, and so does what happened at it.
#[utoipa::path(delete, path = "/api/v1/doors/{id}", tag = "doors", params(("id" = DoorId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<DoorId>) -> Result<StatusCode> {
    access.delete_door(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open a door once
///
/// For somebody who stands before it: its lock or reader is told to, and forgets it when it does not hear of it within
/// ten seconds.
#[utoipa::path(post, path = "/api/v1/doors/{id}/open", tag = "doors", params(("id" = DoorId, Path)), responses(
    (status = 200, body = Door),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`lockdown`; `nothing_opens`: no device of the door takes commands"),
    (status = 429, body = Problem),
))]
pub async fn open(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<DoorId>) -> Result<Json<Door>> {
    Ok(Json(access.open_door(&actor, id).await?))
}

/// How one door shall work.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = DoorModeChange, example = json!({"mode": "unlocked", "for_s": 3600, "note": "Open day"}))]
pub struct ModeChange {
    mode: DoorMode,
    /// For how long, 1 to 604,800 seconds; absent: until somebody ends it.
    #[serde(default)]
    for_s: Option<i64>,
    /// At most 500 characters.
    #[serde(default)]
    note: String,
}

/// Lockdown, evacuation, keeping a door unlocked, and the end of it
///
/// To end a lockdown one must have proved lately who one is (`step_up_required`).
#[utoipa::path(post, path = "/api/v1/doors/{id}/mode", tag = "doors", request_body = ModeChange,
    params(("id" = DoorId, Path)), responses(
    (status = 200, body = Door),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn mode(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorId>,
    Json(change): Json<ModeChange>,
) -> Result<Json<Door>> {
    let scope = DoorScope::Door { door_id: id };
    access.order_mode(&actor, ModeOrder { scope, mode: change.mode, for_s: change.for_s, note: change.note }).await?;
    Ok(Json(access.door(&actor, id).await?))
}

/// The doors that work otherwise than before.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Ordered {
    doors: Vec<Door>,
}

/// Lockdown, evacuation, keeping doors unlocked, and the end of it, for all doors or a group
///
/// To end a lockdown one must have proved lately who one is (`step_up_required`).
#[utoipa::path(post, path = "/api/v1/doors/mode", tag = "doors", request_body = ModeOrder, responses(
    (status = 200, body = Ordered),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn order(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(order): Json<ModeOrder>,
) -> Result<Json<Ordered>> {
    Ok(Json(Ordered { doors: access.order_mode(&actor, order).await? }))
}

/// Where a door is on a plan.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = DoorPlace, example = json!({"plan_id": null, "x": 0.25, "y": 0.5}))]
pub struct Place {
    /// Absent: it is taken off its plan.
    plan_id: Option<PlanId>,
    /// 0 (left) to 1.
    x: f64,
    /// 0 (top) to 1.
    y: f64,
}

/// Place a door on a plan
#[utoipa::path(put, path = "/api/v1/doors/{id}/place", tag = "doors", request_body = Place,
    params(("id" = DoorId, Path)), responses(
    (status = 200, body = Door),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn place(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorId>,
    Json(place): Json<Place>,
) -> Result<Json<Door>> {
    Ok(Json(access.place_door(&actor, id, place.plan_id.map(|plan| (plan, place.x, place.y))).await?))
}

/// How many were forgotten.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PassbackReset, example = json!({"people": 3}))]
pub struct Forgotten {
    pub people: u64,
}

/// Begin anti-passback anew at a door
///
/// Everyone counts as outside.
#[utoipa::path(post, path = "/api/v1/doors/{id}/passback/reset", tag = "doors", params(("id" = DoorId, Path)), responses(
    (status = 200, body = Forgotten),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn reset_passback(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<DoorId>,
) -> Result<Json<Forgotten>> {
    Ok(Json(Forgotten { people: access.reset_door_passback(&actor, id).await? }))
}

/// Somebody at a reader.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"method": "rfid", "presented": "04:52:1A:2B"}))]
pub struct Question {
    /// `rfid`, `pin`, `fingerprint` or `code`.
    method: Method,
    /// The card's number, the PIN or code, the finger's slot; at most 100 bytes.
    presented: String,
    /// At a reader that serves both sides: on the inside.
    #[serde(default)]
    leaving: bool,
}

/// Shall somebody be let in?
///
/// Asked by a reader with its key. The answer is 200 also when nobody is let in; any other status means that it could
/// not be decided, and that the door stays shut.
#[utoipa::path(post, path = "/api/v1/access/check", tag = "doors", request_body = Question,
    security(("api_key" = [])), responses(
    (status = 200, body = Verdict),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The device is not active"),
    (status = 429, body = Problem),
    (status = 503, body = Problem, description = "It cannot be decided now"),
))]
pub async fn check(
    State(access): State<Access>,
    caller: Result<CallingDevice>,
    Json(question): Json<Question>,
) -> Result<Json<Verdict>> {
    let undecided = |error: Error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Internal => {
            error.with_member("granted", false).with_member("reason", AccessReason::Unavailable.as_str())
        }
        _ => error,
    };
    let CallingDevice { device, actor } = caller.map_err(undecided)?;
    if matches!(question.method, Method::Remote | Method::Bluetooth | Method::System) {
        return Err(Error::field("method", "rfid, pin, fingerprint or code"));
    }
    let ask = Ask {
        reader: device.id,
        method: question.method,
        presented: question.presented,
        leaving: question.leaving,
        at: access.0.platform.clock.now(),
        by: AskedBy::Http,
        is_untrusted: false,
    };
    Ok(Json(access.check(&actor, ask).await.map_err(undecided)?))
}
