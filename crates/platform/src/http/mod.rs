//! What every request passes through: request id, client address, limits, security headers, compression, metrics; and
//! how the server listens, with TLS when there are certificates.

mod config;
mod connections;
pub mod etag;
mod extract;
mod headers;
mod health;
pub mod idempotency;
mod observe;
mod problems;
mod rate_limit;
mod rewrite;
mod scope;
mod serve;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower::util::option_layer;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use crate::tls::Tls;
pub use config::{HttpConfig, Network, RateLimitConfig};
pub use extract::{Json, Path, Query, Raw};
pub use health::{Health, Probe};
pub use observe::Metrics;
pub use rate_limit::{RateLimits, RouteClass};
pub use scope::{ClientAddress, Scope, admit, current_request_id};
pub use serve::{Listening, listen};
use shared::Share;

use crate::Platform;
use crate::error::Error;

/// Puts every layer around the routes. The order matters: what is outside sees each request first and each answer last.
pub fn wrap(router: Router, platform: &Platform, metrics: Metrics) -> Router {
    let config = Arc::new(platform.config.http.clone());
    let limits = RateLimits::new(&config.rate_limits);
    let (hsts_s, body_limit, timeout) =
        (config.hsts_s, config.body_limit_bytes, Duration::from_millis(config.timeout_ms));
    let by_address = limits.clone();
    let cors = (!config.cors_origins.is_empty()).then(|| cors(&config.cors_origins));
    // From the innermost to the outermost.
    let routes = router
        .layer(Share)
        .layer(from_fn(problems::answer))
        .layer(Share)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(move |request: Request, next: Next| problems::limit_body(body_limit, request, next)))
        .layer(Share)
        .layer(from_fn(move |scope: Extension<Scope>, request: Request, next: Next| {
            rate_limit::limit(by_address.clone(), scope, request, next)
        }))
        .layer(Share)
        .layer(from_fn(move |request: Request, next: Next| problems::in_time(timeout, request, next)))
        .layer(Share)
        .layer(compression())
        .layer(option_layer(cors))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(move |scope: Extension<Scope>, request: Request, next: Next| {
            headers::secure(hsts_s, scope, request, next)
        }))
        .layer(Share)
        .layer(from_fn(observe::watch))
        .layer(Share)
        .layer(from_fn(move |request: Request, next: Next| {
            scope::attach(Arc::clone(&config), limits.clone(), request, next)
        }))
        .layer(Share)
        .layer(Extension(metrics));
    // The rewrite must come before routing, so the routes are the inner service of a router that has none.
    Router::new().fallback_service(tower::ServiceExt::<Request>::map_request(routes, rewrite::compat))
}

/// Texts only, and fast: what the browser loads often lies on the disk compressed already and passes as it is.
fn compression() -> CompressionLayer<impl Predicate + 'static> {
    let worth_it = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/wasm"))
        .and(NotForContentType::const_new("application/zip"))
        .and(NotForContentType::const_new("application/gzip"))
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::const_new("font/"))
        .and(NotForContentType::const_new("audio/"))
        .and(NotForContentType::const_new("video/"));
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it)
}

#[allow(clippy::needless_pass_by_value)] // the form tower-http asks for
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::internal(format!("a request handler panicked: {text}")).into_response()
}

/// The headers that IoTFlow's clients send and read (contracts, 5.2), for the origins that are allowed.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            name("x-api-key"),
            name("x-user-id"),
            name("x-request-id"),
            name("idempotency-key"),
        ])
        .expose_headers([
            name("x-request-id"),
            name("x-ratelimit-limit"),
            name("x-ratelimit-remaining"),
            name("x-ratelimit-reset"),
            header::RETRY_AFTER,
        ])
        .allow_credentials(true)
        .max_age(Duration::from_secs(3600))
}
