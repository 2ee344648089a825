//! REST of offline grants.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::{DeviceId, OfflineGrantId, Problem, Timestamp};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use portico_platform::secrets::hex;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Access;

pub(crate) fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new().routes(routes!(issue, revoke))
}

/// The key with which a browser proves itself.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewOfflineGrant, example = json!({
    "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
}))]
pub struct NewGrant {
    /// Ed25519, 32 bytes in hexadecimal. The secret part never leaves the browser.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    public_key: String,
}

/// Permission to open one lock over Bluetooth, without network.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OfflineGrant)]
pub struct GrantAnswer {
    id: OfflineGrantId,
    lock_id: DeviceId,
    /// 161 bytes in hexadecimal, for the lock; docs/firmware.md says how it checks them.
    #[schema(example = "010199a0000000700080000000000000c1")]
    grant: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// Let this browser open a lock over Bluetooth
///
/// Also when neither it nor the lock has network. Good for 12 hours, for this lock and the key that the browser made; it
/// ends at once when the lock is no longer shared with the caller (the lock hears of it when it has network).
#[utoipa::path(post, path = "/api/v1/locks/{id}/offline-grant", tag = "locks", request_body = NewGrant,
    params(("id" = String, Path, description = "Id or hardware id of the lock")), responses(
    (status = 201, body = GrantAnswer),
    (status = 400, body = Problem, description = "No Ed25519 public key"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Only who may operate the lock; `step_up_required` where it asks for that"),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The lock cannot check it, or ten browsers have one"),
    (status = 429, body = Problem),
))]
pub async fn issue(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewGrant>,
) -> Result<(StatusCode, Json<GrantAnswer>)> {
    let lock = access.resolve_lock(actor.organization, &id).await?;
    let issued = access.issue_offline_grant(&actor, lock, &new.public_key).await?;
    let grant = hex(&issued.bytes);
    let (id, lock_id, issued_at, expires_at) = (issued.id, issued.lock, issued.issued_at, issued.expires_at);
    Ok((StatusCode::CREATED, Json(GrantAnswer { id, lock_id, grant, issued_at, expires_at })))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RevokeQuery {
    /// Also those of everyone else; for who manages the lock.
    everyone: bool,
}

/// Take back what browsers have for a lock
///
/// The caller's own, as after the loss of a phone. The lock is told at once when it has network.
#[utoipa::path(delete, path = "/api/v1/locks/{id}/offline-grant", tag = "locks",
    params(("id" = String, Path, description = "Id or hardware id of the lock"), RevokeQuery), responses(
    (status = 204, description = "Taken back"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn revoke(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<RevokeQuery>,
) -> Result<StatusCode> {
    let lock = access.resolve_lock(actor.organization, &id).await?;
    access.revoke_offline_grants(&actor, lock, query.everyone).await?;
    Ok(StatusCode::NO_CONTENT)
}
