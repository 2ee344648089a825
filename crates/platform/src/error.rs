//! The one error of the services, and how it is shown to a client: RFC 9457 problem details.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_model::{ErrorKind, FieldError, Problem};
use serde::Serialize;
use serde_json::{Map, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What failed, in words for the caller, with a stable code for programs. The source is for the log alone.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    fields: Vec<FieldError>,
    extra: Option<Box<Extra>>,
    source: Option<Source>,
    status: Option<StatusCode>,
    retry_after_s: Option<u64>,
}

/// What few errors have: in a box, so that the others stay small.
#[derive(Debug, Default)]
struct Extra {
    members: Map<String, Value>,
    title: Option<&'static str>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(code: &'static str, message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, code, message)
        }
    )+};
}

impl Error {
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            fields: Vec::new(),
            extra: None,
            source: None,
            status: None,
            retry_after_s: None,
        }
    }

    constructors! {
        invalid => Invalid,
        unauthenticated => Unauthenticated,
        forbidden => Forbidden,
        not_found => NotFound,
        conflict => Conflict,
        too_large => TooLarge,
        rate_limited => RateLimited,
        unavailable => Unavailable,
    }

    /// One field of the input is wrong.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(field, message)])
    }

    /// Several fields of the input are wrong.
    #[must_use]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = match fields.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            _ => "Some fields need attention.".to_owned(),
        };
        Self { fields, ..Self::invalid("invalid_fields", message) }
    }

    /// Our own fault; the source goes to the log, the client gets the request id.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(ErrorKind::Internal, "internal", "Something went wrong on our side. It has been logged.")
        }
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Another status than the kind's, where HTTP has a more exact one (405, 415).
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Another member of the answer (RFC 9457, extension members), such as what a client of a former system reads there.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.get_or_insert_default().members.insert(name.to_owned(), value.into());
        self
    }

    /// The short `error` of a former system's contract; the text then is its `message`.
    #[must_use]
    pub fn titled(mut self, title: &'static str) -> Self {
        self.extra.get_or_insert_default().title = Some(title);
        self
    }

    /// When to try again; sent as `Retry-After`.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
            .or_else(|| StatusCode::from_u16(self.kind.status()).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same mistakes of the same fields under another code and text.
    #[must_use]
    pub fn with_message(mut self, code: &'static str, message: impl Into<String>) -> Self {
        self.code = code;
        self.message = message.into();
        self
    }

    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.fields
    }

    /// The body a client gets.
    #[must_use]
    pub fn problem(&self, request_id: String) -> Problem {
        let title = self.extra.as_ref().and_then(|extra| extra.title);
        Problem {
            type_uri: "about:blank".to_owned(),
            title: self.status().canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status().as_u16(),
            code: self.code.to_owned(),
            detail: self.message.clone(),
            error: title.map_or_else(|| self.message.clone(), ToOwned::to_owned),
            message: title.map(|_| self.message.clone()),
            request_id,
            errors: self.fields.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let unavailable = || {
            Self::unavailable(
                "database_unavailable",
                "The database cannot be reached at the moment. Try again shortly.",
            )
        };
        match &error {
            E::Io(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Tls(_) => {
                unavailable().with_source(error)
            }
            E::Database(database) if database.is_unique_violation() => {
                Self::conflict("already_exists", "There is one like this already.").with_source(error)
            }
            E::Database(database) => match database.code().as_deref() {
                // SQLite: busy, I/O error, full, cannot open; PostgreSQL: class 08, shutdown, starting up, too many
                // connections, disk full, serialization failure, deadlock.
                Some(
                    "5" | "10" | "13" | "14" | "517" | "266" | "522" | "778" | "1034" | "57P01" | "57P02" | "57P03"
                    | "53300" | "53100" | "40001" | "40P01",
                ) => unavailable().with_source(error),
                Some(code) if code.starts_with("08") => unavailable().with_source(error),
                _ => Self::internal(error),
            },
            _ => Self::internal(error),
        }
    }
}

/// A problem with its extension members.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            match &self.source {
                // Something outside is away, such as a lock: nothing here is broken.
                None if status == StatusCode::SERVICE_UNAVAILABLE => {
                    tracing::warn!(code = self.code, "{}", self.message)
                }
                source => {
                    let source = source.as_ref().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(code = self.code, source, "{}", self.message);
                }
            }
        }
        let problem = self.problem(crate::http::current_request_id());
        let answer = Answer { problem, members: self.extra.map(|extra| extra.members).unwrap_or_default() };
        let mut response = (status, axum::Json(answer)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let retry_after = self.retry_after_s.or_else(|| (status == StatusCode::SERVICE_UNAVAILABLE).then_some(2));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_never_part_of_what_a_client_sees() {
        let error = Error::internal("password=hunter2");
        let body = serde_json::to_string(&error.problem("r1".into())).unwrap();
        assert!(!body.contains("hunter2"));
        assert!(body.contains("r1"));
    }

    #[test]
    fn lost_database_is_503() {
        assert_eq!(Error::from(sqlx::Error::PoolTimedOut).kind(), ErrorKind::Unavailable);
    }
}
