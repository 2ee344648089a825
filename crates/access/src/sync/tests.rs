//! The offline reader and the server give the same decision, whatever the policy, the person and the time.

use portico_lock_core::decide::{Decision, Passback, Reason, decide};
use portico_lock_core::offline::{Table, decide_offline};
use portico_model::access::{DoorMode, Method};
use portico_model::{
    AccessCodeId, CredentialId, DeviceId, DoorGroupId, DoorId, HolidayId, OrganizationId, PersonGroupId, PersonId,
    PolicyId, ScheduleId, Timestamp,
};
use portico_platform::testing::{TestPlatform, each_database};
use portico_platform::{Platform, Tx, on_db};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::store::{self, Place};
use super::{lookup, lookup_key, table};
use crate::{codes, local_time, people, policies};

/// Worlds, and cases in each: together 10,000.
const WORLDS: u64 = 25;
const CASES: usize = 400;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

struct World {
    platform: Platform,
    organization: OrganizationId,
    rng: StdRng,
    now: Timestamp,
    reader: DeviceId,
    door: DoorId,
    /// What can be shown: method and text.
    shown: Vec<(Method, String)>,
}

macro_rules! run {
    ($tx:expr, $sql:literal $(, $bound:expr)*) => {
        on_db!($tx, conn => sqlx::query($sql)$(.bind($bound))*.execute(conn).await.map(drop)).unwrap()
    };
}

impl World {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// A moment around the table's time, or none.
    fn moment(&mut self) -> Option<i64> {
        let around = self.rng.random_range(-2 * DAY_MS..2 * DAY_MS);
        self.chance(30).then(|| self.now.millis() + around)
    }

