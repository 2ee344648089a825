//! Authenticator apps (RFC 6238) and the recovery codes beside them.

use fast_qr::QRBuilder;
use fast_qr::convert::svg::SvgBuilder;
use portico_model::identity::{Factors, Passkey, TotpEnrolment};
use portico_model::{OrganizationId, UserId};
use portico_platform::audit::Entry;
use portico_platform::secrets::keyed_hash;
use portico_platform::{Actor, Error, Result, Tx};
use rand::Rng;
use totp_rs::{Builder, Totp};

use super::Identity;
use super::account::no_account;
use super::mails;
use crate::store;
use crate::store::user::Account;

/// What the secret is encrypted for.
const PURPOSE: &str = "identity totp";

/// RFC 4226, section 4: 160 bits are recommended.
const SECRET_BYTES: usize = 20;

/// Codes handed out together.
const RECOVERY_CODES: usize = 10;

/// Letters and digits that nobody takes for one another (Crockford's base 32).
const RECOVERY_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a recovery code, without the hyphen: 60 bits.
const RECOVERY_CHARS: usize = 12;

impl Identity {
    /// What the account of the one who asks has beside its password.
    ///
    /// # Errors
    /// Forbidden `no_account`.
    pub async fn factors(&self, actor: &Actor) -> Result<Factors> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.read().await?;
        self.factors_of(&mut tx, actor.organization, user).await
    }

    pub(super) async fn factors_of(&self, tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Factors> {
        let totp = store::totp::find(tx, organization, user).await?;
        Ok(Factors {
            totp: totp.is_some_and(|totp| totp.confirmed_at.is_some()),
            recovery_codes_left: store::recovery_code::count(tx, organization, user).await?,
            passkeys: store::passkey::list(tx, organization, user).await?.into_iter().map(Passkey::from).collect(),
        })
    }

    /// Begins to set up an authenticator app with a new secret; nothing changes until [`Identity::confirm_totp`]. Wants a
    /// fresh authentication.
    ///
    /// # Errors
    /// Forbidden `step_up_required` or `no_account`; Conflict `totp_exists`.
    pub async fn begin_totp(&self, actor: &Actor) -> Result<TotpEnrolment> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let secret: [u8; SECRET_BYTES] = rand::rng().random();
        let sealed = self.platform.secrets.seal(PURPOSE, user.uuid().as_bytes(), &secret)?;
        let mut tx = self.platform.db.begin().await?;
        let now = self.platform.clock.now();
        if !store::totp::begin(&mut tx, actor.organization, user, &sealed, now).await? {
            return Err(totp_exists());
        }
        tx.commit().await?;
        self.pending_totp(actor).await?.ok_or_else(totp_exists)
    }

    /// The authenticator app being set up, if there is one that is not confirmed yet.
    ///
    /// # Errors
    /// Forbidden `no_account`.
    pub async fn pending_totp(&self, actor: &Actor) -> Result<Option<TotpEnrolment>> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.read().await?;
        let Some(factor) = store::totp::find(&mut tx, actor.organization, user).await? else { return Ok(None) };
        if factor.confirmed_at.is_some() {
            return Ok(None);
        }
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        drop(tx);
        let secret = self.platform.secrets.open(PURPOSE, user.uuid().as_bytes(), &factor.secret)?;
        let totp = totp(secret, &account.user.username)?;
        let url = totp.to_url().map_err(|error| Error::internal(error.to_string()))?;
        let qr = QRBuilder::new(url.as_str()).build().map_err(|_| Error::internal("the QR code is too large"))?;
        let qr_svg = SvgBuilder::default().to_str(&qr);
        Ok(Some(TotpEnrolment { secret: totp.secret().to_base32(), url, qr_svg }))
    }

    /// Finishes setting up the app with a code that it shows. From now on signing in with the password wants a second
    /// step. Hands out recovery codes, once.
    ///
    /// # Errors
    /// Invalid, naming `code`; Conflict `totp_not_begun`; Forbidden `step_up_required` or `no_account`; `RateLimited`.
    pub async fn confirm_totp(&self, actor: &Actor, code: &str) -> Result<Vec<String>> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let pending = store::totp::find(&mut tx, actor.organization, user).await?;
        if pending.is_none_or(|factor| factor.confirmed_at.is_some()) {
            return Err(Error::conflict("totp_not_begun", "Begin to set up the authenticator app first."));
        }
        if !self.use_totp(&mut tx, actor.organization, user, code, true).await? {
            return Err(Error::field(
                "code",
                "This code does not fit. Enter the one that the app shows now; check that the phone's clock is right.",
            ));
        }
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        store::totp::confirm(&mut tx, actor.organization, user, self.platform.clock.now()).await?;
        let codes = self.new_recovery_codes(&mut tx, actor.organization, user).await?;
        self.commit_factor_change(tx, actor, &account, "auth.totp_enabled", "An authenticator app was set up").await?;
        Ok(codes)
    }

    /// Takes the authenticator app off the account. Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden `step_up_required` or `no_account`; `NotFound` `totp_not_found`.
    pub async fn remove_totp(&self, actor: &Actor) -> Result<()> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        if !store::totp::delete(&mut tx, actor.organization, user).await? {
            return Err(Error::not_found("totp_not_found", "No authenticator app is set up."));
        }
        if store::passkey::count(&mut tx, actor.organization, user).await? == 0 {
            store::recovery_code::delete_all(&mut tx, actor.organization, user).await?;
        }
        self.commit_factor_change(tx, actor, &account, "auth.totp_disabled", "The authenticator app was removed").await
    }

    /// New recovery codes in place of the old ones; shown this once. Wants a fresh authentication.
    ///
    /// # Errors
    /// Forbidden `step_up_required` or `no_account`; Conflict `no_second_factor`.
    pub async fn renew_recovery_codes(&self, actor: &Actor) -> Result<Vec<String>> {
        let user = actor.user_id().ok_or_else(no_account)?;
        self.require_fresh_authentication(actor).await?;
        let mut tx = self.platform.db.begin().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        if !self.factors_of(&mut tx, actor.organization, user).await?.second_step() {
            return Err(Error::conflict(
                "no_second_factor",
                "Recovery codes stand in for an authenticator app or a passkey: set one up first.",
            ));
        }
        let codes = self.new_recovery_codes(&mut tx, actor.organization, user).await?;
        self.commit_factor_change(tx, actor, &account, "auth.recovery_codes_renewed", "New recovery codes were made")
            .await?;
        Ok(codes)
    }

    /// Audits a change of how one signs in, tells the owner by e-mail (a stranger cannot do it unnoticed), commits.
    pub(super) async fn commit_factor_change(
        &self,
        mut tx: Tx,
        actor: &Actor,
        account: &Account,
        action: &'static str,
        what: &str,
    ) -> Result<()> {
        let entry = Entry::success(action).target("user", account.user.id);
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        let mail = mails::security_notice(&account.user, what, &actor.address, &self.platform);
        self.platform.deliveries.enqueue(&mut tx, account.organization, &mail).await?;
        tx.commit().await?;
        self.platform.deliveries.wake();
        self.announce(account.organization, record);
        Ok(())
    }

    /// Whether the code is right, and not used before: it is used up in the caller's transaction.
    pub(super) async fn use_totp(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
        code: &str,
        unconfirmed: bool,
    ) -> Result<bool> {
        let Some(factor) = store::totp::find(tx, organization, user).await? else { return Ok(false) };
        if factor.confirmed_at.is_none() && !unconfirmed {
            return Ok(false);
        }
        let secret = self.platform.secrets.open(PURPOSE, user.uuid().as_bytes(), &factor.secret)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).take(16).collect();
        let now_s = u64::try_from(self.platform.clock.now().millis().div_euclid(1000)).unwrap_or_default();
        let Some(step) = totp(secret, "")?.check(&code, now_s) else { return Ok(false) };
        store::totp::use_step(tx, organization, user, i64::try_from(step).unwrap_or(i64::MAX)).await
    }

    /// Whether it is one of the account's codes; it is used up in the caller's transaction.
    pub(super) async fn use_recovery_code(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
        code: &str,
    ) -> Result<bool> {
        let Some(code) = recovery_code_key(code) else { return Ok(false) };
        store::recovery_code::consume(tx, organization, user, &self.recovery_code_hash(user, &code)).await
    }

    pub(super) async fn new_recovery_codes(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Vec<String>> {
        store::recovery_code::delete_all(tx, organization, user).await?;
        let now = self.platform.clock.now();
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            let code = random_recovery_code();
            store::recovery_code::insert(tx, organization, user, &self.recovery_code_hash(user, &code), now).await?;
            codes.push(format!("{}-{}-{}", &code[..4], &code[4..8], &code[8..]));
        }
        Ok(codes)
    }

    /// Under a key that is not in the database: a code is shorter than a random token.
    fn recovery_code_hash(&self, user: UserId, code: &str) -> [u8; 32] {
        keyed_hash(&self.platform.secrets.derive("identity recovery code"), &[user.uuid().as_bytes(), code.as_bytes()])
    }
}

