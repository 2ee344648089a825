//! What an operator sees of the requests: one log line each, and metrics by route.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tracing::Instrument;

use super::scope::{ClientAddress, Scope};
use crate::error::Error;

/// The program's metrics, for Prometheus.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    token: Option<SecretString>,
}

/// Seconds; from a cached read to a slow report.
const LATENCY_BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// A process has one recorder; tests start several servers in one.
static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

impl Metrics {
    /// Collects all metrics of the process, from the first call on.
    ///
    /// # Errors
    /// When the bucket limits are malformed, which a test would show.
    pub fn install(token: Option<SecretString>) -> Result<Self, Error> {
        if let Some(handle) = HANDLE.get() {
            return Ok(Self { handle: handle.clone(), token });
        }
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)
            .map_err(Error::internal)?
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_ok() {
            describe();
            let _ = HANDLE.set(handle.clone());
        }
        Ok(Self { handle: HANDLE.get().cloned().unwrap_or(handle), token })
    }

    /// Keeps histograms small; to be called every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn may_read(&self, address: Option<IpAddr>, headers: &HeaderMap) -> bool {
        match &self.token {
            None => address.is_some_and(|address| address.is_loopback()),
            Some(token) => headers
                .get(header::AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.strip_prefix("Bearer "))
                .is_some_and(|given| bool::from(given.as_bytes().ct_eq(token.expose_secret().as_bytes()))),
        }
    }

    /// `GET /metrics`: for this machine, or with the configured token. A reverse proxy on this machine that is not in
    /// `trusted_proxies` looks like this machine: keep `/metrics` out of what it passes on.
    pub async fn serve(Extension(metrics): Extension<Self>, request: Request) -> Response {
        let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
        // A forwarded request is never this machine's own.
        let own = address.filter(|_| metrics.token.is_some() || !request.headers().contains_key("x-forwarded-for"));
        if !metrics.may_read(own, request.headers()) {
            return Error::forbidden("metrics_forbidden", "Metrics are for this machine, or with http.metrics_token.")
                .into_response();
        }
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.handle.render()).into_response()
    }
}

fn describe() {
    use metrics::Unit::{Count, Seconds};
    metrics::describe_counter!("portico_http_requests_total", Count, "Requests answered, by method, route and status");
    metrics::describe_histogram!(
        "portico_http_request_duration_seconds",
        Seconds,
        "Time until an answer begins, by route"
    );
    metrics::describe_counter!(
        "portico_http_rate_limited_total",
        Count,
        "Requests refused because there were too many"
    );
    metrics::describe_gauge!("portico_live_connections", Count, "Open live connections (websockets)");
    metrics::describe_counter!("portico_live_deliveries_total", Count, "Events handed to live connections");
    metrics::describe_counter!(
        "portico_live_dropped_total",
        Count,
        "Telemetry events left out for slow live connections"
    );
    metrics::describe_counter!(
        "portico_live_resyncs_total",
        Count,
        "Topics that a slow live connection must fetch anew"
    );
    metrics::describe_counter!("portico_relay_dropped_total", Count, "Events that the other servers could not be told");
    begin_at_zero();
}

/// What has not happened yet is 0, not absent: a dashboard shows it, and the first time is seen as a rise.
fn begin_at_zero() {
    for name in [
        "portico_http_rate_limited_total",
        "portico_http_connections_refused_total",
        "portico_live_deliveries_total",
        "portico_live_dropped_total",
        "portico_live_resyncs_total",
        "portico_relay_dropped_total",
        "portico_mqtt_connections_refused_total",
        "portico_outbox_expired_total",
        "portico_ingest_points_total",
        "portico_ingest_duplicates_total",
        "portico_ingest_batches_total",
        "portico_ingest_retries_total",
        "portico_unknown_device_messages_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    for name in ["portico_live_connections", "portico_mqtt_connections"] {
        metrics::gauge!(name).set(0.0);
    }
}

/// One line and one measurement per request. By route, never by path or query: those can hold what is nobody's business,
/// and a stranger could make up any number of them.
pub(super) async fn watch(Extension(scope): Extension<Scope>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        // Pages have a router of their own behind the fallback.
        None if request.uri().path().starts_with("/api") => "unmatched".to_owned(),
        None => "page".to_owned(),
    };
    let method = method_name(request.method().as_str());
    let start = Instant::now();
    let span = tracing::info_span!("request", id = scope.request_id(), method, route);
    async move {
        let response = next.run(request).await;
        let elapsed = start.elapsed();
        let status = response.status().as_u16();
        let (address, actor) = (scope.address(), scope.actor().unwrap_or("-"));
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if is_quiet(&route) {
            tracing::debug!(status, ms, %address, actor, "answered");
        } else {
            tracing::info!(status, ms, %address, actor, "answered");
        }
        let status = status.to_string();
        metrics::counter!("portico_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
            .increment(1);
        metrics::histogram!("portico_http_request_duration_seconds", "route" => route).record(elapsed.as_secs_f64());
        response
    }
    .instrument(span)
    .await
}

/// What machines ask all day.
fn is_quiet(route: &str) -> bool {
    route.starts_with("/health") || route == "/metrics" || route.starts_with("/pkg") || route.starts_with("/assets")
}

/// A stranger's own methods count as one.
fn method_name(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}
