//! The use cases, by what they are about. Each owns its transaction, its audit record and its events.

pub mod account;
mod email_verification;
pub mod invitations;
mod lockout;
mod mails;
pub mod organization;
mod passkeys;
mod password_reset;
pub mod personal_data;
mod recipients;
pub mod second_factor;
pub mod service_keys;
pub mod sessions;
pub mod setup;
pub mod sign_in;
mod sign_up;
pub mod statistics;
mod step_up;
mod totp;
pub mod trail;
pub mod users;

use std::sync::{Arc, RwLock};

use portico_model::audit::AuditRecord;
use portico_model::identity::{Permission, User};
use portico_model::{OrganizationId, ServiceKeyId, SessionId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Platform, Result, Tx};

use crate::context::RequestContext;
use crate::password::Hasher;
use crate::store;
use crate::token::{Tokens, random_token, token_hash};

/// The identity domain's service, cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) platform: Platform,
    pub(crate) tokens: Tokens,
    pub(crate) hasher: Hasher,
    pub(crate) lockout: Arc<lockout::Lockout>,
    pub(crate) touched: Arc<sessions::Touched<SessionId>>,
    pub(crate) services_used: Arc<sessions::Touched<ServiceKeyId>>,
    pub(crate) passkeys: Arc<passkeys::Passkeys>,
    pub(crate) dependents: Arc<RwLock<Vec<Arc<dyn users::UserDependents>>>>,
}

/// What kind of client signed in: its access tokens live as long as fits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Cookies, renewed silently.
    Browser,
    /// `Authorization: Bearer`, renewed by the client.
    Api,
}

impl SessionKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Browser, Self::Api].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A session just begun or renewed.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub access_token: String,
    pub refresh_token: String,
    pub access_expires_in_s: i64,
    pub refresh_expires_in_s: i64,
    pub user: User,
    pub session_id: SessionId,
    /// For the `portico_device` cookie; absent when a session was only renewed.
    pub device_token: Option<String>,
}

impl Identity {
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let tokens = Tokens::new(
            platform.secrets.derive("identity access token"),
            platform.secrets.derive("identity refresh token"),
        );
        Self {
            lockout: Arc::new(lockout::Lockout::new(&platform)),
            passkeys: Arc::new(passkeys::Passkeys::new(&platform.config)),
            touched: Arc::default(),
            services_used: Arc::default(),
            dependents: Arc::default(),
            hasher: Hasher::default(),
            tokens,
            platform,
        }
    }

    /// Audits a refusal, then hands its error back; another error when even that cannot be written.
    pub(crate) async fn refuse(&self, actor: &Actor, entry: Entry, error: Error) -> Error {
        let written: Result<AuditRecord> = async {
            let mut tx = self.platform.db.begin().await?;
            let record = self.platform.audit.append(&mut tx, actor, entry).await?;
            tx.commit().await?;
            Ok(record)
        }
        .await;
        match written {
            Ok(record) => {
                self.announce(actor.organization, record);
                error
            }
            Err(audit_error) => audit_error,
        }
    }

    /// Forbidden, and audited, unless the actor may.
    pub(crate) async fn require(&self, actor: &Actor, permission: Permission, action: &'static str) -> Result<()> {
        match actor.require(permission) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refuse(actor, Entry::denied(action), error).await),
        }
    }

    /// Begins a session in the caller's transaction. There are so many of a kind; beyond, those unused for longest end,
    /// and their live connections are the caller's to close after the commit.
    async fn begin_session(
        &self,
        tx: &mut Tx,
        account: &store::user::Account,
        kind: SessionKind,
        method: &'static str,
        ctx: &RequestContext,
    ) -> Result<(SignedIn, Vec<SessionId>)> {
        let now = self.platform.clock.now();
        let session_id = SessionId::generate();
        let refresh_token = random_token();
        let expires_at = self.session_expiry(now);
        let organization = account.organization;
        store::session::insert(
            tx,
            store::session::NewSession {
                id: session_id,
                organization,
                user: account.user.id,
                kind,
                method,
                user_agent: &crate::input::one_line(&ctx.user_agent, 256),
                address: &ctx.address,
                now,
                expires_at,
            },
        )
        .await?;
        store::session::insert_token(tx, organization, session_id, &token_hash(&refresh_token), expires_at).await?;
        let keep = self.platform.config.identity.max_sessions;
        let replaced = store::session::end_beyond(tx, organization, account.user.id, kind, keep, now).await?;
        store::user::set_last_login(tx, organization, account.user.id, now).await?;
        let device_token = self.remember_device(tx, account, ctx, now).await?;
        let mut user = account.user.clone();
        user.last_login_at = Some(now);
        let signed_in = self.signed_in(user, organization, session_id, kind, refresh_token, Some(device_token))?;
        Ok((signed_in, replaced))
    }

    /// The token of the device signed in from: the one it has, if we gave it out, else a new one.
    async fn remember_device(
        &self,
        tx: &mut Tx,
        account: &store::user::Account,
        ctx: &RequestContext,
        now: Timestamp,
    ) -> Result<String> {
        let mut token = None;
        if let Some(presented) = &ctx.device_token
            && store::known_device::exists(tx, &token_hash(presented)).await?
        {
            token = Some(presented.clone());
        }
        let token = token.unwrap_or_else(random_token);
        store::known_device::upsert(tx, &token_hash(&token), account.user.id, account.organization, now).await?;
        Ok(token)
    }

    fn signed_in(
        &self,
        user: User,
        organization: OrganizationId,
        session_id: SessionId,
        kind: SessionKind,
        refresh_token: String,
        device_token: Option<String>,
    ) -> Result<SignedIn> {
        let config = &self.platform.config.identity;
        let access_expires_in_s = match kind {
            SessionKind::Browser => config.browser_token_s,
            SessionKind::Api => config.api_token_s,
        };
        let now = self.platform.clock.now();
        let access_token = self.tokens.sign(user.id, session_id, organization, now, access_expires_in_s)?;
        Ok(SignedIn {
            access_token,
            refresh_token,
            access_expires_in_s,
            refresh_expires_in_s: config.session_idle_s,
            user,
            session_id,
            device_token,
        })
    }

    fn session_expiry(&self, now: Timestamp) -> Timestamp {
        now.plus_secs(self.platform.config.identity.session_idle_s)
    }
}
