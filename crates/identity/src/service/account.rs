//! One's own account.

use portico_model::identity::CurrentUser;
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result};

use super::Identity;
use crate::context::RequestContext;
use crate::password::check_strength;
use crate::store;

impl Identity {
    /// Who is signed in.
    ///
    /// # Errors
    /// Forbidden `no_account`, for whoever acts without an account (the admin token).
    pub async fn current_user(&self, actor: &Actor) -> Result<CurrentUser> {
        let Principal::User { id, session, .. } = &actor.principal else { return Err(no_account()) };
        let mut tx = self.platform.db.read().await?;
        store::user::find_current(&mut tx, actor.organization, *id, *session).await?.ok_or_else(no_account)
    }

    /// Sets a new password; every other session of the account ends. A wrong current password counts like a failed
    /// sign-in: a stolen session is no way to guess it.
    ///
    /// # Errors
    /// Invalid, naming `current_password` or `new_password`; `RateLimited` `locked_out`; Forbidden `no_account`.
    pub async fn change_password(&self, actor: &Actor, current: &str, new: &str) -> Result<()> {
        let Principal::User { id, session, .. } = &actor.principal else { return Err(no_account()) };
        let (id, session) = (*id, *session);
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find(&mut tx, actor.organization, id).await?.ok_or_else(no_account)?;
        drop(tx);
        self.prove_password(actor, &account, current).await?;
        let context = [account.user.username.as_str(), account.user.email.as_str()];
        check_strength("new_password", new, self.platform.config.identity.min_password_chars, &context).await?;
        if new == current {
            return Err(Error::field("new_password", "This is the current password. Choose another."));
        }
        let password_hash = self.hasher.hash(new).await?;

        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        store::user::set_password(&mut tx, actor.organization, id, &password_hash, now).await?;
        let ended =
            store::session::end_all(&mut tx, actor.organization, id, Some(session), "password_changed", now).await?;
        let entry = Entry::success("auth.password_changed")
            .target("user", id)
            .details(serde_json::json!({ "sessions_ended": ended.len() }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        for session in ended {
            self.platform.hub.close_session(session);
        }
        self.announce(actor.organization, record);
        Ok(())
    }

    async fn prove_password(&self, actor: &Actor, account: &store::user::Account, password: &str) -> Result<()> {
        let ctx = RequestContext {
            address: actor.address.clone(),
            request_id: actor.request_id.clone(),
            ..RequestContext::default()
        };
        let counters = self.lockout.within_session(account.user.id);
        let _queue = self.lockout.queue(&counters).await?;
        self.check_lock(&counters, actor.organization, &ctx).await?;
        let turn = self.hasher.turn().await?;
        let (matches, _turn) = self.hasher.verify(turn, password, Some(&account.password_hash)).await?;
        let mut tx = self.platform.db.begin().await?;
        if matches {
            counters.clear(&mut tx).await?;
            return tx.commit().await;
        }
        counters.count_failure(&mut tx, self.platform.clock.now()).await?;
        let entry = Entry::failed("auth.password_change_failed").target("user", account.user.id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Err(Error::field("current_password", "The current password is wrong."))
    }
}

fn no_account() -> Error {
    Error::forbidden("no_account", "This needs a person who is signed in.")
}
