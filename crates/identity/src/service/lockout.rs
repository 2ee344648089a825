//! Counting failed sign-ins so that guessing is slow and the owner still gets in.
//!
//! Guesses at an account are counted together, whether by its name or its address; those at a name without an account by
//! that name: it locks in the same way, and tells nothing. From a device unknown to the account they count twice: for (network, name), which
//! locks soon, and for the name from everywhere, which locks late. A device that signed in to the account before has a
//! counter of its own, so neither the guesses of others nor of its neighbours lock it out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use portico_model::Timestamp;
use portico_model::lockout::{FailureCount, LockoutPolicy};
use portico_platform::secrets::keyed_hash;
use portico_platform::{Error, Platform, Result, Tx};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::context::{RequestContext, network_of};
use crate::password::{PATIENCE, busy};
use crate::store;

/// Failures for one name from everywhere are remembered this long.
const ACCOUNT_WINDOW_MS: i64 = 24 * 3_600_000;

/// A name guessed at from everywhere stays locked this many times as long as for one address.
const ACCOUNT_LOCK_FACTOR: i64 = 4;

/// Attempts that must wait for one another to be counted exactly share one of so many queues.
const QUEUES: usize = 64;

/// Refusals while locked are audited once a minute for each counter, with their number, so that a flood of them
/// neither fills the trail nor keeps the database busy.
const REFUSAL_REPORT_MS: i64 = 60_000;

/// So many counters' refusals are kept apart at once; beyond, the memory is emptied and each is reported anew.
const MAX_REFUSAL_KEYS: usize = 4_096;

/// A counter and its rule.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    key: [u8; 32],
    policy: LockoutPolicy,
}

/// The counters of one attempt.
#[derive(Debug, Clone)]
pub struct Counters(Vec<Counter>);

pub struct Lockout {
    key: [u8; 32],
    quick: LockoutPolicy,
    slow: LockoutPolicy,
    queues: Vec<Arc<AsyncMutex<()>>>,
    refusals: Mutex<HashMap<[u8; 32], Refusals>>,
}

struct Refusals {
    reported_at: Timestamp,
    since: i64,
}

impl Lockout {
    pub fn new(platform: &Platform) -> Self {
        let config = &platform.config.identity;
        let lock_ms = config.lockout_s.saturating_mul(1000);
        Self {
            key: platform.secrets.derive("identity lockout"),
            quick: LockoutPolicy { failures: config.lockout_failures, window_ms: lock_ms, lock_ms },
            slow: LockoutPolicy {
                failures: config.account_failures,
                window_ms: ACCOUNT_WINDOW_MS,
                lock_ms: lock_ms.saturating_mul(ACCOUNT_LOCK_FACTOR),
            },
            queues: (0..QUEUES).map(|_| Arc::default()).collect(),
            refusals: Mutex::default(),
        }
    }

    /// For an attempt from anywhere.
    pub fn at_address(&self, login_key: &str, ctx: &RequestContext) -> Counters {
        let network = network_of(&ctx.address);
        Counters(vec![
            self.counter(self.quick, &[b"network", network.as_bytes(), login_key.as_bytes()]),
            self.counter(self.slow, &[b"account", login_key.as_bytes()]),
        ])
    }

    /// For attempts at the account from anywhere, with password or second factor: what a new password clears.
    pub fn at_account(&self, user: portico_model::UserId) -> Counters {
        let login_key = account_key(user);
        Counters(vec![
            self.counter(self.slow, &[b"account", login_key.as_bytes()]),
            self.counter(self.slow, &[b"factor account", user.uuid().as_bytes()]),
        ])
    }

