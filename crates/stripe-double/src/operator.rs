//! What tests outside this process can ask: those of the browser.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::control::Failure;
use super::form::Form;
use super::refusal::Refusal;
use super::server::Shared;
use super::webhooks::Endpoint;

/// `GET /_double/events`: all events so far.
pub(super) async fn events(Extract(shared): Extract<Arc<Shared>>) -> Json<Vec<Value>> {
    let state = shared.state();
    Json(state.events.iter().filter_map(|event| serde_json::from_str(&event.body).ok()).collect())
}

/// `POST /_double/payment_intents/{id}/complete` or `…/fail`.
pub(super) async fn payment(
    Extract(shared): Extract<Arc<Shared>>,
    Path((id, what)): Path<(String, String)>,
) -> Response {
    let mut state = shared.state();
    let done = match what.as_str() {
        "complete" => state.complete(&id),
        "fail" => state.fail(&id),
        _ => Err(Refusal::invalid("complete or fail expected").status(404)),
    };
    match done.and_then(|()| state.shown(&id)) {
        Ok(shown) => Json(shown).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, Json(refusal.body())).into_response()
        }
    }
}

/// `POST /_double/fail_next` with `count`, and `status`, `delay_before_ms`, `delay_after_ms` or `drop=before|after`.
pub(super) async fn fail_next(Extract(shared): Extract<Arc<Shared>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let number = |name: &str| form.get(name).and_then(|text| text.parse::<u64>().ok());
    let pause = |name: &str| number(name).map(Duration::from_millis);
    let status = number("status").and_then(|status| u16::try_from(status).ok()).map(Failure::status);
    let failure = status
        .or_else(|| pause("delay_before_ms").map(Failure::DelayBefore))
        .or_else(|| pause("delay_after_ms").map(Failure::DelayAfter))
        .or_else(|| match form.get("drop") {
            Some("before") => Some(Failure::Drop),
            Some("after") => Some(Failure::DropAfterWork),
            _ => None,
        });
    let Some(failure) = failure else {
        return (StatusCode::BAD_REQUEST, "status, delay_before_ms, delay_after_ms or drop expected").into_response();
    };
    let count = number("count").and_then(|count| usize::try_from(count).ok()).unwrap_or(1).min(1_000);
    shared.state().failures.extend(std::iter::repeat_n(failure, count));
    Json(json!({"count": count})).into_response()
}

/// `POST /_double/webhook` with `url` and `secret`: where events go by themselves from now on.
pub(super) async fn webhook(Extract(shared): Extract<Arc<Shared>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let (Some(url), Some(secret)) = (form.get("url"), form.get("secret")) else {
        return (StatusCode::BAD_REQUEST, "url and secret expected").into_response();
    };
    shared.state().webhook = Some(Endpoint { url: url.to_owned(), secret: secret.to_owned() });
    StatusCode::NO_CONTENT.into_response()
}
