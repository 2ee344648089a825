//! What a device does with what it is told: commands and its wanted state.

use std::collections::VecDeque;

use portico_model::{CommandId, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::firmware::Offer;

/// Answers kept, so that a command that comes again gets the same one.
const REMEMBERED: usize = 32;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CommandMessage {
    pub id: CommandId,
    pub name: String,
    #[serde(default)]
    pub args: Value,
    pub expires_at: i64,
}

/// What is to be done with a message on the command topic.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Order {
    /// Nothing: unreadable, too late, or under way already.
    Ignore,
    Answer(Value),
    Restart(Value),
    Update(CommandId, Box<Offer>),
}

/// The commands of late, and what was answered.
#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<(CommandId, Option<Value>)>);

impl Answers {
    /// Decides what to do. A device without a clock takes the server's word that the command is not late.
    pub fn take(&mut self, payload: &[u8], now: Option<Timestamp>) -> Order {
        let Ok(command) = serde_json::from_slice::<CommandMessage>(payload) else { return Order::Ignore };
        if now.is_some_and(|now| now.millis() >= command.expires_at) {
            return Order::Ignore;
        }
        if let Some((_, answer)) = self.0.iter().find(|(id, _)| *id == command.id) {
            return answer.clone().map_or(Order::Ignore, Order::Answer);
        }
        let order = order(&command);
        let answer = match &order {
            Order::Answer(answer) | Order::Restart(answer) => Some(answer.clone()),
            Order::Ignore | Order::Update(..) => None,
        };
        self.0.push_back((command.id, answer));
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
        order
    }

    /// The answer to a command that took a while.
    pub fn remember(&mut self, answer: &Value) {
        let id: Option<CommandId> = answer["command_id"].as_str().and_then(|id| id.parse().ok());
        if let Some((_, kept)) = self.0.iter_mut().find(|(known, _)| Some(*known) == id) {
            *kept = Some(answer.clone());
        }
    }
}

fn order(command: &CommandMessage) -> Order {
    let answer = |result: &str, more: Value| {
        let mut answer = json!({ "command_id": command.id, "result": result });
        if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
            answer.extend(more);
        }
        answer
    };
    match command.name.as_str() {
        portico_model::firmware::UPDATE_COMMAND => match serde_json::from_value(command.args.clone()) {
            Ok(offer) => Order::Update(command.id, Box::new(offer)),
            Err(_) => Order::Answer(answer("failed", json!({ "error": "the offer is incomplete" }))),
        },
        "reboot" => Order::Restart(answer("ok", json!({}))),
        "ping" => Order::Answer(answer("ok", json!({ "pong": true }))),
        "fail" => Order::Answer(answer("failed", json!({ "error": "told to fail" }))),
        _ => Order::Answer(answer("failed", json!({ "error": "unknown command" }))),
    }
}

/// The longest and shortest interval that a device can be told, seconds.
const INTERVALS: std::ops::RangeInclusive<i64> = 1..=3_600;

/// What a device makes of its wanted state: what it reports, and its interval, milliseconds. Keys it does not know it
/// does not report.
pub(super) fn apply_desired(payload: &[u8]) -> Option<(Value, Option<i64>)> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    let desired = message["desired"].as_object()?;
    let mut reported = Map::new();
    let interval_s = desired.get("interval_s").and_then(Value::as_i64).filter(|seconds| INTERVALS.contains(seconds));
    if let Some(seconds) = interval_s {
        reported.insert("interval_s".to_owned(), json!(seconds));
    }
    for known in ["led", "label"] {
        if let Some(value) = desired.get(known) {
            reported.insert(known.to_owned(), value.clone());
        }
    }
    Some((Value::Object(reported), interval_s.map(|seconds| seconds * 1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, name: &str, expires_at: i64) -> Vec<u8> {
        json!({ "id": id, "name": name, "args": {}, "issued_at": 0, "expires_at": expires_at, "counter": 1 })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn command_that_comes_twice_is_done_once_and_answered_twice() {
        let mut answers = Answers::default();
        let id = "0193a0000000700080000000000000ab";
        let now = Some(Timestamp::from_millis(1_000));
        let Order::Restart(first) = answers.take(&message(id, "reboot", 2_000), now) else { panic!("not done") };
        assert_eq!(answers.take(&message(id, "reboot", 2_000), now), Order::Answer(first));
        assert_eq!(answers.take(b"nonsense", now), Order::Ignore);
    }

    #[test]
    fn late_command_is_not_done() {
        let mut answers = Answers::default();
        let id = "0193a0000000700080000000000000ab";
        assert_eq!(answers.take(&message(id, "ping", 2_000), Some(Timestamp::from_millis(2_000))), Order::Ignore);
        assert!(matches!(answers.take(&message(id, "ping", 2_000), None), Order::Answer(_)), "without a clock");
    }

    #[test]
    fn wanted_state_is_reported_as_far_as_it_is_known() {
        let payload = json!({ "version": 3, "desired": { "interval_s": 5, "led": true, "warp": 9 } }).to_string();
        assert_eq!(apply_desired(payload.as_bytes()), Some((json!({ "interval_s": 5, "led": true }), Some(5_000))));
        let payload = json!({ "version": 4, "desired": { "interval_s": 0 } }).to_string();
        assert_eq!(apply_desired(payload.as_bytes()), Some((json!({}), None)));
        assert_eq!(apply_desired(b"x"), None);
    }
}
