//! Rules raise and clear alarms in the transaction that stores what they judge.

use portico_alarms::{AlarmQuery, Alarms, StateFilter};
use portico_devices::Devices;
use portico_identity::Identity;
use portico_model::alarms::rule::{Condition, NewRule, Scope, Side, Tell, Trend};
use portico_model::alarms::{Alarm, AlarmState, Severity};
use portico_model::devices::{DeviceChange, DeviceStatus, DeviceWithKey};
use portico_model::groups::NewGroup;
use portico_model::identity::Role;
use portico_notifications::Notifications;
use portico_platform::testing::insert_user;
use portico_platform::{Actor, on_db};

use crate::{World, each, sample};

fn rule(condition: Condition, scope: Scope) -> NewRule {
    NewRule {
        name: "Too warm".into(),
        condition,
        scope,
        severity: Severity::Warning,
        is_enabled: true,
        tell: Tell::Everyone,
        escalate_after_s: None,
        repeat_every_s: None,
    }
}

fn above(limit: f64, for_s: i64) -> Condition {
    Condition::Threshold { key: "t".into(), side: Side::Above, limit, hysteresis: 1.0, for_s }
}

fn only(device: &DeviceWithKey) -> Scope {
    Scope::Device { device_id: device.device.id }
}

fn code<T>(result: portico_platform::Result<T>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

impl World {
    async fn alarms_all(&self) -> Vec<Alarm> {
        let query = AlarmQuery { state: StateFilter::All, ..AlarmQuery::default() };
        self.alarms.list(&self.manager, query).await.unwrap().items
    }

    /// States of all alarms, oldest first.
    async fn states(&self) -> Vec<AlarmState> {
        self.alarms_all().await.into_iter().rev().map(|alarm| alarm.state).collect()
    }

    /// The device measures this now.
    async fn measures(&self, device: &DeviceWithKey, value: f64) {
        self.submit(device, vec![sample(self.now(), &[("t", value)])]).await;
    }

    async fn later(&self, seconds: i64) {
        self.test.clock.advance_ms(seconds * 1_000);
        self.devices.watch_rules_once().await.unwrap();
    }
}

#[tokio::test]
async fn a_threshold_raises_once_and_clears_with_hysteresis() {
    each(|world| async move {
        let device = world.device("freezer").await;
        let made = world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), only(&device))).await.unwrap();
        world.measures(&device, 29.0).await;
        assert_eq!(world.states().await, []);
        for value in [31.0, 32.0, 29.5] {
            world.later(1).await;
            world.measures(&device, value).await;
        }
        let alarm = world.alarms_all().await.pop().unwrap();
        assert_eq!(
            (alarm.state, alarm.title.as_str(), alarm.text.as_str()),
            (AlarmState::Raised, "Too warm", "t is 31, above 30.")
        );
        assert_eq!((alarm.subject_name.as_str(), alarm.rule_id), ("freezer", Some(made.id)));
        world.later(1).await;
        world.measures(&device, 29.0).await;
        assert_eq!(world.states().await, [AlarmState::Cleared]);
    })
    .await;
}

#[tokio::test]
async fn late_and_repeated_data_raises_nothing_anew() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), only(&device))).await.unwrap();
        let now = world.now();
        let hot = sample(now.plus_secs(-20), &[("t", 31.0)]);
        world.submit(&device, vec![hot.clone(), sample(now, &[("t", 20.0)])]).await;
        assert_eq!(world.states().await, [AlarmState::Cleared]);
        world.later(600).await;
        // The same again, and something older that had been missing.
        world.submit(&device, vec![hot, sample(now.plus_secs(-10), &[("t", 40.0)])]).await;
        assert_eq!(world.states().await, [AlarmState::Cleared]);
    })
    .await;
}

