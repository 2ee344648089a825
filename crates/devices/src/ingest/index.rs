//! Which series a key of a device is: kept in memory, because each value of each message asks for it.

use std::collections::HashMap;

use portico_model::DeviceId;
use portico_model::telemetry::{Sample, Value};
use portico_platform::{Result, Tx};

use super::batch::Stored;
use crate::Known;
use crate::store::series::{self, Kind};

/// A device that makes up a new key for each message must not fill the database with series.
pub const MAX_SERIES_PER_DEVICE: usize = 1_000;

/// Entries before the index starts afresh, some 100 bytes each.
const MAX_ENTRIES: usize = 500_000;

/// Ids by kind (see [`slot`]).
type Ids = [Option<i64>; 3];

#[derive(Default)]
pub struct SeriesIndex {
    devices: HashMap<DeviceId, HashMap<String, Ids>>,
    entries: usize,
}

/// What a transaction has learned; true only once it is committed.
#[derive(Default)]
pub struct Learned(HashMap<DeviceId, HashMap<String, Ids>>);

const fn slot(kind: Kind) -> usize {
    match kind {
        Kind::Number => 0,
        Kind::Boolean => 1,
        Kind::Text => 2,
    }
}

pub const fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Number(_) => Kind::Number,
        Value::Boolean(_) => Kind::Boolean,
        Value::Text(_) => Kind::Text,
    }
}

impl SeriesIndex {
    pub fn find(&self, device: DeviceId, key: &str, kind: Kind) -> Option<i64> {
        self.devices.get(&device)?.get(key)?[slot(kind)]
    }

    /// The id of a series not in the index: read, or made. `None` when the device has too many or is gone.
    pub async fn learn(
        &self,
        tx: &mut Tx,
        learned: &mut Learned,
        device: &Known,
        key: &str,
        kind: Kind,
    ) -> Result<Option<i64>> {
        if !self.devices.contains_key(&device.id) && !learned.0.contains_key(&device.id) {
            let keys = learned.0.entry(device.id).or_default();
            for series in series::of_device(tx, device.organization, device.id).await? {
                keys.entry(series.key).or_insert([None; 3])[slot(series.kind)] = Some(series.id);
            }
        }
        let fresh = learned.0.entry(device.id).or_default();
        if let Some(id) = fresh.get(key).and_then(|ids| ids[slot(kind)]) {
            return Ok(Some(id));
        }
        let known = self.devices.get(&device.id).map_or(0, HashMap::len);
        if known + fresh.len() >= MAX_SERIES_PER_DEVICE {
            return Ok(None);
        }
        let id = series::find_or_insert(tx, device.organization, device.id, key, kind).await?;
        if id.is_some() {
            fresh.entry(key.to_owned()).or_insert([None; 3])[slot(kind)] = id;
        }
        Ok(id)
    }

    /// After the commit.
    pub fn keep(&mut self, learned: Learned) {
        for (device, keys) in learned.0 {
            let known = self.devices.entry(device).or_default();
            for (key, ids) in keys {
                self.entries += 1;
                let entry = known.entry(key).or_insert([None; 3]);
                for (old, new) in entry.iter_mut().zip(ids) {
                    *old = old.or(new);
                }
            }
        }
        if self.entries > MAX_ENTRIES {
            *self = Self::default();
        }
    }

    /// Whether storing the sample changed anything; only such samples are told to browsers.
    pub fn is_new(&self, stored: &Stored, device: DeviceId, sample: &Sample) -> bool {
        stored.duplicates == 0
            || sample.data.iter().any(|(key, value)| {
                let kind = kind_of(value);
                self.find(device, key, kind).is_none_or(|series| stored.is_new(kind, series, sample.ts.millis()))
            })
    }
}
