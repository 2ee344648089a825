//! Many series at once: for comparing, and as one file.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use futures::Stream;
use portico_model::devices::Device;
use portico_model::explore::{MAX_SERIES, QueriedPoint, QueriedSeries, QueriedTelemetry, SeriesRef};
use portico_model::telemetry::Aggregation;
use portico_model::{DeviceId, ErrorKind, Timestamp};
use portico_platform::{Actor, Error, Result, Tx};

use super::windows::{self, MAX_PERCENTILE_POINTS, MAX_WINDOWS};
use super::{CSV_PAGE, field, quoted};
use crate::Devices;
use crate::store::read;
use crate::store::series::{self, Kind, Series};

/// Most windows of all series together.
const MAX_POINTS: i64 = 100_000;

/// Which series, over which range, put together how.
#[derive(Debug, Clone)]
pub struct TelemetryQuery {
    pub series: Vec<SeriesRef>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub aggregation: Aggregation,
    /// Width of a window, milliseconds; absent: chosen for the range.
    pub window_ms: Option<i64>,
    /// For a width that is chosen: about so many windows a series.
    pub max_windows: i64,
}

impl Devices {
    /// The series over the range in windows of one width, aligned to multiples of it since 1970. Series of devices that are not
    /// there, or that the actor may not see, are named as missing.
    ///
    /// # Errors
    /// No or too many series, a range that ends before it begins, a width that is none, or too much to put together.
    pub async fn query(&self, actor: &Actor, query: &TelemetryQuery) -> Result<QueriedTelemetry> {
        check_series(&query.series)?;
        let span_ms = query.to.millis_since(query.from);
        if span_ms <= 0 {
            return Err(Error::field("end_time", "must be after the beginning"));
        }
        let mut tx = self.0.platform.db.read().await?;
        let found = self.find_series(&mut tx, actor, &query.series).await?;
        let window_ms = match query.window_ms {
            Some(width) => {
                windows::check_width(width)?;
                width
            }
            None => {
                let all = found.iter().flatten().map(|(_, series)| series.as_slice());
                windows::fitting_width(&mut tx, all, query.from, query.to, query.max_windows).await?
            }
        };
        let windows = span_ms / window_ms + 2;
        let count = i64::try_from(query.series.len()).unwrap_or(i64::MAX);
        if window_ms > 1 && (windows > MAX_WINDOWS || windows.saturating_mul(count) > MAX_POINTS) {
            let message = format!("more than {MAX_POINTS} windows in all: choose a wider one or a shorter range");
            return Err(Error::field("window", message));
        }
        let (from, to) = windows::whole_windows(query.from, query.to, window_ms);
        let mut room = MAX_PERCENTILE_POINTS;
        let mut answer = QueriedTelemetry {
            from: query.from,
            to: query.to,
            aggregation: query.aggregation,
            window_ms,
            series: Vec::with_capacity(found.len()),
            missing: Vec::new(),
        };
        for (asked, found) in query.series.iter().zip(found) {
            let Some((device, series)) = found else {
                answer.missing.push(asked.clone());
                continue;
            };
            let points =
                windows::aggregate(&mut tx, &series, query.aggregation, window_ms, from, to, &mut room).await?;
            answer.series.push(QueriedSeries {
                device_id: device.id,
                unit: unit_told(&device, &asked.key),
                device_name: device.name,
                key: asked.key.clone(),
                points: points
                    .into_iter()
                    .map(|point| QueriedPoint { ts: point.ts, value: point.value, count: point.count })
                    .collect(),
            });
        }
        Ok(answer)
    }

    /// Every value of the series in `from..=to` as CSV (`timestamp,device_id,device_name,key,value`), series by series, oldest
    /// first, read while it is sent. Series that the actor may not see are left out.
    ///
    /// # Errors
    /// No or too many series.
    pub async fn query_csv(
        &self,
        actor: &Actor,
        asked: &[SeriesRef],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<impl Stream<Item = Result<String>> + Send + 'static> {
        check_series(asked)?;
        let mut tx = self.0.platform.db.read().await?;
        let mut left = Vec::new();
        let mut known: HashMap<DeviceId, Option<Device>> = HashMap::new();
        for asked in asked {
            let Some(device) = self.visible(&mut tx, actor, &mut known, asked.device_id).await? else { continue };
            let prefix = format!("{},{},{}", device.id, quoted(&device.name), quoted(&asked.key));
            for series in series::of_device(&mut tx, actor.organization, device.id).await? {
                if series.key == asked.key {
                    left.push((prefix.clone(), series));
                }
            }
        }
        drop(tx);
        left.reverse();
        let export = Export { devices: self.clone(), left, next: from, from, to, began: false };
        Ok(futures::stream::try_unfold(export, Export::step))
    }

    /// For each: the device and the series of the key that can be calculated with. `None`: not there for this actor.
    async fn find_series(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        asked: &[SeriesRef],
    ) -> Result<Vec<Option<(Device, Vec<Series>)>>> {
        let mut known = HashMap::new();
        let mut all_series: HashMap<DeviceId, Vec<Series>> = HashMap::new();
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            let Some(device) = self.visible(tx, actor, &mut known, asked.device_id).await? else {
                found.push(None);
                continue;
            };
            let of_device = match all_series.entry(device.id) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(series::of_device(tx, actor.organization, device.id).await?),
            };
            let fitting = of_device.iter().filter(|series| series.key == asked.key && series.kind != Kind::Text);
            found.push(Some((device, fitting.cloned().collect())));
        }
        Ok(found)
    }

    async fn visible(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        known: &mut HashMap<DeviceId, Option<Device>>,
        id: DeviceId,
    ) -> Result<Option<Device>> {
        if let Some(device) = known.get(&id) {
            return Ok(device.clone());
        }
        let device = match self.find_visible(tx, actor, id).await {
            Ok(device) => Some(device),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        known.insert(id, device.clone());
        Ok(device)
    }
}

fn check_series(series: &[SeriesRef]) -> Result<()> {
    if series.is_empty() || series.len() > MAX_SERIES {
        return Err(Error::field("series", format!("1 to {MAX_SERIES} series")));
    }
    Ok(())
}

/// The unit that the device's metadata names (`{"units": {key: unit}}`).
fn unit_told(device: &Device, key: &str) -> Option<String> {
    device.metadata.get("units")?.get(key)?.as_str().map(ToOwned::to_owned)
}

/// Where the export of many series has got to.
struct Export {
    devices: Devices,
    /// Still to come, each with what its rows have in common; the last is the current one.
    left: Vec<(String, Series)>,
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
            text.push_str("timestamp,device_id,device_name,key,value\r\n");
        }
        while let Some((prefix, series)) = self.left.last() {
            let mut tx = self.devices.0.platform.db.read().await?;
            let page = read::oldest(&mut tx, series, self.next, self.to, CSV_PAGE).await?;
            drop(tx);
            for (ts, value) in &page {
                text.push_str(&format!("{ts},{prefix},{}\r\n", field(value)));
            }
            match page.last() {
                Some((last, _)) if i64::try_from(page.len()).unwrap_or(0) == CSV_PAGE => {
                    self.next = last.plus_millis(1);
                }
                _ => {
                    self.left.pop();
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
