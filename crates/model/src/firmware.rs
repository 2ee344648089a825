//! Firmware: images that a publisher has signed, and their roll-out to devices in stages. What is signed binds the
//! content to its type and version, so that nobody can pass an old image off as a new one.

mod rollout;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{FirmwareId, PublisherKeyId, Timestamp};

pub use rollout::{
    Decision, DeviceUpdate, Facts, NewRollout, Rollout, RolloutCounts, RolloutState, Selection, UpdateReport,
    UpdateState, decide, parse_update_report, stage_of,
};

/// The command that tells a device of an image.
pub const UPDATE_COMMAND: &str = "firmware_update";

/// The first line of what is signed; another form gets another number.
const SIGNED_FORM: &str = "portico firmware 1";

/// What the publisher signs (Ed25519) and a device verifies before it installs an image.
#[must_use]
pub fn signed_text(device_type: &str, version: &str, size_bytes: i64, sha256: &str) -> String {
    format!("{SIGNED_FORM}\ntype: {device_type}\nversion: {version}\nsize: {size_bytes}\nsha256: {sha256}\n")
}

/// Whether `left` comes before, after or with `right` (Semantic Versioning 2.0.0, section 11; what is behind a `+`
/// does not count). `None` when one of them is no such version.
#[must_use]
pub fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (semver::Version::parse(left.trim()).ok()?, semver::Version::parse(right.trim()).ok()?);
    Some(left.cmp_precedence(&right))
}

/// Whether the text is a version that can be ordered.
#[must_use]
pub fn is_version(text: &str) -> bool {
    text.len() <= MAX_VERSION_CHARS && semver::Version::parse(text).is_ok()
}

/// As long as a device's own version may be.
pub const MAX_VERSION_CHARS: usize = 20;

/// Bytes from hexadecimal digits, of exactly that many bytes.
#[must_use]
pub fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let value = digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?;
        *byte = u8::try_from(value).ok()?;
    }
    Some(bytes)
}

/// Whose signature makes an image good. The secret half never comes here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000d1", "name": "Build server",
    "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "created_by": "ada",
    "created_at": "2026-11-21T02:00:00.000+00:00", "revoked_at": null
})))]
pub struct PublisherKey {
    pub id: PublisherKeyId,
    pub name: String,
    /// Ed25519, 64 hexadecimal digits.
    pub public_key: String,
    pub created_by: String,
    pub created_at: Timestamp,
    /// From then on it makes no new image good.
    pub revoked_at: Option<Timestamp>,
}

/// A publisher's key to be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Build server", "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
})))]
pub struct NewPublisherKey {
    /// 1 to 100 characters.
    #[cfg_attr(feature = "server", schema(min_length = 1, max_length = 100))]
    pub name: String,
    /// Ed25519, 64 hexadecimal digits.
    #[cfg_attr(feature = "server", schema(pattern = "^[0-9a-fA-F]{64}$"))]
    pub public_key: String,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000f1", "device_type": "thermometer", "version": "1.4.0",
    "notes": "Steadier radio", "size_bytes": 524_288,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "signature": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    "key_id": "0199a0000000700080000000000000d1", "key_name": "Build server", "created_by": "ada",
    "created_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Firmware {
    pub id: FirmwareId,
    /// The type of device it is for.
    pub device_type: String,
    /// Semantic version.
    pub version: String,
    pub notes: String,
    pub size_bytes: i64,
    /// Of the image, 64 hexadecimal digits.
    pub sha256: String,
    /// Ed25519, 128 hexadecimal digits.
    pub signature: String,
    /// Whose signature it is.
    pub key_id: PublisherKeyId,
    pub key_name: String,
    pub created_by: String,
    pub created_at: Timestamp,
}

impl Firmware {
    /// What the signature is over.
    #[must_use]
    pub fn signed_text(&self) -> String {
        signed_text(&self.device_type, &self.version, self.size_bytes, &self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_semver_says() {
        // SemVer 2.0.0, section 11.
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.1.0",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(compare_versions(pair[0], pair[1]), Some(Ordering::Less), "{pair:?}");
        }
        assert_eq!(compare_versions("1.0.0+a", "1.0.0+b"), Some(Ordering::Equal));
        assert_eq!(compare_versions("10.0.0", "9.0.0"), Some(Ordering::Greater));
        for text in ["", "1.0", "v1.0.0", "build 7"] {
            assert_eq!(compare_versions(text, "1.0.0"), None, "{text}");
            assert!(!is_version(text));
        }
    }

    #[test]
    fn hexadecimal_digits_are_read_in_full_or_not_at_all() {
        assert_eq!(parse_hex::<2>("0aFf"), Some([10, 255]));
        for text in ["", "0aff0", "0aff00", "0ag0", "+1+1", "äa"] {
            assert_eq!(parse_hex::<2>(text), None, "{text}");
        }
    }

    #[test]
    fn signed_text_is_what_publishers_sign() {
        assert_eq!(
            signed_text("lock", "1.2.3", 5, "ab"),
            "portico firmware 1\ntype: lock\nversion: 1.2.3\nsize: 5\nsha256: ab\n"
        );
    }
}
