//! Registering and removing locks, and giving them to somebody else.

use portico_devices::AfterCommit;
use portico_model::access::lock::{
    HEARTBEAT_S, How, Lock, LockEventKind, LockRole, NewLock, RegisteredLock, ShownLock,
};
use portico_model::devices::{Device, NewDevice};
use portico_model::identity::Permission;
use portico_model::{DeviceId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::steps::line;
use super::{not_found, store, store_grant};
use crate::Access;

fn already_a_lock() -> Error {
    Error::conflict("already_a_lock", "Device already registered")
}

fn no_such_person() -> Error {
    Error::not_found("user_not_found", "There is no such person")
}

impl Access {
    /// Makes a device a lock: one that is there and that the actor may change, or a new one of his own (needs
    /// `RegisterDevices`; for another person `ManageAllDevices`), whose key is shown this once.
    ///
    /// # Errors
    /// Invalid fields, not found, forbidden; conflict when it is a lock already, or the name or hardware id is taken.
    pub async fn register_lock(&self, actor: &Actor, new: NewLock) -> Result<RegisteredLock> {
        let NewLock { device_id, name, hardware_id, location, owner } = new;
        match device_id {
            Some(device) => {
                if name.is_some() || hardware_id.is_some() || location.is_some() || owner.is_some() {
                    return Err(Error::field("device_id", "a device that is there keeps its name, place and owner"));
                }
                self.register_existing(actor, &device).await
            }
            None => {
                let name = name.ok_or_else(|| Error::field("name", "must not be empty"))?;
                let device = NewDevice {
                    name,
                    device_type: "lock".to_owned(),
                    hardware_id,
                    location: location.unwrap_or_default(),
                    heartbeat_interval_s: Some(HEARTBEAT_S),
                    ..NewDevice::default()
                };
                self.register_with_device(actor, device, owner.as_deref()).await
            }
        }
    }

    async fn register_existing(&self, actor: &Actor, device: &str) -> Result<RegisteredLock> {
        if device.len() > 64 || device.contains('\0') {
            return Err(Error::not_found("device_not_found", "Device not found"));
        }
        let id = self.0.devices.resolve(actor.organization, device).await?;
        let mut tx = self.0.platform.db.begin().await?;
        let device = self.0.devices.find_changeable(&mut tx, actor, id).await?;
        let lock = self.insert_lock(tx, actor, &device).await?;
        Ok(RegisteredLock { lock, api_key: None })
    }

    async fn register_with_device(
        &self,
        actor: &Actor,
        device: NewDevice,
        owner: Option<&str>,
    ) -> Result<RegisteredLock> {
        actor.require(Permission::RegisterDevices)?;
        let mut tx = self.0.platform.db.begin().await?;
        let owner = match owner.map(str::trim).filter(|owner| !owner.is_empty()) {
            Some(text) => {
                let found = find_user(&mut tx, actor, text).await?;
                found.map(|(id, _)| id).ok_or_else(|| Error::field("owner", "There is no such person"))?
            }
            None => actor.user_id().ok_or_else(|| Error::field("owner", "Name the person whose lock it is."))?,
        };
        let registered = self.0.devices.register_in(&mut tx, actor, owner, device).await?;
        let made = registered.made.device.clone();
        let lock = self.insert_lock(tx, actor, &made).await?;
        let made = self.0.devices.announce_registered(actor, registered).await;
        Ok(RegisteredLock { lock, api_key: Some(made.api_key) })
    }

    /// With the commit.
    async fn insert_lock(&self, mut tx: Tx, actor: &Actor, device: &Device) -> Result<ShownLock> {
        let (organization, id) = (actor.organization, device.id);
        let now = self.0.platform.clock.now();
        if !store::insert(&mut tx, organization, id, device.owner_id, &actor.label(), now).await? {
            return Err(already_a_lock());
        }
        let found = store::find(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        let role = self.role_in(&mut tx, actor, &found.lock).await?.unwrap_or(LockRole::Viewer);
        let event = line(id, now, LockEventKind::Registered, actor.label(), How::System);
        let entry = Entry::success("lock.registered").target("lock", id);
        let entry = entry.details(json!({"name": device.name, "owner": device.owner_id.to_string()}));
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        let step = self.write_lock(&mut tx, organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        Ok(ShownLock { lock: self.announce_lock(step.with_record(record)), role })
    }

    /// Takes the lock away; its device stays and can be removed as any other. Needs to be its owner or `ManageAllLocks`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn remove_lock(&self, actor: &Actor, id: DeviceId) -> Result<Lock> {
        let organization = actor.organization;
        let mut tx = self.0.platform.db.begin().await?;
        store::hold_device(&mut tx, id).await?;
        let found = self.manageable_lock(&mut tx, actor, id).await?;
        let withdrawn = match found.state.wanted {
            Some((_, command)) => self.0.devices.withdraw_in(&mut tx, actor, id, command).await?,
            None => None,
        };
        let people = self.people_of(&mut tx, organization, &found.lock).await?;
        store::delete(&mut tx, organization, id).await?;
        let entry = Entry::success("lock.removed").target("lock", id).details(json!({"name": found.lock.name}));
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        if let Some(step) = withdrawn {
            self.0.devices.announce_command(organization, step);
        }
        self.announce_lock_gone(organization, id, &people, true);
        self.announce_record(organization, record);
        Ok(found.lock)
    }

    /// Gives the lock to another person (user name, e-mail address or id): whoever it was shared with has it no more. Needs
    /// `ManageAllLocks`. To its owner: nothing changes.
    ///
    /// # Errors
    /// Not found, also of the person; forbidden; as [`Devices::transfer`](portico_devices::Devices::transfer).
    pub async fn reassign_lock(&self, actor: &Actor, id: DeviceId, to: &str) -> Result<ShownLock> {
        let mut tx = self.0.platform.db.read().await?;
        self.visible_lock(&mut tx, actor, id).await?;
        actor.require(Permission::ManageAllLocks)?;
        let (owner, _) = find_user(&mut tx, actor, to).await?.ok_or_else(no_such_person)?;
        drop(tx);
        self.0.devices.transfer_as(actor, id, owner, true).await?;
        self.lock(actor, id).await
    }

    /// The lock's device is being given to somebody else, in the transaction that does so.
    pub(crate) async fn lock_transferred(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: &Device,
        from: UserId,
    ) -> Result<Option<AfterCommit>> {
        let organization = actor.organization;
        let Some(found) = store::find_held(tx, organization, device.id).await? else { return Ok(None) };
        if !actor.may(Permission::ManageAllLocks) {
            let message = "Only who manages all locks gives a lock to another person.";
            return Err(Error::forbidden("lock_keeps_its_owner", message));
        }
        let now = self.0.platform.clock.now();
        let mut people = store_grant::people(tx, organization, device.id).await?;
        people.push(from);
        people.retain(|user| *user != device.owner_id);
        store_grant::delete_all(tx, organization, device.id).await?;
        store_grant::revoke_offline(tx, organization, device.id, None, now).await?;
        store::set_owner(tx, organization, device.id, device.owner_id).await?;
        let mut event = line(device.id, now, LockEventKind::Reassigned, actor.label(), How::System);
        event.note = format!("to {}", device.owner_name);
        let entry = Entry::success("lock.reassigned").target("lock", device.id);
        let entry = entry.details(json!({"from": from.to_string(), "to": device.owner_id.to_string()}));
        let record = self.0.platform.audit.append(tx, actor, entry).await?;
        let step = self.write_lock(tx, organization, &found, vec![event], Vec::new()).await?.with_record(record);
        let (access, id) = (self.clone(), device.id);
        Ok(Some(Box::new(move || {
            access.announce_lock_gone(organization, id, &people, false);
            people.iter().for_each(|user| access.0.platform.hub.reconnect_user(*user));
            access.announce_lock(step);
        })))
    }

    /// The lock's device is being removed.
    pub(crate) async fn lock_device_deleted(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: DeviceId,
    ) -> Result<Option<AfterCommit>> {
        let organization = actor.organization;
        if !store::is_lock(tx, organization, id).await? {
            return Ok(None);
        }
        let mut people = store_grant::people(tx, organization, id).await?;
        people.extend(store::owner_of(tx, organization, id).await?);
        store::delete(tx, organization, id).await?;
        let access = self.clone();
        Ok(Some(Box::new(move || access.announce_lock_gone(organization, id, &people, true))))
    }
}

/// The account of this user name, e-mail address or id.
pub(super) async fn find_user(tx: &mut Tx, actor: &Actor, text: &str) -> Result<Option<(UserId, String)>> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 320 || text.contains('\0') {
        return Ok(None);
    }
    store_grant::find_user(tx, actor.organization, text).await
}