#[tokio::test]
async fn a_fault_in_judging_keeps_no_measurement_from_being_stored() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), only(&device))).await.unwrap();
        let rename = async |from: &'static str, to: &'static str| {
            let mut tx = world.platform.db.begin().await.unwrap();
            let sql = format!("alter table {from} rename to {to}");
            on_db!(&mut tx, conn => sqlx::query(sqlx::AssertSqlSafe(sql)).execute(conn).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
        };
        rename("alarm_step", "alarm_step_away").await;
        world.measures(&device, 31.0).await;
        let latest = world.devices.latest(&world.manager, device.device.id).await.unwrap();
        assert_eq!(latest[0].value.number(), Some(31.0));
        rename("alarm_step_away", "alarm_step").await;
        assert_eq!(world.states().await, [], "nothing half done");
        world.later(1).await;
        world.measures(&device, 32.0).await;
        assert_eq!(world.states().await, [AlarmState::Raised], "what comes next is judged");
    })
    .await;
}

#[tokio::test]
async fn a_value_that_flaps_five_times_in_a_minute_is_one_alarm() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), only(&device))).await.unwrap();
        for _ in 0..5 {
            world.measures(&device, 31.0).await;
            world.later(6).await;
            world.measures(&device, 20.0).await;
            world.later(6).await;
        }
        let all = world.alarms_all().await;
        assert_eq!((all.len(), all[0].times), (1, 5));
    })
    .await;
}

#[tokio::test]
async fn a_threshold_must_last_and_the_last_value_holds() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 60), only(&device))).await.unwrap();
        world.measures(&device, 31.0).await;
        world.later(30).await;
        world.measures(&device, 20.0).await;
        world.later(60).await;
        assert_eq!(world.states().await, [], "a short peak");
        world.measures(&device, 31.0).await;
        world.later(59).await;
        assert_eq!(world.states().await, []);
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Raised], "without a second message");
    })
    .await;
}

#[tokio::test]
async fn another_server_and_a_restart_go_on_where_the_first_was() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 60), only(&device))).await.unwrap();
        world.measures(&device, 31.0).await;
        let notifications = Notifications::new(world.platform.clone(), Identity::new(world.platform.clone()));
        let other = Devices::new(world.platform.clone(), Alarms::new(world.platform.clone(), notifications));
        other.start();
        other.watch_rules_once().await.unwrap();
        let login = other.authenticate_key(&device.api_key).await.unwrap().unwrap().device;
        world.test.clock.advance_ms(61_000);
        other.submit(&login, vec![sample(world.now(), &[("t", 32.0)])]).await.unwrap();
        world.later(1).await;
        world.measures(&device, 33.0).await;
        assert_eq!(world.states().await, [AlarmState::Raised]);
        // What one server judged, the other does not judge again.
        world.later(1).await;
        world.measures(&device, 20.0).await;
        other.submit(&login, vec![sample(world.now().plus_secs(-1), &[("t", 35.0), ("u", 1.0)])]).await.unwrap();
        assert_eq!(world.states().await, [AlarmState::Cleared]);
    })
    .await;
}

#[tokio::test]
async fn silence_raises_and_the_next_message_clears() {
    each(|world| async move {
        let device = world.device("meter").await;
        let quiet = world.device("never heard").await;
        let condition = Condition::Absence { key: Some("t".into()), after_s: 300 };
        world
            .devices
            .create_alarm_rule(&world.manager, rule(condition, Scope::Type { device_type: "sensor".into() }))
            .await
            .unwrap();
        world.later(0).await;
        world.later(200).await;
        world.measures(&device, 1.0).await;
        world.submit(&quiet, vec![sample(world.now(), &[("u", 1.0)])]).await;
        world.later(200).await;
        let names: Vec<_> = world.alarms_all().await.into_iter().map(|alarm| alarm.subject_name).collect();
        assert_eq!(names, ["never heard"], "another key is not this one");
        world.later(100).await;
        assert_eq!(world.alarms_all().await.len(), 2);
        world.measures(&device, 2.0).await;
        let open: Vec<_> = world.alarms_all().await.into_iter().filter(|alarm| alarm.state.is_open()).collect();
        assert_eq!(open.len(), 1);
        world.later(400).await;
        let again: Vec<_> = world.alarms_all().await.into_iter().filter(|alarm| alarm.state.is_open()).collect();
        assert_eq!(again.len(), 2, "silent again");
    })
    .await;
}

