//! Commands: for people, and for a device that asks over HTTP.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use portico_identity::Auth;
use portico_model::commands::{AckResult, Command, CommandState, NewCommand};
use portico_model::{CommandId, Page, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::ActiveDevice;
use super::json_object;
use crate::Devices;
use crate::signing::Proof;

/// Have a device do something
///
/// It is sent over MQTT (`devices/{id}/command`) at once when the device is online, or when it returns before the
/// command expires; again until the device answers on `devices/{id}/ack`. It is never sent late. With an
/// `Idempotency-Key` the same request again gives the same command.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", tag = "commands", request_body = NewCommand,
    params(("id" = String, Path, description = "Id or hardware id of the device")), responses(
    (status = 201, description = "Queued or sent", body = Command),
    (status = 400, description = "Invalid fields", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Seen but not to be changed", body = Problem),
    (status = 404, description = "No such device", body = Problem),
    (status = 409, description = "The device is not active, or 100 of its commands wait already", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn send(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewCommand>,
) -> Result<(StatusCode, Json<Command>)> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok((StatusCode::CREATED, Json(devices.send_command(&actor, id, new).await?)))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those in this state.
    state: Option<CommandState>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// A device's commands, the newest first
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", tag = "commands",
    params(("id" = String, Path, description = "Id or hardware id of the device"), ListQuery), responses(
    (status = 200, description = "A page of them", body = Page<Command>),
    (status = 400, description = "A bad query", body = Problem),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 404, description = "No such device", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Command>>> {
    let id = devices.resolve(actor.organization, &id).await?;
    let page = devices.commands(&actor, id, query.state, query.cursor.as_deref(), query.limit).await?;
    Ok(Json(page))
}

/// A command
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands/{command_id}", tag = "commands",
    params(("id" = String, Path, description = "Id or hardware id of the device"), ("command_id" = CommandId, Path)),
    responses(
    (status = 200, description = "What became of it", body = Command),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 404, description = "No such device or command", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path((id, command)): Path<(String, CommandId)>,
) -> Result<Json<Command>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.command(&actor, id, command).await?))
}

/// Withdraw a command
///
/// As long as it waits for the device. One that was sent cannot be taken back: the device may be doing it.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/commands/{command_id}", tag = "commands",
    params(("id" = String, Path, description = "Id or hardware id of the device"), ("command_id" = CommandId, Path)),
    responses(
    (status = 200, description = "Withdrawn", body = Command),
    (status = 401, description = "Not signed in", body = Problem),
    (status = 403, description = "Seen but not to be changed", body = Problem),
    (status = 404, description = "No such device or command", body = Problem),
    (status = 409, description = "It was sent already", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn cancel(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path((id, command)): Path<(String, CommandId)>,
) -> Result<Json<Command>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.cancel_command(&actor, id, command).await?))
}

/// What a device is told to do: the same as over MQTT.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "0199a0000000700080000000000000c1", "name": "set_interval", "args": {"seconds": 30},
    "issued_at": 1_795_226_400_000_i64, "expires_at": 1_795_226_460_000_i64, "counter": 7,
    "key_id": "0c71cb94", "signature": "1ecf9efba5c9bbe0cd363d65812f799506cc78b2a414b79a17b5d40808713065"
}))]
pub struct CommandMessage {
    id: CommandId,
    name: String,
    #[schema(value_type = Object)]
    args: Value,
    /// Epoch milliseconds.
    issued_at: i64,
    /// Epoch milliseconds; from then on the command is not to be done.
    expires_at: i64,
    /// Numbers the commands of this device from 1.
    counter: i64,
    /// Names the signing key, as `GET /api/v1/devices/signing-key` does.
    key_id: String,
    /// HMAC-SHA-256 with the device's signing key, in hexadecimal; of what, docs/firmware.md says.
    signature: String,
}

impl From<(Command, Proof)> for CommandMessage {
    fn from((command, proof): (Command, Proof)) -> Self {
        Self {
            id: command.id,
            name: command.name,
            args: command.args,
            issued_at: command.issued_at.millis(),
            expires_at: command.expires_at.millis(),
            counter: command.counter,
            key_id: proof.key_id,
            signature: proof.signature,
        }
    }
}

/// What the device has still to do
///
/// For a device without MQTT. The oldest first; the same command comes again until it is answered.
#[utoipa::path(get, path = "/api/v1/devices/commands", tag = "commands", security(("api_key" = [])), responses(
    (status = 200, description = "Its commands", body = Vec<CommandMessage>),
    (status = 401, description = "No key, or a wrong one", body = Problem),
    (status = 403, description = "The device is not in use", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn own(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
) -> Result<Json<Vec<CommandMessage>>> {
    let commands = devices.commands_for_device(&device).await?;
    Ok(Json(commands.into_iter().map(CommandMessage::from).collect()))
}

/// A device's answer to a command. Other members are kept as its `response`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"result": "ok", "seconds": 30}))]
#[expect(dead_code, reason = "describes the body, which is read by the model")]
pub struct AckBody {
    result: AckResult,
    /// Why it failed.
    error: Option<String>,
}

/// Answer a command
///
/// The same as a message on `devices/{id}/ack`, without `command_id`. An answer that comes twice or too late is
/// accepted and changes nothing.
#[utoipa::path(post, path = "/api/v1/devices/commands/{command_id}/ack", tag = "commands",
    security(("api_key" = [])), request_body = AckBody, params(("command_id" = CommandId, Path)), responses(
    (status = 204, description = "Taken"),
    (status = 400, description = "Not an answer", body = Problem),
    (status = 401, description = "No key, or a wrong one", body = Problem),
    (status = 403, description = "The device is not in use", body = Problem),
    (status = 404, description = "Not the id of a command", body = Problem),
    (status = 429, description = "Too many requests", body = Problem),
))]
pub async fn acknowledge(
    State(devices): State<Devices>,
    ActiveDevice(device): ActiveDevice,
    Path(command): Path<CommandId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode> {
    let mut object: Map<String, Value> = json_object(&headers, &body)?;
    object.insert("command_id".to_owned(), Value::String(command.to_string()));
    let payload = Value::Object(object).to_string();
    match devices.read_ack(&device, payload.as_bytes(), devices.now()).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(problem) => Err(Error::invalid(problem.code, problem.message)),
    }
}
