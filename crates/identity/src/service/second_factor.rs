//! The second step of signing in, for who has more than a password; and the proofs that count for it.

use portico_model::identity::Factor;
use portico_model::{OrganizationId, UserId};
use portico_platform::audit::Entry;
use portico_platform::{Error, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::lockout::Counters;
use super::passkeys::Answered;
use super::{Identity, SessionKind, SignedIn};
use crate::context::RequestContext;
use crate::store;
use crate::store::challenge::NewChallenge;
use crate::store::user::Account;
use crate::token::{random_token, token_hash};

/// How long the second step may take, seconds.
pub const CHALLENGE_S: i64 = 300;

const PURPOSE: &str = "second_factor";

/// What came of the right password.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // made once, taken apart at once
pub enum SignIn {
    Done(SignedIn),
    SecondFactor(SecondFactorChallenge),
}

/// The password was right, and one more proof is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactorChallenge {
    /// Proves that the first step was taken; good for [`CHALLENGE_S`] seconds and one sign-in.
    pub token: String,
    pub expires_in_s: i64,
    /// What the account has.
    pub factors: Vec<Factor>,
}

/// A proof beside the password.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// The code that the authenticator app shows.
    Totp(String),
    RecoveryCode(String),
    /// The browser's answer to a ceremony (`PublicKeyCredential` as JSON).
    Passkey(serde_json::Value),
}

impl Proof {
    #[must_use]
    pub const fn factor(&self) -> Factor {
        match self {
            Self::Totp(_) => Factor::Totp,
            Self::RecoveryCode(_) => Factor::RecoveryCode,
            Self::Passkey(_) => Factor::Passkey,
        }
    }

    /// Six digits are a code of the app, anything longer a recovery code: one field takes both.
    #[must_use]
    pub fn of_code(code: &str) -> Self {
        let digits = code.chars().filter(|c| !c.is_whitespace()).count();
        if digits <= 6 { Self::Totp(code.to_owned()) } else { Self::RecoveryCode(code.to_owned()) }
    }
}

/// What the second step must know of the first.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    browser: bool,
    /// The state of a passkey's ceremony, once begun.
    ceremony: Option<String>,
}

impl Identity {
    /// Remembers that the first step was taken, in the caller's transaction.
    pub(super) async fn challenge_second_factor(
        &self,
        tx: &mut Tx,
        account: &Account,
        factors: Vec<Factor>,
        kind: SessionKind,
    ) -> Result<SecondFactorChallenge> {
        let token = random_token();
        let now = self.platform.clock.now();
        let state = State { browser: kind == SessionKind::Browser, ceremony: None };
        let state = serde_json::to_string(&state).map_err(Error::internal)?;
        let new = NewChallenge {
            token_hash: &token_hash(&token),
            organization: Some(account.organization),
            user: Some(account.user.id),
            session: None,
            purpose: PURPOSE,
            state: &state,
            now,
            expires_at: now.plus_secs(CHALLENGE_S),
        };
        store::challenge::insert(tx, new).await?;
        Ok(SecondFactorChallenge { token, expires_in_s: CHALLENGE_S, factors })
    }

    /// The factors of an account that has a second step; empty for one that has not.
    pub(super) async fn second_step(&self, tx: &mut Tx, account: &Account) -> Result<Vec<Factor>> {
        let factors = self.factors_of(tx, account.organization, account.user.id).await?;
        if !factors.second_step() {
            return Ok(Vec::new());
        }
        let offered = [
            (factors.totp, Factor::Totp),
            (!factors.passkeys.is_empty(), Factor::Passkey),
            (factors.recovery_codes_left > 0, Factor::RecoveryCode),
        ];
        Ok(offered.into_iter().filter_map(|(has, factor)| has.then_some(factor)).collect())
    }

    /// What the account behind a challenge has to offer as its second step.
    ///
    /// # Errors
    /// Unauthenticated `challenge_expired`.
    pub async fn second_factors(&self, challenge_token: &str) -> Result<Vec<Factor>> {
        let mut tx = self.platform.db.read().await?;
        let (account, _) = self.find_challenged(&mut tx, challenge_token).await?;
        self.second_step(&mut tx, &account).await
    }

    /// Begins the ceremony of a passkey as the second step.
    ///
    /// # Errors
    /// Unauthenticated `challenge_expired`; Invalid `passkeys_unavailable`.
    pub async fn begin_second_factor_passkey(&self, challenge_token: &str) -> Result<serde_json::Value> {
        let mut tx = self.platform.db.begin().await?;
        let (account, mut state) = self.find_challenged(&mut tx, challenge_token).await?;
        let keys = store::passkey::list(&mut tx, account.organization, account.user.id).await?;
        let (options, ceremony) = self.passkeys.begin_authentication(&keys)?;
        state.ceremony = Some(ceremony);
        let state = serde_json::to_string(&state).map_err(Error::internal)?;
        store::challenge::set_state(&mut tx, &token_hash(challenge_token), &state).await?;
        tx.commit().await?;
        Ok(options)
    }