#[tokio::test]
async fn a_lost_device_raises_and_its_return_clears() {
    each(|world| async move {
        let device = world.device("gateway").await;
        let condition = Condition::Connection { after_s: 60 };
        world.devices.create_alarm_rule(&world.manager, rule(condition, only(&device))).await.unwrap();
        world.measures(&device, 1.0).await;
        world.devices.flush().await.unwrap();
        world.test.clock.advance_ms(200_000);
        world.devices.watch_once().await.unwrap();
        world.later(59).await;
        assert_eq!(world.states().await, [], "offline, but not for long");
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Raised]);
        world.measures(&device, 1.0).await;
        world.devices.flush().await.unwrap();
        assert_eq!(world.states().await, [AlarmState::Cleared]);
    })
    .await;
}

#[tokio::test]
async fn a_rule_made_while_the_device_is_away_counts_from_now() {
    each(|world| async move {
        let device = world.device("gateway").await;
        world.measures(&device, 1.0).await;
        world.devices.flush().await.unwrap();
        world.test.clock.advance_ms(200_000);
        world.devices.watch_once().await.unwrap();
        let condition = Condition::Connection { after_s: 0 };
        world.devices.create_alarm_rule(&world.manager, rule(condition, only(&device))).await.unwrap();
        world.later(0).await;
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Raised]);
    })
    .await;
}

#[tokio::test]
async fn a_fast_change_raises_and_steadiness_clears() {
    each(|world| async move {
        let device = world.device("boiler").await;
        let condition = Condition::Rate { key: "t".into(), trend: Trend::Rise, change: 5.0, window_s: 60 };
        world.devices.create_alarm_rule(&world.manager, rule(condition, only(&device))).await.unwrap();
        for value in [20.0, 22.0, 24.0, 26.0] {
            world.measures(&device, value).await;
            world.later(30).await;
        }
        assert_eq!(world.states().await, [], "4 in any minute");
        world.measures(&device, 30.0).await;
        let alarm = world.alarms_all().await.pop().unwrap();
        assert_eq!((alarm.state, alarm.text.as_str()), (AlarmState::Raised, "t rose by 6 within 1 min."));
        world.later(61).await;
        assert_eq!(world.states().await, [AlarmState::Cleared], "nothing changes any more");
    })
    .await;
}

#[tokio::test]
async fn rules_follow_types_groups_and_status() {
    each(|world| async move {
        let (member, other) = (world.device("member").await, world.device("other").await);
        let group = world
            .devices
            .create_group(&world.manager, NewGroup { name: "Cold".into(), ..NewGroup::default() })
            .await
            .unwrap();
        let scope = Scope::Group { group_id: group.id };
        let made = world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), scope)).await.unwrap();
        assert_eq!(made.scope_name, "Cold");
        let id = member.device.id.to_string();
        world.devices.add_to_group(&world.manager, group.id, &id).await.unwrap();
        world.later(1).await;
        world.measures(&member, 31.0).await;
        world.measures(&other, 31.0).await;
        let names: Vec<_> = world.alarms_all().await.into_iter().map(|alarm| alarm.subject_name).collect();
        assert_eq!(names, ["member"]);
        world.devices.remove_from_group(&world.manager, group.id, &id).await.unwrap();
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Cleared], "the rule no longer applies");
        let by_type = rule(above(30.0, 0), Scope::Type { device_type: "freezer".into() });
        world.devices.create_alarm_rule(&world.manager, by_type).await.unwrap();
        let change = DeviceChange { device_type: Some("freezer".into()), ..DeviceChange::default() };
        world.devices.update(&world.manager, other.device.id, change).await.unwrap();
        world.later(1).await;
        world.measures(&other, 32.0).await;
        assert_eq!(world.states().await, [AlarmState::Cleared, AlarmState::Raised]);
        let change = DeviceChange { status: Some(DeviceStatus::Maintenance), ..DeviceChange::default() };
        world.devices.update(&world.manager, other.device.id, change).await.unwrap();
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Cleared, AlarmState::Cleared], "in maintenance nothing alarms");
    })
    .await;
}

