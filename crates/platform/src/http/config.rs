//! The `http` part of the configuration.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use portico_model::FieldError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ws::LiveConfig;

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
    pub allowed_origins: Vec<String>,
    /// Addresses or networks (`10.0.0.0/8`) of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Largest body of a request, bytes.
    pub body_limit_bytes: usize,
    /// Milliseconds until a request without an answer is answered 503.
    pub request_timeout_ms: u64,
    /// Milliseconds a client may take to send the head of a request.
    pub header_timeout_ms: u64,
    /// Connections at the same time; more wait in the system's queue.
    pub max_connections: usize,
    /// Milliseconds that requests under way get to finish at shutdown.
    pub shutdown_ms: u64,
    /// Token for `/metrics` (`Authorization: Bearer TOKEN`); unset: only this machine may read it. Secret.
    #[serde(serialize_with = "shown_as_set")]
    pub metrics_token: Option<SecretString>,
    /// Requests per minute.
    pub rate: RateConfig,
    /// Live connections of browsers.
    pub live: LiveConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            tls_cert: None,
            tls_key: None,
            hsts_s: 31_536_000,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            body_limit_bytes: 2 * 1024 * 1024,
            request_timeout_ms: 30_000,
            header_timeout_ms: 10_000,
            max_connections: 10_000,
            shutdown_ms: 10_000,
            metrics_token: None,
            rate: RateConfig::default(),
            live: LiveConfig::default(),
        }
    }
}

/// Requests per minute, as a bucket: so many at once, then evenly. 0: no limit. Unless said otherwise counted by the
/// network address (IPv6: by /64).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateConfig {
    /// Attempts to sign in.
    pub sign_in_per_min: u32,
    /// Sign-ups and set-up attempts.
    pub sign_up_per_min: u32,
    /// Calls of the REST API and of the pages' functions from one address, whoever makes them.
    pub api_per_min: u32,
    /// Telemetry and heartbeats from one address: a gateway speaks for many devices.
    pub telemetry_per_min: u32,
    /// Pages.
    pub page_per_min: u32,
    /// Calls of one user, from wherever.
    pub user_per_min: u32,
    /// Calls of one device, from wherever.
    pub device_per_min: u32,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            sign_in_per_min: 10,
            sign_up_per_min: 10,
            api_per_min: 3_000,
            telemetry_per_min: 6_000,
            page_per_min: 600,
            user_per_min: 1_200,
            device_per_min: 600,
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
        check(self.tls_cert.is_some() == self.tls_key.is_some(), "http.tls_key", "set both tls_cert and tls_key, or neither");
        check(self.body_limit_bytes >= 1024, "http.body_limit_bytes", "at least 1024 expected");
        check(self.request_timeout_ms >= 100, "http.request_timeout_ms", "at least 100 expected");
        check(self.header_timeout_ms >= 100, "http.header_timeout_ms", "at least 100 expected");
        check(self.max_connections >= 1, "http.max_connections", "at least 1 expected");
        for origin in &self.allowed_origins {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let is_origin = rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']));
            check(is_origin, "http.allowed_origins", "origins such as https://panel.example expected, without a path");
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

/// What each setting of this part means: for the reference of the configuration.
pub const HTTP_KEYS: &[(&str, &str)] = &[
    ("http.tls_cert", "File with the certificate chain (PEM); with `http.tls_key` the server speaks HTTPS. A renewed file is noticed."),
    ("http.tls_key", "File with the private key (PEM)."),
    ("http.hsts_s", "Seconds for which a browser that came over HTTPS insists on it (HSTS); 0: never."),
    ("http.allowed_origins", "Origins, such as `https://panel.example`, whose pages may call the API and open websockets with credentials."),
    ("http.trusted_proxies", "Addresses or networks (`10.0.0.0/8`) of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."),
    ("http.body_limit_bytes", "Largest body of a request, bytes."),
    ("http.request_timeout_ms", "Milliseconds until a request without an answer is answered 503."),
    ("http.header_timeout_ms", "Milliseconds a client may take to send the head of a request."),
    ("http.max_connections", "Connections at the same time; more wait in the system's queue."),
    ("http.shutdown_ms", "Milliseconds that requests under way get to finish at shutdown."),
    ("http.metrics_token", "Token for `/metrics` (`Authorization: Bearer TOKEN`). Unset: only this machine may read it. Secret."),
    ("http.rate.sign_in_per_min", "Attempts to sign in per minute from one address. 0 here and below: no limit."),
    ("http.rate.sign_up_per_min", "Sign-ups and set-up attempts per minute from one address."),
    ("http.rate.api_per_min", "Calls of the REST API per minute from one address, whoever makes them."),
    ("http.rate.telemetry_per_min", "Telemetry and heartbeats over HTTP per minute from one address: a gateway speaks for many devices."),
    ("http.rate.page_per_min", "Pages per minute from one address."),
    ("http.rate.user_per_min", "Calls of one user per minute, from wherever."),
    ("http.rate.device_per_min", "Calls of one device per minute, from wherever."),
    ("http.live.topics_per_connection", "Topics that one live connection may follow."),
    ("http.live.connections_per_user", "Live connections that one user may have on this server."),
    ("http.live.message_limit_bytes", "Largest message of a client over its live connection, bytes."),
    ("http.live.messages_per_s", "Messages and subscriptions that a live connection may send per second; one that sends faster is read slower."),
    ("http.live.ping_every_ms", "Milliseconds between pings to a client."),
    ("http.live.silence_ms", "Milliseconds of silence after which a live connection is closed."),
    ("http.live.send_timeout_ms", "Milliseconds after which a live connection that takes nothing is closed."),
    ("http.live.recheck_ms", "Milliseconds between checks that the session of a live connection is still good."),
];

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

#[allow(clippy::ref_option)] // the form serde asks for
fn shown_as_set<S: serde::Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_str("(set)"),
        None => serializer.serialize_none(),
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
    fn every_setting_has_its_meaning() {
        let all = serde_json::to_value(HttpConfig::default()).unwrap();
        let mut paths: Vec<String> = Vec::new();
        for (key, value) in all.as_object().unwrap() {
            match value.as_object() {
                Some(inner) => paths.extend(inner.keys().map(|name| format!("http.{key}.{name}"))),
                None => paths.push(format!("http.{key}")),
            }
        }
        let mut described: Vec<String> = HTTP_KEYS.iter().map(|(path, _)| (*path).to_owned()).collect();
        paths.sort_unstable();
        described.sort_unstable();
        assert_eq!(paths, described);
    }

    #[test]
    fn half_a_certificate_and_a_wildcard_origin_are_refused() {
        let config = HttpConfig {
            tls_cert: Some("cert.pem".into()),
            allowed_origins: vec!["*".into(), "https://panel.example".into()],
            ..HttpConfig::default()
        };
        let keys: Vec<String> = config.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(keys, ["http.tls_key", "http.allowed_origins"]);
    }
}
