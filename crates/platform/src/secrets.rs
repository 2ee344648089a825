//! The instance key, from which every other key is derived. It lives beside the database, not in it, so that who can
//! edit the database cannot forge the audit chain or a session.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
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

impl Secrets {
    /// Encrypts what must be read again (AES-256-GCM under the key of the purpose; a random nonce stands in front).
    /// What is sealed for one `context` (such as the row's id) does not open for another.
    ///
    /// # Errors
    /// Never, in practice: when the system has no random numbers.
    pub fn seal(&self, purpose: &str, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = plain.to_vec();
        self.cipher(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|_| Error::internal("sealing a secret failed"))?;
        sealed.splice(0..0, nonce);
        Ok(sealed)
    }

    /// Decrypts what [`Secrets::seal`] made.
    ///
    /// # Errors
    /// When it was changed, or sealed for another purpose, context or instance key.
    pub fn open(&self, purpose: &str, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let failed = || Error::internal("a sealed secret does not open: another instance key, or it was changed");
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        let mut text = text.to_vec();
        let plain = self
            .cipher(purpose)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
            .map_err(|_| failed())?
            .len();
        text.truncate(plain);
        Ok(text)
    }

    fn cipher(&self, purpose: &str) -> Result<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.derive(purpose))
            .map(LessSafeKey::new)
            .map_err(|_| Error::internal("a derived key has the wrong length"))
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
    fn sealed_secret_opens_only_for_its_purpose_and_context() {
        let secrets = Secrets::from_key([7; 32]);
        let mut sealed = secrets.seal("mail", b"row 1", b"token").unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert_eq!(secrets.open("mail", b"row 1", &sealed).unwrap(), b"token");
        assert!(secrets.open("mail", b"row 2", &sealed).is_err());
        assert!(secrets.open("totp", b"row 1", &sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(secrets.open("mail", b"row 1", &sealed).is_err());
        assert!(secrets.open("mail", b"row 1", b"short").is_err());
    }

    #[test]
    fn parts_cannot_be_shifted() {
        assert_ne!(keyed_hash(&[0; 32], &[b"ab", b"c"]), keyed_hash(&[0; 32], &[b"a", b"bc"]));
    }
}
