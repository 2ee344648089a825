//! Where Stripe is, and how long we wait for it.

use std::net::IpAddr;

use reqwest::Url;
use secrecy::SecretString;

/// The version of the API that this client was written against; Stripe keeps answering in it
/// (<https://docs.stripe.com/api/versioning>).
pub const API_VERSION: &str = "2026-07-29.dahlia";

/// How to reach Stripe.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Without `/v1`. Plain `http://` only to this machine: the secret key goes there.
    pub base_url: String,
    /// Sent as `Stripe-Version`.
    pub api_version: String,
    /// `sk_live_…`, `sk_test_…`, or a restricted key `rk_…` with write access to PaymentIntents and Refunds.
    pub secret_key: SecretString,
    /// Milliseconds until a connection stands.
    pub connect_timeout_ms: u64,
    /// Milliseconds for one attempt from its beginning to the last byte. With retries a call can take
    /// `(max_retries + 1) × timeout_ms` and the pauses between.
    pub timeout_ms: u64,
    /// Attempts after the first one; Stripe's own libraries make two.
    pub max_retries: u32,
    /// Milliseconds before the first retry; it doubles with each, up to 5 s.
    pub first_pause_ms: u64,
}

impl ClientConfig {
    #[must_use]
    pub fn new(secret_key: SecretString) -> Self {
        Self {
            base_url: "https://api.stripe.com".to_owned(),
            api_version: API_VERSION.to_owned(),
            secret_key,
            connect_timeout_ms: 5_000,
            timeout_ms: 20_000,
            max_retries: 2,
            first_pause_ms: 500,
        }
    }
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "the address of Stripe must begin with https:// (http:// only for this machine) and have no name, query or fragment"
    )]
    BaseUrl,
    #[error("the secret key cannot be sent as a header")]
    SecretKey,
    #[error("the API version cannot be sent as a header")]
    ApiVersion,
    #[error("the client for Stripe cannot be made")]
    Client(#[from] reqwest::Error),
}

/// The address without a slash at its end, if the secret key may go there.
pub(super) fn check_base_url(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text).map_err(|_| ConfigError::BaseUrl)?;
    let host = url.host_str().unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let is_here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    let protected = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if protected && plain && url.fragment().is_none() && !host.is_empty() {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(ConfigError::BaseUrl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_key_goes_only_over_tls_or_to_this_machine() {
        for (good, is) in [
            ("https://api.stripe.com", "https://api.stripe.com"),
            ("https://proxy.example/stripe/", "https://proxy.example/stripe"),
            ("http://127.0.0.1:4010/", "http://127.0.0.1:4010"),
            ("http://[::1]:4010", "http://[::1]:4010"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert_eq!(check_base_url(good).unwrap(), is);
        }
        for bad in [
            "",
            "api.stripe.com",
            "http://api.stripe.com",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "ftp://localhost",
            "https://user@api.stripe.com",
            "https://:password@api.stripe.com",
            "https://api.stripe.com/?a=b",
            "https://api.stripe.com/#a",
        ] {
            assert!(check_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_key_is_not_shown() {
        let config = ClientConfig::new("sk_test_hidden".into());
        assert!(!format!("{config:?}").contains("sk_test_hidden"));
    }
}
