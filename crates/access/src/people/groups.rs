//! Groups of people.

use portico_model::access::people::{PersonGroup, PersonGroupInput};
use portico_model::identity::Permission;
use portico_model::{PersonGroupId, PersonId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use super::{input, store};
use crate::{Access, version};

fn not_found() -> Error {
    Error::not_found("person_group_not_found", "There is no such group of people.")
}

impl Access {
    /// By name. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn person_groups(&self, actor: &Actor) -> Result<Vec<PersonGroup>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::groups(&mut tx, actor.organization, None).await
    }

    /// Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn person_group(&self, actor: &Actor, id: PersonGroupId) -> Result<PersonGroup> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::find_group(&mut tx, actor.organization, id).await?.ok_or_else(not_found)
    }

    /// Makes a group (`id` absent) or changes one. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid; Conflict when another has the name.
    pub async fn save_person_group(
        &self,
        actor: &Actor,
        id: Option<PersonGroupId>,
        group: &PersonGroupInput,
    ) -> Result<PersonGroup> {
        actor.require(Permission::ManageAccess)?;
        let group = input::group(group)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        if let Some(id) = id {
            store::find_group(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        }
        let action = if id.is_some() { "person_group.changed" } else { "person_group.created" };
        let id = id.unwrap_or_else(PersonGroupId::generate);
        if store::group_name_is_taken(&mut tx, actor.organization, id, &group.name).await? {
            return Err(Error::conflict("person_group_name_taken", "Another group has this name already."));
        }
        store::save_group(&mut tx, actor.organization, id, &group, platform.clock.now()).await?;
        let entry = Entry::success(action).target("person_group", id).details(json!({"name": group.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let group = store::find_group(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(group)
    }

    /// Dissolves a group, and the policies for it; its people stay. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn delete_person_group(&self, actor: &Actor, id: PersonGroupId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let group = store::find_group(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        store::delete_group(&mut tx, actor.organization, id).await?;
        let details = json!({"name": group.name});
        let entry = Entry::success("person_group.deleted").target("person_group", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(())
    }

    /// Puts a person into a group or takes him out; what is so already stays so. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn set_person_group_member(
        &self,
        actor: &Actor,
        group: PersonGroupId,
        person: PersonId,
        is_member: bool,
    ) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        store::find_group(&mut tx, actor.organization, group).await?.ok_or_else(not_found)?;
        store::find(&mut tx, actor.organization, person).await?.ok_or_else(super::not_found)?;
        let action = if is_member {
            store::add_member(&mut tx, actor.organization, group, person).await?;
            "person_group.member_added"
        } else {
            store::remove_member(&mut tx, actor.organization, group, person).await?;
            "person_group.member_removed"
        };
        let entry = Entry::success(action).target("person", person).details(json!({"group": group}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_person(actor.organization, person, record);
        Ok(())
    }
}
