use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use portico_parking::stripe::webhook::{SignatureError, WebhookError, read};
use portico_parking::stripe::{Event, EventObject, EventType, NewRefund, PaymentIntentStatus, RefundStatus};
use portico_stripe_double::{Delivery, Double, Endpoint, Options};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{client, key, new_payment, with};

const NOW_S: i64 = 1_700_000_000;

/// An endpoint that takes what is proven, and keeps what it was told.
struct Receiver {
    url: String,
    heard: Arc<Heard>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    secrets: Vec<SecretString>,
    results: Mutex<Vec<Result<Event, WebhookError>>>,
    /// Statuses to answer with before all is well.
    refuse: Mutex<VecDeque<u16>>,
    news: Notify,
}

impl Receiver {
    async fn start(secrets: &[&str], refuse: &[u16]) -> Self {
        let heard = Arc::new(Heard {
            secrets: secrets.iter().map(|secret| SecretString::from(*secret)).collect(),
            refuse: Mutex::new(refuse.iter().copied().collect()),
            ..Heard::default()
        });
        let app = Router::new().route("/hook", post(hear)).with_state(Arc::clone(&heard));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, heard, server }
    }

    fn take(&self) -> Vec<Result<Event, WebhookError>> {
        std::mem::take(&mut *self.heard.results.lock().unwrap())
    }

    /// The ids of what was taken, and why the rest was not.
    fn took(&self) -> Vec<Result<String, String>> {
        let name = |result: Result<Event, WebhookError>| match result {
            Ok(event) => Ok(event.id.to_string()),
            Err(WebhookError::Signature(error)) => Err(error.to_string()),
            Err(WebhookError::Event(error)) => Err(error.to_string()),
        };
        self.take().into_iter().map(name).collect()
    }

    async fn wait_for(&self, count: usize) {
        let enough = async {
            while self.heard.results.lock().unwrap().len() < count {
                self.heard.news.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hear(State(heard): State<Arc<Heard>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if let Some(status) = heard.refuse.lock().unwrap().pop_front() {
        return StatusCode::from_u16(status).unwrap();
    }
    let header = headers.get("stripe-signature").map(|value| value.as_bytes()).unwrap_or_default();
    let result = read(header, &body, &heard.secrets, 300, NOW_S);
    let status = if result.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    heard.results.lock().unwrap().push(result);
    heard.news.notify_one();
    status
}

async fn start() -> Double {
    Double::start(Options { now_s: Some(NOW_S), ..Options::default() }).await.unwrap()
}

/// Something happened: a payment was made, and paid.
async fn pay(double: &Double) -> portico_parking::stripe::PaymentIntentId {
    let client = client(double);
    let intent = client.create_payment_intent(&key("create"), &new_payment(1_000)).await.unwrap();
    client.confirm_payment_intent(&key("confirm"), &intent.id, &with("pm_card_visa")).await.unwrap();
    intent.id
}

#[tokio::test]
async fn what_happens_is_told_with_how_it_is_then() {
    let (double, receiver) = (start().await, Receiver::start(&["whsec_1"], &[]).await);
    let id = pay(&double).await;
    let new = NewRefund { amount_minor: Some(300), ..NewRefund::new(id.clone()) };
    client(&double).create_refund(&key("refund"), &new).await.unwrap();
    let events = double.take_events();
    let delivered = double.deliver(&Delivery::new(&receiver.url, "whsec_1"), &events).await;
    assert!(delivered.iter().all(|one| one.status == Some(200)), "{delivered:?}");

    let heard: Vec<Event> = receiver.take().into_iter().map(Result::unwrap).collect();
    assert!(heard.iter().all(|event| event.created_s == NOW_S && !event.livemode));
    let types: Vec<&EventType> = heard.iter().map(|event| &event.event_type).collect();
    assert_eq!(
        types,
        [
            &EventType::PaymentIntentCreated,
            &EventType::PaymentIntentSucceeded,
            &EventType::RefundCreated,
            &EventType::ChargeRefunded,
            &EventType::RefundUpdated
        ]
    );
    let [created, paid, _, charge, refund] = heard.as_slice() else { panic!("{heard:?}") };
    let EventObject::PaymentIntent(created) = &created.object else { panic!("{created:?}") };
    assert_eq!((&created.id, &created.status), (&id, &PaymentIntentStatus::RequiresPaymentMethod));
    let EventObject::PaymentIntent(paid) = &paid.object else { panic!("{paid:?}") };
    assert_eq!((paid.amount_received_minor, paid.metadata["session"].as_str()), (1_000, "0198f3"));
    let EventObject::Charge(charge) = &charge.object else { panic!("{charge:?}") };
    assert_eq!((charge.payment_intent.as_ref(), charge.amount_refunded_minor), (Some(&id), 300));
    let EventObject::Refund(refund) = &refund.object else { panic!("{refund:?}") };
    assert_eq!((refund.amount_minor, &refund.status), (300, &RefundStatus::Succeeded));
}

#[tokio::test]
async fn events_come_twice_and_in_any_order() {
    let (double, receiver) = (start().await, Receiver::start(&["whsec_1"], &[]).await);
    pay(&double).await;
    let events = double.events();
    let [first, second] = events.as_slice() else { panic!("{events:?}") };
    let (first, second) = (Ok(first.id.clone()), Ok(second.id.clone()));
    double.deliver(&Delivery::new(&receiver.url, "whsec_1").twice(), &events).await;
    assert_eq!(receiver.took(), [first.clone(), first.clone(), second.clone(), second.clone()]);
    double.deliver(&Delivery::new(&receiver.url, "whsec_1").reversed(), &events).await;
    assert_eq!(receiver.took(), [second, first]);
}

#[tokio::test]
async fn what_is_not_proven_is_not_taken() {
    let (double, receiver) = (start().await, Receiver::start(&["whsec_1"], &[]).await);
    pay(&double).await;
    let events = &double.take_events()[..1];
    let honest = || Delivery::new(&receiver.url, "whsec_1");
    for (delivery, error) in [
        (Delivery::new(&receiver.url, "whsec_wrong"), SignatureError::Mismatch),
        (honest().signed_at(NOW_S - 301), SignatureError::TooOld { age_s: 301 }),
        (honest().signed_at(NOW_S + 301), SignatureError::InFuture { ahead_s: 301 }),
        (Delivery { secrets: vec![], ..honest() }, SignatureError::NoSignature),
    ] {
        let delivered = double.deliver(&delivery, events).await;
        assert_eq!(delivered[0].status, Some(400), "{delivery:?}");
        assert_eq!(receiver.took(), [Err(error.to_string())]);
    }
    // The clocks may differ a little.
    double.deliver(&honest().signed_at(NOW_S - 299), events).await;
    assert_eq!(receiver.took(), [Ok(events[0].id.clone())]);
    // What was changed on the way fits no signature.
    let mut changed = events[0].clone();
    changed.body = changed.body.replace("1000", "9000");
    let url = &receiver.url;
    let header = portico_parking::stripe::webhook::sign(events[0].body.as_bytes(), "whsec_1", NOW_S);
    let answer =
        reqwest::Client::new().post(url).header("stripe-signature", header).body(changed.body).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(receiver.took(), [Err(SignatureError::Mismatch.to_string())]);
}

#[tokio::test]
async fn a_secret_is_replaced_without_losing_an_event() {
    let (double, receiver) = (start().await, Receiver::start(&["whsec_old", "whsec_new"], &[]).await);
    pay(&double).await;
    let events = &double.take_events()[..1];
    let id = || Ok(events[0].id.clone());
    // We know both while Stripe signs with the one, the other, or both.
    for delivery in [
        Delivery::new(&receiver.url, "whsec_old"),
        Delivery::new(&receiver.url, "whsec_new"),
        Delivery::new(&receiver.url, "whsec_old").and_secret("whsec_new"),
    ] {
        double.deliver(&delivery, events).await;
        assert_eq!(receiver.took(), [id()]);
    }
    // Stripe signs with both while we know only one of them.
    for known in ["whsec_old", "whsec_new"] {
        let receiver = Receiver::start(&[known], &[]).await;
        let delivery = Delivery::new(&receiver.url, "whsec_old").and_secret("whsec_new");
        double.deliver(&delivery, events).await;
        assert_eq!(receiver.took(), [id()]);
    }
}

#[tokio::test]
async fn the_double_delivers_by_itself_until_it_is_taken() {
    let receiver = Receiver::start(&["whsec_1"], &[500, 503]).await;
    let double = start().await;
    double.set_webhook(Some(Endpoint { url: receiver.url.clone(), secret: "whsec_1".to_owned() }));
    pay(&double).await;
    receiver.wait_for(2).await;
    let ids: Vec<Result<String, String>> = double.events().into_iter().map(|event| Ok(event.id)).collect();
    assert_eq!(receiver.took(), ids);
}
