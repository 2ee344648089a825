//! The bridge: firmware from before Portico, which shares its topics and proves nothing. Off by default. A listener of
//! its own speaks only these topics, takes only the devices of a list, and all that it brings counts as untrusted.
//!
//! `smartlock/status` becomes a heartbeat of the lock, or the answer to its command; `lock` and `unlock` go out on
//! `smartlock/commands`. `door/access/request` becomes a question of the reader, its decision goes out on
//! `door/access/response`. `parking/sensor/NAME/status` becomes what the sensor of a parking spot measured.

mod lines;
mod listener;
mod store;
mod words;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use portico_devices::ANSWER_WITHIN;
use portico_model::commands::{Command, CommandState};
use portico_model::{CommandId, DeviceId, OrganizationId, Timestamp};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::{Error, Result};
use serde_json::{Value, json};

use crate::Access;
use lines::Lines;
use words::Heard;

/// A command that an old device was sent, and what its next word would confirm.
#[derive(Debug, Clone)]
struct Pending {
    command: CommandId,
    /// Where the bolt is then; empty for a decision.
    state: String,
    expires_at: Timestamp,
}

/// What the bridge knows while it runs.
#[derive(Default)]
pub(crate) struct Bridge {
    lines: Lines,
    /// Devices that have spoken over it, by what they call themselves.
    known: Mutex<HashMap<String, DeviceId>>,
    pending: Mutex<HashMap<DeviceId, Pending>>,
    address: OnceLock<SocketAddr>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to listen, when it is configured.
pub(crate) fn spawn(access: &Access) {
    if access.0.platform.config.bridge.addr.is_none() {
        return;
    }
    let owner = access.clone();
    access.0.platform.tasks.spawn("bridge", move |cancel| {
        let access = owner.clone();
        async move {
            if let Err(error) = listener::run(access, &cancel).await {
                tracing::error!(%error, "the bridge for older firmware does not run");
                // The registry starts a task again that ends: not at once.
                tokio::select! {
                    () = tokio::time::sleep(std::time::Duration::from_secs(30)) => {}
                    () = cancel.cancelled() => {}
                }
            }
        }
    });
}

impl Access {
    /// Where the bridge listens, once it does.
    #[must_use]
    pub fn bridge_address(&self) -> Option<SocketAddr> {
        self.0.bridge.address.get().copied()
    }

    /// Whether what this device says comes over the bridge: it has not proved who it is.
    pub(crate) fn is_bridged(&self, device: DeviceId) -> bool {
        held(&self.0.bridge.known).values().any(|known| *known == device)
    }

    /// A message on one of the shared topics.
    async fn take_bridged(&self, topic: &str, payload: &[u8]) -> Result<()> {
        let Some((name, heard)) = words::read(topic, payload) else {
            tracing::debug!(topic, "the bridge passes over what it cannot read");
            metrics::counter!("portico_bridge_ignored_total").increment(1);
            return Ok(());
        };
        let is_question = matches!(heard, Heard::Question { .. });
        let found = tokio::time::timeout(ANSWER_WITHIN, self.bridged_device(&name)).await;
        let found = found.unwrap_or_else(|_| Err(Error::unavailable("too_late", "The database does not answer.")));
        if found.is_err() && is_question {
            self.refuse_named(&name, &json!({ "granted": false }));
        }
        let Some(device) = found? else {
            tracing::warn!(topic, "the bridge refuses a device that is not on its list, or not registered");
            metrics::counter!("portico_bridge_refused_total").increment(1);
            return Ok(());
        };
        metrics::counter!("portico_bridge_messages_total").increment(1);
        match heard {
            Heard::Beat { state, rssi } => {
                let mut status = json!({ "status": "online", "bridged": true });
                if let Some(state) = &state {
                    status["state"] = json!(state);
                }
                if let Some(rssi) = rssi {
                    status["rssi"] = json!(rssi);
                }
                self.say(device, TopicKind::Status, &status).await?;
                if let Some(state) = state {
                    self.confirm(device, &state).await?;
                }
            }
            Heard::Door { state } => {
                self.say(device, TopicKind::Event, &json!({ "type": "door", "state": state })).await?;
            }
            Heard::Spot { event } => self.say(device, TopicKind::Event, &event).await?,
            Heard::Fault { error } => {
                tracing::warn!(%device, error, "a parking sensor cannot measure");
                self.say(device, TopicKind::Status, &json!({ "status": "online", "bridged": true })).await?;
            }
            Heard::Question { member, value, method } => {
                let status = json!({ "status": "online", "bridged": true });
                let said = tokio::time::timeout(ANSWER_WITHIN, self.say(device, TopicKind::Status, &status)).await;
                if !matches!(said, Ok(Ok(()))) {
                    self.refuse_named(&name, &json!({ "granted": false }));
                    return Err(Error::unavailable("too_late", "The database does not answer."));
                }
                let mut event = json!({ "type": "access_request", "method": method, "bridged": true });
                event["request_id"] = json!(CommandId::generate());
                event[member] = value;
                self.say(device, TopicKind::Event, &event).await?;
            }
        }
        Ok(())
    }