    fn windows(&mut self) -> String {
        let windows: Vec<String> = (0..self.rng.random_range(0..4))
            .map(|_| {
                let mut days: Vec<u8> = (0..8).filter(|_| self.rng.random_range(0..2) == 0).collect();
                let (from, until) = (self.rng.random_range(0..1_439), self.rng.random_range(1..=1_440));
                if from >= until {
                    days.retain(|day| *day < 7);
                }
                if days.is_empty() {
                    days.push(0);
                }
                let until = if from == until { until + 1 } else { until };
                let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                format!(r#"{{"days":{days:?},"from":"{}","until":"{}"}}"#, text(from), text(until))
            })
            .collect();
        format!("[{}]", windows.join(","))
    }

    /// People, cards, fingers, codes, groups, hours, holidays and policies of all kinds.
    async fn fill(&mut self, tx: &mut Tx) {
        let organization = self.organization;
        for table in [
            "delete from access_policy",
            "delete from access_code",
            "delete from access_person",
            "delete from access_person_group",
            "delete from access_door",
            "delete from access_door_group",
            "delete from access_schedule",
            "delete from access_holiday",
        ] {
            on_db!(&mut *tx, conn => sqlx::query(sqlx::AssertSqlSafe(table)).execute(conn).await.map(drop)).unwrap();
        }
        let zone = *["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"].choose(&mut self.rng).unwrap();
        run!(tx, "update organization_settings set time_zone = $2 where organization_id = $1", organization, zone);
        let mode = *[DoorMode::Normal, DoorMode::Normal, DoorMode::Normal, DoorMode::Lockdown, DoorMode::Unlocked]
            .choose(&mut self.rng)
            .unwrap();
        let until = self.moment();
        for (door, reader) in [(self.door, Some(self.reader)), (DoorId::generate(), None)] {
            run!(
                tx,
                "insert into access_door (id, organization_id, name, location, reader_id, mode, mode_until, mode_by, passback,
                     state, held_after_s, unlock_s, created_at, updated_at)
                 values ($1, $2, $3, '', $4, $5, $6, '', 'off', 'unknown', 30, 5, 0, 0)",
                door, organization, door.to_string(), reader, mode.as_str(), until
            );
        }
        let door_groups = [DoorGroupId::generate(), DoorGroupId::generate()];
        let person_groups = [PersonGroupId::generate(), PersonGroupId::generate()];
        for (index, group) in door_groups.iter().enumerate() {
            run!(
                tx,
                "insert into access_door_group (id, organization_id, name, description, created_at) values ($1, $2, $3, '', 0)",
                *group,
                organization,
                group.to_string()
            );
            if index == 0 {
                run!(
                    tx,
                    "insert into access_door_group_member (group_id, door_id, organization_id) values ($1, $2, $3)",
                    *group,
                    self.door,
                    organization
                );
            }
        }
        for group in person_groups {
            run!(
                tx,
                "insert into access_person_group (id, organization_id, name, description, created_at) values ($1, $2, $3, '', 0)",
                group,
                organization,
                group.to_string()
            );
        }
        for day in -1..3 {
            if self.chance(25) {
                let date = self.now.plus_millis(day * DAY_MS).to_iso()[..10].to_owned();
                run!(
                    tx,
                    "insert into access_holiday (id, organization_id, date, name) values ($1, $2, $3, 'x')",
                    HolidayId::generate(),
                    organization,
                    date
                );
            }
        }
        let schedules: Vec<ScheduleId> = (0..4).map(|_| ScheduleId::generate()).collect();
        for schedule in &schedules {
            let windows = self.windows();
            run!(
                tx,
                "insert into access_schedule (id, organization_id, name, windows, created_at, updated_at)
                      values ($1, $2, $3, $4, 0, 0)",
                *schedule,
                organization,
                schedule.to_string(),
                windows
            );
        }
        let people = self.people(tx, &person_groups).await;
        for _ in 0..self.rng.random_range(0..6) {
            let person = if self.chance(40) { people.choose(&mut self.rng).copied() } else { None };
            let group = if self.chance(40) { person_groups.choose(&mut self.rng).copied() } else { None };
            let door = if self.chance(40) { Some(self.door) } else { None };
            let door_group = if self.chance(30) { door_groups.choose(&mut self.rng).copied() } else { None };
            let schedule = if self.chance(70) { schedules.choose(&mut self.rng).copied() } else { None };
            let (from, until) = (self.moment(), self.moment());
            let (levels, in_lockdown, active) = (self.rng.random_range(1..8_i64), self.chance(20), self.chance(90));
            run!(
                tx,
                "insert into access_policy (id, organization_id, name, person_id, person_group_id, door_id, door_group_id,
                     schedule_id, levels, valid_from, valid_until, in_lockdown, is_active, created_at, updated_at)
                 values ($1, $2, 'p', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0)",
                PolicyId::generate(), organization, person, group, door, door_group, schedule, levels, from, until,
                in_lockdown, active
            );
        }
        self.codes(tx, &schedules, &people).await;
    }

    async fn people(&mut self, tx: &mut Tx, groups: &[PersonGroupId]) -> Vec<PersonId> {
        let organization = self.organization;
        let mut people = Vec::new();
        self.shown =
            vec![(Method::Rfid, "FFFF".into()), (Method::Fingerprint, "999".into()), (Method::Code, "000000".into())];
        for number in 1..=12_i64 {
            let person = PersonId::generate();
            let level = *["basic", "admin", "guest"].choose(&mut self.rng).unwrap();
            let active = self.chance(85);
            run!(tx, "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
                          updated_at) values ($1, $2, $3, 'x', 'x', $4, $5, 0, 0)", person, organization, number, level, active);
            for group in groups {
                if self.chance(50) {
                    run!(
                        tx,
                        "insert into access_person_group_member (group_id, person_id, organization_id) values ($1, $2, $3)",
                        *group,
                        person,
                        organization
                    );
                }
            }
            let card = format!("04{number:06X}");
            let mut made = vec![("rfid", card.clone(), None)];
            self.shown.push((Method::Rfid, card));
            if number <= 4 {
                made.push(("fingerprint", number.to_string(), None));
                self.shown.push((Method::Fingerprint, number.to_string()));
            }
            if number > 10 {
                // The same slot at this reader is somebody else's.
                made.push(("fingerprint", (number - 10).to_string(), Some(self.reader)));
            }
            for (kind, stored, reader) in made {
                let (from, until, active) = (self.moment(), self.moment(), self.chance(90));
                run!(
                    tx,
                    "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, reader_id,
                              is_active, valid_from, valid_until, created_at, updated_at)
                          values ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, 0, 0)",
                    CredentialId::generate(),
                    organization,
                    person,
                    kind,
                    stored,
                    reader,
                    active,
                    from,
                    until
                );
            }
            people.push(person);
        }
        people
    }

    async fn codes(&mut self, tx: &mut Tx, schedules: &[ScheduleId], people: &[PersonId]) {
        for number in 0..4 {
            let (id, digits) = (AccessCodeId::generate(), format!("{:06}", 111_111 * (number + 1)));
            let sealed = self.platform.secrets.seal("access code", id.uuid().as_bytes(), digits.as_bytes()).unwrap();
            let stored = codes::lookup_for_test(&self.platform, self.organization, self.door, &digits);
            let schedule = if self.chance(50) { schedules.choose(&mut self.rng).copied() } else { None };
            let (from, until) = (self.moment(), self.moment());
            let most = self.chance(50).then(|| self.rng.random_range(1..3_i64));
            let uses = self.rng.random_range(0..3_i64);
            let wanted = self.chance(85);
            let person = if self.chance(50) { people.choose(&mut self.rng).copied() } else { None };
            run!(
                tx,
                "insert into access_code (id, organization_id, door_id, person_id, name, sealed, lookup, digits, schedule_id, valid_from,
                     valid_until, max_uses, uses, wanted, state, is_absent, attempts, reason, created_by, created_at, updated_at)
                 values ($1, $2, $3, $12, 'c', $4, $5, 6, $6, $7, $8, $9, $10, $11, 'set', false, 0, '', '', 0, 0)",
                id, self.organization, self.door, sealed, stored, schedule, from, until, most, uses, wanted,                person
            );
            self.shown.push((Method::Code, digits));
        }
    }

    /// What the server says.
    async fn by_server(&self, tx: &mut Tx, place: &Place, method: Method, text: &str, at: Timestamp) -> Decision {
        let organization = self.organization;
        let over = place.mode_until.is_some_and(|until| until <= at);
        let mode = if over { DoorMode::Normal } else { place.mode };
        let local = local_time::local_time(tx, organization, at).await.unwrap();
        let ask =
            |holder, rules: Vec<_>| decide(at.millis(), local, mode.into(), false, holder, rules, Passback::Clear);
        if method == Method::Code {
            let found = codes::find(tx, &self.platform, organization, self.door, text).await.unwrap();
            let mut holder = found.as_ref().map(codes::FoundCode::holder);
            if let (Some(holder), Some((person, _))) =
                (&mut holder, found.as_ref().and_then(|found| found.person.as_ref()))
            {
                let person = people::find_person(tx, organization, *person).await.unwrap();
                holder.is_active = person.is_some_and(|person| person.is_active);
            }
            return ask(holder, found.iter().map(codes::FoundCode::rule).collect());
        }
        let found =
            people::find_credential(tx, &self.platform, organization, Some(self.reader), method, text).await.unwrap();
        let Some(found) = found else { return ask(None, Vec::new()) };
        let rules = policies::rules_for(tx, organization, found.person.id, self.door).await.unwrap();
        ask(Some(found.holder()), rules.iter().map(policies::OwnedRule::rule).collect())
    }
}

