//! An HTTP answer of Stripe, and what it means (<https://docs.stripe.com/error-low-level>).

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::Error;

/// Answers are a few kilobytes; what is far larger is not from Stripe.
const MAX_BYTES: usize = 256 * 1024;

/// Why an attempt failed, and what Stripe says about another.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: Error,
    /// `Stripe-Should-Retry`; it outweighs all else.
    pub should_retry: Option<bool>,
    /// `Retry-After`
    pub retry_after: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, should_retry: None, retry_after: None }
    }
}

/// The object that was asked for.
///
/// # Errors
/// When the answer does not come whole, is none of Stripe's, or says no.
pub(super) async fn read<T: DeserializeOwned>(mut response: Response) -> Result<T, Failure> {
    let status = response.status();
    let body = read_body(&mut response).await?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|error| Error::Unreadable { status: status.as_u16(), why: where_unreadable(&error) }.into());
    }
    Err(failure(status, response.headers(), &body))
}

/// Why there was no answer at all.
pub(super) fn network(error: &reqwest::Error) -> Error {
    // A connection that took too long to make counts as both: nothing was sent yet.
    if error.is_connect() {
        Error::Unreachable
    } else if error.is_timeout() {
        Error::Timeout
    } else {
        Error::Broken
    }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, Error> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| network(&error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(Error::Unreadable { status, why: format!("longer than {MAX_BYTES} bytes") });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Where, not what: the text around it may hold a client secret.
fn where_unreadable(error: &serde_json::Error) -> String {
    format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
}

#[derive(Deserialize)]
struct Body {
    error: Details,
}

/// <https://docs.stripe.com/api/errors>
#[derive(Default, Deserialize)]
struct Details {
    #[serde(rename = "type", default)]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    message: Option<String>,
    param: Option<String>,
}

fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let should_retry = text("stripe-should-retry").and_then(|value| value.parse().ok());
    let retry_after_s: Option<u64> = text(RETRY_AFTER.as_str()).and_then(|value| value.trim().parse().ok());
    let request_id = text("request-id").map(str::to_owned);
    let details = serde_json::from_slice::<Body>(body).map(|body| body.error);
    let error = match details {
        Ok(details) => explained(status, details, should_retry, retry_after_s, request_id),
        Err(error) => {
            let why = where_unreadable(&error);
            unexplained(status, should_retry, retry_after_s, request_id)
                .unwrap_or_else(|| Error::Unreadable { status: status.as_u16(), why })
        }
    };
    Failure { error, should_retry, retry_after: retry_after_s.map(Duration::from_secs) }
}

/// What the status alone says, if that is enough.
fn unexplained(
    status: StatusCode,
    should_retry: Option<bool>,
    retry_after_s: Option<u64>,
    request_id: Option<String>,
) -> Option<Error> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(Error::Authentication { status: status.as_u16() }),
        StatusCode::CONFLICT => Some(Error::Locked { code: "conflict".to_owned() }),
        StatusCode::TOO_MANY_REQUESTS => Some(Error::RateLimited { retry_after_s }),
        status if status.is_server_error() => {
            Some(Error::ServerError { status: status.as_u16(), retriable: should_retry.unwrap_or(true), request_id })
        }
        _ => None,
    }
}

