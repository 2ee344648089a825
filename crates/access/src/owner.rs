//! What becomes of a person's locks, credentials and traces when the account goes or is erased.

use portico_identity::{AfterCommit, ErasedLabels, UserDependents};
use portico_model::{OrganizationId, UserId};
use portico_platform::{Actor, BoxFuture, Result, Tx};
use serde_json::{Map, Value};

use crate::{Access, log};

impl UserDependents for Access {
    fn user_deleted<'a>(
        &'a self,
        tx: &'a mut Tx,
        actor: &'a Actor,
        user: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let locks = self.locks_of_deleted_user(tx, actor.organization, user).await?;
            let person = self.account_gone(tx, actor, user).await?;
            let (access, organization) = (self.clone(), actor.organization);
            let after: AfterCommit = Box::pin(async move {
                locks.await;
                if let Some((person, record)) = person {
                    access.announce_person(organization, person, record);
                }
            });
            Ok(after)
        })
    }

    fn personal_data<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> BoxFuture<'a, Result<Map<String, Value>>> {
        Box::pin(async move {
            let mut data = self.cardholder_data(tx, organization, user).await?;
            data.extend(self.locks_of_user(tx, organization, user).await?);
            Ok(data)
        })
    }

    fn user_erased<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        erased: &'a ErasedLabels,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for label in &erased.labels {
                log::store::rename_account(tx, organization, label, &erased.pseudonym).await?;
            }
            self.locks_of_erased_user(tx, organization, erased).await
        })
    }
}
