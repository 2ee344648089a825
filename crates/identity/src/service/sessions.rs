//! Sessions: proving one, renewing it, ending it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portico_model::identity::{Permission, Session};
use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use portico_platform::audit::{Entry, no_organization};
use portico_platform::{Actor, Error, Principal, Result};
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{Identity, SignedIn};
use crate::context::RequestContext;
use crate::input::one_line;
use crate::store;
use crate::token::{random_bytes, token_hash};

/// The last use of a session is written at most this often: it is shown in minutes.
const TOUCH_MS: i64 = 60_000;

/// So many uses wait to be written; more are left out, and the session shows an older time.
const MAX_TOUCHED: usize = 10_000;

/// What stands for the session of one whom a trusted proxy names: he has none.
const NO_SESSION: SessionId = SessionId::nil();

/// Sessions or keys used since the last write, kept in memory so that reading stays reading.
pub struct Touched<K>(Mutex<HashMap<K, (OrganizationId, Timestamp)>>);

impl<K> Default for Touched<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: std::hash::Hash + Eq> Touched<K> {
    pub fn add(&self, organization: OrganizationId, used: K, now: Timestamp) {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.len() < MAX_TOUCHED || touched.contains_key(&used) {
            touched.insert(used, (organization, now));
        }
    }

    pub fn take(&self) -> HashMap<K, (OrganizationId, Timestamp)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Identity {
    /// Who holds this access token: its signature, its expiry, and that its session and account still live.
    ///
    /// # Errors
    /// Unauthenticated `invalid_token`, `token_expired` or `session_ended`.
    pub async fn authenticate(&self, access_token: &str, ctx: &RequestContext) -> Result<Actor> {
        let now = self.platform.clock.now();
        let claims = self.tokens.verify(access_token, now)?;
        let mut tx = self.platform.db.read().await?;
        let live = store::session::find_live(&mut tx, claims.org, claims.sub, claims.sid, now)
            .await?
            .ok_or_else(session_ended)?;
        drop(tx);
        if now.millis_since(live.last_used_at) > TOUCH_MS {
            self.touched.add(claims.org, claims.sid, now);
        }
        Ok(Actor {
            organization: claims.org,
            principal: Principal::User { id: claims.sub, name: live.username, role: live.role, session: claims.sid },
            address: ctx.address.clone(),
            request_id: ctx.request_id.clone(),
        })
    }

    /// Whether an actor authenticated before may still act, with the same role or scopes: asked from time to time for a
    /// connection that stays open. Also true while the database cannot tell: its absence ends nobody's session.
    pub async fn is_alive(&self, actor: &Actor) -> bool {
        self.find_alive(actor).await.unwrap_or(true)
    }

    async fn find_alive(&self, actor: &Actor) -> Result<bool> {
        let now = self.platform.clock.now();
        match &actor.principal {
            Principal::User { id, role, session, .. } => {
                let mut tx = self.platform.db.read().await?;
                if *session == NO_SESSION {
                    let account = store::user::find(&mut tx, actor.organization, *id).await?;
                    return Ok(account.is_some_and(|found| found.user.is_active && found.user.role == *role));
                }
                let live = store::session::find_live(&mut tx, actor.organization, *id, *session, now).await?;
                if live.is_some() {
                    self.touched.add(actor.organization, *session, now);
                }
                Ok(live.is_some_and(|live| live.role == *role))
            }
            Principal::Service { id, scopes, .. } => {
                let mut tx = self.platform.db.read().await?;
                let live = store::service_key::find_live_scopes(&mut tx, actor.organization, *id, now).await?;
                if live.is_some() {
                    self.services_used.add(actor.organization, *id, now);
                }
                Ok(live.is_some_and(|live| live == *scopes))
            }
            Principal::Device { .. } | Principal::AdminToken | Principal::Guest | Principal::System => Ok(true),
        }
    }

    /// Whoever brings the configured admin token acts in the first organisation and may everything.
    ///
    /// # Errors
    /// Unauthenticated `admin_token_required` when none is configured or given; Forbidden `invalid_admin_token`.
    pub async fn authenticate_admin_token(&self, token: &str, ctx: &RequestContext) -> Result<Actor> {
        let configured = self.platform.config.admin_token.as_ref().map(ExposeSecret::expose_secret);
        let Some(configured) = configured.filter(|configured| !configured.is_empty() && !token.is_empty()) else {
            return Err(Error::unauthenticated("admin_token_required", "Admin token required"));
        };
        let mut tx = self.platform.db.read().await?;
        let organization = store::organization::find_first(&mut tx).await?;
        drop(tx);
        // Hashes of equal length are compared, so that not even the length of the token shows.
        if !bool::from(token_hash(token).ct_eq(&token_hash(configured))) {
            return Err(self.refuse_admin_token(organization, ctx).await);
        }
        let organization = organization.ok_or_else(|| {
            Error::unauthenticated("not_set_up", "Portico is not set up yet: there is no organisation.")
        })?;
        Ok(Actor {
            organization,
            principal: Principal::AdminToken,
            address: ctx.address.clone(),
            request_id: ctx.request_id.clone(),
        })
    }

    /// The user whom a trusted proxy names, who has no session here. That the request came from a trusted proxy is the
    /// caller's to know.
    ///
    /// # Errors
    /// Unauthenticated `invalid_proxy_secret`, also when none is configured; `unknown_user` or `account_inactive`.
    pub async fn authenticate_proxied(&self, user: &str, secret: &str, ctx: &RequestContext) -> Result<Actor> {
        let configured = self.platform.config.http.proxy_secret.as_ref().map(ExposeSecret::expose_secret);
        // Hashes of equal length are compared, so that not even the length of the secret shows.
        if !configured.is_some_and(|configured| bool::from(token_hash(secret).ct_eq(&token_hash(configured)))) {
            return Err(Error::unauthenticated(
                "invalid_proxy_secret",
                "The proxy's secret is not the configured one.",
            ));
        }
        let unknown = || Error::unauthenticated("unknown_user", "X-User-ID names nobody here.");
        let id: UserId = user.trim().parse().map_err(|_| unknown())?;
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find_anywhere(&mut tx, id).await?.ok_or_else(unknown)?;
        if !account.user.is_active {
            return Err(Error::unauthenticated("account_inactive", "This account has been deactivated")
                .titled("Account inactive"));
        }
        Ok(super::sign_in::user_actor(&account, NO_SESSION, ctx))
    }

    async fn refuse_admin_token(&self, organization: Option<OrganizationId>, ctx: &RequestContext) -> Error {
        let error = Error::forbidden("invalid_admin_token", "Invalid admin token");
        let counters = self.lockout.at_address("admin token", ctx);
        let Some(attempts) = self.lockout.report_refusal(&counters, self.platform.clock.now()) else { return error };
        let written: Result<()> = async {
            let organization = organization.unwrap_or(no_organization());
            let mut tx = self.platform.db.begin().await?;
            let entry = Entry::denied("auth.admin_token_refused").details(json!({ "attempts": attempts }));
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
            Ok(())
        }
        .await;
        written.err().unwrap_or(error)
    }

    /// Exchanges a refresh token for new tokens; the old one is used up. Requests that were under way together may
    /// bring the same one for a short while and get the same successor. Afterwards it can only be a copy in the wrong
    /// hands: the whole session ends.
    ///
    /// # Errors
    /// Unauthenticated `invalid_refresh_token` or `session_ended`.
    pub async fn refresh(&self, refresh_token: &str, ctx: &RequestContext) -> Result<SignedIn> {
        let now = self.platform.clock.now();
        let hash = token_hash(refresh_token);
        let salt = random_bytes();
        let mut tx = self.platform.db.begin().await?;
        let replaced = store::session::replace_token(&mut tx, &hash, &salt, now).await?;
        let family = store::session::find_family(&mut tx, &hash, now).await?.ok_or_else(invalid_refresh_token)?;
        if !family.is_live {
            return Err(session_ended());
        }
        let successor = if replaced {
            if family.token_expires_at <= now {
                return Err(invalid_refresh_token());
            }
            let successor = self.tokens.successor(refresh_token, &salt);
            let expires_at = self.session_expiry(now);
            let successor_hash = token_hash(&successor);
            store::session::insert_token(&mut tx, family.organization, family.session, &successor_hash, expires_at)
                .await?;
            let from = (ctx.address.as_str(), one_line(&ctx.user_agent, 256));
            store::session::prolong(&mut tx, family.organization, family.session, (from.0, &from.1), now, expires_at)
                .await?;
            successor
        } else {
            let age_ms = family.replaced_at.map_or(i64::MAX, |replaced_at| now.millis_since(replaced_at));
            if age_ms > self.platform.config.identity.refresh_grace_s.saturating_mul(1000) {
                tx.rollback().await?;
                return Err(self.end_stolen(&family, ctx).await);
            }
            let successor = self.tokens.successor(refresh_token, family.successor_salt.as_deref().unwrap_or_default());
            // Handed out again only while nobody has gone on from it.
            store::session::find_family(&mut tx, &token_hash(&successor), now)
                .await?
                .filter(|next| next.replaced_at.is_none())
                .ok_or_else(invalid_refresh_token)?;
            successor
        };
        let account = store::user::find(&mut tx, family.organization, family.user).await?.ok_or_else(session_ended)?;
        tx.commit().await?;
        self.signed_in(account.user, family.organization, family.session, family.kind, successor, None)
    }

    /// Ends the session whose used-up token came again.
    async fn end_stolen(&self, family: &store::session::Family, ctx: &RequestContext) -> Error {
        let ended: Result<()> = async {
            let now = self.platform.clock.now();
            let mut tx = self.platform.db.begin().await?;
            if !store::session::end(&mut tx, family.organization, family.session, "refresh_token_reused", now).await? {
                return Ok(());
            }
            let entry = Entry::denied("session.refresh_token_reused")
                .target("session", family.session)
                .details(json!({ "user_id": family.user }));
            let record = self.append_anonymous(&mut tx, family.organization, ctx, entry).await?;
            tx.commit().await?;
            self.platform.hub.close_session(family.session);
            self.announce(family.organization, record);
            Ok(())
        }
        .await;
        ended.err().unwrap_or_else(session_ended)
    }

    /// Ends one's own session. Whoever has none (the admin token) has nothing to end.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        let Some(session) = actor.session_id() else { return Ok(()) };
        self.end(actor, session, "signed_out", "auth.signed_out").await.map(drop)
    }

