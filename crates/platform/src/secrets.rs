//! The instance key, from which every other key is derived. It lives beside the database, not in it, so that who can
//! edit the database cannot forge the audit chain or a session.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::config::Config;
use crate::error::{Error, Result};

/// Keys for one purpose each, all derived from the instance key.
#[derive(Clone)]
pub struct Secrets(Arc<[u8; 32]>);

impl Secrets {
    /// Reads the key from the configuration (`instance_key`) or from `instance.key` in the data directory, making that
    /// file at the first start.
    ///
    /// # Errors
    /// When the key is malformed or the file cannot be read or written.
    pub fn load(config: &Config) -> Result<Self> {
        if let Some(key) = &config.instance_key {
            return parse(key.expose_secret()).map(Self::from_key);
        }
        let path = config.data_dir.join("instance.key");
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(Error::internal)?;
            return parse(text.trim()).map(Self::from_key);
        }
        let mut key = [0_u8; 32];
        rand::rng().fill_bytes(&mut key);
        fs::create_dir_all(&config.data_dir).map_err(Error::internal)?;
        write_private(&path, &hex(&key)).map_err(Error::internal)?;
        Ok(Self::from_key(key))
    }

    #[must_use]
    pub fn from_key(key: [u8; 32]) -> Self {
        Self(Arc::new(key))
    }

    /// The key for one purpose: HMAC-SHA-256 of the purpose under the instance key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        keyed_hash(&self.0, &[purpose.as_bytes()])
    }
}

/// HMAC-SHA-256 over length-prefixed parts, so that no two lists of parts give the same input.
#[must_use]
pub fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC fills a short key up with zeros to the block's size (RFC 2104, section 2).
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Lowercase hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn parse(text: &str) -> Result<[u8; 32]> {
    let malformed = || Error::invalid("bad_instance_key", "the instance key must be 64 hexadecimal characters");
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !bytes.is_ascii() {
        return Err(malformed());
    }
    let mut key = [0_u8; 32];
    for (byte, pair) in key.iter_mut().zip(bytes.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    Ok(key)
}

/// Writes a file only its owner can read; fails when it exists.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_give_different_keys() {
        let secrets = Secrets::from_key([7; 32]);
        assert_ne!(secrets.derive("audit"), secrets.derive("session"));
    }

    #[test]
    fn parts_cannot_be_shifted() {
        assert_ne!(keyed_hash(&[0; 32], &[b"ab", b"c"]), keyed_hash(&[0; 32], &[b"a", b"bc"]));
    }
}
