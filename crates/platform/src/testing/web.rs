//! The other side of pushes and webhooks, for tests: really decrypts, really checks signatures.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;
use web_push_native::p256::{PublicKey, SecretKey};

use crate::config::Config;

/// A push as the browser's service worker would get it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaughtPush {
    /// Decrypted.
    pub payload: String,
    pub urgency: String,
    pub ttl_s: u64,
    /// The claims of a VAPID proof whose signature is right.
    pub claims: Value,
    /// The key that it was signed with, base64url.
    pub key: String,
}

/// What a browser hands over when it is subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub endpoint: String,
    pub p256dh: String,
    pub auth: String,
}

/// A push service and the browsers behind it. What it cannot decrypt or prove, it answers with 400 or 401.
pub struct PushService {
    url: String,
    state: Arc<PushState>,
    caught: AsyncMutex<mpsc::UnboundedReceiver<CaughtPush>>,
    serving: JoinHandle<()>,
}

struct PushState {
    browsers: Mutex<HashMap<String, (SecretKey, [u8; 16])>>,
    answer: AtomicU16,
    caught: mpsc::UnboundedSender<CaughtPush>,
}

impl PushService {
    /// # Panics
    /// When no port is to be had.
    pub async fn start() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let state = Arc::new(PushState { browsers: Mutex::default(), answer: AtomicU16::new(201), caught: sender });
        let router = Router::new().route("/push/{id}", post(take_push)).with_state(Arc::clone(&state));
        let (url, serving) = serve(router).await;
        Self { url, state, caught: AsyncMutex::new(receiver), serving }
    }

    /// Lets a platform send to this machine.
    pub fn configure(config: &mut Config) {
        config.webhooks.allow_private_addresses = true;
        config.webhooks.timeout_ms = 5_000;
    }

    /// A new browser.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let (mut id, mut auth, mut secret) = ([0_u8; 12], [0_u8; 16], [0_u8; 32]);
        for bytes in [&mut id[..], &mut auth[..], &mut secret[..]] {
            rand::rng().fill_bytes(bytes);
        }
        let id = URL_SAFE_NO_PAD.encode(id);
        let secret = SecretKey::from_slice(&secret).unwrap();
        let p256dh = URL_SAFE_NO_PAD.encode(secret.public_key().to_encoded_point(false).as_bytes());
        self.state.browsers.lock().unwrap().insert(id.clone(), (secret, auth));
        Subscription { endpoint: format!("{}/push/{id}", self.url), p256dh, auth: URL_SAFE_NO_PAD.encode(auth) }
    }

    /// From now on every push is answered with this status; 201 takes them again.
    pub fn answer(&self, status: u16) {
        self.state.answer.store(status, Ordering::SeqCst);
    }

    /// Waits for the next push.
    ///
    /// # Panics
    /// When none comes within ten seconds.
    pub async fn next(&self) -> CaughtPush {
        next(&self.caught).await
    }

    /// Whether nothing has come that was not asked for.
    pub async fn is_empty(&self) -> bool {
        self.caught.lock().await.is_empty()
    }
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take_push(
    State(state): State<Arc<PushState>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let status = StatusCode::from_u16(state.answer.load(Ordering::SeqCst)).unwrap();
    if !status.is_success() {
        return status.into_response();
    }
    let Some((secret, auth)) = state.browsers.lock().unwrap().get(&id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if text("content-encoding") != "aes128gcm" || text("content-length").parse::<usize>().is_ok_and(|n| n > 4096) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let Some((claims, key)) = verify_vapid(&text("authorization")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(plain) = web_push_native::decrypt(body.to_vec(), &secret, &auth.into()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let push = CaughtPush {
        payload: String::from_utf8(plain).unwrap(),
        urgency: text("urgency"),
        ttl_s: text("ttl").parse().unwrap(),
        claims,
        key,
    };
    let _ = state.caught.send(push);
    status.into_response()
}

/// RFC 8292, section 3: `vapid t=<JWT>, k=<key>`.
fn verify_vapid(authorization: &str) -> Option<(Value, String)> {
    let (token, key) = authorization.strip_prefix("vapid t=")?.split_once(", k=")?;
    let point = PublicKey::from_sec1_bytes(&URL_SAFE_NO_PAD.decode(key).ok()?).ok()?.to_encoded_point(false);
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (coordinate(point.x()?), coordinate(point.y()?));
    let decoding = jsonwebtoken::DecodingKey::from_ec_components(&x, &y).ok()?;
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    // The test's clock is not the machine's; the claims are judged by the test.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Value>(token, &decoding, &validation).ok()?;
    Some((decoded.claims, key.to_owned()))
}

/// A request to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct CaughtWebhook {
    pub path: String,
    pub event: String,
    /// The same for every attempt of one message.
    pub delivery: String,
    pub signature: String,
    pub body: String,
}

impl CaughtWebhook {
    /// The body.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether one of its signatures was made with this secret, checked as the documentation tells receivers to.
    ///
    /// # Panics
    /// When the header is malformed.
    #[must_use]
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let (time, signatures) = self.signature.split_once(',').unwrap();
        let seconds = time.strip_prefix("t=").unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let expected = ring::hmac::sign(&key, format!("{seconds}.{}", self.body).as_bytes());
        let expected = crate::secrets::hex(expected.as_ref());
        signatures.split(',').any(|part| part.strip_prefix("v1=") == Some(expected.as_str()))
    }
}

/// Another system with an address for webhooks.
pub struct WebhookReceiver {
    url: String,
    state: Arc<WebhookState>,
    caught: AsyncMutex<mpsc::UnboundedReceiver<CaughtWebhook>>,
    serving: JoinHandle<()>,
}

struct WebhookState {
    answer: AtomicU16,
    caught: mpsc::UnboundedSender<CaughtWebhook>,
}

impl WebhookReceiver {
    /// # Panics
    /// When no port is to be had.
    pub async fn start() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let state = Arc::new(WebhookState { answer: AtomicU16::new(204), caught: sender });
        let router = Router::new().fallback(take_webhook).with_state(Arc::clone(&state));
        let (url, serving) = serve(router).await;
        Self { url, state, caught: AsyncMutex::new(receiver), serving }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on everything is noted and answered with this status; a redirect leads to `/elsewhere`.
    pub fn answer(&self, status: u16) {
        self.state.answer.store(status, Ordering::SeqCst);
    }

    /// Waits for the next request.
    ///
    /// # Panics
    /// When none comes within ten seconds.
    pub async fn next(&self) -> CaughtWebhook {
        next(&self.caught).await
    }

    /// Whether nothing has come that was not asked for.
    pub async fn is_empty(&self) -> bool {
        self.caught.lock().await.is_empty()
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take_webhook(State(state): State<Arc<WebhookState>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let request = CaughtWebhook {
        path: uri.path().to_owned(),
        event: text("portico-event"),
        delivery: text("portico-delivery"),
        signature: text("portico-signature"),
        body,
    };
    let _ = state.caught.send(request);
    let status = StatusCode::from_u16(state.answer.load(Ordering::SeqCst)).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    status.into_response()
}

async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (url, serving)
}

async fn next<T>(caught: &AsyncMutex<mpsc::UnboundedReceiver<T>>) -> T {
    let mut caught = caught.lock().await;
    tokio::time::timeout(Duration::from_secs(10), caught.recv())
        .await
        .unwrap_or_else(|_| panic!("nothing came within ten seconds"))
        .unwrap()
}
