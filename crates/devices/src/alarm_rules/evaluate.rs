//! Judging what came, in the transaction that stores it: so neither a crash nor a second server can lose an alarm or
//! raise it twice. A batch of devices without rules pays one look into the index for each message.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use portico_alarms::{Alarms, Change, Reach, Report, Subject};
use portico_model::alarms::rule::{Condition, RuleState, Verdict};
use portico_model::{AlarmRuleId, DeviceId, ErrorKind, Timestamp};
use portico_platform::{Result, Tx, on_db};

use super::index::{Index, Rule, Snapshot};
use crate::store::alarm_rule::{self as store, State};
use crate::store::series::{Kind, Series};
use crate::store::{device, read};

/// Most measurements of one key within the window of a rate of change; of more the newest count.
const MAX_WINDOW_POINTS: i64 = 10_000;

/// Judges; cheap to clone.
#[derive(Clone)]
pub struct Judge {
    pub alarms: Alarms,
    pub index: Index,
}

/// Something that came which a rule looks at.
pub struct Reading {
    pub rule: Arc<Rule>,
    pub device: DeviceId,
    pub what: What,
}

/// A measurement of the key, or only a sign that something came.
#[derive(Clone, Copy, PartialEq)]
pub enum What {
    Heard,
    Value { series: i64, ts: Timestamp, value: f64 },
}

/// The cause of the alarms of one rule about one device.
pub fn cause(rule: AlarmRuleId, device: DeviceId) -> String {
    format!("rule:{rule}:{device}")
}

impl Judge {
    /// Judges the readings of a batch, of which `is_new` says whether they were stored just now. What changed is to be
    /// announced after the commit.
    pub async fn readings(
        &self,
        tx: &mut Tx,
        readings: Vec<Reading>,
        is_new: impl Fn(i64, i64) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        if readings.is_empty() {
            return Ok(Vec::new());
        }
        on_db!(&mut *tx, conn => sqlx::query("savepoint judging").execute(conn).await.map(drop))?;
        let judged = self.judge_readings(tx, readings, is_new, now).await;
        settled(tx, judged).await
    }

    async fn judge_readings(
        &self,
        tx: &mut Tx,
        readings: Vec<Reading>,
        is_new: impl Fn(i64, i64) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut groups: HashMap<(DeviceId, AlarmRuleId), (Arc<Rule>, Vec<What>)> = HashMap::new();
        for reading in readings {
            let key = (reading.device, reading.rule.rule.id);
            let (_, list) = groups.entry(key).or_insert_with(|| (reading.rule, Vec::new()));
            if reading.what != What::Heard || !list.contains(&What::Heard) {
                list.push(reading.what);
            }
        }
        let mut known = self.states(tx, groups.keys().map(|(device, _)| *device)).await?;
        let mut groups: Vec<_> = groups.into_iter().collect();
        // Two servers take the same locks in the same order.
        groups.sort_by_key(|(key, _)| *key);
        let mut saved = Vec::new();
        for ((device, id), (rule, list)) in groups {
            let condition = &rule.rule.rule.condition;
            let before = known.remove(&(id, device));
            let mut state = before.unwrap_or_else(|| RuleState::new(condition, now));
            let mut verdicts = Vec::new();
            verdicts.extend(state.heard(condition, now));
            let mut values: Vec<(i64, Timestamp, f64)> = list
                .into_iter()
                .filter_map(|what| match what {
                    What::Value { series, ts, value } if is_new(series, ts.millis()) => Some((series, ts, value)),
                    _ => None,
                })
                .collect();
            values.sort_by_key(|(_, ts, _)| *ts);
            let window = self.window(tx, condition, &values).await?;
            for (_, ts, value) in values {
                verdicts.extend(state.measured(condition, ts, value, &window, now));
            }
            for verdict in verdicts {
                changes.extend(self.act(tx, &rule, device, verdict).await?);
            }
            if before != Some(state) {
                saved.push(State { organization: rule.organization, rule: id, device, state });
            }
        }
        store::save_states(tx, &saved).await?;
        Ok(changes)
    }

    async fn states(
        &self,
        tx: &mut Tx,
        devices: impl Iterator<Item = DeviceId>,
    ) -> Result<HashMap<(AlarmRuleId, DeviceId), RuleState>> {
        let devices: Vec<DeviceId> = devices.collect::<BTreeSet<_>>().into_iter().collect();
        let states = store::lock_states(tx, &devices).await?;
        Ok(states.into_iter().map(|state| ((state.rule, state.device), state.state)).collect())
    }

