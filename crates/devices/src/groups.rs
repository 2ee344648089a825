//! Groups of devices: each a person's own, seen by those who see all devices. Who looks at a group sees of its members only the
//! devices that he may see anyway.

mod input;
mod members;

use portico_model::audit::AuditRecord;
use portico_model::groups::{Group, GroupChange, NewGroup};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{GroupId, OrganizationId, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::service::visible_owner;
use crate::store::group as store;
use crate::{Devices, channel};

pub use members::{BulkAdded, MemberQuery};

/// Most groups of a person.
pub const MAX_GROUPS: i64 = 500;

/// Most devices of a group.
pub const MAX_MEMBERS: i64 = 10_000;

/// Most groups, and most members, of one answer.
pub const MAX_PAGE: i64 = 1_000;

/// Which groups to list.
#[derive(Debug, Clone, Default)]
pub struct GroupQuery {
    /// Only this person's; of no effect for those who see only their own.
    pub owner: Option<UserId>,
    /// 1 to 1,000; absent: 100.
    pub limit: Option<i64>,
    pub offset: Option<i64>,
}

fn not_found() -> Error {
    Error::not_found("group_not_found", "Group not found")
}

fn name_taken() -> Error {
    Error::conflict("group_name_taken", "Group with this name already exists")
}

impl Devices {
    /// Makes a group of the actor's own.
    ///
    /// # Errors
    /// Invalid fields, a name in use, as many groups as one person may have, or an actor who is no person.
    pub async fn create_group(&self, actor: &Actor, new: NewGroup) -> Result<Group> {
        let owner_id = actor
            .user_id()
            .ok_or_else(|| Error::forbidden("needs_a_person", "A group belongs to a person: sign in to make it."))?;
        let new = input::new_group(new)?;
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.begin().await?;
        let (owner_name, _) = crate::store::device::find_owner(&mut tx, actor.organization, owner_id)
            .await?
            .ok_or_else(|| Error::not_found("user_not_found", "There is no such person"))?;
        if store::count(&mut tx, actor.organization, Some(owner_id)).await? >= MAX_GROUPS {
            return Err(Error::conflict("too_many_groups", format!("A person may have at most {MAX_GROUPS} groups")));
        }
        let group = Group {
            id: GroupId::generate(),
            name: new.name,
            description: new.description,
            color: new.color,
            owner_id,
            owner_name,
            device_count: 0,
            created_at: now,
            updated_at: now,
        };
        self.check_name(&mut tx, actor, &group).await?;
        store::insert(&mut tx, actor.organization, &group).await?;
        let entry = Entry::success("group.created").target("group", group.id).details(json!({"name": group.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupChanged { id: group.id }, record);
        Ok(group)
    }

    /// The groups the actor may see, by name, and how many there are on all pages.
    ///
    /// # Errors
    /// Forbidden, for a device.
    pub async fn groups(&self, actor: &Actor, query: &GroupQuery) -> Result<(Vec<Group>, i64)> {
        let viewer = visible_owner(actor, None)?;
        let owner = visible_owner(actor, query.owner)?;
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let offset = query.offset.unwrap_or(0).max(0);
        let mut tx = self.0.platform.db.read().await?;
        let groups = store::list(&mut tx, actor.organization, viewer, owner, limit, offset).await?;
        let total = store::count(&mut tx, actor.organization, owner).await?;
        Ok((groups, total))
    }

    /// # Errors
    /// Not found, also when the actor may not know of it.
    pub async fn group(&self, actor: &Actor, id: GroupId) -> Result<Group> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible_group(&mut tx, actor, id).await
    }

    /// Needs to be its owner or `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, forbidden, invalid fields, or a name in use.
    pub async fn update_group(&self, actor: &Actor, id: GroupId, change: GroupChange) -> Result<Group> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let group = self.find_changeable_group(&mut tx, actor, id).await?;
        let mut group = input::changed(group, change)?;
        group.updated_at = platform.clock.now();
        self.check_name(&mut tx, actor, &group).await?;
        store::update(&mut tx, actor.organization, &group).await?;
        let entry = Entry::success("group.changed").target("group", id).details(json!({"name": group.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupChanged { id }, record);
        Ok(group)
    }

    /// Dissolves the group; its devices stay. Needs to be its owner or `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn delete_group(&self, actor: &Actor, id: GroupId) -> Result<Group> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let group = self.find_changeable_group(&mut tx, actor, id).await?;
        store::delete(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("group.deleted").target("group", id).details(json!({"name": group.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupDeleted { id }, record);
        Ok(group)
    }

    async fn check_name(&self, tx: &mut Tx, actor: &Actor, group: &Group) -> Result<()> {
        if store::name_is_taken(tx, actor.organization, group.owner_id, &group.name, group.id).await? {
            return Err(name_taken());
        }
        Ok(())
    }

    /// The group, if the actor may know of it.
    pub(crate) async fn find_visible_group(&self, tx: &mut Tx, actor: &Actor, id: GroupId) -> Result<Group> {
        let viewer = visible_owner(actor, None).map_err(|_| not_found())?;
        let group = store::find(tx, actor.organization, viewer, id).await?.ok_or_else(not_found)?;
        if viewer.is_none_or(|viewer| viewer == group.owner_id) { Ok(group) } else { Err(not_found()) }
    }

    /// The group, if the actor may change it.
    pub(crate) async fn find_changeable_group(&self, tx: &mut Tx, actor: &Actor, id: GroupId) -> Result<Group> {
        let group = self.find_visible_group(tx, actor, id).await?;
        if actor.user_id() == Some(group.owner_id) || actor.may(Permission::ManageAllDevices) {
            Ok(group)
        } else {
            Err(Error::forbidden("not_your_group", "Forbidden: group doesn't belong to user"))
        }
    }

    /// To those who see the group. The event says only which: how many of its devices each sees is his own.
    pub(crate) fn announce_group(
        &self,
        organization: OrganizationId,
        owner: UserId,
        event: Event,
        record: AuditRecord,
    ) {
        let channels = vec![channel::all_groups(organization), channel::owned_groups(organization, owner)];
        self.0.platform.hub.publish(Publication { channels, event, delivery: Delivery::Every });
        self.announce_audit(organization, record);
    }
}
