//! What Stripe tells us by itself (<https://docs.stripe.com/api/events/object>).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ids::EventId;
use super::objects::{Charge, PaymentIntent, Refund, words};

words! {
    /// What happened. Events come at least once and in any order (<https://docs.stripe.com/webhooks#best-practices>): what they
    /// carry is how things were then, and the API knows how they are now.
    EventType {
        PaymentIntentCreated = "payment_intent.created",
        PaymentIntentRequiresAction = "payment_intent.requires_action",
        PaymentIntentProcessing = "payment_intent.processing",
        PaymentIntentSucceeded = "payment_intent.succeeded",
        /// One attempt failed; the payment can be tried again.
        PaymentIntentFailed = "payment_intent.payment_failed",
        PaymentIntentCanceled = "payment_intent.canceled",
        /// All of it or a part.
        ChargeRefunded = "charge.refunded",
        RefundCreated = "refund.created",
        RefundUpdated = "refund.updated",
        /// Can come days after the refund succeeded.
        RefundFailed = "refund.failed",
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub event_type: EventType,
    /// Seconds since 1970.
    pub created_s: i64,
    /// Real money, or a test.
    pub livemode: bool,
    /// The version that the object is written in: the webhook endpoint's, not the client's.
    pub api_version: Option<String>,
    pub object: EventObject,
}

/// What it happened to, as it was right after.
#[derive(Debug, Clone)]
pub enum EventObject {
    PaymentIntent(Box<PaymentIntent>),
    Charge(Charge),
    Refund(Refund),
    /// Something that we do not follow, by its kind (`customer`, `payout`, …).
    Other(String),
}

/// Why a text is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Where, not what: it may hold a client secret.
    #[error("{category} error at line {line} column {column}")]
    Json { category: &'static str, line: usize, column: usize },
    /// Of the newer API there are "thin" events without the object (`v2.core.event`); the endpoint must ask for the others.
    #[error("a {0:?} instead of an event")]
    NotAnEvent(String),
}

impl From<serde_json::Error> for EventError {
    fn from(error: serde_json::Error) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Io => "reading",
            serde_json::error::Category::Syntax => "syntax",
            serde_json::error::Category::Data => "data",
            serde_json::error::Category::Eof => "end of text",
        };
        Self::Json { category, line: error.line(), column: error.column() }
    }
}

impl Event {
    /// Reads an event. Whether it is genuine is another question: [`super::webhook::read`] asks both.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(payload: &[u8]) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default)]
            object: String,
        }
        #[derive(Deserialize)]
        struct Envelope {
            id: EventId,
            #[serde(rename = "type")]
            event_type: EventType,
            created: i64,
            #[serde(default)]
            livemode: bool,
            api_version: Option<String>,
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            object: Value,
        }
        let kind: Kind = serde_json::from_slice(payload)?;
        if kind.object != "event" {
            return Err(EventError::NotAnEvent(kind.object.chars().take(40).collect()));
        }
        let envelope: Envelope = serde_json::from_slice(payload)?;
        Ok(Self {
            id: envelope.id,
            event_type: envelope.event_type,
            created_s: envelope.created,
            livemode: envelope.livemode,
            api_version: envelope.api_version,
            object: EventObject::from_value(envelope.data.object)?,
        })
    }
}

impl EventObject {
    fn from_value(value: Value) -> Result<Self, EventError> {
        fn read<T: DeserializeOwned>(value: Value) -> Result<T, EventError> {
            Ok(serde_json::from_value(value)?)
        }
        let kind = value.get("object").and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "payment_intent" => Ok(Self::PaymentIntent(Box::new(read(value)?))),
            "charge" => Ok(Self::Charge(read(value)?)),
            "refund" => Ok(Self::Refund(read(value)?)),
            _ => Ok(Self::Other(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{PaymentIntentStatus, RefundStatus};
    use super::*;

    fn event(event_type: &str, object: &Value) -> Result<Event, EventError> {
        let event = json!({
            "id": "evt_1", "object": "event", "api_version": "2026-07-29.dahlia", "created": 1_700_000_000,
            "data": {"object": object, "previous_attributes": {"status": "processing"}}, "livemode": false,
            "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "type": event_type,
        });
        Event::parse(event.to_string().as_bytes())
    }

    #[test]
    fn payments_charges_and_refunds_are_read() {
        let intent = json!({"id": "pi_1", "object": "payment_intent", "amount": 250, "amount_received": 250,
            "currency": "eur", "status": "succeeded", "latest_charge": "ch_1"});
        let found = event("payment_intent.succeeded", &intent).unwrap();
        assert_eq!(found.event_type, EventType::PaymentIntentSucceeded);
        assert_eq!((found.created_s, found.livemode), (1_700_000_000, false));
        assert_eq!(found.api_version.as_deref(), Some("2026-07-29.dahlia"));
        let EventObject::PaymentIntent(intent) = found.object else { panic!("{found:?}") };
        assert_eq!((intent.amount_received_minor, intent.status), (250, PaymentIntentStatus::Succeeded));

        let charge = json!({"id": "ch_1", "object": "charge", "amount": 250, "amount_refunded": 100, "currency": "eur",
            "payment_intent": "pi_1", "refunded": false});
        let EventObject::Charge(charge) = event("charge.refunded", &charge).unwrap().object else {
            panic!("no charge")
        };
        assert_eq!((charge.amount_refunded_minor, charge.refunded), (100, false));

        let refund = json!({"id": "re_1", "object": "refund", "amount": 100, "currency": "eur", "charge": "ch_1",
            "payment_intent": "pi_1", "status": "failed", "failure_reason": "expired_or_canceled_card"});
        let EventObject::Refund(refund) = event("refund.failed", &refund).unwrap().object else { panic!("no refund") };
        assert_eq!(refund.status, RefundStatus::Failed);
        assert_eq!(refund.failure_reason.as_deref(), Some("expired_or_canceled_card"));
    }

    #[test]
    fn what_we_do_not_follow_is_no_error() {
        let found = event("customer.created", &json!({"id": "cus_1", "object": "customer"})).unwrap();
        assert_eq!(found.event_type, EventType::Unknown("customer.created".into()));
        assert!(matches!(found.object, EventObject::Other(kind) if kind == "customer"));
    }

    #[test]
    fn other_texts_are_no_events() {
        for (text, error) in [
            (r#"{"object": "v2.core.event"}"#, EventError::NotAnEvent("v2.core.event".into())),
            ("{}", EventError::NotAnEvent(String::new())),
            ("[]", EventError::NotAnEvent(String::new())),
        ] {
            assert_eq!(Event::parse(text.as_bytes()).unwrap_err(), error);
        }
        for text in ["", "null", "{\"object\": \"event\"}", "{\"object\": \"event\", \"id\": 5}"] {
            assert!(matches!(Event::parse(text.as_bytes()), Err(EventError::Json { .. })), "{text}");
        }
        assert!(matches!(Event::parse(b"\xff\xfe"), Err(EventError::Json { .. })));
        assert!(event("payment_intent.succeeded", &json!({"object": "payment_intent", "id": "pi_1"})).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let intent = json!({"id": "pi_1", "object": "payment_intent", "amount": "pi_1_secret_2", "currency": "eur"});
        let error = event("payment_intent.created", &intent).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
