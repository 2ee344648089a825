//! The demo's own publisher: its devices trust it, and there is an image to roll out to them.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use axum::body::Bytes;
use portico_devices::NewFirmware;
use portico_model::OrganizationId;
use portico_model::firmware::{NewPublisherKey, signed_text};
use portico_platform::Actor;
use portico_platform::secrets::hex;
use portico_simulator::Kind;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::write_private;
use crate::commands::described;
use crate::serve::Portico;

/// Newer than what any simulated device leaves the factory with.
const VERSION: &str = "2.1.0";
const IMAGE_BYTES: usize = 256 * 1024;

pub struct Publisher(Ed25519KeyPair);

impl Publisher {
    /// The publisher of this demo; made at its first start.
    pub fn open(file: &Path) -> Result<Self> {
        let pkcs8 = match fs::read(file) {
            Ok(pkcs8) => pkcs8,
            Err(_) => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                    .map_err(|_| anyhow!("no random numbers for the demo publisher's key"))?;
                write_private(file, made.as_ref())?;
                made.as_ref().to_vec()
            }
        };
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| anyhow!("{} holds no key", file.display()))?;
        Ok(Self(pair))
    }

    pub fn public_key(&self) -> Result<[u8; 32]> {
        self.0.public_key().as_ref().try_into().context("a public key of another length")
    }

    /// Trusts the publisher and uploads an image for the room sensors.
    pub async fn publish(&self, portico: &Portico, organization: OrganizationId) -> Result<()> {
        let actor = Actor::system(organization);
        let key = NewPublisherKey { name: "Demo publisher".to_owned(), public_key: hex(&self.public_key()?) };
        portico.devices.add_publisher_key(&actor, key).await.map_err(described)?;
        let image = Bytes::from(vec![0x5a; IMAGE_BYTES]);
        let device_type = Kind::RoomClimate.device_type();
        let sum = hex(digest(&SHA256, &image).as_ref());
        let text = signed_text(device_type, VERSION, i64::try_from(IMAGE_BYTES)?, &sum);
        let new = NewFirmware {
            device_type: device_type.to_owned(),
            version: VERSION.to_owned(),
            notes: "Steadier radio, less power. Roll it out: the simulated sensors fetch, check and install it."
                .to_owned(),
            signature: hex(self.0.sign(text.as_bytes()).as_ref()),
        };
        let pieces = futures::stream::iter([Ok::<_, Infallible>(image)]);
        portico.devices.upload_firmware(&actor, new, pieces).await.map_err(described)?;
        Ok(())
    }
}
