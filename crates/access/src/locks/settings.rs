//! What people decide about a lock.

use portico_model::DeviceId;
use portico_model::access::lock::{How, LockChange, LockEventKind, MAX_RELOCK_AFTER_S, ShownLock};
use portico_model::access::{Position, lock::LockNotice};
use portico_model::devices::DeviceChange;
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use super::steps::line;
use super::{not_found, store};
use crate::Access;

/// Shortest time after which a lock locks itself, seconds: the bolt must have come home before.
const MIN_RELOCK_AFTER_S: i64 = 5;

impl Access {
    /// Changes a lock's name, place and rules. Needs to be its owner or `ManageAllLocks`.
    ///
    /// # Errors
    /// Not found, forbidden, invalid fields, or a name in use.
    pub async fn change_lock(&self, actor: &Actor, id: DeviceId, change: LockChange) -> Result<ShownLock> {
        if change
            .relock_after_s
            .is_some_and(|seconds| seconds != 0 && !(MIN_RELOCK_AFTER_S..=MAX_RELOCK_AFTER_S).contains(&seconds))
        {
            let message = format!("0, or {MIN_RELOCK_AFTER_S} to {MAX_RELOCK_AFTER_S} seconds");
            return Err(Error::field("relock_after_s", message));
        }
        let mut tx = self.0.platform.db.read().await?;
        self.manageable_lock(&mut tx, actor, id).await?;
        drop(tx);
        if change.name.is_some() || change.location.is_some() {
            let of_device = DeviceChange { name: change.name, location: change.location, ..DeviceChange::default() };
            self.0.devices.update(actor, id, of_device).await?;
        }
        if change.relock_after_s.is_none() && change.require_step_up.is_none() && change.notify_on.is_none() {
            return self.lock(actor, id).await;
        }
        if change.require_step_up == Some(false) {
            // Whoever found a browser left open must not be able to take the protection away.
            self.0.identity.require_fresh_authentication(actor).await?;
        }
        let mut tx = self.0.platform.db.begin().await?;
        self.manageable_lock(&mut tx, actor, id).await?;
        let mut found = store::find_held(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let now = self.0.platform.clock.now();
        let lock = &mut found.lock;
        if let Some(seconds) = change.relock_after_s {
            lock.relock_after_s = Some(seconds).filter(|seconds| *seconds > 0);
            let is_open = found.state.position == Position::Unlocked;
            lock.relock_at = lock.relock_after_s.filter(|_| is_open).map(|seconds| now.plus_secs(seconds));
        }
        if let Some(required) = change.require_step_up {
            lock.require_step_up = required;
        }
        if let Some(chosen) = change.notify_on {
            lock.notify_on = LockNotice::ALL.iter().copied().filter(|notice| chosen.contains(notice)).collect();
        }
        store::update_settings(&mut tx, actor.organization, lock, now).await?;
        let details = json!({
            "relock_after_s": lock.relock_after_s, "require_step_up": lock.require_step_up, "notify_on": lock.notify_on,
        });
        let entry = Entry::success("lock.changed").target("lock", id).details(details);
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        let event = line(id, now, LockEventKind::Changed, actor.label(), How::System);
        let step = self.write_lock(&mut tx, actor.organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step.with_record(record));
        self.lock(actor, id).await
    }
}
