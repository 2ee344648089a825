//! When a user is erased, the course of alarms no longer names him. His alarms go with what they are about.

use portico_identity::{AfterCommit, ErasedLabels, UserDependents};
use portico_model::{OrganizationId, UserId};
use portico_platform::{Actor, BoxFuture, Result, Tx};

use crate::{Alarms, store};

impl UserDependents for Alarms {
    fn user_deleted<'a>(&'a self, _: &'a mut Tx, _: &'a Actor, _: UserId) -> BoxFuture<'a, Result<AfterCommit>> {
        let nothing: AfterCommit = Box::pin(async {});
        Box::pin(std::future::ready(Ok(nothing)))
    }

    fn user_erased<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        erased: &'a ErasedLabels,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for label in &erased.labels {
                store::rename_person(tx, organization, label, &erased.pseudonym).await?;
            }
            Ok(())
        })
    }
}
