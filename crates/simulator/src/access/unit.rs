//! A lock or reader with its connection: signs in, fetches its signing key, beats, checks and answers commands; can be
//! unplugged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portico_lock_core::command::{Flash, Guard, Key, Memory, Outcome, Refusal};
use portico_lock_core::hex;
use portico_model::DeviceId;
use reqwest::Method;
use rumqttc::QoS;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Body, Say, Touch};
use crate::api::{Api, ApiError};
use crate::link::{Link, LinkEvent, LinkOptions};
use crate::state::KnownDevice;

/// How often time passes for the body.
const STEP: Duration = Duration::from_millis(100);

/// A reader that waits for its table decides nothing meanwhile.
const FETCH_WITHIN: Duration = Duration::from_secs(2);

/// Where a unit is, and how it behaves.
#[derive(Clone)]
pub struct UnitOptions {
    pub broker: (String, u16),
    /// With a slash at the end, or empty.
    pub topic_prefix: String,
    /// The existing firmware of locks beats every 9 seconds.
    pub heartbeat: Duration,
    /// How long a motor takes.
    pub motor: Duration,
}

impl UnitOptions {
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            broker: (host.into(), port),
            topic_prefix: String::new(),
            heartbeat: Duration::from_secs(9),
            motor: Duration::ZERO,
        }
    }
}

/// What is done to a unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    Touch(Touch),
    /// Gone without a good-bye, until [`Control::PowerOn`].
    PowerOff,
    PowerOn,
    /// Off, and on again.
    Reboot,
}

/// What one who stands before it sees.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub powered: bool,
    pub connected: bool,
    /// See [`Body::face`].
    pub face: Value,
    /// The last command it refused, and why.
    pub refused: String,
    /// Commands it has done.
    pub done: u64,
}

/// A running device.
pub struct Unit {
    pub id: DeviceId,
    pub name: String,
    controls: mpsc::Sender<Control>,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Unit {
    /// Plugs it in; it runs until `stop`.
    #[must_use]
    pub fn start(
        name: impl Into<String>,
        body: impl Body,
        api: Arc<Api>,
        device: KnownDevice,
        options: UnitOptions,
        stop: CancellationToken,
    ) -> Self {
        let (controls, controls_out) = mpsc::channel(64);
        let (seen_in, seen) = watch::channel(Seen::default());
        let id = device.id;
        let running = Running {
            body: Box::new(body),
            api,
            device,
            options,
            chip: Chip::default(),
            guard: None,
            key: None,
            seen: Seen::default(),
            tell: seen_in,
        };
        let task = tokio::spawn(running.run(controls_out, stop));
        Self { id, name: name.into(), controls, seen, task }
    }

    /// Does something to it.
    pub async fn control(&self, control: Control) {
        // It has ended: nothing can be done to it any more.
        let _ = self.controls.send(control).await;
    }

    pub async fn touch(&self, touch: Touch) {
        self.control(Control::Touch(touch)).await;
    }

    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until one sees it so; `false` when it is not so in that time.
    pub async fn until(&self, within: Duration, mut is_so: impl FnMut(&Seen) -> bool) -> bool {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(within, seen.wait_for(|seen| is_so(seen))).await;
        matches!(waited, Ok(Ok(_)))
    }

    /// Waits until it has said good-bye; `stop` was cancelled before.
    pub async fn wait(self) {
        let _ = self.task.await;
    }
}

/// Flash that outlives a power cut.
#[derive(Debug, Clone, Default)]
struct Chip(Arc<Mutex<Option<Memory>>>);

impl Flash for Chip {
    type Error = std::convert::Infallible;

    fn load(&mut self) -> Result<Option<Memory>, Self::Error> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save(&mut self, memory: &Memory) -> Result<(), Self::Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*memory);
        Ok(())
    }
}

struct Running {
    body: Box<dyn Body>,
    api: Arc<Api>,
    device: KnownDevice,
    options: UnitOptions,
    chip: Chip,
    guard: Option<Guard<Chip>>,
    key: Option<Key>,
    seen: Seen,
    tell: watch::Sender<Seen>,
}

/// Why it is no longer connected.
enum Cut {
    Stopped,
    PowerOff,
    Reboot,
    /// The broker does not take its key: nothing more can be done.
    Refused,
}

impl Running {
    async fn run(mut self, mut controls: mpsc::Receiver<Control>, stop: CancellationToken) {
        loop {
            self.seen.powered = true;
            match self.powered(&mut controls, &stop).await {
                Cut::Stopped | Cut::Refused => return,
                Cut::Reboot => self.lose_power(),
                Cut::PowerOff => {
                    self.lose_power();
                    loop {
                        let control = tokio::select! {
                            control = controls.recv() => control,
                            () = stop.cancelled() => None,
                        };
                        match control {
                            None => return,
                            Some(Control::PowerOn | Control::Reboot) => break,
                            // By hand one can do without power what needs none.
                            Some(Control::Touch(touch @ Touch::Turn(_))) => {
                                let _ = self.body.touch(&touch, now_ms());
                                self.show();
                            }
                            Some(Control::Touch(_) | Control::PowerOff) => {}
                        }
                    }
                }
            }
        }
    }

