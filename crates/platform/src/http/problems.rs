//! Every failure under `/api` is a problem document, also those that the router or a library answers by itself.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use portico_model::ErrorKind;

use crate::error::Error;

/// Answers unknown API routes, and gives the router's own plain answers the one error format.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !is_api(path) {
        return next.run(request).await;
    }
    // The fallback renders pages; a program that mistyped a route is not helped by one.
    if request.extensions().get::<MatchedPath>().is_none() {
        return Error::not_found("unknown_route", "There is no such route; /docs lists them.").into_response();
    }
    let response = next.run(request).await;
    if response.status().as_u16() < 400 || has_json(&response) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let problem = problem_of(parts.status).into_response();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    Response::from_parts(parts, problem.into_body())
}

/// The documents that programs read.
fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || path == "/api" || path.starts_with("/internal/")
}

fn has_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"application/json") || kind.starts_with(b"application/problem+json")
}

fn problem_of(status: StatusCode) -> Error {
    let (kind, code, message) = match status.as_u16() {
        401 => (ErrorKind::Unauthenticated, "sign_in_required", "Sign in first."),
        403 => (ErrorKind::Forbidden, "forbidden", "You may not do this."),
        404 => (ErrorKind::NotFound, "not_found", "There is nothing here by that name."),
        405 => {
            (ErrorKind::Invalid, "method_not_allowed", "This route does not know this method; see the header Allow.")
        }
        413 => (ErrorKind::TooLarge, "body_too_large", "The request body is too large."),
        429 => (ErrorKind::RateLimited, "rate_limited", "Too many requests."),
        503 => (ErrorKind::Unavailable, "unavailable", "Not available at the moment. Try again shortly."),
        500.. => (ErrorKind::Internal, "internal", "Something went wrong on our side. It has been logged."),
        _ => (ErrorKind::Invalid, "bad_request", "The request could not be understood."),
    };
    Error::new(kind, code, message).with_status(status)
}

/// Routes that take large files in pieces. They bound what they take and how long it may stand still themselves; the
/// limits for all other requests would end every upload.
const UPLOADS: [&str; 1] = ["/api/v1/firmware"];

/// Whether the request brings a file.
pub(super) fn is_upload(request: &Request) -> bool {
    *request.method() == Method::POST && UPLOADS.contains(&request.uri().path())
}

/// Answers 503 when the answer does not begin in time. A body that is streamed may take longer.
pub(super) async fn in_time(limit: Duration, request: Request, next: Next) -> Response {
    if is_upload(&request) {
        return next.run(request).await;
    }
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        Error::unavailable("timed_out", "The answer took too long. Try again shortly.").into_response()
    })
}

/// Refuses a body that is too large before reading it where its length is known, and stops reading it where not.
pub(super) async fn limit_body(most: usize, request: Request, next: Next) -> Response {
    if is_upload(&request) {
        return next.run(request).await;
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let is_too_large = length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most as u64);
    if is_too_large {
        let error = Error::too_large("body_too_large", format!("The request body is larger than {most} bytes."));
        return error.into_response();
    }
    // Around the body itself, so that it also holds for what reads it without an extractor.
    let request = request.map(|body| Body::new(Limited::new(body, most)));
    next.run(request).await
}
