//! Proving that an address belongs to the account: by a link that is sent to it.

use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};

use super::account::no_account;
use super::{Identity, mails};
use crate::context::RequestContext;
use crate::store;
use crate::store::account_link::NewLink;
use crate::store::user::Account;
use crate::token::{random_token, token_hash};

const PURPOSE: &str = "email_verification";

/// So many links an hour go to one account, whoever asks for them.
pub(super) const LINKS_AN_HOUR: i64 = 3;

pub(super) const HOUR_MS: i64 = 3_600_000;

impl Identity {
    /// Sends the link that confirms the address, in the caller's transaction. False when enough were sent this hour.
    pub(super) async fn send_verification(&self, tx: &mut Tx, account: &Account) -> Result<bool> {
        let now = self.platform.clock.now();
        let (organization, user) = (account.organization, account.user.id);
        let sent = store::account_link::count_since(tx, organization, user, PURPOSE, now.plus_millis(-HOUR_MS)).await?;
        if sent >= LINKS_AN_HOUR {
            return Ok(false);
        }
        let token = random_token();
        let new = NewLink {
            token_hash: &token_hash(&token),
            organization,
            user,
            purpose: PURPOSE,
            email: &account.user.email,
            now,
            expires_at: now.plus_secs(self.platform.config.identity.verification_link_s),
        };
        store::account_link::insert(tx, new).await?;
        let mail = mails::verification(&account.user, &token, &self.platform);
        self.platform.deliveries.enqueue(tx, organization, &mail).await?;
        Ok(true)
    }

    /// Sends the link that confirms one's own address again.
    ///
    /// # Errors
    /// Conflict `email_already_verified`; `RateLimited` `too_many_links`; Forbidden `no_account`.
    pub async fn resend_verification(&self, actor: &Actor) -> Result<()> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        if account.user.email_verified_at.is_some() {
            return Err(Error::conflict("email_already_verified", "This address is confirmed already."));
        }
        if !self.send_verification(&mut tx, &account).await? {
            return Err(Error::rate_limited(
                "too_many_links",
                "Several links were sent already. Look into your mailbox, spam folder included, or try again in an hour.",
            )
            .retry_after(3_600));
        }
        tx.commit().await?;
        self.platform.deliveries.wake();
        Ok(())
    }

    /// Confirms the address that the link was sent to.
    ///
    /// # Errors
    /// Forbidden `link_invalid`, when the link is unknown, used or too old, or the account has another address by now.
    pub async fn verify_email(&self, token: &str, ctx: &RequestContext) -> Result<()> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        let link = store::account_link::take(&mut tx, &token_hash(token.trim()), PURPOSE, now)
            .await?
            .ok_or_else(link_invalid)?;
        let (organization, user) = (link.organization_id, link.user_id);
        if !store::user::set_email_verified(&mut tx, organization, user, &link.email, now).await? {
            return Err(link_invalid());
        }
        store::account_link::delete_of_user(&mut tx, organization, user, PURPOSE).await?;
        let entry = Entry::success("auth.email_verified").target("user", user);
        let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
        tx.commit().await?;
        self.announce(organization, record);
        Ok(())
    }
}

pub(super) fn link_invalid() -> Error {
    Error::forbidden("link_invalid", "This link is not valid any more: it was used, or is too old. Ask for a new one.")
}
