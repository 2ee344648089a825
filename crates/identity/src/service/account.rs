//! One's own account.

use portico_model::identity::CurrentUser;
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result, Tx};

use super::{Identity, mails, password_reset};
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

    /// Sets a new password; every other session of the account ends, and its owner is told by e-mail. The current
    /// password is the fresh proof that this wants; a wrong one counts like a failed sign-in: a stolen session is no way
    /// to guess it.
    ///
    /// # Errors
    /// Invalid, naming `current_password` or `new_password`; `RateLimited` `locked_out`; Forbidden `no_account`.
    pub async fn change_password(&self, actor: &Actor, current: &str, new: &str) -> Result<()> {
        let Principal::User { id, session, .. } = &actor.principal else { return Err(no_account()) };
        let (id, session) = (*id, *session);
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find(&mut tx, actor.organization, id).await?.ok_or_else(no_account)?;
        drop(tx);
        self.prove_password(actor, &account, "current_password", current).await?;
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
        self.forget_begun(&mut tx, &account).await?;
        let entry = Entry::success("auth.password_changed")
            .target("user", id)
            .details(serde_json::json!({ "sessions_ended": ended.len() }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        let mail = mails::security_notice(&account.user, "The password was changed", &actor.address, &self.platform);
        self.platform.deliveries.enqueue(&mut tx, actor.organization, &mail).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        for session in ended {
            self.platform.hub.close_session(session);
        }
        self.announce(actor.organization, record);
        Ok(())
    }

    /// With a new password, what was begun or sent under the old one is void: second steps and links.
    pub(super) async fn forget_begun(&self, tx: &mut Tx, account: &store::user::Account) -> Result<()> {
        store::challenge::delete_of_user(tx, account.organization, account.user.id).await?;
        store::account_link::delete_of_user(tx, account.organization, account.user.id, password_reset::PURPOSE).await
    }

    /// Proves the password again within a session; `field` is what the error names.
    pub(super) async fn prove_password(
        &self,
        actor: &Actor,
        account: &store::user::Account,
        field: &'static str,
        password: &str,
    ) -> Result<()> {
        let ctx = context_of(actor);
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
        let entry = Entry::failed("auth.password_proof_failed").target("user", account.user.id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Err(Error::field(
            field,
            if field == "password" { "The password is wrong." } else { "The current password is wrong." },
        ))
    }
}

pub(super) fn no_account() -> Error {
    Error::forbidden("no_account", "This needs a person who is signed in.")
}

/// Where a request of someone who is signed in comes from.
pub(super) fn context_of(actor: &Actor) -> RequestContext {
    RequestContext { address: actor.address.clone(), request_id: actor.request_id.clone(), ..RequestContext::default() }
}
