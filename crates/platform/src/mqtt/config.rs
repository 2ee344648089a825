//! The `mqtt` part of the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use portico_model::FieldError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::topic::Topics;

/// The embedded broker's listeners and limits, and the prefix of the topics.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttConfig {
    /// Address and port of the embedded broker's plain listener; port 0 takes any free one.
    #[serde(skip)] // the key is `mqtt_addr`
    pub addr: SocketAddr,
    /// Address and port of the embedded broker's TLS listener; unset: none.
    pub tls_addr: Option<SocketAddr>,
    /// File with the certificate chain (PEM) of the TLS listener; a renewed file is noticed.
    pub tls_cert: Option<PathBuf>,
    /// File with the private key (PEM) of the TLS listener.
    pub tls_key: Option<PathBuf>,
    /// Address and port of the embedded broker's WebSocket listener (path `/mqtt`); unset: none.
    pub websocket_addr: Option<SocketAddr>,
    /// Origins of pages that may use the WebSocket listener; clients that are no browsers send none and may.
    pub websocket_origins: Vec<String>,
    /// First levels of every topic, such as `site-1`; empty: none.
    pub prefix: String,
    /// Keep sessions and retained messages of the embedded broker in the data directory.
    pub persistent: bool,
    /// Limits of the embedded broker.
    pub limits: MqttLimits,
}

impl Default for MqttConfig {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 1883)),
            tls_addr: None,
            tls_cert: None,
            tls_key: None,
            websocket_addr: None,
            websocket_origins: Vec::new(),
            prefix: String::new(),
            persistent: true,
            limits: MqttLimits::default(),
        }
    }
}

/// Limits of the embedded broker. What is over a limit is refused, never kept waiting without bound.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttLimits {
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections at the same time from one address.
    pub max_connections_per_address: usize,
    /// Connections that have not authenticated yet, all together.
    pub max_pending: usize,
    /// Milliseconds until a new connection must have authenticated.
    pub connect_timeout_ms: u64,
    /// Bytes a client may send before it has authenticated, TLS and WebSocket handshakes included.
    pub max_connect_bytes: usize,
    /// Bytes of the largest packet.
    pub max_packet_bytes: usize,
    /// Messages of one client that are not acknowledged yet; more are not read (MQTT 5: receive maximum).
    pub receive_maximum: u16,
    /// Bytes of messages, of all clients, that are not stored yet; while they are in use, more are not read.
    pub max_unstored_bytes: usize,
    /// Messages waiting in memory for one connected client.
    pub channel_capacity: usize,
    /// Messages queued for one client that is away.
    pub max_queued_messages: usize,
    /// Bytes queued for one client that is away.
    pub max_queued_bytes: usize,
    /// Subscriptions of one client.
    pub max_subscriptions: usize,
    /// Retained messages in the broker.
    pub max_retained_messages: usize,
    /// Seconds after which the session of a client that is away is forgotten.
    pub session_expiry_s: u64,
    /// Milliseconds a message waits to be stored before its connection is closed without an acknowledgement.
    pub store_timeout_ms: u64,
}

impl Default for MqttLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 5_000,
            max_pending: 1_000,
            connect_timeout_ms: 10_000,
            max_connect_bytes: 32 * 1024,
            // Room for a payload of 1 MB, which the domain refuses by name instead of losing the connection over it.
            max_packet_bytes: 2 * 1024 * 1024,
            // A message with QoS 2 keeps its place until it is released, but not its payload.
            receive_maximum: 128,
            max_unstored_bytes: 64 * 1024 * 1024,
            channel_capacity: 256,
            max_queued_messages: 1_000,
            max_queued_bytes: 4 * 1024 * 1024,
            max_subscriptions: 16,
            max_retained_messages: 100_000,
            session_expiry_s: 7 * 24 * 3600,
            store_timeout_ms: 20_000,
        }
    }
}

/// Where the external broker is and how the server signs in there.
#[derive(Debug, Clone)]
pub struct ExternalBroker {
    pub host: String,
    pub port: u16,
    pub user_name: Option<String>,
    pub password: Option<SecretString>,
}

