//! Locking and unlocking.

use portico_model::access::lock::{Bolt, Happening, How, Lock, LockEventKind, LockResult, LockRole};
use portico_model::commands::NewCommand;
use portico_model::devices::Connection;
use portico_model::{DeviceId, DoorId, OrganizationId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::steps::{LockStep, line};
use super::{not_found, store};
use crate::Access;

/// How long a lock that is away may take to come back and do as it was told, seconds, when nothing else is said.
pub const EXPIRES_IN_S: i64 = 60;

/// Longest such time, seconds: a door must not open hours after somebody asked.
pub const MAX_EXPIRES_IN_S: i64 = 3_600;

/// What a lock is to do, and by which way it was asked.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    pub want: Bolt,
    pub how: How,
    /// 1 to 3,600 seconds; absent: 60.
    pub expires_in_s: Option<i64>,
    /// Unlocked for so long only, by the lock's own clock.
    pub for_s: Option<i64>,
    /// A lock that is not there is told nothing.
    pub only_online: bool,
}

/// A door has its lock moved, for somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtDoor<'a> {
    pub door: DoorId,
    pub name: &'a str,
    /// As [`LockEvent::actor`](portico_model::access::lock::LockEvent::actor).
    pub who: &'a str,
    /// Unlocked until it is told to lock.
    pub hold: bool,
    /// The door works in another way from now on: what still waits for the lock is over. Letting one person in ends nothing.
    pub is_order: bool,
}

impl Operation {
    #[must_use]
    pub const fn new(want: Bolt, how: How) -> Self {
        Self { want, how, expires_in_s: None, for_s: None, only_online: false }
    }

    /// What the lock is told.
    pub(crate) fn command(&self, at: Option<AtDoor<'_>>) -> NewCommand {
        let mut args = json!({});
        if let Some(seconds) = self.for_s {
            args["for_s"] = json!(seconds);
        }
        if let Some(at) = at {
            args["door"] = json!(at.door);
            if at.hold {
                args["hold"] = json!(true);
            }
        }
        NewCommand {
            name: self.want.command().to_owned(),
            args: Some(args),
            expires_in_s: Some(self.expires_in_s.unwrap_or(EXPIRES_IN_S)),
        }
    }
}

pub(super) const fn kind_of(want: Bolt) -> LockEventKind {
    match want {
        Bolt::Locked => LockEventKind::Lock,
        Bolt::Unlocked => LockEventKind::Unlock,
    }
}

const fn action_of(want: Bolt) -> &'static str {
    match want {
        Bolt::Locked => "lock.lock",
        Bolt::Unlocked => "lock.unlock",
    }
}

impl Access {
    /// Tells a lock to lock or unlock. It is done only when the lock says so. Needs to be its owner, an operator of it, or
    /// `OperateAllLocks`. The same wish again, while the lock has not answered, changes nothing.
    ///
    /// # Errors
    /// Not found; forbidden, also `step_up_required` where the lock asks for it; invalid, when the expiry is out of range;
    /// conflict when the device is not in use; unavailable `lock_offline`, if only a lock that is there is to be told.
    pub async fn operate_lock(&self, actor: &Actor, id: DeviceId, operation: Operation) -> Result<Lock> {
        if operation.expires_in_s.is_some_and(|seconds| !(1..=MAX_EXPIRES_IN_S).contains(&seconds)) {
            return Err(Error::field("expires_in_s", format!("1 to {MAX_EXPIRES_IN_S} seconds")));
        }
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let (found, role) = self.visible_lock(&mut tx, actor, id).await?;
        drop(tx);
        if role < LockRole::Operator {
            return Err(self.refuse_operation(actor, &found.lock, operation).await?);
        }
        if found.lock.require_step_up {
            self.0.identity.require_fresh_authentication(actor).await?;
        }
        let mut tx = platform.db.begin().await?;
        store::hold_device(&mut tx, id).await?;
        // Once more, now that nothing can change it: what was shared may have been taken back meanwhile.
        let (found, role) = self.visible_lock(&mut tx, actor, id).await?;
        if role < LockRole::Operator {
            drop(tx);
            return Err(self.refuse_operation(actor, &found.lock, operation).await?);
        }
        if operation.only_online && found.lock.connection != Connection::Online {
            let name = operation.want.command().to_uppercase();
            let message = format!("Device is offline, cannot send {name} command");
            return Err(Error::unavailable("lock_offline", message));
        }
        if found.state.wanted.is_some_and(|(want, _)| want == operation.want) {
            return Ok(found.lock);
        }
        let step = self.operate_in(&mut tx, actor, actor.organization, id, operation).await?;
        tx.commit().await?;
        Ok(self.announce_lock(step))
    }

