//! Values so old that their points may be removed already. Whether such a value is new can no longer be seen at its point; but its
//! rollup outlives it: where there is one, the value has been counted, or came too late to be told apart from one that was. It is
//! taken only where nothing of its minute (or of its hour, when minutes too are removed) is there.

use std::collections::{HashMap, HashSet};

use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::config::DevicesConfig;
use portico_platform::{Result, Tx};

use crate::store::point::Point;
use crate::store::retention;
use crate::store::rollup::{self, Resolution};
use crate::telemetry::Rules;

const DAY_MS: i64 = 86_400_000;

/// Series that got a value older than the shortest time for which points can be kept: whose, and which key.
#[derive(Default)]
pub struct Late(HashMap<i64, (OrganizationId, DeviceId, String)>);

impl Late {
    /// Notes the series when the value is so old. Costs a comparison for all others.
    pub fn note(&mut self, now: Timestamp, ts: i64, series: i64, whose: (OrganizationId, DeviceId), key: &str) {
        if now.millis().saturating_sub(ts) > DAY_MS {
            self.0.entry(series).or_insert_with(|| (whose.0, whose.1, key.to_owned()));
        }
    }

    /// Takes away the points that may have been counted before their own points were removed; whether there were any.
    pub async fn leave_out_counted(
        &self,
        tx: &mut Tx,
        config: &DevicesConfig,
        now: Timestamp,
        points: &mut Vec<Point>,
    ) -> Result<bool> {
        if self.0.is_empty() {
            return Ok(false);
        }
        let rules = Rules::new(config, retention::list_all(tx).await?);
        let mut wanted: HashSet<(Resolution, i64, i64)> = HashSet::new();
        let bucket_of = |point: &Point| {
            let (organization, device, key) = self.0.get(&point.series)?;
            let days = rules.of(*organization, *device, key);
            let age_ms = now.millis().saturating_sub(point.ts);
            if age_ms <= days.raw.saturating_mul(DAY_MS) {
                return None;
            }
            let minutes_are_kept = age_ms <= days.minute.saturating_mul(DAY_MS);
            let resolution = if minutes_are_kept { Resolution::Minute } else { Resolution::Hour };
            Some((resolution, point.series, resolution.bucket_of(point.ts)))
        };
        wanted.extend(points.iter().filter_map(bucket_of));
        let mut counted = HashSet::new();
        for (resolution, series, bucket) in wanted {
            if rollup::exists(tx, resolution, series, bucket).await? {
                counted.insert((resolution, series, bucket));
            }
        }
        if counted.is_empty() {
            return Ok(false);
        }
        points.retain(|point| bucket_of(point).is_none_or(|bucket| !counted.contains(&bucket)));
        Ok(true)
    }
}
