//! One alarm for one cause, and who is told when.

use portico_alarms::{AlarmQuery, Reach, Report, StateFilter};
use portico_model::alarms::AlarmStepKind::{Acknowledged, Cleared, Escalated, Raised, RaisedAgain, Reminded};
use portico_model::alarms::{AlarmState, Severity};
use portico_model::identity::Role;

use crate::{each, report};

#[tokio::test]
async fn the_same_cause_is_one_alarm() {
    each(|world| async move {
        let alarm = world.raise(&report("a")).await.unwrap();
        assert_eq!(world.raise(&report("a")).await, None, "known already");
        let other = world.raise(&report("b")).await.unwrap();
        assert_ne!(alarm.id, other.id);
        let open = world.alarms.list(&world.manager, AlarmQuery::default()).await.unwrap().items;
        assert_eq!(open.iter().map(|alarm| alarm.id).collect::<Vec<_>>(), [other.id, alarm.id]);
        assert_eq!(world.course(alarm.id).await, [Raised]);
    })
    .await;
}

#[tokio::test]
async fn flapping_five_times_in_a_minute_is_one_alarm() {
    each(|world| async move {
        let first = world.raise(&report("a")).await.unwrap();
        for _ in 0..4 {
            world.advance_s(6);
            assert_eq!(world.clear("a").await.unwrap().state, AlarmState::Cleared);
            world.advance_s(6);
            assert_eq!(world.raise(&report("a")).await.unwrap().id, first.id);
        }
        let query = AlarmQuery { state: StateFilter::All, ..AlarmQuery::default() };
        let all = world.alarms.list(&world.manager, query).await.unwrap().items;
        assert_eq!((all.len(), all[0].times, all[0].state), (1, 5, AlarmState::Raised));
        assert_eq!(world.course(first.id).await.len(), 9);
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_much_later_is_a_new_alarm() {
    each(|world| async move {
        let first = world.raise(&report("a")).await.unwrap();
        world.clear("a").await.unwrap();
        assert_eq!(world.clear("a").await, None, "nothing is open");
        world.advance_s(301);
        assert_ne!(world.raise(&report("a")).await.unwrap().id, first.id);
    })
    .await;
}

#[tokio::test]
async fn racing_reports_of_one_cause_make_one_alarm() {
    each(|world| async move {
        let report = report("a");
        let raised = futures::future::join_all((0..8).map(|_| world.raise(&report))).await;
        assert_eq!(raised.into_iter().flatten().count(), 1);
        world.clear("a").await.unwrap();
        let again = futures::future::join_all((0..8).map(|_| world.raise(&report))).await;
        assert_eq!(again.into_iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn unacknowledged_alarms_remind_and_escalate_once() {
    each(|world| async move {
        let report = Report {
            severity: Severity::Info,
            reach: Reach { escalate_after_s: Some(600), repeat_every_s: Some(240), ..Reach::default() },
            ..report("a")
        };
        let alarm = world.raise(&report).await.unwrap();
        for _ in 0..12 {
            world.advance_s(60);
            world.alarms.look_once().await.unwrap();
        }
        // After 4 and 8 minutes, escalated after 10; the next reminder would come 4 minutes later.
        assert_eq!(world.course(alarm.id).await, [Raised, Reminded, Reminded, Escalated]);
        let now = world.alarms.get(&world.manager, alarm.id).await.unwrap().alarm;
        assert_eq!(now.severity, Severity::Warning);
        assert!(now.escalated_at.is_some());
        world.alarms.acknowledge(&world.manager, alarm.id, "").await.unwrap();
        world.advance_s(3_600);
        world.alarms.look_once().await.unwrap();
        assert_eq!(world.course(alarm.id).await, [Raised, Reminded, Reminded, Escalated, Acknowledged]);
    })
    .await;
}

#[tokio::test]
async fn acknowledgement_outlives_a_flap_but_not_a_real_end() {
    each(|world| async move {
        let alarm = world.raise(&report("a")).await.unwrap();
        world.alarms.acknowledge(&world.manager, alarm.id, "on it").await.unwrap();
        world.clear("a").await.unwrap();
        world.advance_s(10);
        world.alarms.look_once().await.unwrap();
        assert_eq!(world.raise(&report("a")).await.unwrap().state, AlarmState::Acknowledged);
        world.clear("a").await.unwrap();
        world.advance_s(61);
        // Now people are told that it is over.
        world.alarms.look_once().await.unwrap();
        let again = world.raise(&report("a")).await.unwrap();
        assert_eq!((again.id, again.state, again.acknowledged_by), (alarm.id, AlarmState::Raised, None));
        let course = world.course(alarm.id).await;
        assert_eq!(course, [Raised, Acknowledged, Cleared, RaisedAgain, Cleared, RaisedAgain]);
    })
    .await;
}

#[tokio::test]
async fn what_is_gone_takes_its_alarms_with_it() {
    each(|world| async move {
        world.raise(&report("a")).await.unwrap();
        world.raise(&report("b")).await.unwrap();
        let mut elsewhere = report("c");
        elsewhere.subject.id = "d2".into();
        world.raise(&elsewhere).await.unwrap();
        let other = world.test.other_organization().await;
        let mut tx = world.platform.db.begin().await.unwrap();
        let changes = world.alarms.clear_subject(&mut tx, world.organization, "device", "d1", "gone").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(changes.len(), 2);
        world.alarms.announce(changes);
        assert_eq!(world.alarms.counts(&world.manager).await.unwrap().open(), 1);
        let mut tx = world.platform.db.begin().await.unwrap();
        assert_eq!(world.alarms.clear_subject(&mut tx, other, "device", "d2", "").await.unwrap().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn old_cleared_alarms_are_removed_and_open_ones_stay() {
    each(|world| async move {
        world.raise(&report("a")).await.unwrap();
        world.clear("a").await.unwrap();
        let open = world.raise(&report("b")).await.unwrap();
        world.advance_s(401 * 86_400);
        world.alarms.clean_up().await.unwrap();
        let query = AlarmQuery { state: StateFilter::All, ..AlarmQuery::default() };
        let all = world.alarms.list(&world.manager, query).await.unwrap().items;
        assert_eq!(all.iter().map(|alarm| alarm.id).collect::<Vec<_>>(), [open.id]);
    })
    .await;
}

#[tokio::test]
async fn alarms_of_a_new_owner_are_his() {
    each(|world| async move {
        let (old, new) = (world.user("old", Role::User).await, world.user("new", Role::User).await);
        world
            .raise(&Report { reach: Reach { owner: old.user_id(), ..Reach::default() }, ..report("a") })
            .await
            .unwrap();
        let mut tx = world.platform.db.begin().await.unwrap();
        let owner = new.user_id().unwrap();
        let changes = world.alarms.change_owner(&mut tx, world.organization, "device", "d1", owner).await.unwrap();
        tx.commit().await.unwrap();
        world.alarms.announce(changes);
        assert_eq!(world.alarms.counts(&old).await.unwrap().open(), 0);
        assert_eq!(world.alarms.counts(&new).await.unwrap().open(), 1);
    })
    .await;
}
