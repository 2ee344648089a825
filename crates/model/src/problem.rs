//! The one error format: RFC 9457 problem details.

use serde::{Deserialize, Serialize};

/// What went wrong, as far as the caller can act on it. One place maps it to HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400: the input is wrong; fix it and try again.
    Invalid,
    /// 401: sign in first.
    Unauthenticated,
    /// 403: known, but not allowed.
    Forbidden,
    /// 404: absent, or not allowed to know.
    NotFound,
    /// 409: clashes with what is stored.
    Conflict,
    /// 413: too large.
    TooLarge,
    /// 429: too many requests.
    RateLimited,
    /// 503: a part we need is away; try again later.
    Unavailable,
    /// 500: our fault.
    Internal,
}

impl ErrorKind {
    /// The HTTP status code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// What is wrong with one field of the input, in words that say how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The body of every error answer, `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Problem {
    #[serde(rename = "type")]
    pub type_uri: String,
    pub title: String,
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    pub detail: String,
    /// What the former systems called the error; the same text as `detail` where they had no other.
    pub error: String,
    /// The same text as `detail`, where a former system had a message beside its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}
