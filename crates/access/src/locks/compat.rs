//! The former smart lock's interface: its fields, codes and texts (`docs/migration.md` says what differs). Its paths
//! without version are rewritten to these (`platform::http`): `/api/lock` and `/api/logs` to `/api/v1/…`, `/auth/…` and
//! `/locks…` to `/api/v1/smart-lock/…`.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use portico_identity::{Auth, RequestContext, SessionKind, SignIn};
use portico_model::access::Position;
use portico_model::access::lock::{Bolt, How, Lock, LockEvent, LockEventKind, LockResult, NewLock};
use portico_model::devices::Connection;
use portico_model::{DeviceId, ErrorKind, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{LockQuery, MAX_PAGE, Operation, store_event};
use crate::Access;

/// Lines of `/api/logs`: it has no pages.
const MAX_LOGS: i64 = 500;

pub(crate) fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(sign_up_again))
        .routes(routes!(sign_in))
        .routes(routes!(lock))
        .routes(routes!(unlock))
        .routes(routes!(logs))
        .routes(routes!(list))
        .routes(routes!(register))
        .routes(routes!(status))
        .routes(routes!(reassign))
}

/// As [`Auth`]; a refusal has the `msg` that the former clients read.
pub struct Caller(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let msg = match authorization {
            None => "Missing Authorization Header",
            Some(text) if !text.to_ascii_lowercase().starts_with("bearer ") => {
                "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"
            }
            Some(_) => "Token has expired",
        };
        let Auth(actor) = Auth::from_request_parts(parts, state).await.map_err(|error| {
            if error.kind() == ErrorKind::Unauthenticated { error.with_member("msg", msg) } else { error }
        })?;
        Ok(Self(actor))
    }
}

/// A JSON body, whatever its `Content-Type` says and whatever else it holds; nothing, when it is none.
fn fields(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn text<'a>(fields: &'a Value, name: &str) -> Result<&'a str> {
    let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Error::invalid("missing_fields", "Missing required fields"))
}

/// What it was called.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockMessage, example = json!({"message": "User created successfully"}))]
pub struct Message {
    message: String,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SmartLockSignUp, example = json!({
    "email": "ann@example.org", "username": "ann", "password": "correct horse battery staple"
}))]
#[allow(dead_code)] // for the document; the body is read leniently
pub struct SignUpBody {
    email: String,
    username: String,
    password: String,
}

async fn new_account(access: &Access, ctx: &RequestContext, body: &Bytes) -> Result<()> {
    let body = fields(body);
    let (username, email, password) = (text(&body, "username")?, text(&body, "email")?, text(&body, "password")?);
    let made = access.0.identity.sign_up(username, email, password, ctx).await;
    made.map(drop).map_err(|error| match error.kind() {
        ErrorKind::Conflict => Error::invalid("username_taken", "Username already exists"),
        _ => error,
    })
}

/// Sign up, as the former smart lock
///
/// Only where accounts may be made by anyone.
#[utoipa::path(post, path = "/api/v1/smart-lock/auth/register", tag = "smart lock (former)", request_body = SignUpBody,
    responses(
    (status = 200, body = Message),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "Accounts are made by an administrator here"),
    (status = 429, body = Problem),
), security(()))]
pub async fn sign_up(State(access): State<Access>, ctx: RequestContext, body: Bytes) -> Result<Json<Message>> {
    new_account(&access, &ctx, &body).await?;
    Ok(Json(Message { message: "User created successfully".to_owned() }))
}

