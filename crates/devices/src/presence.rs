//! When devices were last heard, whether they are online, and what they sent wrong: gathered in memory and written
//! about once a second, because a write for each message would cost more than the message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portico_alarms::Change;
use portico_model::devices::{Connection, HEARTBEAT_GRACE_MS, MISSED_HEARTBEATS_ALLOWED, StatusReport};
use portico_model::live::Event;
use portico_model::{ApiKeyId, DeviceId, Timestamp};
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Platform, Result};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::alarm_rules::Judge;
use crate::observer::Observers;
use crate::store::command;
use crate::store::presence::{self as store, Row};
use crate::store::problem::{self, Tally};
use crate::{Known, channel};

/// How often what was gathered is written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Changes of a connection are written at once, but not more often than this.
const FLUSH_PAUSE: Duration = Duration::from_millis(20);

/// Kinds of mistakes waiting to be written; beyond, only new kinds are lost, until the next write.
const MAX_TALLIES: usize = 10_000;

/// Bytes of a bad payload that are shown.
const SAMPLE_BYTES: usize = 200;

/// How long a device may be silent.
#[must_use]
pub const fn silence_allowed_ms(heartbeat_interval_s: i64) -> i64 {
    heartbeat_interval_s.saturating_mul(MISSED_HEARTBEATS_ALLOWED * 1000).saturating_add(HEARTBEAT_GRACE_MS)
}

#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    platform: Platform,
    judge: Judge,
    observers: Observers,
    /// One entry for each device heard since the last write: bounded by the devices there are.
    pending: Mutex<HashMap<DeviceId, Pending>>,
    tallies: Mutex<HashMap<(DeviceId, &'static str), Tally>>,
    keys: Mutex<HashMap<ApiKeyId, Timestamp>>,
    /// Devices written as online by this server and not seen to go offline since. Only a hint what to write at once.
    online: Mutex<std::collections::HashSet<DeviceId>>,
    urgent: Notify,
    /// A device came back: commands may wait for it.
    returned: Arc<Notify>,
    /// One write at a time, so that an older one never overtakes a newer.
    flushing: tokio::sync::Mutex<()>,
}

