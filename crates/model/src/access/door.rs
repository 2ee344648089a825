//! Doors with their readers, the zones they lead into, and the plans they are drawn on.

use serde::{Deserialize, Serialize};

use super::{AccessReason, DoorMode, Method, words};
use crate::{AccessEventId, DeviceId, DoorGroupId, DoorId, PersonId, PlanId, Timestamp, ZoneId};

words! {
    /// What the contact of a door last said.
    DoorState {
        Open = "open",
        Closed = "closed",
        /// Nothing was said yet, or what says it is away.
        Unknown = "unknown",
    }
}

words! {
    /// What becomes of somebody who comes in again without having left.
    PassbackRule {
        Off = "off",
        /// Let in, and marked.
        Soft = "soft",
        /// Refused.
        Hard = "hard",
    }
}

/// A door as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000d1", "name": "Main entrance", "location": "Ground floor",
    "reader_id": "0199a0000000700080000000000000ab", "reader_name": "Reader 1", "exit_reader_id": null,
    "exit_reader_name": null, "lock_id": null, "lock_name": null, "contact_id": null, "contact_name": null,
    "into_zone_id": null, "from_zone_id": null, "mode": "normal", "mode_until": null, "mode_by": "",
    "passback": "off", "passback_s": null, "state": "closed", "last_state": "closed",
    "state_at": "2026-11-21T02:00:00.000+00:00", "granted_at": null, "forced_at": null, "held_at": null,
    "held_after_s": 30, "unlock_s": 5, "plan_id": null, "plan_x": null, "plan_y": null,
    "created_at": "2026-11-20T02:00:00.000+00:00", "updated_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Door {
    pub id: DoorId,
    pub name: String,
    pub location: String,
    /// The reader outside.
    pub reader_id: Option<DeviceId>,
    pub reader_name: Option<String>,
    /// The reader on the inside.
    pub exit_reader_id: Option<DeviceId>,
    pub exit_reader_name: Option<String>,
    /// The lock that is told to unlock; absent: the reader moves the bolt itself.
    pub lock_id: Option<DeviceId>,
    pub lock_name: Option<String>,
    /// What says whether it is open; absent: its readers say so.
    pub contact_id: Option<DeviceId>,
    pub contact_name: Option<String>,
    /// Where one is after having come in, and before.
    pub into_zone_id: Option<ZoneId>,
    pub from_zone_id: Option<ZoneId>,
    pub mode: DoorMode,
    /// Until when the mode lasts; absent: until somebody ends it.
    pub mode_until: Option<Timestamp>,
    /// Who set it; empty in normal operation.
    pub mode_by: String,
    pub passback: PassbackRule,
    /// For how long somebody who came in counts as inside, seconds; absent: until he leaves.
    pub passback_s: Option<i64>,
    /// `unknown` while what says it is away.
    pub state: DoorState,
    /// What was last said.
    pub last_state: DoorState,
    pub state_at: Option<Timestamp>,
    /// When somebody was last let in.
    pub granted_at: Option<Timestamp>,
    /// Open since then although nobody was let in.
    pub forced_at: Option<Timestamp>,
    /// Since when it is open for too long.
    pub held_at: Option<Timestamp>,
    /// It may stand open for so long, seconds.
    pub held_after_s: i64,
    /// It stays unlocked for so long after somebody was let in, seconds.
    pub unlock_s: i64,
    pub plan_id: Option<PlanId>,
    /// Where on the plan, 0 (left) to 1.
    pub plan_x: Option<f64>,
    /// 0 (top) to 1.
    pub plan_y: Option<f64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What people say of a door.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Main entrance", "location": "Ground floor", "reader_id": null, "exit_reader_id": null, "lock_id": null,
    "contact_id": null, "into_zone_id": null, "from_zone_id": null, "passback": "off", "passback_s": null,
    "held_after_s": 30, "unlock_s": 5
})))]
pub struct DoorSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// At most 200 characters.
    pub location: String,
    pub reader_id: Option<DeviceId>,
    pub exit_reader_id: Option<DeviceId>,
    pub lock_id: Option<DeviceId>,
    pub contact_id: Option<DeviceId>,
    pub into_zone_id: Option<ZoneId>,
    pub from_zone_id: Option<ZoneId>,
    /// Absent: `off`.
    pub passback: Option<PassbackRule>,
    /// 1 to 604,800 seconds; absent: until the person leaves.
    pub passback_s: Option<i64>,
    /// 1 to 86,400 seconds; absent: 30.
    pub held_after_s: Option<i64>,
    /// 1 to 120 seconds; absent: 5.
    pub unlock_s: Option<i64>,
}

