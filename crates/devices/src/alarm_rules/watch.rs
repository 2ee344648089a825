//! What time alone brings about: rules changed on another server, silence, and what has lasted long enough.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use portico_model::alarms::rule::{Condition, Phase, RuleState};
use portico_model::{AlarmRuleId, DeviceId, OrganizationId, Timestamp};
use portico_platform::Result;
use tokio_util::sync::CancellationToken;

use super::evaluate::cause;
use crate::Devices;
use crate::store::alarm_rule::{self as store, State};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a start devices get so long to bring what they kept, seconds, before their silence counts.
const GRACE_S: i64 = 120;

pub(crate) fn spawn(devices: &Devices) {
    let watched = devices.clone();
    // Without a lease: a state that is due is taken by one server only.
    devices.0.platform.tasks.spawn("alarm rules", move |cancel| watch(watched.clone(), cancel));
}

async fn watch(devices: Devices, cancel: CancellationToken) {
    loop {
        if let Err(error) = devices.watch_rules_once().await {
            tracing::warn!(error = %error, "alarm rules not looked at; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
    }
}

impl Devices {
    /// Puts changed rules into effect and judges what time has brought about.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn watch_rules_once(&self) -> Result<()> {
        for organization in self.0.judge.index.refresh().await? {
            self.reconcile_rules(organization).await?;
        }
        self.judge_due().await
    }

    /// Ends what no rule says any more, and begins to wait where a rule newly applies.
    async fn reconcile_rules(&self, organization: OrganizationId) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        if !store::begin_reconciling(&mut tx, organization).await? {
            return Ok(());
        }
        let rules: HashMap<AlarmRuleId, Condition> = store::list_enabled(&mut tx, organization)
            .await?
            .into_iter()
            .map(|rule| (rule.id, rule.rule.condition))
            .collect();
        let applies = store::applies(&mut tx, organization).await?;
        let wanted: HashSet<(AlarmRuleId, DeviceId)> =
            applies.iter().map(|applies| (applies.rule_id, applies.device_id)).collect();
        let mut changes = Vec::new();
        let mut existing = HashSet::new();
        for State { rule, device, state, .. } in store::list_states(&mut tx, organization).await? {
            if wanted.contains(&(rule, device)) {
                existing.insert((rule, device));
                continue;
            }
            store::delete_state(&mut tx, rule, device).await?;
            if state.phase == Phase::Active {
                let note = "The rule no longer applies.";
                changes.extend(self.0.alarms.clear(&mut tx, organization, &cause(rule, device), note).await?);
            }
        }
        let mut begun = Vec::new();
        for applies in applies.iter().filter(|applies| !existing.contains(&(applies.rule_id, applies.device_id))) {
            let Some(condition) = rules.get(&applies.rule_id) else { continue };
            let mut state = RuleState::new(condition, now);
            if applies.is_offline() {
                let at = applies.last_seen_at.unwrap_or(now);
                // Not raised here: it is due at once, and the next look raises it.
                let waiting = match condition {
                    Condition::Connection { after_s } => Condition::Connection { after_s: (*after_s).max(1) },
                    other => other.clone(),
                };
                state.connection(&waiting, false, at, now);
            }
            if state != RuleState::default() {
                begun.push(State { organization, rule: applies.rule_id, device: applies.device_id, state });
            }
        }
        store::save_states(&mut tx, &begun).await?;
        tx.commit().await?;
        self.0.alarms.announce(changes);
        Ok(())
    }

    async fn judge_due(&self) -> Result<()> {
        let platform = &self.0.platform;
        loop {
            let now = platform.clock.now();
            let mut tx = platform.db.read().await?;
            let any = store::any_due(&mut tx, now).await?;
            drop(tx);
            if !any {
                return Ok(());
            }
            let index = self.0.judge.index.current();
            let mut changes = Vec::new();
            let mut saved = Vec::new();
            let mut tx = platform.db.begin().await?;
            for mut due in store::lock_due(&mut tx, now).await? {
                let Some(rule) = index.rule(due.rule) else {
                    // A rule that is gone, or that this server has not read yet.
                    due.state.due_at = Some(now.plus_secs(60));
                    saved.push(due);
                    continue;
                };
                let condition = &rule.rule.rule.condition;
                if let Some(end) = self.grace_end(condition).filter(|end| *end > now) {
                    due.state.due_at = Some(end);
                } else if let Some(verdict) = due.state.time_passed(condition, now) {
                    changes.extend(self.0.judge.act(&mut tx, rule, due.device, verdict).await?);
                }
                saved.push(due);
            }
            store::save_states(&mut tx, &saved).await?;
            tx.commit().await?;
            self.0.alarms.announce(changes);
        }
    }

    /// Until when silence is not held against a device, because it was us who did not listen.
    fn grace_end(&self, condition: &Condition) -> Option<Timestamp> {
        match condition {
            Condition::Absence { after_s, .. } => Some(self.0.started_at.plus_secs(GRACE_S.min(*after_s))),
            _ => None,
        }
    }
}
