//! Invitations: an administrator names an address and a role, the one who reads mail there makes the account.

use portico_model::identity::{Invitation, OfferedAccount, Permission, Role};
use portico_model::{FieldError, InvitationId, OrganizationId, Page};
use portico_platform::audit::Entry;
use portico_platform::config::Signup;
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use super::{Identity, SessionKind, SignedIn, mails};
use crate::context::RequestContext;
use crate::input::{Email, name_key, names};
use crate::password::check_strength;
use crate::store;
use crate::store::invitation::NewInvitation;
use crate::token::{random_token, token_hash};

/// Most invitations in one page.
const MAX_PAGE: i64 = 200;

/// Open at the same time in one organisation.
const MAX_OPEN: i64 = 1_000;

impl Identity {
    /// Invites an address. Permission: [`Permission::ManageUsers`]; any role but the plain one wants a fresh
    /// authentication.
    ///
    /// # Errors
    /// Forbidden, also `signup_closed` and `step_up_required`; Conflict `email_taken`, `already_invited` or
    /// `too_many_invitations`; Invalid, naming `email`.
    pub async fn invite(&self, actor: &Actor, email: &str, role: Role) -> Result<Invitation> {
        const ACTION: &str = "invitation.created";
        self.require(actor, Permission::ManageUsers, ACTION).await?;
        if role != Role::User {
            self.require_fresh_authentication(actor).await?;
        }
        let mut tx = self.platform.db.read().await?;
        let signup = self.signup_in_force(&mut tx, actor.organization).await?;
        drop(tx);
        if signup == Signup::Closed {
            return Err(Error::forbidden("signup_closed", "Sign-up is closed: invitations are switched off."));
        }
        let email = Email::parse(email).map_err(|field| Error::fields(vec![field]))?;
        let organization = actor.organization;
        let now = self.platform.clock.now();
        let (id, token) = (InvitationId::generate(), random_token());
        let email_key = name_key(email.as_str());
        let mut tx = self.platform.db.begin().await?;
        // One at a time, so that two do not invite the same address at once.
        store::organization::lock(&mut tx, organization).await?;
        if store::user::find_by_login(&mut tx, &email_key).await?.is_some() {
            return Err(Error::conflict("email_taken", "This address has an account already."));
        }
        if store::invitation::is_invited(&mut tx, organization, &email_key, now).await? {
            return Err(Error::conflict(
                "already_invited",
                "This address is invited already. Send that invitation again, or revoke it first.",
            ));
        }
        if store::invitation::count_open(&mut tx, organization, now).await? >= MAX_OPEN {
            return Err(Error::conflict("too_many_invitations", "Too many invitations are open. Revoke some first."));
        }
        let new = NewInvitation {
            id,
            organization,
            email: email.as_str(),
            email_key: &email_key,
            role,
            token_hash: &token_hash(&token),
            invited_by: actor.user_id(),
            now,
            expires_at: now.plus_secs(self.platform.config.identity.invitation_s),
        };
        store::invitation::insert(&mut tx, new).await?;
        let name = store::organization::find_name(&mut tx, organization).await?.unwrap_or_default();
        let mail = mails::invitation(email.as_str(), &name, role, &token, &self.platform);
        self.platform.deliveries.enqueue(&mut tx, organization, &mail).await?;
        let entry =
            Entry::success(ACTION).target("invitation", id).details(json!({ "email": email.as_str(), "role": role }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        let invitation =
            store::invitation::find(&mut tx, organization, id, now).await?.ok_or_else(invitation_not_found)?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.announce(organization, record);
        Ok(invitation)
    }

    /// The organisation's invitations, the newest first. Permission: [`Permission::ManageUsers`]. `cursor` is the `next`
    /// of the page before; `limit` 1 to 200.
    ///
    /// # Errors
    /// Forbidden; Invalid, naming `cursor`.
    pub async fn invitations(&self, actor: &Actor, cursor: Option<&str>, limit: i64) -> Result<Page<Invitation>> {
        self.require(actor, Permission::ManageUsers, "invitation.list").await?;
        let before: Option<InvitationId> = cursor
            .map(|cursor| cursor.parse().map_err(|_| Error::field("cursor", "This is not a cursor of this list.")))
            .transpose()?;
        let limit = limit.clamp(1, MAX_PAGE);
        let mut tx = self.platform.db.read().await?;
        let now = self.platform.clock.now();
        let items = store::invitation::list(&mut tx, actor.organization, before, limit + 1, now).await?;
        Ok(Page::cut(items, limit, |invitation| invitation.id.to_string()))
    }

    /// Sends an invitation again, with a new link in place of the old one. Permission: [`Permission::ManageUsers`].
    ///
    /// # Errors
    /// Forbidden; `NotFound` `invitation_not_found`; Conflict `invitation_over`.
    pub async fn resend_invitation(&self, actor: &Actor, id: InvitationId) -> Result<Invitation> {
        const ACTION: &str = "invitation.resent";
        self.require(actor, Permission::ManageUsers, ACTION).await?;
        let organization = actor.organization;
        let now = self.platform.clock.now();
        let token = random_token();
        let mut tx = self.platform.db.begin().await?;
        let before = store::invitation::find(&mut tx, organization, id, now).await?.ok_or_else(invitation_not_found)?;
        let expires_at = now.plus_secs(self.platform.config.identity.invitation_s);
        if !store::invitation::renew(&mut tx, organization, id, &token_hash(&token), now, expires_at).await? {
            return Err(invitation_over());
        }
        let name = store::organization::find_name(&mut tx, organization).await?.unwrap_or_default();
        let mail = mails::invitation(&before.email, &name, before.role, &token, &self.platform);
        self.platform.deliveries.enqueue(&mut tx, organization, &mail).await?;
        let entry = Entry::success(ACTION).target("invitation", id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        let after = store::invitation::find(&mut tx, organization, id, now).await?.ok_or_else(invitation_not_found)?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.announce(organization, record);
        Ok(after)
    }

    /// Makes an invitation's link worthless. Permission: [`Permission::ManageUsers`].
    ///
    /// # Errors
    /// Forbidden; `NotFound` `invitation_not_found`; Conflict `invitation_over`.
    pub async fn revoke_invitation(&self, actor: &Actor, id: InvitationId) -> Result<()> {
        const ACTION: &str = "invitation.revoked";
        self.require(actor, Permission::ManageUsers, ACTION).await?;
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        if store::invitation::find(&mut tx, actor.organization, id, now).await?.is_none() {
            return Err(invitation_not_found());
        }
        if !store::invitation::revoke(&mut tx, actor.organization, id, now).await? {
            return Err(invitation_over());
        }
        let entry = Entry::success(ACTION).target("invitation", id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }

    /// What an invitation's link offers.
    ///
    /// # Errors
    /// Forbidden `invitation_invalid`.
    pub async fn offered_account(&self, token: &str) -> Result<OfferedAccount> {
        let mut tx = self.platform.db.read().await?;
        let now = self.platform.clock.now();
        let (organization, invitation) = store::invitation::find_open(&mut tx, &token_hash(token.trim()), now)
            .await?
            .ok_or_else(invitation_invalid)?;
        let organization_name = store::organization::find_name(&mut tx, organization).await?.unwrap_or_default();
        Ok(OfferedAccount {
            organization_name,
            email: invitation.email,
            role: invitation.role,
            expires_at: invitation.expires_at,
        })
    }

    /// Makes the account that was offered, with its address confirmed, and signs in. Uses the invitation up.
    ///
    /// # Errors
    /// Forbidden `invitation_invalid`; Conflict `username_taken` or `email_taken`; Invalid, naming the fields (the
    /// invitation stays good).
    pub async fn accept_invitation(
        &self,
        token: &str,
        username: &str,
        password: &str,
        kind: SessionKind,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        let hash = token_hash(token.trim());
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let found = store::invitation::find_open(&mut tx, &hash, now).await?;
        drop(tx);
        let (organization, invitation): (OrganizationId, Invitation) = found.ok_or_else(invitation_invalid)?;
        let min_chars = self.platform.config.identity.min_password_chars;
        let strength = check_strength("password", password, min_chars, &[username, &invitation.email]).await;
        let (username, email) = both(names(username, &invitation.email), strength)?;
        let password_hash = self.hasher.hash(password).await?;

        let mut tx = self.platform.db.begin().await?;
        if !store::invitation::accept(&mut tx, organization, invitation.id, now).await? {
            return Err(invitation_invalid());
        }
        store::user::check_free(&mut tx, &username, &email, None).await?;
        let names = (&username, &email);
        let id = self.insert_user(&mut tx, organization, names, invitation.role, &password_hash).await?;
        store::user::set_email_verified(&mut tx, organization, id, email.as_str(), now).await?;
        let account = store::user::find(&mut tx, organization, id).await?.ok_or_else(|| Error::internal("no user"))?;
        let entry = Entry::success("invitation.accepted").target("invitation", invitation.id).details(json!({
            "user_id": id, "username": username.as_str(), "role": invitation.role
        }));
        let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
        let signed_in = self.begin_proven_session(tx, &account, kind, "invitation", ctx).await?;
        self.announce(organization, record);
        Ok(signed_in)
    }
}

/// What is wrong with either, at once.
fn both<T>(names: Result<T>, strength: Result<()>) -> Result<T> {
    match (names, strength) {
        (Ok(names), Ok(())) => Ok(names),
        (names, strength) => {
            let mut fields: Vec<FieldError> = Vec::new();
            for error in [names.err(), strength.err()].into_iter().flatten() {
                if error.field_errors().is_empty() {
                    return Err(error);
                }
                fields.extend_from_slice(error.field_errors());
            }
            Err(Error::fields(fields))
        }
    }
}

fn invitation_not_found() -> Error {
    Error::not_found("invitation_not_found", "There is no such invitation.")
}

fn invitation_over() -> Error {
    Error::conflict("invitation_over", "This invitation was accepted or revoked already.")
}

fn invitation_invalid() -> Error {
    Error::forbidden(
        "invitation_invalid",
        "This invitation is not valid any more: it was used, revoked, or is too old. Ask for a new one.",
    )
}
