//! What people say about a door, checked once at the edge.

use portico_devices::Check;
use portico_model::access::DoorMode;
use portico_model::access::door::{Door, DoorSettings, DoorState, PassbackRule};
use portico_model::{DoorId, Timestamp};
use portico_platform::Result;

/// Longest time that anti-passback remembers, and that a mode lasts: a week, seconds.
pub const WEEK_S: i64 = 604_800;

const HELD_AFTER_S: i64 = 30;
const UNLOCK_S: i64 = 5;

/// A number within bounds.
pub fn within(check: &mut Check, field: &str, value: i64, longest: i64) -> i64 {
    if !(1..=longest).contains(&value) {
        check.problem(field, format!("1 to {longest} seconds"));
    }
    value
}

pub fn new_door(settings: DoorSettings, now: Timestamp) -> Result<Door> {
    let door = Door {
        id: DoorId::generate(),
        name: String::new(),
        location: String::new(),
        reader_id: None,
        reader_name: None,
        exit_reader_id: None,
        exit_reader_name: None,
        lock_id: None,
        lock_name: None,
        contact_id: None,
        contact_name: None,
        into_zone_id: None,
        from_zone_id: None,
        mode: DoorMode::Normal,
        mode_until: None,
        mode_by: String::new(),
        passback: PassbackRule::Off,
        passback_s: None,
        state: DoorState::Unknown,
        last_state: DoorState::Unknown,
        state_at: None,
        granted_at: None,
        forced_at: None,
        held_at: None,
        held_after_s: HELD_AFTER_S,
        unlock_s: UNLOCK_S,
        plan_id: None,
        plan_x: None,
        plan_y: None,
        created_at: now,
        updated_at: now,
    };
    changed(door, settings, now)
}

/// The door with these settings, all of them.
pub fn changed(mut door: Door, settings: DoorSettings, now: Timestamp) -> Result<Door> {
    let mut check = Check::default();
    door.name = check.required("name", &settings.name, 100);
    door.location = check.text("location", &settings.location, 200);
    door.reader_id = settings.reader_id;
    door.exit_reader_id = settings.exit_reader_id;
    door.lock_id = settings.lock_id;
    door.contact_id = settings.contact_id;
    door.into_zone_id = settings.into_zone_id;
    door.from_zone_id = settings.from_zone_id;
    if door.into_zone_id.is_some() && door.into_zone_id == door.from_zone_id {
        check.problem("from_zone_id", "a door leads from one zone into another");
    }
    door.passback = settings.passback.unwrap_or(PassbackRule::Off);
    door.passback_s = settings.passback_s.map(|seconds| within(&mut check, "passback_s", seconds, WEEK_S));
    if door.passback != PassbackRule::Off && door.exit_reader_id.is_none() && door.passback_s.is_none() {
        check.problem("passback_s", "without a reader on the inside nobody can leave: say for how long it counts");
    }
    door.held_after_s = within(&mut check, "held_after_s", settings.held_after_s.unwrap_or(HELD_AFTER_S), 86_400);
    door.unlock_s = within(&mut check, "unlock_s", settings.unlock_s.unwrap_or(UNLOCK_S), 120);
    door.updated_at = now;
    check.done(door)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_at_once() {
        let settings = DoorSettings {
            name: " ".into(),
            location: "\u{0}".into(),
            passback: Some(PassbackRule::Hard),
            held_after_s: Some(0),
            unlock_s: Some(i64::MAX),
            ..DoorSettings::default()
        };
        let error = new_door(settings, Timestamp::from_millis(0)).unwrap_err();
        let fields: Vec<&str> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "location", "passback_s", "held_after_s", "unlock_s"]);
    }
}
