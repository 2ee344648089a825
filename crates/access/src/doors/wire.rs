//! What readers and contacts say over MQTT.

use portico_devices::{Known, Taken};
use portico_model::DeviceId;
use portico_model::Timestamp;
use portico_model::access::Method;
use portico_model::access::door::DoorState;
use portico_model::telemetry::PayloadProblem;
use portico_platform::mqtt::{TopicKind, Topics};
use portico_platform::outbox::MqttMessage;
use portico_platform::{Actor, Principal, Result};
use serde_json::{Value, json};

use super::asked::{self, Before};
use super::check::{ANSWER_WITHIN_S, MAX_PRESENTED};
use super::{Ask, AskedBy};
use crate::Access;

/// Longest name of a request, bytes.
const MAX_REQUEST_ID: usize = 64;

fn problem(code: &'static str, message: &str) -> Result<Taken> {
    Ok(Err(PayloadProblem::new(code, message)))
}

/// What the reader calls its question.
fn request_id(event: &Value) -> Result<Option<&str>, ()> {
    let id = event["request_id"].as_str();
    if id.is_some_and(|id| id.len() > MAX_REQUEST_ID || id.contains('\0')) { Err(()) } else { Ok(id) }
}

/// A number that older firmware sends as text.
fn digits(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// The method and what was shown, of a question in JSON.
pub fn presented(event: &Value) -> Option<(Method, String)> {
    let method = Method::parse(event["method"].as_str()?)?;
    let text = match method {
        Method::Rfid => event["rfid_uid"].as_str().map(ToOwned::to_owned),
        Method::Pin => event["pin"].as_str().map(ToOwned::to_owned),
        Method::Code => event["code"].as_str().or(event["pin"].as_str()).map(ToOwned::to_owned),
        Method::Fingerprint => digits(&event["fingerprint_id"]),
        Method::Remote | Method::Bluetooth | Method::System | Method::Other => None,
    }?;
    let fits = !text.is_empty() && text.len() <= MAX_PRESENTED && !text.contains('\0');
    fits.then_some((method, text))
}

impl Access {
    /// `{"type": "access_request", …}`: the answer is the command `access_decision`.
    pub(crate) async fn take_access_request(&self, device: &Known, event: &Value, at: Timestamp) -> Result<Taken> {
        let Some((method, presented)) = presented(event) else {
            return problem("bad_access_request", "an access_request needs a method and what was shown");
        };
        let Ok(request_id) = request_id(event) else {
            return problem("bad_access_request", "request_id: at most 64 bytes");
        };
        let actor = device_actor(device);
        let ask = Ask {
            reader: device.id,
            method,
            presented,
            leaving: event["leaving"].as_bool().unwrap_or(false),
            at,
            by: AskedBy::Mqtt { request_id: request_id.map(ToOwned::to_owned) },
            is_untrusted: self.is_bridged(device.id),
        };
        // The same question may come several times: once answered, the first answer is on its way.
        let name = asked::name(request_id, at);
        if self.0.asked.take(device.id, &name, at) == Before::Answered {
            return Ok(Ok(true));
        }
        match self.check(&actor, ask).await {
            Ok(_) => Ok(Ok(true)),
            Err(error) => {
                self.0.asked.give_back(device.id, &name);
                Err(error)
            }
        }
    }

    /// The database is away, or does not answer in time: nobody is let in, and the reader that waits is told so. The
    /// question stays refused when it is tried again, so that no door opens after somebody was sent away. What is told is
    /// not signed, because a command's number comes from the database; it can only keep a door shut, and so can whoever
    /// cuts the line.
    pub(crate) fn refuse_access_request(&self, reader: DeviceId, event: &Value, at: Timestamp) {
        let (Some(_), Ok(request_id)) = (presented(event), request_id(event)) else { return };
        if !self.0.asked.refuse(reader, &asked::name(request_id, at), at) {
            return;
        }
        metrics::counter!("portico_access_decisions_total", "outcome" => "denied", "reason" => "unavailable")
            .increment(1);
        tracing::warn!(reader = %reader, "a reader was told that nobody can decide now");
        let platform = &self.0.platform;
        let args = json!({ "request_id": request_id, "granted": false, "reason": "unavailable", "for_s": 0 });
        if self.refuse_over_bridge(reader, &args) {
            return;
        }
        let topics = Topics::new(&platform.config.mqtt.prefix).unwrap_or_default();
        platform.outbox.publish_unrecorded(MqttMessage {
            topic: topics.device(reader, TopicKind::Command),
            payload: json!({ "name": "access_decision", "args": args }).to_string().into_bytes(),
            qos: 0,
            retain: false,
            expires_at: Some(platform.clock.now().plus_secs(ANSWER_WITHIN_S)),
        });
    }

    /// `{"type": "door", "state": "open"}`.
    pub(crate) async fn take_door_state(&self, device: &Known, event: &Value) -> Result<Taken> {
        let said = event["state"].as_str().and_then(DoorState::parse).filter(|state| *state != DoorState::Unknown);
        let Some(said) = said else {
            return problem("bad_door_state", "state: open or closed");
        };
        let at = event["ts"].as_i64().map(Timestamp::from_millis);
        let exit = event["exit"].as_bool().unwrap_or(false);
        self.door_state(device.organization, device.id, said, exit, at).await?;
        Ok(Ok(true))
    }

    /// A heartbeat may say how the door is. Cheap for all the others.
    pub(crate) async fn take_door_heartbeat(&self, device: &Known, payload: &[u8]) -> Result<()> {
        const MARK: &[u8] = b"\"door\"";
        if !payload.windows(MARK.len()).any(|part| part == MARK) {
            return Ok(());
        }
        let said = serde_json::from_slice::<Value>(payload).ok();
        let said = said.as_ref().and_then(|heartbeat| heartbeat["door"].as_str()).and_then(DoorState::parse);
        if let Some(said) = said.filter(|said| *said != DoorState::Unknown) {
            self.door_state(device.organization, device.id, said, false, None).await?;
        }
        Ok(())
    }
}

fn device_actor(device: &Known) -> Actor {
    Actor {
        principal: Principal::Device { id: device.id },
        address: "MQTT".to_owned(),
        ..Actor::system(device.organization)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_are_read_in_the_forms_of_all_firmware() {
        let table = [
            (json!({"method": "rfid", "rfid_uid": "04:52"}), Some((Method::Rfid, "04:52"))),
            (json!({"method": "fingerprint", "fingerprint_id": 3}), Some((Method::Fingerprint, "3"))),
            (json!({"method": "fingerprint", "fingerprint_id": "3"}), Some((Method::Fingerprint, "3"))),
            (json!({"method": "pin", "pin": "0042"}), Some((Method::Pin, "0042"))),
            (json!({"method": "code", "pin": "0042"}), Some((Method::Code, "0042"))),
            (json!({"method": "pin", "pin": 42}), None),
            (json!({"method": "rfid", "rfid_uid": ""}), None),
            (json!({"method": "rfid", "rfid_uid": "A\u{0}"}), None),
            (json!({"method": "remote"}), None),
            (json!([]), None),
        ];
        for (event, expected) in table {
            assert_eq!(presented(&event), expected.map(|(method, text)| (method, text.to_owned())), "{event}");
        }
    }
}
