//! What every answer carries, and what a failure looks like.

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use portico_model::Problem;
use portico_platform::Clock;
use portico_platform::http::{ClientAddress, Health, Json, Metrics, Path, Probe, Query};
use portico_platform::testing::START;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stand::Stand;

#[derive(Deserialize)]
struct Input {
    count: u8,
}

#[derive(Deserialize)]
struct Filter {
    limit: Option<u8>,
}

fn routes() -> Router {
    let long = "a long and dull text; ".repeat(500);
    let (events, file) = (long.clone(), long.clone());
    Router::new()
        .route(
            "/api/v1/things",
            get(async || Json(json!({"things": []})))
                .post(async |Json(input): Json<Input>| Json(json!({"count": input.count}))),
        )
        .route("/api/v1/find", get(async |Query(filter): Query<Filter>| Json(json!({"limit": filter.limit}))))
        .route("/api/v1/things/{id}", get(async |Path(id): Path<portico_model::DeviceId>| id.to_string()))
        .route("/api/v1/broken", get(async || -> String { panic!("secret detail") }))
        .route(
            "/api/v1/address",
            get(async |axum::Extension(ClientAddress(address)): axum::Extension<ClientAddress>| address.to_string()),
        )
        .route("/api/v1/raw", post(async |body: axum::body::Bytes| body.len().to_string()))
        .route("/long", get(async move || Json(json!(long))))
        .route("/events", get(async move || ([("content-type", "text/event-stream")], events)))
        .route("/file", get(async move || ([("content-type", "application/octet-stream")], file)))
        .route("/page", get(async || Html("<p>hello</p>")))
        .route("/own", get(async || ([("content-security-policy", "default-src 'nonce-1'")], Html("<p>hello</p>"))))
        .route("/framed", get(async || ([("content-security-policy", "frame-ancestors *")], Html("<p>hello</p>"))))
        .route("/metrics", get(Metrics::serve))
        .fallback(async || (axum::http::StatusCode::NOT_FOUND, Html("<p>no such page</p>")))
}

async fn problem(response: reqwest::Response) -> Problem {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let problem: Problem = response.json().await.unwrap();
    assert_eq!((problem.status, &problem.request_id, &problem.error), (status, &id, &problem.detail));
    problem
}

#[tokio::test]
async fn request_id_is_taken_over_or_made_and_errors_name_it() {
    let stand = Stand::start(routes()).await;
    let response = stand.get("/api/v1/things").header("x-request-id", "given-1").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "given-1");
    let response = stand.get("/api/v1/things").header("x-request-id", "<script>").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"].len(), 32);
    problem(stand.get("/api/v1/nothing").header("x-request-id", "given-2").send().await.unwrap()).await;
}

#[tokio::test]
async fn path_without_version_is_the_same() {
    let stand = Stand::start(routes()).await;
    for path in ["/api/v1/find?limit=7", "/api/find?limit=7"] {
        let found: Value = stand.get(path).send().await.unwrap().json().await.unwrap();
        assert_eq!(found, json!({"limit": 7}), "{path}");
    }
}

#[tokio::test]
async fn unknown_route_of_the_api_is_a_problem_and_an_unknown_page_is_a_page() {
    let stand = Stand::start(routes()).await;
    for path in ["/api/nothing", "/api/v1/nothing", "/api/v1", "/api"] {
        let response = stand.get(path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(problem(response).await.code, "unknown_route");
    }
    let page = stand.get("/nothing").send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.text().await.unwrap().as_str()), (404, "<p>no such page</p>"));
    let response = stand.client.delete(stand.url("/api/v1/things")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"GET,HEAD,POST".parse().unwrap()));
    assert_eq!(problem(response).await.code, "method_not_allowed");
}