    fn lose_power(&mut self) {
        self.body.restart();
        self.guard = None;
        self.key = None;
        self.seen.powered = false;
        self.seen.connected = false;
        self.show();
    }

    async fn powered(&mut self, controls: &mut mpsc::Receiver<Control>, stop: &CancellationToken) -> Cut {
        let (host, port) = self.options.broker.clone();
        let mut link = Link::open(LinkOptions {
            host,
            port,
            device: self.device.id.to_string(),
            api_key: self.device.api_key.clone(),
            will_topic: self.topic("status"),
            will: br#"{"status":"offline"}"#.to_vec(),
        });
        let mut beat = tokio::time::interval(self.options.heartbeat);
        let mut step = tokio::time::interval(STEP);
        self.show();
        loop {
            let says = tokio::select! {
                () = stop.cancelled() => {
                    self.publish(&link, "status", &json!({ "status": "offline" }));
                    link.close().await;
                    return Cut::Stopped;
                }
                control = controls.recv() => match control {
                    None => {
                        link.close().await;
                        return Cut::Stopped;
                    }
                    // The link is dropped without a good-bye.
                    Some(Control::PowerOff) => return Cut::PowerOff,
                    Some(Control::Reboot) => return Cut::Reboot,
                    Some(Control::PowerOn) => Vec::new(),
                    Some(Control::Touch(touch)) => self.body.touch(&touch, now_ms()),
                },
                event = link.events.recv() => match event {
                    None | Some(LinkEvent::Refused) => return Cut::Refused,
                    Some(LinkEvent::Up) => {
                        // Without its key it would refuse what it is told; it tries again when a command comes.
                        let _ = self.fetch_key().await;
                        let _ = link.client.try_subscribe(self.topic("command"), QoS::AtLeastOnce);
                        self.seen.connected = true;
                        beat.reset();
                        vec![Say::Status]
                    }
                    Some(LinkEvent::Down(noted)) => {
                        self.seen.connected = false;
                        let _ = noted.send(());
                        Vec::new()
                    }
                    Some(LinkEvent::Message(_, payload)) => {
                        self.told(&link, &payload).await;
                        Vec::new()
                    }
                    Some(LinkEvent::Numbered(_) | LinkEvent::Acknowledged(_)) => Vec::new(),
                },
                _ = beat.tick() => vec![Say::Status],
                _ = step.tick() => self.body.pass(now_ms(), self.seen.connected),
            };
            for say in &says {
                if *say == Say::Fetch {
                    // Portico counts a reader as informed when it says so.
                    if let Ok(version) = self.fetch_table().await {
                        self.publish(&link, "event", &json!({ "type": "sync_request", "version": version }));
                    }
                } else {
                    self.say(&link, say);
                }
            }
            self.show();
        }
    }

    fn show(&mut self) {
        self.seen.face = self.body.face();
        self.tell.send_if_modified(|seen| {
            let changed = *seen != self.seen;
            if changed {
                seen.clone_from(&self.seen);
            }
            changed
        });
    }

    fn topic(&self, last: &str) -> String {
        format!("{}devices/{}/{last}", self.options.topic_prefix, self.device.id)
    }

    fn publish(&self, link: &Link, topic: &str, message: &Value) {
        if self.seen.connected {
            // Full only when the connection stands still; a heartbeat follows.
            let _ = link.client.try_publish(self.topic(topic), QoS::AtLeastOnce, false, message.to_string());
        }
    }

    fn say(&self, link: &Link, say: &Say) {
        match say {
            Say::Event(event) => self.publish(link, "event", event),
            Say::Status => {
                let mut status = json!({ "status": "online", "rssi": -58 });
                merge(&mut status, self.body.face());
                self.publish(link, "status", &status);
            }
            Say::Ack(_) | Say::Fetch => {}
        }
    }

    /// Has the body take what it is to decide by; the version that it has now.
    async fn fetch_table(&mut self) -> Result<i64, String> {
        let fetched = tokio::time::timeout(FETCH_WITHIN, self.try_fetch_table());
        fetched.await.unwrap_or_else(|_| Err("nobody answers".to_owned()))
    }

    async fn try_fetch_table(&mut self) -> Result<i64, String> {
        let text = |error: ApiError| error.to_string();
        if self.key.is_none() {
            self.fetch_key().await.map_err(text)?;
        }
        let mut outcome = Err(String::new());
        // A change that does not fit, or another key: all of it, once.
        for since in [self.body.version(), 0] {
            let path = format!("/api/v1/access/sync?since={since}");
            let answer = self.api.own(Method::GET, &path, &self.device.api_key, None).await.map_err(text)?;
            let Some(key) = self.key else { break };
            outcome = self.body.take_table(&answer, &key, now_ms());
            if outcome.is_ok() {
                break;
            }
            self.fetch_key().await.map_err(text)?;
        }
        outcome
    }

