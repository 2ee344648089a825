//! What is followed, and in which order things may be applied: plain state without a socket.

use std::collections::BTreeMap;

use portico_model::Timestamp;
use portico_model::devices::Connection;
use portico_model::live::Event;
use serde_json::Value;

use super::LiveUpdate;

/// Followed topics with the last sequence number applied (absent until the snapshot came).
#[derive(Debug, Default)]
pub struct Topics {
    followed: BTreeMap<String, Option<u64>>,
}

/// What to do with a message.
#[derive(Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // handed on at once, never kept in numbers
pub enum Reaction {
    Deliver {
        topic: String,
        update: LiveUpdate,
    },
    /// Something was missed: subscribe again for a snapshot.
    Resubscribe {
        topic: String,
    },
    Ignore,
}

impl Topics {
    /// Whether the topic was not followed before.
    pub fn add(&mut self, topic: &str) -> bool {
        self.followed.insert(topic.to_owned(), None).is_none()
    }

    pub fn remove(&mut self, topic: &str) {
        self.followed.remove(topic);
    }

    /// After a reconnect: everything must be subscribed again, nothing is known.
    pub fn restart(&mut self) -> Vec<String> {
        self.followed.values_mut().for_each(|seq| *seq = None);
        self.followed.keys().cloned().collect()
    }

    /// `message` is a `portico_model::live::ServerMessage` as JSON. It is taken apart by hand: derived code for tagged
    /// enums costs the browser more than all of this file.
    pub fn react(&mut self, mut message: Value) -> Reaction {
        let Some(topic) = message.get("topic").and_then(Value::as_str).map(ToOwned::to_owned) else {
            return Reaction::Ignore;
        };
        let Some(last) = self.followed.get_mut(&topic) else { return Reaction::Ignore };
        let seq = message.get("seq").and_then(Value::as_u64).unwrap_or_default();
        let data = message.get_mut("data").map(Value::take).unwrap_or_default();
        match message.get("op").and_then(Value::as_str).unwrap_or_default() {
            "snapshot" => {
                *last = Some(seq);
                Reaction::Deliver { topic, update: LiveUpdate::Snapshot(data) }
            }
            "event" => match *last {
                // Before the snapshot, or already part of it.
                None => Reaction::Ignore,
                Some(known) if seq <= known => Reaction::Ignore,
                Some(known) if seq == known + 1 => {
                    *last = Some(seq);
                    // An event of a newer server that this page does not know yet changes nothing it shows.
                    event_of(data)
                        .map_or(Reaction::Ignore, |event| Reaction::Deliver { topic, update: LiveUpdate::Event(event) })
                }
                Some(_) => {
                    *last = None;
                    Reaction::Resubscribe { topic }
                }
            },
            "lagged" => {
                if let Some(last) = last {
                    *last = seq.max(*last);
                }
                Reaction::Ignore
            }
            "resync" => {
                *last = None;
                Reaction::Resubscribe { topic }
            }
            _ => Reaction::Ignore,
        }
    }
}