    /// As [`Access::operate_lock`], in the caller's transaction, which has made sure that the actor may do so and holds the
    /// device's row (or none). Announce the step after the commit.
    ///
    /// # Errors
    /// Not found; conflict when the device is not in use or has too many commands waiting.
    pub(crate) async fn operate_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        organization: OrganizationId,
        id: DeviceId,
        operation: Operation,
    ) -> Result<LockStep> {
        self.operate_for(tx, actor, organization, id, operation, None).await
    }

    /// As [`Access::operate_in`], because of a door: what it is told and its history name the door. Nothing has been
    /// written when it cannot be told.
    ///
    /// # Errors
    /// As [`Access::operate_in`].
    pub(crate) async fn operate_at_door(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: DeviceId,
        operation: Operation,
        at: AtDoor<'_>,
    ) -> Result<LockStep> {
        self.operate_for(tx, actor, actor.organization, id, operation, Some(at)).await
    }

    async fn operate_for(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        organization: OrganizationId,
        id: DeviceId,
        operation: Operation,
        at: Option<AtDoor<'_>>,
    ) -> Result<LockStep> {
        let Operation { want, how, .. } = operation;
        let platform = &self.0.platform;
        store::hold_device(tx, id).await?;
        let before = store::find(tx, organization, id).await?.ok_or_else(not_found)?;
        let issued = self.0.devices.issue_in(tx, actor, id, operation.command(at)).await?;
        // What still waits for the lock would be undone at once.
        let waiting = before.state.wanted.filter(|_| at.is_none_or(|at| at.is_order));
        let withdrawn = match waiting {
            Some((_, command)) => self.0.devices.withdraw_in(tx, actor, id, command).await?,
            None => None,
        };
        let mut found = store::find_held(tx, organization, id).await?.ok_or_else(not_found)?;
        let now = platform.clock.now();
        found.state = found.state.after(Happening::Told { want, command: issued.command.id }, now);
        found.lock.relock_at = None;
        let who = at.map_or_else(|| actor.label(), |at| at.who.to_owned());
        let mut event = line(id, now, kind_of(want), who, how);
        if let Some(at) = at {
            event.note = format!("by the door {}", at.name);
        }
        event.result = LockResult::Pending;
        event.command_id = Some(issued.command.id);
        let entry = Entry::success(action_of(want)).target("lock", id);
        let entry = entry.details(json!({"name": found.lock.name, "how": how, "command": issued.command.id}));
        let record = platform.audit.append(tx, actor, entry).await?;
        let step = self.write_lock(tx, organization, &found, vec![event], Vec::new()).await?.with_record(record);
        let step = match withdrawn {
            Some(withdrawn) => step.with_command(withdrawn),
            None => step,
        };
        Ok(step.with_command(issued))
    }

    /// Written down and told, then the error for who asked.
    async fn refuse_operation(&self, actor: &Actor, lock: &Lock, operation: Operation) -> Result<Error> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let found = store::find_held(&mut tx, actor.organization, lock.id).await?.ok_or_else(not_found)?;
        let mut event = line(lock.id, platform.clock.now(), kind_of(operation.want), actor.label(), operation.how);
        event.result = LockResult::Denied;
        let entry = Entry::denied(action_of(operation.want)).target("lock", lock.id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"name": lock.name}))).await?;
        let step = self.write_lock(&mut tx, actor.organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step.with_record(record));
        Ok(Error::forbidden("not_operator", "You may see this lock but not use it."))
    }
}