    /// The second step: with a good proof the session begins. Wrong ones are counted as wrong passwords are, so that
    /// neither guessing helps nor can who knows the password lock the owner's own devices out.
    ///
    /// # Errors
    /// Unauthenticated `challenge_expired`, `invalid_second_factor` or `account_inactive`; `RateLimited` `locked_out`.
    pub async fn sign_in_second_factor(
        &self,
        challenge_token: &str,
        proof: &Proof,
        ctx: &RequestContext,
    ) -> Result<SignedIn> {
        let mut tx = self.platform.db.read().await?;
        let (account, _) = self.find_challenged(&mut tx, challenge_token).await?;
        let counters = self.factor_counters(&mut tx, account.user.id, ctx).await?;
        drop(tx);
        let _queue = self.lockout.queue(&counters).await?;
        self.check_lock(&counters, account.organization, ctx).await?;

        let mut tx = self.platform.db.begin().await?;
        let (account, state) = self.find_challenged(&mut tx, challenge_token).await?;
        let (organization, user) = (account.organization, account.user.id);
        if !self.check_proof(&mut tx, (organization, user), proof, state.ceremony.as_deref()).await? {
            // A passkey's ceremony is over whatever came of it.
            let state = State { ceremony: None, ..state };
            let state = serde_json::to_string(&state).map_err(Error::internal)?;
            store::challenge::set_state(&mut tx, &token_hash(challenge_token), &state).await?;
            let locked = counters.count_failure(&mut tx, self.platform.clock.now()).await?;
            let entry = Entry::failed("auth.second_factor_failed")
                .target("user", user)
                .details(json!({ "factor": proof.factor(), "locked": locked }));
            let record = self.append_anonymous(&mut tx, organization, ctx, entry).await?;
            tx.commit().await?;
            self.announce(organization, record);
            return Err(invalid_second_factor());
        }
        let now = self.platform.clock.now();
        store::challenge::take(&mut tx, &token_hash(challenge_token), PURPOSE, now)
            .await?
            .ok_or_else(challenge_expired)?;
        counters.clear(&mut tx).await?;
        let kind = if state.browser { SessionKind::Browser } else { SessionKind::Api };
        self.begin_proven_session(tx, &account, kind, method_of(proof.factor()), ctx).await
    }

    /// Whether the proof is good. What is good once is used up in the caller's transaction.
    pub(super) async fn check_proof(
        &self,
        tx: &mut Tx,
        (organization, user): (OrganizationId, UserId),
        proof: &Proof,
        ceremony: Option<&str>,
    ) -> Result<bool> {
        match proof {
            Proof::Totp(code) => self.use_totp(tx, organization, user, code, false).await,
            Proof::RecoveryCode(code) => self.use_recovery_code(tx, organization, user, code).await,
            Proof::Passkey(answer) => {
                let Some(ceremony) = ceremony else { return Ok(false) };
                let answered = self.answer_ceremony(tx, ceremony, answer).await?;
                Ok(matches!(answered, Answered::Proved { account } if account == (organization, user)))
            }
        }
    }

    async fn find_challenged(&self, tx: &mut Tx, token: &str) -> Result<(Account, State)> {
        let now = self.platform.clock.now();
        let challenge = store::challenge::find(tx, &token_hash(token), PURPOSE, now).await?;
        let challenge = challenge.ok_or_else(challenge_expired)?;
        let (Some(organization), Some(user)) = (challenge.organization_id, challenge.user_id) else {
            return Err(challenge_expired());
        };
        let account = store::user::find(tx, organization, user).await?.ok_or_else(challenge_expired)?;
        let state = serde_json::from_str(&challenge.state).map_err(Error::internal)?;
        Ok((account, state))
    }

    /// The counters of a second step: a device that signed in before has its own, as with passwords.
    async fn factor_counters(&self, tx: &mut Tx, user: UserId, ctx: &RequestContext) -> Result<Counters> {
        let known = match &ctx.device_token {
            Some(device) if store::known_device::is_known(tx, &token_hash(device), user).await? => {
                Some(device.as_str())
            }
            _ => None,
        };
        Ok(self.lockout.second_factor(user, known, ctx))
    }
}

/// How a session was begun, as it is stored.
pub(super) const fn method_of(factor: Factor) -> &'static str {
    match factor {
        Factor::Totp => "password+totp",
        Factor::Passkey => "password+passkey",
        Factor::RecoveryCode => "password+recovery_code",
    }
}

pub(super) fn challenge_expired() -> Error {
    Error::unauthenticated("challenge_expired", "This took too long, or was done already. Sign in again.")
}

fn invalid_second_factor() -> Error {
    Error::unauthenticated("invalid_second_factor", "This code is wrong, too old, or was used before.")
}