    async fn fetch_key(&mut self) -> Result<(), ApiError> {
        const PATH: &str = "/api/v1/devices/signing-key";
        let told = self.api.own(Method::GET, PATH, &self.device.api_key, None).await?;
        let key: Option<Key> = told["key"].as_str().and_then(|key| hex::parse(key.as_bytes()));
        let key = key.ok_or(ApiError::Unexpected { path: PATH.to_owned(), missing: "key" })?;
        let counter = told["counter"].as_u64().unwrap_or(0);
        let mut id = [0; 32];
        id.copy_from_slice(self.device.id.to_string().as_bytes());
        let Ok(mut guard) = Guard::new(id, key, self.chip.clone());
        let Ok(()) = guard.set_key(key, counter);
        self.guard = Some(guard);
        self.key = Some(key);
        Ok(())
    }

    /// A message on the command topic.
    async fn told(&mut self, link: &Link, message: &[u8]) {
        if let Some(refusal) = unsigned_refusal(message) {
            // Nothing to answer: it is no command.
            let _ = self.body.obey("access_decision", &refusal, now_ms());
            return;
        }
        let mut checked = self.check(message);
        if matches!(checked, Err(Refusal::OtherKey)) && self.fetch_key().await.is_ok() {
            checked = self.check(message);
        }
        let Some(id) = portico_lock_core::json::find(message, "id").and_then(portico_lock_core::json::text) else {
            return;
        };
        let mut answer = json!({ "command_id": id });
        match checked {
            Ok((name, args)) => {
                tokio::time::sleep(self.options.motor).await;
                for say in self.body.obey(&name, &args, now_ms()) {
                    match say {
                        Say::Ack(more) => merge(&mut answer, more),
                        Say::Fetch => match self.fetch_table().await {
                            Ok(version) => merge(&mut answer, json!({ "result": "ok", "version": version })),
                            Err(error) => merge(&mut answer, json!({ "result": "failed", "error": error })),
                        },
                        say => self.say(link, &say),
                    }
                }
                let outcome = if answer["result"] == "ok" { Outcome::Done } else { Outcome::Failed };
                if let Some(guard) = &mut self.guard {
                    let Ok(()) = guard.finish(outcome);
                }
                self.seen.done += 1;
            }
            Err(Refusal::Repeated(outcome)) => {
                answer["result"] = json!(if outcome == Some(Outcome::Done) { "ok" } else { "failed" });
                if outcome.is_none() {
                    answer["error"] = json!("the power went while it was done");
                }
                merge_state(&mut answer, &self.body.face());
            }
            Err(refusal) => {
                refusal.as_str().clone_into(&mut self.seen.refused);
                // Who cannot sign learns nothing; who did sign is told why it is not done.
                if matches!(refusal, Refusal::Unreadable | Refusal::BadSignature | Refusal::OtherKey) {
                    return;
                }
                answer["result"] = json!("failed");
                answer["error"] = json!(refusal.as_str());
                merge_state(&mut answer, &self.body.face());
            }
        }
        self.publish(link, "ack", &answer);
    }

    fn check(&mut self, message: &[u8]) -> Result<(String, Value), Refusal<std::convert::Infallible>> {
        let guard = self.guard.as_mut().ok_or(Refusal::OtherKey)?;
        let command = guard.admit(message, Some(now_ms()))?;
        Ok((command.name.to_owned(), serde_json::from_slice(command.args).unwrap_or_default()))
    }
}

/// That nobody can decide is told without a signature: it can only keep a door shut. Nothing else of it counts.
fn unsigned_refusal(message: &[u8]) -> Option<Value> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let is_refusal = message.get("signature").is_none()
        && message["name"] == "access_decision"
        && message["args"]["granted"] == false
        && message["args"]["reason"] == "unavailable";
    let request_id = &message["args"]["request_id"];
    is_refusal.then(|| json!({ "request_id": request_id, "granted": false, "reason": "unavailable" }))
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn merge_state(answer: &mut Value, face: &Value) {
    if let Some(state) = face.get("state") {
        answer["state"] = state.clone();
    }
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_signature_only_a_refusal_counts() {
        let refusal = json!({ "name": "access_decision", "args": { "request_id": "r1", "granted": false,
                              "reason": "unavailable", "for_s": 9 } });
        let read = |message: &Value| unsigned_refusal(message.to_string().as_bytes());
        assert_eq!(read(&refusal), Some(json!({ "request_id": "r1", "granted": false, "reason": "unavailable" })));
        for (member, value) in [("granted", json!(true)), ("reason", json!("granted"))] {
            let mut other = refusal.clone();
            other["args"][member] = value;
            assert_eq!(read(&other), None, "{other}");
        }
        let unlock = json!({ "name": "unlock", "args": { "granted": false, "reason": "unavailable" } });
        assert_eq!(read(&unlock), None);
    }
}
