//! What people say about a code, checked once at the edge.

use portico_devices::Check;
use portico_model::Timestamp;
use portico_model::access::code::{NewCode, is_code};
use portico_platform::{Error, Result};
use rand::Rng as _;

const MOST_USES: i64 = 10_000;

/// The checked form of a new code.
pub fn checked(new: NewCode, now: Timestamp) -> Result<NewCode> {
    let mut check = Check::default();
    let name = check.required("name", &new.name, 100);
    let code = new.code.map(|code| code.trim().to_owned()).filter(|code| !code.is_empty());
    if code.as_deref().is_some_and(|code| !is_code(code)) {
        check.problem("code", "4 to 8 digits");
    }
    if new.door_id.is_some() == new.lock_id.is_some() {
        check.problem("door_id", "choose a door or a lock");
    }
    if new.lock_id.is_some() && new.schedule_id.is_some() {
        check.problem("schedule_id", "only a door's code has hours: a lock knows the first and the last moment alone");
    }
    if new.max_uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
        check.problem("max_uses", format!("1 to {MOST_USES}"));
    }
    if new.valid_until.is_some_and(|until| until <= now) {
        check.problem("valid_until", "must lie ahead");
    } else if new.valid_from.zip(new.valid_until).is_some_and(|(from, until)| until <= from) {
        check.problem("valid_until", "must be later than the beginning");
    }
    check.done(NewCode { name, code, ..new })
}

/// Six digits, of which each is as likely as any other.
pub fn draw() -> String {
    format!("{:06}", rand::rng().random_range(0..1_000_000_u32))
}

/// A field names something that is not there.
pub fn unknown(field: &str, what: &str) -> Error {
    Error::field(field, format!("There is no such {what}"))
}

#[cfg(test)]
mod tests {
    use portico_model::{DeviceId, DoorId, ScheduleId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn fields(new: NewCode) -> Vec<String> {
        checked(new, NOW)
            .err()
            .into_iter()
            .flat_map(|error| error.field_errors().to_vec())
            .map(|one| one.field)
            .collect()
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let good = NewCode { name: " Plumber ".into(), lock_id: Some(DeviceId::nil()), ..NewCode::default() };
        let given = checked(NewCode { code: Some(" ".into()), ..good.clone() }, NOW).unwrap();
        assert_eq!((given.name.as_str(), given.code), ("Plumber", None));
        let bad = NewCode {
            name: String::new(),
            code: Some("12a4".into()),
            door_id: Some(DoorId::nil()),
            schedule_id: Some(ScheduleId::nil()),
            max_uses: Some(0),
            valid_until: Some(NOW),
            ..good.clone()
        };
        assert_eq!(fields(bad), ["name", "code", "door_id", "schedule_id", "max_uses", "valid_until"]);
        let backwards = NewCode { valid_from: Some(NOW.plus_secs(9)), valid_until: Some(NOW.plus_secs(9)), ..good };
        assert_eq!(fields(backwards), ["valid_until"]);
    }

    #[test]
    fn drawn_codes_are_codes() {
        assert!((0..100).all(|_| is_code(&draw())));
    }
}
