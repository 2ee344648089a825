//! Proving again who one is before something sensitive, when the session is no longer fresh.

use portico_model::identity::Factor;
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Principal, Result};
use serde_json::json;

use super::Identity;
use super::account::no_account;
use super::second_factor::{CHALLENGE_S, Proof, challenge_expired};
use crate::store;
use crate::store::challenge::NewChallenge;
use crate::token::{random_token, token_hash};
use portico_model::identity::Ceremony;

const PURPOSE: &str = "step_up";

impl Identity {
    /// Passes who has proved who he is within `identity.step_up_s`; for what must not be done with a session left open.
    /// Whoever acts without a session (the admin token, a service, Portico itself) has proved it with this very request.
    ///
    /// # Errors
    /// Forbidden `step_up_required`: prove it again (`POST /api/v1/auth/step-up`), then repeat the request.
    pub async fn require_fresh_authentication(&self, actor: &Actor) -> Result<()> {
        let Principal::User { id, session, .. } = &actor.principal else { return Ok(()) };
        let mut tx = self.platform.db.read().await?;
        let authenticated_at = store::session::authenticated_at(&mut tx, actor.organization, *id, *session).await?;
        let age_ms = authenticated_at.map_or(i64::MAX, |at| self.platform.clock.now().millis_since(at));
        if age_ms <= self.platform.config.identity.step_up_s.saturating_mul(1000) {
            return Ok(());
        }
        Err(Error::forbidden("step_up_required", "Prove again that it is you, then repeat this."))
    }

    /// With what the one who asks can prove it: always the password, and what the account has beside it.
    ///
    /// # Errors
    /// Forbidden `no_account`.
    pub async fn step_up_factors(&self, actor: &Actor) -> Result<Vec<Factor>> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        self.second_step(&mut tx, &account).await
    }

    /// Begins the ceremony of a passkey that is to prove it.
    ///
    /// # Errors
    /// Forbidden `no_account`; Invalid `passkeys_unavailable`.
    pub async fn begin_step_up_passkey(&self, actor: &Actor) -> Result<Ceremony> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.begin().await?;
        let keys = store::passkey::list(&mut tx, actor.organization, user).await?;
        let (public_key, state) = self.passkeys.begin_authentication(&keys)?;
        let token = random_token();
        let now = self.platform.clock.now();
        let new = NewChallenge {
            token_hash: &token_hash(&token),
            organization: Some(actor.organization),
            user: Some(user),
            session: actor.session_id(),
            purpose: PURPOSE,
            state: &state,
            now,
            expires_at: now.plus_secs(CHALLENGE_S),
        };
        store::challenge::insert(&mut tx, new).await?;
        tx.commit().await?;
        Ok(Ceremony { challenge_token: token, public_key })
    }

    /// Proves it with the password: the session counts as fresh again. A wrong one counts like a failed sign-in.
    ///
    /// # Errors
    /// Invalid, naming `password`; `RateLimited` `locked_out`; Forbidden `no_account`.
    pub async fn step_up_with_password(&self, actor: &Actor, password: &str) -> Result<()> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let mut tx = self.platform.db.read().await?;
        let account = store::user::find(&mut tx, actor.organization, user).await?.ok_or_else(no_account)?;
        drop(tx);
        self.prove_password(actor, &account, "password", password).await?;
        self.set_fresh(actor, "password").await
    }

    /// Proves it with an app's code, a recovery code or a passkey (then with the ceremony's token).
    ///
    /// # Errors
    /// Invalid, naming `code` or `credential`; `RateLimited` `locked_out`; Unauthenticated `challenge_expired`; Forbidden
    /// `no_account`.
    pub async fn step_up(&self, actor: &Actor, proof: &Proof, challenge_token: Option<&str>) -> Result<()> {
        let user = actor.user_id().ok_or_else(no_account)?;
        let counters = self.lockout.within_session(user);
        let _queue = self.lockout.queue(&counters).await?;
        let ctx = super::account::context_of(actor);
        self.check_lock(&counters, actor.organization, &ctx).await?;
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        let ceremony = match (proof, challenge_token) {
            (Proof::Passkey(_), Some(token)) => store::challenge::take(&mut tx, &token_hash(token), PURPOSE, now)
                .await?
                .filter(|challenge| challenge.session_id == actor.session_id())
                .map(|challenge| challenge.state),
            _ => None,
        };
        if matches!(proof, Proof::Passkey(_)) && ceremony.is_none() {
            return Err(challenge_expired());
        }
        if !self.check_proof(&mut tx, (actor.organization, user), proof, ceremony.as_deref()).await? {
            counters.count_failure(&mut tx, now).await?;
            let entry =
                Entry::failed("auth.step_up_failed").target("user", user).details(json!({ "factor": proof.factor() }));
            let record = self.platform.audit.append(&mut tx, actor, entry).await?;
            tx.commit().await?;
            self.announce(actor.organization, record);
            return Err(match proof {
                Proof::Passkey(_) => Error::field("credential", "This passkey was not accepted. Try again."),
                _ => Error::field("code", "This code is wrong, too old, or was used before."),
            });
        }
        counters.clear(&mut tx).await?;
        tx.commit().await?;
        let method = match proof.factor() {
            Factor::Totp => "totp",
            Factor::Passkey => "passkey",
            Factor::RecoveryCode => "recovery_code",
        };
        self.set_fresh(actor, method).await
    }

    async fn set_fresh(&self, actor: &Actor, method: &str) -> Result<()> {
        let Some(session) = actor.session_id() else { return Err(no_account()) };
        let mut tx = self.platform.db.begin().await?;
        let now = self.platform.clock.now();
        store::session::set_authenticated(&mut tx, actor.organization, session, now).await?;
        let entry = Entry::success("auth.stepped_up").target("session", session).details(json!({ "method": method }));
        let record = self.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }
}
