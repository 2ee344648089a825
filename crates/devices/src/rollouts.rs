//! Roll-outs: an image to many devices, in stages, at a pace, stopped when too many fail.

mod engine;

pub(crate) use engine::run;

use std::cmp::Ordering;
use std::sync::Arc;

use portico_model::audit::AuditRecord;
use portico_model::commands::CommandState;
use portico_model::firmware::{
    DeviceUpdate, NewRollout, Rollout, RolloutCounts, RolloutState, Selection, UpdateState, compare_versions,
    parse_update_report, stage_of,
};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{OrganizationId, Page, RolloutId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Actor, Error, Result};
use rand::seq::SliceRandom as _;
use serde_json::json;

use crate::firmware::name_of;
use crate::store::rollout as store;
use crate::{Devices, Known, channel};

/// Most devices of a roll-out.
const MAX_DEVICES: i64 = 20_000;

/// Most entries on a page.
const MAX_PAGE: i64 = 200;

/// What a person does with a roll-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutAction {
    Pause,
    /// Goes on, after a pause or a stop; the failures until now have been seen.
    Resume,
    /// Ends it. Devices that were told already may still finish.
    Abort,
}

fn not_found() -> Error {
    Error::not_found("rollout_not_found", "Roll-out not found")
}

impl Devices {
    /// Begins a roll-out. Devices that have the version, or a newer one (unless it is forced), are left out. Needs
    /// `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, invalid, no such image; conflict when one is under way for the type, or no device is to be updated.
    pub async fn start_rollout(&self, actor: &Actor, new: NewRollout) -> Result<Rollout> {
        actor.require(Permission::ManageFirmware)?;
        let new = new.checked().map_err(Error::fields)?;
        let platform = &self.0.platform;
        let now = self.now();
        let mut tx = platform.db.begin().await?;
        let firmware = self.find_firmware(&mut tx, actor, new.firmware_id).await?;
        let mut rollout = Rollout {
            id: RolloutId::generate(),
            firmware_id: firmware.id,
            device_type: firmware.device_type.clone(),
            version: firmware.version.clone(),
            state: RolloutState::Running,
            selection: new.selection,
            stages: new.stages.unwrap_or_default(),
            stage: 0,
            per_minute: new.per_minute.unwrap_or(1),
            at_once: new.at_once.unwrap_or(1),
            max_failed_percent: new.max_failed_percent.unwrap_or_default(),
            force: new.force,
            timeout_s: new.timeout_s.unwrap_or(60),
            reason: String::new(),
            created_by: name_of(actor),
            created_at: now,
            finished_at: None,
            counts: RolloutCounts::default(),
        };
        let candidates =
            store::candidates(&mut tx, actor.organization, &rollout.device_type, &rollout.selection, MAX_DEVICES + 1)
                .await?;
        if candidates.len() > usize::try_from(MAX_DEVICES).unwrap_or(usize::MAX) {
            let message = format!("A roll-out takes at most {MAX_DEVICES} devices: choose a group.");
            return Err(Error::field("selection", message));
        }
        let found = candidates.len();
        let mut chosen: Vec<_> =
            candidates.into_iter().filter(|(_, version)| wants(version, &rollout.version, rollout.force)).collect();
        if chosen.is_empty() {
            let message = match (found, &rollout.selection) {
                (0, Selection::Type) => "There is no active device of this type.",
                (0, _) => "None of the chosen devices is active and of this type.",
                _ => "Every chosen device has this version or a newer one.",
            };
            return Err(Error::conflict("nothing_to_update", message));
        }
        // The first stage shall not always hit the same devices.
        chosen.shuffle(&mut rand::rng());
        if !store::insert(&mut tx, actor.organization, &rollout).await? {
            let message = "A roll-out for this type of device is under way: end it first.";
            return Err(Error::conflict("rollout_under_way", message));
        }
        for (index, (device, version)) in chosen.iter().enumerate() {
            let stage = stage_of(index, chosen.len(), &rollout.stages);
            let position = i64::try_from(index).unwrap_or(i64::MAX);
            store::insert_device(&mut tx, actor.organization, rollout.id, (*device, version), position, stage, now)
                .await?;
        }
        rollout.counts.pending = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
        let entry = Entry::success("rollout.started").target("rollout", rollout.id);
        let details = json!({
            "firmware": firmware.id, "device_type": firmware.device_type, "version": firmware.version,
            "devices": chosen.len(), "force": rollout.force,
        });
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.0.rollouts_moved.notify_one();
        self.announce_rollout(actor.organization, &rollout, Some(record));
        Ok(rollout)
    }

    /// Roll-outs, the newest first. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, or a cursor that is none of ours.
    pub async fn rollouts(&self, actor: &Actor, cursor: Option<&str>, limit: Option<i64>) -> Result<Page<Rollout>> {
        actor.require(Permission::ManageFirmware)?;
        let limit = limit.unwrap_or(20).clamp(1, MAX_PAGE);
        let before = cursor
            .map(|cursor| cursor.parse().map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list.")))
            .transpose()?;
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, before, limit + 1).await?;
        Ok(Page::cut(items, limit, |rollout| rollout.id.to_string()))
    }