/// How often each thing is so, for the head of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "doors": 12, "lockdown": 0, "evacuation": 0, "unlocked": 1, "open": 2, "alarmed": 0
})))]
pub struct DoorCounts {
    pub doors: i64,
    pub lockdown: i64,
    pub evacuation: i64,
    pub unlocked: i64,
    pub open: i64,
    /// Forced, or open for too long.
    pub alarmed: i64,
}

/// Doors that policies and modes name together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000d7", "name": "Outer doors", "description": "",
    "door_ids": ["0199a0000000700080000000000000d1"], "created_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct DoorGroup {
    pub id: DoorGroupId,
    pub name: String,
    pub description: String,
    pub door_ids: Vec<DoorId>,
    pub created_at: Timestamp,
}

/// What people say of a group of doors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Outer doors", "description": "", "door_ids": []})))]
pub struct DoorGroupSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// At most 1,000 characters.
    pub description: String,
    /// All its doors, at most 2,000.
    pub door_ids: Vec<DoorId>,
}

/// An area of the building.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000b1", "parent_id": null, "name": "Laboratory", "passback": "hard",
    "reset_after_s": 43200, "people": 3, "created_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Zone {
    pub id: ZoneId,
    /// The area that it is a part of.
    pub parent_id: Option<ZoneId>,
    pub name: String,
    pub passback: PassbackRule,
    /// Whoever came in that long ago no longer counts as inside, seconds; absent: until he leaves.
    pub reset_after_s: Option<i64>,
    /// How many seem to be inside.
    pub people: i64,
    pub created_at: Timestamp,
}

/// What people say of a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Laboratory", "parent_id": null, "passback": "hard", "reset_after_s": 43200
})))]
pub struct ZoneSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
    pub parent_id: Option<ZoneId>,
    /// Absent: `off`.
    pub passback: Option<PassbackRule>,
    /// 1 to 604,800 seconds; absent: until the person leaves.
    pub reset_after_s: Option<i64>,
}

/// A picture that doors are placed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000b2", "name": "Ground floor", "width": 1200, "height": 800,
    "media_type": "image/png", "created_at": "2026-11-20T02:00:00.000+00:00",
    "updated_at": "2026-11-20T02:00:00.000+00:00"
})))]
pub struct Plan {
    pub id: PlanId,
    pub name: String,
    /// Of the picture, pixels.
    pub width: i64,
    pub height: i64,
    /// `image/svg+xml`, `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: String,
    pub created_at: Timestamp,
    /// Another picture has another time here.
    pub updated_at: Timestamp,
}

impl Plan {
    /// Where the picture is read. Another picture has another address.
    #[must_use]
    pub fn picture(&self) -> String {
        format!("/api/v1/plans/{}/picture?v={}", self.id, self.updated_at.millis())
    }
}

/// What people say of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"name": "Ground floor"})))]
pub struct PlanSettings {
    /// 1 to 100 characters, unique.
    pub name: String,
}

