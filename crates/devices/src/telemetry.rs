//! What was measured: latest values, ranges, windows, charts, CSV, deletion.

mod delete;
mod query;
mod retention;
mod windows;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use futures::Stream;
use portico_model::devices::Device;
use portico_model::telemetry::{LatestValue, Sample, Value};
use portico_model::{DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Actor, Result, Tx, csv};
use serde::{Deserialize, Serialize};

use crate::Devices;
use crate::store::read;
use crate::store::series::{self, Kind, Series};

pub use query::TelemetryQuery;
pub use retention::RetentionRule;
pub(crate) use retention::Rules;
pub use windows::AggregatedBucket;

/// Most samples of one answer.
pub const MAX_SAMPLES: i64 = 10_000;

/// Rows of a CSV export read at a time.
const CSV_PAGE: i64 = 5_000;

/// A key that a device has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TelemetryKey {
    pub key: String,
    /// `number`, `boolean` or `text`; a key may have been of several kinds.
    pub kind: String,
}

impl Devices {
    /// The newest value of each key, by key. Needs to see the device.
    ///
    /// # Errors
    /// Not found.
    pub async fn latest(&self, actor: &Actor, id: DeviceId) -> Result<Vec<LatestValue>> {
        Ok(self.latest_with_device(actor, id).await?.1)
    }

    /// As [`Devices::latest`], with the device, in one transaction.
    pub(crate) async fn latest_with_device(&self, actor: &Actor, id: DeviceId) -> Result<(Device, Vec<LatestValue>)> {
        let mut tx = self.0.platform.db.read().await?;
        let device = self.find_visible(&mut tx, actor, id).await?;
        let latest = latest(&mut tx, actor.organization, id).await?;
        Ok((device, latest))
    }

    /// The keys the device has sent.
    ///
    /// # Errors
    /// Not found.
    pub async fn keys(&self, actor: &Actor, id: DeviceId) -> Result<Vec<TelemetryKey>> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await?;
        let series = series::of_device(&mut tx, actor.organization, id).await?;
        Ok(series
            .into_iter()
            .map(|series| TelemetryKey { key: series.key, kind: series.kind.as_str().to_owned() })
            .collect())
    }

    /// The newest samples in `from..=to`, newest first; of these keys, or of all when none is named.
    ///
    /// # Errors
    /// Not found.
    pub async fn range(
        &self,
        actor: &Actor,
        id: DeviceId,
        from: Timestamp,
        to: Timestamp,
        keys: &[String],
        limit: i64,
    ) -> Result<Vec<Sample>> {
        let limit = limit.clamp(0, MAX_SAMPLES);
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await?;
        let series = series::of_device(&mut tx, actor.organization, id).await?;
        let wanted: Vec<Series> =
            series.into_iter().filter(|series| keys.is_empty() || keys.contains(&series.key)).collect();
        newest_samples(&mut tx, actor.organization, id, &wanted, from, to, limit).await
    }

    /// The newest samples of a person's devices (the 100 newest of them) in `from..=to`, newest first, and how many
    /// numbers and booleans there are in all (whole minutes count at the edges). Needs to be that person or to see all.
    ///
    /// # Errors
    /// Forbidden.
    pub(crate) async fn newest_of_owner(
        &self,
        actor: &Actor,
        owner: UserId,
        from: Timestamp,
        to: Timestamp,
        limit: i64,
    ) -> Result<(Vec<(DeviceId, String, Sample)>, i64)> {
        let devices = self.list_by_offset(actor, Some(owner), None, 100, 0).await?;
        let most = usize::try_from(limit).unwrap_or(0);
        let minute = Timestamp::from_millis(from.millis().div_euclid(60_000) * 60_000);
        let mut newest = Vec::new();
        let mut total = 0;
        let mut tx = self.0.platform.db.read().await?;
        for device in devices {
            let series = series::of_device(&mut tx, actor.organization, device.id).await?;
            for series in series.iter().filter(|series| series.kind != Kind::Text) {
                total += read::count_by_minutes(&mut tx, series.id, minute, to).await?;
            }
            let samples = newest_samples(&mut tx, actor.organization, device.id, &series, from, to, limit).await?;
            newest.extend(samples.into_iter().map(|sample| (device.id, device.name.clone(), sample)));
            newest.sort_by_key(|(_, _, sample)| std::cmp::Reverse(sample.ts));
            newest.truncate(most);
        }
        Ok((newest, total))
    }

    /// Everything in `from..=to` as CSV (`timestamp,key,value`), key by key, oldest first, read while it is sent.
    ///
    /// # Errors
    /// Not found.
    pub async fn csv(
        &self,
        actor: &Actor,
        id: DeviceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<impl Stream<Item = Result<String>> + Send + 'static> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await?;
        let mut series = series::of_device(&mut tx, actor.organization, id).await?;
        drop(tx);
        series.reverse();
        let export = Export { devices: self.clone(), series, next: from, from, to, began: false };
        Ok(futures::stream::try_unfold(export, Export::step))
    }
}

