//! What a user's going does to his locks and to those he was given.

use portico_identity::{AfterCommit, ErasedLabels};
use portico_model::{OrganizationId, UserId};
use portico_platform::{Result, Tx};
use serde_json::{Map, Value, json};

use super::{store, store_event, store_grant};
use crate::Access;

impl Access {
    /// His locks go with him (his devices do, too), and nothing is shared with him any more.
    pub(crate) async fn locks_of_deleted_user(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<AfterCommit> {
        let mut gone = Vec::new();
        for id in store::of_owner(tx, organization, user).await? {
            let people = store_grant::people(tx, organization, id).await?;
            store::delete(tx, organization, id).await?;
            gone.push((id, people));
        }
        store_grant::delete_of_user(tx, organization, user).await?;
        let access = self.clone();
        Ok(Box::pin(async move {
            for (id, people) in gone {
                access.announce_lock_gone(organization, id, &people, true);
            }
        }))
    }

    /// Who is called so in the history of locks is called otherwise from now on.
    pub(crate) async fn rename_in_lock_history(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        from: &str,
        to: &str,
    ) -> Result<()> {
        store_event::rename_person(tx, organization, from, to).await
    }

    pub(crate) async fn locks_of_erased_user(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        erased: &ErasedLabels,
    ) -> Result<()> {
        for label in &erased.labels {
            store_event::rename_person(tx, organization, label, &erased.pseudonym).await?;
        }
        Ok(())
    }

    /// For his export.
    pub(crate) async fn locks_of_user(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Map<String, Value>> {
        let filter = store::Filter { viewer: Some(user), limit: 10_000, ..store::Filter::default() };
        let locks: Vec<Value> = store::list(tx, organization, Some(user), &filter)
            .await?
            .into_iter()
            .map(|(lock, role)| json!({"id": lock.id, "name": lock.name, "role": role}))
            .collect();
        Ok(Map::from_iter([("locks".to_owned(), locks.into())]))
    }
}
