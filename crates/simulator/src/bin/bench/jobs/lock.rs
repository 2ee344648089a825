//! Somebody clicks, a lock does it, somebody else sees it: POST → commit → MQTT → the lock checks, moves and answers →
//! commit → another person's websocket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use portico_model::DeviceId;
use portico_simulator::access::{Lock, Unit, UnitOptions};
use portico_simulator::state::KnownDevice;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{Bench, Meter, number};
use crate::http;
use crate::live::{Socket, follow};
use crate::load::{self, Questions};
use crate::measure::Latencies;
use crate::report::{Goal, Report};

const LOCKS: usize = 50;
/// Each lock is told something once a second.
const PER_SECOND: u32 = 50;
const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

/// A command whose end nobody has seen yet.
struct Waiting {
    position: &'static str,
    due: Instant,
}

/// By lock.
type AllWaiting = Arc<Mutex<HashMap<DeviceId, Waiting>>>;

/// Clicks, by turns on every lock: all are locked, all are unlocked, all are locked…
#[derive(Clone)]
struct Clicks {
    host: Arc<str>,
    authorization: Arc<str>,
    locks: Arc<Vec<DeviceId>>,
    waiting: AllWaiting,
}

impl Clicks {
    fn command(&self, number: u64) -> (DeviceId, &'static str, &'static str) {
        let number = usize::try_from(number).unwrap_or(0);
        let (name, position) =
            if (number / self.locks.len()).is_multiple_of(2) { ("lock", "locked") } else { ("unlock", "unlocked") };
        (self.locks[number % self.locks.len()], name, position)
    }
}

impl Questions for Clicks {
    fn request(&self, number: u64, due: Instant) -> Vec<u8> {
        let (lock, name, position) = self.command(number);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(lock, Waiting { position, due });
        let path = format!("/api/v1/locks/{lock}/{name}");
        http::request("POST", &path, &self.host, ("Authorization", &self.authorization), "{}")
    }

    fn check(&self, number: u64, answer: &[u8]) -> Result<()> {
        let (lock, _, position) = self.command(number);
        let told: Shown = serde_json::from_slice(answer)?;
        ensure!(told.id == lock && told.wanted.as_deref() == Some(position), "answered {told:?}");
        Ok(())
    }
}

/// What matters of a lock.
#[derive(Debug, Deserialize)]
struct Shown {
    id: DeviceId,
    position: String,
    wanted: Option<String>,
}

/// A frame of the live protocol.
#[derive(Deserialize)]
struct Frame {
    op: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    lock: Option<Shown>,
}