#[tokio::test]
async fn changed_deleted_and_switched_off_rules_end_their_alarms() {
    each(|world| async move {
        let device = world.device("freezer").await;
        let new = rule(above(30.0, 0), only(&device));
        let made = world.devices.create_alarm_rule(&world.manager, new.clone()).await.unwrap();
        world.measures(&device, 31.0).await;
        let renamed = NewRule { name: "Warm".into(), ..new.clone() };
        world.devices.update_alarm_rule(&world.manager, made.id, renamed).await.unwrap();
        assert_eq!(world.states().await, [AlarmState::Raised], "only another name");
        let other = NewRule { condition: above(40.0, 0), ..new.clone() };
        world.devices.update_alarm_rule(&world.manager, made.id, other.clone()).await.unwrap();
        assert_eq!(world.states().await, [AlarmState::Cleared]);
        world.later(400).await;
        world.measures(&device, 41.0).await;
        let off = NewRule { is_enabled: false, ..other };
        world.devices.update_alarm_rule(&world.manager, made.id, off).await.unwrap();
        world.later(400).await;
        world.measures(&device, 42.0).await;
        assert_eq!(world.states().await, [AlarmState::Cleared, AlarmState::Cleared]);
        world.devices.update_alarm_rule(&world.manager, made.id, new).await.unwrap();
        world.later(1).await;
        world.measures(&device, 43.0).await;
        assert_eq!(world.states().await.last(), Some(&AlarmState::Raised));
        world.devices.delete_alarm_rule(&world.manager, made.id).await.unwrap();
        world.later(1).await;
        world.measures(&device, 44.0).await;
        assert!(world.states().await.iter().all(|state| !state.is_open()));
        assert_eq!(code(world.devices.alarm_rule(&world.manager, made.id).await), "alarm_rule_not_found");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_device_takes_its_rules_and_alarms_with_it() {
    each(|world| async move {
        let device = world.device("freezer").await;
        world.devices.create_alarm_rule(&world.manager, rule(above(30.0, 0), only(&device))).await.unwrap();
        world.measures(&device, 31.0).await;
        world.devices.delete(&world.manager, device.device.id).await.unwrap();
        world.later(1).await;
        assert_eq!(world.states().await, [AlarmState::Cleared]);
        assert_eq!(world.devices.alarm_rules(&world.manager, None, None).await.unwrap().items, []);
    })
    .await;
}

#[tokio::test]
async fn owners_make_rules_for_their_devices_alone() {
    each(|world| async move {
        let (anna, berta) = (world.user("anna", Role::User).await, world.user("berta", Role::User).await);
        let device = world.device_of(&anna, "hers").await;
        let foreign = world.device("the manager's").await;
        let new = rule(above(30.0, 0), only(&device));
        let made = world.devices.create_alarm_rule(&anna, new.clone()).await.unwrap();
        let devices = &world.devices;
        assert_eq!(
            code(devices.create_alarm_rule(&anna, rule(above(1.0, 0), only(&foreign))).await),
            "device_not_found"
        );
        let by_type = rule(above(1.0, 0), Scope::Type { device_type: "sensor".into() });
        assert_eq!(code(devices.create_alarm_rule(&anna, by_type.clone()).await), "not_permitted");
        assert_eq!(code(devices.update_alarm_rule(&anna, made.id, by_type.clone()).await), "not_permitted");
        assert_eq!(code(devices.update_alarm_rule(&berta, made.id, new.clone()).await), "alarm_rule_not_found");
        assert_eq!(code(devices.delete_alarm_rule(&berta, made.id).await), "alarm_rule_not_found");
        assert_eq!(code(devices.preview_alarm_rule(&berta, &new.condition, &new.scope).await), "device_not_found");
        assert_eq!(code(devices.thresholds(&berta, device.device.id).await), "device_not_found");
        let safety = world.user("sam", Role::Safety).await;
        assert_eq!(devices.alarm_rules(&safety, None, None).await.unwrap().items, std::slice::from_ref(&made));
        assert_eq!(code(devices.delete_alarm_rule(&safety, made.id).await), "not_permitted");
        assert_eq!(devices.alarm_rules(&berta, None, None).await.unwrap().items, []);
        devices.create_alarm_rule(&world.manager, by_type).await.unwrap();
        assert_eq!(devices.alarm_rules(&anna, None, None).await.unwrap().items.len(), 1);
        let lines = devices.thresholds(&anna, device.device.id).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.limit).collect::<Vec<_>>(), [30.0, 1.0]);
        // What she owns alarms her, too.
        world.measures(&device, 31.0).await;
        assert_eq!(world.alarms.counts(&anna).await.unwrap().open(), 2);
        devices.transfer(&world.manager, device.device.id, berta.user_id().unwrap()).await.unwrap();
        assert_eq!(world.alarms.counts(&anna).await.unwrap().open(), 0);
        assert_eq!(world.alarms.counts(&berta).await.unwrap().open(), 2);
        let other = world.test.other_organization().await;
        let stranger: Actor = insert_user(&world.platform, other, "stranger", Role::Admin).await;
        assert_eq!(code(devices.alarm_rule(&stranger, made.id).await), "alarm_rule_not_found");
        assert_eq!(code(devices.create_alarm_rule(&stranger, new).await), "device_not_found");
        assert_eq!(devices.alarm_rules(&stranger, None, None).await.unwrap().items, []);
    })
    .await;
}

#[tokio::test]
async fn wrong_rules_name_their_fields() {
    each(|world| async move {
        let device = world.device("freezer").await;
        let bad = NewRule {
            name: " ".into(),
            escalate_after_s: Some(5),
            repeat_every_s: Some(8 * 86_400),
            ..rule(above(f64::INFINITY, -1), only(&device))
        };
        let error = world.devices.create_alarm_rule(&world.manager, bad).await.unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["condition.limit", "condition.for_s", "name", "escalate_after_s", "repeat_every_s"]);
        let nowhere = Scope::Group { group_id: portico_model::GroupId::generate() };
        let result = world.devices.create_alarm_rule(&world.manager, rule(above(1.0, 0), nowhere)).await;
        assert_eq!(code(result), "group_not_found");
    })
    .await;
}

