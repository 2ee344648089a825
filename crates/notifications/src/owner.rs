//! When a user is deleted, so are the messages on their way to him; his browsers and preferences go with the account.

use portico_identity::{AfterCommit, UserDependents};
use portico_model::UserId;
use portico_platform::{Actor, BoxFuture, Result, Tx};

use crate::Notifications;

impl UserDependents for Notifications {
    fn user_deleted<'a>(
        &'a self,
        tx: &'a mut Tx,
        actor: &'a Actor,
        user: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let organization = actor.organization;
            let email = self.0.identity.email_address(tx, organization, user).await?.unwrap_or_default();
            self.0.platform.deliveries.forget_person(tx, organization, user, &email).await?;
            let nothing: AfterCommit = Box::pin(async {});
            Ok(nothing)
        })
    }
}
