//! What moves a roll-out: a job that one server at a time does. It takes in what devices and their commands tell, stops,
//! goes to the next stage, or tells the next devices.

use std::time::Duration;

use portico_alarms::{Reach, Report, Subject};
use portico_model::alarms::Severity;
use portico_model::commands::CommandState;
use portico_model::firmware::{
    Decision, DeviceUpdate, Firmware, Rollout, RolloutState, UPDATE_COMMAND, UpdateState, decide,
};
use portico_model::{DeviceId, OrganizationId, RolloutId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::jobs::Lease;
use portico_platform::{Actor, Result, Tx};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::told_by_command;
use crate::Devices;
use crate::store::{command, device as registry, firmware, rollout as store};

/// How often roll-outs are looked at when nothing is heard of them.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Devices told in one round; the next round follows at once.
const ROUND: i64 = 50;

/// Looks at roll-outs until cancelled.
pub(crate) async fn run(devices: Devices, cancel: CancellationToken) {
    let lease = Lease::new("firmware roll-outs", Duration::from_secs(30));
    loop {
        tokio::select! {
            () = devices.0.rollouts_moved.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = devices.round(&lease).await {
            tracing::warn!(error = %error, "roll-outs not moved; trying again");
        }
    }
}

impl Devices {
    async fn round(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let any = !store::under_way(&mut tx).await?.is_empty();
        drop(tx);
        // Without a roll-out there is nothing to write, not even the lease.
        if any && lease.take(&self.0.platform.db, self.now()).await? {
            self.move_rollouts().await?;
        }
        Ok(())
    }

    /// Moves every roll-out that is under way as far as it goes now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn move_rollouts(&self) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let under_way = store::under_way(&mut tx).await?;
        drop(tx);
        for (organization, id) in under_way {
            self.take_in(organization, id).await?;
            while self.step(organization, id).await? {}
        }
        Ok(())
    }

    /// What devices and their commands tell.
    async fn take_in(&self, organization: OrganizationId, id: RolloutId) -> Result<()> {
        let mut tx = self.0.platform.db.read().await?;
        let Some(rollout) = store::find(&mut tx, organization, id).await? else { return Ok(()) };
        let looked_at = store::to_look_at(&mut tx, organization, id, &rollout.version).await?;
        drop(tx);
        let now = self.now();
        let mut changed = false;
        for seen in looked_at {
            let Some(before) = UpdateState::parse(&seen.state) else { continue };
            let command_state = seen.command_state.as_deref().and_then(CommandState::parse);
            let told = told_by_command(command_state).filter(|told| before.after(*told).is_some());
            let (state, error) = if seen.firmware_version == rollout.version {
                (UpdateState::Installed, String::new())
            } else if seen.is_gone {
                (UpdateState::Failed, "The device was deleted.".to_owned())
            } else if let Some(told) = told {
                let error = match command_state {
                    Some(CommandState::Failed) => seen.command_error.unwrap_or_default(),
                    Some(CommandState::Expired) => "The device did not answer in time.".to_owned(),
                    Some(CommandState::Cancelled) => "The command was withdrawn.".to_owned(),
                    _ => String::new(),
                };
                (told, error)
            } else if seen.deadline_at.is_some_and(|deadline| deadline <= now) {
                (UpdateState::Failed, "The device did not report the new version in time.".to_owned())
            } else {
                continue;
            };
            if state == before {
                continue;
            }
            let mut tx = self.0.platform.db.begin().await?;
            let Some(mut update) = store::find_device(&mut tx, organization, id, seen.device_id).await? else {
                continue;
            };
            update.state = state;
            update.error = error;
            update.updated_at = now;
            if matches!(state, UpdateState::Installed | UpdateState::Verifying) {
                update.progress = 100;
            }
            if store::update_device(&mut tx, organization, id, before, &update, None).await? {
                tx.commit().await?;
                self.announce_update(organization, id, &update);
                changed = true;
            }
        }
        if changed {
            let mut tx = self.0.platform.db.read().await?;
            if let Some(rollout) = store::find(&mut tx, organization, id).await? {
                self.announce_rollout(organization, &rollout, None);
            }
        }
        Ok(())
    }

    /// One step; whether another may follow at once.
    async fn step(&self, organization: OrganizationId, id: RolloutId) -> Result<bool> {
        let now = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        let Some(mut rollout) = store::lock(&mut tx, organization, id).await? else { return Ok(false) };
        if rollout.state != RolloutState::Running {
            return Ok(false);
        }
        let facts = store::facts(&mut tx, organization, &rollout, now).await?;
        let decision = decide(rollout.at_once, rollout.per_minute, rollout.max_failed_percent, &facts);
        let entry = match decision {
            Decision::Wait => return Ok(false),
            Decision::Tell(count) => {
                let devices = store::to_tell(&mut tx, organization, &rollout, count.min(ROUND)).await?;
                tx.commit().await?;
                return self.tell(organization, &rollout, devices).await;
            }
            Decision::NextStage => {
                rollout.stage += 1;
                None
            }
            Decision::Finish => {
                rollout.state = RolloutState::Finished;
                rollout.finished_at = Some(now);
                Some(Entry::success("rollout.finished"))
            }
            Decision::Stop => {
                rollout.state = RolloutState::Stopped;
                rollout.reason = format!(
                    "{} of {} devices failed, more than {} %.",
                    facts.failed, facts.devices, rollout.max_failed_percent
                );
                Some(Entry::failed("rollout.stopped"))
            }
        };
        store::update(&mut tx, organization, &rollout, false).await?;
        let mut alarm = None;
        if decision == Decision::Stop {
            alarm = self.0.alarms.raise(&mut tx, organization, &stopped(&rollout, now)).await?;
        }
        let mut record = None;
        if let Some(entry) = entry {
            let entry = entry.target("rollout", id).details(json!({"counts": rollout.counts}));
            record = Some(self.0.platform.audit.append(&mut tx, &Actor::system(organization), entry).await?);
        }
        tx.commit().await?;
        self.0.alarms.announce(alarm);
        self.announce_rollout(organization, &rollout, record);
        Ok(decision == Decision::NextStage)
    }

    async fn tell(&self, organization: OrganizationId, rollout: &Rollout, devices: Vec<DeviceId>) -> Result<bool> {
        let mut tx = self.0.platform.db.read().await?;
        let image = firmware::find(&mut tx, organization, rollout.firmware_id).await?;
        drop(tx);
        // An image cannot be deleted while its roll-out is under way.
        let Some(image) = image else { return Ok(false) };
        let mut told = false;
        for device in devices {
            told |= self.tell_device(organization, rollout, &image, device).await?;
        }
        if told {
            let mut tx = self.0.platform.db.read().await?;
            if let Some(rollout) = store::find(&mut tx, organization, rollout.id).await? {
                self.announce_rollout(organization, &rollout, None);
            }
        }
        Ok(told)
    }

    async fn tell_device(
        &self,
        organization: OrganizationId,
        rollout: &Rollout,
        image: &Firmware,
        id: DeviceId,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        // Another server may be telling devices at the same time: each looks again, one after the other, whether there is room.
        if !self.may_tell(&mut tx, organization, rollout.id).await? {
            return Ok(false);
        }
        // The device's row before what is its own, as everyone does who commands it.
        if command::lock_connection(&mut tx, organization, id).await?.is_none() {
            return Ok(false);
        }
        let Some(device) = registry::find(&mut tx, organization, id).await? else { return Ok(false) };
        let Some(mut update) = store::find_device(&mut tx, organization, rollout.id, id).await? else {
            return Ok(false);
        };
        let args = update_args(rollout, image, self.0.platform.config.public_url.as_deref());
        let actor = Actor::system(organization);
        let new = (UPDATE_COMMAND.to_owned(), args, rollout.timeout_s);
        match self.issue_command(&mut tx, &actor, &device, new).await {
            Ok(step) => {
                update.state = UpdateState::Notified;
                update.command_id = Some(step.command.id);
                update.notified_at = Some(now);
                update.updated_at = now;
                let deadline = Some(now.plus_secs(rollout.timeout_s));
                let was = UpdateState::Pending;
                if !store::update_device(&mut tx, organization, rollout.id, was, &update, deadline).await? {
                    return Ok(false);
                }
                tx.commit().await?;
                self.announce_command(organization, step);
                self.announce_update(organization, rollout.id, &update);
                Ok(true)
            }
            // Just taken out of use, or its queue is full.
            Err(error) if matches!(error.code(), "device_not_active" | "too_many_commands") => {
                drop(tx);
                self.fail(organization, rollout.id, update, error.message()).await
            }
            Err(error) => Err(error),
        }
    }

    /// Whether one more device may be told now. Whoever asks is alone with the roll-out until his transaction ends.
    async fn may_tell(&self, tx: &mut Tx, organization: OrganizationId, id: RolloutId) -> Result<bool> {
        let Some(rollout) = store::lock(tx, organization, id).await? else { return Ok(false) };
        let facts = store::facts(tx, organization, &rollout, self.now()).await?;
        let decision = decide(rollout.at_once, rollout.per_minute, rollout.max_failed_percent, &facts);
        Ok(rollout.state == RolloutState::Running && matches!(decision, Decision::Tell(_)))
    }

    async fn fail(
        &self,
        organization: OrganizationId,
        rollout: RolloutId,
        mut update: DeviceUpdate,
        reason: &str,
    ) -> Result<bool> {
        let before = update.state;
        reason.clone_into(&mut update.error);
        update.state = UpdateState::Failed;
        update.updated_at = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        let changed = store::update_device(&mut tx, organization, rollout, before, &update, None).await?;
        tx.commit().await?;
        if changed {
            self.announce_update(organization, rollout, &update);
        }
        Ok(changed)
    }
}

/// The alarm's name for a roll-out that stopped.
pub(super) fn stopped_cause(id: RolloutId) -> String {
    format!("rollout:{id}")
}

/// Nobody may be watching the page when it stops.
fn stopped(rollout: &Rollout, now: Timestamp) -> Report {
    let name = format!("{} {}", rollout.device_type, rollout.version);
    Report {
        cause: stopped_cause(rollout.id),
        kind: "rollout_stopped",
        severity: Severity::Warning,
        title: format!("Roll-out of {name} stopped"),
        text: rollout.reason.clone(),
        subject: Subject { kind: "rollout", id: rollout.id.to_string(), name },
        began_at: now,
        reach: Reach::default(),
    }
}

/// What the device needs to fetch the image and to be sure of it.
fn update_args(rollout: &Rollout, image: &Firmware, public_url: Option<&str>) -> Value {
    json!({
        "firmware_id": image.id,
        "device_type": image.device_type,
        "version": image.version,
        "size": image.size_bytes,
        "sha256": image.sha256,
        "signature": image.signature,
        "url": format!("{}/api/v1/devices/firmware/{}", public_url.unwrap_or_default(), image.id),
        "force": rollout.force,
    })
}
