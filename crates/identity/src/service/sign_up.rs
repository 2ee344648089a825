//! Making an account for oneself, where that is open.

use portico_model::identity::{Role, User};
use portico_platform::audit::Entry;
use portico_platform::config::Signup;
use portico_platform::{Error, Result};
use serde_json::json;

use super::Identity;
use super::sign_in::not_set_up;
use crate::context::RequestContext;
use crate::input::names;
use crate::password::check_strength;
use crate::store;

impl Identity {
    /// Who may make an account here: in the first organisation, where those who sign up go.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signup_mode(&self) -> Result<Signup> {
        let mut tx = self.platform.db.read().await?;
        match store::organization::find_first(&mut tx).await? {
            Some(organization) => self.signup_in_force(&mut tx, organization).await,
            None => Ok(self.platform.config.signup),
        }
    }

    /// Makes an account for oneself, with the role `user`, in the first organisation, and sends a link that confirms its
    /// address; does not sign in.
    ///
    /// # Errors
    /// Forbidden `signup_closed` unless sign-up is open; Conflict `username_taken` or `email_taken`; Invalid.
    pub async fn sign_up(&self, username: &str, email: &str, password: &str, ctx: &RequestContext) -> Result<User> {
        match self.signup_mode().await? {
            Signup::Open => {}
            Signup::Invite => {
                return Err(Error::forbidden(
                    "signup_closed",
                    "Accounts are made by invitation here. Ask an administrator for one.",
                ));
            }
            Signup::Closed => {
                return Err(Error::forbidden(
                    "signup_closed",
                    "Accounts are made by an administrator here. Ask for one, then sign in.",
                ));
            }
        }
        let (username, email) = names(username, email)?;
        let min_chars = self.platform.config.identity.min_password_chars;
        check_strength("password", password, min_chars, &[username.as_str(), email.as_str()]).await?;
        let mut tx = self.platform.db.read().await?;
        let organization = store::organization::find_first(&mut tx).await?.ok_or_else(not_set_up)?;
        store::user::check_free(&mut tx, &username, &email, None).await?;
        drop(tx);
        let password_hash = self.hasher.hash(password).await?;
        let mut tx = self.platform.db.begin().await?;
        store::user::check_free(&mut tx, &username, &email, None).await?;
        let id = self.insert_user(&mut tx, organization, (&username, &email), Role::User, &password_hash).await?;
        let account = store::user::find(&mut tx, organization, id).await?.ok_or_else(|| Error::internal("no user"))?;
        self.send_verification(&mut tx, &account).await?;
        let entry =
            Entry::success("user.signed_up").target("user", id).details(json!({ "username": username.as_str() }));
        let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.announce(organization, record);
        Ok(account.user)
    }
}
