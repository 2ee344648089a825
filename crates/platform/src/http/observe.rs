//! What an operator sees of the requests: one log line each, and metrics by route.

use std::net::IpAddr;
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

use super::{ClientAddress, RequestId};
use crate::error::Error;

/// The program's metrics, for Prometheus.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    token: Option<SecretString>,
}

/// Seconds; from a cached read to a slow report.
const LATENCY_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

impl Metrics {
    /// Collects all metrics of the process. In one process only the first collects; tests start several servers.
    ///
    /// # Errors
    /// When the bucket limits are malformed, which a test would show.
    pub fn install(token: Option<SecretString>) -> Result<Self, Error> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)
            .map_err(Error::internal)?
            .build_recorder();
        let handle = recorder.handle();
        let _ = metrics::set_global_recorder(recorder);
        Ok(Self { handle, token })
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

    /// `GET /metrics`: for this machine, or with the configured token.
    pub async fn serve(Extension(metrics): Extension<Self>, request: Request) -> Response {
        let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
        if !metrics.may_read(address, request.headers()) {
            return Error::forbidden("metrics_forbidden", "Metrics are for this machine, or with http.metrics_token.")
                .into_response();
        }
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.handle.render()).into_response()
    }
}

pub(super) async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "page".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().as_str().to_owned();
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("portico_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("portico_http_request_duration_seconds", "route" => route).record(start.elapsed().as_secs_f64());
    response
}

/// Never the query: it can hold what is nobody's business.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let address = request.extensions().get::<ClientAddress>().map(|address| address.0.to_string()).unwrap_or_default();
    let span = tracing::info_span!(
        "request", id, address, method = %request.method(), path = request.uri().path()
    );
    let start = Instant::now();
    async move {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if status >= 500 {
            tracing::warn!(status, ms, "answered");
        } else {
            tracing::debug!(status, ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}
