//! `/health`: the program runs. `/health/ready`: it can do its work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::BoxFuture;
use crate::clock::Clock;

/// One part that must work: its name and how to try it.
pub struct Probe {
    pub name: &'static str,
    pub check: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// Both routes.
pub struct Health {
    clock: Clock,
    probes: Vec<Probe>,
}

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

impl Health {
    #[must_use]
    pub const fn new(clock: Clock, probes: Vec<Probe>) -> Self {
        Self { clock, probes }
    }

    pub fn router(self) -> Router {
        Router::new().route("/health", get(alive)).route("/health/ready", get(ready)).with_state(Arc::new(self))
    }
}

/// The fields of the three systems that had this path (decisions, 1).
async fn alive(State(health): State<Arc<Health>>) -> Response {
    let now = health.clock.now();
    Json(json!({
        "status": "healthy",
        "message": "IoT Connectivity Layer is running",
        "version": env!("CARGO_PKG_VERSION"),
        "success": true,
        "timestamp": now,
        "service": "portico",
        "ok": true,
        "time": now,
    }))
    .into_response()
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let results = futures::future::join_all(health.probes.iter().map(|probe| async {
        let result = tokio::time::timeout(PROBE_TIMEOUT, (probe.check)()).await;
        (probe.name, result.unwrap_or_else(|_| Err("no answer in time".to_owned())))
    }))
    .await;
    let sound = results.iter().all(|(_, result)| result.is_ok());
    let checks: Map<String, Value> = results
        .into_iter()
        .map(|(name, result)| {
            let text = result.err();
            (name.to_owned(), json!({ "healthy": text.is_none(), "detail": text.unwrap_or_else(|| "ok".to_owned()) }))
        })
        .collect();
    let status = if sound { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": sound, "checks": checks }))).into_response()
}
