//! Whom a message reaches: for the domains that tell people things.

use std::collections::BTreeSet;

use portico_model::identity::{Role, User};
use portico_model::notifications::Audience;
use portico_model::{OrganizationId, UserId};
use portico_platform::{Result, Tx};

use super::Identity;
use crate::store;

impl Identity {
    /// The audience's people whose accounts are active, each once. No permission: what they are told is for the caller
    /// to decide.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recipients(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        audience: &Audience,
    ) -> Result<Vec<User>> {
        let (ids, permission) = match audience {
            Audience::Users(ids) => (ids.as_slice(), None),
            Audience::Permitted(permission) => (&[][..], Some(*permission)),
            Audience::Both(ids, permission) => (ids.as_slice(), Some(*permission)),
        };
        let mut people = Vec::new();
        if let Some(permission) = permission {
            for role in Role::ALL.into_iter().filter(|role| role.may(permission)) {
                people.extend(store::user::active_of_role(tx, organization, role).await?);
            }
        }
        let mut known: BTreeSet<_> = people.iter().map(|user| user.id).collect();
        for id in ids.iter().filter(|id| known.insert(**id)) {
            let account = store::user::find(tx, organization, *id).await?;
            people.extend(account.map(|account| account.user).filter(|user| user.is_active));
        }
        Ok(people)
    }

    /// The e-mail address of an account, active or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn email_address(&self, tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<Option<String>> {
        Ok(store::user::find(tx, organization, id).await?.map(|account| account.user.email))
    }

    /// An account, active or not. No permission: what is done with it is for the caller to decide.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account(&self, tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<Option<User>> {
        Ok(store::user::find(tx, organization, id).await?.map(|account| account.user))
    }

    /// The active account of this user name, e-mail address or id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account_named(&self, tx: &mut Tx, organization: OrganizationId, text: &str) -> Result<Option<User>> {
        if text.is_empty() || text.chars().count() > 320 || text.contains('\0') {
            return Ok(None);
        }
        let found = match text.parse() {
            Ok(id) => store::user::find(tx, organization, id).await?,
            Err(_) => store::user::find_by_login(tx, &crate::input::name_key(text)).await?,
        };
        let own = found.filter(|account| account.organization == organization && account.user.is_active);
        Ok(own.map(|account| account.user))
    }
}
