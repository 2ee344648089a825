//! A new password for who has forgotten the old one, by a link sent to his address.

use portico_platform::audit::{Entry, no_organization};
use portico_platform::{Error, Result};
use serde_json::json;

use super::email_verification::{HOUR_MS, LINKS_AN_HOUR, link_invalid};
use super::{Identity, mails};
use crate::context::RequestContext;
use crate::input::name_key;
use crate::password::check_strength;
use crate::store;
use crate::store::account_link::NewLink;
use crate::token::{random_token, token_hash};

pub(super) const PURPOSE: &str = "password_reset";

impl Identity {
    /// Sends a link to the account of this user name or address, if there is one that is active. The answer is the same
    /// either way, and so is the work: one transaction with one record.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn request_password_reset(&self, login: &str, ctx: &RequestContext) -> Result<()> {
        let login_key: String = name_key(login).chars().take(200).collect();
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find_by_login(&mut tx, &login_key).await?.filter(|account| account.user.is_active);
        let token = random_token();
        let mut sent = false;
        let mut organization = store::organization::find_first(&mut tx).await?.unwrap_or(no_organization());
        let mut entry = Entry::success("auth.password_reset_requested");
        if let Some(account) = account {
            organization = account.organization;
            let user = account.user.id;
            entry = entry.target("user", user);
            let since = now.plus_millis(-HOUR_MS);
            let before = store::account_link::count_since(&mut tx, organization, user, PURPOSE, since).await?;
            if before < LINKS_AN_HOUR {
                let new = NewLink {
                    token_hash: &token_hash(&token),
                    organization,
                    user,
                    purpose: PURPOSE,
                    email: &account.user.email,
                    now,
                    expires_at: now.plus_secs(self.platform.config.identity.reset_link_s),
                };
                store::account_link::insert(&mut tx, new).await?;
                let mail = mails::password_reset(&account.user, &token, &ctx.address, &self.platform);
                self.platform.deliveries.enqueue(&mut tx, organization, &mail).await?;
                sent = true;
            }
        }
        let entry = entry.details(json!({ "link_sent": sent }));
        let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.announce(organization, record);
        Ok(())
    }

    /// Sets a new password with the link, once. Every session ends, a lock by wrong guesses is lifted, the address counts
    /// as confirmed, and the owner is told. A second factor is still asked for.
    ///
    /// # Errors
    /// Forbidden `link_invalid`; Invalid, naming `new_password` (the link stays good).
    pub async fn reset_password(&self, token: &str, new_password: &str, ctx: &RequestContext) -> Result<()> {
        let hash = token_hash(token.trim());
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let link = store::account_link::find(&mut tx, &hash, PURPOSE, now).await?.ok_or_else(link_invalid)?;
        let (organization, user) = (link.organization_id, link.user_id);
        let account = store::user::find(&mut tx, organization, user).await?.ok_or_else(link_invalid)?;
        drop(tx);
        let context = [account.user.username.as_str(), account.user.email.as_str()];
        let min_chars = self.platform.config.identity.min_password_chars;
        check_strength("new_password", new_password, min_chars, &context).await?;
        let password_hash = self.hasher.hash(new_password).await?;

        let mut tx = self.platform.db.begin().await?;
        store::account_link::take(&mut tx, &hash, PURPOSE, now).await?.ok_or_else(link_invalid)?;
        let account = store::user::find(&mut tx, organization, user).await?.ok_or_else(link_invalid)?;
        if !account.user.is_active {
            return Err(link_invalid());
        }
        store::user::set_password(&mut tx, organization, user, &password_hash, now).await?;
        self.forget_begun(&mut tx, &account).await?;
        store::user::set_email_verified(&mut tx, organization, user, &link.email, now).await?;
        self.lockout.at_account(user).clear(&mut tx).await?;
        let ended = store::session::end_all(&mut tx, organization, user, None, "password_reset", now).await?;
        let entry = Entry::success("auth.password_reset")
            .target("user", user)
            .details(json!({ "sessions_ended": ended.len() }));
        let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
        let mail = mails::security_notice(&account.user, "A new password was set", &ctx.address, &self.platform);
        self.platform.deliveries.enqueue(&mut tx, organization, &mail).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.platform.hub.close_user(user);
        self.announce(organization, record);
        Ok(())
    }

    /// Whether the link can still set a password: asked before the form is shown.
    ///
    /// # Errors
    /// Forbidden `link_invalid`.
    pub async fn check_reset_link(&self, token: &str) -> Result<()> {
        let mut tx = self.platform.db.read().await?;
        let now = self.platform.clock.now();
        store::account_link::find(&mut tx, &token_hash(token.trim()), PURPOSE, now)
            .await?
            .map(drop)
            .ok_or_else(|| -> Error { link_invalid() })
    }
}
