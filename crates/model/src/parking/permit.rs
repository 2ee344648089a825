//! Rights to park without reserving: of staff, tenants, season tickets.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{LotId, PermitId, Timestamp, UserId};

words! {
    /// Whether a permit holds.
    PermitState {
        /// It begins later.
        Upcoming = "upcoming",
        Valid = "valid",
        Ended = "ended",
        Revoked = "revoked",
    }
}

/// Somebody's right to park in a lot, or in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = ParkingPermit))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a9", "lot_id": "0199a0000000700080000000000000a2", "lot_name": "Main garage",
    "time_zone": "Europe/Berlin", "user_id": null, "holder": "Dora Driver", "plate": "B AB 123", "label": "Staff",
    "valid_from": "2026-11-01T00:00:00.000+00:00", "valid_until": "2027-11-01T00:00:00.000+00:00", "revoked_at": null,
    "state": "valid", "created_at": "2026-10-28T09:00:00.000+00:00", "updated_at": "2026-10-28T09:00:00.000+00:00"
})))]
pub struct Permit {
    pub id: PermitId,
    /// Absent: every lot of the organisation.
    pub lot_id: Option<LotId>,
    /// Absent as `lot_id`.
    pub lot_name: Option<String>,
    /// Of the lot, or else of the organisation.
    pub time_zone: String,
    /// The account whose it is.
    pub user_id: Option<UserId>,
    /// In words: a name, a firm.
    pub holder: String,
    /// Of the vehicle that it is for; empty: the one that comes with it.
    pub plate: String,
    /// What it is, in words: "Staff", "Season ticket".
    pub label: String,
    pub valid_from: Timestamp,
    /// This moment no longer counts; absent: without end.
    pub valid_until: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub state: PermitState,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Permit {
    /// Whether it holds at this moment.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> PermitState {
        if self.revoked_at.is_some_and(|at| at <= now) {
            PermitState::Revoked
        } else if self.valid_until.is_some_and(|until| until <= now) {
            PermitState::Ended
        } else if self.valid_from > now {
            PermitState::Upcoming
        } else {
            PermitState::Valid
        }
    }
}

/// What people say of a new permit: whose it is (`user`) or for which vehicle (`plate`), or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "lot_id": null, "user": "", "holder": "Dora Driver", "plate": "B AB 123", "label": "Staff",
    "valid_from": "2026-11-01T00:00", "valid_until": "2027-11-01T00:00"
})))]
pub struct NewPermit {
    /// Absent: every lot of the organisation.
    pub lot_id: Option<LotId>,
    /// User name, e-mail address or id of an account; or empty.
    pub user: String,
    /// At most 100 characters; empty: the user name.
    pub holder: String,
    /// At most 20 characters.
    pub plate: String,
    /// At most 100 characters.
    pub label: String,
    /// ISO 8601; without an offset by the clock of the lot, or else of the organisation. Empty: from now on.
    pub valid_from: String,
    /// As `valid_from`; empty: without end.
    pub valid_until: String,
}

/// From when until when a permit holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "valid_from": "2026-11-01T00:00", "valid_until": "2027-11-01T00:00"
})))]
pub struct PermitValidity {
    /// ISO 8601; without an offset by the clock of the lot, or else of the organisation. Empty: as it is.
    pub valid_from: String,
    /// As `valid_from`; empty: without end.
    pub valid_until: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permit_holds_from_its_beginning_until_just_before_its_end() {
        let at = Timestamp::from_millis;
        let permit = Permit {
            id: PermitId::nil(),
            lot_id: None,
            lot_name: None,
            time_zone: "UTC".into(),
            user_id: None,
            holder: String::new(),
            plate: "B AB 123".into(),
            label: String::new(),
            valid_from: at(10),
            valid_until: Some(at(20)),
            revoked_at: None,
            state: PermitState::Valid,
            created_at: at(0),
            updated_at: at(0),
        };
        let states = [9, 10, 19, 20].map(|now| permit.state_at(at(now)));
        assert_eq!(states, [PermitState::Upcoming, PermitState::Valid, PermitState::Valid, PermitState::Ended]);
        let revoked = Permit { revoked_at: Some(at(15)), ..permit };
        assert_eq!([revoked.state_at(at(14)), revoked.state_at(at(15))], [PermitState::Valid, PermitState::Revoked]);
    }
}