/// Sign up, as the former smart lock's other path
#[utoipa::path(post, path = "/api/v1/smart-lock/auth/signup", tag = "smart lock (former)", request_body = SignUpBody,
    responses(
    (status = 200, body = Message),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "Accounts are made by an administrator here"),
    (status = 429, body = Problem),
), security(()))]
pub async fn sign_up_again(State(access): State<Access>, ctx: RequestContext, body: Bytes) -> Result<Json<Message>> {
    new_account(&access, &ctx, &body).await?;
    Ok(Json(Message { message: "User registered".to_owned() }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SmartLockSignIn, example = json!({"username": "ann", "password": "correct horse battery staple"}))]
#[allow(dead_code)] // for the document; the body is read leniently
pub struct SignInBody {
    username: String,
    password: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockToken, example = json!({"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}))]
pub struct Token {
    token: String,
}

/// Sign in, as the former smart lock
///
/// An account with a second factor cannot sign in here.
#[utoipa::path(post, path = "/api/v1/smart-lock/auth/login", tag = "smart lock (former)", request_body = SignInBody,
    responses(
    (status = 200, body = Token),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 429, body = Problem),
), security(()))]
pub async fn sign_in(State(access): State<Access>, ctx: RequestContext, body: Bytes) -> Result<Json<Token>> {
    let body = fields(&body);
    let (username, password) = (text(&body, "username")?, text(&body, "password")?);
    let wrong = || Error::unauthenticated("invalid_credentials", "Invalid credentials");
    match access.0.identity.begin_sign_in(username, password, SessionKind::Api, &ctx).await {
        Ok(SignIn::Done(signed_in)) => Ok(Json(Token { token: signed_in.access_token })),
        Ok(SignIn::SecondFactor(_)) => Err(wrong()),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Err(wrong()),
        Err(error) => Err(error),
    }
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Id or hardware id of the lock.
    #[param(example = "device-1")]
    device_id: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockSent, example = json!({"status": "LOCK command sent to device-1"}))]
pub struct Sent {
    status: String,
}

async fn send(access: &Access, actor: &Actor, query: DeviceQuery, want: Bolt) -> Result<Json<Sent>> {
    let denied = || Error::forbidden("access_denied", "Access denied to this lock");
    let hide = |error: Error| match error.kind() {
        ErrorKind::NotFound => denied(),
        ErrorKind::Forbidden if error.code() == "not_operator" => denied(),
        _ => error,
    };
    let device = query.device_id.unwrap_or_default();
    let id = access.resolve_lock(actor.organization, &device).await.map_err(hide)?;
    let operation = Operation { only_online: true, ..Operation::new(want, How::SmartLock) };
    access.operate_lock(actor, id, operation).await.map_err(hide)?;
    Ok(Json(Sent { status: format!("{} command sent to {device}", want.command().to_uppercase()) }))
}

/// Lock, as the former smart lock
///
/// Also at `/api/lock`. A lock that is not there is told nothing: 503. The new way is `POST /api/v1/locks/{id}/lock`.
#[utoipa::path(post, path = "/api/v1/lock", tag = "smart lock (former)", params(DeviceQuery), responses(
    (status = 200, body = Sent),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
))]
pub async fn lock(
    State(access): State<Access>,
    Caller(actor): Caller,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<Sent>> {
    send(&access, &actor, query, Bolt::Locked).await
}

/// Unlock, as the former smart lock
///
/// Also at `/api/unlock`. A lock that is not there is told nothing: 503. The new way is `POST /api/v1/locks/{id}/unlock`.
#[utoipa::path(post, path = "/api/v1/unlock", tag = "smart lock (former)", params(DeviceQuery), responses(
    (status = 200, body = Sent),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem),
    (status = 429, body = Problem),
    (status = 503, body = Problem),
))]
pub async fn unlock(
    State(access): State<Access>,
    Caller(actor): Caller,
    Query(query): Query<DeviceQuery>,
) -> Result<Json<Sent>> {
    send(&access, &actor, query, Bolt::Unlocked).await
}

