//! The wire contract: paths, codes and field names.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use portico_identity::{NewUser, RequestContext, SessionKind, browser};
use portico_model::identity::Role;
use portico_platform::Actor;
use portico_platform::http::ClientAddress;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{World, each, report};

const PASSWORD: &str = "copper lantern under fjord";

struct Client {
    app: Router,
    token: String,
}

impl Client {
    async fn new(world: &World, name: &str, role: Role) -> Self {
        let new =
            NewUser { username: name.into(), email: format!("{name}@example.com"), password: PASSWORD.into(), role };
        world.identity.create_user(&Actor::system(world.organization), new).await.unwrap();
        let context = RequestContext {
            address: "192.0.2.1".into(),
            user_agent: "test".into(),
            request_id: "request-1".into(),
            device_token: None,
        };
        let signed_in = world.identity.sign_in(name, PASSWORD, SessionKind::Api, &context).await.unwrap();
        let (router, _) = portico_alarms::rest::router(world.alarms.clone()).split_for_parts();
        Self { app: browser::session_layer(router, world.identity.clone()), token: signed_in.access_token }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
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
async fn an_alarm_is_read_acknowledged_noted_and_cleared() {
    each(|world| async move {
        let client = Client::new(&world, "sam", Role::Safety).await;
        let id = world.raise(&report("a")).await.unwrap().id;
        let (status, list) = client.send("GET", "/api/v1/alarms?severity=warning&limit=5", None).await;
        assert_eq!((status, list["items"][0]["id"].clone(), &list["next"]), (200, json!(id), &Value::Null));
        let alarm = &list["items"][0];
        for (field, value) in [
            ("kind", json!("threshold")),
            ("severity", json!("warning")),
            ("state", json!("raised")),
            ("title", json!("Too warm")),
            ("subject_kind", json!("device")),
            ("subject_name", json!("Freezer")),
            ("times", json!(1)),
            ("raised_at", json!("2026-11-21T02:00:00.000+00:00")),
            ("cleared_at", Value::Null),
        ] {
            assert_eq!(alarm[field], value, "{field}");
        }
        let (status, counts) = client.send("GET", "/api/v1/alarms/counts", None).await;
        assert_eq!((status, counts), (200, json!({"critical": 0, "warning": 1, "info": 0, "unacknowledged": 1})));
        let path = |rest: &str| format!("/api/v1/alarms/{id}{rest}");
        let (status, answer) = client.send("POST", &path("/acknowledge"), Some(json!({"note": "going"}))).await;
        assert_eq!((status, &answer["state"]), (200, &json!("acknowledged")));
        let (status, answer) = client.send("POST", &path("/notes"), Some(json!({"note": "door was open"}))).await;
        assert_eq!((status, &answer["steps"][2]["note"]), (200, &json!("door was open")));
        let (status, answer) = client.send("POST", &path("/clear"), None).await;
        assert_eq!((status, &answer["cleared_by"]), (200, &json!("user:sam")));
        let (status, answer) = client.send("POST", &path("/acknowledge"), None).await;
        assert_eq!((status, &answer["code"]), (409, &json!("alarm_cleared")));
        let (status, answer) = client.send("GET", &path(""), None).await;
        assert_eq!((status, answer["steps"].as_array().unwrap().len(), &answer["may_handle"]), (200, 4, &json!(true)));
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    each(|world| async move {
        let client = Client::new(&world, "ursula", Role::User).await;
        let id = world.raise(&report("a")).await.unwrap().id;
        for (method, path, body, expected) in [
            ("GET", "/api/v1/alarms?state=odd".to_owned(), None, 400),
            ("GET", "/api/v1/alarms?severity=9".to_owned(), None, 400),
            ("GET", "/api/v1/alarms?limit=x".to_owned(), None, 400),
            ("GET", "/api/v1/alarms?cursor=x".to_owned(), None, 400),
            ("GET", "/api/v1/alarms?from=yesterday".to_owned(), None, 400),
            ("GET", "/api/v1/alarms/nonsense".to_owned(), None, 404),
            ("GET", format!("/api/v1/alarms/{id}"), None, 404),
            ("POST", format!("/api/v1/alarms/{id}/notes"), Some(json!({})), 400),
            ("POST", format!("/api/v1/alarms/{id}/notes"), Some(json!({"note": "a"})), 404),
            ("POST", format!("/api/v1/alarms/{id}/acknowledge"), Some(json!({"note": 5})), 400),
        ] {
            let (status, answer) = client.send(method, &path, body).await;
            assert_eq!(status, expected, "{method} {path}: {answer}");
        }
    })
    .await;
}
