//! People who come through doors, what they show there, and how cards and fingers are enrolled.

use serde::{Deserialize, Serialize};

use super::{Level, words};
use crate::{CredentialId, DeviceId, EnrolmentId, PersonGroupId, PersonId, Timestamp, UserId};

/// Seconds in which a card or finger must be shown once its enrolment has begun.
pub const ENROLMENT_S: i64 = 60;

/// A person who comes through doors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "number": 7, "name": "Ann Archer", "employee_id": "E-1007",
    "email": "ann@example.com", "user_id": null, "user_name": null, "level": "basic", "is_active": true,
    "credential_count": 2, "last_access_at": null, "created_at": "2026-11-21T02:00:00.000+00:00",
    "updated_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Person {
    pub id: PersonId,
    /// What existing readers know the person by.
    pub number: i64,
    pub name: String,
    pub employee_id: Option<String>,
    pub email: Option<String>,
    /// The account this person signs in with.
    pub user_id: Option<UserId>,
    pub user_name: Option<String>,
    pub level: Level,
    /// False: no door opens.
    pub is_active: bool,
    pub credential_count: i64,
    pub last_access_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A person as he shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Ann Archer", "employee_id": "E-1007", "email": "ann@example.com", "user_id": null, "level": "basic",
    "is_active": true
})))]
pub struct PersonInput {
    /// 1 to 100 characters.
    pub name: String,
    /// Up to 50 characters; nobody else has the same.
    #[serde(default)]
    pub employee_id: Option<String>,
    /// Up to 254 characters.
    #[serde(default)]
    pub email: Option<String>,
    /// The account this person signs in with.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Absent: basic.
    #[serde(default = "basic")]
    pub level: Level,
    /// Absent: true.
    #[serde(default = "yes")]
    pub is_active: bool,
}

const fn basic() -> Level {
    Level::Basic
}

const fn yes() -> bool {
    true
}

impl Default for PersonInput {
    fn default() -> Self {
        Self { name: String::new(), employee_id: None, email: None, user_id: None, level: basic(), is_active: yes() }
    }
}

/// A person with all that belongs to him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct PersonDetail {
    pub person: Person,
    /// The newest first.
    pub credentials: Vec<Credential>,
    /// By name.
    pub groups: Vec<PersonGroup>,
    /// The newest first, at most five.
    pub enrolments: Vec<Enrolment>,
}

/// People who are let in together, and whom locks are shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Night shift", "description": "Ten to six", "member_count": 12,
    "created_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct PersonGroup {
    pub id: PersonGroupId,
    pub name: String,
    pub description: String,
    pub member_count: i64,
    pub created_at: Timestamp,
}

/// A group of people as it shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Night shift", "description": "Ten to six"})))]
pub struct PersonGroupInput {
    /// 1 to 100 characters; unique.
    pub name: String,
    /// Up to 500 characters.
    #[serde(default)]
    pub description: String,
}

words! {
    /// What a person shows at a door.
    CredentialKind {
        Rfid = "rfid",
        Pin = "pin",
        Fingerprint = "fingerprint",
    }
}

impl CredentialKind {
    /// One word for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rfid => "Card",
            Self::Pin => "PIN",
            Self::Fingerprint => "Finger",
        }
    }
}