async fn compare(test: TestPlatform) {
    let platform = test.platform.clone();
    let organization = test.organization;
    let mut tx = platform.db.begin().await.unwrap();
    run!(
        &mut tx,
        "insert into organization_settings (organization_id, time_zone, updated_at) values ($1, 'UTC', 0) on conflict do nothing",
        organization
    );
    tx.commit().await.unwrap();
    let mut seen: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for seed in 0..WORLDS {
        let mut rng = StdRng::seed_from_u64(seed);
        // Around both changes of the hour, and any day.
        let day = *["2026-10-24T18:00:00Z", "2027-03-27T20:00:00Z", "2026-11-01T00:00:00Z"].choose(&mut rng).unwrap();
        let now = Timestamp::parse_iso(day).unwrap().plus_millis(rng.random_range(0..3 * DAY_MS));
        let mut world = World {
            platform: platform.clone(),
            organization,
            rng,
            now,
            reader: DeviceId::generate(),
            door: DoorId::generate(),
            shown: Vec::new(),
        };
        let mut tx = platform.db.begin().await.unwrap();
        world.fill(&mut tx).await;
        let place = store::place_of(&mut tx, organization, world.reader).await.unwrap().unwrap();
        let key = lookup_key(&platform, world.reader);
        let span = table::Span { version: 1, issued_at: now, expires_at: now.plus_millis(DAY_MS) };
        let bytes = table::build(&mut tx, &platform, organization, &place, &key, span).await.unwrap();
        let table = Table::read(&bytes).unwrap();
        for _ in 0..CASES {
            let at = now.plus_millis(world.rng.random_range(0..DAY_MS));
            let (method, text) = world.shown.choose(&mut world.rng).cloned().unwrap();
            let server = world.by_server(&mut tx, &place, method, &text, at).await;
            let hash = lookup(&key, method.as_str(), text.as_bytes());
            let reader = decide_offline(&table, Some(&hash), 0, at.millis()).unwrap().decision;
            let label = format!("world {seed}, {method:?} {text} at {}", at.to_iso());
            assert_eq!((reader.granted, reader.reason), (server.granted, server.reason), "{label}");
            *seen.entry(format!("{:?}", server.reason)).or_default() += 1;
        }
        tx.commit().await.unwrap();
    }
    eprintln!("{seen:?}");
    // The cases are no good if they only ever refuse.
    for reason in [
        Reason::Granted,
        Reason::UnknownCredential,
        Reason::InactivePerson,
        Reason::CredentialNotYetValid,
        Reason::CredentialExpired,
        Reason::UsedUp,
        Reason::Lockdown,
        Reason::NoPolicy,
        Reason::LevelTooLow,
        Reason::PolicyNotValid,
        Reason::OutOfHours,
        Reason::Unlocked,
    ] {
        assert!(seen.contains_key(&format!("{reason:?}")), "{reason:?} never came: {seen:?}");
    }
}

#[tokio::test]
async fn offline_reader_and_server_decide_alike_in_ten_thousand_cases() {
    each_database(compare).await;
}
