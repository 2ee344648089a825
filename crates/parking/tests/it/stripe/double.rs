//! What the double answers, beyond what the client shows.

use portico_stripe_double::{Double, Failure};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{client, key, new_payment, start};

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn error(&self, field: &str) -> &str {
        self.body["error"][field].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn post(double: &Double, path: &str, key: Option<&str>, form: &str) -> Answer {
    let mut request = reqwest::Client::new()
        .post(format!("{}{path}", double.url()))
        .bearer_auth(double.secret_key())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    read(request).await
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.json().await.unwrap_or_default() }
}

const GOOD: &str = "amount=1000&currency=eur";

#[tokio::test]
async fn repeated_requests_are_marked() {
    let double = start().await;
    let first = post(&double, "/v1/payment_intents", Some("k"), GOOD).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, ""));
    assert!(first.header("request-id").starts_with("req_"));
    // The order of the fields means nothing.
    let again = post(&double, "/v1/payment_intents", Some("k"), "currency=eur&amount=1000").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(again.body, first.body);
    let other = post(&double, "/v1/payment_intents", Some("k"), "amount=1001&currency=eur").await;
    assert_eq!((other.status, other.error("type")), (400, "idempotency_error"));
    let other = post(&double, "/v1/refunds", Some("k"), GOOD).await;
    assert_eq!((other.status, other.error("type")), (400, "idempotency_error"));
    // Without a key each request is a new one.
    post(&double, "/v1/payment_intents", None, GOOD).await;
    post(&double, "/v1/payment_intents", None, GOOD).await;
    assert_eq!(double.intents().len(), 3);
}

#[tokio::test]
async fn requests_that_never_made_sense_use_up_no_key() {
    let double = start().await;
    let bad = post(&double, "/v1/payment_intents", Some("k"), "amount=1&currency=eur").await;
    assert_eq!((bad.status, bad.error("code")), (400, "amount_too_small"));
    let good = post(&double, "/v1/payment_intents", Some("k"), GOOD).await;
    assert_eq!((good.status, good.header("idempotent-replayed")), (200, ""));
    // Nor do those that were turned away before they were looked at.
    double.fail_next(1, &Failure::status(429));
    assert_eq!(post(&double, "/v1/payment_intents", Some("l"), GOOD).await.status, 429);
    assert_eq!(post(&double, "/v1/payment_intents", Some("l"), "amount=99&currency=eur").await.status, 200);
}

#[tokio::test]
async fn parameters_are_checked() {
    let double = start().await;
    for (form, code, param) in [
        ("currency=eur", "parameter_missing", "amount"),
        ("amount=1000", "parameter_missing", "currency"),
        ("amount=1000&currency=", "parameter_missing", "currency"),
        ("amount=ten&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=10.5&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=49&currency=EUR", "amount_too_small", "amount"),
        ("amount=1000&currency=doubloon", "", "currency"),
        ("amount=1000&currency=eur&metdata[a]=b", "parameter_unknown", "metdata[a]"),
        ("amount=1000&currency=eur&metadata=b", "parameter_unknown", "metadata"),
        ("amount=1000&currency=eur&metadata[a][b]=c", "", "metadata"),
        ("amount=1000&currency=eur&automatic_payment_methods[enabled]=yes", "", "automatic_payment_methods[enabled]"),
        ("amount=1000&currency=eur&receipt_email=nobody", "email_invalid", "receipt_email"),
        ("amount=1000&currency=eur&payment_method=pm_none", "resource_missing", "payment_method"),
    ] {
        let answer = post(&double, "/v1/payment_intents", None, form).await;
        assert_eq!((answer.status, answer.error("type")), (400, "invalid_request_error"), "{form}");
        assert_eq!((answer.error("code"), answer.error("param")), (code, param), "{form}");
        assert!(!answer.error("message").is_empty());
    }
    let long = format!("{GOOD}&metadata[{}]=a", "k".repeat(41));
    assert_eq!(post(&double, "/v1/payment_intents", None, &long).await.status, 400);
    let long = format!("{GOOD}&metadata[a]={}", "v".repeat(501));
    assert_eq!(post(&double, "/v1/payment_intents", None, &long).await.status, 400);
    let many: String = (0..51).map(|n| format!("&metadata[k{n}]=a")).collect();
    assert_eq!(post(&double, "/v1/payment_intents", None, &format!("{GOOD}{many}")).await.status, 400);
    assert!(double.intents().is_empty());
    assert!(double.events().is_empty());
}

