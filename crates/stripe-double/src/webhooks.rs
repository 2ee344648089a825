//! Telling others what happened, as Stripe does (<https://docs.stripe.com/webhooks>), and as it should never do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::redirect;
use sha2::Sha256;
use tokio::sync::mpsc::UnboundedReceiver;

use super::server::{Double, Shared};

/// Attempts of the double at one event; Stripe tries for three days.
const ATTEMPTS: u32 = 6;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    /// `whsec_…`
    pub secret: String,
}

/// Something that happened, as it will be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: String,
    pub event_type: String,
    pub created_s: i64,
    /// JSON
    pub body: String,
}

/// How events are delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub url: String,
    /// One signature for each; while Stripe replaces a secret there are two.
    pub secrets: Vec<String>,
    /// Seconds since 1970; `None`: when they leave.
    pub signed_at_s: Option<i64>,
    pub order: Order,
    /// How often each is delivered: Stripe promises at least once.
    pub times: usize,
}

/// Stripe promises no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    AsHappened,
    Reversed,
}

impl Delivery {
    /// Once, in order, as it should be.
    #[must_use]
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { url: url.into(), secrets: vec![secret.into()], signed_at_s: None, order: Order::AsHappened, times: 1 }
    }

    #[must_use]
    pub fn twice(mut self) -> Self {
        self.times = 2;
        self
    }

    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.order = Order::Reversed;
        self
    }

    /// Signed then (seconds since 1970).
    #[must_use]
    pub fn signed_at(mut self, time_s: i64) -> Self {
        self.signed_at_s = Some(time_s);
        self
    }

    /// With a signature under this secret too.
    #[must_use]
    pub fn and_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    fn signature(&self, body: &[u8], now_s: i64) -> String {
        let time_s = self.signed_at_s.unwrap_or(now_s);
        let mut header = format!("t={time_s}");
        for secret in &self.secrets {
            let _ = write!(header, ",v1={}", signature(body, secret, time_s));
        }
        // Test events have such a one beside; it proves nothing.
        let _ = write!(header, ",v0={}", "0".repeat(64));
        header
    }
}

/// HMAC-SHA256 of time and body under the secret, as hex (<https://docs.stripe.com/webhooks#verify-manually>).
fn signature(body: &[u8], secret: &str, time_s: i64) -> String {
    // It takes keys of any length (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{time_s}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How one delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub event_id: String,
    pub event_type: String,
    /// `None`: nobody answered.
    pub status: Option<u16>,
}

impl Double {
    /// Delivers these events, one after the other. Nothing is tried again.
    pub async fn deliver(&self, delivery: &Delivery, events: &[StoredEvent]) -> Vec<Delivered> {
        let mut ordered: Vec<&StoredEvent> = events.iter().collect();
        if delivery.order == Order::Reversed {
            ordered.reverse();
        }
        let mut delivered = Vec::new();
        for event in ordered {
            for _ in 0..delivery.times {
                let status = post(self.shared(), delivery, event).await;
                let (event_id, event_type) = (event.id.clone(), event.event_type.clone());
                delivered.push(Delivered { event_id, event_type, status });
            }
        }
        delivered
    }
}

pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build()
}

async fn post(shared: &Shared, delivery: &Delivery, event: &StoredEvent) -> Option<u16> {
    let now_s = shared.state().now_s();
    let answer = shared
        .http
        .post(&delivery.url)
        .header("content-type", "application/json; charset=utf-8")
        .header("stripe-signature", delivery.signature(event.body.as_bytes(), now_s))
        .body(event.body.clone())
        .send()
        .await;
    answer.ok().map(|answer| answer.status().as_u16())
}

/// Delivers every event to the configured endpoint, in order, each until it is taken or given up.
pub(super) async fn deliver_by_itself(shared: Arc<Shared>, mut queued: UnboundedReceiver<StoredEvent>) {
    while let Some(event) = queued.recv().await {
        let mut pause = Duration::from_millis(100);
        for _ in 0..ATTEMPTS {
            let Some(endpoint) = shared.state().webhook.clone() else { break };
            let delivery = Delivery::new(endpoint.url, endpoint.secret);
            if let Some(200..300) = post(&shared, &delivery, &event).await {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}