/// What was decided about somebody at a reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "granted": true, "reason": "granted", "sentence": "A policy lets this person in.",
    "at": "2026-11-21T02:00:00.000+00:00", "event_id": "0199a0000000700080000000000000e1",
    "door_id": "0199a0000000700080000000000000d1", "door_name": "Main entrance",
    "person_id": "0199a0000000700080000000000000f1", "person_number": 7, "person_name": "Ann Archer",
    "method": "rfid", "policy_name": "Office hours", "leaving": false, "unlock_s": 5
})))]
pub struct Verdict {
    pub granted: bool,
    pub reason: AccessReason,
    /// The reason in a sentence.
    pub sentence: String,
    pub at: Timestamp,
    pub event_id: AccessEventId,
    pub door_id: Option<DoorId>,
    pub door_name: String,
    /// Nobody is named while the person is deactivated or nobody is known.
    pub person_id: Option<PersonId>,
    pub person_number: Option<i64>,
    pub person_name: Option<String>,
    pub method: Method,
    /// The policy that let in, or came closest; else empty.
    pub policy_name: String,
    pub leaving: bool,
    /// Open it for so long, seconds; 0 when nobody is let in.
    pub unlock_s: i64,
}

/// Which doors a mode is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({"kind": "all"})))]
pub enum DoorScope {
    All,
    Group { group_id: DoorGroupId },
    Door { door_id: DoorId },
}

/// How doors shall work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "scope": {"kind": "all"}, "mode": "lockdown", "for_s": null, "note": "Drill"
})))]
pub struct ModeOrder {
    pub scope: DoorScope,
    pub mode: DoorMode,
    /// For how long, 1 to 604,800 seconds; absent: until somebody ends it.
    #[serde(default)]
    pub for_s: Option<i64>,
    /// Why, at most 500 characters.
    #[serde(default)]
    pub note: String,
}

/// A zone's place among the others: what anti-passback needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZonePlace {
    pub id: ZoneId,
    pub parent: Option<ZoneId>,
}

/// Deepest zones; whatever lies deeper, or in a circle, is not looked at.
pub const MAX_ZONE_DEPTH: usize = 8;

/// A zone and those it lies in, the innermost first.
#[must_use]
pub fn zones_around(zones: &[ZonePlace], zone: Option<ZoneId>) -> Vec<ZoneId> {
    let mut around = Vec::new();
    let mut next = zone;
    while let Some(id) = next.filter(|id| around.len() < MAX_ZONE_DEPTH && !around.contains(id)) {
        let Some(place) = zones.iter().find(|place| place.id == id) else { break };
        around.push(id);
        next = place.parent;
    }
    around
}

/// Which zones somebody comes into and which he leaves, who passes from one to another.
#[must_use]
pub fn zones_crossed(zones: &[ZonePlace], from: Option<ZoneId>, into: Option<ZoneId>) -> (Vec<ZoneId>, Vec<ZoneId>) {
    let (before, after) = (zones_around(zones, from), zones_around(zones, into));
    let entered = after.iter().copied().filter(|zone| !before.contains(zone)).collect();
    let left = before.iter().copied().filter(|zone| !after.contains(zone)).collect();
    (entered, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(number: u128) -> ZoneId {
        ZoneId::from_uuid(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn who_passes_between_rooms_of_one_area_stays_in_it() {
        // 1: building; 2 and 3: rooms in it; 4: a safe in room 3.
        let place = |id, parent: Option<u128>| ZonePlace { id: zone(id), parent: parent.map(zone) };
        let zones = [place(1, None), place(2, Some(1)), place(3, Some(1)), place(4, Some(3))];
        /// From, into, entered, left.
        type Case = (Option<u128>, Option<u128>, &'static [u128], &'static [u128]);
        let table: [Case; 6] = [
            (None, Some(1), &[1], &[]),
            (None, Some(2), &[2, 1], &[]),
            (Some(2), Some(4), &[4, 3], &[2]),
            (Some(4), None, &[], &[4, 3, 1]),
            (Some(1), Some(1), &[], &[]),
            (Some(9), Some(2), &[2, 1], &[]),
        ];
        for (from, into, entered, left) in table {
            let expected: (Vec<_>, Vec<_>) =
                (entered.iter().copied().map(zone).collect(), left.iter().copied().map(zone).collect());
            assert_eq!(zones_crossed(&zones, from.map(zone), into.map(zone)), expected, "{from:?} {into:?}");
        }
        let circle = [place(1, Some(2)), place(2, Some(1))];
        assert_eq!(zones_around(&circle, Some(zone(1))), [zone(1), zone(2)]);
    }
}
