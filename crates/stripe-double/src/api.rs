//! The API over HTTP: the key, what a test ordered to go wrong, idempotency, and then the work.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::control::{Failure, SeenRequest};
use super::form::Form;
use super::idempotency::{KeptAnswer, Repeated};
use super::listener::Switch;
use super::refusal::{Outcome, Refusal};
use super::server::Shared;
use super::state::{State, new_id};

#[derive(Clone)]
struct Request {
    id: String,
    method: Method,
    path: String,
    form: Form,
    key: Option<String>,
    version: Option<String>,
}

struct Answer {
    status: u16,
    body: String,
    /// The request that was answered like this before.
    original: Option<String>,
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body().to_string(), original: None }
    }
}

/// Every request that is not for the browser's part.
pub(super) async fn answer(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let said = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { &body };
    let request = Request {
        id: new_id("req"),
        form: Form::parse(said),
        path: uri.path().to_owned(),
        key: text("idempotency-key").filter(|_| method == Method::POST),
        version: text("stripe-version"),
        method,
    };
    let key = text("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let authorized = if key.as_ref() == Some(&shared.options.secret_key) { Ok(()) } else { Err(key) };
    let failure = shared.state().note(&request, authorized.is_ok());
    let reply = match (failure, authorized) {
        (Some(failure), authorized) => fail(&shared, &request, authorized, failure, &switch).await,
        (None, Ok(())) => shared.state().serve(&request),
        (None, Err(key)) => unauthorized(key),
    };
    reply.into_response_to(&request)
}

/// What a test ordered.
async fn fail(
    shared: &Arc<Shared>,
    request: &Request,
    authorized: Result<(), Option<String>>,
    failure: Failure,
    switch: &Switch,
) -> Reply {
    if let Failure::Answer { status, code, retry_after_s, should_retry, kept } = failure {
        let body = code.map(|code| {
            let error_type = if status == 429 { "invalid_request_error" } else { "api_error" };
            json!({"error": {"type": error_type, "code": code, "message": "Ordered by a test."}}).to_string()
        });
        let body = body.unwrap_or_else(|| "<html><title>Ordered by a test</title></html>".to_owned());
        if let (true, Some(key)) = (kept, &request.key) {
            let mut state = shared.state();
            state.reserve(key, &request.path, &request.form, &request.id);
            state.settle(key, Some(KeptAnswer { status, body: body.clone(), should_retry }));
        }
        return Reply { answer: Answer { status, body, original: None }, retry_after_s, should_retry };
    }
    if failure == Failure::Drop {
        switch.cut();
        return Reply::from(Answer { status: 500, body: String::new(), original: None });
    }
    if let Err(key) = authorized {
        return unauthorized(key);
    }
    // In a task of its own: what has begun is done, even if the caller goes away meanwhile.
    let (task_shared, task_request, task_failure) = (Arc::clone(shared), request.clone(), failure.clone());
    let work = tokio::spawn(async move {
        match task_failure {
            Failure::DelayBefore(pause) => dawdle(&task_shared, &task_request, pause).await,
            _ => task_shared.state().serve(&task_request),
        }
    });
    let answer = work.await.unwrap_or_else(|_| Answer { status: 500, body: String::new(), original: None }.into());
    match failure {
        Failure::DelayAfter(pause) => tokio::time::sleep(pause).await,
        Failure::DropAfterWork => switch.cut(),
        _ => {}
    }
    answer
}

/// Reserves the key, and takes its time.
async fn dawdle(shared: &Arc<Shared>, request: &Request, pause: Duration) -> Reply {
    let Some(key) = &request.key else {
        tokio::time::sleep(pause).await;
        return shared.state().serve(request);
    };
    let repeated = shared.state().reserve(key, &request.path, &request.form, &request.id);
    tokio::time::sleep(pause).await;
    shared.state().serve_reserved(request, repeated)
}

fn unauthorized(key: Option<String>) -> Reply {
    let message = match key {
        None => "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth \
                 (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            .to_owned(),
        Some(key) => {
            let end: String = key.chars().rev().take(4).collect();
            format!("Invalid API Key provided: sk_test_****{}", end.chars().rev().collect::<String>())
        }
    };
    Answer::from(&Refusal::invalid(message).status(401)).into()
}

/// An answer with the headers that only a test orders.
struct Reply {
    answer: Answer,
    retry_after_s: Option<u64>,
    should_retry: Option<bool>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, retry_after_s: None, should_retry: None }
    }
}

impl Reply {
    fn into_response_to(self, request: &Request) -> Response {
        let status = StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.answer.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let replayed = self.answer.original.is_some().then(|| "true".to_owned());
        for (name, value) in [
            ("request-id", Some(request.id.clone())),
            ("stripe-version", request.version.clone()),
            ("idempotency-key", request.key.clone()),
            ("original-request", self.answer.original),
            ("idempotent-replayed", replayed),
            ("retry-after", self.retry_after_s.map(|seconds| seconds.to_string())),
            ("stripe-should-retry", self.should_retry.map(|again| again.to_string())),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

impl State {
    /// Remembers the request, and says what a test ordered for it.
    fn note(&mut self, request: &Request, authorized: bool) -> Option<Failure> {
        self.requests.push(SeenRequest {
            method: request.method.to_string(),
            path: request.path.clone(),
            form: request.form.pairs().to_vec(),
            idempotency_key: request.key.clone(),
            stripe_version: request.version.clone(),
            authorized,
        });
        self.failures.pop_front()
    }

    fn serve(&mut self, request: &Request) -> Reply {
        let repeated = match &request.key {
            Some(key) => self.reserve(key, &request.path, &request.form, &request.id),
            None => Repeated::No,
        };
        self.serve_reserved(request, repeated)
    }

    fn serve_reserved(&mut self, request: &Request, repeated: Repeated) -> Reply {
        match repeated {
            Repeated::Answered(KeptAnswer { status, body, should_retry }, original) => {
                let answer = Answer { status, body, original: Some(original) };
                Reply { answer, retry_after_s: None, should_retry }
            }
            Repeated::Refused(refusal) => Answer::from(&*refusal).into(),
            Repeated::No => {
                self.cause = Some((request.id.clone(), request.key.clone()));
                let outcome = self.work(request);
                self.cause = None;
                let (answer, kept) = match outcome {
                    Ok(object) => (Answer { status: 200, body: object.to_string(), original: None }, true),
                    Err(refusal) => (Answer::from(&refusal), refusal.kept),
                };
                if let Some(key) = &request.key {
                    let (status, body) = (answer.status, answer.body.clone());
                    self.settle(key, kept.then_some(KeptAnswer { status, body, should_retry: None }));
                }
                answer.into()
            }
        }
    }

    fn work(&mut self, request: &Request) -> Outcome {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let form = &request.form;
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["v1", "payment_intents"]) => self.create_intent(form),
            ("GET", ["v1", "payment_intents", id]) => self.shown(id),
            ("POST", ["v1", "payment_intents", id, "confirm"]) => self.confirm_intent(id, form),
            ("POST", ["v1", "payment_intents", id, "cancel"]) => self.cancel_intent(id, form),
            ("POST", ["v1", "refunds"]) => self.create_refund(form),
            ("GET", ["v1", "refunds", id]) => self.refund(id),
            (method, _) => {
                let message = format!(
                    "Unrecognized request URL ({method}: {}). Please see https://stripe.com/docs or we can help at \
                     https://support.stripe.com/.",
                    request.path
                );
                Err(Refusal::invalid(message).status(404).forgotten())
            }
        }
    }
}