/// A line of the former log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockLog, example = json!({
    "_id": "0199a0000000700080000000000000e1", "timestamp": "2026-11-21T02:09:19.541000", "device_id": "device-1",
    "status": "LOCK", "state": "Unknown", "action": "LOCK", "user_id": "ann"
}))]
pub struct Log {
    #[serde(rename = "_id")]
    id: String,
    timestamp: String,
    device_id: String,
    status: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

fn log_of(event: &LockEvent, device_id: String) -> Log {
    let action = match event.kind {
        LockEventKind::Lock => Some("LOCK"),
        LockEventKind::Unlock => Some("UNLOCK"),
        _ => None,
    };
    let state = match (event.kind, event.result) {
        (LockEventKind::Lock, LockResult::Done) => "Locked",
        (LockEventKind::Unlock, LockResult::Done) => "Unlocked",
        (LockEventKind::Moved, _) if event.note.starts_with("locked") => "Locked",
        (LockEventKind::Moved, _) if event.note.starts_with("unlocked") => "Unlocked",
        _ => "Unknown",
    };
    let status = match event.kind {
        LockEventKind::Offline | LockEventKind::Lost => "Offline",
        LockEventKind::Online => "Online",
        LockEventKind::Moved => state,
        _ => action.unwrap_or("Unknown"),
    };
    // Without zone, in microseconds.
    let iso = event.at.to_iso();
    let timestamp = iso.split_once('+').map_or(iso.as_str(), |(local, _)| local);
    Log {
        id: event.id.to_string(),
        timestamp: format!("{timestamp}000"),
        device_id,
        status: status.to_owned(),
        state: state.to_owned(),
        action: action.map(ToOwned::to_owned),
        user_id: action.and_then(|_| event.actor.strip_prefix("user:")).map(ToOwned::to_owned),
    }
}

/// The log, as the former smart lock
///
/// Also at `/api/logs`. Of the caller's own locks, the last 500 lines, the oldest first.
#[utoipa::path(get, path = "/api/v1/logs", tag = "smart lock (former)", responses(
    (status = 200, body = Vec<Log>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn logs(State(access): State<Access>, Caller(actor): Caller) -> Result<Json<Vec<Log>>> {
    let owner = needs_a_person(&actor)?;
    let locks = own_locks(&access, &actor).await?;
    let mut tx = access.0.platform.db.read().await?;
    let events = store_event::list_of_owner(&mut tx, actor.organization, owner, MAX_LOGS).await?;
    let name = |id: DeviceId| locks.iter().find(|lock| lock.id == id).map_or_else(|| id.to_string(), id_of);
    Ok(Json(events.iter().rev().map(|event| log_of(event, name(event.lock_id))).collect()))
}

fn needs_a_person(actor: &Actor) -> Result<portico_model::UserId> {
    actor.user_id().ok_or_else(|| Error::forbidden("needs_a_person", "Sign in as a person."))
}

async fn own_locks(access: &Access, actor: &Actor) -> Result<Vec<Lock>> {
    let owner = needs_a_person(actor)?;
    let mut cursor = None;
    let mut own = Vec::new();
    loop {
        let query = LockQuery { cursor, limit: Some(MAX_PAGE), ..LockQuery::default() };
        let page = access.locks(actor, query).await?;
        own.extend(page.items.into_iter().map(|shown| shown.lock).filter(|lock| lock.owner_id == owner));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(own);
        }
    }
}

/// As the former system knows it.
fn id_of(lock: &Lock) -> String {
    lock.hardware_id.clone().unwrap_or_else(|| lock.id.to_string())
}

const fn status_of(lock: &Lock) -> &'static str {
    match lock.connection {
        Connection::Online => "Online",
        Connection::Offline => "Offline",
        Connection::Never => "Unknown",
    }
}

const fn state_of(lock: &Lock) -> &'static str {
    match lock.position {
        Position::Locked => "Locked",
        Position::Unlocked => "Unlocked",
        Position::Locking | Position::Unlocking | Position::Jammed | Position::Unknown => "Unknown",
    }
}

fn issue_of(lock: &Lock) -> Option<String> {
    if lock.position == Position::Jammed {
        return Some("jammed".to_owned());
    }
    Some(lock.issue.clone()).filter(|issue| !issue.is_empty())
}

/// A lock in the former list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockListed, example = json!({
    "_id": "device-1", "name": "My Smart Lock", "owner": "ann", "status": "Online", "state": "Locked",
    "last_seen": "Sat, 21 Nov 2026 02:09:19 GMT", "issue": null
}))]
pub struct Listed {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    owner: String,
    status: &'static str,
    state: &'static str,
    last_seen: Option<String>,
    issue: Option<String>,
}

/// One's own locks, as the former smart lock
///
/// Also `GET /locks` with an `Authorization` header; a browser gets the page there.
#[utoipa::path(get, path = "/api/v1/smart-lock/locks", tag = "smart lock (former)", responses(
    (status = 200, body = Vec<Listed>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(State(access): State<Access>, Caller(actor): Caller) -> Result<Json<Vec<Listed>>> {
    let locks = own_locks(&access, &actor).await?;
    let listed = locks.iter().map(|lock| Listed {
        id: id_of(lock),
        name: lock.name.clone(),
        owner: lock.owner_name.clone(),
        status: status_of(lock),
        state: state_of(lock),
        last_seen: lock.last_seen_at.map(portico_model::Timestamp::to_http_date),
        issue: issue_of(lock),
    });
    Ok(Json(listed.collect()))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SmartLockRegistration, example = json!({"device_id": "device-1", "name": "My Smart Lock"}))]
