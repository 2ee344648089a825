//! Pushes reach a push service that decrypts them and checks who sends; webhooks are signed, and go to no private address.

use std::sync::{Arc, Mutex};

use portico_model::notifications::{Delivery, DeliveryState};
use portico_model::{DeliveryId, UserId, WebhookId};
use portico_platform::config::Config;
use portico_platform::delivery::{self, Message, Push, Webhook};
use portico_platform::testing::{
    PushService, START, Subscription, TestPlatform, WebhookReceiver, each_database, each_database_with, eventually,
};
use serde_json::json;

async fn enqueue(test: &TestPlatform, message: &Message) -> DeliveryId {
    let mut tx = test.platform.db.begin().await.unwrap();
    let id = test.platform.deliveries.enqueue(&mut tx, test.organization, message).await.unwrap();
    tx.commit().await.unwrap();
    test.platform.deliveries.wake();
    id
}

async fn find(test: &TestPlatform, id: DeliveryId) -> Option<Delivery> {
    let mut tx = test.platform.db.read().await.unwrap();
    test.platform.deliveries.find(&mut tx, test.organization, id).await.unwrap()
}

async fn tried(test: &TestPlatform, id: DeliveryId) -> Delivery {
    eventually("the attempt is over", || async {
        find(test, id).await.is_some_and(|now| now.finished_at.is_some() || !now.last_error.is_empty())
    })
    .await;
    find(test, id).await.unwrap()
}

fn push(to: Subscription, payload: &str) -> Message {
    Message::Push(Push {
        user: UserId::generate(),
        endpoint: to.endpoint,
        p256dh: to.p256dh,
        auth: to.auth,
        payload: payload.to_owned(),
        urgent: true,
    })
}

fn webhook(url: &str, secret: &str, previous: Option<&str>) -> Message {
    Message::Webhook(Webhook {
        webhook: WebhookId::generate(),
        url: url.to_owned(),
        secret: secret.to_owned(),
        previous_secret: previous.map(ToOwned::to_owned),
        event: "alarm.raised".to_owned(),
        body: r#"{"title":"Pump 3 is off"}"#.to_owned(),
    })
}

fn open_web(config: &mut Config) {
    PushService::configure(config);
    config.public_url = Some("https://portico.example".to_owned());
}

