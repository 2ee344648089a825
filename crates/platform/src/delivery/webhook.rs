//! Webhooks: a POST that proves by a keyed hash that it comes from us, and when.

use portico_model::{DeliveryId, Timestamp};
use reqwest::{Client, StatusCode, header};
use ring::hmac;

use super::config::WebhooksConfig;
use super::worker::Attempt;
use super::{Webhook, guard};
use crate::secrets::hex;

/// One attempt.
pub(super) async fn send(
    client: &Client,
    config: &WebhooksConfig,
    id: DeliveryId,
    webhook: &Webhook,
    now: Timestamp,
) -> Attempt {
    let url = match guard::check_url(&webhook.url, config) {
        Ok(url) => url,
        Err(why) => return Attempt::Refused(why),
    };
    let secrets = [Some(webhook.secret.as_str()), webhook.previous_secret.as_deref()];
    let answer = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Portico-Event", &webhook.event)
        .header("Portico-Delivery", id.to_string())
        .header("Portico-Signature", signature(secrets.into_iter().flatten(), now, &webhook.body))
        .body(webhook.body.clone())
        .send()
        .await;
    // The answer's body is nobody's business: it is not read.
    match answer {
        Ok(response) if response.status().is_success() => Attempt::Delivered,
        Ok(response) => {
            let status = response.status();
            let why = if status.is_redirection() {
                format!("answered {}: redirects are not followed", status.as_u16())
            } else {
                format!("answered {}", status.as_u16())
            };
            match status {
                StatusCode::GONE => Attempt::Refused(why),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    Attempt::failed_until(why, guard::retry_after_s(&response))
                }
                _ => Attempt::failed(why),
            }
        }
        Err(error) => Attempt::failed(guard::why(&error)),
    }
}

/// `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA-256 under the webhook's secret of the time, a full stop, and the body. While
/// a secret is being replaced there is a `v1` for each. The receiver compares in constant time and refuses old times.
pub fn signature<'a>(secrets: impl Iterator<Item = &'a str>, at: Timestamp, body: &str) -> String {
    use std::fmt::Write as _;
    let seconds = at.millis() / 1000;
    let mut text = format!("t={seconds}");
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
        let _ = write!(text, ",v1={}", hex(tag.as_ref()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_what_others_compute() {
        // Computed with Python: hmac.new(b"secret", b"1700000000.{}", "sha256").hexdigest().
        let text = signature(["secret"].into_iter(), Timestamp::from_millis(1_700_000_000_999), "{}");
        assert_eq!(text, "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163");
        let both = signature(["secret", "older"].into_iter(), Timestamp::from_millis(1_700_000_000_000), "{}");
        assert!(both.starts_with(&text) && both.matches("v1=").count() == 2, "{both}");
    }
}