    /// A roll-out. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden or not found.
    pub async fn rollout(&self, actor: &Actor, id: RolloutId) -> Result<Rollout> {
        actor.require(Permission::ManageFirmware)?;
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)
    }

    /// The devices of a roll-out, in their order. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, not found, or a cursor that is none of ours.
    pub async fn rollout_devices(
        &self,
        actor: &Actor,
        id: RolloutId,
        state: Option<UpdateState>,
        cursor: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Page<DeviceUpdate>> {
        actor.require(Permission::ManageFirmware)?;
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let after = cursor
            .map(|cursor| cursor.parse().map_err(|_| Error::invalid("bad_cursor", "The cursor is none of this list.")))
            .transpose()?
            .unwrap_or(-1);
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let found = store::list_devices(&mut tx, actor.organization, id, state, after, limit + 1).await?;
        Ok(Page::cut(found, limit, |(position, _)| position.to_string()).map(|(_, update)| update))
    }

    /// Pauses, resumes or ends a roll-out. Needs `ManageFirmware`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict when its state does not allow that.
    pub async fn steer_rollout(&self, actor: &Actor, id: RolloutId, action: RolloutAction) -> Result<Rollout> {
        actor.require(Permission::ManageFirmware)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let mut rollout = store::lock(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let (state, entry) = match (action, rollout.state) {
            (RolloutAction::Pause, RolloutState::Running) => (RolloutState::Paused, Entry::success("rollout.paused")),
            (RolloutAction::Resume, RolloutState::Paused | RolloutState::Stopped) => {
                (RolloutState::Running, Entry::success("rollout.resumed"))
            }
            (RolloutAction::Abort, state) if !state.is_final() => {
                (RolloutState::Aborted, Entry::success("rollout.aborted"))
            }
            (_, state) => {
                let message = format!("The roll-out is {}.", state.as_str());
                return Err(Error::conflict("wrong_rollout_state", message));
            }
        };
        rollout.state = state;
        rollout.reason.clear();
        if state.is_final() {
            rollout.finished_at = Some(self.now());
        }
        store::update(&mut tx, actor.organization, &rollout, action == RolloutAction::Resume).await?;
        let note = if action == RolloutAction::Abort { "The roll-out was ended." } else { "The roll-out goes on." };
        let mut alarm = None;
        if action != RolloutAction::Pause {
            alarm = self.0.alarms.clear(&mut tx, actor.organization, &engine::stopped_cause(id), note).await?;
        }
        let details = json!({"device_type": rollout.device_type, "version": rollout.version});
        let entry = entry.target("rollout", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.0.alarms.announce(alarm);
        self.0.rollouts_moved.notify_one();
        self.announce_rollout(actor.organization, &rollout, Some(record));
        Ok(rollout)
    }

    fn announce_rollout(&self, organization: OrganizationId, rollout: &Rollout, record: Option<AuditRecord>) {
        self.0.platform.hub.publish(Publication {
            channels: vec![channel::rollouts(organization), channel::rollout(organization, rollout.id)],
            event: Event::RolloutChanged { rollout: rollout.clone() },
            delivery: Delivery::Every,
        });
        if let Some(record) = record {
            self.announce_audit(organization, record);
        }
    }

    fn announce_update(&self, organization: OrganizationId, rollout: RolloutId, update: &DeviceUpdate) {
        self.0.platform.hub.publish(Publication {
            channels: vec![channel::rollout(organization, rollout)],
            event: Event::DeviceUpdateChanged { rollout_id: rollout, update: update.clone() },
            delivery: Delivery::Every,
        });
    }

    /// Takes an event of a device; those that are none of firmware's only show that it is alive.
    pub(crate) async fn take_event(&self, device: &Arc<Known>, payload: &[u8], at: Timestamp) -> Result<()> {
        let report = match parse_update_report(payload) {
            Ok(Some(report)) => report,
            Ok(None) => return Ok(()),
            Err(problem) => {
                self.0.presence.problem(device, at, problem.code, &problem.message, payload);
                return Ok(());
            }
        };
        let organization = device.organization;
        let mut tx = self.0.platform.db.read().await?;
        let rollout = store::find_by_command(&mut tx, organization, device.id, report.command).await?;
        let Some(rollout) = rollout else { return Ok(()) };
        let update = store::find_device(&mut tx, organization, rollout, device.id).await?;
        drop(tx);
        let Some(mut update) = update else { return Ok(()) };
        let before = update.state;
        let Some(state) = before.after(report.state) else { return Ok(()) };
        if state == before && update.progress == report.progress {
            return Ok(());
        }
        update.state = state;
        update.progress = if state == UpdateState::Verifying { 100 } else { report.progress };
        update.error = report.error;
        update.updated_at = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        let changed = store::update_device(&mut tx, organization, rollout, before, &update, None).await?;
        tx.commit().await?;
        if changed {
            self.announce_update(organization, rollout, &update);
            self.0.rollouts_moved.notify_one();
        }
        Ok(())
    }
}

/// Whether a device with this version is to get the other.
fn wants(has: &str, new: &str, force: bool) -> bool {
    match compare_versions(has, new) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => false,
        Some(Ordering::Greater) => force,
        // Not known, or not ordered: everything is better than that.
        None => has != new,
    }
}

/// What the state of the command tells of the update.
fn told_by_command(state: Option<CommandState>) -> Option<UpdateState> {
    match state? {
        CommandState::Acknowledged => Some(UpdateState::Verifying),
        CommandState::Failed | CommandState::Expired | CommandState::Cancelled => Some(UpdateState::Failed),
        CommandState::Queued | CommandState::Sent | CommandState::Delivered => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_newer_is_replaced_unless_forced() {
        for (has, new, force, expected) in [
            ("1.0.0", "1.1.0", false, true),
            ("1.1.0", "1.1.0", false, false),
            ("1.1.0", "1.1.0", true, false),
            ("1.2.0", "1.1.0", false, false),
            ("1.2.0", "1.1.0", true, true),
            ("", "1.1.0", false, true),
            ("factory", "1.1.0", false, true),
        ] {
            assert_eq!(wants(has, new, force), expected, "{has} → {new}, {force}");
        }
    }
}
