use portico_devices::RetentionRule;
use portico_model::ErrorKind;
use portico_model::identity::Role;
use portico_model::telemetry::Aggregation;
use portico_platform::on_db;

use crate::{World, each, sample};

async fn rows(world: &World, table: &str) -> i64 {
    let sql = format!("select count(*) from {table}");
    let mut tx = world.platform.db.read().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(conn).await).unwrap()
}

#[tokio::test]
async fn points_go_after_their_days_and_rollups_stay_for_theirs() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        let days = |days: i64| now.plus_secs(-days * 86_400);
        let mut samples: Vec<_> = [0, 10, 50, 89, 91, 399, 401]
            .into_iter()
            .map(|age| sample(days(age), &[("t", 1.0), ("noise", 1.0)]))
            .collect();
        samples[4].metadata = Some(serde_json::json!({"a": 1}));
        world.submit(&device, samples).await;
        let rule = RetentionRule {
            device_id: Some(id),
            key: Some("noise".into()),
            raw_days: 20,
            minute_days: 30,
            hour_days: 60,
        };
        world.devices.set_retention(&world.manager, &rule).await.unwrap();
        world.devices.apply_retention().await.unwrap();
        let count = async |key: &str| {
            let got = world.devices.range(&world.manager, id, days(1_000), now, &[key.to_owned()], 100).await.unwrap();
            got.len()
        };
        assert_eq!((count("t").await, count("noise").await), (4, 2));
        let hours = world
            .devices
            .aggregated(&world.manager, id, "t", Aggregation::Count, 3_600_000, days(402), now)
            .await
            .unwrap();
        assert_eq!(hours.len(), 7);
        let hours = world
            .devices
            .aggregated(&world.manager, id, "noise", Aggregation::Count, 3_600_000, days(402), now)
            .await
            .unwrap();
        assert_eq!(hours.len(), 3);
        assert_eq!((rows(&world, "rollup_1m").await, rows(&world, "sample_metadata").await), (6 + 2, 0));
    })
    .await;
}

#[tokio::test]
async fn only_those_who_manage_devices_set_retention() {
    each(|world| async move {
        let user = world.user("ann", Role::User).await;
        let rule = RetentionRule { device_id: None, key: None, raw_days: 5, minute_days: 5, hour_days: 5 };
        assert_eq!(world.devices.set_retention(&user, &rule).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let wrong = RetentionRule { raw_days: 0, ..rule.clone() };
        assert_eq!(world.devices.set_retention(&world.manager, &wrong).await.unwrap_err().kind(), ErrorKind::Invalid);
        world.devices.set_retention(&world.manager, &rule).await.unwrap();
        assert_eq!(world.devices.retention(&world.manager).await.unwrap(), [rule]);
        world.devices.delete_retention(&world.manager, None, "").await.unwrap();
        assert!(world.devices.retention(&world.manager).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_device_leaves_nothing_behind() {
    each(|world| async move {
        let (gone, kept) = (world.device("gone").await, world.device("kept").await);
        let now = world.now();
        for device in [&gone, &kept] {
            let mut samples: Vec<_> =
                (0..6_000).map(|number| sample(now.plus_millis(-number), &[("t", 1.0)])).collect();
            samples[0].metadata = Some(serde_json::json!({"a": 1}));
            world.submit(device, samples).await;
        }
        world.devices.flush().await.unwrap();
        world.devices.delete(&world.manager, gone.device.id).await.unwrap();
        world.devices.clean_up().await.unwrap();
        assert_eq!(rows(&world, "device").await, 2, "its last messages may still be on their way");
        world.test.clock.advance_ms(61_000);
        world.devices.clean_up().await.unwrap();
        for (table, left) in [("device", 1), ("series", 1), ("point", 6_000), ("sample_metadata", 1), ("device_key", 1)]
        {
            assert_eq!(rows(&world, table).await, left, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn messages_redelivered_after_their_points_are_gone_count_once() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        let rule = RetentionRule { device_id: Some(id), key: None, raw_days: 2, minute_days: 10, hour_days: 100 };
        world.devices.set_retention(&world.manager, &rule).await.unwrap();
        let hours = |hours: i64| now.plus_secs(-hours * 3_600);
        // Young; beyond the points; beyond the minutes.
        let message =
            |value: f64| [1, 72, 500].map(|age| sample(hours(age), &[("t", value)])).into_iter().collect::<Vec<_>>();
        let count = async || -> Vec<f64> {
            let windows = world
                .devices
                .aggregated(&world.manager, id, "t", Aggregation::Count, 3_600_000, hours(600), now)
                .await
                .unwrap();
            windows.iter().map(|window| window.value).collect()
        };
        world.submit(&device, message(1.0)).await;
        assert_eq!(count().await, [1.0, 1.0, 1.0]);
        for _ in 0..3 {
            world.devices.apply_retention().await.unwrap();
            world.submit(&device, message(1.0)).await;
            assert_eq!(count().await, [1.0, 1.0, 1.0]);
        }
        assert_eq!(rows(&world, "point").await, 1);
        // What never came before is taken, however late: also twenty values of one minute in one message.
        let late: Vec<_> = (0..20).map(|second| sample(hours(100).plus_secs(second), &[("t", 2.0)])).collect();
        world.submit(&device, late.clone()).await;
        assert_eq!(count().await, [1.0, 20.0, 1.0, 1.0]);
        world.devices.apply_retention().await.unwrap();
        world.submit(&device, late).await;
        assert_eq!(count().await, [1.0, 20.0, 1.0, 1.0]);
    })
    .await;
}
