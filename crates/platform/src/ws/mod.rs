//! `/ws`: the one websocket of a tab. Subscribe to topics, get a snapshot of each and then its events
//! (`docs/asyncapi.yaml`).

mod pace;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use portico_model::FieldError;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::{BoxFuture, Platform};
use session::Session;

/// Going away: the server stops; come back in a moment.
pub const CLOSE_GOING_AWAY: u16 = 1001;
/// A limit was passed.
pub const CLOSE_POLICY: u16 = 1008;
/// A message was larger than allowed.
pub const CLOSE_TOO_BIG: u16 = 1009;
/// The session ended: sign in again.
pub const CLOSE_SIGNED_OUT: u16 = 4401;
/// What the session may see has changed: connect again at once.
pub const CLOSE_RIGHTS_CHANGED: u16 = 4403;

/// Limits of the live connections.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveConfig {
    /// Topics that one connection may follow.
    pub topics_per_connection: usize,
    /// Connections that one user may have on this server: a tab each, and some to spare.
    pub connections_per_user: usize,
    /// Largest message of a client, bytes.
    pub message_limit_bytes: usize,
    /// Messages and topics that a connection may send a second; one that sends more is read more slowly.
    pub messages_per_s: u32,
    /// Milliseconds between two pings.
    pub ping_ms: u64,
    /// Milliseconds after which a client that is not heard is closed.
    pub silence_ms: u64,
    /// Milliseconds after which a client that takes nothing is closed.
    pub send_timeout_ms: u64,
    /// Milliseconds between two checks that the session is still good, should another server have ended it.
    pub recheck_ms: u64,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            topics_per_connection: 200,
            connections_per_user: 50,
            message_limit_bytes: 64 * 1024,
            messages_per_s: 40,
            ping_ms: 20_000,
            silence_ms: 45_000,
            send_timeout_ms: 10_000,
            recheck_ms: 60_000,
        }
    }
}

impl LiveConfig {
    /// What is wrong with these settings, each with its key.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut check = |sound: bool, key: &str, message: &str| {
            if !sound {
                problems.push(FieldError::new(key, message));
            }
        };
        check(self.messages_per_s >= 1, "http.live.messages_per_s", "at least 1 expected");
        check(self.message_limit_bytes >= 1024, "http.live.message_limit_bytes", "at least 1024 expected");
        check(self.ping_ms >= 10, "http.live.ping_ms", "at least 10 expected");
        check(self.silence_ms > self.ping_ms, "http.live.silence_ms", "more than http.live.ping_ms expected");
        check(self.send_timeout_ms >= 10, "http.live.send_timeout_ms", "at least 10 expected");
        check(self.recheck_ms >= 10, "http.live.recheck_ms", "at least 10 expected");
        problems
    }

    const fn ping_every(&self) -> Duration {
        Duration::from_millis(self.ping_ms)
    }

    const fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }

    const fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms)
    }

    const fn recheck_every(&self) -> Duration {
        Duration::from_millis(self.recheck_ms)
    }
}

/// Asks again whether this actor may still be connected. True too when that cannot be told at the moment: a database
/// that is away ends nobody's session.
pub type Recheck = Arc<dyn Fn(Actor) -> BoxFuture<'static, bool> + Send + Sync>;

/// Whether a page of this origin may open the socket: one of this host, or one allowed by configuration. A request
/// without an Origin is no browser's; it may only come with a token of its own, never with a cookie.
///
/// # Errors
/// Forbidden, for any other origin.
pub fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if !headers.contains_key(header::ORIGIN) {
        return if headers.contains_key(header::AUTHORIZATION) {
            Ok(())
        } else {
            Err(Error::forbidden("origin_missing", "A websocket without Origin needs an Authorization header."))
        };
    }
    let origin = text(header::ORIGIN).unwrap_or_default();
    let same_host = origin
        .split_once("://")
        .is_some_and(|(_, authority)| text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority)));
    if same_host || allowed.iter().any(|other| other == origin) {
        Ok(())
    } else {
        Err(Error::forbidden("origin_not_allowed", "A page of another site may not connect here."))
    }
}

/// Answers the upgrade and serves the socket until it ends, at the latest when the platform's tasks are shut down. The
/// caller has checked the origin ([`check_origin`]) and who it is.
pub fn serve(upgrade: WebSocketUpgrade, platform: &Platform, actor: Actor, recheck: Recheck) -> Response {
    let config = platform.config.http.live.clone();
    let connection = match platform.hub.connect(&actor, config.connections_per_user) {
        Ok(connection) => connection,
        Err(error) => return error.into_response(),
    };
    let tasks = platform.tasks.clone();
    upgrade
        .max_message_size(config.message_limit_bytes)
        .max_frame_size(config.message_limit_bytes)
        // Read buffers of 128 KiB each would be most of the memory of a thousand quiet tabs.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(32 * 1024)
        .on_upgrade(move |socket| async move {
            let shutdown = tasks.token();
            // In the registry of tasks, so that the shutdown waits for the close frames.
            tasks.spawn_once(Session::new(socket, connection, actor, recheck, config).run(shutdown));
        })
        .into_response()
}

/// Takes the upgrade of a page whose session is over, only to say so: a page cannot read why a handshake was refused, and
/// would show "offline" for ever. The caller has checked the origin ([`check_origin`]).
pub fn turn_away(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .on_upgrade(|mut socket| async move {
            session::close(&mut socket, CLOSE_SIGNED_OUT, "the session has ended").await;
        })
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_pages_of_this_host_or_allowed_ones_connect() {
        let same = headers(&[(header::HOST, "portico.example:3000"), (header::ORIGIN, "http://portico.example:3000")]);
        let other = headers(&[(header::HOST, "portico.example:3000"), (header::ORIGIN, "https://evil.example")]);
        let null = headers(&[(header::HOST, "portico.example:3000"), (header::ORIGIN, "null")]);
        assert!(check_origin(&same, &[]).is_ok());
        assert!(check_origin(&other, &[]).is_err());
        assert!(check_origin(&null, &[]).is_err());
        assert!(check_origin(&other, &["https://evil.example".to_owned()]).is_ok());
    }

    #[test]
    fn without_origin_a_cookie_is_not_enough() {
        assert!(check_origin(&headers(&[(header::COOKIE, "portico_access=x")]), &[]).is_err());
        assert!(check_origin(&headers(&[(header::AUTHORIZATION, "Bearer x")]), &[]).is_ok());
    }

    #[test]
    fn unreadable_origin_is_not_an_absent_one() {
        let mut odd = headers(&[(header::AUTHORIZATION, "Bearer x")]);
        odd.insert(header::ORIGIN, HeaderValue::from_bytes(b"https://\xff.example").unwrap());
        assert!(check_origin(&odd, &[]).is_err());
    }

    #[test]
    fn defaults_are_sound() {
        assert!(LiveConfig::default().problems().is_empty());
    }
}
