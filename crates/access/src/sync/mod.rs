//! What readers know without network, and what they decided by themselves.

use portico_model::DeviceId;
use portico_platform::Platform;
use portico_platform::secrets::keyed_hash;

/// Bytes of what an entry is found by.
pub const LOOKUP_BYTES: usize = 16;

/// The key with which one device hashes what it is shown. It is the device's own, so that what one reader holds finds
/// nothing at another; the device is told it over its own authenticated connection.
pub fn lookup_key(platform: &Platform, device: DeviceId) -> [u8; 32] {
    keyed_hash(&platform.secrets.derive("access reader lookup"), &[device.uuid().as_bytes()])
}

/// What a device looks for when it is shown this: the first 16 bytes of HMAC-SHA-256 under its key, over the method and what
/// was shown, each after its length as 8 bytes, the highest first.
pub fn lookup(key: &[u8; 32], method: &str, shown: &[u8]) -> [u8; LOOKUP_BYTES] {
    let mut short = [0; LOOKUP_BYTES];
    short.copy_from_slice(&keyed_hash(key, &[method.as_bytes(), shown])[..LOOKUP_BYTES]);
    short
}