#[tokio::test]
async fn rules_are_listed_by_name_page_by_page() {
    each(|world| async move {
        let device = world.device("freezer").await;
        for name in ["b", "a", "c", "a"] {
            let new = NewRule { name: name.into(), ..rule(above(1.0, 0), only(&device)) };
            world.devices.create_alarm_rule(&world.manager, new).await.unwrap();
        }
        let mut names = Vec::new();
        let mut cursor = None;
        loop {
            let page = world.devices.alarm_rules(&world.manager, cursor.as_deref(), Some(2)).await.unwrap();
            names.extend(page.items.into_iter().map(|rule| rule.rule.name));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(names, ["a", "a", "b", "c"]);
        assert_eq!(code(world.devices.alarm_rules(&world.manager, Some("x"), None).await), "bad_cursor");
    })
    .await;
}

#[tokio::test]
async fn a_preview_tells_how_often_it_would_have_fired() {
    each(|world| async move {
        let device = world.device("freezer").await;
        let now = world.now();
        // Three peaks within the last day, one before.
        let values = [
            (-100_000, 31.0),
            (-99_000, 20.0),
            (-9_000, 31.0),
            (-8_000, 20.0),
            (-7_000, 31.0),
            (-6_900, 20.0),
            (-50, 31.0),
        ];
        let samples = values.iter().map(|(second, value)| sample(now.plus_secs(*second), &[("t", *value)]));
        world.submit(&device, samples.collect()).await;
        let scope = only(&device);
        let preview = async |condition: Condition| {
            world.devices.preview_alarm_rule(&world.manager, &condition, &scope).await.unwrap()
        };
        let found = preview(above(30.0, 0)).await;
        assert_eq!((found.alarms, found.devices, found.devices_looked_at, found.is_partial), (Some(3), 1, 1, false));
        assert_eq!(preview(above(30.0, 300)).await.alarms, Some(1), "only one lasted five minutes");
        assert_eq!(preview(Condition::Absence { key: None, after_s: 3_600 }).await.alarms, Some(2));
        assert_eq!(preview(Condition::Connection { after_s: 0 }).await.alarms, None);
        let rate = Condition::Rate { key: "t".into(), trend: Trend::Fall, change: 5.0, window_s: 120 };
        assert_eq!(preview(rate).await.alarms, Some(1));
        assert_eq!(world.states().await, [], "looking raises nothing");
    })
    .await;
}
