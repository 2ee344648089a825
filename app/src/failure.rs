//! What went wrong, as a page shows it: the same code, words and field errors that REST clients get.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use portico_model::FieldError;
use serde::{Deserialize, Serialize};

/// The error of every server function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// HTTP status; 0 when the server was not reached.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
    #[serde(default)]
    pub fields: Vec<FieldError>,
    /// To find the matching log line.
    #[serde(default)]
    pub request_id: String,
}

impl Failure {
    #[must_use]
    pub fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            fields: Vec::new(),
            request_id: String::new(),
        }
    }

    /// No answer.
    #[must_use]
    pub fn unreachable() -> Self {
        Self::new(0, "unreachable", "The server cannot be reached. Check the connection and try again.")
    }

    /// Nobody is signed in (any more).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "You are signed out. Sign in to go on.")
    }

    /// One field of a form is wrong.
    #[must_use]
    pub fn field(field: &str, message: &str) -> Self {
        Self { fields: vec![FieldError::new(field, message)], ..Self::new(400, "invalid_fields", message) }
    }

    /// What is wrong with this field, if anything.
    #[must_use]
    pub fn of_field(&self, field: &str) -> Option<String> {
        self.fields.iter().find(|error| error.field == field).map(|error| error.message.clone())
    }

    /// The text for the whole form: absent when every error stands beside its field.
    #[must_use]
    pub fn beyond_fields(&self, shown: &[&str]) -> Option<String> {
        if self.fields.is_empty() {
            return Some(self.message.clone());
        }
        let rest: Vec<_> = self
            .fields
            .iter()
            .filter(|error| !shown.contains(&error.field.as_str()))
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect();
        (!rest.is_empty()).then(|| rest.join(" "))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl FromServerFnError for Failure {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Request(_) => Self::unreachable(),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                Self::new(400, "invalid_form", "The form is incomplete. Reload the page and try again.")
            }
            // Also what a proxy or rate limit answers, in its own format.
            _ => Self::new(502, "unexpected_answer", "The server answered in an unexpected way. Try again shortly."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_an_unshown_field_is_told_above_the_form() {
        let failure = Failure::field("metadata", "must be an object");
        assert_eq!(failure.beyond_fields(&["metadata"]), None);
        assert_eq!(failure.beyond_fields(&["name"]).as_deref(), Some("metadata: must be an object"));
    }
}