    /// For a rate of change: the measurements it looks back on, those of this batch among them, oldest first.
    async fn window(
        &self,
        tx: &mut Tx,
        condition: &Condition,
        values: &[(i64, Timestamp, f64)],
    ) -> Result<Vec<(Timestamp, f64)>> {
        let (Condition::Rate { window_s, .. }, Some(first), Some(last)) = (condition, values.first(), values.last())
        else {
            return Ok(Vec::new());
        };
        let series = Series { id: first.0, key: String::new(), kind: Kind::Number };
        let from = first.1.plus_secs(-window_s);
        let newest = read::newest(tx, &series, from, last.1, MAX_WINDOW_POINTS).await?;
        Ok(newest.into_iter().rev().filter_map(|(ts, value)| Some((ts, value.number()?))).collect())
    }

    /// Devices came or went: (device, whether it is online, when it was last heard).
    pub async fn connections(
        &self,
        tx: &mut Tx,
        moved: &[(DeviceId, bool, Timestamp)],
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        let index = self.index.current();
        let watched: Vec<_> =
            moved.iter().filter(|(device, _, _)| watches_connection(&index, *device)).copied().collect();
        if watched.is_empty() {
            return Ok(Vec::new());
        }
        on_db!(&mut *tx, conn => sqlx::query("savepoint judging").execute(conn).await.map(drop))?;
        let judged = self.judge_connections(tx, &index, watched, now).await;
        settled(tx, judged).await
    }

    async fn judge_connections(
        &self,
        tx: &mut Tx,
        index: &Snapshot,
        watched: Vec<(DeviceId, bool, Timestamp)>,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut known = self.states(tx, watched.iter().map(|(device, _, _)| *device)).await?;
        let mut saved = Vec::new();
        for (device, is_online, at) in watched {
            for rule in index.of_device(device) {
                let condition = &rule.rule.rule.condition;
                let before = known.remove(&(rule.rule.id, device));
                let mut state = before.unwrap_or_else(|| RuleState::new(condition, now));
                if let Some(verdict) = state.connection(condition, is_online, at, now) {
                    changes.extend(self.act(tx, rule, device, verdict).await?);
                }
                if before.unwrap_or_default() != state {
                    saved.push(State { organization: rule.organization, rule: rule.rule.id, device, state });
                }
            }
        }
        store::save_states(tx, &saved).await?;
        Ok(changes)
    }

    /// Does what the verdict says. A device that is gone raises nothing.
    pub async fn act(&self, tx: &mut Tx, rule: &Rule, device: DeviceId, verdict: Verdict) -> Result<Option<Change>> {
        let what = &rule.rule.rule;
        let text = what.condition.sentence(&verdict);
        let cause = cause(rule.rule.id, device);
        match verdict {
            Verdict::Clear { .. } => self.alarms.clear(tx, rule.organization, &cause, &text).await,
            Verdict::Raise { since, .. } => {
                let Some(known) = device::find_known(tx, device).await? else { return Ok(None) };
                let report = Report {
                    cause,
                    kind: what.condition.kind(),
                    severity: what.severity,
                    title: what.name.clone(),
                    text,
                    subject: Subject { kind: "device", id: device.to_string(), name: known.name },
                    began_at: since,
                    reach: Reach {
                        rule: Some(rule.rule.id),
                        owner: Some(known.owner),
                        tell: what.tell,
                        escalate_after_s: what.escalate_after_s,
                        repeat_every_s: what.repeat_every_s,
                    },
                };
                self.alarms.raise(tx, rule.organization, &report).await
            }
        }
    }
}

/// A mistake of ours in judging must not keep what is judged from being stored: then only the judging is undone, and
/// what comes next is judged anew. When the database is away the whole is tried again.
async fn settled(tx: &mut Tx, judged: Result<Vec<Change>>) -> Result<Vec<Change>> {
    match judged {
        Ok(changes) => {
            on_db!(tx, conn => sqlx::query("release savepoint judging").execute(conn).await.map(drop))?;
            Ok(changes)
        }
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => {
            tracing::error!(?error, "alarm rules could not judge what was stored");
            metrics::counter!("portico_alarm_rule_failures_total").increment(1);
            on_db!(&mut *tx, conn => sqlx::query("rollback to savepoint judging").execute(conn).await.map(drop))?;
            on_db!(tx, conn => sqlx::query("release savepoint judging").execute(conn).await.map(drop))?;
            Ok(Vec::new())
        }
    }
}

fn watches_connection(index: &Snapshot, device: DeviceId) -> bool {
    index.of_device(device).iter().any(|rule| !rule.rule.rule.condition.watches_telemetry())
}
