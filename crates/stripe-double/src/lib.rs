//! A stand-in for Stripe on this machine, for tests: what Portico uses of the API with its errors and idempotency keys, the
//! card form of the browser, and webhooks with real signatures. It keeps to Stripe's documentation, and to what is known of
//! the messages; it knows no customers, no captures and one account. It shares no code with what it is to prove.
//!
//! Tests of one process use [`Double`]; those in a browser start the program `portico-stripe-double`.
//!
//! What it can be told to do: fail, dawdle or drop the connection ([`Failure`]), deliver twice or wrongly ([`Delivery`]).

mod api;
mod browser;
mod cards;
mod control;
mod currency;
mod form;
mod idempotency;
mod intents;
mod listener;
mod objects;
mod operator;
mod refunds;
mod refusal;
mod server;
mod state;
mod webhooks;

pub use control::{Failure, NotDone, RefundOutcome, SeenRequest};
pub use server::{Double, Options};
pub use webhooks::{Delivered, Delivery, Endpoint, Order, StoredEvent};
