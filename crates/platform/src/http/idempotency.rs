//! `Idempotency-Key` on POSTs that create: the same key from the same caller gets the first answer again.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use rand::RngCore;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use tracing::Instrument;

use super::scope::Scope;
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::secrets::keyed_hash;
use crate::{Platform, on_db};

static HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Answers are kept for so long.
const KEPT_MS: i64 = 24 * 3600 * 1000;
const MAX_KEY_BYTES: usize = 200;
/// Beyond the longest a request may take.
const GRACE_MS: i64 = 30_000;

type Stored = (Vec<u8>, Option<i32>, Option<Vec<u8>>);

/// Middleware for the API. An answer can hold a secret that is shown once (a device's key), so it is kept encrypted, with
/// a key of its own that is not in the database.
pub async fn replay(State(platform): State<Platform>, request: Request, next: Next) -> Response {
    // An upload is not held in memory; its route refuses the same file a second time.
    if *request.method() != Method::POST
        || !request.headers().contains_key(&HEADER)
        || super::problems::is_upload(&request)
    {
        return next.run(request).await;
    }
    match attempt(&platform, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn attempt(platform: &Platform, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let given = parts.headers.get(&HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    if given.is_empty() || given.len() > MAX_KEY_BYTES {
        return Err(Error::invalid("bad_idempotency_key", "Idempotency-Key: 1 to 200 characters expected"));
    }
    let limit = platform.config.http.body_limit_bytes;
    let body = axum::body::to_bytes(body, limit)
        .await
        .map_err(|_| Error::too_large("body_too_large", "The request body is too large."))?;
    let secret = platform.secrets.derive("idempotency");
    let key = keyed_hash(&secret, &[b"key", &caller(&parts), parts.uri.path().as_bytes(), given]);
    let fingerprint = keyed_hash(&secret, &[b"body", &body]);
    if let Some(first) = claim(platform, &key, &fingerprint).await? {
        return Ok(first);
    }
    // A task of its own: a client that hangs up meanwhile must not leave the key without its answer.
    let platform = platform.clone();
    let work = async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        keep(&platform, &key, response).await
    };
    tokio::spawn(Scope::carry(work).in_current_span()).await.map_err(Error::internal)?
}

/// Who asks: the actor where the server has found him out, else what he presents.
fn caller(parts: &Parts) -> Vec<u8> {
    if let Some(actor) = parts.extensions.get::<Actor>() {
        return format!("{}/{}", actor.organization, actor.id_label()).into_bytes();
    }
    [header::AUTHORIZATION, header::COOKIE, HeaderName::from_static("x-api-key")]
        .iter()
        .filter_map(|name| parts.headers.get(name))
        .flat_map(|value| value.as_bytes().to_vec())
        .collect()
}

/// `None` when this request is the first of its key and must be done now.
async fn claim(platform: &Platform, key: &[u8; 32], fingerprint: &[u8; 32]) -> Result<Option<Response>> {
    let now = platform.clock.now();
    let mut tx = platform.db.begin().await?;
    // One without an answer after so long was cut off by the end of the program: no request takes that long.
    let longest_ms = i64::try_from(platform.config.http.timeout_ms).unwrap_or(i64::MAX).saturating_add(GRACE_MS);
    on_db!(&mut tx, conn => sqlx::query(
        "delete from idempotency where created_at < $1 or (created_at < $2 and status is null)",
    ).bind(now.plus_millis(-KEPT_MS)).bind(now.plus_millis(-longest_ms)).execute(conn).await.map(drop))?;
    let inserted = on_db!(&mut tx, conn => sqlx::query(
        "insert into idempotency (key, created_at, fingerprint) values ($1, $2, $3) on conflict do nothing",
    ).bind(key.to_vec()).bind(now).bind(fingerprint.to_vec()).execute(conn).await.map(|done| done.rows_affected()))?;
    let stored: Stored = on_db!(&mut tx, conn => sqlx::query_as(
        "select fingerprint, status, body from idempotency where key = $1",
    ).bind(key.to_vec()).fetch_one(conn).await)?;
    tx.commit().await?;
    if inserted > 0 {
        return Ok(None);
    }
    match stored {
        (first, ..) if first != fingerprint => {
            Err(Error::conflict("idempotency_key_reused", "This Idempotency-Key was used for another request."))
        }
        (_, Some(status), Some(sealed)) => {
            let body = unseal(platform, key, &sealed)?;
            let status = u16::try_from(status).ok().and_then(|code| StatusCode::from_u16(code).ok());
            let mut response = (status.unwrap_or(StatusCode::OK), body).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
            Ok(Some(response))
        }
        _ => {
            Err(Error::conflict("request_in_progress", "The first request with this Idempotency-Key is not done yet.")
                .retry_after(1))
        }
    }
}

/// Keeps a success; anything else frees the key, so that a corrected request may use it. What was done stays done when
/// the answer cannot be kept.
async fn keep(platform: &Platform, key: &[u8; 32], response: Response) -> Result<Response> {
    let status = response.status();
    let (parts, body) = response.into_parts();
    let body: Bytes = body.collect().await.map_err(Error::internal)?.to_bytes();
    if let Err(error) = store(platform, key, status, &body).await {
        tracing::error!(
            code = error.code(),
            "the answer to a request with an Idempotency-Key could not be kept: {error}"
        );
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn store(platform: &Platform, key: &[u8; 32], status: StatusCode, body: &[u8]) -> Result<()> {
    let mut tx = platform.db.begin().await?;
    if status.is_success() {
        let sealed = seal(platform, key, body)?;
        on_db!(&mut tx, conn => sqlx::query("update idempotency set status = $2, body = $3 where key = $1")
            .bind(key.to_vec()).bind(i32::from(status.as_u16())).bind(sealed).execute(conn).await.map(drop))?;
    } else {
        on_db!(&mut tx, conn => sqlx::query("delete from idempotency where key = $1")
            .bind(key.to_vec()).execute(conn).await.map(drop))?;
    }
    tx.commit().await
}

/// This key encrypts at most two answers of one caller to the same request (the second when the first was cut off and
/// done again), under a random nonce in front of the text.
fn cipher(platform: &Platform, key: &[u8; 32]) -> Result<LessSafeKey> {
    let secret = keyed_hash(&platform.secrets.derive("idempotency"), &[b"answer", key]);
    UnboundKey::new(&CHACHA20_POLY1305, &secret).map(LessSafeKey::new).map_err(|_| Error::internal("bad cipher key"))
}

fn seal(platform: &Platform, key: &[u8; 32], body: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    rand::rng().fill_bytes(&mut nonce);
    let mut text = body.to_vec();
    cipher(platform, key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .map_err(|_| Error::internal("answer cannot be encrypted"))?;
    Ok([nonce.as_slice(), &text].concat())
}

fn unseal(platform: &Platform, key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>> {
    let unreadable = || Error::internal("kept answer cannot be decrypted");
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(unreadable)?;
    let mut text = text.to_vec();
    let body = cipher(platform, key)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text)
        .map_err(|_| unreadable())?;
    Ok(body.to_vec())
}
