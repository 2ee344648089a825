//! Lockdown, evacuation, doors kept unlocked, and a door opened from a page.

use portico_devices::Check;
use portico_model::access::door::{Door, DoorScope, ModeOrder};
use portico_model::access::lock::{Bolt, How};
use portico_model::access::{AccessKind, AccessReason, DoorMode, Method};
use portico_model::identity::Permission;
use portico_model::{DoorId, OrganizationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::announce::DoorStep;
use super::contact::event_of;
use super::input::{WEEK_S, within};
use super::not_found;
use super::store::{self, Gate};
use crate::locks::{AtDoor, Operation};
use crate::log::Logged;
use crate::{Access, version};

/// An order to a door's devices waits so long for one that is away, seconds: a lock that returns after an hour should
/// still know of a lockdown, and what has ended since is told after it.
const ORDER_WITHIN_S: i64 = 3_600;

/// To open a door once: late is never.
const OPEN_WITHIN_S: i64 = 10;

type Ended = (Vec<Gate>, Vec<Logged>, Vec<(OrganizationId, DoorStep)>);

impl Access {
    /// Has one door, a group of them or all work in another way; the doors. Permission: `ControlDoors`, and a fresh proof of
    /// who one is to end a lockdown.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required`; not found, invalid fields.
    pub async fn order_mode(&self, actor: &Actor, order: ModeOrder) -> Result<Vec<Door>> {
        actor.require(Permission::ControlDoors)?;
        let mut check = Check::default();
        let note = check.text("note", &order.note, 500);
        let for_s = order.for_s.map(|seconds| within(&mut check, "for_s", seconds, WEEK_S));
        check.done(())?;
        let platform = &self.0.platform;
        let organization = actor.organization;
        let now = platform.clock.now();
        if order.mode != DoorMode::Lockdown && self.any_lockdown(organization, &order.scope).await? {
            self.0.identity.require_fresh_authentication(actor).await?;
        }
        let mut tx = platform.db.begin().await?;
        let gates = self.lock_scope(&mut tx, organization, &order.scope).await?;
        let until = for_s.map(|seconds| now.plus_secs(seconds)).filter(|_| order.mode != DoorMode::Normal);
        let by = if order.mode == DoorMode::Normal { String::new() } else { actor.label() };
        let (mut logged, mut steps, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for mut gate in gates {
            if gate.mode == order.mode && gate.mode_until == until {
                continue;
            }
            (gate.mode, gate.mode_until) = (order.mode, until);
            steps.extend(self.write_mode(&mut tx, actor, &gate, &by, now).await?);
            let text = mode_note(order.mode, &actor.label(), &note);
            let event = event_of(&gate, AccessKind::ModeChanged, None, now, now, text);
            logged.extend(self.append_event(&mut tx, organization, event, &actor.address, None).await?);
            ids.push(gate.id);
        }
        version::bump(&mut tx, organization).await?;
        let (kind, id) = match order.scope {
            DoorScope::All => ("doors", "all".to_owned()),
            DoorScope::Group { group_id } => ("door_group", group_id.to_string()),
            DoorScope::Door { door_id } => ("door", door_id.to_string()),
        };
        let details = json!({"mode": order.mode, "for_s": for_s, "doors": ids.len(), "note": note});
        let entry = Entry::success("door.mode").target(kind, id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let mut doors = Vec::with_capacity(ids.len());
        for id in ids {
            doors.extend(store::find(&mut tx, organization, id).await?);
        }
        tx.commit().await?;
        for step in steps {
            self.announce_step(organization, step);
        }
        for one in logged {
            self.announce_event(one);
        }
        self.announce_audit(organization, record);
        for door in &doors {
            self.announce_door(organization, door.clone());
        }
        Ok(doors)
    }

    /// Opens a door once, for somebody who stands before it. Permission: `ControlDoors`. Not during a lockdown.
    ///
    /// # Errors
    /// Forbidden, not found; conflict during a lockdown, or when nothing at the door can open it.
    pub async fn open_door(&self, actor: &Actor, id: DoorId) -> Result<Door> {
        actor.require(Permission::ControlDoors)?;
        self.open_door_by_right(actor, id, "").await
    }

    /// As [`Access::open_door`], for somebody whom another domain lets in: it has checked his right, and `right` names it in
    /// the log.
    ///
    /// # Errors
    /// Not found; conflict during a lockdown, or when nothing at the door can open it.
    pub async fn open_door_by_right(&self, actor: &Actor, id: DoorId, right: &str) -> Result<Door> {
        let platform = &self.0.platform;
        let organization = actor.organization;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        let gate = store::lock(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        if gate.mode_at(now) == DoorMode::Lockdown {
            return Err(Error::conflict("lockdown", "The door is locked down: end the lockdown to open it."));
        }
        let who = actor.label();
        let step = match (gate.lock_id, gate.reader_id.or(gate.exit_reader_id)) {
            (Some(lock), _) => {
                let (operation, at) = gate.let_in(&who, now);
                self.tell_lock(&mut tx, actor, lock, operation, at).await?
            }
            (None, Some(reader)) => {
                let args = json!({"for_s": gate.unlock_s, "door": gate.id});
                self.tell_device(&mut tx, actor, reader, "open", args, OPEN_WITHIN_S).await?
            }
            (None, None) => None,
        };
        let Some(step) = step else {
            return Err(Error::conflict("nothing_opens", "No lock or reader of this door takes commands."));
        };
        store::set_granted(&mut tx, &gate, now).await?;
        let mut event = event_of(&gate, AccessKind::Request, None, now, now, actor.label());
        event.method = Method::Remote;
        event.granted = Some(true);
        AccessReason::Granted.as_str().clone_into(&mut event.reason);
        event.person_name = actor.label();
        right.clone_into(&mut event.policy_name);
        let logged = self.append_event(&mut tx, organization, event, &actor.address, None).await?;
        let entry = Entry::success("door.opened").target("door", id).details(json!({"name": gate.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let door = store::find(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_step(organization, step);
        if let Some(logged) = logged {
            self.announce_event(logged);
        }
        self.announce_audit(organization, record);
        self.announce_door(organization, door.clone());
        Ok(door)
    }

    async fn any_lockdown(&self, organization: OrganizationId, scope: &DoorScope) -> Result<bool> {
        let mut tx = self.0.platform.db.read().await?;
        let (door, group) = match scope {
            DoorScope::All => (None, None),
            DoorScope::Group { group_id } => (None, Some(*group_id)),
            DoorScope::Door { door_id } => (Some(*door_id), None),
        };
        store::any_in_lockdown(&mut tx, organization, door, group).await
    }

    async fn lock_scope(&self, tx: &mut Tx, organization: OrganizationId, scope: &DoorScope) -> Result<Vec<Gate>> {
        match scope {
            DoorScope::All => store::lock_all(tx, organization, None).await,
            DoorScope::Group { group_id } => {
                if !store::group_exists(tx, organization, *group_id).await? {
                    return Err(Error::not_found("door_group_not_found", "There is no such group of doors"));
                }
                store::lock_all(tx, organization, Some(*group_id)).await
            }
            DoorScope::Door { door_id } => {
                Ok(vec![store::lock(tx, organization, *door_id).await?.ok_or_else(not_found)?])
            }
        }
    }

    /// Writes the mode and tells the door's devices: readers, so that they know without network too, and the lock.
    async fn write_mode(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        gate: &Gate,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<DoorStep>> {
        store::update_state(tx, gate, Some(by), now).await?;
        let mut steps = Vec::new();
        let args = json!({"mode": gate.mode, "until": gate.mode_until.map(Timestamp::millis)});
        let mut told = None;
        for reader in [gate.reader_id, gate.exit_reader_id].into_iter().flatten() {
            if told.replace(reader) != Some(reader) {
                steps.extend(self.tell_device(tx, actor, reader, "door_mode", args.clone(), ORDER_WITHIN_S).await?);
            }
        }
        if let Some(lock) = gate.lock_id {
            let hold = gate.is_held_open(now);
            let want = if hold { Bolt::Unlocked } else { Bolt::Locked };
            let operation = Operation { expires_in_s: Some(ORDER_WITHIN_S), ..Operation::new(want, How::Door) };
            let who = actor.label();
            let at = AtDoor { door: gate.id, name: &gate.name, who: &who, hold, is_order: true };
            steps.extend(self.tell_lock(tx, actor, lock, operation, at).await?);
        }
        Ok(steps)
    }

    /// Modes whose time is over.
    pub(crate) async fn end_modes(&self, tx: &mut Tx, now: Timestamp) -> Result<Ended> {
        let (mut gates, mut logged, mut steps) = (store::lock_ended(tx, now).await?, Vec::new(), Vec::new());
        for gate in &mut gates {
            let actor = Actor::system(gate.organization);
            let was = gate.mode;
            (gate.mode, gate.mode_until) = (DoorMode::Normal, None);
            let told = self.write_mode(tx, &actor, gate, "", now).await?;
            steps.extend(told.into_iter().map(|step| (gate.organization, step)));
            let text = format!("The time of {} is over.", was.as_str());
            let event = event_of(gate, AccessKind::ModeChanged, None, now, now, text);
            logged.extend(self.append_event(tx, gate.organization, event, "", None).await?);
            version::bump(tx, gate.organization).await?;
        }
        Ok((gates, logged, steps))
    }
}

impl Gate {
    /// It is to be open for everyone.
    fn is_held_open(&self, now: Timestamp) -> bool {
        matches!(self.mode_at(now), DoorMode::Evacuation | DoorMode::Unlocked)
    }

    /// How its lock lets somebody in: for a while, but where it is to stay open a lock that counts seconds would end that.
    pub(super) fn let_in<'a>(&'a self, who: &'a str, now: Timestamp) -> (Operation, AtDoor<'a>) {
        let hold = self.is_held_open(now);
        let operation = Operation {
            expires_in_s: Some(OPEN_WITHIN_S),
            for_s: Some(self.unlock_s).filter(|_| !hold),
            ..Operation::new(Bolt::Unlocked, How::Door)
        };
        (operation, AtDoor { door: self.id, name: &self.name, who, hold, is_order: false })
    }
}

fn mode_note(mode: DoorMode, by: &str, note: &str) -> String {
    let text = format!("{} by {by}", mode.as_str());
    if note.is_empty() { text } else { format!("{text}: {note}") }
}
