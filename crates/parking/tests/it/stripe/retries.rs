use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use portico_parking::stripe::{Client, ClientConfig, Error, NewRefund, PaymentIntent, PaymentIntentStatus};
use portico_stripe_double::{Double, Failure};

use super::{client, config, key, new_payment, start, with};

async fn create(client: &Client, name: &str) -> Result<PaymentIntent, Error> {
    client.create_payment_intent(&key(name), &new_payment(1_000)).await
}

/// Gives up on an attempt soon, and on the whole late.
fn impatient(double: &Double) -> Client {
    Client::new(&ClientConfig { timeout_ms: 300, max_retries: 20, ..config(double) }).unwrap()
}

fn keys(double: &Double) -> Vec<String> {
    double.requests().into_iter().filter_map(|request| request.idempotency_key).collect()
}

#[tokio::test]
async fn too_many_requests_and_locks_and_failures_pass() {
    let double = start().await;
    let client = client(&double);
    for failure in [
        Failure::status(429),
        Failure::status(500),
        Failure::status(503),
        Failure::lock_timeout(),
        Failure::Drop,
        Failure::DropAfterWork,
    ] {
        let name = format!("{failure:?}").replace(' ', "");
        let before = double.requests().len();
        double.fail_next(2, &failure);
        let intent = create(&client, &name[..name.len().min(200)]).await.unwrap();
        assert_eq!(intent.status, PaymentIntentStatus::RequiresPaymentMethod);
        assert_eq!(double.requests().len() - before, 3, "{failure:?}");
    }
    assert_eq!(double.intents().len(), 6);
    // Reading is tried again too.
    let id = create(&client, "read").await.unwrap().id;
    double.fail_next(2, &Failure::status(502));
    assert_eq!(client.retrieve_payment_intent(&id).await.unwrap().id, id);
}

#[tokio::test]
async fn after_two_retries_the_caller_hears_why() {
    let double = start().await;
    let client = client(&double);
    double.fail_next(3, &Failure::status(500));
    let error = create(&client, "a").await.unwrap_err();
    let Error::ServerError { status: 500, retriable: true, request_id } = &error else { panic!("{error:?}") };
    assert!(request_id.as_ref().unwrap().starts_with("req_"));
    assert!(error.is_retriable() && error.may_be_done());
    assert_eq!(keys(&double), ["a", "a", "a"]);

    double.fail_next(3, &Failure::status(429));
    assert_eq!(create(&client, "b").await.unwrap_err(), Error::RateLimited { retry_after_s: None });
    double.fail_next(3, &Failure::Drop);
    assert_eq!(create(&client, "c").await.unwrap_err(), Error::Broken);
    double.fail_next(3, &Failure::lock_timeout());
    assert_eq!(create(&client, "d").await.unwrap_err(), Error::Locked { code: "lock_timeout".into() });
    assert!(double.intents().is_empty());
}

#[tokio::test]
async fn a_timeout_after_the_work_makes_no_second_payment() {
    let double = start().await;
    double.fail_next(1, &Failure::DelayAfter(Duration::from_secs(20)));
    let intent = create(&impatient(&double), "a").await.unwrap();
    assert_eq!(keys(&double), ["a", "a"]);
    let intents = double.intents();
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0]["id"], intent.id.as_str());
}

#[tokio::test]
async fn a_caller_who_gave_up_can_come_back_with_the_same_key() {
    let double = start().await;
    let once = ClientConfig { timeout_ms: 300, max_retries: 0, ..config(&double) };
    let once = Client::new(&once).unwrap();
    double.fail_next(1, &Failure::DelayAfter(Duration::from_secs(20)));
    let error = create(&once, "a").await.unwrap_err();
    assert_eq!(error, Error::Timeout);
    assert!(error.may_be_done() && error.is_retriable());
    let intent = create(&client(&double), "a").await.unwrap();
    let again = create(&client(&double), "a").await.unwrap();
    assert_eq!(intent.id, again.id);
    assert_eq!(double.intents().len(), 1);
}

#[tokio::test]
async fn a_request_still_under_way_is_waited_for() {
    let double = start().await;
    double.fail_next(1, &Failure::DelayBefore(Duration::from_millis(900)));
    let client = ClientConfig { first_pause_ms: 100, timeout_ms: 300, max_retries: 20, ..config(&double) };
    create(&Client::new(&client).unwrap(), "a").await.unwrap();
    assert!(double.requests().len() > 2, "the key was in use for a while");
    assert_eq!(double.intents().len(), 1);
}

