//! What every request passes through: request id, client address, limits, security headers, compression, metrics; and
//! how the server listens, with TLS when there are certificates.

mod address;
mod extract;
mod headers;
mod health;
pub mod idempotency;
mod observe;
mod rate_limit;
mod request_id;
mod rewrite;
mod serve;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::Response;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

pub use address::ClientAddress;
pub use extract::{Json, Path, Query};
pub use health::{Health, Probe};
pub use observe::Metrics;
pub use rate_limit::{RateLimits, RouteClass};
pub use request_id::{RequestId, current_request_id};
pub use serve::{Listening, Tls, listen};

use crate::Platform;
use crate::error::Error;

/// HTTP: limits, TLS, who may call from elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub body_limit_bytes: usize,
    pub timeout_ms: u64,
    pub shutdown_ms: u64,
    pub trusted_proxies: Vec<IpAddr>,
    pub cors_origins: Vec<String>,
    #[serde(serialize_with = "crate::config::shown_as_set")]
    pub metrics_token: Option<SecretString>,
    pub rate_limits: RateLimitConfig,
}

/// Requests a minute, each with a burst of as many.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitConfig {
    pub enabled: bool,
    pub sign_in_per_minute: u32,
    pub register_per_minute: u32,
    pub address_per_minute: u32,
    pub credential_per_minute: u32,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            tls_cert: None,
            tls_key: None,
            body_limit_bytes: 1024 * 1024,
            timeout_ms: 30_000,
            shutdown_ms: 10_000,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            metrics_token: None,
            rate_limits: RateLimitConfig::default(),
        }
    }
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            sign_in_per_minute: 20,
            register_per_minute: 60,
            address_per_minute: 6_000,
            credential_per_minute: 6_000,
        }
    }
}

/// Puts every layer around the routes. The order matters: what is outside sees each request first and each answer last.
///
/// # Panics
/// Never: the request timeout is turned into an answer.
pub fn wrap(router: Router, platform: &Platform, metrics: Metrics) -> Router {
    let config = &platform.config.http;
    let tls = config.tls_cert.is_some();
    let limits = Arc::new(RateLimits::new(&config.rate_limits));
    let trusted: Arc<[IpAddr]> = config.trusted_proxies.clone().into();
    let not_compressed = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/wasm"))
        .and(NotForContentType::const_new("font/woff2"));
    // The compat rewrite must come before routing, so the routes are the inner service of a router that has none.
    let inner = router
        .method_not_allowed_fallback(async || {
            Error::new(portico_model::ErrorKind::Invalid, "method_not_allowed", "This method is not offered here.")
                .with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(middleware::from_fn(observe::count))
        .layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            let limits = Arc::clone(&limits);
            async move { rate_limit::limit(&limits, request, next).await }
        }))
        .layer(DefaultBodyLimit::max(config.body_limit_bytes))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_millis(config.timeout_ms),
        ))
        .layer(CompressionLayer::new().compress_when(not_compressed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(&config.cors_origins))
        .layer(middleware::from_fn(move |request: Request, next: middleware::Next| headers::secure(tls, request, next)))
        .layer(middleware::from_fn(observe::log))
        .layer(middleware::from_fn(request_id::attach))
        .layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            address::attach(Arc::clone(&trusted), request, next)
        }))
        .layer(axum::Extension(metrics));
    Router::new().fallback_service(tower::ServiceExt::<Request>::map_request(inner, rewrite::compat))
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    use axum::response::IntoResponse;
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    Error::internal("panic").into_response()
}

/// The headers that IoTFlow's clients send and read (contracts, 5.2), for the origins that are allowed.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-user-id"),
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
            header::RETRY_AFTER,
        ])
        .allow_credentials(true)
}

/// The other side of the connection, as the listener saw it.
pub(crate) type Peer = axum::extract::ConnectInfo<SocketAddr>;
