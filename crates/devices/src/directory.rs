//! What each message needs to know of its sender, kept in memory for a moment: a change made here counts at once, one
//! made on another server within [`FRESH_FOR`].

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use portico_model::devices::DeviceStatus;
use portico_model::{ApiKeyId, DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Db, Error, Result};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use sha2::{Digest as _, Sha256};

use crate::store;

/// How long another server may go on with what it knew.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// Characters of an API key: 62^32 is over 190 bits.
pub const KEY_CHARS: usize = 32;

/// A device as ingest and authentication see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: DeviceId,
    pub organization: OrganizationId,
    pub owner: UserId,
    /// A deactivated person's devices are refused with him.
    pub owner_is_active: bool,
    pub name: String,
    pub status: DeviceStatus,
    pub heartbeat_interval_s: i64,
}

impl Known {
    /// Why its messages are refused; `None` when they are welcome.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        match self.status {
            _ if !self.owner_is_active => Some("the device's owner is deactivated"),
            DeviceStatus::Active => None,
            DeviceStatus::Inactive => Some("the device is inactive"),
            DeviceStatus::Maintenance => Some("the device is in maintenance"),
        }
    }
}

/// A key that was presented and is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub key: ApiKeyId,
    pub device: DeviceId,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone)]
pub struct Directory {
    db: Db,
    devices: Cache<DeviceId, Option<Arc<Known>>>,
    keys: Cache<[u8; 32], Option<Grant>>,
}

impl Directory {
    pub fn new(db: Db) -> Self {
        // Some 300 bytes and 100 bytes an entry; what does not fit is read again.
        let devices = Cache::builder().max_capacity(100_000).time_to_live(FRESH_FOR).build();
        let keys = Cache::builder().max_capacity(100_000).time_to_live(FRESH_FOR).build();
        Self { db, devices, keys }
    }

    pub async fn find(&self, id: DeviceId) -> Result<Option<Arc<Known>>> {
        let load = async {
            let mut tx = self.db.read().await?;
            Ok::<_, Error>(store::device::find_known(&mut tx, id).await?.map(Arc::new))
        };
        self.devices.try_get_with(id, load).await.map_err(|error: Arc<Error>| again(&error))
    }

    /// The grant of a key, whatever the device's status.
    pub async fn find_key(&self, api_key: &[u8], now: Timestamp) -> Result<Option<Grant>> {
        if api_key.len() != KEY_CHARS || !api_key.iter().all(u8::is_ascii_alphanumeric) {
            return Ok(None);
        }
        let hash = hash_key(api_key);
        let load = async {
            let mut tx = self.db.read().await?;
            let found = store::key::find(&mut tx, &hash).await?;
            Ok::<_, Error>(found.map(|found| Grant {
                key: found.id,
                device: found.device_id,
                expires_at: found.expires_at,
            }))
        };
        let grant = self.keys.try_get_with(hash, load).await.map_err(|error: Arc<Error>| again(&error))?;
        Ok(grant.filter(|grant| grant.expires_at.is_none_or(|expiry| expiry > now)))
    }

    /// What was known of the device no longer holds; call after the commit.
    pub async fn forget(&self, id: DeviceId) {
        self.devices.invalidate(&id).await;
        // The hashes of a device's keys are not at hand; keys are read again quickly.
        self.keys.invalidate_all();
    }
}

/// The cache shares one error among those who waited for it.
fn again(error: &Error) -> Error {
    Error::new(error.kind(), error.code(), error.message())
}

/// What is stored of a key. It is random and long, so a plain hash is enough (a password's slow hash guards against guessing).
pub fn hash_key(api_key: &[u8]) -> [u8; 32] {
    Sha256::digest(api_key).into()
}

/// A new key.
pub fn generate_key() -> String {
    rand::rng().sample_iter(Alphanumeric).take(KEY_CHARS).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_32_base62_characters_and_never_the_same() {
        let keys: std::collections::HashSet<_> = (0..100).map(|_| generate_key()).collect();
        assert_eq!(keys.len(), 100);
        assert!(keys.iter().all(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    }
}
