//! Where Stripe is, and how long we wait for it.

use std::net::IpAddr;

use reqwest::Url;
use secrecy::SecretString;

/// The version of the API that this client was written against; Stripe keeps answering in it
/// (<https://docs.stripe.com/api/versioning>).
pub const API_VERSION: &str = "2026-07-29.dahlia";

/// Where Stripe.js is; Stripe allows no copies of it (<https://docs.stripe.com/js/including>).
pub const SCRIPT_ORIGIN: &str = "https://js.stripe.com";

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
    #[error("Stripe.js comes from https://js.stripe.com, or for tests from this machine, without a path")]
    ScriptUrl,
    #[error("the secret key cannot be sent as a header")]
    SecretKey,
    #[error("the API version cannot be sent as a header")]
    ApiVersion,
    #[error("the client for Stripe cannot be made")]
    Client(#[from] reqwest::Error),
}

/// Whether it is this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

/// The origin that the browser gets Stripe.js from. It runs in our page, so it is Stripe's alone; or, for tests, one on this
/// machine.
///
/// # Errors
/// When it is another, or more than an origin.
pub fn script_origin(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text).map_err(|_| ConfigError::ScriptUrl)?;
    let is_for_tests = url.scheme() == "http" && is_here(&url);
    let origin = url.origin().ascii_serialization();
    // Nothing but the origin: it stands in the policy of the page.
    let is_origin = url.as_str().strip_suffix('/') == Some(origin.as_str());
    if is_origin && (is_for_tests || origin == SCRIPT_ORIGIN) { Ok(origin) } else { Err(ConfigError::ScriptUrl) }
}

/// The address without a slash at its end, if the secret key may go there.
pub(super) fn check_base_url(text: &str) -> Result<String, ConfigError> {
    let url = Url::parse(text).map_err(|_| ConfigError::BaseUrl)?;
    let host = url.host_str().unwrap_or_default();
    let protected = url.scheme() == "https" || (url.scheme() == "http" && is_here(&url));
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
    fn the_script_is_stripes_or_of_this_machine() {
        for (good, is) in [
            ("https://js.stripe.com", "https://js.stripe.com"),
            ("https://js.stripe.com/", "https://js.stripe.com"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
            ("http://[::1]:4010/", "http://[::1]:4010"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert_eq!(script_origin(good).unwrap(), is);
        }
        for bad in [
            "",
            "js.stripe.com",
            "http://js.stripe.com",
            "https://js.stripe.com.example.org",
            "https://js.stripe.com:8443",
            "https://js.stripe.com/v3",
            "https://js.stripe.com/?a",
            "https://user@js.stripe.com",
            "https://evil.example",
            "http://10.0.0.1",
            "http://localhost.example.org",
            "http://127.0.0.1:1/; script-src *",
            "javascript:alert(1)",
        ] {
            assert!(script_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_key_is_not_shown() {
        let config = ClientConfig::new("sk_test_hidden".into());
        assert!(!format!("{config:?}").contains("sk_test_hidden"));
    }
}
