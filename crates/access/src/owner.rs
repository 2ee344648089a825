//! What becomes of a person's locks, credentials and traces when the account goes or is erased.

use portico_identity::{AfterCommit, ErasedLabels, UserDependents};
use portico_model::{OrganizationId, UserId};
use portico_platform::{Actor, BoxFuture, Result, Tx};

use crate::{Access, log};

impl UserDependents for Access {
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
                log::store::rename_account(tx, organization, label, &erased.pseudonym).await?;
            }
            Ok(())
        })
    }
}
