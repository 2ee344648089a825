//! Periodic work: reminders, escalations, news that an alarm is over, and old alarms.

use std::time::Duration;

use portico_model::alarms::rule::Tell;
use portico_model::alarms::{AlarmState, AlarmStepKind};
use portico_platform::{Result, jobs};
use tokio_util::sync::CancellationToken;

use crate::engine::BY_ITSELF;
use crate::store::{self, BATCH, Told};
use crate::{Alarms, Change};

/// How often it is looked whom to tell what.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often old alarms are removed.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

const DAY_MS: i64 = 86_400_000;

pub(crate) fn spawn(alarms: &Alarms) {
    let tasks = &alarms.0.platform.tasks;
    let looked = alarms.clone();
    // Without a lease: an alarm that is due is taken by one server only.
    tasks.spawn("alarm reminders", move |cancel| look(looked.clone(), cancel));
    let cleaned = alarms.clone();
    tasks.spawn("alarm clean-up", move |cancel| {
        let alarms = cleaned.clone();
        async move {
            let platform = alarms.0.platform.clone();
            jobs::run_every("alarm clean-up", CLEAN_EVERY, platform.db, platform.clock, cancel, || alarms.clean_up())
                .await;
        }
    });
}

async fn look(alarms: Alarms, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = alarms.look_once().await {
            tracing::warn!(error = %error, "due alarms not looked at; trying again");
        }
    }
}

impl Alarms {
    /// Tells people what is due to be told, and escalates what nobody acknowledged in time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look_once(&self) -> Result<()> {
        let platform = &self.0.platform;
        loop {
            let now = platform.clock.now();
            let mut tx = platform.db.read().await?;
            let any = store::any_due(&mut tx, now).await?;
            drop(tx);
            if !any {
                return Ok(());
            }
            let mut changes: Vec<Change> = Vec::new();
            let mut tx = platform.db.begin().await?;
            for mut row in store::lock_due(&mut tx, now).await? {
                let is_due = |at: Option<portico_model::Timestamp>| at.is_some_and(|at| at <= now);
                if is_due(row.escalate_at) {
                    row.escalate_at = None;
                    row.notify_at = row.repeat_every_s.map(|seconds| now.plus_secs(seconds));
                    row.alarm.escalated_at = Some(now);
                    row.alarm.severity = row.alarm.severity.raised();
                    store::update(&mut tx, &row).await?;
                    let note = format!("Nobody acknowledged it; now {}.", row.alarm.severity.as_str());
                    store::add_step(&mut tx, &row, AlarmStepKind::Escalated, BY_ITSELF, &note, now).await?;
                    let title = format!("Unacknowledged: {}", row.alarm.title);
                    self.tell(&mut tx, &row, "alarm.escalated", &title, true).await?;
                    changes.push(row.into_change());
                    continue;
                }
                let was_told = row.told;
                row.notify_at = None;
                // Once it has escalated, everyone hears the rest too.
                let everyone = row.tell == Tell::Everyone || row.alarm.escalated_at.is_some();
                match row.alarm.state {
                    AlarmState::Cleared if was_told == Told::Raised => {
                        row.told = Told::Cleared;
                        store::update(&mut tx, &row).await?;
                        let title = format!("Over: {}", row.alarm.title);
                        self.tell(&mut tx, &row, "alarm.cleared", &title, everyone).await?;
                    }
                    AlarmState::Raised => {
                        row.notify_at = row.repeat_every_s.map(|seconds| now.plus_secs(seconds));
                        store::update(&mut tx, &row).await?;
                        store::add_step(&mut tx, &row, AlarmStepKind::Reminded, BY_ITSELF, "", now).await?;
                        let title = format!("Still: {}", row.alarm.title);
                        self.tell(&mut tx, &row, "alarm.raised", &title, everyone).await?;
                    }
                    AlarmState::Cleared | AlarmState::Acknowledged => store::update(&mut tx, &row).await?,
                }
            }
            tx.commit().await?;
            platform.deliveries.wake();
            self.announce(changes);
        }
    }

    /// Removes alarms that cleared too long ago.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clean_up(&self) -> Result<()> {
        let platform = &self.0.platform;
        let days = platform.config.alarms.retention_days;
        let before = platform.clock.now().plus_millis(-days.saturating_mul(DAY_MS));
        loop {
            let mut tx = platform.db.begin().await?;
            let removed = store::delete_cleared_before(&mut tx, before).await?;
            tx.commit().await?;
            if removed < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
