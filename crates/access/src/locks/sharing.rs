//! With whom a lock is shared.

use portico_model::access::lock::{How, LockEventKind, LockGrant, LockRole, NewLockGrant};
use portico_model::{DeviceId, LockGrantId, OrganizationId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::register::find_user;
use super::steps::line;
use super::{not_found, store, store_grant};
use crate::Access;

/// Most grants of a lock.
const MAX_GRANTS: usize = 500;

impl Access {
    /// With whom a lock is shared, by name. Needs to be its owner or `ManageAllLocks`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn lock_grants(&self, actor: &Actor, id: DeviceId) -> Result<Vec<LockGrant>> {
        let mut tx = self.0.platform.db.read().await?;
        self.manageable_lock(&mut tx, actor, id).await?;
        store_grant::list(&mut tx, actor.organization, id).await
    }

    /// Shares a lock with a person or a group of people, or gives them another role. Needs to be its owner or
    /// `ManageAllLocks`.
    ///
    /// # Errors
    /// Not found, forbidden, no such person or group, or a role that is not given.
    pub async fn share_lock(&self, actor: &Actor, id: DeviceId, new: NewLockGrant) -> Result<LockGrant> {
        if new.role == LockRole::Manager {
            return Err(Error::field("role", "viewer or operator: only its owner manages a lock"));
        }
        let platform = &self.0.platform;
        let (organization, now) = (actor.organization, platform.clock.now());
        let mut tx = platform.db.begin().await?;
        self.manageable_lock(&mut tx, actor, id).await?;
        let found = store::find_held(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        let (user_id, person_group_id, name) = match (new.user.as_deref(), new.person_group_id) {
            (Some(text), None) => {
                let user = find_user(&mut tx, actor, text).await?;
                let (user, name) = user.ok_or_else(|| Error::field("user", "There is no such person"))?;
                if user == found.lock.owner_id {
                    return Err(Error::field("user", "The lock is this person's own"));
                }
                (Some(user), None, name)
            }
            (None, Some(group)) => {
                let name = store_grant::find_group(&mut tx, organization, group).await?;
                let name = name.ok_or_else(|| Error::field("person_group_id", "There is no such group of people"))?;
                (None, Some(group), name)
            }
            _ => return Err(Error::field("user", "a person or a group of people, one of both")),
        };
        let before = store_grant::list(&mut tx, organization, id).await?;
        let known = before.iter().find(|grant| grant.user_id == user_id && grant.person_group_id == person_group_id);
        if let Some(known) = known.filter(|known| known.role == new.role) {
            return Ok(known.clone());
        }
        if known.is_none() && before.len() >= MAX_GRANTS {
            return Err(Error::conflict("too_many_grants", format!("A lock is shared with {MAX_GRANTS} at most.")));
        }
        if let Some(known) = known {
            store_grant::delete(&mut tx, organization, known.id).await?;
        }
        let grant = LockGrant {
            id: known.map_or_else(LockGrantId::generate, |known| known.id),
            user_id,
            person_group_id,
            name,
            role: new.role,
            granted_by: actor.label(),
            created_at: now,
        };
        store_grant::insert(&mut tx, organization, id, &grant).await?;
        self.revoke_offline_of_strangers(&mut tx, organization, id).await?;
        let mut event = line(id, now, LockEventKind::Shared, actor.label(), How::System);
        event.note = format!("{} ({})", grant.name, grant.role.as_str());
        let details = json!({"with": grant.name, "user": user_id, "group": person_group_id, "role": grant.role});
        let entry = Entry::success("lock.shared").target("lock", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let step = self.write_lock(&mut tx, organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock(step.with_record(record));
        Ok(grant)
    }

    /// Takes a grant back: whoever had the lock by it alone neither sees nor uses it from now on. Needs to be its owner or
    /// `ManageAllLocks`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn unshare_lock(&self, actor: &Actor, id: DeviceId, grant: LockGrantId) -> Result<LockGrant> {
        let platform = &self.0.platform;
        let organization = actor.organization;
        let mut tx = platform.db.begin().await?;
        self.manageable_lock(&mut tx, actor, id).await?;
        let found = store::find_held(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        let grant = store_grant::find(&mut tx, organization, id, grant)
            .await?
            .ok_or_else(|| Error::not_found("grant_not_found", "The lock is not shared so"))?;
        let before = self.people_of(&mut tx, organization, &found.lock).await?;
        store_grant::delete(&mut tx, organization, grant.id).await?;
        let after = self.people_of(&mut tx, organization, &found.lock).await?;
        let gone: Vec<UserId> = before.into_iter().filter(|user| !after.contains(user)).collect();
        self.revoke_offline_of_strangers(&mut tx, organization, id).await?;
        let mut event = line(id, platform.clock.now(), LockEventKind::Unshared, actor.label(), How::System);
        event.note.clone_from(&grant.name);
        let entry = Entry::success("lock.unshared").target("lock", id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"with": grant.name}))).await?;
        let step = self.write_lock(&mut tx, organization, &found, vec![event], Vec::new()).await?;
        tx.commit().await?;
        self.announce_lock_gone(organization, id, &gone, false);
        // What he follows is decided anew: his browser comes back by itself.
        gone.iter().for_each(|user| platform.hub.reconnect_user(*user));
        self.announce_lock(step.with_record(record));
        Ok(grant)
    }

    /// Offline grants of those who may not operate the lock any more are good no more.
    async fn revoke_offline_of_strangers(&self, tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<()> {
        let mut keep = store_grant::operators(tx, organization, id).await?;
        keep.extend(store::owner_of(tx, organization, id).await?);
        let now = self.0.platform.clock.now();
        store_grant::revoke_offline_of_strangers(tx, organization, id, &keep, now).await
    }
}