#[tokio::test]
async fn a_payment_can_be_made_and_confirmed_at_once() {
    let double = start().await;
    let with = |method: &str| format!("{GOOD}&payment_method={method}");
    let attached = post(&double, "/v1/payment_intents", None, &with("pm_card_visa")).await;
    assert_eq!(attached.body["status"], "requires_confirmation");
    let confirm = format!("/v1/payment_intents/{}/confirm", attached.body["id"].as_str().unwrap());
    assert_eq!(post(&double, &confirm, None, "").await.body["status"], "succeeded");
    let again = post(&double, &confirm, None, "").await;
    assert_eq!((again.status, again.error("code")), (400, "payment_intent_unexpected_state"));

    let paid = post(&double, "/v1/payment_intents", None, &format!("{}&confirm=true", with("pm_card_visa"))).await;
    assert_eq!(paid.body["status"], "succeeded");
    let form = format!("{}&confirm=true", with("pm_card_visa_chargeDeclinedInsufficientFunds"));
    let declined = post(&double, "/v1/payment_intents", None, &form).await;
    assert_eq!((declined.status, declined.error("type")), (402, "card_error"));
    assert_eq!((declined.error("code"), declined.error("decline_code")), ("card_declined", "insufficient_funds"));
    let intent = &declined.body["error"]["payment_intent"];
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["decline_code"], "insufficient_funds");
    assert!(declined.error("charge").starts_with("ch_"));
}

#[tokio::test]
async fn who_has_no_key_or_a_wrong_one_gets_nothing() {
    let double = start().await;
    let url = format!("{}/v1/payment_intents/pi_1", double.url());
    let none = read(reqwest::Client::new().get(&url)).await;
    assert_eq!((none.status, none.error("type")), (401, "invalid_request_error"));
    let wrong = read(reqwest::Client::new().get(&url).bearer_auth("sk_test_wrong_1234")).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.error("message").ends_with("****1234"), "{}", wrong.error("message"));
    let right = read(reqwest::Client::new().get(&url).bearer_auth(double.secret_key())).await;
    assert_eq!((right.status, right.error("code")), (404, "resource_missing"));
    let nowhere = read(reqwest::Client::new().get(format!("{}/v1/x", double.url())).bearer_auth(double.secret_key()));
    assert_eq!(nowhere.await.status, 404);
}

#[tokio::test]
async fn tests_outside_the_process_can_steer_it() {
    let double = start().await;
    let intent = client(&double).create_payment_intent(&key("a"), &new_payment(1_000)).await.unwrap();
    let http = reqwest::Client::new();
    let paid = read(http.post(format!("{}/_double/payment_intents/{}/complete", double.url(), intent.id))).await;
    assert_eq!((paid.status, &paid.body["status"]), (200, &Value::from("succeeded")));
    let over = read(http.post(format!("{}/_double/payment_intents/{}/fail", double.url(), intent.id))).await;
    assert_eq!(over.status, 400);
    let events = read(http.get(format!("{}/_double/events", double.url()))).await;
    assert_eq!(events.body.as_array().unwrap().len(), 2);
    assert_eq!(events.body[1]["type"], "payment_intent.succeeded");
    let fail = format!("{}/_double/fail_next", double.url());
    assert_eq!(read(http.post(&fail).body("count=2&status=503")).await.status, 200);
    assert_eq!(read(http.post(&fail).body("count=2")).await.status, 400);
    assert_eq!(post(&double, "/v1/payment_intents", None, GOOD).await.status, 503);
    double.stop_failing();
    assert_eq!(post(&double, "/v1/payment_intents", None, GOOD).await.status, 200);
}