/// The events that pages follow.
fn event_of(mut data: Value) -> Option<Event> {
    let kind = data.get("type")?.as_str()?.to_owned();
    match kind.as_str() {
        "device_changed" => {
            let device = serde_json::from_value(data.get_mut("device")?.take()).ok()?;
            Some(Event::DeviceChanged { device })
        }
        "device_deleted" => Some(Event::DeviceDeleted { id: data.get("id")?.as_str()?.parse().ok()? }),
        "device_connection" => Some(Event::DeviceConnection {
            id: data.get("id")?.as_str()?.parse().ok()?,
            connection: Connection::parse(data.get("connection")?.as_str()?)?,
            last_seen_at: data.get("last_seen_at").and_then(Value::as_str).and_then(Timestamp::parse_iso),
            issue: data.get("issue")?.as_str()?.to_owned(),
            battery_percent: data.get("battery_percent").and_then(Value::as_f64),
            rssi_dbm: data.get("rssi_dbm").and_then(Value::as_f64),
        }),
        "group_changed" => Some(Event::GroupChanged { id: data.get("id")?.as_str()?.parse().ok()? }),
        "group_deleted" => Some(Event::GroupDeleted { id: data.get("id")?.as_str()?.parse().ok()? }),
        "alarm_changed" => {
            let alarm = serde_json::from_value(data.get_mut("alarm")?.take()).ok()?;
            Some(Event::AlarmChanged { alarm })
        }
        "door_changed" => {
            let door = serde_json::from_value(data.get_mut("door")?.take()).ok()?;
            Some(Event::DoorChanged { door })
        }
        "door_deleted" => {
            let id = serde_json::from_value(data.get_mut("id")?.take()).ok()?;
            Some(Event::DoorDeleted { id })
        }
        "lock_changed" => {
            let lock = serde_json::from_value(data.get_mut("lock")?.take()).ok()?;
            Some(Event::LockChanged { lock })
        }
        "lock_removed" => Some(Event::LockRemoved { id: data.get("id")?.as_str()?.parse().ok()? }),
        "lock_logged" => {
            let event = serde_json::from_value(data.get_mut("event")?.take()).ok()?;
            Some(Event::LockLogged { event })
        }
        "access_logged" => {
            let event = serde_json::from_value(data.get_mut("event")?.take()).ok()?;
            Some(Event::AccessLogged { event })
        }
        "access_model_changed" => {
            let model = serde_json::from_value(data.get_mut("model")?.take()).ok()?;
            Some(Event::AccessModelChanged { model })
        }
        "door_areas_changed" => Some(Event::DoorAreasChanged),
        "access_readers_changed" => Some(Event::AccessReadersChanged),
        "access_code_changed" => {
            let code = serde_json::from_value(data.get_mut("code")?.take()).ok()?;
            Some(Event::AccessCodeChanged { code })
        }
        "person_changed" => Some(Event::PersonChanged { id: data.get("id")?.as_str()?.parse().ok()? }),
        "policies_changed" => Some(Event::PoliciesChanged),
        "audit_appended" => {
            let record = serde_json::from_value(data.get_mut("record")?.take()).ok()?;
            Some(Event::AuditAppended { record })
        }
        "telemetry" => serde_json::from_value(data).ok().map(Event::Telemetry),
        "command_changed" => {
            let command = serde_json::from_value(data.get_mut("command")?.take()).ok()?;
            Some(Event::CommandChanged { command })
        }
        "shadow_changed" => {
            let shadow = serde_json::from_value(data.get_mut("shadow")?.take()).ok()?;
            Some(Event::ShadowChanged { shadow })
        }
        "rollout_changed" => {
            let rollout = serde_json::from_value(data.get_mut("rollout")?.take()).ok()?;
            Some(Event::RolloutChanged { rollout })
        }
        "device_update_changed" => {
            let rollout_id = data.get("rollout_id")?.as_str()?.parse().ok()?;
            let update = serde_json::from_value(data.get_mut("update")?.take()).ok()?;
            Some(Event::DeviceUpdateChanged { rollout_id, update })
        }
        other => crate::parking::fold::event_of(other, &mut data),
    }
}

/// Milliseconds until the next try: half a second, doubling to half a minute, with jitter (0 to 1), so that a thousand
/// tabs do not return in the same moment.
#[must_use]
pub fn backoff_ms(attempt: u32, jitter: f64) -> u32 {
    let ceiling = 500_u32.saturating_mul(2_u32.saturating_pow(attempt.min(6))).min(30_000);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 30,000
    let extra = (f64::from(ceiling / 2) * jitter.clamp(0.0, 1.0)) as u32;
    ceiling / 2 + extra
}

#[cfg(test)]
mod tests {
    use portico_model::DeviceId;
    use portico_model::firmware::{DeviceUpdate, UpdateState};
    use portico_model::live::ServerMessage;
    use portico_model::shadow::Shadow;
    use portico_model::telemetry::TelemetryEvent;
    use serde_json::json;

    use super::*;

    fn frame(message: ServerMessage<Value>) -> Value {
        serde_json::to_value(message).unwrap()
    }

    fn deleted(seq: u64) -> Value {
        let data = json!({"type": "device_deleted", "id": "0".repeat(32)});
        frame(ServerMessage::Event { topic: "devices".into(), seq, data })
    }

    fn snapshot(seq: u64) -> Value {
        frame(ServerMessage::Snapshot { topic: "devices".into(), seq, data: json!([]) })
    }