    /// For an attempt at the second step, by whom knows the password: counted apart, and again with a counter of its own
    /// for a device that signed in before.
    pub fn second_factor(&self, user: portico_model::UserId, device: Option<&str>, ctx: &RequestContext) -> Counters {
        let user = user.uuid();
        if let Some(device) = device {
            return Counters(vec![self.counter(self.quick, &[b"factor device", device.as_bytes(), user.as_bytes()])]);
        }
        let network = network_of(&ctx.address);
        Counters(vec![
            self.counter(self.quick, &[b"factor network", network.as_bytes(), user.as_bytes()]),
            self.counter(self.slow, &[b"factor account", user.as_bytes()]),
        ])
    }

    /// For an attempt from a device that signed in to the account before.
    pub fn at_known_device(&self, device_token: &str, user: portico_model::UserId) -> Counters {
        Counters(vec![self.counter(self.quick, &[b"device", device_token.as_bytes(), user.uuid().as_bytes()])])
    }

    /// For proving the password again within a session.
    pub fn within_session(&self, user: portico_model::UserId) -> Counters {
        Counters(vec![self.counter(self.quick, &[b"password", user.uuid().as_bytes()])])
    }

    fn counter(&self, policy: LockoutPolicy, parts: &[&[u8]]) -> Counter {
        Counter { key: keyed_hash(&self.key, parts), policy }
    }

    /// Waits until no other attempt on the same counters is being judged: otherwise many at once would all be let
    /// through before the first is counted.
    ///
    /// # Errors
    /// Unavailable, when that takes too long.
    pub async fn queue(&self, counters: &Counters) -> Result<OwnedMutexGuard<()>> {
        let index = counters.0.first().map_or(0, |counter| usize::from(counter.key[0])) % self.queues.len();
        tokio::time::timeout(PATIENCE, Arc::clone(&self.queues[index]).lock_owned()).await.map_err(|_| busy())
    }

    /// How many refusals to report now, this one included; `None` when it was done less than a minute ago.
    pub fn report_refusal(&self, counters: &Counters, now: Timestamp) -> Option<i64> {
        let key = counters.0.first()?.key;
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= MAX_REFUSAL_KEYS && !refusals.contains_key(&key) {
            refusals.clear();
        }
        let entry =
            refusals.entry(key).or_insert(Refusals { reported_at: now.plus_millis(-REFUSAL_REPORT_MS), since: 0 });
        entry.since += 1;
        if now.millis_since(entry.reported_at) < REFUSAL_REPORT_MS {
            return None;
        }
        entry.reported_at = now;
        Some(std::mem::take(&mut entry.since))
    }
}

impl Counters {
    /// How long the longest lock among them still lasts, milliseconds.
    pub async fn locked_for_ms(&self, tx: &mut Tx, now: Timestamp) -> Result<Option<i64>> {
        let mut longest = None;
        for counter in &self.0 {
            longest = longest.max(store::throttle::find(tx, &counter.key).await?.locked_for_ms(now));
        }
        Ok(longest)
    }

    /// Counts a failure. True when it was the one that locks.
    pub async fn count_failure(&self, tx: &mut Tx, now: Timestamp) -> Result<bool> {
        let mut locks = false;
        for counter in &self.0 {
            let count: FailureCount = store::throttle::lock(tx, &counter.key).await?.after_failure(counter.policy, now);
            locks |= count.locked_for_ms(now).is_some();
            store::throttle::update(tx, &counter.key, count).await?;
        }
        Ok(locks)
    }

    /// The right password clears the counters it was tried under.
    pub async fn clear(&self, tx: &mut Tx) -> Result<()> {
        for counter in &self.0 {
            store::throttle::delete(tx, &counter.key).await?;
        }
        Ok(())
    }
}

/// The name under which attempts at an account are counted, whichever of its names was typed.
pub fn account_key(user: portico_model::UserId) -> String {
    format!("account:{user}")
}

/// The answer while locked.
pub fn locked_error(remaining_ms: i64) -> Error {
    let minutes = remaining_ms.div_euclid(60_000) + 1;
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    Error::rate_limited("locked_out", format!("Too many wrong attempts. Try again in {minutes} {unit}."))
        .retry_after(u64::try_from(remaining_ms).unwrap_or_default().div_ceil(1000))
}
