//! `/ws`: the one websocket of a tab. Subscribe to topics, get a snapshot of each and then its events
//! (`docs/asyncapi.yaml`).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use portico_model::live::{ClientMessage, ServerMessage};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::BoxFuture;
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::hub::{CloseReason, Connection, Hub, Outgoing};

/// Topics that one connection may follow.
pub const MAX_TOPICS: usize = 200;
/// Connections that one person may have: a tab each, and some to spare.
pub const MAX_CONNECTIONS_PER_USER: usize = 50;
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// A client that sends more in ten seconds is closed.
const MAX_MESSAGES_PER_10_S: u32 = 400;
const PING_EVERY: Duration = Duration::from_secs(20);
const SILENCE_ALLOWED: Duration = Duration::from_secs(45);
/// Frames written before the socket is flushed.
const MAX_FRAMES_PER_FLUSH: usize = 256;
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a connection asks whether its session is still good, in case another server ended it.
const RECHECK_EVERY: Duration = Duration::from_secs(60);

/// Going away: the server stops; come back in a moment.
const CLOSE_GOING_AWAY: u16 = 1001;
/// The session ended: sign in again.
const CLOSE_SIGNED_OUT: u16 = 4401;
/// A limit was passed.
const CLOSE_POLICY: u16 = 1008;

/// Asks again whether this actor may still be connected.
pub type Recheck = Arc<dyn Fn(Actor) -> BoxFuture<'static, bool> + Send + Sync>;

/// Whether a page of this origin may open the socket: one of this host, or one allowed by configuration. A request
/// without an Origin is no browser's; it may only come with a token of its own, never with a cookie.
///
/// # Errors
/// Forbidden, for any other origin.
pub fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else {
        return if headers.contains_key(header::AUTHORIZATION) {
            Ok(())
        } else {
            Err(Error::forbidden("origin_missing", "A websocket without Origin needs an Authorization header."))
        };
    };
    let same_host = origin
        .split_once("://")
        .is_some_and(|(_, authority)| text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority)));
    if same_host || allowed.iter().any(|other| other == origin) {
        Ok(())
    } else {
        Err(Error::forbidden("origin_not_allowed", "A page of another site may not connect here."))
    }
}

/// Answers the upgrade and serves the socket until it ends.
pub fn serve(
    upgrade: WebSocketUpgrade,
    hub: Hub,
    actor: Actor,
    recheck: Recheck,
    shutdown: CancellationToken,
) -> Response {
    let connection = match hub.connect(&actor, MAX_CONNECTIONS_PER_USER) {
        Ok(connection) => connection,
        Err(error) => return error.into_response(),
    };
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| async move {
            let session = Session { connection, actor, recheck, socket, heard: Instant::now(), messages: 0 };
            session.run(shutdown).await;
        })
        .into_response()
}

struct Session {
    connection: Connection,
    actor: Actor,
    recheck: Recheck,
    socket: WebSocket,
    heard: Instant,
    messages: u32,
}

