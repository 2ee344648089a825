//! Commands to devices: their states, what a device is sent, and what it answers. Only the device's own answer means
//! done; a command is never sent after it has expired, and what comes twice or late changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::telemetry::PayloadProblem;
use crate::{CommandId, DeviceId, FieldError, Timestamp};

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum CommandState {
    /// Waits until the device is there.
    Queued,
    /// On its way to the device; sent again until it answers or the command expires.
    Sent,
    /// The device has it and is not done yet.
    Delivered,
    /// The device did it.
    Acknowledged,
    /// The device could not or would not do it.
    Failed,
    /// It was not done in time. It is not sent any more.
    Expired,
    /// Withdrawn before it was sent.
    Cancelled,
}

impl CommandState {
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Sent, Self::Delivered, Self::Acknowledged, Self::Failed, Self::Expired, Self::Cancelled];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Acknowledged => "acknowledged",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Nothing changes it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Failed | Self::Expired | Self::Cancelled)
    }

    /// The state after the device's answer; `None` when that changes nothing (it came before, or too late).
    #[must_use]
    pub const fn after(self, result: AckResult) -> Option<Self> {
        match (self, result) {
            (Self::Queued | Self::Sent, AckResult::Received) => Some(Self::Delivered),
            (Self::Queued | Self::Sent | Self::Delivered, AckResult::Ok) => Some(Self::Acknowledged),
            (Self::Queued | Self::Sent | Self::Delivered, AckResult::Failed) => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A command and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000c1", "device_id": "0199a0000000700080000000000000ab", "name": "set_interval",
    "args": {"seconds": 30}, "state": "acknowledged", "counter": 7, "issued_by": "user:ada",
    "issued_at": "2026-11-21T02:00:00.000+00:00", "expires_at": "2026-11-21T02:01:00.000+00:00",
    "sent_at": "2026-11-21T02:00:00.004+00:00", "delivered_at": null,
    "finished_at": "2026-11-21T02:00:00.062+00:00", "attempts": 1, "error": "", "response": {"seconds": 30}
})))]
pub struct Command {
    pub id: CommandId,
    pub device_id: DeviceId,
    pub name: String,
    /// Always an object.
    pub args: Value,
    pub state: CommandState,
    /// Numbers the commands of one device from 1: a device that remembers the last it did refuses an older one.
    pub counter: i64,
    /// Who asked for it, as in the audit trail.
    pub issued_by: String,
    pub issued_at: Timestamp,
    /// From then on it is not sent, and an answer changes nothing.
    pub expires_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// When the device said that it has it.
    pub delivered_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// How often it was sent.
    pub attempts: i64,
    /// Why it failed, in the device's words; else empty.
    pub error: String,
    /// What else the device answered; an object.
    pub response: Value,
}

/// How long a command waits when nothing is said, seconds.
pub const DEFAULT_EXPIRES_IN_S: i64 = 60;

/// Longest wait, seconds: 30 days.
pub const MAX_EXPIRES_IN_S: i64 = 30 * 86_400;

/// Longest name of a command, characters.
pub const MAX_NAME_CHARS: usize = 50;

/// Largest arguments or answer, bytes of JSON.
pub const MAX_ARGS_BYTES: usize = 8 * 1024;

/// Deepest arguments or answer.
pub const MAX_DEPTH: usize = 8;

/// What a device is to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "set_interval", "args": {"seconds": 30}, "expires_in_s": 3600})))]
pub struct NewCommand {
    /// 1 to 50 letters, digits, `_`, `-`, `.`.
    #[cfg_attr(feature = "server", schema(min_length = 1, max_length = 50, pattern = "^[A-Za-z0-9_.-]+$"))]
    pub name: String,
    /// An object of at most 8 KiB; absent: `{}`.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<Object>))]
    pub args: Option<Value>,
    /// How long the command may wait for the device, seconds; 1 to 2,592,000, absent: 60.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(minimum = 1, maximum = 2_592_000))]
    pub expires_in_s: Option<i64>,
}

impl NewCommand {
    /// The command with its defaults in place.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn checked(self) -> Result<(String, Value, i64), Vec<FieldError>> {
        let mut problems = Vec::new();
        let name = self.name.trim().to_owned();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.bytes().all(is_plain) {
            problems.push(FieldError::new("name", "1 to 50 letters, digits, '_', '-' or '.'"));
        }
        let args = self.args.filter(|args| !args.is_null()).unwrap_or_else(|| Value::Object(Map::new()));
        if let Err(message) = check_object(&args, MAX_ARGS_BYTES) {
            problems.push(FieldError::new("args", message));
        }
        let expires_in_s = self.expires_in_s.unwrap_or(DEFAULT_EXPIRES_IN_S);
        if !(1..=MAX_EXPIRES_IN_S).contains(&expires_in_s) {
            problems.push(FieldError::new("expires_in_s", "1 to 2592000 seconds"));
        }
        if problems.is_empty() { Ok((name, args, expires_in_s)) } else { Err(problems) }
    }
}

/// An object that is small and flat enough to store and to send to a small device.
///
/// # Errors
/// What it must be.
pub fn check_object(value: &Value, max_bytes: usize) -> Result<(), String> {
    let text = value.to_string();
    if !value.is_object() || text.len() > max_bytes {
        return Err(format!("an object of at most {max_bytes} bytes"));
    }
    if depth(value) > MAX_DEPTH {
        return Err(format!("at most {MAX_DEPTH} levels deep"));
    }
    // PostgreSQL cannot store it.
    if text.contains("\\u0000") {
        return Err("no NUL characters".to_owned());
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl Command {
    /// What the device gets on `devices/{id}/command`. Times are epoch milliseconds: a small device compares them
    /// without a calendar.
    #[must_use]
    pub fn message(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "args": self.args,
            "issued_at": self.issued_at.millis(),
            "expires_at": self.expires_at.millis(),
            "counter": self.counter,
        })
    }
}