impl Bench<'_> {
    /// 50 clicks a second on 50 locks, seen in another session's list of locks.
    pub(super) async fn lock(&self, report: &mut Report) -> Result<()> {
        let (clicking, watching) = (self.server.api()?, self.server.api()?);
        let stop = CancellationToken::new();
        let mut units = Vec::with_capacity(LOCKS);
        let own = Arc::new(self.server.api()?);
        let (host, port) = self.server.mqtt.rsplit_once(':').context("the broker's address has no port")?;
        let options = UnitOptions::new(host, port.parse()?);
        for index in 0..LOCKS {
            let new = json!({ "name": format!("Bench lock {index:02}"), "hardware_id": format!("bench-lock-{index}") });
            let made = clicking.call(Method::POST, "/api/v1/locks", Some(&new)).await?;
            let id: DeviceId = made["lock"]["id"].as_str().unwrap_or_default().parse().context("no id of the lock")?;
            let api_key = made["api_key"].as_str().context("no key of the lock")?.to_owned();
            let known = KnownDevice { id, api_key, history_until: None };
            units.push(Unit::start("lock", Lock::default(), own.clone(), known, options.clone(), stop.clone()));
        }
        // Each is there, and unlocked, before anything is measured.
        for unit in &units {
            ensure!(unit.until(PATIENCE, |seen| seen.connected).await, "a lock does not connect");
            let path = format!("/api/v1/locks/{}/unlock", unit.id);
            clicking.call(Method::POST, &path, Some(&json!({}))).await?;
        }
        for unit in &units {
            ensure!(unit.until(PATIENCE, |seen| seen.face["state"] == "unlocked").await, "a lock does not unlock");
        }
        let clicks = Clicks {
            host: self.server.http.as_str().into(),
            authorization: clicking.authorization().await?.into(),
            locks: Arc::new(units.iter().map(|unit| unit.id).collect()),
            waiting: AllWaiting::default(),
        };
        for _ in 0..self.arguments.runs {
            self.click(&clicks, &watching.authorization().await?, report).await?;
        }
        stop.cancel();
        for unit in units {
            unit.wait().await;
        }
        Ok(())
    }

    async fn click(&self, clicks: &Clicks, watching: &str, report: &mut Report) -> Result<()> {
        // All locks are locked and unlocked again, so that the next run finds them as this one did.
        let length = Duration::from_secs(self.arguments.seconds.next_multiple_of(2));
        let mut socket = follow(&self.server.http, watching, &["locks".to_owned()]).await?;
        let shown = tokio::time::timeout(PATIENCE, next(&mut socket)).await.context("no snapshot within 30 s")??;
        ensure!(shown.op == "snapshot", "the websocket began with {:?}", shown.op);
        let stop = CancellationToken::new();
        let watcher = tokio::spawn(watch(socket, clicks.waiting.clone(), stop.clone()));

        let meter = Meter::begin(self.server.process());
        let mut accepted = load::planned(&self.server.http, PER_SECOND, length, CONNECTIONS, clicks.clone()).await?;
        let (_, server_cpu, _) = meter.end();
        let deadline = Instant::now() + Duration::from_secs(5);
        let nothing_waits = || clicks.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        while !nothing_waits() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        let mut seen = watcher.await??;
        clicks.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();

        let count = number(accepted.len());
        let goal = Some(Goal::AtMost(50.0));
        report.percentiles(self.database, "click → lock → browsers at 50/s", goal, &mut seen);
        self.add(report, "  commands not seen done", "", Some(Goal::AtMost(0.0)), count - number(seen.len()));
        self.add(report, "  click → accepted p50", "ms", None, accepted.percentile_ms(50.0));
        self.add(report, "  server CPU per command", "µs", None, server_cpu / count);
        Ok(())
    }
}

/// Notes when the browser is shown that a lock has done what it was told.
async fn watch(mut socket: Socket, waiting: AllWaiting, stop: CancellationToken) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    loop {
        let frame = tokio::select! {
            () = stop.cancelled() => return Ok(latencies),
            frame = next(&mut socket) => frame?,
        };
        let Some(lock) = frame.data.lock.filter(|lock| lock.wanted.is_none()) else { continue };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(&lock.id).is_some_and(|waiting| waiting.position == lock.position)
            && let Some(Waiting { due, .. }) = waiting.remove(&lock.id)
        {
            latencies.add(due.elapsed());
        }
    }
}

async fn next(socket: &mut Socket) -> Result<Frame> {
    loop {
        if let Message::Text(text) = socket.next().await.context("the websocket was closed")?? {
            return serde_json::from_str(&text).context("reading a frame of the websocket");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lock_is_told_the_other_thing_each_time() {
        let other = "0193a000000070008000000000000001".parse().unwrap();
        let locks = Arc::new(vec![DeviceId::nil(), other]);
        let clicks = Clicks { host: "h".into(), authorization: "a".into(), locks, waiting: AllWaiting::default() };
        let told: Vec<_> = (0..6).map(|number| clicks.command(number).1).collect();
        assert_eq!(told, ["lock", "lock", "unlock", "unlock", "lock", "lock"]);
        assert_eq!(clicks.command(0).0, clicks.command(2).0);
        assert_ne!(clicks.command(0).0, clicks.command(1).0);
    }

    #[test]
    fn frames_with_and_without_a_lock_are_read() {
        let id = DeviceId::nil();
        let text = format!(
            r#"{{"op":"event","topic":"locks","seq":2,"data":{{"type":"lock_changed","lock":{{"id":"{id}","position":"unlocking","wanted":"unlocked"}}}}}}"#
        );
        let frame: Frame = serde_json::from_str(&text).unwrap();
        assert_eq!(frame.data.lock.unwrap().wanted.as_deref(), Some("unlocked"));
        let other: Frame = serde_json::from_str(r#"{"op":"snapshot","data":{"locks":[],"next":null}}"#).unwrap();
        assert!(other.data.lock.is_none());
        let pong: Frame = serde_json::from_str(r#"{"op":"pong"}"#).unwrap();
        assert_eq!(pong.op, "pong");
    }
}
