//! All that the double knows, behind one lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::control::{Failure, SeenRequest};
use super::idempotency::Kept;
use super::objects::{Charge, Intent, Refund};
use super::refusal::{Outcome, Refusal};
use super::webhooks::{Endpoint, StoredEvent};

/// In which events are told: that of the account (<https://docs.stripe.com/webhooks/versioning>).
const API_VERSION: &str = "2026-07-29.dahlia";

pub(super) struct State {
    /// Where the double is.
    pub url: String,
    /// Where the clock stands, if a test moves it.
    pub now_s: Option<i64>,
    pub intents: BTreeMap<String, Intent>,
    pub charges: BTreeMap<String, Charge>,
    pub refunds: BTreeMap<String, Refund>,
    /// By idempotency key.
    pub kept: HashMap<String, Kept>,
    pub failures: VecDeque<Failure>,
    pub requests: Vec<SeenRequest>,
    pub events: Vec<StoredEvent>,
    /// How many of the events a test has taken.
    pub taken: usize,
    pub webhook: Option<Endpoint>,
    /// To the task that delivers by itself.
    pub queue: UnboundedSender<StoredEvent>,
    /// The request under way, and its idempotency key: events name what they come from.
    pub cause: Option<(String, Option<String>)>,
}

impl State {
    pub fn new(
        url: String,
        now_s: Option<i64>,
        webhook: Option<Endpoint>,
        queue: UnboundedSender<StoredEvent>,
    ) -> Self {
        Self {
            url,
            now_s,
            intents: BTreeMap::new(),
            charges: BTreeMap::new(),
            refunds: BTreeMap::new(),
            kept: HashMap::new(),
            failures: VecDeque::new(),
            requests: Vec::new(),
            events: Vec::new(),
            taken: 0,
            webhook,
            queue,
            cause: None,
        }
    }

    /// Seconds since 1970.
    pub fn now_s(&self) -> i64 {
        self.now_s.unwrap_or_else(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
        })
    }

    pub fn intent(&self, id: &str) -> Outcome<&Intent> {
        self.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id, "intent"))
    }

    pub fn intent_mut(&mut self, id: &str) -> Outcome<&mut Intent> {
        self.intents.get_mut(id).ok_or_else(|| Refusal::missing("payment_intent", id, "intent"))
    }

    /// Notes that something happened, with how the object is now.
    pub fn tell(&mut self, event_type: &str, object: &Value) {
        let id = new_id("evt");
        let (request, key) = self.cause.clone().unzip();
        let created_s = self.now_s();
        let body = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": created_s,
            "data": {"object": object},
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": request, "idempotency_key": key.flatten()},
            "type": event_type,
        });
        let event = StoredEvent { id, event_type: event_type.to_owned(), created_s, body: body.to_string() };
        self.events.push(event.clone());
        // Nobody listens any more when the double is being stopped.
        let _ = self.queue.send(event);
    }

    pub fn tell_of_intent(&mut self, event_type: &str, id: &str) {
        if let Some(shown) = self.intents.get(id).map(Intent::shown) {
            self.tell(event_type, &shown);
        }
    }
}

/// Random, so that two runs against one database do not meet.
pub(super) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", random_text(24))
}

pub(super) fn random_text(chars: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(chars).map(char::from).collect()
}
