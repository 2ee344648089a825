//! How much, how long, how often.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use portico_model::identity::Role;
use portico_model::{DeviceId, OrganizationId, Problem, ServiceKeyId, SessionId, UserId};
use portico_platform::http::{Json, admit};
use portico_platform::{Actor, Principal};

use super::stand::Stand;

fn actor(principal: Principal) -> Actor {
    Actor { organization: OrganizationId::generate(), principal, address: String::new(), request_id: String::new() }
}

fn routes() -> Router {
    let user = actor(Principal::User {
        id: UserId::generate(),
        name: "ann".into(),
        role: Role::User,
        session: SessionId::generate(),
    });
    let device = actor(Principal::Device { id: DeviceId::generate() });
    let service =
        actor(Principal::Service { id: ServiceKeyId::generate(), name: "reports".into(), scopes: Vec::new() });
    Router::new()
        .route("/api/v1/auth/login", post(async || "in").get(async || "form"))
        .route("/api/v1/open", get(async || "open"))
        .route("/api/v1/mine", get(async move || admit(&user).map(|()| "mine")))
        .route("/api/v1/telemetry", get(async move || admit(&device).map(|()| "mine")))
        .route("/api/v1/report", get(async move || admit(&service).map(|()| "mine")))
        .route("/api/v1/raw", post(async |body: axum::body::Bytes| body.len().to_string()))
        .route("/api/v1/json", post(async |Json(_): Json<serde_json::Value>| "read"))
        .route("/api/v1/slow", get(async || tokio::time::sleep(Duration::from_secs(60)).await))
        .route("/health", get(async || "well"))
}

async fn statuses(stand: &Stand, path: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(stand.get(path).send().await.unwrap().status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn attempts_to_sign_in_are_limited_and_the_answer_says_how_long() {
    let stand = Stand::with(routes(), |config| config.http.rate_limits.sign_in_per_minute = 2).await;
    for remaining in ["1", "0"] {
        let response = stand.post("/api/auth/login").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-ratelimit-remaining"]),
            (200, &remaining.parse().unwrap())
        );
        assert_eq!(response.headers()["x-ratelimit-limit"], "2");
    }
    let response = stand.post("/api/auth/login").header("x-forwarded-for", "9.9.9.9").send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(response.headers().contains_key("x-ratelimit-reset"));
    assert_eq!(response.json::<Problem>().await.unwrap().code, "rate_limited");
    assert_eq!(statuses(&stand, "/api/v1/auth/login", 3).await, [200; 3], "the form itself is another class");
}

#[tokio::test]
async fn user_device_and_service_have_limits_of_their_own() {
    let stand = Stand::with(routes(), |config| {
        config.http.rate_limits.user_per_minute = 3;
        config.http.rate_limits.device_per_minute = 2;
        config.http.rate_limits.service_per_minute = 1;
    })
    .await;
    assert_eq!(statuses(&stand, "/api/v1/mine", 4).await, [200, 200, 200, 429]);
    assert_eq!(statuses(&stand, "/api/v1/telemetry", 3).await, [200, 200, 429]);
    assert_eq!(statuses(&stand, "/api/v1/report", 2).await, [200, 429]);
    let refused = stand.get("/api/v1/mine").send().await.unwrap();
    assert_eq!(refused.headers()["x-ratelimit-limit"], "3", "the limit that refuses");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(statuses(&stand, "/api/v1/open", 5).await, [200; 5]);
}

#[tokio::test]
async fn address_is_limited_whatever_credentials_it_makes_up_and_health_never_is() {
    let stand = Stand::with(routes(), |config| config.http.rate_limits.address_per_minute = 3).await;
    for attempt in 0..5 {
        let response = stand.get("/api/v1/open").bearer_auth(format!("made-up-{attempt}")).send().await.unwrap();
        assert_eq!(response.status(), if attempt < 3 { 200 } else { 429 });
    }
    assert_eq!(statuses(&stand, "/health", 10).await, [200; 10]);
    let stand = Stand::with(routes(), |config| {
        config.http.rate_limits.address_per_minute = 1;
        config.http.rate_limits.enabled = false;
    })
    .await;
    assert_eq!(statuses(&stand, "/api/v1/open", 5).await, [200; 5]);
}

#[tokio::test]
async fn large_body_is_refused_by_its_length_or_while_it_comes() {
    let stand = Stand::with(routes(), |config| config.http.body_limit_bytes = 2_000).await;
    let refused = async |response: reqwest::Response| {
        assert_eq!(response.status(), 413);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.json::<Problem>().await.unwrap().code, "body_too_large");
    };
    assert_eq!(stand.post("/api/v1/raw").body("x".repeat(2_000)).send().await.unwrap().text().await.unwrap(), "2000");
    refused(stand.post("/api/v1/raw").body("x".repeat(2_001)).send().await.unwrap()).await;
    let chunks = || futures::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    refused(stand.post("/api/v1/raw").body(reqwest::Body::wrap_stream(chunks())).send().await.unwrap()).await;
    let json = stand.post("/api/v1/json").header("content-type", "application/json");
    refused(json.body(reqwest::Body::wrap_stream(chunks())).send().await.unwrap()).await;
}

#[tokio::test]
async fn request_that_takes_too_long_is_answered() {
    let stand = Stand::with(routes(), |config| config.http.timeout_ms = 200).await;
    let response = stand.get("/api/v1/slow").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.json::<Problem>().await.unwrap().code, "timed_out");
}
