//! What becomes of a person when the account he signs in with goes, and what his export says.

use portico_model::audit::AuditRecord;
use portico_model::{OrganizationId, PersonId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Result, Tx};
use serde_json::{Map, Value, json};

use super::{credential_store, store};
use crate::{Access, version};

impl Access {
    /// Nobody comes in any more with what a deleted account's person had: credentials are removed, and the person is
    /// deactivated and unlinked, in the transaction that deletes the account.
    pub(crate) async fn account_gone(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        user: UserId,
    ) -> Result<Option<(PersonId, AuditRecord)>> {
        let Some(person) = store::find_by_user(tx, actor.organization, user).await? else { return Ok(None) };
        version::bump(tx, actor.organization).await?;
        credential_store::delete_of_person(tx, actor.organization, person.id).await?;
        store::release(tx, actor.organization, person.id, self.0.platform.clock.now()).await?;
        let entry = Entry::success("person.deactivated").target("person", person.id);
        let record = self.0.platform.audit.append(tx, actor, entry.details(json!({"account": "deleted"}))).await?;
        Ok(Some((person.id, record)))
    }

    /// What is kept of the person of an account.
    pub(crate) async fn cardholder_data(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Map<String, Value>> {
        let mut data = Map::new();
        if let Some(person) = store::find_by_user(tx, organization, user).await? {
            let credentials = credential_store::of_person(tx, organization, person.id).await?;
            let groups = store::groups(tx, organization, Some(person.id)).await?;
            let groups: Vec<_> = groups.into_iter().map(|group| group.name).collect();
            data.insert(
                "cardholder".to_owned(),
                json!({"person": person, "credentials": credentials, "groups": groups}),
            );
        }
        Ok(data)
    }
}
