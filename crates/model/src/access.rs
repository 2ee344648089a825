//! Locks, doors, people and what happened at them: the words that all parts of the domain share.

pub mod anomaly;
pub mod code;
pub mod door;
pub mod lock;
pub mod log;
pub mod people;
pub mod policies;
pub mod schedule;
pub mod sync;

use portico_lock_core::decide::{DoorMode as CoreMode, Reason as CoreReason};
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{AccessEventId, CredentialId, DeviceId, DoorId, PersonId, PolicyId, Timestamp};

words! {
    /// Where a bolt is, as far as the lock has said.
    Position {
        Locked = "locked",
        Unlocked = "unlocked",
        /// Told to lock; it has not said that it is done.
        Locking = "locking",
        /// Told to unlock; it has not said that it is done.
        Unlocking = "unlocking",
        /// It tried and could not.
        Jammed = "jammed",
        /// It has not said, or not been heard of for too long.
        Unknown = "unknown",
    }
}

words! {
    /// What a person is trusted with; policies name the levels they let in.
    Level {
        Basic = "basic",
        Admin = "admin",
        Guest = "guest",
    }
}

impl Level {
    /// As in [`portico_lock_core::decide::Rule::levels`].
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::Basic => 1,
            Self::Admin => 2,
            Self::Guest => 4,
        }
    }
}

words! {
    /// How somebody asked to be let in, or who acted.
    Method {
        Rfid = "rfid",
        Pin = "pin",
        Fingerprint = "fingerprint",
        /// A time-bound code for a keypad.
        Code = "code",
        /// A person with an account, on a page or over the REST interface.
        Remote = "remote",
        /// A signed grant over Bluetooth, without network.
        Bluetooth = "bluetooth",
        /// The door or the lock itself, or Portico.
        System = "system",
        /// Something else that a reader of an older system said.
        Other = "other",
    }
}

words! {
    /// What kind of thing happened at a door.
    AccessKind {
        /// Somebody asked to get in (or out); `granted` and `reason` say how it ended.
        Request = "request",
        DoorOpened = "door_opened",
        DoorClosed = "door_closed",
        /// Open although nobody was let in.
        ForcedOpen = "forced_open",
        HeldOpen = "held_open",
        ModeChanged = "mode_changed",
        Enrolled = "enrolled",
    }
}

words! {
    /// How a door works at the moment.
    DoorMode {
        /// Policies decide.
        Normal = "normal",
        /// Nobody gets in but whom a policy lets in during a lockdown; leaving stays free.
        Lockdown = "lockdown",
        /// Unlocked so that everyone can leave.
        Evacuation = "evacuation",
        /// Unlocked for everyone.
        Unlocked = "unlocked",
    }
}

impl From<DoorMode> for CoreMode {
    fn from(mode: DoorMode) -> Self {
        match mode {
            DoorMode::Normal => Self::Normal,
            DoorMode::Lockdown => Self::Lockdown,
            DoorMode::Evacuation => Self::Evacuation,
            DoorMode::Unlocked => Self::Unlocked,
        }
    }
}

words! {
    /// Why somebody was let in or not.
    AccessReason {
        Granted = "granted",
        /// Let in although he seems to be inside already.
        GrantedDespitePassback = "granted_despite_passback",
        Evacuation = "evacuation",
        Unlocked = "unlocked",
        UnknownCredential = "unknown_credential",
        InactivePerson = "inactive_person",
        CredentialNotYetValid = "credential_not_yet_valid",
        CredentialExpired = "credential_expired",
        UsedUp = "used_up",
        Lockdown = "lockdown",
        NoPolicy = "no_policy",
        LevelTooLow = "level_too_low",
        PolicyNotValid = "policy_not_valid",
        OutOfHours = "out_of_hours",
        AntiPassback = "anti_passback",
        /// The reader belongs to no door.
        NoDoor = "no_door",
        /// Too many wrong tries at this reader; wait.
        TooManyTries = "too_many_tries",
        /// Portico or the reader could not decide: nobody gets in, and only who leaves is free.
        Unavailable = "unavailable",
    }
}

