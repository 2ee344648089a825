//! Passkeys (WebAuthn level 3): making, naming and deleting them, and signing in with one alone. The state of a ceremony
//! is kept in the database for minutes and used once, so that its two requests may reach different servers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico_model::identity::{Ceremony, Passkey};
use portico_model::{OrganizationId, PasskeyId, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Config, Error, Result, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey as Credential, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder,
};

use super::account::no_account;
use super::second_factor::{CHALLENGE_S, challenge_expired};
use super::{Identity, SessionKind, SignedIn};
use crate::context::RequestContext;
use crate::input::one_line;
use crate::store;
use crate::store::challenge::NewChallenge;
use crate::store::passkey::StoredPasskey;
use crate::token::{random_token, token_hash};

/// Most passkeys of one account.
const MAX_PASSKEYS: i64 = 20;

const NAME_CHARS: usize = 60;

const REGISTER: &str = "passkey_register";
const SIGN_IN: &str = "passkey_sign_in";

/// The relying party: who the passkeys are for.
pub struct Passkeys(Option<Webauthn>);

/// What came of a ceremony.
pub(super) enum Answered {
    /// By the account that this passkey belongs to.
    Proved { account: (OrganizationId, UserId) },
    /// A passkey that we know, but the proof is not good.
    Refused { account: (OrganizationId, UserId), passkey: PasskeyId },
    /// No passkey of ours, or no answer to this ceremony.
    Unknown,
}

impl Passkeys {
    /// Passkeys are bound to the host name by which browsers reach us: that of `public_url`, else `localhost`. A number
    /// is no name (WebAuthn, section 5.1.2): reached by one alone, there are none.
    pub fn new(config: &Config) -> Self {
        let configured = config.public_url.as_deref();
        let url = configured.unwrap_or("http://localhost");
        let webauthn = Url::parse(url).ok().and_then(|origin| {
            let host = origin.domain()?.to_owned();
            let builder = WebauthnBuilder::new(&host, &origin).ok()?;
            // Unconfigured, the port is whichever was free; only this machine is `localhost`.
            builder.rp_name("Portico").allow_any_port(configured.is_none()).build().ok()
        });
        if webauthn.is_none() {
            tracing::info!("no passkeys: they need a host name in public_url");
        }
        Self(webauthn)
    }

    fn webauthn(&self) -> Result<&Webauthn> {
        self.0.as_ref().ok_or_else(|| {
            Error::invalid("passkeys_unavailable", "Passkeys need Portico to be reached by a host name (`public_url`).")
        })
    }

    /// Options for the browser, and the state that its answer is checked against. The passkeys named are offered, or,
    /// without any, those that the browser's owner keeps for us.
    pub(super) fn begin_authentication(&self, keys: &[StoredPasskey]) -> Result<(Value, String)> {
        let (challenge, state) = self.webauthn()?.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = serde_json::to_value(challenge.public_key).map_err(Error::internal)?;
        let mut allowed = Vec::with_capacity(keys.len());
        for key in keys {
            let credential: Credential = read(&key.credential)?;
            allowed.push(json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(credential.cred_id()) }));
        }
        options["allowCredentials"] = allowed.into();
        Ok((options, write(&state)?))
    }
}

impl Identity {
    /// Whether passkeys can be used with this Portico.
    #[must_use]
    pub fn passkeys_available(&self) -> bool {
        self.passkeys.0.is_some()
    }

