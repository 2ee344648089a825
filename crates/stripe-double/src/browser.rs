//! What the payer's browser talks to: a tiny Stripe.js, and the endpoints that it posts the card to. Any page may call them:
//! what counts is the client secret.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::cards;
use super::form::Form;
use super::objects::{Intent, Status};
use super::refusal::{Outcome, Refusal};
use super::server::Shared;
use super::state::State;

const SCRIPT: &str = include_str!("stripe.js");

/// Stripe serves it without and with the name of a version (<https://docs.stripe.com/sdks/stripejs-versioning>).
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v3", get(script))
        .route("/v3/", get(script))
        .route("/{version}/stripe.js", get(script))
        .route("/v3/confirm", post(confirm).options(preflight))
        .route("/v3/authenticate", post(authenticate).options(preflight))
        .route("/v3/retrieve", post(retrieve).options(preflight))
        .route("/v3/bank/{id}", get(bank).post(answer_bank))
}

async fn script(Extract(shared): Extract<Arc<Shared>>) -> Response {
    let text = SCRIPT.replace("__ORIGIN__", &shared.url);
    open((StatusCode::OK, [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text).into_response())
}

async fn preflight() -> Response {
    open(StatusCode::NO_CONTENT.into_response())
}

/// `key`, `client_secret`, `number`, `return_url`: the card form was sent.
async fn confirm(Extract(shared): Extract<Arc<Shared>>, body: Bytes) -> Response {
    answer(&shared, &body, |state, form, id| {
        let name = cards::name_of_number(form.get("number").unwrap_or_default())?;
        // Stripe.js fills in the page that it is on.
        let return_url = form.get("return_url").unwrap_or("https://page.example/");
        state.attempt(id, Some(name), Some(return_url))
    })
}

/// `key`, `client_secret`, `outcome` (`complete` or `fail`): the payer answered their bank.
async fn authenticate(Extract(shared): Extract<Arc<Shared>>, body: Bytes) -> Response {
    answer(&shared, &body, |state, form, id| {
        if state.intent(id)?.status != Status::RequiresAction {
            return Err(Refusal::invalid("This PaymentIntent has no action to be done."));
        }
        if form.get("outcome") == Some("complete") {
            state.succeed(id)
        } else {
            Err(state.decline(id, cards::NOT_AUTHENTICATED)?)
        }
    })
}

/// The page of the payer's bank, when it wants to hear from the payer there.
async fn bank(Extract(shared): Extract<Arc<Shared>>, Path(id): Path<String>) -> Response {
    if shared.state().intent(&id).is_err() {
        return (StatusCode::NOT_FOUND, "There is no such payment.").into_response();
    }
    let page = r#"<!DOCTYPE html><html lang="en"><title>Bank</title><link rel="icon" href="data:,"><h1>Is it you who pays?</h1><form method="post">
        <button name="outcome" value="complete">Complete authentication</button>
        <button name="outcome" value="fail">Fail authentication</button></form></html>"#;
    Html(page).into_response()
}

/// `outcome`: and back to the page of the shop, told as Stripe tells it
/// (<https://docs.stripe.com/js/payment_intents/confirm_payment>).
async fn answer_bank(Extract(shared): Extract<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    let said_yes = Form::parse(&body).get("outcome") == Some("complete");
    let mut state = shared.state();
    let waiting = state.intent(&id).ok().filter(|intent| intent.status == Status::RequiresAction);
    let Some((_, back)) = waiting.and_then(|intent| intent.elsewhere.clone()) else {
        return (StatusCode::BAD_REQUEST, "Nobody asks.").into_response();
    };
    let told = if said_yes { state.succeed(&id) } else { state.decline(&id, cards::NOT_AUTHENTICATED).map(drop) };
    let secret = state.intent(&id).map(|intent| intent.client_secret.clone());
    let (Ok(()), Ok(secret)) = (told, secret) else {
        return (StatusCode::BAD_REQUEST, "There is no such payment.").into_response();
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("payment_intent", &id)
        .append_pair("payment_intent_client_secret", &secret)
        .append_pair("redirect_status", if said_yes { "succeeded" } else { "failed" })
        .finish();
    let separator = if back.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{back}{separator}{query}")).into_response()
}

/// `key`, `client_secret`.
async fn retrieve(Extract(shared): Extract<Arc<Shared>>, body: Bytes) -> Response {
    answer(&shared, &body, |_, _, _| Ok(()))
}

/// `{"paymentIntent": …}` or `{"error": …}`, as Stripe.js gives them to the page.
fn answer(shared: &Shared, body: &[u8], work: impl FnOnce(&mut State, &Form, &str) -> Outcome<()>) -> Response {
    let form = Form::parse(body);
    let mut state = shared.state();
    let outcome = find(shared, &state, &form).and_then(|id| {
        work(&mut state, &form, &id)?;
        state.shown(&id)
    });
    let (status, body) = match outcome {
        Ok(intent) => (200, json!({ "paymentIntent": intent })),
        // Browsers complain in their console about 402, and tests watch that.
        Err(refusal) => (if refusal.status == 402 { 200 } else { refusal.status }, refusal.body()),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    open((status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

fn find(shared: &Shared, state: &State, form: &Form) -> Outcome<String> {
    if form.get("key") != Some(shared.options.publishable_key.as_str()) {
        return Err(Refusal::invalid("Invalid API Key provided: pk_test_****").status(401));
    }
    let secret = form.required("client_secret")?;
    let found = state.intents.values().find(|intent: &&Intent| intent.client_secret == secret);
    found.map(|intent| intent.id.clone()).ok_or_else(|| {
        let message = "The client_secret provided does not match any associated PaymentIntent on this account. Ensure the \
                       publishable key used belongs to the same account that created the PaymentIntent.";
        Refusal::invalid(message).param("client_secret")
    })
}

fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    // Pages that isolate themselves (COEP) load it too, as they load Stripe's.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}
