//! `Idempotency-Key`: done once, answered as often as asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use portico_model::Problem;
use portico_platform::http::{Json, current_request_id, idempotency};
use portico_platform::on_db;
use portico_platform::testing::{TestPlatform, each_database, eventually};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::stand::Stand;

#[derive(Clone)]
struct Work {
    done: Arc<AtomicU32>,
    gate: watch::Sender<bool>,
    begun: Arc<AtomicU32>,
}

async fn start(test: &TestPlatform) -> (Stand, Work) {
    let work = Work { done: Arc::default(), gate: watch::Sender::new(true), begun: Arc::default() };
    let routes = Router::new()
        .route("/api/v1/things", post(create))
        .layer(from_fn_with_state(test.platform.clone(), idempotency::replay))
        .with_state(work.clone());
    (Stand::on(test.platform.clone(), routes).await, work)
}

async fn create(State(work): State<Work>, Json(input): Json<Value>) -> (StatusCode, Json<Value>) {
    work.begun.fetch_add(1, Ordering::SeqCst);
    work.gate.subscribe().wait_for(|open| *open).await.unwrap();
    assert_ne!(current_request_id(), "", "the request goes along into its own task");
    let number = work.done.fetch_add(1, Ordering::SeqCst) + 1;
    let status = if input["fails"] == true { StatusCode::CONFLICT } else { StatusCode::CREATED };
    (status, Json(json!({"number": number, "api_key": "shown-once"})))
}

fn ask(stand: &Stand, key: &str, caller: &str, body: &Value) -> reqwest::RequestBuilder {
    stand.post("/api/things").header("idempotency-key", key).bearer_auth(caller).json(body)
}

#[tokio::test]
async fn same_key_gets_the_first_answer_and_the_work_is_done_once() {
    each_database(async |test| {
        let (stand, work) = start(&test).await;
        let send = async |key: &str, caller: &str, body: Value| ask(&stand, key, caller, &body).send().await.unwrap();
        let first = send("k1", "ann", json!({"name": "a"})).await;
        assert_eq!((first.status().as_u16(), first.headers().contains_key("idempotent-replayed")), (201, false));
        let first: Value = first.json().await.unwrap();
        let again = send("k1", "ann", json!({"name": "a"})).await;
        assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (201, &"true".parse().unwrap()));
        assert_eq!(again.json::<Value>().await.unwrap(), first);
        assert_eq!(work.done.load(Ordering::SeqCst), 1);

        let other = send("k1", "ann", json!({"name": "b"})).await;
        assert_eq!(other.status(), 409);
        assert_eq!(other.json::<Problem>().await.unwrap().code, "idempotency_key_reused");
        assert_eq!(send("k1", "bob", json!({"name": "a"})).await.status(), 201, "another caller's key is another key");
        assert_eq!(send("k2", "ann", json!({"name": "a"})).await.status(), 201);
        assert_eq!(work.done.load(Ordering::SeqCst), 3);

        let mut tx = test.platform.db.read().await.unwrap();
        let bodies: Vec<(Vec<u8>,)> =
            on_db!(&mut tx, conn => sqlx::query_as("select body from idempotency").fetch_all(conn).await).unwrap();
        assert_eq!(bodies.len(), 3);
        let readable = |body: &[u8]| body.windows(10).any(|part| part == b"shown-once");
        assert!(!bodies.iter().any(|(body,)| readable(body)), "a key that is shown once is not stored in clear");
    })
    .await;
}

#[tokio::test]
async fn failure_frees_the_key_and_age_too() {
    each_database(async |test| {
        let (stand, work) = start(&test).await;
        let body = json!({"fails": true});
        for _ in 0..2 {
            assert_eq!(ask(&stand, "k", "ann", &body).send().await.unwrap().status(), 409);
        }
        assert_eq!(work.done.load(Ordering::SeqCst), 2);
        let good = json!({"fails": false});
        assert_eq!(ask(&stand, "k", "ann", &good).send().await.unwrap().status(), 201);
        test.clock.advance_ms(23 * 3600 * 1000);
        assert!(ask(&stand, "k", "ann", &good).send().await.unwrap().headers().contains_key("idempotent-replayed"));
        test.clock.advance_ms(2 * 3600 * 1000);
        assert!(!ask(&stand, "k", "ann", &good).send().await.unwrap().headers().contains_key("idempotent-replayed"));
    })
    .await;
}

#[tokio::test]
async fn request_under_way_is_not_done_twice_even_when_its_client_hangs_up() {
    each_database(async |test| {
        let (stand, work) = start(&test).await;
        work.gate.send_replace(false);
        let body = json!({"name": "a"});
        let impatient = ask(&stand, "k", "ann", &body).timeout(Duration::from_millis(300)).send();
        let impatient = tokio::spawn(impatient);
        eventually("the first has begun", async || work.begun.load(Ordering::SeqCst) == 1).await;
        let second = ask(&stand, "k", "ann", &body).send().await.unwrap();
        assert_eq!(second.status(), 409);
        assert_eq!(second.json::<Problem>().await.unwrap().code, "request_in_progress");
        assert!(impatient.await.unwrap().is_err());
        work.gate.send_replace(true);
        eventually("the first is kept", async || ask(&stand, "k", "ann", &body).send().await.unwrap().status() == 201)
            .await;
        assert_eq!(work.begun.load(Ordering::SeqCst), 1);
    })
    .await;
}

#[tokio::test]
async fn key_that_a_dead_server_left_is_free_after_a_while() {
    each_database(async |test| {
        let (stand, work) = start(&test).await;
        let body = json!({"name": "a"});
        assert_eq!(ask(&stand, "k", "ann", &body).send().await.unwrap().status(), 201);
        let mut tx = test.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query("update idempotency set status = null, body = null").execute(conn).await.map(drop))
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ask(&stand, "k", "ann", &body).send().await.unwrap().status(), 409);
        test.clock.advance_ms(61_000);
        assert_eq!(ask(&stand, "k", "ann", &body).send().await.unwrap().status(), 201);
        assert_eq!(work.done.load(Ordering::SeqCst), 2);
    })
    .await;
}

#[tokio::test]
async fn odd_key_is_refused_and_without_one_nothing_is_kept() {
    each_database(async |test| {
        let (stand, work) = start(&test).await;
        let body = json!({});
        assert_eq!(ask(&stand, &"x".repeat(201), "ann", &body).send().await.unwrap().status(), 400);
        for _ in 0..2 {
            assert_eq!(stand.post("/api/things").json(&body).send().await.unwrap().status(), 201);
        }
        assert_eq!(work.done.load(Ordering::SeqCst), 2);
    })
    .await;
}
