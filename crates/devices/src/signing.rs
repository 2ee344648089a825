//! What proves to a device that a command comes from Portico: each device has a signing key, derived from the instance
//! key and the API key that it uses. It fetches it with that API key; rotating the one changes the other.

use std::sync::Arc;

use portico_lock_core::command::{Command as Signable, Key, key_id, sign};
use portico_model::commands::Command;
use portico_model::{ApiKeyId, DeviceId, OrganizationId, Timestamp};
use portico_platform::secrets::{hex, keyed_hash};
use portico_platform::{Error, Result, Tx};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::store::{command, key};
use crate::{Devices, Known};

/// A device's signing key and its name.
#[derive(Clone)]
pub struct SigningKey {
    pub id: String,
    pub key: Key,
}

/// What a device is told about checking what it is told.
pub(crate) struct Trust {
    pub signing: SigningKey,
    /// Portico's public key, which signs Bluetooth grants.
    pub grant_key: [u8; 32],
    /// Commands up to this counter are done with.
    pub counter: i64,
    pub now: Timestamp,
}

/// What stands beside a command that is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    pub key_id: String,
    pub signature: String,
}

impl SigningKey {
    fn new(key: Key) -> Self {
        Self { id: String::from_utf8_lossy(&key_id(&key)).into_owned(), key }
    }

    pub(crate) fn prove(&self, command: &Command) -> Proof {
        let (id, args) = (command.id.to_string(), command.args.to_string());
        let signable = Signable {
            id: &id,
            name: &command.name,
            // The same bytes as in the message: both are written from the same value.
            args: args.as_bytes(),
            counter: command.counter.unsigned_abs(),
            issued_at_ms: command.issued_at.millis().unsigned_abs(),
            expires_at_ms: command.expires_at.millis().unsigned_abs(),
        };
        let signature = sign(&self.key, &command.device_id.to_string(), &signable);
        Proof { key_id: self.id.clone(), signature: hex(&signature) }
    }
}

impl Devices {
    fn derive_signing_key(&self, device: DeviceId, api_key: ApiKeyId) -> SigningKey {
        let purpose = self.0.platform.secrets.derive("device signing");
        SigningKey::new(keyed_hash(&purpose, &[device.uuid().as_bytes(), api_key.uuid().as_bytes()]))
    }

    /// The key by which a device knows what Portico says; `None` for one without an API key, which cannot be reached.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signing_key(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Option<SigningKey>> {
        let found = key::find_current(tx, organization, device, self.now()).await?;
        Ok(found.map(|api_key| self.derive_signing_key(device, api_key)))
    }

    /// What signs Bluetooth grants of that organisation.
    ///
    /// # Errors
    /// Never, in practice: every 32 bytes are a key.
    pub fn grant_key(&self, organization: OrganizationId) -> Result<Ed25519KeyPair> {
        let purpose = self.0.platform.secrets.derive("bluetooth grants");
        let seed = keyed_hash(&purpose, &[organization.uuid().as_bytes()]);
        Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::internal("a seed has the wrong length"))
    }

    /// What the device needs to check commands and grants. From now on it is signed to by the API key it came with.
    pub(crate) async fn trust_of(&self, device: &Arc<Known>, api_key: ApiKeyId) -> Result<Trust> {
        use ring::signature::KeyPair as _;
        let now = self.now();
        let mut tx = self.0.platform.db.begin().await?;
        key::touch(&mut tx, api_key, now).await?;
        let counter = command::settled_counter(&mut tx, device.organization, device.id).await?;
        tx.commit().await?;
        let pair = self.grant_key(device.organization)?;
        let grant_key = pair.public_key().as_ref().try_into();
        let grant_key = grant_key.map_err(|_| Error::internal("a public key of another length"))?;
        Ok(Trust { signing: self.derive_signing_key(device.id, api_key), grant_key, counter, now })
    }

    /// What the device gets on its command topic.
    pub(crate) async fn signed_message(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<Value> {
        let mut message = command.message();
        if let Some(key) = self.signing_key(tx, organization, command.device_id).await? {
            let Proof { key_id, signature } = key.prove(command);
            message["key_id"] = json!(key_id);
            message["signature"] = json!(signature);
        }
        Ok(message)
    }
}
