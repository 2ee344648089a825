use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use portico_model::identity::ServiceKey;
use portico_model::{Problem, ServiceKeyId};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::{Deserialize, Serialize};

use crate::service::service_keys::not_found;
use crate::{Auth, Identity, NewServiceKey, ServiceKeyChange};

/// An answer with a secret in it is kept by no cache.
type Secret<T> = (StatusCode, [(HeaderName, HeaderValue); 1], Json<T>);

const NO_STORE: [(HeaderName, HeaderValue); 1] = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

fn parse_id(text: &str) -> Result<ServiceKeyId> {
    text.parse().map_err(|_| not_found())
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Those revoked in the last 90 days too.
    include_revoked: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({ "status": "success", "service_keys": [{
    "id": "0193a0000000700080000000000000ab", "name": "Building reports", "scopes": ["read_all_devices"], "hint": "x7Qd",
    "created_by": "user:ada", "created_at": "2026-11-21T02:00:00.000+00:00", "expires_at": null, "last_used_at": null,
    "old_key_until": null, "revoked_at": null }] }))]
pub struct ServiceKeys {
    status: &'static str,
    service_keys: Vec<ServiceKey>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({ "status": "success", "service_key": {
    "id": "0193a0000000700080000000000000ab", "name": "Building reports", "scopes": ["read_all_devices"], "hint": "x7Qd",
    "created_by": "user:ada", "created_at": "2026-11-21T02:00:00.000+00:00", "expires_at": null, "last_used_at": null,
    "old_key_until": null, "revoked_at": null } }))]
pub struct ServiceKeyDone {
    status: &'static str,
    service_key: ServiceKey,
}

impl ServiceKeyDone {
    const fn new(service_key: ServiceKey) -> Self {
        Self { status: "success", service_key }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({ "status": "success", "service_key": {
    "id": "0193a0000000700080000000000000ab", "name": "Building reports", "scopes": ["read_all_devices"], "hint": "x7Qd",
    "created_by": "user:ada", "created_at": "2026-11-21T02:00:00.000+00:00", "expires_at": null, "last_used_at": null,
    "old_key_until": null, "revoked_at": null }, "api_key": "svc_…" }))]
pub struct NewKey {
    status: &'static str,
    service_key: ServiceKey,
    /// The key, for the `X-API-Key` header; shown this once.
    api_key: String,
}

/// Keys of services
///
/// Programs that act for the organisation with `X-API-Key`, each within its scopes.
#[utoipa::path(get, path = "/api/v1/service-keys", tag = "service keys", params(ListQuery), responses(
    (status = 200, body = ServiceKeys),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<ServiceKeys>> {
    let service_keys = identity.service_keys(&actor, query.include_revoked).await?;
    Ok(Json(ServiceKeys { status: "success", service_keys }))
}

/// Create a key
///
/// The key is in the answer and nowhere else. Nobody can give a scope that he does not have himself.
#[utoipa::path(post, path = "/api/v1/service-keys", tag = "service keys", request_body = NewServiceKey, responses(
    (status = 201, body = NewKey),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "Another key has this name, or there are too many"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn create(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<NewServiceKey>,
) -> Result<Secret<NewKey>> {
    let (service_key, api_key) = identity.create_service_key(&actor, body).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(NewKey { status: "success", service_key, api_key })))
}

/// A key
#[utoipa::path(get, path = "/api/v1/service-keys/{id}", tag = "service keys", params(("id" = ServiceKeyId, Path)),
    responses(
    (status = 200, body = ServiceKeyDone),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn read(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<ServiceKeyDone>> {
    Ok(Json(ServiceKeyDone::new(identity.service_key(&actor, parse_id(&id)?).await?)))
}

/// Change a key's name, scopes or expiry
///
/// With other scopes its live connections end; the service comes back with the new ones.
#[utoipa::path(patch, path = "/api/v1/service-keys/{id}", tag = "service keys", params(("id" = ServiceKeyId, Path)),
    request_body = ServiceKeyChange, responses(
    (status = 200, body = ServiceKeyDone),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn update(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<ServiceKeyChange>,
) -> Result<Json<ServiceKeyDone>> {
    Ok(Json(ServiceKeyDone::new(identity.update_service_key(&actor, parse_id(&id)?, body).await?)))
}

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({ "overlap_s": 3600 }))]
pub struct Rotation {
    /// How long the old key is still taken, seconds, 0 to 2,592,000; absent: as configured
    /// (`identity.service_key_overlap_s`).
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_s: Option<i64>,
}

/// Rotate a key
///
/// The new key is in the answer and nowhere else; the old one is taken for the overlap.
#[utoipa::path(post, path = "/api/v1/service-keys/{id}/rotate", tag = "service keys",
    params(("id" = ServiceKeyId, Path)), request_body = Option<Rotation>, responses(
    (status = 200, body = NewKey),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "It was revoked"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn rotate(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    body: Option<Json<Rotation>>,
) -> Result<Secret<NewKey>> {
    let overlap_s = body.and_then(|Json(body)| body.overlap_s);
    let (service_key, api_key) = identity.rotate_service_key(&actor, parse_id(&id)?, overlap_s).await?;
    Ok((StatusCode::OK, NO_STORE, Json(NewKey { status: "success", service_key, api_key })))
}

/// Revoke a key
///
/// At once and for good; the service's live connections end too.
#[utoipa::path(delete, path = "/api/v1/service-keys/{id}", tag = "service keys", params(("id" = ServiceKeyId, Path)),
    responses(
    (status = 200, body = ServiceKeyDone),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "It was revoked before"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn revoke(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<ServiceKeyDone>> {
    Ok(Json(ServiceKeyDone::new(identity.revoke_service_key(&actor, parse_id(&id)?).await?)))
}
