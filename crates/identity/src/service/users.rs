//! Accounts, as their administrator handles them. Permission, unless said otherwise: [`Permission::ManageUsers`].

use std::sync::{Arc, PoisonError};

use portico_model::identity::{Permission, Role, User};
use portico_model::{ErrorKind, OrganizationId, Page, SessionId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, BoxFuture, Error, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Identity, mails};
use crate::input::{Email, Username, name_key, names};
use crate::password::check_strength;
use crate::store;
use crate::store::user::{Account, Slice};

/// Most accounts in one page.
const MAX_PAGE: i64 = 200;

/// What a domain above does with a user's things when he goes, is kept out, or wants to know what there is.
pub trait UserDependents: Send + Sync {
    /// Removes them, in the transaction that deletes the user, before the user is gone. What comes back is done once
    /// that is committed: telling those who watch, forgetting what was cached.
    ///
    /// # Errors
    /// When they cannot be removed: then the user stays.
    fn user_deleted<'a>(&'a self, tx: &'a mut Tx, actor: &'a Actor, user: UserId)
    -> BoxFuture<'a, Result<AfterCommit>>;

    /// Called after the commit that deactivated the user, or activated him again.
    fn user_active_changed(&self, organization: OrganizationId, user: UserId, is_active: bool) -> BoxFuture<'_, ()> {
        let _ = (organization, user, is_active);
        Box::pin(std::future::ready(()))
    }

    /// All that the domain keeps about the user, each part under a name of its own, for his export. No secrets.
    ///
    /// # Errors
    /// When it cannot be read.
    fn personal_data<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> BoxFuture<'a, Result<serde_json::Map<String, serde_json::Value>>> {
        let _ = (tx, organization, user);
        Box::pin(std::future::ready(Ok(serde_json::Map::new())))
    }

    /// Puts the pseudonym in the place of the person's labels wherever the domain keeps who did what, in the transaction
    /// that erases him.
    ///
    /// # Errors
    /// When it cannot be written: then nothing is erased.
    fn user_erased<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        erased: &'a ErasedLabels,
    ) -> BoxFuture<'a, Result<()>> {
        let _ = (tx, organization, erased);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How an erased person was named ([`Actor::label`]) and is named from now on.
#[derive(Debug, Clone)]
pub struct ErasedLabels {
    /// One for each user name that the account has had.
    pub labels: Vec<String>,
    pub pseudonym: String,
}

/// Done after the commit.
pub type AfterCommit = BoxFuture<'static, ()>;

/// What a new account is to be.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewUser {
    pub username: String,
    pub email: String,
    pub password: String,
    #[serde(default = "plain_user")]
    pub role: Role,
}

const fn plain_user() -> Role {
    Role::User
}

/// What to change; absent fields stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct UserChange {
    pub username: Option<String>,
    pub email: Option<String>,
    /// Only with the right to manage users.
    pub role: Option<Role>,
    /// Only with the right to manage users.
    pub is_active: Option<bool>,
    /// A new password for someone else, who is signed out everywhere; one's own is changed with the current one.
    pub password: Option<String>,
}

impl UserChange {
    /// Whether nothing is to change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.username.is_none()
            && self.email.is_none()
            && self.role.is_none()
            && self.is_active.is_none()
            && self.password.is_none()
    }
}

