//! The first start: a one-time link makes the organisation and its administrator. There is no default password.

use portico_model::identity::Role;
use portico_model::{ErrorKind, FieldError, OrganizationId, UserId};
use portico_platform::audit::{Entry, no_organization};
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::{Identity, SessionKind, SignedIn};
use crate::context::RequestContext;
use crate::input::{Email, Username, names, one_line};
use crate::password::check_strength;
use crate::store;
use crate::token::{random_token, token_hash};

const ORGANIZATION_NAME_CHARS: usize = 80;

impl Identity {
    /// Whether nobody has an account yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setup_needed(&self) -> Result<bool> {
        let mut tx = self.platform.db.read().await?;
        Ok(!store::user::any_admin(&mut tx).await?)
    }

    /// Makes an organisation where there is none, so that people can sign up, or the admin token be used, before anyone
    /// has opened the set-up link. The link still makes the administrator, and names the organisation.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn ensure_organization(&self) -> Result<()> {
        let mut tx = self.platform.db.begin().await?;
        if store::organization::find_first(&mut tx).await?.is_none() {
            self.insert_organization(&mut tx, "Portico").await?;
        }
        tx.commit().await
    }

    /// The token of a new set-up link, or nothing when Portico is set up. Earlier links stay valid until they expire,
    /// because another server on the same database may have printed them.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn issue_setup_token(&self) -> Result<Option<String>> {
        if !self.setup_needed().await? {
            return Ok(None);
        }
        let token = random_token();
        let expires_at = self.platform.clock.now().plus_secs(self.platform.config.identity.setup_token_s);
        let mut tx = self.platform.db.begin().await?;
        store::setup_token::insert(&mut tx, &token_hash(&token), expires_at).await?;
        let entry = Entry::success("setup.link_issued").details(json!({ "expires_at": expires_at }));
        self.platform.audit.append(&mut tx, &Actor::system(no_organization()), entry).await?;
        tx.commit().await?;
        Ok(Some(token))
    }

    /// Makes the first organisation and its administrator, and signs him in. Consumes the link.
    ///
    /// # Errors
    /// Forbidden `setup_link_invalid`, when the link is unknown, used or too old; Conflict `already_set_up`; Invalid,
    /// with the fields to mend (the link stays usable).
    pub async fn setup(
        &self,
        token: &str,
        organization_name: &str,
        username: &str,
        email: &str,
        password: &str,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        self.setup_as(SessionKind::Browser, token, organization_name, (username, email), password, ctx).await
    }

    /// As [`Identity::setup`], for a client of either kind.
    ///
    /// # Errors
    /// As [`Identity::setup`].
    pub async fn setup_as(
        &self,
        kind: SessionKind,
        token: &str,
        organization_name: &str,
        (username, email): (&str, &str),
        password: &str,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        let token_hash = token_hash(token.trim());
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.read().await?;
        let valid = store::setup_token::is_valid(&mut tx, &token_hash, now).await?;
        drop(tx);
        if !valid {
            return Err(self.refuse_setup(ctx).await);
        }
        let min_chars = self.platform.config.identity.min_password_chars;
        let strength = check_strength("password", password, min_chars, &[username, email]).await;
        // All that is wrong with the form at once.
        let (organization_name, (username, email)) =
            match (parse_organization(organization_name), names(username, email), strength) {
                (Ok(organization_name), Ok(names), Ok(())) => (organization_name, names),
                (organization_name, names, strength) => {
                    let mut fields = Vec::from_iter(organization_name.err());
                    for error in [names.err(), strength.err()].into_iter().flatten() {
                        if error.kind() != ErrorKind::Invalid {
                            return Err(error);
                        }
                        fields.extend_from_slice(error.field_errors());
                    }
                    return Err(Error::fields(fields));
                }
            };
        let password_hash = self.hasher.hash(password).await?;

        let mut tx = self.platform.db.begin().await?;
        if !store::setup_token::consume(&mut tx, &token_hash, now).await? {
            tx.rollback().await?;
            return Err(self.refuse_setup(ctx).await);
        }
        if store::user::any_admin(&mut tx).await? {
            return Err(Error::conflict("already_set_up", "Portico is set up already. Sign in."));
        }
        let organization = match store::organization::find_first(&mut tx).await? {
            Some(organization) => {
                store::organization::rename(&mut tx, organization, &organization_name).await?;
                organization
            }
            None => self.insert_organization(&mut tx, &organization_name).await?,
        };
        let user = self.insert_user(&mut tx, organization, (&username, &email), Role::Admin, &password_hash).await?;
        let account =
            store::user::find(&mut tx, organization, user).await?.ok_or_else(|| Error::internal("no admin"))?;
        let (signed_in, _) = self.begin_session(&mut tx, &account, kind, "password", ctx).await?;
        let actor = super::sign_in::user_actor(&account, signed_in.session_id, ctx);
        let entry = Entry::success("setup.completed")
            .target("user", user)
            .details(json!({ "organization": organization_name }));
        let record = self.platform.audit.append(&mut tx, &actor, entry).await?;
        tx.commit().await?;
        self.announce(organization, record);
        Ok(signed_in)
    }

    /// Makes an administrator of the first organisation without a link: for the command line and the demo. The
    /// organisation is made if need be.
    ///
    /// # Errors
    /// Invalid or Conflict, as [`Identity::create_user`].
    pub async fn create_admin(&self, username: &str, email: &str, password: &str) -> Result<(OrganizationId, UserId)> {
        self.create_admin_in(None, username, email, password).await
    }

    /// As [`Identity::create_admin`], in the organisation of that name.
    ///
    /// # Errors
    /// Invalid or Conflict, as [`Identity::create_user`].
    pub async fn create_admin_in(
        &self,
        organization_name: Option<&str>,
        username: &str,
        email: &str,
        password: &str,
    ) -> Result<(OrganizationId, UserId)> {
        let (username, email) = names(username, email)?;
        let min_chars = self.platform.config.identity.min_password_chars;
        check_strength("password", password, min_chars, &[username.as_str(), email.as_str()]).await?;
        let organization_name =
            organization_name.map(parse_organization).transpose().map_err(|field| Error::fields(vec![field]))?;
        let password_hash = self.hasher.hash(password).await?;
        let mut tx = self.platform.db.begin().await?;
        let found = match &organization_name {
            Some(name) => store::organization::find_by_name(&mut tx, name).await?,
            None => store::organization::find_first(&mut tx).await?,
        };
        let organization = match found {
            Some(organization) => organization,
            None => self.insert_organization(&mut tx, organization_name.as_deref().unwrap_or("Organisation")).await?,
        };
        store::user::check_free(&mut tx, &username, &email, None).await?;
        let user = self.insert_user(&mut tx, organization, (&username, &email), Role::Admin, &password_hash).await?;
        store::setup_token::delete_all(&mut tx).await?;
        let entry = Entry::success("user.created")
            .target("user", user)
            .details(json!({ "username": username.as_str(), "role": Role::Admin }));
        let record = self.platform.audit.append(&mut tx, &Actor::system(organization), entry).await?;
        tx.commit().await?;
        self.announce(organization, record);
        Ok((organization, user))
    }

    async fn refuse_setup(&self, ctx: &RequestContext) -> Error {
        let error = Error::forbidden(
            "setup_link_invalid",
            "This set-up link is not valid any more. Restart Portico for a new one; it is printed at the start.",
        );
        let counters = self.lockout.at_address("", ctx);
        let Some(attempts) = self.lockout.report_refusal(&counters, self.platform.clock.now()) else { return error };
        let written: Result<()> = async {
            let mut tx = self.platform.db.begin().await?;
            let entry = Entry::denied("setup.refused").details(json!({ "attempts": attempts }));
            self.append_anonymous(&mut tx, no_organization(), ctx, entry).await?;
            tx.commit().await
        }
        .await;
        written.err().unwrap_or(error)
    }

    async fn insert_organization(&self, tx: &mut Tx, name: &str) -> Result<OrganizationId> {
        let organization = OrganizationId::generate();
        store::organization::insert(tx, organization, name, self.platform.clock.now()).await?;
        Ok(organization)
    }

    pub(super) async fn insert_user(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        names: (&Username, &Email),
        role: Role,
        password_hash: &str,
    ) -> Result<UserId> {
        let id = UserId::generate();
        store::user::insert(tx, organization, id, names, role, password_hash, self.platform.clock.now()).await?;
        Ok(id)
    }
}

pub(super) fn parse_organization(name: &str) -> Result<String, FieldError> {
    let name = one_line(name, ORGANIZATION_NAME_CHARS + 1);
    match name.chars().count() {
        0 => Err(FieldError::new("organization_name", "Give the organisation a name.")),
        count if count > ORGANIZATION_NAME_CHARS => {
            Err(FieldError::new("organization_name", "The name can have at most 80 characters."))
        }
        _ => Ok(name),
    }
}
