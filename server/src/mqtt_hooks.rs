//! `/internal/mqtt/auth` and `/internal/mqtt/acl`: an external broker asks here who may connect and use which topic
//! (EMQX HTTP authentication and authorisation, mosquitto-go-auth). For the broker alone: callers need the instance's
//! hook token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use portico_platform::mqtt::{Action, MqttAuthenticator, MqttPrincipal, Topics, authorize};
use portico_platform::secrets::Secrets;
use portico_platform::{Error, Platform};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

#[derive(Clone)]
struct Hooks {
    authenticator: Arc<dyn MqttAuthenticator>,
    topics: Topics,
    token: Arc<str>,
}

/// What the brokers send, under the names that they use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Question {
    #[serde(alias = "clientid")]
    client_id: String,
    username: String,
    password: String,
    topic: String,
    /// EMQX: `publish` or `subscribe`.
    action: String,
    /// mosquitto-go-auth: 1 read, 2 write, 3 read and write, 4 subscribe.
    acc: Option<AccessCode>,
}

/// A number, in JSON or in a form.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AccessCode {
    Number(u8),
    Text(String),
}

/// The routes; `None` when the prefix is malformed, which the configuration check has told already.
pub fn router(platform: &Platform, authenticator: Arc<dyn MqttAuthenticator>) -> Option<Router> {
    let topics = Topics::new(&platform.config.mqtt.prefix).ok()?;
    let hooks = Hooks { authenticator, topics, token: token(&platform.secrets).into() };
    let router = Router::new()
        .route("/internal/mqtt/auth", post(authenticate))
        .route("/internal/mqtt/acl", post(check))
        .with_state(hooks);
    Some(router)
}

/// What the broker must present as `Authorization: Bearer`; `portico config broker-token` prints it.
#[must_use]
pub fn token(secrets: &Secrets) -> String {
    portico_platform::secrets::hex(&secrets.derive("mqtt hooks"))
}

impl Hooks {
    fn admits(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|given| bool::from(given.as_bytes().ct_eq(self.token.as_bytes())))
    }
}

async fn authenticate(State(hooks): State<Hooks>, headers: HeaderMap, question: Asked) -> Response {
    if !hooks.admits(&headers) {
        return refused();
    }
    let Asked(question) = question;
    if question.client_id != question.username {
        return answer(false);
    }
    let nowhere = SocketAddr::from((IpAddr::from([0, 0, 0, 0]), 0));
    let principal = hooks
        .authenticator
        .authenticate(&question.client_id, &question.username, question.password.as_bytes(), nowhere)
        .await;
    match principal {
        Ok(principal) => answer(matches!(principal, Some(MqttPrincipal::Device { .. }))),
        Err(error) => error.into_response(),
    }
}

async fn check(State(hooks): State<Hooks>, headers: HeaderMap, question: Asked) -> Response {
    if !hooks.admits(&headers) {
        return refused();
    }
    let Asked(question) = question;
    let Ok(device) = question.username.parse() else { return answer(false) };
    // The rule looks at the device alone: its topics carry its id, which no other organisation's device has.
    let principal = MqttPrincipal::Device { organization: portico_platform::audit::no_organization(), device };
    let allowed = match question.action() {
        Some(action) => authorize(&hooks.topics, &principal, action, &question.topic),
        None => false,
    };
    answer(allowed)
}

impl Question {
    fn action(&self) -> Option<Action> {
        let code = match &self.acc {
            Some(AccessCode::Number(code)) => Some(*code),
            Some(AccessCode::Text(text)) => text.parse().ok(),
            None => None,
        };
        match (self.action.as_str(), code) {
            ("publish", _) | (_, Some(2)) => Some(Action::Publish),
            ("subscribe", _) | (_, Some(1 | 4)) => Some(Action::Subscribe),
            _ => None,
        }
    }
}

/// A question in JSON or as a form.
struct Asked(Question);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Asked {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Error> {
        let unreadable = || Error::invalid("bad_question", "JSON or a form expected");
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            Form::from_request(request, state).await.map(|Form(question)| Self(question)).map_err(|_| unreadable())
        } else {
            <Json<Question> as axum::extract::FromRequest<S>>::from_request(request, state)
                .await
                .map(|Json(question)| Self(question))
                .map_err(|_| unreadable())
        }
    }
}

/// EMQX reads the body, mosquitto-go-auth the status.
fn answer(allowed: bool) -> Response {
    let (status, result) = if allowed { (StatusCode::OK, "allow") } else { (StatusCode::FORBIDDEN, "deny") };
    (status, Json(json!({ "result": result }))).into_response()
}

fn refused() -> Response {
    Error::unauthenticated("hook_token_required", "This is for the broker.").into_response()
}