#[tokio::test]
async fn wrong_input_is_400_and_names_the_field() {
    let stand = Stand::start(routes()).await;
    let send = async |body: &str| {
        let request = stand.post("/api/v1/things").header("content-type", "application/json").body(body.to_owned());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        problem(response).await
    };
    assert_eq!(send("{}").await.errors[0].field, "count");
    assert_eq!(send(r#"{"count": "x"}"#).await.errors[0].field, "count");
    assert_eq!(send(r#"{"count": 1"#).await.code, "invalid_json");
    let response = stand.post("/api/v1/things").body(r#"{"count": 1}"#).send().await.unwrap();
    assert_eq!(problem(response).await.code, "invalid_content_type");
    let response = stand.get("/api/v1/find?limit=many").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(problem(response).await.errors[0].field, "limit");
    let response = stand.get("/api/v1/things/odd").send().await.unwrap();
    assert_eq!(response.status(), 404);
    problem(response).await;
}

#[tokio::test]
async fn panic_is_a_500_without_its_text() {
    let stand = Stand::start(routes()).await;
    let response = stand.get("/api/v1/broken").send().await.unwrap();
    assert_eq!(response.status(), 500);
    let problem = problem(response).await;
    assert!(!serde_json::to_string(&problem).unwrap().contains("secret"), "{problem:?}");
    assert_eq!(stand.get("/api/v1/things").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn json_has_exactly_its_type() {
    let stand = Stand::start(routes()).await;
    let response = stand.get("/api/v1/things").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let stand = Stand::start(routes()).await;
    for path in ["/api/v1/things", "/api/v1/nothing", "/page", "/api/v1/broken"] {
        let response = stand.get(path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        for name in ["referrer-policy", "permissions-policy", "cross-origin-opener-policy"] {
            assert!(headers.contains_key(name), "{path} {name}");
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path} {policy}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}: not over plain http");
    }
    let own = stand.get("/own").send().await.unwrap();
    assert_eq!(own.headers()["content-security-policy"], "default-src 'nonce-1'", "a page's own policy stays");
    assert_eq!(own.headers()["x-frame-options"], "DENY");
    let framed = stand.get("/framed").send().await.unwrap();
    assert!(!framed.headers().contains_key("x-frame-options"), "its policy lets every site show it in a frame");
}

#[tokio::test]
async fn trusted_proxy_tells_address_and_scheme_and_nobody_else_does() {
    let trusting =
        Stand::with(routes(), |config| config.http.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let forwarded = |stand: &Stand| {
        let request = stand.get("/api/v1/address").header("x-forwarded-for", "9.9.9.9, 192.0.2.7");
        request.header("x-forwarded-proto", "https").send()
    };
    let response = forwarded(&trusting).await.unwrap();
    assert!(response.headers().contains_key("strict-transport-security"));
    assert_eq!(response.text().await.unwrap(), "192.0.2.7");
    let plain = Stand::start(routes()).await;
    let response = forwarded(&plain).await.unwrap();
    assert!(!response.headers().contains_key("strict-transport-security"));
    assert_eq!(response.text().await.unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn texts_are_compressed_and_streams_and_files_are_not() {
    let stand = Stand::start(routes()).await;
    let encoding = async |path: &str, accepted: &str| {
        let response = stand.get(path).header("accept-encoding", accepted).send().await.unwrap();
        let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        (encoding, response.bytes().await.unwrap().len())
    };
    for name in ["gzip", "br"] {
        let (used, length) = encoding("/long", name).await;
        assert_eq!(used.as_deref(), Some(name));
        assert!(length < 1_000, "{length}");
    }
    assert_eq!(encoding("/long", "identity").await.0, None);
    assert_eq!(encoding("/events", "gzip").await.0, None);
    assert_eq!(encoding("/file", "gzip").await.0, None);
}

#[tokio::test]
async fn only_allowed_origins_may_call_from_elsewhere() {
    let panel = "https://panel.example";
    let stand = Stand::with(routes(), |config| config.http.cors_origins = vec![panel.to_owned()]).await;
    let preflight = async |origin: &str| {
        let request = stand.client.request(reqwest::Method::OPTIONS, stand.url("/api/things"));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type").send().await.unwrap()
    };
    let allowed = preflight(panel).await;
    assert_eq!(allowed.headers()["access-control-allow-origin"], panel);
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    assert!(!preflight("https://evil.example").await.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn health_has_the_fields_of_all_former_systems() {
    let sound = Probe { name: "database", check: Box::new(|| Box::pin(async { Ok(()) })) };
    let broken = Probe { name: "mqtt", check: Box::new(|| Box::pin(async { Err("the broker is away".to_owned()) })) };
    let clock = Clock::manual(START);
    let stand = Stand::start(Health::new(clock.clone(), vec![sound, broken]).router()).await;
    let health: Value = stand.get("/health").send().await.unwrap().json().await.unwrap();
    let expected = json!({
        "status": "healthy", "message": "IoT Connectivity Layer is running", "version": env!("CARGO_PKG_VERSION"),
        "success": true, "timestamp": START, "service": "portico", "ok": true, "time": START,
    });
    assert_eq!(health, expected);
    let response = stand.get("/health/ready").send().await.unwrap();
    assert_eq!(response.status(), 503);
    let ready: Value = response.json().await.unwrap();
    assert_eq!(ready["checks"]["mqtt"], json!({"healthy": false, "detail": "the broker is away"}));
    assert_eq!(ready["checks"]["database"]["healthy"], true);

    let sound = Probe { name: "database", check: Box::new(|| Box::pin(async { Ok(()) })) };
    let stand = Stand::start(Health::new(clock, vec![sound]).router()).await;
    assert_eq!(stand.get("/health/ready").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_count_by_route_and_are_for_this_machine_or_a_token() {
    let stand = Stand::start(routes()).await;
    let id = "0".repeat(32);
    stand.get(&format!("/api/v1/things/{id}?token=hidden")).send().await.unwrap();
    let text = stand.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#"route="/api/v1/things/{id}""#), "{text}");
    assert!(text.contains("portico_http_request_duration_seconds_bucket"), "{text}");
    assert!(!text.contains(&id) && !text.contains("hidden"));
    let forwarded = stand.get("/metrics").header("x-forwarded-for", "9.9.9.9").send().await.unwrap();
    assert_eq!(forwarded.status(), 403);

    let stand = Stand::with(routes(), |config| config.http.metrics_token = Some("metrics-token".into())).await;
    assert_eq!(stand.get("/metrics").send().await.unwrap().status(), 403);
    assert_eq!(stand.get("/metrics").bearer_auth("wrong").send().await.unwrap().status(), 403);
    assert_eq!(stand.get("/metrics").bearer_auth("metrics-token").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn without_allowed_origins_no_answer_speaks_of_them() {
    let stand = Stand::start(routes()).await;
    let response = stand.get("/api/v1/things").header("origin", "https://evil.example").send().await.unwrap();
    assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
}
