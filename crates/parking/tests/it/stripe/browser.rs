//! What the page's Stripe.js asks of the double. The script itself is tried in a browser.

use portico_parking::stripe::{PaymentIntent, PaymentIntentStatus};
use portico_stripe_double::Double;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{client, event_types, key, new_payment, start};

async fn ask(double: &Double, what: &str, intent: &PaymentIntent, more: &str) -> (u16, Value) {
    let secret = intent.client_secret.as_ref().unwrap().expose_secret();
    let body = format!("key={}&client_secret={secret}&{more}", double.publishable_key());
    let answer = reqwest::Client::new().post(format!("{}/v3/{what}", double.url())).body(body).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn cards_are_taken_or_declined() {
    let double = start().await;
    let client = client(&double);
    let intent = client.create_payment_intent(&key("a"), &new_payment(1_000)).await.unwrap();
    for (number, code) in
        [("4242", "incomplete_number"), ("4242424242424241", "invalid_number"), ("4000000000000002", "card_declined")]
    {
        let (status, answer) = ask(&double, "confirm", &intent, &format!("number={number}")).await;
        assert_eq!((status, &answer["error"]["code"]), (200, &Value::from(code)));
    }
    let (status, answer) = ask(&double, "confirm", &intent, "number=4242+4242+4242+4242").await;
    assert_eq!((status, &answer["paymentIntent"]["status"]), (200, &Value::from("succeeded")));
    let seen = client.retrieve_payment_intent(&intent.id).await.unwrap();
    assert_eq!(seen.status, PaymentIntentStatus::Succeeded);
    let (_, answer) = ask(&double, "retrieve", &intent, "").await;
    assert_eq!(answer["paymentIntent"]["id"], intent.id.as_str());
    assert_eq!(
        event_types(&double),
        ["payment_intent.created", "payment_intent.payment_failed", "payment_intent.succeeded"]
    );
}

#[tokio::test]
async fn a_bank_can_want_to_hear_from_the_payer() {
    let double = start().await;
    let client = client(&double);
    for (outcome, result) in [("complete", "paymentIntent"), ("fail", "error")] {
        let intent = client.create_payment_intent(&key(outcome), &new_payment(1_000)).await.unwrap();
        let (_, answer) = ask(&double, "confirm", &intent, "number=4000002760003184").await;
        assert_eq!(answer["paymentIntent"]["status"], "requires_action");
        let (status, answer) = ask(&double, "authenticate", &intent, &format!("outcome={outcome}")).await;
        assert!(status == 200 && answer[result].is_object(), "{answer}");
        // It is answered once.
        assert_eq!(ask(&double, "authenticate", &intent, "outcome=complete").await.0, 400);
    }
}

#[tokio::test]
async fn a_bank_can_ask_on_a_page_of_its_own_and_lead_back() {
    let double = start().await;
    let client = client(&double);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (outcome, told) in [("complete", "succeeded"), ("fail", "failed")] {
        let intent = client.create_payment_intent(&key(outcome), &new_payment(1_000)).await.unwrap();
        let form = "number=4000000000003220&return_url=https%3A%2F%2Fpage.example%2Fpay";
        let (_, answer) = ask(&double, "confirm", &intent, form).await;
        let bank = answer["paymentIntent"]["next_action"]["redirect_to_url"]["url"].as_str().unwrap().to_owned();
        assert!(http.get(&bank).send().await.unwrap().text().await.unwrap().contains("Complete authentication"));
        let back = http.post(&bank).body(format!("outcome={outcome}")).send().await.unwrap();
        let location = back.headers()["location"].to_str().unwrap();
        assert!(location.starts_with("https://page.example/pay?payment_intent=pi_"), "{location}");
        assert!(location.ends_with(&format!("&redirect_status={told}")), "{location}");
        assert_eq!(http.post(&bank).send().await.unwrap().status(), 400, "it is answered once");
    }
}

#[tokio::test]
async fn without_the_client_secret_and_the_right_key_nothing_happens() {
    let double = start().await;
    client(&double).create_payment_intent(&key("a"), &new_payment(1_000)).await.unwrap();
    let http = reqwest::Client::new();
    for (body, status) in [
        ("key=pk_test_double&client_secret=pi_1_secret_2&number=4242424242424242", 400),
        ("key=pk_test_double&number=4242424242424242", 400),
        ("key=pk_test_other&client_secret=pi_1_secret_2", 401),
    ] {
        let answer = http.post(format!("{}/v3/confirm", double.url())).body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
    }
    assert_eq!(double.events().len(), 1);
}

#[tokio::test]
async fn the_script_is_served_to_any_page() {
    let double = start().await;
    let http = reqwest::Client::new();
    for path in ["/v3", "/v3/", "/dahlia/stripe.js"] {
        let answer = http.get(format!("{}{path}", double.url())).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/javascript; charset=utf-8");
        let text = answer.text().await.unwrap();
        assert!(text.contains("window.Stripe") && text.contains(double.url()), "{path}");
    }
    let preflight =
        http.request(reqwest::Method::OPTIONS, format!("{}/v3/confirm", double.url())).send().await.unwrap();
    assert_eq!(preflight.status(), 204);
}
