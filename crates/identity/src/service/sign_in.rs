//! Signing in: the one place where a password opens a session.

use portico_model::identity::Role;
use portico_model::{OrganizationId, SessionId, UserId};
use portico_platform::audit::{Entry, no_organization};
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde_json::json;

use super::lockout::{Counters, account_key, locked_error};
use super::second_factor::SignIn;
use super::{Identity, SessionKind, SignedIn};
use crate::context::RequestContext;
use crate::input::name_key;
use crate::store;
use crate::store::user::Account;
use crate::token::token_hash;

/// Names longer than any account's are cut before they are compared and counted.
const MAX_LOGIN_CHARS: usize = 200;

impl Identity {
    /// As [`Identity::begin_sign_in`], for whom cannot take a second step.
    ///
    /// # Errors
    /// As [`Identity::begin_sign_in`]; Unauthenticated `second_factor_required`.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        kind: SessionKind,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        match self.begin_sign_in(login, password, kind, ctx).await? {
            SignIn::Done(signed_in) => Ok(signed_in),
            SignIn::SecondFactor(_) => Err(second_factor_required()),
        }
    }

    /// Signs in by user name or e-mail; who has a second factor is asked for it. An unknown name costs as much time as a
    /// known one and gets the same answer; that an account is deactivated is told only to who knows its password.
    ///
    /// # Errors
    /// Unauthenticated `invalid_credentials`, `account_inactive` or `email_not_verified` (a new link is sent);
    /// `RateLimited` `locked_out`; Unavailable `busy`.
    pub async fn begin_sign_in(
        &self,
        login: &str,
        password: &str,
        kind: SessionKind,
        ctx: &RequestContext,
    ) -> Result<SignIn> {
        let login_key: String = name_key(login).chars().take(MAX_LOGIN_CHARS).collect();
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find_by_login(&mut tx, &login_key).await?;
        let counted_as = match &account {
            Some(account) => account_key(account.user.id),
            None => format!("name:{login_key}"),
        };
        let mut counters = self.lockout.at_address(&counted_as, ctx);
        if let Some(device) = &ctx.device_token {
            // Asked for an unknown account too: as much work for either.
            let user = account.as_ref().map_or(UserId::from_uuid(no_organization().uuid()), |account| account.user.id);
            if store::known_device::is_known(&mut tx, &token_hash(device), user).await? {
                counters = self.lockout.at_known_device(device, user);
            }
        }
        // Guesses at names without an account are seen by the administrators of the first organisation.
        let first = store::organization::find_first(&mut tx).await?.unwrap_or(no_organization());
        drop(tx);

        let organization = account.as_ref().map_or(first, |account| account.organization);
        let _queue = self.lockout.queue(&counters).await?;
        self.check_lock(&counters, organization, ctx).await?;
        let turn = self.hasher.turn().await?;
        // Another server, or an attempt from another address, may have locked it while this one waited.
        self.check_lock(&counters, organization, ctx).await?;
        let hash = account.as_ref().map(|account| account.password_hash.as_str());
        let (matches, _turn) = self.hasher.verify(turn, password, hash).await?;
        match account {
            Some(account) if matches => self.password_proved(account, &counters, kind, ctx).await,
            account => Err(self.count_failure(account.as_ref(), organization, &counters, ctx).await),
        }
    }

    /// Rate limited, while one of the counters is locked.
    pub(super) async fn check_lock(
        &self,
        counters: &Counters,
        organization: OrganizationId,
        ctx: &RequestContext,
    ) -> Result<()> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let locked = counters.locked_for_ms(&mut tx, now).await?;
        drop(tx);
        let Some(remaining_ms) = locked else { return Ok(()) };
        if let Some(attempts) = self.lockout.report_refusal(counters, now) {
            let mut tx = self.platform.db.begin().await?;
            let entry = Entry::denied("auth.refused_while_locked").details(json!({ "attempts": attempts }));
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
        }
        Err(locked_error(remaining_ms))
    }

    async fn password_proved(
        &self,
        account: Account,
        counters: &Counters,
        kind: SessionKind,
        ctx: &RequestContext,
    ) -> Result<SignIn> {
        let mut tx = self.platform.db.begin().await?;
        counters.clear(&mut tx).await?;
        // Read again inside the transaction: it may have been deactivated, or its password changed, meanwhile.
        let current = store::user::find(&mut tx, account.organization, account.user.id).await?;
        let Some(current) = current.filter(|current| current.password_hash == account.password_hash) else {
            return Err(invalid_credentials());
        };
        let factors = self.second_step(&mut tx, &current).await?;
        if factors.is_empty() || !current.user.is_active {
            return self.begin_proven_session(tx, &current, kind, "password", ctx).await.map(SignIn::Done);
        }
        let challenge = self.challenge_second_factor(&mut tx, &current, factors, kind).await?;
        let entry = Entry::success("auth.second_factor_asked").target("user", current.user.id);
        let record = self.append_anonymous(&mut tx, current.organization, ctx, entry).await?;
        tx.commit().await?;
        self.announce(current.organization, record);
        Ok(SignIn::SecondFactor(challenge))
    }

    /// Begins the session of who has proved all that was wanted, in the transaction in which he did, and commits it.
    ///
    /// # Errors
    /// Unauthenticated `account_inactive` or `email_not_verified`.
    pub(super) async fn begin_proven_session(
        &self,
        mut tx: Tx,
        account: &Account,
        kind: SessionKind,
        method: &'static str,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        let organization = account.organization;
        if !account.user.is_active {
            let entry = Entry::denied("auth.sign_in_inactive").target("user", account.user.id);
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
            return Err(Error::unauthenticated("account_inactive", "This account has been deactivated")
                .titled("Account inactive"));
        }
        let must_verify = self.platform.config.identity.require_verified_email && account.user.role != Role::Admin;
        if must_verify && account.user.email_verified_at.is_none() {
            let sent = self.send_verification(&mut tx, account).await?;
            let entry = Entry::denied("auth.sign_in_unverified")
                .target("user", account.user.id)
                .details(json!({ "link_sent": sent }));
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.platform.deliveries.wake();
            self.announce(organization, record);
            return Err(Error::unauthenticated(
                "email_not_verified",
                "Confirm your e-mail address first: open the link that was sent to it.",
            ));
        }
        let (signed_in, replaced) = self.begin_session(&mut tx, account, kind, method, ctx).await?;
        let mut details = json!({ "kind": kind.as_str(), "method": method });
        if !replaced.is_empty() {
            details["sessions_ended"] = replaced.len().into();
        }
        let entry = Entry::success("auth.signed_in").target("session", signed_in.session_id).details(details);
        let actor = user_actor(account, signed_in.session_id, ctx);
        let record = self.platform.audit.append(&mut tx, &actor, entry).await?;
        tx.commit().await?;
        for session in replaced {
            self.platform.hub.close_session(session);
        }
        self.announce(organization, record);
        Ok(signed_in)
    }

    /// Counts and audits a wrong password or name. The name typed is not recorded: it may be a password typed in the
    /// wrong field. Both cases write the same, so that neither answers sooner.
    async fn count_failure(
        &self,
        account: Option<&Account>,
        organization: OrganizationId,
        counters: &Counters,
        ctx: &RequestContext,
    ) -> Error {
        let counted: Result<()> = async {
            let mut tx = self.platform.db.begin().await?;
            let locks = counters.count_failure(&mut tx, self.platform.clock.now()).await?;
            let mut entry = Entry::failed("auth.sign_in_failed").details(json!({ "locked": locks }));
            if let Some(account) = account {
                entry = entry.target("user", account.user.id);
            }
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
            Ok(())
        }
        .await;
        counted.err().unwrap_or_else(invalid_credentials)
    }

    pub(super) async fn append_anonymous(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        ctx: &RequestContext,
        entry: Entry,
    ) -> Result<portico_model::audit::AuditRecord> {
        self.platform.audit.append_as(tx, organization, "anonymous", &ctx.address, &ctx.request_id, entry).await
    }
}

/// The account as the one who acts.
pub(super) fn user_actor(account: &Account, session: SessionId, ctx: &RequestContext) -> Actor {
    Actor {
        organization: account.organization,
        principal: Principal::User {
            id: account.user.id,
            name: account.user.username.clone(),
            role: account.user.role,
            session,
        },
        address: ctx.address.clone(),
        request_id: ctx.request_id.clone(),
    }
}

pub(super) fn invalid_credentials() -> Error {
    Error::unauthenticated("invalid_credentials", "Invalid username or password").titled("Authentication failed")
}

pub(crate) fn second_factor_required() -> Error {
    Error::unauthenticated("second_factor_required", "The password is right. Now give your second factor.")
}

pub(super) fn not_set_up() -> Error {
    Error::forbidden("not_set_up", "Portico is not set up yet. Use the set-up link printed at its first start.")
}