fn explained(
    status: StatusCode,
    details: Details,
    should_retry: Option<bool>,
    retry_after_s: Option<u64>,
    request_id: Option<String>,
) -> Error {
    // Documented with 429 for locked objects and with 409 for idempotency keys in use; the code tells, whatever the status.
    if let Some("lock_timeout" | "idempotency_key_in_use") = details.code.as_deref() {
        return Error::Locked { code: details.code.unwrap_or_default() };
    }
    if details.kind == "card_error" && status.is_client_error() {
        return Error::Declined {
            code: details.code.unwrap_or_else(|| "card_error".to_owned()),
            decline_code: details.decline_code,
            message: details.message.unwrap_or_else(|| "Your card was declined.".to_owned()),
        };
    }
    if details.kind == "idempotency_error" && status == StatusCode::BAD_REQUEST {
        return Error::IdempotencyConflict;
    }
    if let Some(error) = unexplained(status, should_retry, retry_after_s, request_id.clone()) {
        return error;
    }
    if !status.is_client_error() {
        return Error::Unreadable { status: status.as_u16(), why: "neither success nor failure".to_owned() };
    }
    Error::InvalidRequest {
        status: status.as_u16(),
        code: details.code,
        param: details.param,
        message: details.message.unwrap_or_default(),
        request_id,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use serde_json::json;

    use super::*;

    fn error(status: u16, body: &serde_json::Value) -> Error {
        failure(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.to_string().as_bytes()).error
    }

    fn of(kind: &str, code: Option<&str>) -> serde_json::Value {
        json!({"error": {"type": kind, "code": code, "message": "No.", "param": "amount"}})
    }

    #[test]
    fn each_answer_has_its_error() {
        let declined = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "lost_card",
            "message": "Your card was declined.", "payment_intent": {"client_secret": "s"}}});
        assert_eq!(
            error(402, &declined),
            Error::Declined {
                code: "card_declined".into(),
                decline_code: Some("lost_card".into()),
                message: "Your card was declined.".into()
            }
        );
        assert_eq!(
            error(400, &of("invalid_request_error", Some("amount_too_small"))),
            Error::InvalidRequest {
                status: 400,
                code: Some("amount_too_small".into()),
                param: Some("amount".into()),
                message: "No.".into(),
                request_id: None
            }
        );
        assert!(error(404, &of("invalid_request_error", Some("resource_missing"))).is_missing());
        assert_eq!(error(401, &of("invalid_request_error", None)), Error::Authentication { status: 401 });
        assert_eq!(error(403, &of("invalid_request_error", None)), Error::Authentication { status: 403 });
        assert_eq!(error(400, &of("idempotency_error", None)), Error::IdempotencyConflict);
        for (status, code) in [(409, "lock_timeout"), (429, "lock_timeout"), (409, "idempotency_key_in_use")] {
            assert_eq!(error(status, &of("idempotency_error", Some(code))), Error::Locked { code: code.into() });
        }
        assert_eq!(error(429, &of("rate_limit", Some("rate_limit"))), Error::RateLimited { retry_after_s: None });
        assert!(matches!(error(500, &of("api_error", None)), Error::ServerError { retriable: true, .. }));
    }

    #[test]
    fn answers_of_others_on_the_way_are_understood_by_their_status() {
        let plain = |status: u16| failure(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"<html>").error;
        assert!(matches!(plain(502), Error::ServerError { status: 502, retriable: true, .. }));
        assert!(matches!(plain(429), Error::RateLimited { .. }));
        assert!(matches!(plain(409), Error::Locked { .. }));
        assert!(matches!(plain(401), Error::Authentication { .. }));
        assert!(matches!(plain(400), Error::Unreadable { status: 400, .. }));
        assert!(matches!(plain(302), Error::Unreadable { status: 302, .. }));
    }

    #[test]
    fn headers_about_trying_again_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("stripe-should-retry", HeaderValue::from_static("false"));
        headers.insert("retry-after", HeaderValue::from_static("3"));
        headers.insert("request-id", HeaderValue::from_static("req_1"));
        let failure = failure(StatusCode::INTERNAL_SERVER_ERROR, &headers, b"{}");
        assert_eq!(failure.should_retry, Some(false));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(3)));
        let request_id = Some("req_1".to_owned());
        assert_eq!(failure.error, Error::ServerError { status: 500, retriable: false, request_id });
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        let error = serde_json::from_str::<Body>(r#"{"error": "pi_1_secret_2"}"#).err().unwrap();
        assert_eq!(where_unreadable(&error), "Data error at line 1 column 25");
    }
}