struct Pending {
    device: Arc<Known>,
    seen_at: Timestamp,
    report: Option<StatusReport>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// The data stays whole when a holder panics: every change under these locks is a single insert or remove.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    pub fn new(platform: Platform, judge: Judge, observers: Observers) -> Self {
        Self(Arc::new(Inner {
            platform,
            judge,
            observers,
            pending: Mutex::default(),
            tallies: Mutex::default(),
            keys: Mutex::default(),
            online: Mutex::default(),
            urgent: Notify::new(),
            returned: Arc::default(),
            flushing: tokio::sync::Mutex::default(),
        }))
    }

    /// The device was heard.
    pub fn seen(&self, device: &Arc<Known>, at: Timestamp) {
        {
            let mut pending = lock(&self.0.pending);
            match pending.entry(device.id) {
                Entry::Occupied(mut entry) => {
                    let entry = entry.get_mut();
                    // Heard again after it was said to be offline: it is online.
                    if at > entry.seen_at && entry.report.as_ref().is_some_and(|report| !report.online) {
                        entry.report = None;
                    }
                    entry.seen_at = entry.seen_at.max(at);
                }
                Entry::Vacant(entry) => {
                    entry.insert(Pending {
                        device: Arc::clone(device),
                        seen_at: at,
                        report: None,
                        waiting: Vec::new(),
                    });
                }
            }
        }
        if !lock(&self.0.online).contains(&device.id) {
            self.0.urgent.notify_one();
        }
    }

    /// The device said how it is, or its last will did. The receiver hears when that is committed.
    pub fn reported(&self, device: &Arc<Known>, at: Timestamp, report: StatusReport) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        {
            let mut pending = lock(&self.0.pending);
            match pending.entry(device.id) {
                Entry::Occupied(mut entry) => {
                    let entry = entry.get_mut();
                    if at >= entry.seen_at {
                        entry.seen_at = at;
                        entry.report = Some(match entry.report.take() {
                            Some(older) => report.over(older),
                            None => report,
                        });
                    }
                    entry.waiting.push(done);
                }
                Entry::Vacant(entry) => {
                    let device = Arc::clone(device);
                    entry.insert(Pending { device, seen_at: at, report: Some(report), waiting: vec![done] });
                }
            }
        }
        self.0.urgent.notify_one();
        wait
    }

    /// Counts a mistake; the first of its kind since the last write is kept as the sample.
    pub fn problem(&self, device: &Known, at: Timestamp, code: &'static str, message: &str, payload: &[u8]) {
        metrics::counter!("portico_payload_problems_total", "code" => code).increment(1);
        let mut tallies = lock(&self.0.tallies);
        let full = tallies.len() >= MAX_TALLIES;
        match tallies.entry((device.id, code)) {
            Entry::Occupied(mut entry) => entry.get_mut().count += 1,
            Entry::Vacant(_) if full => {}
            Entry::Vacant(entry) => {
                entry.insert(Tally {
                    organization: device.organization,
                    device: device.id,
                    code,
                    at,
                    message: printable(message.as_bytes()),
                    sample: printable(payload),
                    count: 1,
                });
            }
        }
    }

    /// The key was used.
    pub fn key_used(&self, key: ApiKeyId, at: Timestamp) {
        lock(&self.0.keys).insert(key, at);
    }

    /// Woken when a device has come back.
    pub fn returned(&self) -> Arc<Notify> {
        Arc::clone(&self.0.returned)
    }

    /// Forgets the hint that the device is online.
    pub fn went_offline(&self, device: DeviceId) {
        lock(&self.0.online).remove(&device);
    }

    /// Writes what was gathered, then tells who waits and who watches.
    ///
    /// # Errors
    /// When the database does not take it; nothing is forgotten then.
    pub async fn flush(&self) -> Result<()> {
        let _one_at_a_time = self.0.flushing.lock().await;
        self.flush_connections().await?;
        self.flush_tallies().await?;
        self.flush_keys().await
    }

    async fn flush_connections(&self) -> Result<()> {
        let pending = std::mem::take(&mut *lock(&self.0.pending));
        if pending.is_empty() {
            return Ok(());
        }
        match self.write(&pending).await {
            Ok((changes, alarms)) => {
                self.0.judge.alarms.announce(alarms);
                for (row, before) in &changes {
                    self.announce(row, before);
                }
                if changes.iter().any(|(after, before)| after.came_back(before)) {
                    self.0.returned.notify_one();
                }
                for waiting in pending.into_values().flat_map(|pending| pending.waiting) {
                    let _ = waiting.send(());
                }
                Ok(())
            }
            Err(error) => {
                self.put_back(pending);
                Err(error)
            }
        }
    }

    /// One transaction; the rows as they are now and as they were, and the alarms this raised or cleared.
    async fn write(&self, pending: &HashMap<DeviceId, Pending>) -> Result<(Vec<(Row, Row)>, Vec<Change>)> {
        let now = self.0.platform.clock.now();
        let mut changes = Vec::new();
        let mut tx = self.0.platform.db.begin().await?;
        // Sorted, so that two servers lock rows in the same order.
        let mut ids: Vec<DeviceId> = pending.keys().copied().collect();
        ids.sort_unstable();
        for ids in ids.chunks(store::CHUNK) {
            let mut rows = Vec::with_capacity(ids.len());
            for before in store::lock(&mut tx, ids).await? {
                let Some(entry) = pending.get(&before.id) else { continue };
                let mut after = before.clone();
                if after.apply(entry.seen_at, entry.device.heartbeat_interval_s, entry.report.as_ref()) {
                    rows.push((after, before));
                }
            }
            store::update(&mut tx, &rows).await?;
            for (after, before) in &rows {
                if after.came_back(before) {
                    let now = self.0.platform.clock.now();
                    command::wake(&mut tx, after.organization_id, after.id, now).await?;
                }
            }
            changes.extend(rows);
        }
        let moved: Vec<_> = changes
            .iter()
            .filter(|(after, before)| after.connection != before.connection)
            .map(|(after, before)| {
                let is_online = after.connection == Connection::Online.as_str();
                (after.id, is_online, before.last_seen_at.unwrap_or(now))
            })
            .collect();
        let alarms = self.0.judge.connections(&mut tx, &moved, now).await?;
        tx.commit().await?;
        Ok((changes, alarms))
    }

    fn announce(&self, after: &Row, before: &Row) {
        {
            let mut online = lock(&self.0.online);
            if after.connection == Connection::Online.as_str() {
                online.insert(after.id);
            } else {
                online.remove(&after.id);
            }
        }
        if after.connection != before.connection {
            self.tell_observers(after);
        }
        let Some(event) = after.event() else { return };
        if after.differs(before) {
            self.0.observers.diagnostics_changed(after.organization_id, after.id);
            self.0.platform.hub.publish(channel::about(after.organization_id, after.owner_id, after.id, event));
        } else {
            // Only the time it was last seen: of interest to those who look at this device alone.
            self.0.platform.hub.publish(Publication {
                channels: vec![channel::device(after.organization_id, after.id)],
                event,
                delivery: Delivery::Latest,
            });
        }
    }

    fn tell_observers(&self, row: &Row) {
        if let Some(connection) = Connection::parse(&row.connection) {
            self.0.observers.connection_changed(row.organization_id, row.id, connection);
        }
    }

    fn put_back(&self, older: HashMap<DeviceId, Pending>) {
        let mut pending = lock(&self.0.pending);
        for (id, mut entry) in older {
            match pending.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(entry);
                }
                Entry::Occupied(mut place) => {
                    let newer = place.get_mut();
                    newer.waiting.append(&mut entry.waiting);
                    newer.report = match (newer.report.take(), entry.report) {
                        (Some(new), Some(old)) => Some(new.over(old)),
                        // It was heard since: what it reported of itself stands, that it was offline does not.
                        (None, Some(old)) => Some(StatusReport { online: true, ..old }),
                        (new, None) => new,
                    };
                }
            }
        }
    }

    async fn flush_tallies(&self) -> Result<()> {
        let tallies = std::mem::take(&mut *lock(&self.0.tallies));
        if tallies.is_empty() {
            return Ok(());
        }
        let written = async {
            let mut tx = self.0.platform.db.begin().await?;
            let mut sorted: Vec<_> = tallies.values().collect();
            sorted.sort_by_key(|tally| (tally.device, tally.code));
            for tally in sorted {
                problem::add(&mut tx, tally).await?;
            }
            tx.commit().await
        }
        .await;
        if written.is_err() {
            let mut newer = lock(&self.0.tallies);
            for (key, tally) in tallies {
                newer.entry(key).and_modify(|newer| newer.count += tally.count).or_insert(tally);
            }
        }
        written
    }

    async fn flush_keys(&self) -> Result<()> {
        let keys = std::mem::take(&mut *lock(&self.0.keys));
        if keys.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.platform.db.begin().await?;
        for (key, at) in keys {
            crate::store::key::touch(&mut tx, key, at).await?;
        }
        tx.commit().await
    }

    /// The writer's life.
    pub async fn run(&self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                () = self.0.urgent.notified() => tokio::time::sleep(FLUSH_PAUSE).await,
                () = tokio::time::sleep(FLUSH_EVERY) => {}
                () = cancel.cancelled() => {
                    if let Err(error) = self.flush().await {
                        tracing::warn!(error = %error, "last sightings of devices not written");
                    }
                    return;
                }
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(error = %error, "sightings of devices not written; trying again");
                tokio::time::sleep(FLUSH_EVERY).await;
            }
        }
    }

    /// Marks devices offline that have missed their deadline; how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self) -> Result<usize> {
        // What was heard a moment ago must count.
        self.flush().await?;
        let now = self.0.platform.clock.now();
        let mut swept = 0;
        loop {
            let mut tx = self.0.platform.db.read().await?;
            let any = store::any_overdue(&mut tx, now).await?;
            drop(tx);
            if !any {
                return Ok(swept);
            }
            let mut tx = self.0.platform.db.begin().await?;
            let rows = store::mark_overdue_offline(&mut tx, now).await?;
            let moved: Vec<_> = rows.iter().map(|row| (row.id, false, row.last_seen_at.unwrap_or(now))).collect();
            let alarms = self.0.judge.connections(&mut tx, &moved, now).await?;
            tx.commit().await?;
            self.0.judge.alarms.announce(alarms);
            swept += rows.len();
            for row in rows {
                self.went_offline(row.id);
                self.tell_observers(&row);
                if let Some(event) = row.event() {
                    self.0.platform.hub.publish(channel::about(row.organization_id, row.owner_id, row.id, event));
                }
            }
        }
    }
}

