//! One transaction: points, texts, metadata, and the rollups of exactly the rows that were new.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use portico_alarms::Change;
use portico_model::Timestamp;
use portico_model::telemetry::{Sample, Value};
use portico_platform::{Platform, Result, Tx};

use super::Submission;
use super::index::{Learned, MAX_SERIES_PER_DEVICE, SeriesIndex, kind_of};
use super::late::Late;
use crate::Known;
use crate::alarm_rules::{Judge, Reading, Rule, Snapshot, What};
use crate::store::point::{self, Inserted, Metadata, Point, TextPoint};
use crate::store::rollup::{self, Resolution};
use crate::store::series::Kind;

/// What a batch changed.
pub struct Stored {
    points: Inserted,
    texts: HashSet<(i64, i64)>,
    pub new_values: u64,
    pub duplicates: u64,
    pub problems: Vec<(Arc<Known>, Timestamp, &'static str, String)>,
    /// Alarms that the batch raised or cleared.
    pub changes: Vec<Change>,
}

impl Stored {
    pub fn is_new(&self, kind: Kind, series: i64, ts: i64) -> bool {
        match kind {
            Kind::Text => self.texts.contains(&(series, ts)),
            Kind::Number | Kind::Boolean => self.points.contains(series, ts),
        }
    }
}

#[derive(Default)]
struct Rows {
    points: Vec<Point>,
    texts: Vec<TextPoint>,
    metadata: Vec<Metadata>,
    late: Late,
    problems: Vec<(Arc<Known>, Timestamp, &'static str, String)>,
    /// What rules look at.
    readings: Vec<Reading>,
}

/// Stores the submissions and commits.
///
/// # Errors
/// Nothing of the batch is stored.
pub async fn store(
    platform: &Platform,
    index: &mut SeriesIndex,
    judge: &Judge,
    batch: &[Submission],
) -> Result<Stored> {
    let rules = judge.index.current();
    let mut tx = platform.db.begin().await?;
    let mut learned = Learned::default();
    let mut rows = rows_of(&mut tx, index, &mut learned, &rules, batch, platform.clock.now()).await?;
    let values = (rows.points.len() + rows.texts.len()) as u64;
    // Sorted: neighbours in the table are written together. The first of two with the same time stays.
    rows.points.sort_by_key(|point| (point.series, point.ts));
    rows.points.dedup_by_key(|point| (point.series, point.ts));

    let left_out =
        rows.late.leave_out_counted(&mut tx, &platform.config.devices, platform.clock.now(), &mut rows.points).await?;
    let points = match point::insert(&mut tx, &rows.points).await? {
        // Those left out are no news.
        Inserted::All if left_out => Inserted::Some(rows.points.iter().map(|point| (point.series, point.ts)).collect()),
        inserted => inserted,
    };
    for resolution in Resolution::ALL {
        let new = rows.points.iter().filter(|point| points.contains(point.series, point.ts));
        rollup::add(&mut tx, resolution, &rollup::of_points(new, resolution)).await?;
    }
    let texts = point::insert_texts(&mut tx, &rows.texts).await?;
    point::insert_metadata(&mut tx, &rows.metadata).await?;
    let readings = std::mem::take(&mut rows.readings);
    let is_new = |series, ts| points.contains(series, ts);
    let changes = judge.readings(&mut tx, readings, is_new, platform.clock.now()).await?;
    tx.commit().await?;

    index.keep(learned);
    let new_points = match &points {
        Inserted::All => rows.points.len(),
        Inserted::Some(inserted) => inserted.len(),
    };
    let new_values = (new_points + texts.len()) as u64;
    let duplicates = values.saturating_sub(new_values);
    Ok(Stored { points, texts, new_values, duplicates, problems: rows.problems, changes })
}

/// What the rules of a device look at in a value; that anything came at all is noted once.
fn readings_of(
    rules: &[Arc<Rule>],
    key: &str,
    point: Option<(i64, f64)>,
    sample: &Sample,
    rows: &mut Rows,
    device: &Known,
) {
    for rule in rules {
        let condition = &rule.rule.rule.condition;
        if !condition.watches_telemetry() || condition.key().is_some_and(|wanted| wanted != key) {
            continue;
        }
        let what = match point {
            Some((series, value)) if condition.key().is_some() => What::Value { series, ts: sample.ts, value },
            _ => What::Heard,
        };
        rows.readings.push(Reading { rule: Arc::clone(rule), device: device.id, what });
    }
}

async fn rows_of(
    tx: &mut Tx,
    index: &SeriesIndex,
    learned: &mut Learned,
    rules: &Snapshot,
    batch: &[Submission],
    now: Timestamp,
) -> Result<Rows> {
    let mut rows = Rows::default();
    rows.points.reserve(batch.iter().map(|submission| submission.values).sum());
    let mut over_limit: HashMap<_, u32> = HashMap::new();
    for submission in batch {
        let device = &submission.device;
        let rules = rules.of_device(device.id);
        for sample in &submission.samples {
            let ts = sample.ts.millis();
            for (key, value) in &sample.data {
                let kind = kind_of(value);
                let known = index.find(device.id, key, kind);
                let series = match known {
                    Some(series) => series,
                    None => match index.learn(tx, learned, device, key, kind).await? {
                        Some(series) => series,
                        None => {
                            if *over_limit.entry(device.id).and_modify(|count| *count += 1).or_insert(1) == 1 {
                                let message = format!("over {MAX_SERIES_PER_DEVICE} different keys; {key:?} left out");
                                rows.problems.push((
                                    Arc::clone(device),
                                    submission.received_at,
                                    "too_many_series",
                                    message,
                                ));
                            }
                            continue;
                        }
                    },
                };
                if !rules.is_empty() {
                    let point = value.number().map(|number| (series, number));
                    readings_of(rules, key, point, sample, &mut rows, device);
                }
                rows.late.note(now, ts, series, (device.organization, device.id), key);
                match value {
                    Value::Text(text) => rows.texts.push(TextPoint { series, ts, value: text.clone() }),
                    // SQLite knows no negative zero: both databases store the plain one.
                    Value::Number(value) => rows.points.push(Point { series, ts, value: *value + 0.0 }),
                    Value::Boolean(value) => rows.points.push(Point { series, ts, value: f64::from(u8::from(*value)) }),
                }
            }
            if let Some(metadata) = &sample.metadata {
                let organization = device.organization;
                rows.metadata.push(Metadata { organization, device: device.id, ts, json: metadata.to_string() });
            }
        }
    }
    Ok(rows)
}