impl MqttConfig {
    /// What is wrong with these settings, each with its key.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: &str| problems.push(FieldError::new(key, message));
        if let Err(error) = Topics::new(&self.prefix) {
            problem("mqtt.prefix", &error.to_string());
        }
        if self.tls_addr.is_some() && (self.tls_cert.is_none() || self.tls_key.is_none()) {
            problem("mqtt.tls_addr", "the TLS listener needs mqtt.tls_cert and mqtt.tls_key");
        }
        let limits = &self.limits;
        for (key, bad) in [
            ("mqtt.limits.max_connections", limits.max_connections == 0),
            ("mqtt.limits.max_connections_per_address", limits.max_connections_per_address == 0),
            ("mqtt.limits.max_pending", limits.max_pending == 0),
            ("mqtt.limits.connect_timeout_ms", limits.connect_timeout_ms == 0),
            ("mqtt.limits.receive_maximum", limits.receive_maximum == 0),
            ("mqtt.limits.channel_capacity", limits.channel_capacity == 0),
            ("mqtt.limits.max_unstored_bytes", limits.max_unstored_bytes == 0),
            ("mqtt.limits.max_subscriptions", limits.max_subscriptions == 0),
            ("mqtt.limits.store_timeout_ms", limits.store_timeout_ms == 0),
        ] {
            if bad {
                problem(key, "must be greater than 0");
            }
        }
        if limits.max_packet_bytes < 1024 {
            problem("mqtt.limits.max_packet_bytes", "must be at least 1024");
        }
        if limits.max_connect_bytes < 1024 {
            problem("mqtt.limits.max_connect_bytes", "must be at least 1024");
        }
        problems
    }
}

impl ExternalBroker {
    /// Reads `mqtt://user:password@host:port`.
    ///
    /// # Errors
    /// What is wrong with it, without the password.
    pub fn parse(url: &SecretString) -> Result<Self, String> {
        let url = url.expose_secret().trim();
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("expected mqtt://user:password@host:port".to_owned());
        };
        match scheme {
            "mqtt" | "tcp" => {}
            "mqtts" | "ssl" | "tls" => {
                return Err(
                    "TLS to an external broker is not supported; use mqtt:// over a private network, or a TLS \
                            tunnel such as stunnel on this machine"
                        .to_owned(),
                );
            }
            _ => return Err("the address of an external broker begins with mqtt://".to_owned()),
        }
        let rest = rest.trim_end_matches('/');
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let (host, port) = split_authority(authority)?;
        let (user_name, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (
                Some(percent_decode(user).ok_or("the user name has a bad %-escape")?),
                Some(SecretString::from(percent_decode(password).ok_or("the password has a bad %-escape")?)),
            ),
            None => (None, None),
        };
        Ok(Self { host, port, user_name, password })
    }
}

fn split_authority(authority: &str) -> Result<(String, u16), String> {
    let (host, port) = match authority.rsplit_once(':') {
        // An IPv6 address without a port: its last colon is inside the brackets.
        Some((_, tail)) if tail.ends_with(']') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
        return Err("the host of the external broker is missing or wrong".to_owned());
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| "the port of the external broker is not a number".to_owned())?,
        None => 1883,
    };
    Ok((host.to_owned(), port))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let [high, low, tail @ ..] = tail else { return None };
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
            bytes.push(digit(high)? * 16 + digit(low)?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(url: &str) -> Result<ExternalBroker, String> {
        ExternalBroker::parse(&SecretString::from(url))
    }

    #[test]
    fn external_address_is_taken_apart() {
        let broker = external("mqtt://portico:p%40ss:w@broker.example:1884").unwrap();
        assert_eq!((broker.host.as_str(), broker.port), ("broker.example", 1884));
        assert_eq!(broker.user_name.as_deref(), Some("portico"));
        assert_eq!(broker.password.unwrap().expose_secret(), "p@ss:w");
        let broker = external("mqtt://[::1]").unwrap();
        assert_eq!((broker.host.as_str(), broker.port), ("[::1]", 1883));
        assert!(broker.user_name.is_none());
    }

    #[test]
    fn bad_external_address_says_what_is_wrong_and_not_the_password() {
        for url in [
            "broker",
            "http://x",
            "mqtts://u:secret@h",
            "mqtt://u:secret@h:port",
            "mqtt://u:secret@",
            "mqtt://u:secret%zz@h",
        ] {
            let message = external(url).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        assert!(MqttConfig::default().problems().is_empty());
        let config = MqttConfig {
            prefix: "a/#".to_owned(),
            tls_addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            limits: MqttLimits { receive_maximum: 0, ..MqttLimits::default() },
            ..MqttConfig::default()
        };
        let keys: Vec<_> = config.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(keys, ["mqtt.prefix", "mqtt.tls_addr", "mqtt.limits.receive_maximum"]);
    }

    #[test]
    fn external_broker_is_shown_without_its_password() {
        assert!(!format!("{:?}", external("mqtt://u:hidden@h").unwrap()).contains("hidden"));
    }
}
