//! One live connection, from the upgrade to the close frame: a single task that reads, subscribes and writes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};
use portico_model::live::{ClientMessage, ServerMessage};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::{
    CLOSE_GOING_AWAY, CLOSE_POLICY, CLOSE_RIGHTS_CHANGED, CLOSE_SIGNED_OUT, CLOSE_TOO_BIG, LiveConfig, Recheck,
};
use crate::BoxFuture;
use crate::actor::Actor;
use crate::error::Result;
use crate::hub::{CloseReason, Connection, Outgoing, Snapshot};

/// Frames written before the socket is flushed: they share system calls.
const FRAMES_PER_FLUSH: usize = 256;
/// Snapshots read at the same time for one connection: a tab full of topics must not take all database connections.
const SNAPSHOTS_AT_ONCE: usize = 4;
/// Longest topic; a longer one is none.
const MAX_TOPIC_BYTES: usize = 128;
/// How long the client gets to answer a close frame.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Why a connection ends; `None` when the other side is gone anyway.
type Ended = Option<(u16, &'static str)>;

/// What was done beside reading and writing.
enum Done {
    Subscribed { topic: String, result: Result<Snapshot> },
    Rechecked { is_good: bool },
}

pub(super) struct Session {
    socket: WebSocket,
    connection: Arc<Connection>,
    actor: Arc<Actor>,
    recheck: Recheck,
    config: LiveConfig,
    heard: Instant,
    pace: Pace,
    /// What the client follows or is about to.
    wanted: HashSet<String>,
    /// Subscriptions to begin, each topic at most once.
    waiting: VecDeque<String>,
    /// Topics whose snapshot is being read; false when the client has lost interest meanwhile.
    reading: HashMap<String, bool>,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl Session {
    pub fn new(socket: WebSocket, connection: Connection, actor: Actor, recheck: Recheck, config: LiveConfig) -> Self {
        Self {
            socket,
            connection: Arc::new(connection),
            actor: Arc::new(actor),
            recheck,
            heard: Instant::now(),
            pace: Pace::new(config.messages_per_s),
            config,
            wanted: HashSet::new(),
            waiting: VecDeque::new(),
            reading: HashMap::new(),
            jobs: FuturesUnordered::new(),
        }
    }

    pub async fn run(mut self, shutdown: CancellationToken) {
        if let Some((code, reason)) = self.converse(&shutdown).await {
            close(&mut self.socket, code, reason).await;
        }
    }

    async fn converse(&mut self, shutdown: &CancellationToken) -> Ended {
        let connection = Arc::clone(&self.connection);
        let mut outgoing = Vec::new();
        let mut ping = tokio::time::interval_at(Instant::now() + self.config.ping_every(), self.config.ping_every());
        let mut recheck =
            tokio::time::interval_at(Instant::now() + self.config.recheck_every(), self.config.recheck_every());
        loop {
            let may_read = self.pace.free_at() <= Instant::now();
            let step = tokio::select! {
                () = shutdown.cancelled() => Err(Some((CLOSE_GOING_AWAY, "the server is restarting"))),
                taken = connection.mailbox().take(&mut outgoing, FRAMES_PER_FLUSH) => match taken {
                    Ok(()) => self.send_all(&mut outgoing).await,
                    Err(CloseReason::SessionEnded) => Err(Some((CLOSE_SIGNED_OUT, "the session has ended"))),
                    Err(CloseReason::RightsChanged) => Err(Some((CLOSE_RIGHTS_CHANGED, "rights have changed"))),
                },
                Some(done) = self.jobs.next() => self.finish(done).await,
                message = self.socket.next(), if may_read => self.receive(message).await,
                () = sleep_until(self.pace.free_at()), if !may_read => Ok(()),
                () = sleep_until(self.heard + self.config.silence()) => {
                    Err(Some((CLOSE_POLICY, "nothing was heard for too long")))
                }
                _ = ping.tick() => self.send(Message::Ping(bytes::Bytes::new())).await,
                _ = recheck.tick() => {
                    let (recheck, actor) = (Arc::clone(&self.recheck), Actor::clone(&self.actor));
                    self.jobs.push(Box::pin(async move { Done::Rechecked { is_good: recheck(actor).await } }));
                    Ok(())
                }
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    async fn receive(&mut self, message: Option<std::result::Result<Message, axum::Error>>) -> Result<(), Ended> {
        let message = match message {
            None => return Err(None),
            Some(Err(error)) => return Err(is_too_big(error).then_some((CLOSE_TOO_BIG, "the message is too large"))),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        self.pace.pay(self.heard, 1);
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.refuse(None, "not_text", "Send JSON in text frames.").await,
            Message::Close(_) => return Err(None),
            // The library answers pings by itself.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Subscribe { topics }) => {
                self.pace.pay(self.heard, topics.len());
                self.subscribe(topics).await
            }
            Ok(ClientMessage::Unsubscribe { topics }) => {
                self.unsubscribe(&topics);
                Ok(())
            }
            Ok(ClientMessage::Ping) => self.reply(&ServerMessage::Pong).await,
            Err(_) => self.refuse(None, "bad_message", "This is no message of the live protocol.").await,
        }
    }

    async fn subscribe(&mut self, topics: Vec<String>) -> Result<(), Ended> {
        if topics.len() > self.config.topics_per_connection {
            return self.refuse(None, "too_many_topics", "Too many topics in one message.").await;
        }
        for topic in topics {
            if topic.len() > MAX_TOPIC_BYTES {
                self.refuse(None, "unknown_topic", "There is no such topic, or you may not follow it.").await?;
            } else if !self.wanted.contains(&topic) && self.wanted.len() >= self.config.topics_per_connection {
                self.refuse(Some(topic), "too_many_topics", "Too many topics on one connection.").await?;
            } else {
                self.wanted.insert(topic.clone());
                if !self.waiting.contains(&topic) {
                    self.waiting.push_back(topic);
                }
            }
        }
        self.begin_waiting();
        Ok(())
    }

    fn unsubscribe(&mut self, topics: &[String]) {
        for topic in topics {
            self.wanted.remove(topic);
            self.waiting.retain(|waiting| waiting != topic);
            if let Some(is_wanted) = self.reading.get_mut(topic) {
                *is_wanted = false;
            }
            self.connection.unsubscribe(topic);
        }
    }

    /// Reads as many snapshots as may be read at once; of one topic only one at a time, so that none overtakes another.
    fn begin_waiting(&mut self) {
        let mut at = 0;
        while self.reading.len() < SNAPSHOTS_AT_ONCE && at < self.waiting.len() {
            if self.waiting.get(at).is_some_and(|topic| self.reading.contains_key(topic)) {
                at += 1;
                continue;
            }
            let Some(topic) = self.waiting.remove(at) else { return };
            self.reading.insert(topic.clone(), true);
            let (connection, actor) = (Arc::clone(&self.connection), Arc::clone(&self.actor));
            self.jobs.push(Box::pin(async move {
                let result = connection.subscribe(&actor, &topic).await;
                Done::Subscribed { topic, result }
            }));
        }
    }

    async fn finish(&mut self, done: Done) -> Result<(), Ended> {
        let (topic, result) = match done {
            Done::Rechecked { is_good: true } => return Ok(()),
            Done::Rechecked { is_good: false } => return Err(Some((CLOSE_SIGNED_OUT, "the session has ended"))),
            Done::Subscribed { topic, result } => (topic, result),
        };
        let is_wanted = self.reading.remove(&topic).unwrap_or(false);
        let written = match result {
            Ok(_) if !is_wanted => {
                self.connection.unsubscribe(&topic);
                Ok(())
            }
            // What waits in the mailbox follows only now, so that the snapshot is before its events.
            Ok(Snapshot { seq, data, slot, .. }) => {
                let written = self.reply(&ServerMessage::Snapshot { topic, seq, data }).await;
                self.connection.release(slot);
                written
            }
            Err(_) if !is_wanted => Ok(()),
            Err(error) => {
                self.wanted.remove(&topic);
                if error.status().is_server_error() {
                    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(code = error.code(), source, "snapshot of a live topic failed: {error}");
                }
                self.refuse(Some(topic), error.code(), error.message()).await
            }
        };
        self.begin_waiting();
        written
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
        let sent = timeout(self.config.send_timeout(), self.socket.send(message)).await;
        // So long means a client that no longer reads; nothing polite would reach it.
        sent.map_err(|_| None)?.map_err(|_| None)
    }

    /// Writes all that waits, with one flush at the end.
    async fn send_all(&mut self, outgoing: &mut Vec<Outgoing>) -> Result<(), Ended> {
        let write = async {
            for outgoing in outgoing.drain(..) {
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
        timeout(self.config.send_timeout(), write).await.map_err(|_| None)?.map_err(|_: axum::Error| None)
    }
}

fn is_too_big(error: axum::Error) -> bool {
    use tokio_tungstenite::tungstenite::Error as Websocket;
    error.into_inner().downcast_ref::<Websocket>().is_some_and(|error| matches!(error, Websocket::Capacity(_)))
}

fn text_of(message: &ServerMessage<Value>) -> Option<Utf8Bytes> {
    serde_json::to_string(message)
        .inspect_err(|error| tracing::error!(%error, "live message cannot be serialised"))
        .ok()
        .map(Utf8Bytes::from)
}

/// Ends the connection, with the reason.
pub async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let farewell = async {
        socket.send(Message::Close(Some(frame))).await?;
        // Leaving at once, with something unread, would make the system throw the close frame away.
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), axum::Error>(())
    };
    let _ = timeout(CLOSE_WAIT, farewell).await;
}
