//! Points put together: windows of a fixed width, and charts that choose theirs.

use std::collections::BTreeMap;

use portico_model::devices::Device;
use portico_model::telemetry::{Aggregation, Bucket, ChartSeries};
use portico_model::{DeviceId, Timestamp};
use portico_platform::{Actor, Error, Result, Tx};
use serde::{Deserialize, Serialize};

use crate::Devices;
use crate::store::read::{self, Source};
use crate::store::rollup::Rollup;
use crate::store::series::{self, Kind, Series};

/// Most windows of one answer.
pub const MAX_WINDOWS: i64 = 10_000;

/// Percentiles need every single point: no more than this many.
pub(super) const MAX_PERCENTILE_POINTS: i64 = 200_000;

/// Points a chart reads before it goes over to one-minute rollups.
const MAX_CHART_POINTS: i64 = 100_000;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Widths of a chart's buckets, milliseconds: what people expect on a time axis.
const WIDTHS_MS: [i64; 21] = [
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    24 * HOUR_MS,
    48 * HOUR_MS,
    168 * HOUR_MS,
    720 * HOUR_MS,
];

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AggregatedBucket {
    /// Its start.
    pub ts: Timestamp,
    pub value: f64,
    /// How many points are in it.
    pub count: i64,
}

impl Devices {
    /// The points of a key in windows aligned to multiples of the width since 1970, oldest first; empty windows are
    /// absent. The range is widened to whole windows. Windows of whole minutes come from the rollups, so they reach
    /// back further than the single points; percentiles (linear between neighbours) always need the points.
    ///
    /// # Errors
    /// Not found; a width that is no whole number of seconds, or over a minute and no whole number of minutes; too
    /// many windows, or too many points for a percentile.
    #[allow(clippy::too_many_arguments)] // the query's own parameters
    pub async fn aggregated(
        &self,
        actor: &Actor,
        id: DeviceId,
        key: &str,
        aggregation: Aggregation,
        window_ms: i64,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<AggregatedBucket>> {
        Ok(self.aggregated_with_device(actor, id, key, aggregation, window_ms, from, to).await?.1)
    }

    /// As [`Devices::aggregated`], with the device, in one transaction.
    #[allow(clippy::too_many_arguments)] // the query's own parameters
    pub(crate) async fn aggregated_with_device(
        &self,
        actor: &Actor,
        id: DeviceId,
        key: &str,
        aggregation: Aggregation,
        window_ms: i64,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(Device, Vec<AggregatedBucket>)> {
        check_width(window_ms)?;
        let (from, to) = whole_windows(from, to, window_ms);
        if to.millis_since(from) / window_ms > MAX_WINDOWS {
            return Err(Error::field(
                "window",
                format!("more than {MAX_WINDOWS} windows: choose a wider one or a shorter range"),
            ));
        }
        let mut tx = self.0.platform.db.read().await?;
        let device = self.find_visible(&mut tx, actor, id).await?;
        let series = numeric_series(&mut tx, actor, id, key).await?;
        let mut room = MAX_PERCENTILE_POINTS;
        let windows = aggregate(&mut tx, &series, aggregation, window_ms, from, to, &mut room).await?;
        Ok((device, windows))
    }

    /// A key over a range, in at most about `max_buckets` buckets; when there are no more points than that, each by
    /// itself. A year reads some thousand hour rollups in the database and returns hundreds of buckets.
    ///
    /// # Errors
    /// Not found, or a range that ends before it begins.
    pub async fn chart(
        &self,
        actor: &Actor,
        id: DeviceId,
        key: &str,
        from: Timestamp,
        to: Timestamp,
        max_buckets: i64,
    ) -> Result<ChartSeries> {
        let span_ms = to.millis_since(from);
        if span_ms <= 0 {
            return Err(Error::field("to", "must be after the beginning"));
        }
        let max_buckets = max_buckets.clamp(10, 2_000);
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await?;
        let series = numeric_series(&mut tx, actor, id, key).await?;
        let width_ms = fitting_width(&mut tx, std::iter::once(series.as_slice()), from, to, max_buckets).await?;
        // Buckets of rollups begin before their points: the one that `from` is in belongs to the chart.
        let begin =
            Timestamp::from_millis(if width_ms < MINUTE_MS { from.millis() } else { floor(from.millis(), width_ms) });
        let windows = merged(&mut tx, &series, source_for(width_ms), begin, to, width_ms).await?;
        let buckets = windows.iter().map(bucket_of).collect();
        Ok(ChartSeries { key: key.to_owned(), from, to, bucket_ms: width_ms, buckets })
    }
}

/// The width with which each of these keys has about so many windows in the range at most; 1 when none has more points than
/// that, so that each can stand by itself.
pub(super) async fn fitting_width<'s>(
    tx: &mut Tx,
    keys: impl Iterator<Item = &'s [Series]>,
    from: Timestamp,
    to: Timestamp,
    max_windows: i64,
) -> Result<i64> {
    let width_ms = width_for(to.millis_since(from), max_windows);
    if width_ms > HOUR_MS {
        return Ok(width_ms);
    }
    let minute = Timestamp::from_millis(floor(from.millis(), MINUTE_MS));
    let mut most = 0;
    for series in keys {
        let mut count = 0;
        for series in series {
            count += read::count_by_minutes(tx, series.id, minute, to).await?;
        }
        most = most.max(count);
    }
    Ok(if most <= max_windows {
        1
    } else if width_ms < MINUTE_MS && most > MAX_CHART_POINTS {
        MINUTE_MS
    } else {
        width_ms
    })
}

/// # Errors
/// A width that is no whole number of seconds, or over a minute and no whole number of minutes.
pub(super) fn check_width(window_ms: i64) -> Result<()> {
    if window_ms < 1_000 || window_ms % 1_000 != 0 || (window_ms > MINUTE_MS && window_ms % MINUTE_MS != 0) {
        return Err(Error::field("window", "whole seconds up to a minute, beyond that whole minutes"));
    }
    Ok(())
}

/// The range widened to whole windows; points that stand by themselves need none.
pub(super) fn whole_windows(from: Timestamp, to: Timestamp, window_ms: i64) -> (Timestamp, Timestamp) {
    let begin = floor(from.millis(), window_ms);
    let end = floor(to.millis(), window_ms).saturating_add(window_ms - 1);
    (Timestamp::from_millis(begin), Timestamp::from_millis(end))
}

/// The series of a key, put together in windows. `room`: how many points percentiles may still read.
pub(super) async fn aggregate(
    tx: &mut Tx,
    series: &[Series],
    aggregation: Aggregation,
    window_ms: i64,
    from: Timestamp,
    to: Timestamp,
    room: &mut i64,
) -> Result<Vec<AggregatedBucket>> {
    let rank = match aggregation {
        Aggregation::P50 => 0.50,
        Aggregation::P95 => 0.95,
        _ => {
            let windows = merged(tx, series, source_for(window_ms), from, to, window_ms).await?;
            return Ok(windows.iter().map(|window| of_window(window, aggregation)).collect());
        }
    };
    percentiles(tx, series, rank, window_ms, from, to, room).await
}

/// Where windows of this width come from.
const fn source_for(width_ms: i64) -> Source {
    if width_ms % HOUR_MS == 0 {
        Source::Hours
    } else if width_ms % MINUTE_MS == 0 {
        Source::Minutes
    } else {
        Source::Points
    }
}

/// The narrowest of the usual widths with which the span has no more buckets than that.
fn width_for(span_ms: i64, max_buckets: i64) -> i64 {
    let least = span_ms.saturating_add(max_buckets - 1) / max_buckets;
    let month = WIDTHS_MS[WIDTHS_MS.len() - 1];
    WIDTHS_MS.into_iter().find(|width| *width >= least).unwrap_or_else(|| (least / month + 1) * month)
}

const fn floor(value: i64, step: i64) -> i64 {
    value.div_euclid(step) * step
}

/// The series of a key that can be calculated with: it may have sent numbers and booleans.
async fn numeric_series(tx: &mut Tx, actor: &Actor, id: DeviceId, key: &str) -> Result<Vec<Series>> {
    let series = series::of_device(tx, actor.organization, id).await?;
    Ok(series.into_iter().filter(|series| series.key == key && series.kind != Kind::Text).collect())
}

/// The windows of all these series together, oldest first.
async fn merged(
    tx: &mut Tx,
    series: &[Series],
    source: Source,
    from: Timestamp,
    to: Timestamp,
    width_ms: i64,
) -> Result<Vec<Rollup>> {
    let mut all: BTreeMap<i64, Rollup> = BTreeMap::new();
    for series in series {
        for window in read::windows(tx, source, series.id, from, to, width_ms).await? {
            all.entry(window.bucket).and_modify(|sum| sum.merge(&window)).or_insert(window);
        }
    }
    Ok(all.into_values().collect())
}

// A count beyond 2^53 points of one window is out of reach.
#[allow(clippy::cast_precision_loss)]
fn mean(window: &Rollup) -> f64 {
    window.sum / window.count as f64
}

fn bucket_of(window: &Rollup) -> Bucket {
    Bucket {
        ts: Timestamp::from_millis(window.bucket),
        count: window.count,
        mean: mean(window),
        min: window.min,
        max: window.max,
        last: window.last,
    }
}

#[allow(clippy::cast_precision_loss)] // as above
fn of_window(window: &Rollup, aggregation: Aggregation) -> AggregatedBucket {
    let value = match aggregation {
        Aggregation::Mean | Aggregation::P50 | Aggregation::P95 => mean(window),
        Aggregation::Sum => window.sum,
        Aggregation::Min => window.min,
        Aggregation::Max => window.max,
        Aggregation::Count => window.count as f64,
        Aggregation::First => window.first,
        Aggregation::Last => window.last,
    };
    AggregatedBucket { ts: Timestamp::from_millis(window.bucket), value, count: window.count }
}

async fn percentiles(
    tx: &mut Tx,
    series: &[Series],
    rank: f64,
    window_ms: i64,
    from: Timestamp,
    to: Timestamp,
    room: &mut i64,
) -> Result<Vec<AggregatedBucket>> {
    let mut windows: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for series in series {
        let values = read::values(tx, series.id, from, to, *room + 1).await?;
        *room -= i64::try_from(values.len()).unwrap_or(i64::MAX);
        if *room < 0 {
            let message =
                format!("percentiles need every point, at most {MAX_PERCENTILE_POINTS}: choose a shorter range");
            return Err(Error::field("aggregation", message));
        }
        for (ts, value) in values {
            windows.entry(floor(ts.millis(), window_ms)).or_default().push(value);
        }
    }
    Ok(windows
        .into_iter()
        .map(|(bucket, mut values)| AggregatedBucket {
            ts: Timestamp::from_millis(bucket),
            count: i64::try_from(values.len()).unwrap_or(i64::MAX),
            value: percentile(&mut values, rank),
        })
        .collect())
}

/// Linear between the two neighbours, as SQL's `percentile_cont`. Of at least one value.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 200,000 values
fn percentile(values: &mut [f64], rank: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let position = rank * (values.len() - 1) as f64;
    let below = values[position.floor() as usize];
    let above = values[position.ceil() as usize];
    below + (above - below) * position.fract()
}

impl Rollup {
    /// Takes in another series' window of the same time.
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.first_ts < self.first_ts {
            (self.first, self.first_ts) = (other.first, other.first_ts);
        }
        if other.last_ts > self.last_ts {
            (self.last, self.last_ts) = (other.last, other.last_ts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        assert!((percentile(&mut [4.0, 1.0, 3.0, 2.0], 0.5) - 2.5).abs() < 1e-12);
        assert!((percentile(&mut [7.0], 0.95) - 7.0).abs() < 1e-12);
        let mut hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert!((percentile(&mut hundred, 0.95) - 95.0).abs() < 1e-12);
    }

    #[test]
    fn charts_have_no_more_buckets_than_asked_for() {
        assert_eq!(width_for(HOUR_MS, 600), 10_000);
        assert_eq!(width_for(24 * HOUR_MS, 600), 5 * MINUTE_MS);
        assert_eq!(width_for(365 * 24 * HOUR_MS, 600), 24 * HOUR_MS);
        for span in [1, 999, 123_456_789, 10 * 365 * 24 * HOUR_MS, i64::MAX / 4] {
            assert!(span / width_for(span, 500) <= 500, "{span}");
        }
    }
}
