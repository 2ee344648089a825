//! What a live event does to what a page shows. Plain functions: no signals, no clock, no I/O.

use portico_model::devices::{Connection, Device, DeviceStatus};
use portico_model::live::Event;
use portico_model::telemetry::{LatestValue, Sample};
use portico_model::{DeviceId, Timestamp};
use serde::Deserialize;
use serde_json::Value as Json;

/// How many entries the feed of the overview keeps.
const FEED_LENGTH: usize = 40;
/// Below this a battery wants attention, percent.
const LOW_BATTERY_PERCENT: f64 = 20.0;

/// Applies an event to a device. Whether anything that is shown changed.
pub fn fold_device(device: &mut Device, event: &Event) -> bool {
    match event {
        Event::DeviceChanged { device: changed } if changed.id == device.id => {
            let differs = device != changed;
            *device = changed.clone();
            differs
        }
        Event::DeviceConnection { id, connection, last_seen_at, issue, battery_percent, rssi_dbm }
            if *id == device.id =>
        {
            let differs = device.connection != *connection
                || device.issue != *issue
                || device.battery_percent != *battery_percent
                || device.rssi_dbm != *rssi_dbm;
            device.connection = *connection;
            device.last_seen_at = (*last_seen_at).max(device.last_seen_at);
            device.issue.clone_from(issue);
            device.battery_percent = *battery_percent;
            device.rssi_dbm = *rssi_dbm;
            differs
        }
        _ => false,
    }
}

/// Applies newer samples to the latest values, sorted by key. The keys whose value was replaced.
pub fn fold_latest(values: &mut Vec<LatestValue>, samples: &[Sample]) -> Vec<String> {
    let mut changed = Vec::new();
    for sample in samples {
        for (key, value) in &sample.data {
            let latest = LatestValue { key: key.clone(), value: value.clone(), ts: sample.ts };
            match values.binary_search_by(|known| known.key.as_str().cmp(key)) {
                Ok(at) => {
                    // Late and repeated data is not the latest.
                    if values.get(at).is_some_and(|known| sample.ts > known.ts)
                        && let Some(known) = values.get_mut(at)
                    {
                        *known = latest;
                        changed.push(key.clone());
                    }
                }
                Err(at) => {
                    values.insert(at, latest);
                    changed.push(key.clone());
                }
            }
        }
    }
    changed.sort_unstable();
    changed.dedup();
    changed
}

/// The snapshot of the topic `devices`: the first of the list, and all counted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListSnapshot {
    pub devices: Vec<Device>,
    pub counts: Counts,
}

/// How many devices are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Counts {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    pub never: i64,
}

/// The snapshot of a topic `telemetry:ID`, sorted by key.
#[must_use]
pub fn latest_of(mut snapshot: Json) -> Option<Vec<LatestValue>> {
    let mut latest: Vec<LatestValue> = serde_json::from_value(snapshot.get_mut("latest")?.take()).ok()?;
    latest.sort_by(|before, after| before.key.cmp(&after.key));
    Some(latest)
}

/// The snapshot of a topic `device:ID`.
#[must_use]
pub fn device_of(mut snapshot: Json) -> Option<Device> {
    serde_json::from_value(snapshot.get_mut("device")?.take()).ok()
}

/// How the counts shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    pub online: i64,
    pub offline: i64,
    pub never: i64,
}

/// What the counts of the overview become when a device's connection changes.
#[must_use]
pub fn shift_of(before: Connection, after: Connection) -> Shift {
    let mut shift = Shift::default();
    for (connection, step) in [(before, -1), (after, 1)] {
        match connection {
            Connection::Online => shift.online += step,
            Connection::Offline => shift.offline += step,
            Connection::Never => shift.never += step,
        }
    }
    shift
}

/// Why a device wants attention, the most urgent first.
#[derive(Debug, Clone, PartialEq)]
pub enum Concern {
    Offline,
    Issue(String),
    LowBattery(f64),
}

/// What is wrong with a device, if anything. What its owner took out of use is no concern.
#[must_use]
pub fn concern_of(device: &Device) -> Option<Concern> {
    if device.status != DeviceStatus::Active {
        return None;
    }
    if device.connection == Connection::Offline {
        return Some(Concern::Offline);
    }
    if !device.issue.is_empty() {
        return Some(Concern::Issue(device.issue.clone()));
    }
    device.battery_percent.filter(|percent| *percent < LOW_BATTERY_PERCENT).map(Concern::LowBattery)
}