/// Why a connection ends; `None` when the other side is gone anyway.
type Ended = Option<(u16, &'static str)>;

impl Session {
    async fn run(mut self, shutdown: CancellationToken) {
        let ended = self.converse(&shutdown).await;
        if let Some((code, reason)) = ended {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            let _ = timeout(SEND_TIMEOUT, self.socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Ended {
        let mut waiting = Vec::new();
        let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let mut recheck = tokio::time::interval_at(Instant::now() + RECHECK_EVERY, RECHECK_EVERY);
        let mut window = tokio::time::interval(Duration::from_secs(10));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Some((CLOSE_GOING_AWAY, "the server is restarting")),
                taken = self.connection.mailbox().take(&mut waiting, MAX_FRAMES_PER_FLUSH) => match taken {
                    Ok(()) => {
                        if let Err(ended) = self.send_all(std::mem::take(&mut waiting)).await {
                            return ended;
                        }
                    }
                    Err(CloseReason::SessionEnded) => return Some((CLOSE_SIGNED_OUT, "the session has ended")),
                },
                message = self.socket.next() => match message {
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        if let Err(ended) = self.receive(message).await {
                            return ended;
                        }
                    }
                    Some(Err(_)) | None => return None,
                },
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENCE_ALLOWED {
                        return Some((CLOSE_POLICY, "nothing was heard"));
                    }
                    if let Err(ended) = self.send(Message::Ping(bytes::Bytes::new())).await {
                        return ended;
                    }
                },
                _ = recheck.tick() => {
                    if !(self.recheck)(self.actor.clone()).await {
                        return Some((CLOSE_SIGNED_OUT, "the session has ended"));
                    }
                },
                _ = window.tick() => self.messages = 0,
            }
        }
    }

    async fn receive(&mut self, message: Message) -> Result<(), Ended> {
        self.messages += 1;
        if self.messages > MAX_MESSAGES_PER_10_S {
            return Err(Some((CLOSE_POLICY, "too many messages")));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.refuse(None, "not_text", "Send JSON in text frames.").await,
            Message::Close(_) => return Err(None),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Subscribe { topics }) => {
                for topic in topics {
                    self.subscribe(topic).await?;
                }
                Ok(())
            }
            Ok(ClientMessage::Unsubscribe { topics }) => {
                topics.iter().for_each(|topic| self.connection.unsubscribe(topic));
                Ok(())
            }
            Ok(ClientMessage::Ping) => self.reply(&ServerMessage::Pong).await,
            Err(_) => self.refuse(None, "bad_message", "This is no message of the live protocol.").await,
        }
    }

    async fn subscribe(&mut self, topic: String) -> Result<(), Ended> {
        if !self.connection.follows(&topic) && self.connection.topic_count() >= MAX_TOPICS {
            return self.refuse(Some(topic), "too_many_topics", "Too many topics on one connection.").await;
        }
        match self.connection.subscribe(&self.actor, &topic).await {
            Ok(mut snapshot) => {
                let data = std::mem::take(&mut snapshot.data);
                self.reply(&ServerMessage::Snapshot { topic, seq: snapshot.seq, data }).await?;
                self.connection.release(&snapshot);
                Ok(())
            }
            Err(error) => self.refuse(Some(topic), error.code(), error.message()).await,
        }
    }

    async fn refuse(&mut self, topic: Option<String>, code: &str, message: &str) -> Result<(), Ended> {
        self.reply(&ServerMessage::Error { topic, code: code.to_owned(), message: message.to_owned() }).await
    }

    async fn reply(&mut self, message: &ServerMessage<Value>) -> Result<(), Ended> {
        match text_of(message) {
            Some(text) => self.send(Message::Text(text)).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        // A send that takes so long means a client that no longer reads; nothing polite would reach it.
        timeout(SEND_TIMEOUT, self.socket.send(message)).await.map_err(|_| None)?.map_err(|_| None)
    }

    /// Writes all that waits with one flush at the end: frames share system calls.
    async fn send_all(&mut self, waiting: Vec<Outgoing>) -> Result<(), Ended> {
        let write = async {
            for outgoing in waiting {
                let text = match outgoing {
                    Outgoing::Frame(text) => Some(text),
                    Outgoing::Lagged { topic, dropped, seq } => {
                        text_of(&ServerMessage::<Value>::Lagged { topic: topic.to_string(), dropped, seq })
                    }
                    Outgoing::Resync { topic } => text_of(&ServerMessage::<Value>::Resync { topic: topic.to_string() }),
                };
                if let Some(text) = text {
                    self.socket.feed(Message::Text(text)).await?;
                }
            }
            self.socket.flush().await
        };
        timeout(SEND_TIMEOUT, write).await.map_err(|_| None)?.map_err(|_: axum::Error| None)
    }
}

fn text_of(message: &ServerMessage<Value>) -> Option<Utf8Bytes> {
    serde_json::to_string(message)
        .inspect_err(|error| tracing::error!(%error, "live message cannot be serialised"))
        .ok()
        .map(Utf8Bytes::from)
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
        assert!(check_origin(&same, &[]).is_ok());
        assert!(check_origin(&other, &[]).is_err());
        assert!(check_origin(&other, &["https://evil.example".to_owned()]).is_ok());
    }

    #[test]
    fn without_origin_a_cookie_is_not_enough() {
        assert!(check_origin(&headers(&[(header::COOKIE, "portico_access=x")]), &[]).is_err());
        assert!(check_origin(&headers(&[(header::AUTHORIZATION, "Bearer x")]), &[]).is_ok());
    }
}
