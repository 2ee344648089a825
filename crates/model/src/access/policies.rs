//! Who may go where and when, as people write it.

use serde::{Deserialize, Serialize};

use super::schedule::Hours;
use super::{DoorMode, Level, words};
use crate::{CredentialId, DoorGroupId, DoorId, HolidayId, PersonGroupId, PersonId, PolicyId, ScheduleId, Timestamp};

/// Weekly hours with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessSchedule, example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Office hours",
    "windows": [{"days": [0, 1, 2, 3, 4], "from": "08:00", "until": "18:00"}], "policy_count": 2,
    "created_at": "2026-11-21T02:00:00.000+00:00", "updated_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Schedule {
    pub id: ScheduleId,
    pub name: String,
    pub windows: Vec<Hours>,
    /// Policies that use it.
    pub policy_count: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A schedule as it shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessScheduleInput, example = json!({
    "name": "Office hours", "windows": [{"days": [0, 1, 2, 3, 4], "from": "08:00", "until": "18:00"}]
})))]
pub struct ScheduleInput {
    /// 1 to 100 characters; unique.
    pub name: String,
    /// At most 50; without any the schedule never opens.
    pub windows: Vec<Hours>,
}

/// A day on which only the holiday windows of schedules count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0193a0000000700080000000000000ab", "date": "2026-12-25", "name": "Christmas Day"
})))]
pub struct Holiday {
    pub id: HolidayId,
    /// In the building's calendar.
    pub date: String,
    pub name: String,
}

/// A new holiday.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"date": "2026-12-25", "name": "Christmas Day"})))]
pub struct NewHoliday {
    /// As `2026-12-25`.
    pub date: String,
    /// 1 to 100 characters.
    pub name: String,
}

/// Who may go where and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessPolicy, example = json!({
    "id": "0193a0000000700080000000000000ab", "name": "Staff in office hours", "person_id": null,
    "person_group_id": "0193a0000000700080000000000000ab", "door_id": null, "door_group_id": null,
    "schedule_id": "0193a0000000700080000000000000ab", "levels": ["basic", "admin"], "valid_from": null,
    "valid_until": null, "in_lockdown": false, "is_active": true, "who": "Staff", "where": "All doors",
    "when": "Office hours", "created_at": "2026-11-21T02:00:00.000+00:00",
    "updated_at": "2026-11-21T02:00:00.000+00:00"
})))]
pub struct Policy {
    pub id: PolicyId,
    #[serde(flatten)]
    pub terms: PolicyInput,
    /// In words: a person, a group, or everyone.
    pub who: String,
    /// In words: a door, a group, or all doors.
    #[serde(rename = "where")]
    pub doors: String,
    /// In words: a schedule, or at any time.
    pub when: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A policy as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessPolicyInput, example = json!({
    "name": "Staff in office hours", "person_group_id": null, "door_id": null, "schedule_id": null,
    "levels": ["basic", "admin"], "valid_from": null, "valid_until": null, "in_lockdown": false, "is_active": true
})))]
pub struct PolicyInput {
    /// 1 to 100 characters.
    pub name: String,
    /// With neither this nor a group: everyone.
    #[serde(default)]
    pub person_id: Option<PersonId>,
    #[serde(default)]
    pub person_group_id: Option<PersonGroupId>,
    /// With neither this nor a group: all doors.
    #[serde(default)]
    pub door_id: Option<DoorId>,
    #[serde(default)]
    pub door_group_id: Option<DoorGroupId>,
    /// Absent: at any time.
    #[serde(default)]
    pub schedule_id: Option<ScheduleId>,
    /// Whom it lets in; absent: all levels.
    #[serde(default = "all_levels")]
    pub levels: Vec<Level>,
    /// From this moment.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_from: Option<Timestamp>,
    /// Until this moment, when it no longer counts.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub valid_until: Option<Timestamp>,
    /// Also during a lockdown.
    #[serde(default)]
    pub in_lockdown: bool,
    /// Absent: true.
    #[serde(default = "yes")]
    pub is_active: bool,
}

fn all_levels() -> Vec<Level> {
    Level::ALL.to_vec()
}

const fn yes() -> bool {
    true
}

/// "Would this person get in at this door, then, and why?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessTest, example = json!({
    "person_id": "0193a0000000700080000000000000ab", "door_id": "0193a0000000700080000000000000ab",
    "at": "2026-11-23T08:30:00.000+00:00", "leaving": false
})))]
pub struct AccessQuestion {
    pub person_id: PersonId,
    pub door_id: DoorId,
    /// Absent: now.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(value_type = Option<String>, format = DateTime))]
    pub at: Option<Timestamp>,
    /// With this card, PIN or finger of the person; absent: with one that counts.
    #[serde(default)]
    pub credential_id: Option<CredentialId>,
    /// How the door works then; absent: as it does now.
    #[serde(default)]
    pub mode: Option<DoorMode>,
    /// At the reader on the inside.
    #[serde(default)]
    pub leaving: bool,
}

words! {
    /// What a policy has to say to a question.
    PolicyVerdict {
        LetsIn = "lets_in",
        OtherPerson = "other_person",
        OtherDoor = "other_door",
        Inactive = "inactive",
        LevelTooLow = "level_too_low",
        NotValid = "not_valid",
        OutOfHours = "out_of_hours",
        NotInLockdown = "not_in_lockdown",
    }
}

impl PolicyVerdict {
    /// One sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LetsIn => "Lets in.",
            Self::OtherPerson => "Is for other people.",
            Self::OtherDoor => "Is for other doors.",
            Self::Inactive => "Is switched off.",
            Self::LevelTooLow => "Does not let in this person's level.",
            Self::NotValid => "Is not valid then.",
            Self::OutOfHours => "Does not cover that hour.",
            Self::NotInLockdown => "Does not count during a lockdown.",
        }
    }
}

/// What one policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "policy_id": "0193a0000000700080000000000000ab", "policy_name": "Staff in office hours", "verdict": "out_of_hours",
    "sentence": "Does not cover that hour."
})))]
pub struct PolicyOpinion {
    pub policy_id: PolicyId,
    pub policy_name: String,
    pub verdict: PolicyVerdict,
    pub sentence: String,
}

/// The answer, with what every policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = AccessTestAnswer, example = json!({
    "granted": false, "reason": "out_of_hours",
    "sentence": "The policy for this person and door does not cover this hour.", "person_name": "Ann Archer",
    "door_name": "Main entrance", "at": "2026-11-23T20:30:00.000+00:00", "local_time": "2026-11-23 21:30",
    "is_holiday": false, "mode": "normal", "policy_id": null, "policy_name": "", "policies": []
})))]
pub struct AccessAnswer {
    pub granted: bool,
    /// One of `AccessReason`.
    pub reason: String,
    pub sentence: String,
    pub person_name: String,
    pub door_name: String,
    pub at: Timestamp,
    /// On the clock of the building.
    pub local_time: String,
    pub is_holiday: bool,
    pub mode: DoorMode,
    /// The policy that lets in, or comes closest.
    pub policy_id: Option<PolicyId>,
    pub policy_name: String,
    /// In the order they are asked; those that do not concern this person or door last.
    pub policies: Vec<PolicyOpinion>,
}

/// A thing to choose, with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub name: String,
}