impl Row {
    /// Takes in what was heard; false when it is older than what is known.
    fn apply(&mut self, seen_at: Timestamp, heartbeat_interval_s: i64, report: Option<&StatusReport>) -> bool {
        if self.last_seen_at.is_some_and(|last| last > seen_at) {
            return false;
        }
        let online = report.is_none_or(|report| report.online);
        if let Some(report) = report {
            if let Some(issue) = &report.issue {
                self.issue.clone_from(issue);
            }
            self.battery_percent = report.battery_percent.or(self.battery_percent);
            self.rssi_dbm = report.rssi_dbm.or(self.rssi_dbm);
            if let Some(firmware) = &report.firmware_version {
                self.firmware_version.clone_from(firmware);
            }
        }
        if online {
            self.connection = Connection::Online.as_str().to_owned();
            self.last_seen_at = Some(seen_at);
            self.deadline_at = Some(seen_at.plus_millis(silence_allowed_ms(heartbeat_interval_s)));
        } else {
            // A last will is the broker's word, not the device's: it was not seen.
            let heard = self.last_seen_at.is_some();
            self.connection = if heard { Connection::Offline } else { Connection::Never }.as_str().to_owned();
            self.deadline_at = None;
        }
        true
    }

    fn came_back(&self, before: &Self) -> bool {
        self.connection == Connection::Online.as_str() && before.connection != self.connection
    }

    fn differs(&self, before: &Self) -> bool {
        self.connection != before.connection
            || self.issue != before.issue
            || self.battery_percent != before.battery_percent
            || self.rssi_dbm != before.rssi_dbm
            || self.firmware_version != before.firmware_version
    }

    fn event(&self) -> Option<Event> {
        Some(Event::DeviceConnection {
            id: self.id,
            connection: Connection::parse(&self.connection)?,
            last_seen_at: self.last_seen_at,
            issue: self.issue.clone(),
            battery_percent: self.battery_percent,
            rssi_dbm: self.rssi_dbm,
        })
    }
}

/// The beginning of something a stranger sent, without control characters.
fn printable(bytes: &[u8]) -> String {
    let end = bytes.len().min(SAMPLE_BYTES);
    let mut text: String = String::from_utf8_lossy(&bytes[..end])
        .chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if end < bytes.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_payloads_are_short_and_printable() {
        assert_eq!(printable(b"a\0b\n\xff"), "a\u{fffd}b\u{fffd}\u{fffd}");
        assert_eq!(printable(&[b'x'; 1000]).chars().count(), SAMPLE_BYTES + 1);
    }
}