/// What a device says of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum AckResult {
    /// It has it and will answer again when it is done.
    Received,
    /// Done.
    Ok,
    /// Not done; `error` says why.
    Failed,
}

/// A device's answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    pub command: CommandId,
    pub result: AckResult,
    pub error: String,
    /// The other members of the answer.
    pub response: Value,
}

/// Longest `error` kept, characters.
const MAX_ERROR_CHARS: usize = 500;

/// Reads `{"command_id", "result": "received"|"ok"|"failed", "error"?, …}`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_ack(bytes: &[u8]) -> Result<Ack, PayloadProblem> {
    if bytes.len() > MAX_ARGS_BYTES {
        let message = format!("{} bytes sent, {MAX_ARGS_BYTES} allowed", bytes.len());
        return Err(PayloadProblem::new("payload_too_large", message));
    }
    let json: Value =
        serde_json::from_slice(bytes).map_err(|error| PayloadProblem::new("not_json", format!("not JSON: {error}")))?;
    let Value::Object(mut members) = json else {
        return Err(PayloadProblem::new("bad_ack", "an answer to a command is an object"));
    };
    let command = members
        .remove("command_id")
        .and_then(|id| id.as_str().and_then(|id| id.parse().ok()))
        .ok_or_else(|| PayloadProblem::new("bad_ack", "`command_id` must be the id of a command"))?;
    let result = match members.remove("result").as_ref().and_then(Value::as_str) {
        Some("received") => AckResult::Received,
        Some("ok") => AckResult::Ok,
        Some("failed") => AckResult::Failed,
        _ => return Err(PayloadProblem::new("bad_ack", "`result` must be received, ok or failed")),
    };
    let error: String = match members.remove("error") {
        Some(Value::String(text)) => text.chars().filter(|letter| !letter.is_control()).take(MAX_ERROR_CHARS).collect(),
        _ => String::new(),
    };
    let response = Value::Object(members);
    check_object(&response, MAX_ARGS_BYTES).map_err(|message| PayloadProblem::new("bad_ack", message))?;
    Ok(Ack { command, result, error, response })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_move_a_command_forward_only() {
        use AckResult::{Failed, Ok, Received};
        use CommandState as S;
        let table = [
            (S::Queued, Received, Some(S::Delivered)),
            (S::Sent, Received, Some(S::Delivered)),
            (S::Sent, Ok, Some(S::Acknowledged)),
            (S::Sent, Failed, Some(S::Failed)),
            (S::Delivered, Received, None),
            (S::Delivered, Ok, Some(S::Acknowledged)),
            (S::Delivered, Failed, Some(S::Failed)),
        ];
        for (before, result, after) in table {
            assert_eq!(before.after(result), after, "{before:?} {result:?}");
        }
        for state in CommandState::ALL.into_iter().filter(|state| state.is_final()) {
            for result in [Received, Ok, Failed] {
                assert_eq!(state.after(result), None, "{state:?} {result:?}");
            }
        }
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in CommandState::ALL {
            assert_eq!(CommandState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(CommandState::parse("done"), None);
    }

    #[test]
    fn answer_keeps_what_else_the_device_says() {
        let id = "0193a0000000700080000000000000ab";
        let text = format!(r#"{{"command_id":"{id}","result":"ok","error":null,"state":"open","angle":3}}"#);
        let ack = parse_ack(text.as_bytes()).unwrap();
        assert_eq!((ack.command.to_string().as_str(), ack.result, ack.error.as_str()), (id, AckResult::Ok, ""));
        assert_eq!(ack.response, json!({"state": "open", "angle": 3}));
    }

    #[test]
    fn bad_answers_say_what_is_wrong() {
        let id = "0193a0000000700080000000000000ab";
        for (payload, code) in [
            ("nonsense".to_owned(), "not_json"),
            ("[]".to_owned(), "bad_ack"),
            (r#"{"result":"ok"}"#.to_owned(), "bad_ack"),
            (format!(r#"{{"command_id":"{id}"}}"#), "bad_ack"),
            (format!(r#"{{"command_id":"{id}","result":"perhaps"}}"#), "bad_ack"),
            (format!(r#"{{"command_id":"{id}","result":"ok","x":"\u0000"}}"#), "bad_ack"),
            ("x".repeat(MAX_ARGS_BYTES + 1), "payload_too_large"),
        ] {
            assert_eq!(parse_ack(payload.as_bytes()).unwrap_err().code, code, "{payload:.80}");
        }
    }

    #[test]
    fn every_mistake_in_a_command_is_told_at_once() {
        let deep = (0..MAX_DEPTH).fold(json!({}), |inner, _| json!({ "a": inner }));
        let new = NewCommand { name: "two words".into(), args: Some(deep), expires_in_s: Some(0) };
        let fields: Vec<_> = new.checked().unwrap_err().into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["name", "args", "expires_in_s"]);
        let good = NewCommand { name: " reboot ".into(), ..NewCommand::default() };
        assert_eq!(good.checked(), Ok(("reboot".to_owned(), json!({}), DEFAULT_EXPIRES_IN_S)));
    }
}