/// A card, a PIN or a finger. What it is is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "person_id": "0193a0000000700080000000000000ab", "kind": "rfid",
    "hint": "…C3D4", "reader_id": null, "reader_name": null, "is_active": true, "valid_from": null,
    "valid_until": "2027-11-21T02:00:00.000+00:00", "last_used_at": null, "created_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Credential {
    pub id: CredentialId,
    pub person_id: PersonId,
    pub kind: CredentialKind,
    /// The end of a card's number, or the slot of a finger.
    pub hint: String,
    /// The reader whose sensor knows the finger.
    pub reader_id: Option<DeviceId>,
    pub reader_name: Option<String>,
    /// False: blocked.
    pub is_active: bool,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A new card, PIN or finger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "kind": "rfid", "value": "A1B2C3D4", "reader_id": null, "valid_from": null,
    "valid_until": "2027-11-21T02:00:00.000+00:00"
})))]
pub struct NewCredential {
    pub kind: CredentialKind,
    /// A card's number, with or without separators; 4 to 8 digits; the slot of a finger, 1 to 1,000. Absent for a PIN: one
    /// is made up.
    #[serde(default)]
    pub value: Option<String>,
    /// For a finger: the reader whose sensor knows it; absent: all sensors know it.
    #[serde(default)]
    pub reader_id: Option<DeviceId>,
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_from: Option<Timestamp>,
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_until: Option<Timestamp>,
}

/// A credential that was made; a PIN is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct MadeCredential {
    pub credential: Credential,
    #[cfg_attr(feature = "server", schema(example = "482913"))]
    pub pin: Option<String>,
}

/// How long a credential counts, as it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "is_active": false, "valid_from": null, "valid_until": "2027-11-21T02:00:00.000+00:00"
})))]
pub struct CredentialValidity {
    /// False: blocked.
    pub is_active: bool,
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_from: Option<Timestamp>,
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_until: Option<Timestamp>,
}

words! {
    /// What a reader is to enrol.
    EnrolmentMode {
        /// Whatever is shown first.
        Any = "any",
        Rfid = "rfid",
        Fingerprint = "fingerprint",
    }
}

impl EnrolmentMode {
    #[must_use]
    pub const fn takes(self, kind: CredentialKind) -> bool {
        matches!(
            (self, kind),
            (Self::Any | Self::Rfid, CredentialKind::Rfid)
                | (Self::Any | Self::Fingerprint, CredentialKind::Fingerprint)
        )
    }
}

words! {
    /// How far an enrolment is.
    EnrolmentState {
        Waiting = "waiting",
        Done = "done",
        Cancelled = "cancelled",
        /// Nothing was shown in time.
        Expired = "expired",
        /// The reader could not; `error` says why.
        Failed = "failed",
    }
}

/// A card or a finger being enrolled at a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "reader_id": "0193a0000000700080000000000000ab",
    "reader_name": "Main entrance reader", "person_id": "0193a0000000700080000000000000ab",
    "person_name": "Ann Archer", "mode": "rfid", "state": "waiting", "started_by": "user:john_doe",
    "started_at": "2026-11-21T02:00:00.000+00:00", "expires_at": "2026-11-21T02:01:00.000+00:00", "finished_at": null,
    "credential_id": null, "error": ""
})))]
pub struct Enrolment {
    pub id: EnrolmentId,
    pub reader_id: DeviceId,
    pub reader_name: String,
    pub person_id: PersonId,
    pub person_name: String,
    pub mode: EnrolmentMode,
    pub state: EnrolmentState,
    pub started_by: String,
    pub started_at: Timestamp,
    pub expires_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub credential_id: Option<CredentialId>,
    /// Why it failed.
    pub error: String,
}

/// What to enrol, for whom, where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "reader": "0193a0000000700080000000000000ab", "person_id": "0193a0000000700080000000000000ab", "mode": "rfid"
})))]
pub struct NewEnrolment {
    /// Id or hardware id of the reader.
    pub reader: String,
    pub person_id: PersonId,
    pub mode: EnrolmentMode,
}

/// A reader that can enrol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Main entrance reader", "door_name": "Main entrance"
})))]
pub struct ReaderName {
    pub id: DeviceId,
    pub name: String,
    /// The door it belongs to.
    pub door_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_never_enrolled_at_a_reader() {
        for mode in EnrolmentMode::ALL {
            assert!(!mode.takes(CredentialKind::Pin));
        }
        assert!(
            EnrolmentMode::Any.takes(CredentialKind::Fingerprint)
                && !EnrolmentMode::Rfid.takes(CredentialKind::Fingerprint)
        );
    }
}