    /// Ends the session of a refresh token, for a browser whose access token has expired.
    ///
    /// # Errors
    /// When the database does not take it; an unknown token is no error.
    pub async fn sign_out_by_refresh_token(&self, refresh_token: &str, ctx: &RequestContext) -> Result<()> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let family = store::session::find_family(&mut tx, &token_hash(refresh_token), now).await?;
        let Some(family) = family.filter(|family| family.is_live) else { return Ok(()) };
        let Some(account) = store::user::find(&mut tx, family.organization, family.user).await? else { return Ok(()) };
        drop(tx);
        self.sign_out(&super::sign_in::user_actor(&account, family.session, ctx)).await
    }

    /// One's own live sessions, the one used last first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sessions(&self, actor: &Actor) -> Result<Vec<Session>> {
        let Some(user) = actor.user_id() else { return Ok(Vec::new()) };
        let mut tx = self.platform.db.read().await?;
        store::session::list(&mut tx, actor.organization, user, actor.session_id(), self.platform.clock.now()).await
    }

    /// Another's live sessions. Permission: [`Permission::ManageUsers`].
    ///
    /// # Errors
    /// Forbidden; `NotFound` `user_not_found`.
    pub async fn user_sessions(&self, actor: &Actor, user: UserId) -> Result<Vec<Session>> {
        self.require(actor, Permission::ManageUsers, "session.list").await?;
        let mut tx = self.platform.db.read().await?;
        if store::user::find(&mut tx, actor.organization, user).await?.is_none() {
            return Err(super::users::user_not_found(user));
        }
        store::session::list(&mut tx, actor.organization, user, actor.session_id(), self.platform.clock.now()).await
    }

    /// Ends a session of one's own, or anyone's with [`Permission::ManageUsers`].
    ///
    /// # Errors
    /// `NotFound` `session_not_found`, also for another's session without that permission.
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<()> {
        let not_found = || Error::not_found("session_not_found", "There is no such session, or it has ended already.");
        let mut tx = self.platform.db.read().await?;
        let owner = store::session::find_owner(&mut tx, actor.organization, session, self.platform.clock.now()).await?;
        drop(tx);
        let owner = owner.ok_or_else(not_found)?;
        if Some(owner) != actor.user_id() && !actor.may(Permission::ManageUsers) {
            let entry = Entry::denied("session.ended").target("session", session);
            return Err(self.refuse(actor, entry, not_found()).await);
        }
        if self.end(actor, session, "ended", "session.ended").await? { Ok(()) } else { Err(not_found()) }
    }

    async fn end(&self, actor: &Actor, session: SessionId, reason: &str, action: &'static str) -> Result<bool> {
        let mut tx = self.platform.db.begin().await?;
        let now = self.platform.clock.now();
        if !store::session::end(&mut tx, actor.organization, session, reason, now).await? {
            return Ok(false);
        }
        let entry = Entry::success(action).target("session", session);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.platform.hub.close_session(session);
        self.announce(actor.organization, record);
        Ok(true)
    }
}

fn session_ended() -> Error {
    Error::unauthenticated("session_ended", "This session has ended. Sign in again.")
}

fn invalid_refresh_token() -> Error {
    Error::unauthenticated("invalid_refresh_token", "The refresh token is not valid any more. Sign in again.")
}
