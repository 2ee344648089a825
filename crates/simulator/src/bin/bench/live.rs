//! Websocket clients that watch telemetry and count what reaches them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::measure::Latencies;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Clients that all watch the same devices.
pub struct Watchers {
    clients: JoinSet<Latencies>,
    counts: Arc<Counts>,
    stop: tokio_util::sync::CancellationToken,
}

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    samples: AtomicU64,
    left_out: AtomicU64,
    snapshots: AtomicU64,
    resyncs: AtomicU64,
    measuring: AtomicBool,
}

/// What reached all clients together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Frames with new values.
    pub events: u64,
    /// Time-stamped samples in them: one commit's messages of a device share a frame.
    pub samples: u64,
    /// Left out for slow clients, which were told so.
    pub left_out: u64,
    pub resyncs: u64,
}

/// A websocket, as a browser's, that has asked for these topics.
pub async fn follow(addr: &str, authorization: &str, topics: &[String]) -> Result<Socket> {
    let mut request = format!("ws://{addr}/ws").into_client_request()?;
    request.headers_mut().insert("authorization", HeaderValue::from_str(authorization)?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.context("opening a websocket")?;
    let subscribe = json!({ "op": "subscribe", "topics": topics }).to_string();
    socket.send(Message::text(subscribe)).await?;
    Ok(socket)
}

impl Watchers {
    /// Connects `count` clients, spread over the accounts; returns when each has its snapshots. The time in a message's
    /// `sent_us` value is counted from `epoch`.
    pub async fn connect(
        addr: &str,
        authorizations: &[String],
        count: usize,
        topics: &[String],
        epoch: Instant,
    ) -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let stop = tokio_util::sync::CancellationToken::new();
        let mut clients = JoinSet::new();
        for client in 0..count {
            let mut socket = follow(addr, &authorizations[client % authorizations.len()], topics).await?;
            let (counts, stop) = (counts.clone(), stop.clone());
            clients.spawn(async move {
                let mut latencies = Latencies::default();
                loop {
                    let message = tokio::select! {
                        () = stop.cancelled() => break,
                        message = socket.next() => message,
                    };
                    match message {
                        Some(Ok(Message::Text(text))) => note(&text, &counts, epoch, &mut latencies),
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    }
                }
                latencies
            });
        }
        let watchers = Self { clients, counts, stop };
        let expected = (count * topics.len()) as u64;
        let deadline = Instant::now() + Duration::from_secs(20);
        while watchers.counts.snapshots.load(Ordering::Relaxed) < expected {
            anyhow::ensure!(Instant::now() < deadline, "the websockets did not get their snapshots within 20 s");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(watchers)
    }

    /// From now on latencies are kept.
    pub fn measure(&self) {
        self.counts.measuring.store(true, Ordering::Relaxed);
    }

    pub fn seen(&self) -> Seen {
        Seen {
            events: self.counts.events.load(Ordering::Relaxed),
            samples: self.counts.samples.load(Ordering::Relaxed),
            left_out: self.counts.left_out.load(Ordering::Relaxed),
            resyncs: self.counts.resyncs.load(Ordering::Relaxed),
        }
    }

    /// Waits until nothing more arrives, at most 10 s.
    pub async fn settle(&self) {
        let mut before = self.seen().events;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = self.seen().events;
            if now == before {
                return;
            }
            before = now;
        }
    }

    pub async fn close(mut self) -> Latencies {
        self.stop.cancel();
        let mut all = Latencies::default();
        while let Some(latencies) = self.clients.join_next().await {
            all.join(latencies.unwrap_or_default());
        }
        all
    }
}

/// Reads only what is needed of a frame: full JSON parsing would make the load the bottleneck.
fn note(text: &str, counts: &Counts, epoch: Instant, latencies: &mut Latencies) {
    let arrived = epoch.elapsed();
    if text.starts_with(r#"{"op":"event""#) {
        counts.events.fetch_add(1, Ordering::Relaxed);
        let measuring = counts.measuring.load(Ordering::Relaxed);
        let mut rest = text;
        while let Some((sent, after)) = number_after(rest, SENT) {
            counts.samples.fetch_add(1, Ordering::Relaxed);
            if measuring {
                latencies.add(arrived.saturating_sub(Duration::from_micros(sent)));
            }
            rest = after;
        }
    } else if text.starts_with(r#"{"op":"snapshot""#) {
        counts.snapshots.fetch_add(1, Ordering::Relaxed);
    } else if text.starts_with(r#"{"op":"lagged""#) {
        counts
            .left_out
            .fetch_add(number_after(text, r#""dropped":"#).map_or(0, |(dropped, _)| dropped), Ordering::Relaxed);
    } else if text.starts_with(r#"{"op":"resync""#) {
        counts.resyncs.fetch_add(1, Ordering::Relaxed);
    } else if text.starts_with(r#"{"op":"error""#) {
        eprintln!("websocket: {text}");
    }
}

/// The key under which a message carries the time it was sent.
const SENT: &str = r#""sent_us":"#;

/// The number behind the first `key`, and the text behind it.
fn number_after<'a>(text: &'a str, key: &str) -> Option<(u64, &'a str)> {
    let rest = &text[text.find(key)? + key.len()..];
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..digits].parse().ok()?, &rest[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_found_behind_its_key() {
        assert_eq!(number_after(r#"{"a":1,"sent_us":1234.0}"#, SENT), Some((1234, ".0}")));
        assert_eq!(number_after("{}", SENT), None);
    }
}
