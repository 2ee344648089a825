//! The `http` part of the configuration.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use portico_model::FieldError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::ws::LiveConfig;

/// Characters.
const SHORTEST_PROXY_SECRET: usize = 16;

/// How Portico is reached over HTTP, and its limits.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// File with the certificate chain (PEM); with `tls_key` the server speaks HTTPS. A renewed file is noticed.
    pub tls_cert: Option<PathBuf>,
    /// File with the private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Seconds for which a browser that came over HTTPS insists on it (HSTS); 0: never.
    pub hsts_s: u64,
    /// Origins, such as `https://panel.example`, whose pages may call the API and open websockets with credentials.
    pub cors_origins: Vec<String>,
    /// Addresses or networks (`10.0.0.0/8`) of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Secret that a trusted proxy presents in `X-Proxy-Secret`; only beside it does its `X-User-ID` name the user who
    /// asks. Unset: that header names nobody. Secret.
    #[serde(serialize_with = "crate::config::shown_as_set")]
    pub proxy_secret: Option<SecretString>,
    /// Largest body of a request, bytes.
    pub body_limit_bytes: usize,
    /// Milliseconds until a request without an answer is answered 503.
    pub timeout_ms: u64,
    /// Milliseconds a client may take to send the head of a request, or the next one of a kept connection.
    pub header_timeout_ms: u64,
    /// Connections at the same time, live ones included; more are closed at once.
    pub max_connections: usize,
    /// Milliseconds that requests under way get to finish at shutdown.
    pub shutdown_ms: u64,
    /// Token for `/metrics` (`Authorization: Bearer TOKEN`); unset: only this machine may read it. Secret.
    #[serde(serialize_with = "crate::config::shown_as_set")]
    pub metrics_token: Option<SecretString>,
    /// Requests a minute.
    pub rate_limits: RateLimitConfig,
    /// Live connections of browsers.
    pub live: LiveConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            tls_cert: None,
            tls_key: None,
            hsts_s: 31_536_000,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_secret: None,
            body_limit_bytes: 2 * 1024 * 1024,
            timeout_ms: 30_000,
            header_timeout_ms: 30_000,
            max_connections: 10_000,
            shutdown_ms: 10_000,
            metrics_token: None,
            rate_limits: RateLimitConfig::default(),
            live: LiveConfig::default(),
        }
    }
}

/// Requests a minute, as buckets: so many at once, then evenly. 0: no limit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Whether requests are limited at all.
    pub enabled: bool,
    /// Attempts to sign in, set up or change a password, by address (IPv6: by /64, here and below).
    pub sign_in_per_minute: u32,
    /// Accounts or devices registered, by address.
    pub register_per_minute: u32,
    /// All other requests, by address, whoever makes them: an office or a gateway speaks for many.
    pub address_per_minute: u32,
    /// Requests of one user, from wherever.
    pub user_per_minute: u32,
    /// Requests of one device, from wherever.
    pub device_per_minute: u32,
    /// Requests with one service key, from wherever.
    pub service_per_minute: u32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            sign_in_per_minute: 20,
            register_per_minute: 60,
            address_per_minute: 6_000,
            user_per_minute: 1_200,
            device_per_minute: 600,
            service_per_minute: 1_200,
        }
    }
}

impl HttpConfig {
    /// What is wrong with these settings, each with its key.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut check = |sound: bool, key: &str, message: &str| {
            if !sound {
                problems.push(FieldError::new(key, message));
            }
        };
        check(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "http.tls_key",
            "set both tls_cert and tls_key, or neither",
        );
        check(
            self.proxy_secret.as_ref().is_none_or(|secret| secret.expose_secret().len() >= SHORTEST_PROXY_SECRET),
            "http.proxy_secret",
            "at least 16 characters expected",
        );
        check(
            self.proxy_secret.is_none() || !self.trusted_proxies.is_empty(),
            "http.proxy_secret",
            "set trusted_proxies too: it is believed from them alone",
        );
        check(self.body_limit_bytes >= 1024, "http.body_limit_bytes", "at least 1024 expected");
        check(self.timeout_ms >= 100, "http.timeout_ms", "at least 100 expected");
        check(self.header_timeout_ms >= 100, "http.header_timeout_ms", "at least 100 expected");
        check(self.max_connections >= 1, "http.max_connections", "at least 1 expected");
        for origin in &self.cors_origins {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let is_origin = rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']));
            check(is_origin, "http.cors_origins", "origins such as https://panel.example expected, without a path");
        }
        problems.extend(self.live.problems());
        problems
    }

    /// Whether the connection came from a proxy that is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

/// An address, or all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: u128,
    prefix: u32,
}

impl Network {
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
        bits(address) & mask == self.first & mask
    }
}

/// IPv4 as its IPv6-mapped form, so that one comparison serves both.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || "not an address or network such as 10.0.0.0/8".to_owned();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| malformed())?;
        if prefix > longest {
            return Err(malformed());
        }
        Ok(Self { first: bits(address), prefix: prefix + (128 - longest) })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        match address.to_ipv4_mapped() {
            Some(v4) if self.prefix >= 96 => write!(f, "{v4}/{}", self.prefix - 96),
            _ => write!(f, "{address}/{}", self.prefix),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn network_holds_its_addresses_and_no_others() {
        assert!(network("10.0.0.0/8").contains("10.255.1.2".parse().unwrap()));
        assert!(!network("10.0.0.0/8").contains("11.0.0.1".parse().unwrap()));
        assert!(network("127.0.0.1").contains("127.0.0.1".parse().unwrap()));
        assert!(network("127.0.0.1").contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!network("127.0.0.1").contains("127.0.0.2".parse().unwrap()));
        assert!(network("fd00::/8").contains("fd12::1".parse().unwrap()));
        assert!(!network("fd00::/8").contains("10.0.0.1".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("8.8.8.8".parse().unwrap()));
        assert!(!network("0.0.0.0/0").contains("2001:db8::1".parse().unwrap()));
        assert!(network("::/0").contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn network_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "192.168.1.7/32", "fd00::/8", "::1/128", "0.0.0.0/0"] {
            assert_eq!(network(text).to_string(), text);
        }
        for wrong in ["", "10.0.0.0/33", "example.com", "10.0.0.0/-1", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn half_a_certificate_and_a_wildcard_origin_are_refused() {
        let config = HttpConfig {
            tls_cert: Some("cert.pem".into()),
            cors_origins: vec!["*".into(), "https://panel.example".into()],
            ..HttpConfig::default()
        };
        let keys: Vec<String> = config.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(keys, ["http.tls_key", "http.cors_origins"]);
    }
}