    /// Begins to make a passkey for one's own account. Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden `step_up_required` or `no_account`; Conflict `too_many_passkeys`; Invalid `passkeys_unavailable`.
    pub async fn begin_passkey(&self, actor: &Actor) -> Result<Ceremony> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let webauthn = self.passkeys.webauthn()?;
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        let existing = store::passkey::list(&mut tx, actor.organization, user).await?;
        check_room(existing.len())?;
        let mut exclude = Vec::with_capacity(existing.len());
        for key in &existing {
            exclude.push(read::<Credential>(&key.credential)?.cred_id().clone());
        }
        let name = &account.user.username;
        let (challenge, state) =
            webauthn.start_passkey_registration(user.uuid(), name, name, Some(exclude)).map_err(Error::internal)?;
        let mut public_key = serde_json::to_value(challenge.public_key).map_err(Error::internal)?;
        // Kept by the authenticator under our name, so that it can also tell who signs in.
        public_key["authenticatorSelection"]["residentKey"] = "required".into();
        public_key["authenticatorSelection"]["requireResidentKey"] = true.into();
        let token = self.begin_ceremony(&mut tx, REGISTER, Some(actor), &write(&state)?).await?;
        tx.commit().await?;
        Ok(Ceremony { challenge_token: token, public_key })
    }

    /// Keeps the passkey that the browser made. With the first second factor come recovery codes, shown this once.
    ///
    /// # Errors
    /// Unauthenticated `challenge_expired`; Invalid, naming `credential` or `name`; Conflict `passkey_exists` or
    /// `too_many_passkeys`; Forbidden `no_account` or `step_up_required`.
    pub async fn add_passkey(
        &self,
        actor: &Actor,
        challenge_token: &str,
        name: &str,
        credential: &Value,
    ) -> Result<(Passkey, Vec<String>)> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let name = parse_name(name)?;
        let now = self.platform.clock.now();
        let organization = actor.organization;
        let mut tx = self.platform.db.begin().await?;
        let challenge = store::challenge::take(&mut tx, &token_hash(challenge_token), REGISTER, now)
            .await?
            .filter(|challenge| challenge.session_id == actor.session_id() && challenge.user_id == Some(user))
            .ok_or_else(challenge_expired)?;
        let state: PasskeyRegistration = read(&challenge.state)?;
        let made: RegisterPublicKeyCredential =
            serde_json::from_value(credential.clone()).map_err(|_| not_accepted())?;
        let made = self.passkeys.webauthn()?.finish_passkey_registration(&made, &state).map_err(|error| {
            tracing::info!(%error, "a new passkey was not accepted");
            not_accepted()
        })?;
        let account = store::user::find(&mut tx, organization, user).await?.ok_or_else(no_account)?;
        let before = self.factors_of(&mut tx, organization, user).await?;
        check_room(before.passkeys.len())?;
        let id = PasskeyId::generate();
        let stored = (made.cred_id().as_slice(), write(&made)?);
        if !store::passkey::insert(&mut tx, organization, user, id, (stored.0, &stored.1), &name, now).await? {
            return Err(Error::conflict("passkey_exists", "This passkey is registered already."));
        }
        let codes = if before.second_step() {
            Vec::new()
        } else {
            self.new_recovery_codes(&mut tx, organization, user).await?
        };
        self.commit_factor_change(tx, actor, &account, "auth.passkey_added", "A passkey was added").await?;
        Ok((Passkey { id, name, created_at: now, last_used_at: None }, codes))
    }

    /// One's own passkeys.
    ///
    /// # Errors
    /// Forbidden `no_account`.
    pub async fn passkeys(&self, actor: &Actor) -> Result<Vec<Passkey>> {
        self.factors(actor).await.map(|factors| factors.passkeys)
    }

    /// Gives one's own passkey another name.
    ///
    /// # Errors
    /// `NotFound` `passkey_not_found`; Invalid, naming `name`; Forbidden `no_account`.
    pub async fn rename_passkey(&self, actor: &Actor, id: PasskeyId, name: &str) -> Result<Passkey> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let name = parse_name(name)?;
        let mut tx = self.platform.db.begin().await?;
        if !store::passkey::rename(&mut tx, actor.organization, user, id, &name).await? {
            return Err(passkey_not_found());
        }
        let entry = Entry::success("auth.passkey_renamed").target("passkey", id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        let keys = store::passkey::list(&mut tx, actor.organization, user).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        keys.into_iter().find(|key| key.id == id).map(Passkey::from).ok_or_else(passkey_not_found)
    }

    /// Takes one's own passkey off the account. Wants a fresh authentication.
    ///
    /// # Errors
    /// `NotFound` `passkey_not_found`; Forbidden `step_up_required` or `no_account`.
    pub async fn delete_passkey(&self, actor: &Actor, id: PasskeyId) -> Result<()> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.read().await?;
        let own = store::passkey::list(&mut tx, actor.organization, user).await?;
        drop(tx);
        if !own.iter().any(|key| key.id == id) {
            return Err(passkey_not_found());
        }
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        if !store::passkey::delete(&mut tx, actor.organization, user, id).await? {
            return Err(passkey_not_found());
        }
        if !self.factors_of(&mut tx, actor.organization, user).await?.second_step() {
            store::recovery_code::delete_all(&mut tx, actor.organization, user).await?;
        }
        self.commit_factor_change(tx, actor, &account, "auth.passkey_deleted", "A passkey was removed").await
    }

    /// Begins to sign in with a passkey alone: the browser's owner chooses which.
    ///
    /// # Errors
    /// Invalid `passkeys_unavailable`.
    pub async fn begin_passkey_sign_in(&self) -> Result<Ceremony> {
        let (public_key, state) = self.passkeys.begin_authentication(&[])?;
        let mut tx = self.platform.db.begin().await?;
        let token = self.begin_ceremony(&mut tx, SIGN_IN, None, &state).await?;
        tx.commit().await?;
        Ok(Ceremony { challenge_token: token, public_key })
    }

    /// Signs in with a passkey alone. It is two factors in one: the authenticator, and what unlocks it.
    ///
    /// # Errors
    /// Unauthenticated `challenge_expired`, `invalid_passkey` or `account_inactive`.
    pub async fn sign_in_with_passkey(
        &self,
        challenge_token: &str,
        credential: &Value,
        kind: SessionKind,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        let challenge = store::challenge::take(&mut tx, &token_hash(challenge_token), SIGN_IN, now)
            .await?
            .ok_or_else(challenge_expired)?;
        match self.answer_ceremony(&mut tx, &challenge.state, credential).await? {
            Answered::Proved { account: (organization, user) } => {
                let account = store::user::find(&mut tx, organization, user).await?.ok_or_else(invalid_passkey)?;
                self.begin_proven_session(tx, &account, kind, "passkey", ctx).await
            }
            Answered::Refused { account: (organization, user), passkey } => {
                let entry =
                    Entry::failed("auth.passkey_failed").target("user", user).details(json!({ "passkey_id": passkey }));
                let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
                tx.commit().await?;
                self.announce(organization, record);
                Err(invalid_passkey())
            }
            Answered::Unknown => {
                // The challenge is used up all the same.
                tx.commit().await?;
                Err(invalid_passkey())
            }
        }
    }

    /// Checks the browser's answer and notes that the passkey was used, in the caller's transaction.
    pub(super) async fn answer_ceremony(&self, tx: &mut Tx, state: &str, answer: &Value) -> Result<Answered> {
        let state: DiscoverableAuthentication = read(state)?;
        let Ok(answer) = serde_json::from_value::<PublicKeyCredential>(answer.clone()) else {
            return Ok(Answered::Unknown);
        };
        let found = store::passkey::lock_by_credential(tx, answer.get_credential_id()).await?;
        let Some((organization, user, stored)) = found else { return Ok(Answered::Unknown) };
        let account = (organization, user);
        let passkey = stored.id;
        // The authenticator says whose it is, when it knows.
        if answer.get_user_unique_id().is_some_and(|claimed| claimed != user.uuid().as_bytes()) {
            return Ok(Answered::Refused { account, passkey });
        }
        let mut credential: Credential = read(&stored.credential)?;
        let result = self.passkeys.webauthn()?.finish_discoverable_authentication_v2(&answer, state, &credential);
        match result {
            Ok(result) => {
                credential.update_credential(&result);
                let now: Timestamp = self.platform.clock.now();
                store::passkey::set_used(tx, organization, passkey, &write(&credential)?, now).await?;
                Ok(Answered::Proved { account })
            }
            Err(error) => {
                tracing::info!(%error, "a passkey was not accepted");
                Ok(Answered::Refused { account, passkey })
            }
        }
    }

    async fn begin_ceremony(
        &self,
        tx: &mut Tx,
        purpose: &'static str,
        actor: Option<&Actor>,
        state: &str,
    ) -> Result<String> {
        let token = random_token();
        let now = self.platform.clock.now();
        let new = NewChallenge {
            token_hash: &token_hash(&token),
            organization: actor.map(|actor| actor.organization),
            user: actor.and_then(Actor::user_id),
            session: actor.and_then(Actor::session_id),
            purpose,
            state,
            now,
            expires_at: now.plus_secs(CHALLENGE_S),
        };
        store::challenge::insert(tx, new).await?;
        Ok(token)
    }
}

fn check_room(existing: usize) -> Result<()> {
    if i64::try_from(existing).unwrap_or(i64::MAX) < MAX_PASSKEYS {
        return Ok(());
    }
    Err(Error::conflict("too_many_passkeys", "An account can have at most 20 passkeys. Delete one first."))
}

fn parse_name(name: &str) -> Result<String> {
    let name = one_line(name, NAME_CHARS + 1);
    match name.chars().count() {
        0 => Err(Error::field("name", "Give the passkey a name, such as the device it is on.")),
        count if count > NAME_CHARS => Err(Error::field("name", "The name can have at most 60 characters.")),
        _ => Ok(name),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::internal)
}

fn write<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn not_accepted() -> Error {
    Error::field("credential", "The browser's passkey was not accepted. Try again.")
}

fn invalid_passkey() -> Error {
    Error::unauthenticated("invalid_passkey", "This passkey was not accepted. Sign in another way.")
}

fn passkey_not_found() -> Error {
    Error::not_found("passkey_not_found", "There is no such passkey.")
}