/// The newest value of each key: of a key that has been of several kinds, the newest of all.
async fn latest(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Vec<LatestValue>> {
    let mut newest: BTreeMap<String, LatestValue> = BTreeMap::new();
    for (key, ts, value) in read::latest(tx, organization, id).await? {
        match newest.entry(key) {
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert(LatestValue { key, value, ts });
            }
            // Of two kinds at one time the last in their order counts, as in ranges.
            Entry::Occupied(mut entry) if entry.get().ts <= ts => {
                entry.get_mut().value = value;
                entry.get_mut().ts = ts;
            }
            Entry::Occupied(_) => {}
        }
    }
    Ok(newest.into_values().collect())
}

async fn newest_samples(
    tx: &mut Tx,
    organization: OrganizationId,
    id: DeviceId,
    wanted: &[Series],
    mut from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<Sample>> {
    let most = usize::try_from(limit).unwrap_or(0);
    let mut samples: BTreeMap<Timestamp, Sample> = BTreeMap::new();
    if most == 0 {
        return Ok(Vec::new());
    }
    for series in wanted {
        for (ts, value) in read::newest(tx, series, from, to, limit).await? {
            let sample = samples.entry(ts).or_insert_with(|| Sample { ts, data: BTreeMap::new(), metadata: None });
            sample.data.insert(series.key.clone(), value);
        }
        while samples.len() > most {
            samples.pop_first();
        }
        // Nothing older than the oldest of enough samples can be among the newest: the next series is read from there.
        if samples.len() == most
            && let Some((oldest, _)) = samples.first_key_value()
        {
            from = from.max(*oldest);
        }
    }
    if let (Some((first, _)), Some((last, _))) = (samples.first_key_value(), samples.last_key_value()) {
        for (ts, json) in read::metadata(tx, organization, id, *first, *last, limit).await? {
            if let Some(sample) = samples.get_mut(&ts) {
                sample.metadata = serde_json::from_str(&json).ok();
            }
        }
    }
    Ok(samples.into_values().rev().collect())
}

/// Where a CSV export has got to.
struct Export {
    devices: Devices,
    /// Still to come; the last is the current one.
    series: Vec<Series>,
    next: Timestamp,
    from: Timestamp,
    to: Timestamp,
    began: bool,
}

impl Export {
    async fn step(mut self) -> Result<Option<(String, Self)>> {
        let mut text = String::new();
        if !self.began {
            self.began = true;
            text.push_str("timestamp,key,value\r\n");
        }
        while text.is_empty() || !self.series.is_empty() {
            let Some(series) = self.series.last() else { break };
            let mut tx = self.devices.0.platform.db.read().await?;
            let page = read::oldest(&mut tx, series, self.next, self.to, CSV_PAGE).await?;
            drop(tx);
            let key = quoted(&series.key);
            for (ts, value) in &page {
                text.push_str(&format!("{ts},{key},{}\r\n", field(value)));
            }
            match page.last() {
                Some((last, _)) if i64::try_from(page.len()).unwrap_or(0) == CSV_PAGE => {
                    self.next = last.plus_millis(1)
                }
                _ => {
                    self.series.pop();
                    self.next = self.from;
                }
            }
            if text.len() > 64 * 1024 {
                break;
            }
        }
        Ok((!text.is_empty()).then_some((text, self)))
    }
}

fn field(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Text(text) => quoted(text),
    }
}

/// As a cell of CSV; an empty text in quotes, to be told from no text.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { csv::quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_quoted_and_never_formulas() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(quoted("=cmd()"), "\"'=cmd()\"");
        assert_eq!(field(&Value::Number(-1.5)), "-1.5");
    }
}
