//! The REST API of all domains and its description.

mod describe;
mod examples;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use portico_identity::MaybeAuth;
use portico_platform::http::{Health, Metrics, Probe, idempotency};
use portico_platform::mqtt::MqttClient;
use portico_platform::{Clock, Platform};
use serde_json::Value;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{Domains, status};

/// All routes under `/api/v1`, health, metrics and the documentation.
pub fn router(platform: &Platform, domains: &Domains, mqtt: &MqttClient) -> Router {
    let (api, described) = joined(domains.clone());
    let api = api.layer(from_fn_with_state(platform.clone(), idempotency::replay)).layer(from_fn(name_caller));
    Router::new()
        .merge(api)
        .merge(status::router(platform, domains, health(platform, mqtt)))
        .route("/metrics", axum::routing::get(Metrics::serve))
        .merge(documentation(complete(described)))
}

/// The document, and the page that shows it.
fn documentation(document: Value) -> Router {
    // Folded: hundreds of operations and their types, all drawn at once, would take a slow machine ten seconds.
    let folded =
        Config::default().doc_expansion("none").default_models_expand_depth(-1).filter(true).deep_linking(true);
    let pages: Router =
        SwaggerUi::new("/docs").external_url_unchecked("/api/v1/openapi.json", document).config(folded).into();
    // Swagger UI puts a style sheet of its own into its page; its scripts are files as everywhere.
    const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
                          frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    pages.layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
}

/// Who repeats a request with an `Idempotency-Key` is known by his account: his token may have been renewed since.
async fn name_caller(request: Request, next: Next) -> Response {
    if !request.headers().contains_key("idempotency-key") {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    // Credentials that are refused here are refused, and answered, by the route.
    if let Ok(MaybeAuth(Some(actor))) = MaybeAuth::from_request_parts(&mut parts, &()).await {
        parts.extensions.insert(actor);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The OpenAPI document, as served and published.
#[must_use]
pub fn document(domains: Domains) -> Value {
    complete(joined(domains).1)
}

fn joined(domains: Domains) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .merge(status::api(domains.clone()))
        .merge(portico_identity::rest::router(domains.identity))
        .merge(portico_notifications::rest::router(domains.notifications))
        .merge(portico_alarms::rest::router(domains.alarms))
        .merge(portico_devices::rest::router(domains.devices))
        .merge(portico_access::rest::router(domains.access))
        .merge(portico_parking::rest::router(domains.parking))
        .split_for_parts()
}

fn complete(mut document: OpenApi) -> Value {
    let described = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Portico")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Devices, telemetry and identity. Errors are RFC 9457 problem details."))
                .build(),
        )
        .build();
    document.info = described.info;
    let components = document.components.get_or_insert_with(Default::default);
    let mut scheme = |name: &str, scheme: SecurityScheme| {
        components.security_schemes.insert(name.to_owned(), scheme.into());
    };
    scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
    // Unless a route says otherwise.
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    describe::complete(&mut document);
    document
}

fn health(platform: &Platform, mqtt: &MqttClient) -> Router {
    let (db, client) = (platform.db.clone(), mqtt.clone());
    let probes = vec![
        Probe {
            name: "database",
            check: Box::new(move || {
                let db = db.clone();
                Box::pin(async move { db.ping().await.map_err(|error| error.to_string()) })
            }),
        },
        Probe {
            name: "mqtt",
            check: Box::new(move || {
                let ready = client.is_ready();
                Box::pin(async move { if ready { Ok(()) } else { Err("the broker is away".to_owned()) } })
            }),
        },
    ];
    Health::new(Clock::clone(&platform.clock), probes).router()
}