    /// A question of an old device that nobody can decide now; false when it is none of the bridge's.
    pub(crate) fn refuse_over_bridge(&self, device: DeviceId, args: &Value) -> bool {
        let known = held(&self.0.bridge.known);
        let Some(name) = known.iter().find_map(|(name, known)| (*known == device).then(|| name.clone())) else {
            return false;
        };
        drop(known);
        self.refuse_named(&name, args);
        true
    }

    fn refuse_named(&self, name: &str, args: &Value) {
        if !self.0.platform.config.bridge.devices.iter().any(|allowed| allowed == name) {
            return;
        }
        let told = words::decision(name, args, self.0.platform.clock.now());
        self.0.bridge.lines.publish(told.topic, told.payload.into_bytes());
    }

    /// The device of the list that calls itself so.
    async fn bridged_device(&self, name: &str) -> Result<Option<DeviceId>> {
        let config = &self.0.platform.config.bridge;
        if !config.devices.iter().any(|allowed| allowed == name) {
            return Ok(None);
        }
        let mut tx = self.0.platform.db.read().await?;
        let organization = match &config.organization {
            Some(id) => Some(id.parse::<OrganizationId>().map_err(|_| Error::field("bridge.organization", "no id"))?),
            None => store::only_organization(&mut tx).await?,
        };
        drop(tx);
        let Some(organization) = organization else { return Ok(None) };
        match self.0.devices.resolve(organization, name).await {
            Ok(device) => {
                let is_new = held(&self.0.bridge.known).insert(name.to_owned(), device) != Some(device);
                if is_new {
                    let mut tx = self.0.platform.db.begin().await?;
                    store::mark_lock(&mut tx, organization, device).await?;
                    tx.commit().await?;
                }
                Ok(Some(device))
            }
            Err(error) if error.code() == "device_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands a message on as if the device had sent it under its own topic.
    async fn say(&self, device: DeviceId, kind: TopicKind, message: &Value) -> Result<()> {
        let topics = Topics::new(&self.0.platform.config.mqtt.prefix).unwrap_or_default();
        let inbound = Inbound {
            topic: topics.device(device, kind),
            payload: Bytes::from(message.to_string()),
            retained: false,
            durable: true,
            received_at: self.0.platform.clock.now(),
        };
        self.0.devices.message_handler(topics).handle(inbound).await
    }

    /// The device says where its bolt is: that is the answer to a command that wanted it there.
    async fn confirm(&self, device: DeviceId, state: &str) -> Result<()> {
        let now = self.0.platform.clock.now();
        let done = {
            let mut pending = held(&self.0.bridge.pending);
            pending.retain(|_, pending| pending.expires_at > now);
            match pending.get(&device) {
                Some(found) if found.state == state => pending.remove(&device),
                _ => None,
            }
        };
        let Some(done) = done else { return Ok(()) };
        let answer = json!({ "command_id": done.command, "result": "ok", "state": state, "bridged": true });
        self.say(device, TopicKind::Ack, &answer).await
    }

    /// A command was sent: when its device is an old one, in words that it knows. Must not wait.
    pub(crate) fn bridge_command(&self, command: &Command) {
        let bridge = &self.0.bridge;
        if command.state != CommandState::Sent || bridge.address.get().is_none() {
            return;
        }
        let name =
            held(&bridge.known).iter().find_map(|(name, device)| (*device == command.device_id).then(|| name.clone()));
        let Some(name) = name else { return };
        let Some(told) = words::write(&name, command, self.0.platform.clock.now()) else {
            let error =
                json!({ "command_id": command.id, "result": "failed", "error": "older firmware cannot do this" });
            self.answer_later(command.device_id, error);
            return;
        };
        if let Some(state) = told.confirmed_by {
            let expires_at = command.expires_at;
            let pending = Pending { command: command.id, state: state.to_owned(), expires_at };
            held(&bridge.pending).insert(command.device_id, pending);
        } else {
            self.answer_later(command.device_id, json!({ "command_id": command.id, "result": "ok", "bridged": true }));
        }
        bridge.lines.publish(told.topic, told.payload.into_bytes());
    }

    fn answer_later(&self, device: DeviceId, answer: Value) {
        let access = self.clone();
        self.0.platform.tasks.spawn_once(async move {
            if let Err(error) = access.say(device, TopicKind::Ack, &answer).await {
                tracing::warn!(%error, "an answer of the bridge is lost");
            }
        });
    }
}

/// Shared with each connection.
type Shared = Arc<Bridge>;
