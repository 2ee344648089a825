//! Policies, schedules, holidays, and the tester.

use portico_model::ErrorKind;
use portico_model::access::people::{CredentialValidity, PersonGroupInput, PersonInput};
use portico_model::access::policies::{AccessQuestion, NewHoliday, PolicyInput, PolicyVerdict, ScheduleInput};
use portico_model::access::schedule::Hours;
use portico_model::access::{DoorMode, Level};
use portico_model::identity::Role;
use portico_model::{DoorId, PersonGroupId, PersonId, Timestamp};
use portico_platform::on_db;
use portico_platform::testing::insert_user;

use crate::people::{card, named, person};
use crate::{World, each};

async fn door(world: &World, name: &str) -> DoorId {
    let id = DoorId::generate();
    let mut tx = world.platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query(
        "insert into access_door (id, organization_id, name, location, mode, mode_by, passback, state, held_after_s, unlock_s,
             created_at, updated_at) values ($1, $2, $3, '', 'normal', '', 'off', 'unknown', 30, 3, 0, 0)")
        .bind(id).bind(world.organization).bind(name).execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn in_berlin(world: &World) {
    let mut tx = world.platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query(
        "insert into organization_settings (organization_id, time_zone, updated_at) values ($1, 'Europe/Berlin', 0)")
        .bind(world.organization).execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
}

fn policy(name: &str) -> PolicyInput {
    PolicyInput {
        name: name.into(),
        person_id: None,
        person_group_id: None,
        door_id: None,
        door_group_id: None,
        schedule_id: None,
        levels: Level::ALL.to_vec(),
        valid_from: None,
        valid_until: None,
        in_lockdown: false,
        is_active: true,
    }
}

fn office() -> ScheduleInput {
    let windows = vec![Hours { days: vec![0, 1, 2, 3, 4], from: "08:00".into(), until: "18:00".into() }];
    ScheduleInput { name: "Office hours".into(), windows }
}

fn question(person_id: PersonId, door_id: DoorId, at: &str) -> AccessQuestion {
    let at = Some(Timestamp::parse_iso(at).unwrap());
    AccessQuestion { person_id, door_id, at, credential_id: None, mode: None, leaving: false }
}

/// Monday noon in Berlin.
const NOON: &str = "2026-11-23T11:00:00Z";

#[tokio::test]
async fn tester_tells_every_reason_apart() {
    each(|world| async move {
        in_berlin(&world).await;
        let access = &world.access;
        let (ann, main, lab) = (person(&world, "Ann").await, door(&world, "Main").await, door(&world, "Lab").await);
        let ask = async |at: &str| access.would_get_in(&world.manager, &question(ann.id, main, at)).await.unwrap();
        assert_eq!(ask(NOON).await.reason, "no_policy");

        let hours = access.save_schedule(&world.manager, None, office()).await.unwrap();
        let elsewhere = PolicyInput { door_id: Some(lab), ..policy("Lab") };
        access.save_policy(&world.manager, None, elsewhere).await.unwrap();
        let bob = person(&world, "Bob").await;
        access
            .save_policy(&world.manager, None, PolicyInput { person_id: Some(bob.id), ..policy("Bob") })
            .await
            .unwrap();
        access.save_policy(&world.manager, None, PolicyInput { is_active: false, ..policy("Off") }).await.unwrap();
        let admins = PolicyInput { levels: vec![Level::Admin, Level::Admin], ..policy("Admins") };
        access.save_policy(&world.manager, None, admins).await.unwrap();
        assert_eq!(ask(NOON).await.reason, "level_too_low");
        let over = PolicyInput { valid_until: Timestamp::parse_iso("2026-11-23T11:00:00Z"), ..policy("Over") };
        access.save_policy(&world.manager, None, over).await.unwrap();
        assert_eq!(ask(NOON).await.reason, "policy_not_valid");
        let office = PolicyInput { schedule_id: Some(hours.id), ..policy("Office") };
        let office = access.save_policy(&world.manager, None, office).await.unwrap();
        assert_eq!(
            (office.who.as_str(), office.doors.as_str(), office.when.as_str()),
            ("Everyone", "All doors", "Office hours")
        );
        let night = ask("2026-11-23T19:00:00Z").await;
        assert_eq!((night.reason.as_str(), night.policy_name.as_str()), ("out_of_hours", "Office"));
        assert_eq!(night.local_time, "2026-11-23 20:00");
        let noon = ask(NOON).await;
        assert_eq!((noon.granted, noon.policy_id), (true, Some(office.id)));
        let verdicts: Vec<_> = noon.policies.iter().map(|one| (one.policy_name.as_str(), one.verdict)).collect();
        assert_eq!(
            verdicts,
            [
                ("Admins", PolicyVerdict::LevelTooLow),
                ("Over", PolicyVerdict::NotValid),
                ("Office", PolicyVerdict::LetsIn),
                ("Lab", PolicyVerdict::OtherDoor),
                ("Bob", PolicyVerdict::OtherPerson),
                ("Off", PolicyVerdict::Inactive),
            ]
        );

        // In a lockdown nobody comes in, but everyone goes out, and one policy counts nevertheless.
        let in_lockdown = AccessQuestion { mode: Some(DoorMode::Lockdown), ..question(ann.id, main, NOON) };
        let locked = access.would_get_in(&world.manager, &in_lockdown).await.unwrap();
        assert_eq!((locked.granted, locked.reason.as_str()), (false, "lockdown"));
        assert_eq!(locked.policies[2].verdict, PolicyVerdict::NotInLockdown);
        let leaving = AccessQuestion { leaving: true, ..in_lockdown.clone() };
        assert!(access.would_get_in(&world.manager, &leaving).await.unwrap().granted);
        let guard = PolicyInput { in_lockdown: true, ..policy("Guard") };
        access.save_policy(&world.manager, None, guard).await.unwrap();
        assert_eq!(access.would_get_in(&world.manager, &in_lockdown).await.unwrap().policy_name, "Guard");

        // What the credential and the person say goes before all policies.
        let made = access.add_credential(&world.manager, ann.id, card("A1B2C3D4")).await.unwrap();
        let blocked = CredentialValidity { is_active: false, valid_from: None, valid_until: None };
        access.set_credential(&world.manager, made.credential.id, blocked).await.unwrap();
        let with_card = AccessQuestion { credential_id: Some(made.credential.id), ..question(ann.id, main, NOON) };
        assert_eq!(access.would_get_in(&world.manager, &with_card).await.unwrap().reason, "credential_expired");
        let inactive = PersonInput { is_active: false, ..named("Ann") };
        access.update_person(&world.manager, ann.id, inactive).await.unwrap();
        assert_eq!(ask(NOON).await.reason, "inactive_person");
    })
    .await;
}

#[tokio::test]
async fn hours_follow_the_buildings_clock_and_holidays() {
    each(|world| async move {
        in_berlin(&world).await;
        let access = &world.access;
        let (ann, main) = (person(&world, "Ann").await, door(&world, "Main").await);
        let hours = access.save_schedule(&world.manager, None, office()).await.unwrap();
        let terms = PolicyInput { schedule_id: Some(hours.id), ..policy("Office") };
        access.save_policy(&world.manager, None, terms).await.unwrap();
        let granted =
            async |at: &str| access.would_get_in(&world.manager, &question(ann.id, main, at)).await.unwrap().granted;
        // 08:00 is 06:00 UTC in summer and 07:00 UTC in winter.
        for (at, expected) in [
            ("2026-10-23T05:59:59Z", false),
            ("2026-10-23T06:00:00Z", true),
            ("2026-10-26T06:30:00Z", false),
            ("2026-10-26T07:00:00Z", true),
            ("2026-10-26T16:59:59Z", true),
            ("2026-10-26T17:00:00Z", false),
            ("2026-12-25T11:00:00Z", true),
        ] {
            assert_eq!(granted(at).await, expected, "{at}");
        }
        let christmas = NewHoliday { date: "2026-12-25".into(), name: "Christmas Day".into() };
        let holiday = access.add_holiday(&world.manager, christmas.clone()).await.unwrap();
        assert_eq!(access.add_holiday(&world.manager, christmas).await.unwrap_err().code(), "holiday_exists");
        assert!(!granted("2026-12-25T11:00:00Z").await);
        // By the building's calendar, not by UTC's.
        let all_day = Hours { days: vec![7], from: "00:00".into(), until: "24:00".into() };
        let input = ScheduleInput { name: "Office hours".into(), windows: vec![all_day] };
        access.save_schedule(&world.manager, Some(hours.id), input).await.unwrap();
        for (at, expected) in [
            ("2026-12-24T22:59:00Z", false),
            ("2026-12-24T23:00:00Z", true),
            ("2026-12-25T22:59:00Z", true),
            ("2026-12-25T23:00:00Z", false),
        ] {
            assert_eq!(granted(at).await, expected, "{at}");
        }
        access.delete_holiday(&world.manager, holiday.id).await.unwrap();
        assert!(!granted("2026-12-25T11:00:00Z").await);
    })
    .await;
}

#[tokio::test]
async fn policies_name_groups_and_only_what_the_organisation_has() {
    each(|world| async move {
        let access = &world.access;
        let (ann, bob, main) = (person(&world, "Ann").await, person(&world, "Bob").await, door(&world, "Main").await);
        let group = PersonGroupInput { name: "Staff".into(), description: String::new() };
        let group = access.save_person_group(&world.manager, None, &group).await.unwrap();
        access.set_person_group_member(&world.manager, group.id, ann.id, true).await.unwrap();
        let terms = PolicyInput { person_group_id: Some(group.id), door_id: Some(main), ..policy("Staff") };
        let staff = access.save_policy(&world.manager, None, terms.clone()).await.unwrap();
        assert_eq!((staff.who.as_str(), staff.doors.as_str()), ("Staff", "Main"));
        let granted = async |id| access.would_get_in(&world.manager, &question(id, main, NOON)).await.unwrap().granted;
        assert!(granted(ann.id).await && !granted(bob.id).await);

        for (wrong, field) in [
            (PolicyInput { person_group_id: Some(PersonGroupId::generate()), ..policy("x") }, "person_group_id"),
            (PolicyInput { person_id: Some(ann.id), ..terms.clone() }, "person_group_id"),
            (PolicyInput { levels: Vec::new(), ..policy("x") }, "levels"),
            (PolicyInput { name: " ".into(), ..policy("x") }, "name"),
            (
                PolicyInput {
                    valid_from: Some(Timestamp::from_millis(2)),
                    valid_until: Some(Timestamp::from_millis(2)),
                    ..policy("x")
                },
                "valid_until",
            ),
        ] {
            let error = access.save_policy(&world.manager, None, wrong).await.unwrap_err();
            assert_eq!(error.field_errors()[0].field, field, "{error}");
        }
        let elsewhere = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, elsewhere, "stranger", Role::Admin).await;
        let theirs = PolicyInput { door_id: Some(main), ..policy("Theirs") };
        assert_eq!(access.save_policy(&stranger, None, theirs).await.unwrap_err().kind(), ErrorKind::Invalid);
        for error in [
            access.policy(&stranger, staff.id).await.map(drop).unwrap_err(),
            access.delete_policy(&stranger, staff.id).await.unwrap_err(),
            access.save_policy(&stranger, Some(staff.id), policy("x")).await.map(drop).unwrap_err(),
            access.would_get_in(&stranger, &question(ann.id, main, NOON)).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let (desk, guest) = (world.user("desk", Role::Reception).await, world.user("guest", Role::User).await);
        assert!(access.policies(&desk).await.is_ok());
        assert_eq!(access.policies(&guest).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(access.save_policy(&desk, None, policy("x")).await.unwrap_err().kind(), ErrorKind::Forbidden);

        // A group takes its policies with it: nobody gets more by that.
        access.delete_person_group(&world.manager, group.id).await.unwrap();
        assert!(access.policies(&world.manager).await.unwrap().is_empty() && !granted(ann.id).await);
    })
    .await;
}

#[tokio::test]
async fn schedule_in_use_stays() {
    each(|world| async move {
        let access = &world.access;
        let hours = access.save_schedule(&world.manager, None, office()).await.unwrap();
        let error = access.save_schedule(&world.manager, None, office()).await.unwrap_err();
        assert_eq!(error.code(), "schedule_name_taken");
        let wrong = Hours { days: vec![9], from: "08:00".into(), until: "18:00".into() };
        let wrong = ScheduleInput { name: "x".into(), windows: vec![wrong] };
        let error = access.save_schedule(&world.manager, None, wrong).await.unwrap_err();
        assert_eq!(error.field_errors()[0].field, "windows");
        let terms = PolicyInput { schedule_id: Some(hours.id), ..policy("Office") };
        let office = access.save_policy(&world.manager, None, terms).await.unwrap();
        let error = access.delete_schedule(&world.manager, hours.id).await.unwrap_err();
        assert_eq!(error.code(), "schedule_in_use");
        access.delete_policy(&world.manager, office.id).await.unwrap();
        access.delete_schedule(&world.manager, hours.id).await.unwrap();
        for wrong in ["2026-02-29", "25.12.2026", "2026-12-25\u{0}", ""] {
            let new = NewHoliday { date: wrong.into(), name: "x".into() };
            assert_eq!(access.add_holiday(&world.manager, new).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
    })
    .await;
}