/// One line of the overview's feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Unique in the feed.
    pub number: u64,
    pub at: Timestamp,
    pub device: Option<DeviceId>,
    pub name: String,
    pub what: Happening,
}

/// What a feed entry tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    CameOnline,
    WentOffline,
    Complained(String),
    Recovered,
    Registered,
    Deleted,
}

impl Happening {
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::CameOnline => "came online".to_owned(),
            Self::WentOffline => "went offline".to_owned(),
            Self::Complained(issue) => format!("reports: {issue}"),
            Self::Recovered => "no longer reports a problem".to_owned(),
            Self::Registered => "was registered".to_owned(),
            Self::Deleted => "was deleted".to_owned(),
        }
    }
}

/// What an event tells a person, given how the device was before (absent: not known).
#[must_use]
pub fn happening_of(before: Option<&Device>, event: &Event) -> Option<Happening> {
    match event {
        Event::DeviceDeleted { .. } => before.map(|_| Happening::Deleted),
        Event::DeviceChanged { device } => match before {
            None => Some(Happening::Registered),
            Some(before) => happening_between(before, device.connection, &device.issue),
        },
        Event::DeviceConnection { connection, issue, .. } => {
            before.and_then(|before| happening_between(before, *connection, issue))
        }
        _ => None,
    }
}

fn happening_between(before: &Device, connection: Connection, issue: &str) -> Option<Happening> {
    match (before.connection, connection) {
        (Connection::Online, Connection::Offline) => return Some(Happening::WentOffline),
        (Connection::Offline | Connection::Never, Connection::Online) => return Some(Happening::CameOnline),
        _ => {}
    }
    match (before.issue.as_str(), issue) {
        (before, now) if before == now => None,
        (_, "") => Some(Happening::Recovered),
        (_, now) => Some(Happening::Complained(now.to_owned())),
    }
}

