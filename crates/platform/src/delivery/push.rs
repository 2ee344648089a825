//! Web push (RFC 8030): encrypted for one browser (RFC 8291), signed so that its push service knows who sends (VAPID,
//! RFC 8292).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico_model::{DeliveryId, Timestamp};
use reqwest::{Client, StatusCode, Url, header};
use serde_json::json;
use web_push_native::p256::ecdsa::signature::Signer;
use web_push_native::p256::ecdsa::{Signature, SigningKey};
use web_push_native::{Auth, p256};

use super::config::WebhooksConfig;
use super::worker::Attempt;
use super::{Push, guard};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::secrets::Secrets;

/// A push service keeps it so long for a browser that is away, seconds.
const KEEP_S: u32 = 86_400;

/// A proof is good for so long, seconds; at most a day (RFC 8292, section 2).
const PROOF_S: i64 = 12 * 3_600;

/// Longest payload: what every push service takes, less the encryption's frame (RFC 8291, section 4).
const MAX_PAYLOAD_BYTES: usize = 3_993;

/// The key by which push services know this Portico: derived from the instance key, so that it stays the same over all
/// servers and restarts. A browser's subscription is bound to it.
#[derive(Clone)]
pub struct PushKey(SigningKey);

impl PushKey {
    /// # Errors
    /// Never, in practice: one derived value in 2^32 is no key, and the next is taken then.
    pub fn derive(secrets: &Secrets) -> Result<Self> {
        (0..8)
            .find_map(|attempt| SigningKey::from_slice(&secrets.derive(&format!("web push {attempt}"))).ok())
            .map(Self)
            .ok_or_else(|| Error::internal("no key for web push can be derived"))
    }

    /// The public half as browsers want it (`applicationServerKey`): uncompressed point, base64url.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.verifying_key().to_encoded_point(false).as_bytes())
    }

    /// `Authorization` of one request (RFC 8292, section 3).
    fn authorization(&self, endpoint: &Url, contact: &str, now: Timestamp) -> String {
        let claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": now.millis() / 1000 + PROOF_S,
            "sub": contact,
        });
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(r#"{"typ":"JWT","alg":"ES256"}"#), encode(&claims.to_string()));
        let signature: Signature = self.0.sign(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        format!("vapid t={signed}.{signature}, k={}", self.public())
    }
}

/// Where push services can reach whoever runs this Portico.
pub(super) fn contact(config: &Config) -> String {
    match &config.public_url {
        Some(url) if url.starts_with("https://") => url.clone(),
        _ => format!("mailto:{}", super::mail::address_of(&config.mail.from)),
    }
}

/// What a browser gives when it is subscribed, as far as its form can tell.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_subscription(endpoint: &str, p256dh: &str, auth: &str, config: &WebhooksConfig) -> Result<(), String> {
    guard::check_url(endpoint, config)?;
    keys(p256dh, auth).map(drop).ok_or_else(|| "The browser's keys are not well formed.".to_owned())
}

fn keys(p256dh: &str, auth: &str) -> Option<(p256::PublicKey, Auth)> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let key = p256::PublicKey::from_sec1_bytes(&decode(p256dh)?).ok()?;
    let auth: [u8; 16] = decode(auth)?.try_into().ok()?;
    Some((key, auth.into()))
}

/// One attempt.
pub(super) async fn send(
    client: &Client,
    config: &Config,
    key: &PushKey,
    id: DeliveryId,
    push: &Push,
    now: Timestamp,
) -> Attempt {
    let url = match guard::check_url(&push.endpoint, &config.webhooks) {
        Ok(url) => url,
        Err(why) => return Attempt::Refused(why),
    };
    let Some((browser_key, auth)) = keys(&push.p256dh, &push.auth) else {
        return Attempt::Refused("the browser's keys are not well formed".to_owned());
    };
    if push.payload.len() > MAX_PAYLOAD_BYTES {
        return Attempt::Refused("the message is too long for a push".to_owned());
    }
    let Ok(body) = web_push_native::encrypt(push.payload.clone().into_bytes(), &browser_key, &auth) else {
        return Attempt::Refused("the message cannot be encrypted for this browser".to_owned());
    };
    let answer = client
        .post(url.clone())
        .header(header::AUTHORIZATION, key.authorization(&url, &contact(config), now))
        .header(header::CONTENT_ENCODING, "aes128gcm")
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header("TTL", KEEP_S)
        .header("Urgency", if push.urgent { "high" } else { "normal" })
        .body(body)
        .send()
        .await;
    let response = match answer {
        Ok(response) => response,
        Err(error) => return Attempt::failed(guard::why(&error)),
    };
    let status = response.status();
    let why = format!("the push service answered {}", status.as_u16());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            tracing::info!(delivery = %id, "a browser has unsubscribed from pushes");
            Attempt::Gone
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Attempt::Refused(why),
        _ if status.is_success() => Attempt::Delivered,
        _ => Attempt::failed_until(why, guard::retry_after_s(&response)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_stays_the_same_for_one_instance_and_differs_for_another() {
        let key = |byte| PushKey::derive(&Secrets::from_key([byte; 32])).unwrap().public();
        assert_eq!(key(7), key(7));
        assert_ne!(key(7), key(8));
        let bytes = URL_SAFE_NO_PAD.decode(key(7)).unwrap();
        assert_eq!((bytes.len(), bytes[0]), (65, 4), "an uncompressed point");
    }

    #[test]
    fn what_is_no_subscription_is_refused() {
        // The example of RFC 8291, section 5.
        let p256dh = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let auth = "BTBZMqHH6r4Tts7J_aSIgg";
        let config = WebhooksConfig::default();
        let check = |endpoint, p256dh, auth| check_subscription(endpoint, p256dh, auth, &config);
        assert_eq!(check("https://push.example.net/push/abc", p256dh, auth), Ok(()));
        assert!(check("http://push.example.net/push/abc", p256dh, auth).is_err());
        assert!(check("https://127.0.0.1/push/abc", p256dh, auth).is_err());
        assert!(check("https://push.example.net/", auth, auth).is_err());
        assert!(check("https://push.example.net/", p256dh, p256dh).is_err());
        assert!(check("https://push.example.net/", "", "").is_err());
    }
}
