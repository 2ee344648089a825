//! Stripe's REST API, as far as paying and refunding need it, and its webhooks.
//!
//! Amounts are in the currency's minor unit (cents; yen for JPY). Every POST carries the caller's idempotency key: the same
//! request with the same key is done once, however often it is sent (<https://docs.stripe.com/api/idempotent_requests>).
//! Nothing here reads a clock or logs a secret.

mod answer;
mod client;
mod config;
mod error;
mod event;
mod ids;
mod objects;
mod requests;
pub mod webhook;

pub use client::Client;
pub use config::{API_VERSION, ClientConfig, ConfigError, SCRIPT_ORIGIN, script_origin};
pub use error::Error;
pub use event::{Event, EventError, EventObject, EventType};
pub use ids::{ChargeId, Currency, EventId, IdempotencyKey, InvalidValue, PaymentIntentId, PaymentMethodId, RefundId};
pub use objects::{Charge, PaymentError, PaymentIntent, PaymentIntentStatus, Refund, RefundStatus};
pub use requests::{AllowRedirects, CancellationReason, Confirmation, NewPaymentIntent, NewRefund, RefundReason};