#[tokio::test]
async fn push_is_encrypted_for_its_browser_and_proves_its_sender() {
    let service = PushService::start().await;
    each_database_with(open_web, |test| {
        let service = &service;
        async move {
            delivery::start(&test.platform).unwrap();
            let browser = service.subscribe();
            let origin = browser.endpoint.split("/push/").next().unwrap().to_owned();
            let id = enqueue(&test, &push(browser, r#"{"title":"Grüße"}"#)).await;
            let caught = service.next().await;
            assert_eq!(caught.payload, r#"{"title":"Grüße"}"#);
            assert_eq!((caught.urgency.as_str(), caught.ttl_s), ("high", 86_400));
            assert_eq!(caught.key, test.platform.deliveries.push_key().unwrap().public());
            assert_eq!(caught.claims["aud"], json!(origin));
            assert_eq!(caught.claims["sub"], "https://portico.example");
            let expires = caught.claims["exp"].as_i64().unwrap() - START.millis() / 1000;
            assert!((1..=86_400).contains(&expires), "{expires}");
            let delivered = tried(&test, id).await;
            assert_eq!(delivered.state, DeliveryState::Delivered);
            assert!(!delivered.destination.contains("push"), "the endpoint is a capability: {}", delivered.destination);
        }
    })
    .await;
}

#[tokio::test]
async fn browser_that_has_unsubscribed_is_forgotten_and_leaves_no_dead_letter() {
    let service = PushService::start().await;
    each_database_with(open_web, |test| {
        let service = &service;
        async move {
            delivery::start(&test.platform).unwrap();
            let gone = Arc::new(Mutex::new(Vec::new()));
            let noted = Arc::clone(&gone);
            test.platform.deliveries.on_push_gone(Box::new(move |organization, push| {
                noted.lock().unwrap().push((organization, push.endpoint.clone()));
                Box::pin(async { Ok(()) })
            }));
            for status in [404, 410] {
                service.answer(status);
                let browser = service.subscribe();
                let id = enqueue(&test, &push(browser.clone(), "{}")).await;
                eventually("it is dropped", || async { find(&test, id).await.is_none() }).await;
                assert_eq!(gone.lock().unwrap().pop(), Some((test.organization, browser.endpoint)));
            }
            service.answer(503);
            let id = enqueue(&test, &push(service.subscribe(), "{}")).await;
            assert_eq!(tried(&test, id).await.state, DeliveryState::Queued, "a service that is ill is asked again");
            service.answer(413);
            let id = enqueue(&test, &push(service.subscribe(), "{}")).await;
            assert_eq!(tried(&test, id).await.state, DeliveryState::Dead);
            assert_eq!(gone.lock().unwrap().len(), 0);
            service.answer(201);
        }
    })
    .await;
}

#[tokio::test]
async fn webhook_is_signed_with_time_and_secret_and_with_both_while_one_is_replaced() {
    let receiver = WebhookReceiver::start().await;
    each_database_with(open_web, |test| {
        let receiver = &receiver;
        async move {
            delivery::start(&test.platform).unwrap();
            let id = enqueue(&test, &webhook(&format!("{}/hook", receiver.url()), "new", Some("old"))).await;
            let caught = receiver.next().await;
            assert_eq!((caught.path.as_str(), caught.event.as_str()), ("/hook", "alarm.raised"));
            assert_eq!(caught.json(), json!({ "title": "Pump 3 is off" }));
            assert_eq!(caught.delivery, id.to_string());
            assert!(caught.is_signed_with("new") && caught.is_signed_with("old") && !caught.is_signed_with("other"));
            assert!(caught.signature.starts_with(&format!("t={},v1=", START.millis() / 1000)), "{}", caught.signature);
            assert_eq!(tried(&test, id).await.state, DeliveryState::Delivered);
        }
    })
    .await;
}

#[tokio::test]
async fn webhook_is_repeated_after_errors_with_the_same_id_and_a_redirect_is_not_followed() {
    let receiver = WebhookReceiver::start().await;
    each_database_with(open_web, |test| {
        let receiver = &receiver;
        async move {
            delivery::start(&test.platform).unwrap();
            receiver.answer(500);
            let id = enqueue(&test, &webhook(receiver.url(), "s", None)).await;
            let first = receiver.next().await;
            let failed = tried(&test, id).await;
            assert_eq!((failed.state, failed.last_error.as_str()), (DeliveryState::Queued, "answered 500"));
            receiver.answer(204);
            test.clock.advance_ms(67_000);
            test.platform.deliveries.wake();
            let second = receiver.next().await;
            assert_eq!(second.delivery, first.delivery);
            assert_ne!(second.signature, first.signature, "the time is that of the attempt");
            eventually("it has arrived", || async { find(&test, id).await.unwrap().state == DeliveryState::Delivered })
                .await;

            receiver.answer(307);
            let id = enqueue(&test, &webhook(&format!("{}/start", receiver.url()), "s", None)).await;
            assert_eq!(receiver.next().await.path, "/start");
            let failed = tried(&test, id).await;
            assert!(failed.last_error.contains("redirects are not followed"), "{failed:?}");
            assert!(receiver.is_empty().await, "nothing came to the redirect's goal");

            receiver.answer(410);
            let id = enqueue(&test, &webhook(receiver.url(), "s", None)).await;
            receiver.next().await;
            assert_eq!(tried(&test, id).await.state, DeliveryState::Dead, "gone for good");
            receiver.answer(204);
        }
    })
    .await;
}

#[tokio::test]
async fn private_addresses_are_not_asked_however_they_are_named() {
    let receiver = WebhookReceiver::start().await;
    let port = receiver.url().rsplit(':').next().unwrap().to_owned();
    each_database(|test| {
        let (receiver, port) = (&receiver, &port);
        async move {
            delivery::start(&test.platform).unwrap();
            for host in ["127.0.0.1", "localhost", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
                let id = enqueue(&test, &webhook(&format!("https://{host}:{port}/"), "s", None)).await;
                assert_eq!(tried(&test, id).await.state, DeliveryState::Dead, "{host}");
            }
            // A name that only its resolution shows to be ours: this machine's own.
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 1)).await;
            if found.is_ok_and(|mut found| found.next().is_some()) && name != "localhost" {
                let id = enqueue(&test, &webhook(&format!("https://{name}:{port}/"), "s", None)).await;
                let failed = tried(&test, id).await;
                assert!(failed.last_error.contains("private network"), "{failed:?}");
            }
            assert!(receiver.is_empty().await);
        }
    })
    .await;
}

#[tokio::test]
async fn receiver_that_never_answers_is_given_up_in_time_and_holds_up_no_mail() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let catcher = portico_platform::testing::MailCatcher::start().await;
    let short = |config: &mut Config| {
        open_web(config);
        catcher.configure(config);
        config.webhooks.timeout_ms = 1_500;
    };
    each_database_with(short, |test| {
        let (url, catcher) = (&url, &catcher);
        async move {
            delivery::start(&test.platform).unwrap();
            let mut waiting = Vec::new();
            for _ in 0..8 {
                waiting.push(enqueue(&test, &webhook(url, "s", None)).await);
            }
            let mail = portico_platform::delivery::Mail {
                to: "anna@example.org".to_owned(),
                subject: "Hello".to_owned(),
                text: "Hello".to_owned(),
            };
            enqueue(&test, &Message::Mail(mail)).await;
            catcher.next_to("anna@example.org").await;
            assert!(find(&test, waiting[0]).await.unwrap().last_error.is_empty(), "the webhook is still being tried");
            for id in waiting {
                assert_eq!(tried(&test, id).await.last_error, "no answer in time");
            }
        }
    })
    .await;
}
