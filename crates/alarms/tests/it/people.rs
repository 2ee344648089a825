//! What people see and do.

use std::time::Duration;

use futures::FutureExt as _;
use portico_alarms::{AlarmQuery, Reach, Report, StateFilter};
use portico_model::alarms::{AlarmState, AlarmStepKind, Severity};
use portico_model::identity::Role;
use portico_platform::audit::{AuditFilter, list};
use portico_platform::hub::{Connection, Outgoing};
use portico_platform::testing::insert_user;
use portico_platform::{Actor, Principal};
use serde_json::Value;

use crate::{each, report};

fn code<T>(result: portico_platform::Result<T>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

#[tokio::test]
async fn owners_see_theirs_and_nobody_elses() {
    each(|world| async move {
        let (anna, berta) = (world.user("anna", Role::User).await, world.user("berta", Role::User).await);
        let alarm = world
            .raise(&Report { reach: Reach { owner: anna.user_id(), ..Reach::default() }, ..report("a") })
            .await
            .unwrap();
        let common = world.raise(&report("b")).await.unwrap();
        for (actor, open) in [(&world.manager, 2), (&anna, 1), (&berta, 0)] {
            assert_eq!(world.alarms.list(actor, AlarmQuery::default()).await.unwrap().items.len(), open);
            assert_eq!(world.alarms.counts(actor).await.unwrap().open(), i64::try_from(open).unwrap());
        }
        assert!(world.alarms.get(&anna, alarm.id).await.unwrap().may_handle);
        for id in [alarm.id, common.id] {
            assert_eq!(code(world.alarms.get(&berta, id).await), "alarm_not_found");
            assert_eq!(code(world.alarms.acknowledge(&berta, id, "").await), "alarm_not_found");
            assert_eq!(code(world.alarms.clear_by_hand(&berta, id, "").await), "alarm_not_found");
            assert_eq!(code(world.alarms.add_note(&berta, id, "hm").await), "alarm_not_found");
        }
        world.alarms.acknowledge(&anna, alarm.id, "mine").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_nothing() {
    each(|world| async move {
        let alarm = world.raise(&report("a")).await.unwrap();
        let other = world.test.other_organization().await;
        let stranger = insert_user(&world.platform, other, "stranger", Role::Admin).await;
        assert_eq!(code(world.alarms.get(&stranger, alarm.id).await), "alarm_not_found");
        assert_eq!(code(world.alarms.clear_by_hand(&stranger, alarm.id, "").await), "alarm_not_found");
        assert_eq!(world.alarms.counts(&stranger).await.unwrap().open(), 0);
    })
    .await;
}

#[tokio::test]
async fn acknowledging_and_clearing_are_recorded_with_who_and_why() {
    each(|world| async move {
        let alarm = world.raise(&report("a")).await.unwrap();
        let acknowledged = world.alarms.acknowledge(&world.manager, alarm.id, " on my way ").await.unwrap();
        assert_eq!(acknowledged.acknowledged_by.as_deref(), Some("user:manager"));
        let safety = world.user("sam", Role::Safety).await;
        let twice = world.alarms.acknowledge(&safety, alarm.id, "me too").await.unwrap();
        assert_eq!(twice.acknowledged_by, acknowledged.acknowledged_by, "the first has it");
        world.alarms.add_note(&safety, alarm.id, "fan\nreplaced").await.unwrap();
        let cleared = world.alarms.clear_by_hand(&safety, alarm.id, "done").await.unwrap();
        assert_eq!((cleared.state, cleared.cleared_by.as_deref()), (AlarmState::Cleared, Some("user:sam")));
        assert_eq!(code(world.alarms.acknowledge(&safety, alarm.id, "").await), "alarm_cleared");
        assert_eq!(world.alarms.clear_by_hand(&world.manager, alarm.id, "").await.unwrap(), cleared);
        let course = world.alarms.get(&world.manager, alarm.id).await.unwrap().steps;
        let course: Vec<_> = course.iter().map(|step| (step.kind, step.actor.as_str(), step.note.as_str())).collect();
        assert_eq!(
            course,
            [
                (AlarmStepKind::Raised, "system", "t is 31, above 30."),
                (AlarmStepKind::Acknowledged, "user:manager", "on my way"),
                (AlarmStepKind::Noted, "user:sam", "fan\nreplaced"),
                (AlarmStepKind::Cleared, "user:sam", "done"),
            ]
        );
        let mut tx = world.platform.db.read().await.unwrap();
        let filter = AuditFilter { limit: 10, ..AuditFilter::default() };
        let records = list(&mut tx, world.organization, &filter).await.unwrap();
        let actions: Vec<_> = records.iter().rev().map(|record| record.action.as_str()).collect();
        assert_eq!(actions, ["alarm.acknowledged", "alarm.noted", "alarm.cleared"]);
        for (note, what) in [("x".repeat(1_001), "too long"), ("a\u{7}".into(), "control"), (" ".into(), "empty")] {
            assert_eq!(code(world.alarms.add_note(&safety, alarm.id, &note).await), "invalid_fields", "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    each(|world| async move {
        for number in 0..7 {
            let severity = if number % 2 == 0 { Severity::Critical } else { Severity::Info };
            let title = format!("Ärger 100% {number}");
            world.raise(&Report { severity, title, ..report(&format!("c{number}")) }).await.unwrap();
        }
        world.clear("c0").await.unwrap();
        let page = async |query: AlarmQuery| world.alarms.list(&world.manager, query).await.unwrap();
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let found = page(AlarmQuery { limit: Some(2), cursor, ..AlarmQuery::default() }).await;
            seen.extend(found.items.into_iter().map(|alarm| alarm.title));
            cursor = found.next;
            if cursor.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (1..7).rev().map(|number| format!("Ärger 100% {number}")).collect();
        assert_eq!(seen, expected);
        let count = async |query: AlarmQuery| page(query).await.items.len();
        assert_eq!(count(AlarmQuery { severity: Some(Severity::Critical), ..AlarmQuery::default() }).await, 3);
        assert_eq!(count(AlarmQuery { state: StateFilter::Cleared, ..AlarmQuery::default() }).await, 1);
        assert_eq!(count(AlarmQuery { state: StateFilter::All, ..AlarmQuery::default() }).await, 7);
        assert_eq!(count(AlarmQuery { search: Some("ÄRGER 100% 3".into()), ..AlarmQuery::default() }).await, 1);
        assert_eq!(count(AlarmQuery { search: Some("100_".into()), ..AlarmQuery::default() }).await, 0);
        assert_eq!(count(AlarmQuery { subject_id: Some("d9".into()), ..AlarmQuery::default() }).await, 0);
        let later = world.platform.clock.now().plus_secs(1);
        assert_eq!(count(AlarmQuery { from: Some(later), ..AlarmQuery::default() }).await, 0);
        assert_eq!(count(AlarmQuery { to: Some(later), ..AlarmQuery::default() }).await, 6);
        let wrong = AlarmQuery { cursor: Some("x".into()), ..AlarmQuery::default() };
        assert_eq!(code(world.alarms.list(&world.manager, wrong).await), "bad_cursor");
        let counts = world.alarms.counts(&world.manager).await.unwrap();
        assert_eq!((counts.critical, counts.info, counts.unacknowledged), (3, 3, 6));
    })
    .await;
}

async fn next_event(connection: &Connection) -> Value {
    let mut out = Vec::new();
    let taken = connection.mailbox().take(&mut out, 1);
    tokio::time::timeout(Duration::from_secs(10), taken).await.unwrap().unwrap();
    let Some(Outgoing::Frame(text)) = out.pop() else { panic!("lagged") };
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn changes_are_followed_live_by_those_who_may_see_them() {
    each(|world| async move {
        world.alarms.start();
        let (anna, berta) = (world.user("anna", Role::User).await, world.user("berta", Role::User).await);
        let hub = &world.platform.hub;
        let connect = async |actor: &Actor| {
            let connection = hub.connect(actor, 10).unwrap();
            let snapshot = connection.subscribe(actor, "alarms").await.unwrap();
            assert_eq!(snapshot.data["open"].as_array().unwrap().len(), 0);
            connection.release(snapshot.slot);
            connection
        };
        let (all, own, other) = (connect(&world.manager).await, connect(&anna).await, connect(&berta).await);
        let alarm = world
            .raise(&Report { reach: Reach { owner: anna.user_id(), ..Reach::default() }, ..report("a") })
            .await
            .unwrap();
        for connection in [&all, &own] {
            let event = next_event(connection).await;
            assert_eq!(event["data"]["type"], "alarm_changed");
            assert_eq!(event["data"]["alarm"]["id"], alarm.id.to_string());
        }
        assert!(other.mailbox().take(&mut Vec::new(), 1).now_or_never().is_none(), "berta must not hear of it");
        let device = Actor {
            principal: Principal::Device { id: portico_model::DeviceId::generate() },
            ..Actor::system(world.organization)
        };
        let connection = hub.connect(&device, 10).unwrap();
        assert_eq!(code(connection.subscribe(&device, "alarms").await.map(drop)), "not_permitted");
        world.platform.tasks.shutdown(Duration::from_secs(5)).await;
    })
    .await;
}
