//! Whether a message is from Stripe: the `Stripe-Signature` header (<https://docs.stripe.com/webhooks#verify-manually>).
//!
//! `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 under the endpoint's secret of the time, a full stop, and the body as it
//! came. While a secret is being replaced there is a `v1` for each. `v0` belongs to test events and proves nothing.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::event::{Event, EventError};

/// Seconds by which the times may differ, as in Stripe's own libraries.
pub const DEFAULT_TOLERANCE_S: u64 = 300;

/// SHA-256 in bytes.
const TAG_BYTES: usize = 32;

/// Why a message is not believed. None of this goes to the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the header is not of the form t=…,v1=…")]
    Malformed,
    #[error("the header has no time")]
    NoTime,
    #[error("the header has no signature of the kind v1")]
    NoSignature,
    #[error("no secret is configured")]
    NoSecret,
    /// Another secret, or another body.
    #[error("no signature fits the body and a configured secret")]
    Mismatch,
    /// Genuine, but perhaps sent again by somebody who overheard it.
    #[error("signed {age_s} s ago")]
    TooOld { age_s: u64 },
    #[error("signed {ahead_s} s in the future")]
    InFuture { ahead_s: u64 },
}

/// Why a message is of no use.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the message is not proven to be from Stripe")]
    Signature(#[from] SignatureError),
    #[error("the message is not an event")]
    Event(#[from] EventError),
}

/// The event in a message that is proven to be from Stripe.
///
/// # Errors
/// When it is not proven, or no event.
pub fn read(
    header: &[u8],
    payload: &[u8],
    secrets: &[SecretString],
    tolerance_s: u64,
    now_s: i64,
) -> Result<Event, WebhookError> {
    verify(header, payload, secrets, tolerance_s, now_s)?;
    Ok(Event::parse(payload)?)
}

/// Whether `payload` was signed with one of the secrets, at most `tolerance_s` seconds from `now_s` (since 1970).
///
/// `header` is the value of `Stripe-Signature`, `payload` the body exactly as it came.
///
/// # Errors
/// When not. The time is looked at last: whoever has no secret learns nothing of it.
pub fn verify(
    header: &[u8],
    payload: &[u8],
    secrets: &[SecretString],
    tolerance_s: u64,
    now_s: i64,
) -> Result<(), SignatureError> {
    let header = Header::parse(header)?;
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    // Every signature is held against every secret, so that the time taken tells nothing.
    let mut fits = Choice::from(0);
    for secret in secrets {
        let expected = tag(header.time.as_bytes(), payload, secret.expose_secret()).ok_or(SignatureError::Mismatch)?;
        for signature in &header.signatures {
            fits |= expected.ct_eq(signature);
        }
    }
    if !bool::from(fits) {
        return Err(SignatureError::Mismatch);
    }
    let apart = now_s.abs_diff(header.time_s);
    if apart <= tolerance_s {
        Ok(())
    } else if header.time_s < now_s {
        Err(SignatureError::TooOld { age_s: apart })
    } else {
        Err(SignatureError::InFuture { ahead_s: apart })
    }
}

/// The header that proves `payload` at `time_s` (seconds since 1970): what Stripe does, for tests.
#[must_use]
pub fn sign(payload: &[u8], secret: &str, time_s: i64) -> String {
    use std::fmt::Write as _;
    let time = time_s.to_string();
    let mut header = format!("t={time},v1=");
    for byte in tag(time.as_bytes(), payload, secret).unwrap_or_default() {
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Always there: HMAC takes keys of any length (RFC 2104).
fn tag(time: &[u8], payload: &[u8], secret: &str) -> Option<[u8; TAG_BYTES]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(time);
    mac.update(b".");
    mac.update(payload);
    Some(mac.finalize().into_bytes().into())
}

struct Header<'a> {
    /// As it was written: that is what was signed.
    time: &'a str,
    time_s: i64,
    signatures: Vec<[u8; TAG_BYTES]>,
}

impl<'a> Header<'a> {
    fn parse(header: &'a [u8]) -> Result<Self, SignatureError> {
        let text = std::str::from_utf8(header).map_err(|_| SignatureError::Malformed)?;
        let mut time = None;
        let mut seen_v1 = false;
        let mut signatures = Vec::new();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or(SignatureError::Malformed)?;
            match name.trim() {
                // Two times would leave open which of them was signed.
                "t" if time.is_some() => return Err(SignatureError::Malformed),
                "t" => time = Some(value.trim()),
                "v1" => {
                    seen_v1 = true;
                    // One that is not even a hash fits nothing; another beside it may.
                    signatures.extend(unhex(value.trim()));
                }
                _ => {}
            }
        }
        let time = time.ok_or(SignatureError::NoTime)?;
        let digits = time.bytes().all(|c| c.is_ascii_digit());
        let time_s = time.parse().ok().filter(|_| digits).ok_or(SignatureError::Malformed)?;
        if seen_v1 { Ok(Self { time, time_s, signatures }) } else { Err(SignatureError::NoSignature) }
    }
}

fn unhex(text: &str) -> Option<[u8; TAG_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * TAG_BYTES {
        return None;
    }
    let mut bytes = [0; TAG_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
