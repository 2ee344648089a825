//! Who may go where and when: policies, weekly schedules, holidays, and the tester that explains them.

mod calendar;
mod calendar_store;
pub mod rest;
pub mod rules;
mod store;
mod tester;

use portico_devices::Check;
use portico_model::access::policies::{Policy, PolicyInput};
use portico_model::identity::Permission;
use portico_model::{OrganizationId, PolicyId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::{Access, version};

pub use rules::{OwnedRule, rules_for};

/// Most policies of an organisation.
const MAX_POLICIES: usize = 1_000;

fn not_found() -> Error {
    Error::not_found("policy_not_found", "There is no such policy.")
}

impl Access {
    /// In the order they are asked. Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn policies(&self, actor: &Actor) -> Result<Vec<Policy>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::list(&mut tx, actor.organization, None).await
    }

    /// Permission: [`Permission::ReadAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn policy(&self, actor: &Actor, id: PolicyId) -> Result<Policy> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)
    }

    /// Makes a policy (`id` absent) or replaces one. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found; Invalid.
    pub async fn save_policy(&self, actor: &Actor, id: Option<PolicyId>, terms: PolicyInput) -> Result<Policy> {
        actor.require(Permission::ManageAccess)?;
        let terms = checked(terms)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        self.check_scope(&mut tx, actor.organization, &terms).await?;
        let now = platform.clock.now();
        let (id, action) = if let Some(id) = id {
            store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
            (id, "policy.changed")
        } else {
            if store::list(&mut tx, actor.organization, None).await?.len() >= MAX_POLICIES {
                let message = format!("An organisation may have at most {MAX_POLICIES} policies.");
                return Err(Error::conflict("too_many_policies", message));
            }
            (PolicyId::generate(), "policy.created")
        };
        store::save(&mut tx, actor.organization, id, &terms, now).await?;
        let entry = Entry::success(action).target("policy", id).details(json!(terms));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let policy = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(policy)
    }

    /// Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Not found.
    pub async fn delete_policy(&self, actor: &Actor, id: PolicyId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        version::bump(&mut tx, actor.organization).await?;
        let policy = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        store::delete(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("policy.deleted").target("policy", id).details(json!({"name": policy.terms.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_policies(actor.organization, record);
        Ok(())
    }

    /// What the policy names must be the organisation's.
    async fn check_scope(&self, tx: &mut Tx, organization: OrganizationId, terms: &PolicyInput) -> Result<()> {
        let mut check = Check::default();
        for (field, found) in store::scope_exists(tx, organization, terms).await? {
            if !found {
                check.problem(field, "There is no such thing.");
            }
        }
        check.done(())
    }
}

fn checked(terms: PolicyInput) -> Result<PolicyInput> {
    let mut check = Check::default();
    let name = crate::people::input::name(&mut check, &terms.name);
    if terms.person_id.is_some() && terms.person_group_id.is_some() {
        check.problem("person_group_id", "a person or a group, not both");
    }
    if terms.door_id.is_some() && terms.door_group_id.is_some() {
        check.problem("door_group_id", "a door or a group, not both");
    }
    let mut levels = terms.levels.clone();
    levels.sort_unstable();
    levels.dedup();
    if levels.is_empty() {
        check.problem("levels", "at least one");
    }
    let terms = check.done(PolicyInput { name, levels, ..terms })?;
    crate::people::input::period(terms.valid_from, terms.valid_until)?;
    Ok(terms)
}