impl From<CoreReason> for AccessReason {
    fn from(reason: CoreReason) -> Self {
        match reason {
            CoreReason::Granted => Self::Granted,
            CoreReason::GrantedDespitePassback => Self::GrantedDespitePassback,
            CoreReason::Evacuation => Self::Evacuation,
            CoreReason::Unlocked => Self::Unlocked,
            CoreReason::UnknownCredential => Self::UnknownCredential,
            CoreReason::InactivePerson => Self::InactivePerson,
            CoreReason::CredentialNotYetValid => Self::CredentialNotYetValid,
            CoreReason::CredentialExpired => Self::CredentialExpired,
            CoreReason::UsedUp => Self::UsedUp,
            CoreReason::Lockdown => Self::Lockdown,
            CoreReason::NoPolicy => Self::NoPolicy,
            CoreReason::LevelTooLow => Self::LevelTooLow,
            CoreReason::PolicyNotValid => Self::PolicyNotValid,
            CoreReason::OutOfHours => Self::OutOfHours,
            CoreReason::AntiPassback => Self::AntiPassback,
        }
    }
}

impl AccessReason {
    /// One sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Granted => "A policy lets this person in.",
            Self::GrantedDespitePassback => "Let in, but seems to be inside already.",
            Self::Evacuation => "The door is unlocked so that everyone can leave.",
            Self::Unlocked => "The door is unlocked for everyone.",
            Self::UnknownCredential => "Nobody has this card, code or finger.",
            Self::InactivePerson => "This person is deactivated.",
            Self::CredentialNotYetValid => "The card, code or finger is not valid yet.",
            Self::CredentialExpired => "The card, code or finger has expired or is blocked.",
            Self::UsedUp => "The code has been used as often as it may be.",
            Self::Lockdown => "The door is locked down.",
            Self::NoPolicy => "No policy lets this person through this door.",
            Self::LevelTooLow => "The policies for this door do not let in this person's level.",
            Self::PolicyNotValid => "The policy for this person and door is not valid now.",
            Self::OutOfHours => "The policy for this person and door does not cover this hour.",
            Self::AntiPassback => "This person is inside already and has not left.",
            Self::NoDoor => "This reader belongs to no door.",
            Self::TooManyTries => "Too many wrong tries at this reader.",
            Self::Unavailable => "It could not be decided: nobody gets in, and only leaving is free.",
        }
    }
}

/// Something that happened at a door. Names are kept as they were then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000e1", "at": "2026-11-21T02:00:00.000+00:00",
    "received_at": "2026-11-21T02:00:00.012+00:00", "kind": "request",
    "door_id": "0199a0000000700080000000000000d1", "door_name": "Main entrance",
    "reader_id": "0199a0000000700080000000000000ab", "person_id": "0199a0000000700080000000000000f1",
    "person_name": "Ann Archer", "credential_id": "0199a0000000700080000000000000c1", "credential_hint": "…C3D4",
    "method": "rfid", "granted": false, "reason": "out_of_hours", "policy_id": null, "policy_name": "Office hours",
    "leaving": false, "is_offline": false, "is_untrusted": false, "note": "", "score": 0.71,
    "score_reasons": ["An unusual hour for this person"], "is_anomaly": true, "is_false_alarm": false
})))]
pub struct AccessEvent {
    pub id: AccessEventId,
    /// When it happened.
    pub at: Timestamp,
    /// When Portico heard of it; later than `at` when the reader had no network.
    pub received_at: Timestamp,
    pub kind: AccessKind,
    pub door_id: Option<DoorId>,
    pub door_name: String,
    pub reader_id: Option<DeviceId>,
    pub person_id: Option<PersonId>,
    /// Empty when nobody is known.
    pub person_name: String,
    pub credential_id: Option<CredentialId>,
    /// The end of a card's number, or the slot of a finger.
    pub credential_hint: String,
    pub method: Method,
    /// Absent when nobody asked for anything.
    pub granted: Option<bool>,
    /// One of `AccessReason`; empty when nobody asked for anything.
    pub reason: String,
    /// The policy that let in, or came closest.
    pub policy_id: Option<PolicyId>,
    pub policy_name: String,
    /// At the reader on the inside.
    pub leaving: bool,
    /// The reader decided by itself, without network.
    pub is_offline: bool,
    /// It came over a bridge for older firmware, which proves nothing of who sent it.
    pub is_untrusted: bool,
    pub note: String,
    /// How unusual it is, 0 to 1; absent while nothing has been learned.
    pub score: Option<f64>,
    pub score_reasons: Vec<String>,
    pub is_anomaly: bool,
    /// A person has said that there was nothing to it.
    pub is_false_alarm: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for reason in AccessReason::ALL {
            assert_eq!(AccessReason::parse(reason.as_str()), Some(*reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        for position in Position::ALL {
            assert_eq!(Position::parse(position.as_str()), Some(*position));
        }
        assert_eq!(Method::parse("telepathy"), None);
    }
}
