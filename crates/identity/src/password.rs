//! Passwords: what is accepted, and hashing with argon2id away from the threads that serve requests.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use portico_platform::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use zxcvbn::{Score, zxcvbn};

/// Longer ones are refused: nobody types them, and estimating their strength takes long.
const MAX_CHARS: usize = 256;

/// So many may wait for a hash; the next is told to come back, so that a flood holds little memory and no connection
/// for long.
const MAX_WAITING: usize = 128;

/// Who has not had his turn by then is told to come back.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Verified in place of a missing account's, so that an answer takes as long whether or not there is an account. Its
/// cost is argon2's default, as that of every stored hash; no password leads to it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cG9ydGljb3BvcnRpY28$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes with argon2id, at most on half of the cores at once.
#[derive(Clone)]
pub struct Hasher {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The right to hash now.
pub struct Turn(#[allow(dead_code)] OwnedSemaphorePermit); // held, not read

impl Default for Hasher {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { running: Arc::new(Semaphore::new((cores / 2).max(1))), waiting: Arc::new(Semaphore::new(MAX_WAITING)) }
    }
}

impl Hasher {
    /// Waits for a turn.
    ///
    /// # Errors
    /// Unavailable, when too many wait already or it takes too long.
    pub async fn turn(&self) -> Result<Turn> {
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// A PHC string (`$argon2id$…`) with a salt of its own.
    ///
    /// # Errors
    /// Unavailable as [`Hasher::turn`]; internal when hashing fails.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let turn = self.turn().await?;
        let password = password.to_owned();
        spawn_blocking(move || {
            let _turn = turn;
            Argon2::default().hash_password(password.as_bytes()).map(|hash: PasswordHash| hash.to_string())
        })
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::internal(error.to_string()))
    }

    /// Whether the password belongs to the hash; without a hash (no such account) the same work for a certain no. Gives
    /// the turn back, so that the caller can count the outcome before the next one begins.
    ///
    /// # Errors
    /// Internal, when the stored hash is malformed.
    pub async fn verify(&self, turn: Turn, password: &str, hash: Option<&str>) -> Result<(bool, Turn)> {
        let password = password.to_owned();
        let exists = hash.is_some();
        let hash = hash.unwrap_or(DUMMY_HASH).to_owned();
        spawn_blocking(move || {
            let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok((matches && exists, turn))
        })
        .await
        .map_err(Error::internal)?
    }
}

/// The answer to who cannot have a turn in time.
pub fn busy() -> Error {
    Error::unavailable("busy", "Too many people are signing in at this moment. Try again shortly.")
}

/// Refuses what is short or easily guessed. Estimating takes milliseconds: away from the threads that serve requests.
///
/// # Errors
/// Invalid, naming `field`, with words that say how to do better.
pub async fn check_strength(field: &'static str, password: &str, min_chars: usize, context: &[&str]) -> Result<()> {
    let password = password.to_owned();
    let context: Vec<String> = context.iter().map(|text| (*text).to_owned()).collect();
    spawn_blocking(move || {
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        weakness(&password, min_chars, &context).map_or(Ok(()), |message| Err(Error::field(field, message)))
    })
    .await
    .map_err(Error::internal)?
}

/// What is wrong with a password, or nothing. `context` holds what an attacker tries first: the names of its owner.
fn weakness(password: &str, min_chars: usize, context: &[&str]) -> Option<String> {
    let chars = password.chars().count();
    if chars < min_chars {
        return Some(format!(
            "The password needs at least {min_chars} characters; this one has {chars}. Several unrelated words are \
             easy to remember and hard to guess."
        ));
    }
    if chars > MAX_CHARS {
        return Some(format!("The password can have at most {MAX_CHARS} characters."));
    }
    let mut known = vec!["portico"];
    known.extend_from_slice(context);
    known.extend(context.iter().filter_map(|text| text.split('@').next()).filter(|name| name.len() > 2));
    let estimate = zxcvbn(password, &known);
    if estimate.score() >= Score::Three {
        return None;
    }
    let mut words = vec!["This password is too easy to guess.".to_owned()];
    if let Some(feedback) = estimate.feedback() {
        words.extend(feedback.warning().map(|warning| warning.to_string()));
        words.extend(feedback.suggestions().iter().map(ToString::to_string));
    }
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_common_and_personal_passwords_are_refused() {
        for password in ["", "short", "eleven-char", "password1234", "qwertyuiop12", "aaaaaaaaaaaaaaaa", "johannadoe1"]
        {
            assert!(weakness(password, 12, &["johannadoe"]).is_some(), "{password}");
        }
        assert!(weakness("johannadoe2026", 12, &["johannadoe", "johannadoe@example.org"]).is_some());
        assert!(weakness(&"x7!".repeat(100), 12, &[]).is_some());
    }

    #[test]
    fn several_unrelated_words_are_accepted() {
        assert_eq!(weakness("copper lantern under fjord", 12, &["anna"]), None);
        assert_eq!(weakness("vT4#mq9!Lw2z", 12, &["anna"]), None);
    }

    #[tokio::test]
    async fn password_verifies_against_its_own_hash_only() {
        let hasher = Hasher::default();
        let hash = hasher.hash("copper lantern under fjord").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let verify = async |password: &str, hash: Option<&str>| {
            let turn = hasher.turn().await.unwrap();
            hasher.verify(turn, password, hash).await.unwrap().0
        };
        assert!(verify("copper lantern under fjord", Some(&hash)).await);
        assert!(!verify("copper lantern under fjorD", Some(&hash)).await);
        assert!(!verify("copper lantern under fjord", None).await);
    }

    #[tokio::test]
    async fn dummy_hash_costs_what_a_stored_one_costs() {
        let stored = Hasher::default().hash("copper lantern under fjord").await.unwrap();
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&stored), cost(DUMMY_HASH));
        let (real, dummy) = (PasswordHash::new(&stored).unwrap(), PasswordHash::new(DUMMY_HASH).unwrap());
        assert_eq!(real.hash.map(|hash| hash.len()), dummy.hash.map(|hash| hash.len()));
    }
}
