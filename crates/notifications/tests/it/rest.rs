use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use portico_identity::browser;
use portico_model::identity::Role;
use portico_notifications::rest;
use portico_platform::http::ClientAddress;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{World, each, token};

struct Client {
    app: Router,
    token: String,
}

impl Client {
    async fn new(world: &World<'_>, login: &str) -> Self {
        let (router, _) = rest::router(world.notifications.clone()).split_for_parts();
        let app = browser::session_layer(router, world.identity.clone());
        Self { app, token: token(&world.identity, login).await }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::USER_AGENT, "Firefox on Linux")
            .extension(ClientAddress("192.0.2.1".parse::<IpAddr>().unwrap()));
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.app.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn preferences_and_browsers_over_rest() {
    each(async |world| {
        world.user("anna", Role::User).await;
        let anna = Client::new(&world, "anna").await;
        let (status, now) = anna.send("GET", "/api/v1/notifications/preferences", None).await;
        assert_eq!((status, &now["preferences"][0]["kind"]), (200, &json!("alarm.raised")));
        let choice = json!({ "preferences": [{ "kind": "alarm.raised", "push": "never", "mail": "everything" }] });
        let (status, now) = anna.send("PUT", "/api/v1/notifications/preferences", Some(choice)).await;
        assert_eq!((status, &now["preferences"][0]["push"]), (200, &json!("never")));
        let wrong = json!({ "preferences": [{ "kind": "alarm.raised", "push": "loudly", "mail": "never" }] });
        let (status, problem) = anna.send("PUT", "/api/v1/notifications/preferences", Some(wrong)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (400, &json!("preferences[0].push")));

        let new = serde_json::to_value(world.new_browser("")).unwrap();
        let (status, browser) = anna.send("POST", "/api/v1/notifications/browsers", Some(new)).await;
        assert_eq!((status, &browser["name"]), (201, &json!("Firefox on Linux")));
        let (_, list) = anna.send("GET", "/api/v1/notifications/browsers", None).await;
        assert_eq!(list["items"], json!([browser]));
        let (status, sent) = anna.send("POST", "/api/v1/notifications/test", Some(json!({ "channel": "push" }))).await;
        assert_eq!((status, sent), (202, json!({ "sent": 1 })));
        world.push.next().await;
        let path = format!("/api/v1/notifications/browsers/{}", browser["id"].as_str().unwrap());
        assert_eq!(anna.send("DELETE", &path, None).await.0, 204);
        assert_eq!(anna.send("DELETE", &path, None).await.0, 404);
        assert_eq!(anna.send("DELETE", "/api/v1/notifications/browsers/x", None).await.0, 404);
        let (status, _) = anna.send("POST", "/api/v1/notifications/test", Some(json!({ "channel": "pigeon" }))).await;
        assert_eq!(status, 400);
    })
    .await;
}

#[tokio::test]
async fn webhooks_and_dead_letters_over_rest() {
    each(async |world| {
        world.user("anna", Role::Manager).await;
        let (admin, anna) = (Client::new(&world, "admin").await, Client::new(&world, "anna").await);
        let input = json!({ "name": "Desk", "url": world.receiver.url() });
        assert_eq!(anna.send("POST", "/api/v1/webhooks", Some(input.clone())).await.0, 403);
        let (status, made) = admin.send("POST", "/api/v1/webhooks", Some(input)).await;
        assert_eq!((status, &made["webhook"]["min_severity"]), (201, &json!("info")));
        let id = made["webhook"]["id"].as_str().unwrap();
        let path = format!("/api/v1/webhooks/{id}");
        let (_, shown) = admin.send("GET", &path, None).await;
        assert_eq!(shown, made["webhook"]);
        assert!(!shown.to_string().contains("whsec_"), "the secret is shown once");
        let change = json!({ "name": "Desk 2", "url": world.receiver.url(), "min_severity": "warning" });
        assert_eq!(admin.send("PUT", &path, Some(change)).await.1["name"], "Desk 2");
        assert_eq!(admin.send("GET", "/api/v1/webhooks", None).await.1["items"][0]["name"], "Desk 2");
        let (status, rotated) = admin.send("POST", &format!("{path}/secret"), Some(json!({}))).await;
        assert_eq!(status, 200);
        assert_ne!(rotated["secret"], made["secret"]);

        world.receiver.answer(410);
        let (status, tested) = admin.send("POST", &format!("{path}/test"), None).await;
        assert_eq!(status, 202);
        world.receiver.next().await;
        world.settled().await;
        world.receiver.answer(204);
        let list = format!("/api/v1/deliveries?state=dead&webhook={id}");
        let (_, dead) = admin.send("GET", &list, None).await;
        assert_eq!(dead["items"][0]["id"], tested["delivery_id"]);
        let letter = format!("/api/v1/deliveries/{}", tested["delivery_id"].as_str().unwrap());
        assert_eq!(anna.send("POST", &format!("{letter}/retry"), None).await.0, 403);
        assert_eq!(admin.send("POST", &format!("{letter}/retry"), None).await.0, 202);
        world.receiver.next().await;
        world.settled().await;
        assert_eq!(admin.send("POST", &format!("{letter}/retry"), None).await.0, 409);
        assert_eq!(admin.send("DELETE", &letter, None).await.0, 409);
        for wrong in ["state=lost", "limit=x", "limit=0", "cursor=1"] {
            assert_eq!(admin.send("GET", &format!("/api/v1/deliveries?{wrong}"), None).await.0, 400, "{wrong}");
        }
        assert_eq!(admin.send("DELETE", &path, None).await.0, 204);
        assert_eq!(admin.send("DELETE", &path, None).await.0, 404);
        assert_eq!(admin.send("DELETE", "/api/v1/webhooks/x", None).await.0, 404);
    })
    .await;
}
