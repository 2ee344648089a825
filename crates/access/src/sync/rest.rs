//! REST of readers that work without network.

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portico_devices::rest::{ActiveDevice, CallingDevice};
use portico_identity::Auth;
use portico_model::access::sync::ReaderSync;
use portico_model::{Problem, Timestamp};
use portico_platform::http::{Json, Query};
use portico_platform::secrets::hex;
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Content;
use super::events::{OfflineEvents, Taken};
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(sync))
        .routes(routes!(offline_events))
        .routes(routes!(readers))
        .routes(routes!(lookup_key))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SyncQuery {
    /// The version that the reader has; absent or 0: nothing.
    #[param(minimum = 0, example = 41)]
    since: i64,
}

/// What a reader is to know.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "version": 42, "issued_at": "2026-11-21T02:00:00.000+00:00", "expires_at": "2026-11-22T02:00:00.000+00:00",
    "since": 41, "table": null, "head": "UE9SVFNZTjEAAAAAAAAAKg==", "changes": "AY8sPU5fYHGCk6S1xtfo+QE=",
    "signature": "8f2c3d4e5f60718293a4b5c6d7e8f9018f2c3d4e5f60718293a4b5c6d7e8f901", "key_id": "1f2e3d4c",
    "lookup_key": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "next_seq": 18
}))]
pub struct SyncAnswer {
    version: i64,
    issued_at: Timestamp,
    /// From then on the reader decides nothing by it.
    expires_at: Timestamp,
    /// What `changes` are changes of; absent when the whole `table` is here.
    since: Option<i64>,
    /// The whole table, base64; `docs/firmware.md` has the layout.
    table: Option<String>,
    /// The new table without its entries, base64.
    head: Option<String>,
    /// What became of the entries, base64.
    changes: Option<String>,
    /// HMAC-SHA-256 of the whole new table under the device's signing key, in hexadecimal.
    signature: String,
    /// Which signing key.
    key_id: String,
    /// With this the reader hashes what it is shown, in hexadecimal.
    lookup_key: String,
    /// The number for the reader's next event, should it have forgotten.
    next_seq: i64,
}

/// What a reader decides by while it has no network
///
/// Who may come through its door, as a table: all of it, or what has changed since the version the reader has. The signature
/// is over the whole table either way; one that does not fit means that the reader asks again for all (`since=0`).
#[utoipa::path(get, path = "/api/v1/access/sync", tag = "access", security(("api_key" = [])), params(SyncQuery), responses(
    (status = 200, body = SyncAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "It is the reader of no door"),
    (status = 409, body = Problem, description = "More policies than a reader can hold"),
    (status = 429, body = Problem),
))]
pub async fn sync(
    State(access): State<Access>,
    ActiveDevice(device): ActiveDevice,
    Query(query): Query<SyncQuery>,
) -> Result<Json<SyncAnswer>> {
    if query.since < 0 {
        return Err(Error::field("since", "a number from 0"));
    }
    let told = access.sync_reader(&device, query.since).await?;
    let (since, table, head, changes) = match told.content {
        Content::Full(table) => (None, Some(STANDARD.encode(table)), None, None),
        Content::Changes { since, head, changes } => {
            (Some(since), None, Some(STANDARD.encode(head)), Some(STANDARD.encode(changes)))
        }
    };
    Ok(Json(SyncAnswer {
        version: told.version,
        issued_at: told.issued_at,
        expires_at: told.expires_at,
        since,
        table,
        head,
        changes,
        signature: hex(&told.signature),
        key_id: told.key_id,
        lookup_key: hex(&told.lookup_key),
        next_seq: told.next_seq,
    }))
}

/// What a reader decided without network
///
/// Each event has the reader's own number. What comes twice is stored once; the reader keeps what is beyond `acked_seq` and
/// sends it again.
#[utoipa::path(post, path = "/api/v1/access/offline-events", tag = "access", security(("api_key" = [])),
    request_body = OfflineEvents, responses(
    (status = 200, body = Taken),
    (status = 400, body = Problem, description = "An event is wrong: none was taken"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn offline_events(
    State(access): State<Access>,
    caller: CallingDevice,
    Json(body): Json<OfflineEvents>,
) -> Result<Json<Taken>> {
    Ok(Json(access.take_offline_events(&caller.device, body, &caller.actor.address).await?))
}

/// Readers and what they know.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Readers {
    items: Vec<ReaderSync>,
}

/// Which readers could decide without network
#[utoipa::path(get, path = "/api/v1/access/readers", tag = "access", responses(
    (status = 200, body = Readers),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn readers(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Readers>> {
    Ok(Json(Readers { items: access.readers(&actor).await? }))
}

/// With what a device hashes what it is shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"lookup_key": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}))]
pub struct LookupKey {
    /// 32 bytes, in hexadecimal.
    lookup_key: String,
}

/// The device's own key for lookups
///
/// For a lock with a keypad, which is told of codes by their lookups; a reader finds it in `/api/v1/access/sync`, too.
#[utoipa::path(get, path = "/api/v1/access/lookup-key", tag = "access", security(("api_key" = [])), responses(
    (status = 200, body = LookupKey),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn lookup_key(State(access): State<Access>, ActiveDevice(device): ActiveDevice) -> Json<LookupKey> {
    Json(LookupKey { lookup_key: hex(&access.lookup_key_of(&device)) })
}