/// Puts an entry on top and lets the oldest fall off.
pub fn push_entry(feed: &mut Vec<FeedEntry>, at: Timestamp, device: Option<DeviceId>, name: &str, what: Happening) {
    let number = feed.first().map_or(1, |newest| newest.number + 1);
    feed.insert(0, FeedEntry { number, at, device, name: name.to_owned(), what });
    feed.truncate(FEED_LENGTH);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portico_model::UserId;
    use portico_model::telemetry::Value;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_226_850_000).plus_secs(seconds)
    }

    fn device() -> Device {
        let id: DeviceId = "1".repeat(32).parse().unwrap();
        let owner_id: UserId = "2".repeat(32).parse().unwrap();
        Device {
            id,
            name: "Lobby".into(),
            hardware_id: None,
            device_type: "thermometer".into(),
            description: String::new(),
            location: String::new(),
            firmware_version: String::new(),
            hardware_version: String::new(),
            metadata: serde_json::Value::Null,
            status: DeviceStatus::Active,
            connection: Connection::Never,
            issue: String::new(),
            battery_percent: None,
            rssi_dbm: None,
            heartbeat_interval_s: 60,
            last_seen_at: None,
            owner_id,
            owner_name: "ada".into(),
            created_at: at(0),
            updated_at: at(0),
        }
    }

    fn connection(connection: Connection, seen: i64, issue: &str) -> Event {
        Event::DeviceConnection {
            id: device().id,
            connection,
            last_seen_at: Some(at(seen)),
            issue: issue.into(),
            battery_percent: Some(80.0),
            rssi_dbm: None,
        }
    }

    fn sample(seconds: i64, key: &str, number: f64) -> Sample {
        Sample { ts: at(seconds), data: BTreeMap::from([(key.into(), Value::Number(number))]), metadata: None }
    }

    #[test]
    fn connection_changes_in_place_and_last_seen_never_goes_back() {
        let mut device = device();
        assert!(fold_device(&mut device, &connection(Connection::Online, 10, "")));
        assert!(!fold_device(&mut device, &connection(Connection::Online, 5, "")), "nothing shown changed");
        assert_eq!((device.connection, device.last_seen_at), (Connection::Online, Some(at(10))));
    }

    #[test]
    fn events_of_other_devices_change_nothing() {
        let mut mine = device();
        let before = mine.clone();
        let mut other = device();
        other.id = "3".repeat(32).parse().unwrap();
        assert!(!fold_device(&mut mine, &Event::DeviceChanged { device: other }));
        assert_eq!(mine, before);
    }

    #[test]
    fn late_and_repeated_values_are_not_the_latest() {
        let mut values = Vec::new();
        assert_eq!(fold_latest(&mut values, &[sample(10, "temperature", 21.0)]), ["temperature"]);
        assert!(fold_latest(&mut values, &[sample(10, "temperature", 21.0)]).is_empty(), "again");
        assert!(fold_latest(&mut values, &[sample(5, "temperature", 3.0)]).is_empty(), "late");
        assert_eq!(fold_latest(&mut values, &[sample(12, "humidity", 40.0)]), ["humidity"]);
        assert_eq!(values.iter().map(|value| value.key.as_str()).collect::<Vec<_>>(), ["humidity", "temperature"]);
    }

    #[test]
    fn later_sample_of_one_event_wins() {
        let mut values = Vec::new();
        fold_latest(&mut values, &[sample(1, "t", 1.0), sample(2, "t", 2.0)]);
        assert_eq!(values.first().map(|value| value.value.clone()), Some(Value::Number(2.0)));
    }

    #[test]
    fn snapshots_are_read() {
        let latest = serde_json::json!({"latest": [
            {"key": "t", "value": 21.5, "ts": "2026-11-21T02:00:00.000+00:00"},
            {"key": "door", "value": true, "ts": "2026-11-21T02:00:00.000+00:00"},
        ]});
        let latest = latest_of(latest).unwrap();
        assert_eq!(latest.iter().map(|latest| latest.key.as_str()).collect::<Vec<_>>(), ["door", "t"]);
        assert_eq!(device_of(serde_json::json!({"device": device()})), Some(device()));
        assert_eq!(latest_of(serde_json::json!([])), None);
    }

    #[test]
    fn counts_move_from_one_state_to_the_other() {
        assert_eq!(shift_of(Connection::Never, Connection::Online), Shift { online: 1, offline: 0, never: -1 });
        assert_eq!(shift_of(Connection::Online, Connection::Online), Shift::default());
    }

    #[test]
    fn offline_comes_before_complaints_and_unused_devices_concern_nobody() {
        let mut device = device();
        assert_eq!(concern_of(&device), None, "never heard from is not broken");
        device.issue = "no power".into();
        device.connection = Connection::Offline;
        assert_eq!(concern_of(&device), Some(Concern::Offline));
        device.connection = Connection::Online;
        assert_eq!(concern_of(&device), Some(Concern::Issue("no power".into())));
        device.issue.clear();
        device.battery_percent = Some(12.0);
        assert_eq!(concern_of(&device), Some(Concern::LowBattery(12.0)));
        device.status = DeviceStatus::Maintenance;
        assert_eq!(concern_of(&device), None);
    }

    #[test]
    fn only_what_a_person_would_tell_is_told() {
        let mut before = device();
        assert_eq!(happening_of(Some(&before), &connection(Connection::Online, 1, "")), Some(Happening::CameOnline));
        before.connection = Connection::Online;
        assert_eq!(happening_of(Some(&before), &connection(Connection::Online, 2, "")), None);
        assert_eq!(happening_of(Some(&before), &connection(Connection::Offline, 2, "")), Some(Happening::WentOffline));
        assert_eq!(
            happening_of(Some(&before), &connection(Connection::Online, 2, "low battery")),
            Some(Happening::Complained("low battery".into()))
        );
        assert_eq!(happening_of(None, &connection(Connection::Online, 2, "")), None, "a device that is not known here");
    }

    #[test]
    fn feed_keeps_the_newest() {
        let mut feed = Vec::new();
        for number in 0..100 {
            push_entry(&mut feed, at(number), None, "Lobby", Happening::CameOnline);
        }
        assert_eq!(feed.len(), FEED_LENGTH);
        assert_eq!(feed.first().map(|entry| (entry.number, entry.at)), Some((100, at(99))));
    }
}