#[allow(dead_code)] // for the document; the body is read leniently
pub struct Registration {
    device_id: String,
    name: String,
}

/// The answer of the former interface, and the key that the device needs now; shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockRegistered, example = json!({
    "message": "Lock registered", "api_key": "k3vQ0sZ8nYpLr5TxBw2HdJ7mAcE9fGuN"
}))]
pub struct Registered {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

/// Register a lock, as the former smart lock
///
/// A device with this hardware id that the caller may change becomes a lock; else a new device of the caller's is made.
#[utoipa::path(post, path = "/api/v1/smart-lock/locks/register", tag = "smart lock (former)",
    request_body = Registration, responses(
    (status = 200, body = Registered),
    (status = 400, body = Problem, description = "A field is missing, or `Device already registered`"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Another of the caller's devices has this name"),
    (status = 429, body = Problem),
))]
pub async fn register(State(access): State<Access>, Caller(actor): Caller, body: Bytes) -> Result<Json<Registered>> {
    let body = fields(&body);
    let (device, name) = (text(&body, "device_id")?.trim(), text(&body, "name")?);
    let taken = || Error::invalid("already_registered", "Device already registered");
    let new = match access.resolve_lock(actor.organization, device).await {
        Ok(_) => NewLock { device_id: Some(device.to_owned()), ..NewLock::default() },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            NewLock { name: Some(name.to_owned()), hardware_id: Some(device.to_owned()), ..NewLock::default() }
        }
        Err(error) => return Err(error),
    };
    let is_there = new.device_id.is_some();
    let made = access.register_lock(&actor, new).await.map_err(|error| match (error.kind(), error.code()) {
        (ErrorKind::Conflict, "already_a_lock" | "hardware_id_taken") => taken(),
        // Somebody else's: no more is told.
        (ErrorKind::NotFound | ErrorKind::Forbidden, _) if is_there => taken(),
        _ => error,
    })?;
    Ok(Json(Registered { message: "Lock registered", api_key: made.api_key }))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SmartLockStatus, example = json!({
    "device_id": "device-1", "connection_status": "Available", "device_status": "Online", "device_state": "Locked",
    "issue": null
}))]
pub struct Status {
    device_id: String,
    connection_status: &'static str,
    device_status: &'static str,
    device_state: &'static str,
    issue: Option<String>,
}

/// A lock's status, as the former smart lock
///
/// Also `GET /locks/{id}/status`. Reading it changes nothing.
#[utoipa::path(get, path = "/api/v1/smart-lock/locks/{id}/status", tag = "smart lock (former)",
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 200, body = Status),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn status(
    State(access): State<Access>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Status>> {
    let not_yours = |error: Error| match error.kind() {
        ErrorKind::NotFound => Error::not_found("lock_not_found", "Lock not found or not yours"),
        _ => error,
    };
    let found = access.resolve_lock(actor.organization, &id).await.map_err(not_yours)?;
    let lock = access.lock(&actor, found).await.map_err(not_yours)?.lock;
    let connection_status = if lock.connection == Connection::Online { "Available" } else { "Unavailable" };
    Ok(Json(Status {
        device_id: id,
        connection_status,
        device_status: status_of(&lock),
        device_state: state_of(&lock),
        issue: issue_of(&lock),
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ReassignQuery {
    /// User name.
    #[param(example = "bob")]
    new_owner: Option<String>,
}

/// Give a lock to another person, as the former smart lock
///
/// Also `PUT /locks/{id}/reassign`. Whoever it was shared with has it no more.
#[utoipa::path(put, path = "/api/v1/smart-lock/locks/{id}/reassign", tag = "smart lock (former)",
    params(("id" = String, Path, description = "Id or hardware id of the lock"), ReassignQuery), responses(
    (status = 200, body = Message),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn reassign(
    State(access): State<Access>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(query): Query<ReassignQuery>,
) -> Result<Json<Message>> {
    if !actor.may(portico_model::identity::Permission::ManageAllLocks) {
        return Err(Error::forbidden("not_permitted", "Admin access required"));
    }
    let to = query.new_owner.unwrap_or_default();
    let found = access.resolve_lock(actor.organization, &id).await?;
    access.reassign_lock(&actor, found, &to).await.map_err(|error| match error.code() {
        "user_not_found" => Error::not_found("user_not_found", "New owner not found"),
        _ => error,
    })?;
    Ok(Json(Message { message: format!("Lock {id} reassigned to {to}") }))
}