fn totp(secret: Vec<u8>, account: &str) -> Result<Totp> {
    Builder::new()
        .with_secret(secret)
        .with_account_name(account)
        .with_issuer(Some("Portico"))
        .build()
        .map_err(|error| Error::internal(error.to_string()))
}

fn totp_exists() -> Error {
    Error::conflict("totp_exists", "An authenticator app is set up already. Remove it first.")
}

fn random_recovery_code() -> String {
    let mut random = rand::rng();
    (0..RECOVERY_CHARS).map(|_| char::from(RECOVERY_ALPHABET[random.random_range(0..32)])).collect()
}

/// As it is hashed: without hyphens and spaces, in small letters, look-alikes taken for what they look like.
fn recovery_code_key(text: &str) -> Option<String> {
    let key: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(RECOVERY_CHARS + 1)
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        })
        .collect();
    let valid = key.len() == RECOVERY_CHARS && key.bytes().all(|byte| RECOVERY_ALPHABET.contains(&byte));
    valid.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_code_is_read_as_people_type_it() {
        let code = random_recovery_code();
        assert_eq!(recovery_code_key(&code).as_deref(), Some(code.as_str()));
        assert_eq!(recovery_code_key(" 0Oi1-LLab-cdef ").as_deref(), Some("001111abcdef"));
        for wrong in ["", "0000-0000-000", "0000-0000-00000", "0000-0000-000u", "0000-0000-000é"] {
            assert_eq!(recovery_code_key(wrong), None, "{wrong}");
        }
    }

    /// RFC 6238, appendix B: the last six digits of the first two SHA-1 values.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(b"12345678901234567890".to_vec(), "anna").unwrap();
        assert_eq!(totp.generate(59).to_string(), "287082");
        assert_eq!(totp.generate(1_111_111_109).to_string(), "081804");
        assert_eq!(totp.check("287082", 59 + 30), Some(1), "the code before still counts");
        assert_eq!(totp.check("287082", 59 + 90), None);
    }
}
