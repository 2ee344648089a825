//! Stripe's way of saying no: `{"error": {"type", "code", "message", "param"}}`.

use serde_json::{Map, Value};

/// What [`super::state::State`] does, or why not.
pub(super) type Outcome<T = Value> = Result<T, Refusal>;

pub(super) struct Refusal {
    pub status: u16,
    pub error: Map<String, Value>,
    /// Whether the same idempotency key gets the same answer again. It does once the work had begun; requests that never
    /// made sense are forgotten.
    pub kept: bool,
}

impl Refusal {
    fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let error = [("type", Value::from(kind)), ("message", Value::from(message.into()))];
        Self { status, error: error.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(), kept: true }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// Of the kind, with what Stripe calls it.
    pub fn of(status: u16, kind: &str, message: impl Into<String>) -> Self {
        Self::new(status, kind, message)
    }

    pub fn missing(what: &str, id: &str, param: &str) -> Self {
        Self::new(404, "invalid_request_error", format!("No such {what}: '{id}'")).code("resource_missing").param(param)
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn code(self, code: &str) -> Self {
        let doc_url = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
        self.with("code", code).with("doc_url", doc_url)
    }

    pub fn param(self, param: &str) -> Self {
        self.with("param", param)
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.error.insert(name.to_owned(), value.into());
        self
    }

    pub fn forgotten(mut self) -> Self {
        self.kept = false;
        self
    }

    pub fn body(&self) -> Value {
        serde_json::json!({ "error": self.error })
    }
}