#[tokio::test]
async fn money_goes_back_once_however_often_it_is_asked_for() {
    let double = start().await;
    let client = impatient(&double);
    let intent = create(&client, "create").await.unwrap();
    double.fail_next(1, &Failure::DropAfterWork);
    let paid = client.confirm_payment_intent(&key("confirm"), &intent.id, &with("pm_card_visa")).await.unwrap();
    assert_eq!(paid.status, PaymentIntentStatus::Succeeded);
    double.fail_next(1, &Failure::DelayAfter(Duration::from_secs(20)));
    let new = NewRefund { amount_minor: Some(100), ..NewRefund::new(intent.id) };
    let refund = client.create_refund(&key("refund"), &new).await.unwrap();
    let again = client.create_refund(&key("refund"), &new).await.unwrap();
    assert_eq!(refund.id, again.id);
    assert_eq!(double.refunds().len(), 1);
}

#[tokio::test]
async fn what_stripe_says_about_trying_again_outweighs_all_else() {
    let double = start().await;
    let client = client(&double);
    double.fail_next(1, &Failure::broken_for_good());
    let error = create(&client, "a").await.unwrap_err();
    assert!(matches!(error, Error::ServerError { retriable: false, .. }), "{error:?}");
    assert_eq!(double.requests().len(), 1);
    // The same key gets the same failure again.
    assert!(matches!(create(&client, "a").await, Err(Error::ServerError { status: 500, retriable: false, .. })));
    assert_eq!(double.requests().len(), 2);
    create(&client, "b").await.unwrap();

    let again = Failure::Answer {
        status: 400,
        code: Some("api_error"),
        retry_after_s: None,
        should_retry: Some(true),
        kept: false,
    };
    double.fail_next(1, &again);
    create(&client, "c").await.unwrap();
}

#[tokio::test]
async fn nobody_waits_as_long_as_a_minute() {
    let double = start().await;
    let late = Failure::Answer {
        status: 429,
        code: Some("rate_limit"),
        retry_after_s: Some(60),
        should_retry: None,
        kept: false,
    };
    double.fail_next(1, &late);
    let error = create(&client(&double), "a").await.unwrap_err();
    assert_eq!(error, Error::RateLimited { retry_after_s: Some(60) });
    assert_eq!(double.requests().len(), 1);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_a_conflict() {
    let double = start().await;
    let client = client(&double);
    let intent = create(&client, "a").await.unwrap();
    let other = client.create_payment_intent(&key("a"), &new_payment(2_000)).await.unwrap_err();
    assert_eq!(other, Error::IdempotencyConflict);
    let other = client.cancel_payment_intent(&key("a"), &intent.id, None).await.unwrap_err();
    assert_eq!(other, Error::IdempotencyConflict);
    assert_eq!(double.requests().len(), 3, "it is not tried again");
}

#[tokio::test]
async fn a_timeout_is_not_forgotten_over_a_later_refusal_to_listen() {
    let double = start().await;
    let client = ClientConfig { timeout_ms: 300, ..config(&double) };
    double.fail_next(1, &Failure::DelayAfter(Duration::from_secs(20)));
    double.fail_next(2, &Failure::status(429));
    assert_eq!(create(&Client::new(&client).unwrap(), "a").await.unwrap_err(), Error::Timeout);
    assert_eq!(double.intents().len(), 1);
}

#[tokio::test]
async fn nobody_there_means_nothing_was_done() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = ClientConfig {
        base_url: format!("http://{address}"),
        first_pause_ms: 1,
        ..ClientConfig::new("sk_test_1".into())
    };
    let error = create(&Client::new(&config).unwrap(), "a").await.unwrap_err();
    assert_eq!(error, Error::Unreachable);
    assert!(!error.may_be_done());
}

#[tokio::test]
async fn answers_that_are_not_stripes_are_not_believed() {
    let there = r#"{"id": "pi_there", "amount": 1, "currency": "eur", "status": "succeeded"}"#;
    let app = Router::new()
        .route("/v1/payment_intents/pi_moved", get(|| async { Redirect::temporary("/v1/payment_intents/pi_there") }))
        .route("/v1/payment_intents/pi_there", get(move || async move { there }))
        .route("/v1/payment_intents/pi_huge", get(move || async move { format!("{there}{}", " ".repeat(300 * 1024)) }))
        .route("/v1/payment_intents/pi_html", get(|| async { "<html>" }))
        .route("/v1/payment_intents/pi_other", get(|| async { r#"{"id": "pi_other", "client_secret": 5}"# }))
        .route("/v1/payment_intents/pi_gateway", get(|| async { (StatusCode::BAD_GATEWAY, "<html>").into_response() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let config = ClientConfig { base_url, first_pause_ms: 1, ..ClientConfig::new("sk_test_1".into()) };
    let client = Client::new(&config).unwrap();
    for (id, expected) in [("pi_moved", 307), ("pi_huge", 200), ("pi_html", 200), ("pi_other", 200)] {
        let error = client.retrieve_payment_intent(&id.parse().unwrap()).await.unwrap_err();
        let Error::Unreadable { status, .. } = error else { panic!("{id}: {error:?}") };
        assert_eq!(status, expected, "{id}");
    }
    let error = client.retrieve_payment_intent(&"pi_gateway".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::ServerError { status: 502, .. }), "{error:?}");
    server.abort();
}
