//! What tests can ask of the double, and see of it.

use std::time::Duration;

use serde_json::Value;

use super::cards::{GENERIC, NOT_AUTHENTICATED};
use super::objects::{Intent, Refund, Status};
use super::refusal::{Outcome, Refusal};
use super::server::Double;
use super::state::State;
use super::webhooks::{Endpoint, StoredEvent};

/// What happens to a request instead of, or besides, what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An answer instead of the work.
    Answer {
        status: u16,
        /// Of the error; without one there is no error object either, as if something on the way had answered.
        code: Option<&'static str>,
        /// `Retry-After`
        retry_after_s: Option<u64>,
        /// `Stripe-Should-Retry`
        should_retry: Option<bool>,
        /// Whether the idempotency key gets this answer for ever after, as it does when Stripe fails in the middle.
        kept: bool,
    },
    /// The connection is dropped; nothing was done.
    Drop,
    /// The work is done, then the connection is dropped.
    DropAfterWork,
    /// A pause, then the work; it is done even if the caller has gone. Meanwhile the idempotency key is in use.
    DelayBefore(Duration),
    /// The work, then a pause before the answer.
    DelayAfter(Duration),
}

impl Failure {
    /// An answer with this status, and nothing done: 429, 500, 503.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        let code = if status == 429 { "rate_limit" } else { "api_error" };
        Self::Answer { status, code: Some(code), retry_after_s: None, should_retry: None, kept: false }
    }

    /// Another request holds the object.
    #[must_use]
    pub const fn lock_timeout() -> Self {
        let code = Some("lock_timeout");
        Self::Answer { status: 409, code, retry_after_s: None, should_retry: Some(true), kept: false }
    }

    /// Stripe failed in the middle of the work: the same key gets the same error again, and Stripe says that there is no sense
    /// in trying.
    #[must_use]
    pub const fn broken_for_good() -> Self {
        Self::Answer {
            status: 500,
            code: Some("api_error"),
            retry_after_s: None,
            should_retry: Some(false),
            kept: true,
        }
    }
}

/// A request that came to the API, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    pub method: String,
    pub path: String,
    /// Names and values as they were given.
    pub form: Vec<(String, String)>,
    pub idempotency_key: Option<String>,
    pub stripe_version: Option<String>,
    /// Whether it had the right secret key.
    pub authorized: bool,
}

impl SeenRequest {
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }
}

/// How a refund ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundOutcome {
    Succeeded,
    /// The bank sent it back; it can do so days after it succeeded.
    Failed,
}

/// Why the double did not do what a test asked.
#[derive(Debug, thiserror::Error)]
#[error("the double refuses: {0}")]
pub struct NotDone(String);

impl From<Refusal> for NotDone {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.body().to_string())
    }
}

impl Double {
    /// What happens to the next `count` requests to the API; after those that were ordered before.
    pub fn fail_next(&self, count: usize, failure: &Failure) {
        self.state().failures.extend(std::iter::repeat_n(failure.clone(), count));
    }

    /// From now on all goes well again.
    pub fn stop_failing(&self) {
        self.state().failures.clear();
    }

    /// All requests to the API so far.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state().requests.clone()
    }

    /// As if the payer had paid in the browser, or the bank had said yes in the end.
    ///
    /// # Errors
    /// When there is no such payment, or it is over.
    pub fn complete(&self, intent: &str) -> Result<(), NotDone> {
        Ok(self.state().complete(intent)?)
    }

    /// As if the payer's card had been declined in the browser, or the bank had said no in the end.
    ///
    /// # Errors
    /// When there is no such payment, or it is over.
    pub fn fail(&self, intent: &str) -> Result<(), NotDone> {
        Ok(self.state().fail(intent)?)
    }

    /// # Errors
    /// When there is no such refund, or it is over.
    pub fn settle_refund(&self, refund: &str, outcome: RefundOutcome) -> Result<(), NotDone> {
        Ok(self.state().settle_refund(refund, outcome)?)
    }

    /// All payments, as the API shows them; in no order that means something.
    #[must_use]
    pub fn intents(&self) -> Vec<Value> {
        self.state().intents.values().map(Intent::shown).collect()
    }

    /// All refunds, as the API shows them; in no order that means something.
    #[must_use]
    pub fn refunds(&self) -> Vec<Value> {
        self.state().refunds.values().map(Refund::shown).collect()
    }

    /// All events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<StoredEvent> {
        self.state().events.clone()
    }

    /// The events since the last call, in order.
    #[must_use]
    pub fn take_events(&self) -> Vec<StoredEvent> {
        let mut state = self.state();
        let new = state.events.get(state.taken..).unwrap_or_default().to_vec();
        state.taken = state.events.len();
        new
    }

    /// Where events go by themselves from now on.
    pub fn set_webhook(&self, webhook: Option<Endpoint>) {
        self.state().webhook = webhook;
    }
}

impl State {
    pub fn complete(&mut self, id: &str) -> Outcome<()> {
        self.open_intent(id)?;
        let intent = self.intent_mut(id)?;
        if intent.payment_method.is_none() {
            intent.payment_method = Some("pm_card_visa".to_owned());
        }
        self.succeed(id)
    }

    pub fn fail(&mut self, id: &str) -> Outcome<()> {
        let decline = match self.open_intent(id)? {
            Status::RequiresAction => NOT_AUTHENTICATED,
            _ => GENERIC,
        };
        self.decline(id, decline)?;
        Ok(())
    }

    fn open_intent(&self, id: &str) -> Outcome<Status> {
        match self.intent(id)?.status {
            status @ (Status::Succeeded | Status::Canceled) => {
                Err(Refusal::invalid(format!("The PaymentIntent has a status of {}.", status.as_str())))
            }
            status => Ok(status),
        }
    }
}
