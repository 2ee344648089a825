//! REST of locks: parse, call one service method, shape the answer.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::Position;
use portico_model::access::lock::{
    Bolt, How, Lock, LockChange, LockEvent, LockGrant, NewLock, NewLockGrant, RegisteredLock, ShownLock,
};
use portico_model::devices::Connection;
use portico_model::{LockGrantId, Page, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Result};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{LockQuery, Operation};
use crate::Access;

pub(crate) fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(list, register))
        .routes(routes!(get, change, remove))
        .routes(routes!(lock))
        .routes(routes!(unlock))
        .routes(routes!(history))
        .routes(routes!(grants, share))
        .routes(routes!(unshare))
        .routes(routes!(reassign))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of the name, the hardware id, the type or the location.
    search: Option<String>,
    position: Option<Position>,
    connection: Option<Connection>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// Locks that the caller may see, by name
///
/// One's own, and those that are shared with one; with `read_all_locks` all of the organisation. `role` says what the
/// caller may do with each.
#[utoipa::path(get, path = "/api/v1/locks", tag = "locks", params(ListQuery), responses(
    (status = 200, body = Page<ShownLock>),
    (status = 400, body = Problem, description = "A filter or the cursor is wrong"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ShownLock>>> {
    let ListQuery { search, position, connection, cursor, limit } = query;
    let query = LockQuery { search, position, connection, cursor, limit };
    Ok(Json(access.locks(&actor, query).await?))
}

/// Register a lock
///
/// Either with a device of its own, whose key is in the answer and shown this once, or for a device that is there and that
/// the caller may change (`device_id`).
#[utoipa::path(post, path = "/api/v1/locks", tag = "locks", request_body = NewLock, responses(
    (status = 201, body = RegisteredLock),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "There is no such device"),
    (status = 409, body = Problem, description = "It is a lock already, or the name or hardware id is taken"),
    (status = 429, body = Problem),
))]
pub async fn register(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(new): Json<NewLock>,
) -> Result<(StatusCode, Json<RegisteredLock>)> {
    Ok((StatusCode::CREATED, Json(access.register_lock(&actor, new).await?)))
}

/// A lock
#[utoipa::path(get, path = "/api/v1/locks/{id}", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, body = ShownLock),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<ShownLock>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.lock(&actor, id).await?))
}

/// Change a lock
///
/// For its owner, and with `manage_all_locks`.
#[utoipa::path(patch, path = "/api/v1/locks/{id}", tag = "locks", request_body = LockChange,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, body = ShownLock),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The name is taken"),
    (status = 429, body = Problem),
))]
pub async fn change(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(change): Json<LockChange>,
) -> Result<Json<ShownLock>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.change_lock(&actor, id, change).await?))
}

/// Remove a lock
///
/// With its history and with whom it is shared; its device stays. For its owner, and with `manage_all_locks`.
#[utoipa::path(delete, path = "/api/v1/locks/{id}", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, description = "As it was", body = Lock),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn remove(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Lock>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.remove_lock(&actor, id).await?))
}

/// How to lock or unlock.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({"expires_in_s": 30}))]
pub struct OperationBody {
    /// How long a lock that is away may take to come back and do it, seconds; 1 to 3,600, absent: 60.
    expires_in_s: Option<i64>,
}

async fn operate(
    access: &Access,
    actor: &Actor,
    id: &str,
    want: Bolt,
    body: Option<Json<OperationBody>>,
) -> Result<(StatusCode, Json<Lock>)> {
    let id = access.resolve_lock(actor.organization, id).await?;
    let expires_in_s = body.and_then(|Json(body)| body.expires_in_s);
    let operation = Operation { expires_in_s, ..Operation::new(want, How::Api) };
    Ok((StatusCode::ACCEPTED, Json(access.operate_lock(actor, id, operation).await?)))
}

/// Lock
///
/// The lock is told at once, or when it is back before the expiry. It is locked only when it says so: follow `position`
/// here, in the history, or live on `lock:ID`. Repeat with the same `Idempotency-Key` for the same command.
#[utoipa::path(post, path = "/api/v1/locks/{id}/lock", tag = "locks", request_body = Option<OperationBody>,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 202, description = "Told; `wanted` until it answers", body = Lock),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Not an operator of it; or `step_up_required`"),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The device is not in use, or too many commands wait"),
    (status = 429, body = Problem),
))]
pub async fn lock(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    body: Option<Json<OperationBody>>,
) -> Result<(StatusCode, Json<Lock>)> {
    operate(&access, &actor, &id, Bolt::Locked, body).await
}

/// Unlock
///
/// As locking.
#[utoipa::path(post, path = "/api/v1/locks/{id}/unlock", tag = "locks", request_body = Option<OperationBody>,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 202, description = "Told; `wanted` until it answers", body = Lock),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Not an operator of it; or `step_up_required`"),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The device is not in use, or too many commands wait"),
    (status = 429, body = Problem),
))]
pub async fn unlock(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    body: Option<Json<OperationBody>>,
) -> Result<(StatusCode, Json<Lock>)> {
    operate(&access, &actor, &id, Bolt::Unlocked, body).await
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// What became of a lock, the newest first
#[utoipa::path(get, path = "/api/v1/locks/{id}/history", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock"), HistoryQuery), responses(
    (status = 200, body = Page<LockEvent>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn history(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<LockEvent>>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.lock_history(&actor, id, query.cursor.as_deref(), query.limit).await?))
}

/// With whom a lock is shared
///
/// All of them, by name. For its owner, and with `manage_all_locks`.
#[utoipa::path(get, path = "/api/v1/locks/{id}/grants", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, body = Page<LockGrant>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn grants(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Page<LockGrant>>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(Page { items: access.lock_grants(&actor, id).await?, next: None }))
}

/// Share a lock
///
/// With a person (`user`) or a group of people, as `viewer` or `operator`. Sharing again changes the role.
#[utoipa::path(post, path = "/api/v1/locks/{id}/grants", tag = "locks", request_body = NewLockGrant,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 201, body = LockGrant),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It is shared with as many as it can be"),
    (status = 429, body = Problem),
))]
pub async fn share(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewLockGrant>,
) -> Result<(StatusCode, Json<LockGrant>)> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok((StatusCode::CREATED, Json(access.share_lock(&actor, id, new).await?)))
}

/// Take a lock back
///
/// At once, also from who is looking at it.
#[utoipa::path(delete, path = "/api/v1/locks/{id}/grants/{grant_id}", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock"), ("grant_id" = LockGrantId, Path)),
    responses(
    (status = 200, description = "As it was", body = LockGrant),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn unshare(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path((id, grant)): Path<(String, LockGrantId)>,
) -> Result<Json<LockGrant>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.unshare_lock(&actor, id, grant).await?))
}

/// Who gets the lock.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"owner": "bob"}))]
pub struct NewLockOwner {
    /// User name, e-mail address or id.
    owner: String,
}

/// Give a lock to another person
///
/// Whoever it was shared with has it no more. With `manage_all_locks` alone.
#[utoipa::path(put, path = "/api/v1/locks/{id}/owner", tag = "locks", request_body = NewLockOwner,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, body = ShownLock),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "There is no such lock or person"),
    (status = 409, body = Problem, description = "The person is deactivated, has a device of this name, or too many"),
    (status = 429, body = Problem),
))]
pub async fn reassign(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewLockOwner>,
) -> Result<Json<ShownLock>> {
    let id = access.resolve_lock(actor.organization, &id).await?;
    Ok(Json(access.reassign_lock(&actor, id, &new.owner).await?))
}