impl Identity {
    /// The organisation's accounts by user name. `cursor` is the `next` of the page before; `limit` 1 to 200.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn users(
        &self,
        actor: &Actor,
        search: Option<String>,
        cursor: Option<String>,
        limit: i64,
    ) -> Result<Page<User>> {
        let search = search.map(|text| name_key(&text)).filter(|text| !text.is_empty());
        self.users_slice(actor, Slice { search: search.as_deref(), after: cursor.as_deref(), offset: 0, limit })
            .await
            .map(|(page, _)| page)
    }

    /// A page, and how many accounts match in all.
    pub(crate) async fn users_slice(&self, actor: &Actor, slice: Slice<'_>) -> Result<(Page<User>, i64)> {
        self.require(actor, Permission::ManageUsers, "user.list").await?;
        let limit = slice.limit.clamp(1, MAX_PAGE);
        let mut tx = self.platform.db.read().await?;
        let total = store::user::count(&mut tx, actor.organization, slice.search).await?;
        let items = store::user::list(&mut tx, actor.organization, Slice { limit: limit + 1, ..slice }).await?;
        Ok((Page::cut(items, limit, |user| name_key(&user.username)), total))
    }

    /// An account: one's own, or any with the permission.
    ///
    /// # Errors
    /// Forbidden; `NotFound` `user_not_found`.
    pub async fn get_user(&self, actor: &Actor, id: UserId) -> Result<User> {
        self.require_self_or_manager(actor, id, "user.read").await?;
        let mut tx = self.platform.db.read().await?;
        self.find_account(&mut tx, actor, id).await.map(|account| account.user)
    }

    /// Makes an account; any role but the plain one wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required`; Conflict `username_taken` or `email_taken`; Invalid.
    pub async fn create_user(&self, actor: &Actor, new: NewUser) -> Result<User> {
        self.require(actor, Permission::ManageUsers, "user.created").await?;
        if new.role != Role::User {
            self.require_fresh_authentication(actor).await?;
        }
        let (username, email) = names(&new.username, &new.email)?;
        let password_hash = self.hash_new_password(&new.password, (&username, &email)).await?;
        let mut tx = self.platform.db.begin().await?;
        store::user::check_free(&mut tx, &username, &email, None).await?;
        let id = self.insert_user(&mut tx, actor.organization, (&username, &email), new.role, &password_hash).await?;
        let account = self.find_account(&mut tx, actor, id).await?;
        let entry = Entry::success("user.created")
            .target("user", id)
            .details(json!({ "username": username.as_str(), "role": new.role }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(account.user)
    }

    /// Changes an account; one's own name and address need no permission. Whoever gets another role, another password
    /// or is deactivated is cut off at once (with a new role, from live updates only). Another role, address or password
    /// wants a fresh authentication; a new address is to be confirmed, and the old one is told.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required`, `last_admin` and `admin_protected`; `NotFound`; Conflict; Invalid.
    pub async fn update_user(&self, actor: &Actor, id: UserId, change: UserChange) -> Result<User> {
        self.require_self_or_manager(actor, id, "user.updated").await?;
        let privileged = change.role.is_some() || change.is_active.is_some();
        if privileged {
            self.require(actor, Permission::ManageUsers, "user.updated").await?;
        }
        if change.password.is_some() && actor.user_id() == Some(id) {
            return Err(Error::field(
                "password",
                "Change your own password with the current one: POST /api/v1/account/password.",
            ));
        }
        let mut tx = self.platform.db.read().await?;
        let before = self.find_account(&mut tx, actor, id).await?;
        drop(tx);
        let (username, email) = names(
            change.username.as_deref().unwrap_or(&before.user.username),
            change.email.as_deref().unwrap_or(&before.user.email),
        )?;
        let sensitive = change.role.is_some_and(|role| role != before.user.role)
            || name_key(email.as_str()) != name_key(&before.user.email)
            || change.password.is_some();
        if sensitive {
            self.require_fresh_authentication(actor).await?;
        }
        let password_hash = match &change.password {
            Some(password) => Some(self.hash_new_password(password, (&username, &email)).await?),
            None => None,
        };
        match self.apply_change(actor, id, &change, (&username, &email), password_hash.as_deref()).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                let entry = Entry::denied("user.updated").target("user", id).details(json!({ "reason": error.code() }));
                Err(self.refuse(actor, entry, error).await)
            }
            result => result,
        }
    }

    async fn apply_change(
        &self,
        actor: &Actor,
        id: UserId,
        change: &UserChange,
        names: (&Username, &Email),
        password_hash: Option<&str>,
    ) -> Result<User> {
        let now = self.platform.clock.now();
        let organization = actor.organization;
        let mut tx = self.platform.db.begin().await?;
        store::organization::lock(&mut tx, organization).await?;
        let account = self.find_account(&mut tx, actor, id).await?;
        if password_hash.is_some() {
            self.forget_begun(&mut tx, &account).await?;
        }
        let before = account.user;
        let role = change.role.unwrap_or(before.role);
        let is_active = change.is_active.unwrap_or(before.is_active);
        check_admin_protection(&mut tx, actor, &before, role, is_active).await?;
        store::user::check_free(&mut tx, names.0, names.1, Some(id)).await?;
        store::user::update(&mut tx, organization, id, names, role, now).await?;
        let mut ended = Vec::new();
        if let Some(hash) = password_hash {
            store::user::set_password(&mut tx, organization, id, hash, now).await?;
            // Whoever was locked out by guesses from everywhere gets in again with the new password.
            self.lockout.at_account(id).clear(&mut tx).await?;
            ended = store::session::end_all(&mut tx, organization, id, None, "password_reset", now).await?;
        }
        if is_active != before.is_active {
            ended.extend(self.apply_active(&mut tx, actor, id, is_active).await?);
        }
        let account = self.find_account(&mut tx, actor, id).await?;
        if name_key(&account.user.email) != name_key(&before.email) {
            self.send_verification(&mut tx, &account).await?;
            let mail = mails::email_changed(&account.user, &before.email, &actor.address, &self.platform);
            self.platform.deliveries.enqueue(&mut tx, organization, &mail).await?;
        }
        let after = account.user;
        let entry = Entry::success("user.updated").target("user", id).details(changes(
            &before,
            &after,
            password_hash.is_some(),
        ));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        if role != before.role || !ended.is_empty() {
            self.platform.hub.close_user(id);
        }
        if is_active != before.is_active {
            self.tell_active_changed(organization, id, is_active).await;
        }
        self.announce(organization, record);
        Ok(after)
    }

    /// Deactivates (signing the user out everywhere at once) or activates again. True when that changed anything.
    ///
    /// # Errors
    /// Forbidden, also `admin_protected`; `NotFound` `user_not_found`.
    pub async fn set_user_active(&self, actor: &Actor, id: UserId, is_active: bool) -> Result<(User, bool)> {
        let action = if is_active { "user.activated" } else { "user.deactivated" };
        self.require(actor, Permission::ManageUsers, action).await?;
        let mut tx = self.platform.db.begin().await?;
        store::organization::lock(&mut tx, actor.organization).await?;
        let before = self.find_account(&mut tx, actor, id).await?.user;
        if before.is_active == is_active {
            return Ok((before, false));
        }
        if !is_active && before.role == Role::Admin {
            tx.rollback().await?;
            let entry = Entry::denied(action).target("user", id).details(json!({ "reason": "admin_protected" }));
            let error = admin_stays_active();
            return Err(self.refuse(actor, entry, error).await);
        }
        self.apply_active(&mut tx, actor, id, is_active).await?;
        let record = self.platform.audit.append(&mut tx, actor, Entry::success(action).target("user", id)).await?;
        tx.commit().await?;
        if !is_active {
            self.platform.hub.close_user(id);
        }
        self.tell_active_changed(actor.organization, id, is_active).await;
        self.announce(actor.organization, record);
        Ok((User { is_active, ..before }, true))
    }

    async fn tell_active_changed(&self, organization: OrganizationId, id: UserId, is_active: bool) {
        for domain in self.dependents() {
            domain.user_active_changed(organization, id, is_active).await;
        }
    }

    pub(super) fn dependents(&self) -> Vec<Arc<dyn UserDependents>> {
        self.dependents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn apply_active(&self, tx: &mut Tx, actor: &Actor, id: UserId, is_active: bool) -> Result<Vec<SessionId>> {
        let now = self.platform.clock.now();
        store::user::set_active(tx, actor.organization, id, is_active, now).await?;
        if is_active {
            return Ok(Vec::new());
        }
        store::session::end_all(tx, actor.organization, id, None, "deactivated", now).await
    }

    /// Has a domain's things deleted with their user. Called once, when the server starts.
    pub fn register_dependents(&self, dependents: Arc<dyn UserDependents>) {
        self.dependents.write().unwrap_or_else(PoisonError::into_inner).push(dependents);
    }

    /// Deletes an account for good, with its sessions and what belongs to it in other domains, and hands back what it
    /// was. The audit trail goes on naming him; [`Identity::erase_user`] takes him out of that too.
    ///
    /// Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden, also `step_up_required` and `admin_protected`; `NotFound`; Conflict `user_in_use` while things belong to the user.
    pub async fn delete_user(&self, actor: &Actor, id: UserId) -> Result<User> {
        const ACTION: &str = "user.deleted";
        self.require(actor, Permission::ManageUsers, ACTION).await?;
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let user = self.find_removable(&mut tx, actor, id).await?;
        if user.role == Role::Admin {
            tx.rollback().await?;
            return Err(self.refuse_admin_removal(actor, id, ACTION).await);
        }
        let after_commit = self.remove_account(&mut tx, actor, id).await?;
        let entry = Entry::success(ACTION).target("user", id).details(json!({ "username": user.username }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.platform.hub.close_user(id);
        for step in after_commit {
            step.await;
        }
        self.announce(actor.organization, record);
        Ok(user)
    }

    /// The account, under the organisation's lock.
    pub(super) async fn find_removable(&self, tx: &mut Tx, actor: &Actor, id: UserId) -> Result<User> {
        store::organization::lock(tx, actor.organization).await?;
        self.find_account(tx, actor, id).await.map(|account| account.user)
    }

    pub(super) async fn refuse_admin_removal(&self, actor: &Actor, id: UserId, action: &'static str) -> Error {
        let entry = Entry::denied(action).target("user", id).details(json!({ "reason": "admin_protected" }));
        let error = Error::forbidden("admin_protected", "Admin users cannot be deleted").titled("Cannot delete admin");
        self.refuse(actor, entry, error).await
    }

    /// Removes the account and what belongs to it. What comes back is to be done after the commit.
    pub(super) async fn remove_account(&self, tx: &mut Tx, actor: &Actor, id: UserId) -> Result<Vec<AfterCommit>> {
        let mut after_commit = Vec::new();
        for domain in self.dependents() {
            after_commit.push(domain.user_deleted(tx, actor, id).await?);
        }
        if !store::user::delete(tx, actor.organization, id).await? {
            return Err(Error::conflict(
                "user_in_use",
                "Things that cannot be deleted still belong to this user. Give them to someone else first, or deactivate \
                 the user.",
            ));
        }
        Ok(after_commit)
    }

    pub(super) async fn find_account(&self, tx: &mut Tx, actor: &Actor, id: UserId) -> Result<Account> {
        store::user::find(tx, actor.organization, id).await?.ok_or_else(|| user_not_found(id))
    }

    pub(super) async fn require_self_or_manager(&self, actor: &Actor, id: UserId, action: &'static str) -> Result<()> {
        if actor.user_id() == Some(id) {
            return Ok(());
        }
        self.require(actor, Permission::ManageUsers, action).await
    }

    async fn hash_new_password(&self, password: &str, (username, email): (&Username, &Email)) -> Result<String> {
        let min_chars = self.platform.config.identity.min_password_chars;
        check_strength("password", password, min_chars, &[username.as_str(), email.as_str()]).await?;
        self.hasher.hash(password).await
    }
}

/// An administrator can neither be deactivated nor, as the last one, lose the role. Needs the organisation's lock.
async fn check_admin_protection(tx: &mut Tx, actor: &Actor, before: &User, role: Role, is_active: bool) -> Result<()> {
    if before.role != Role::Admin {
        return Ok(());
    }
    if before.is_active && !is_active {
        return Err(admin_stays_active());
    }
    if role != Role::Admin && store::user::count_admins(tx, actor.organization).await? <= 1 {
        return Err(Error::forbidden(
            "last_admin",
            "The last administrator must stay one. Make someone else one first.",
        ));
    }
    Ok(())
}

/// What the trail tells of a change: old and new values, never a password.
fn changes(before: &User, after: &User, password: bool) -> serde_json::Value {
    let mut details = serde_json::Map::new();
    let mut note = |field: &str, old: serde_json::Value, new: serde_json::Value| {
        if old != new {
            details.insert(field.to_owned(), json!([old, new]));
        }
    };
    note("username", json!(before.username), json!(after.username));
    note("email", json!(before.email), json!(after.email));
    note("role", json!(before.role), json!(after.role));
    note("is_active", json!(before.is_active), json!(after.is_active));
    if password {
        details.insert("password".to_owned(), json!("changed"));
    }
    details.into()
}

fn admin_stays_active() -> Error {
    Error::forbidden("admin_protected", "Admin users cannot be deactivated").titled("Cannot deactivate admin")
}

pub(super) fn user_not_found(id: UserId) -> Error {
    Error::not_found("user_not_found", format!("No user found with ID: {id}")).titled("User not found")
}