    #[test]
    fn events_are_read_as_the_server_writes_them() {
        let id: DeviceId = "0".repeat(32).parse().unwrap();
        for event in [
            Event::DeviceDeleted { id },
            Event::AuditAppended {
                record: portico_model::audit::AuditRecord {
                    id: portico_model::AuditId::nil(),
                    seq: 7,
                    at: Timestamp::from_millis(1),
                    actor: "user:ada".into(),
                    action: "device.changed".into(),
                    target: "device:1".into(),
                    outcome: portico_model::audit::AuditOutcome::Success,
                    address: "192.0.2.1".into(),
                    request_id: "r1".into(),
                    details: json!({ "name": "x" }),
                },
            },
            Event::DeviceConnection {
                id,
                connection: Connection::Offline,
                last_seen_at: Some(Timestamp::from_millis(1_795_226_850_153)),
                issue: "no power".into(),
                battery_percent: Some(12.5),
                rssi_dbm: None,
            },
            Event::Telemetry(TelemetryEvent { device_id: id, samples: Vec::new() }),
            Event::ShadowChanged { shadow: Shadow::empty(id) },
            Event::DeviceUpdateChanged {
                rollout_id: "1".repeat(32).parse().unwrap(),
                update: DeviceUpdate {
                    device_id: id,
                    device_name: "Lobby".into(),
                    state: UpdateState::Downloading,
                    stage: 0,
                    progress: 40,
                    error: String::new(),
                    from_version: "1.0.0".into(),
                    command_id: None,
                    notified_at: None,
                    updated_at: Timestamp::from_millis(1_795_226_850_153),
                },
            },
        ] {
            assert_eq!(event_of(serde_json::to_value(&event).unwrap()), Some(event));
        }
    }

    fn is_delivered(reaction: &Reaction) -> bool {
        matches!(reaction, Reaction::Deliver { .. })
    }

    #[test]
    fn events_in_order_are_delivered_once() {
        let mut topics = Topics::default();
        assert!(topics.add("devices"));
        assert_eq!(topics.react(deleted(1)), Reaction::Ignore, "before the snapshot");
        assert!(is_delivered(&topics.react(snapshot(4))));
        assert_eq!(topics.react(deleted(4)), Reaction::Ignore, "part of the snapshot");
        let id: DeviceId = "0".repeat(32).parse().unwrap();
        assert_eq!(
            topics.react(deleted(5)),
            Reaction::Deliver { topic: "devices".into(), update: LiveUpdate::Event(Event::DeviceDeleted { id }) }
        );
        assert_eq!(topics.react(deleted(5)), Reaction::Ignore, "twice");
    }

    #[test]
    fn gap_asks_for_a_snapshot_and_waits_for_it() {
        let mut topics = Topics::default();
        topics.add("devices");
        topics.react(snapshot(4));
        assert_eq!(topics.react(deleted(7)), Reaction::Resubscribe { topic: "devices".into() });
        assert_eq!(topics.react(deleted(8)), Reaction::Ignore);
        assert!(is_delivered(&topics.react(snapshot(8))));
        assert!(is_delivered(&topics.react(deleted(9))));
    }

    #[test]
    fn values_left_out_on_purpose_are_no_gap() {
        let mut topics = Topics::default();
        topics.add("devices");
        topics.react(snapshot(4));
        topics.react(frame(ServerMessage::Lagged { topic: "devices".into(), dropped: 5, seq: 9 }));
        assert!(is_delivered(&topics.react(deleted(10))));
    }

    #[test]
    fn unfollowed_and_unknown_change_nothing() {
        let mut topics = Topics::default();
        assert_eq!(topics.react(snapshot(1)), Reaction::Ignore);
        topics.add("devices");
        topics.react(snapshot(1));
        let newer = ServerMessage::Event { topic: "devices".into(), seq: 2, data: json!({"type": "door_opened"}) };
        assert_eq!(topics.react(frame(newer)), Reaction::Ignore);
        assert!(is_delivered(&topics.react(deleted(3))), "an unknown event still counts");
    }

    #[test]
    fn after_a_reconnect_nothing_counts_until_the_snapshot() {
        let mut topics = Topics::default();
        topics.add("devices");
        topics.react(snapshot(9));
        assert_eq!(topics.restart(), ["devices"]);
        assert_eq!(topics.react(deleted(10)), Reaction::Ignore);
        assert!(is_delivered(&topics.react(snapshot(2))));
        assert!(is_delivered(&topics.react(deleted(3))));
    }

    #[test]
    fn waiting_grows_to_half_a_minute_and_never_ends() {
        assert_eq!(backoff_ms(0, 0.0), 250);
        assert_eq!(backoff_ms(0, 1.0), 500);
        assert_eq!(backoff_ms(40, 1.0), 30_000);
        assert!(backoff_ms(40, 0.0) >= 15_000);
    }
}
