use std::time::Duration;

use portico_model::telemetry::Value;
use portico_platform::on_db;
use portico_platform::testing::eventually;

use crate::{each, each_with, mixed, sample};

#[tokio::test]
async fn numbers_booleans_texts_and_metadata_are_kept_as_they_are() {
    each(|world| async move {
        let device = world.device("meter").await;
        let now = world.now();
        let mut first = mixed(
            now.plus_secs(-10),
            &[("t", Value::Number(21.37)), ("open", Value::Boolean(true)), ("mode", Value::Text("ec\"o\n√".into()))],
        );
        first.metadata = Some(serde_json::json!({"room": {"floor": 2}}));
        let second = mixed(now, &[("t", Value::Number(-0.1)), ("open", Value::Boolean(false))]);
        world.submit(&device, vec![first.clone(), second.clone()]).await;
        let id = device.device.id;
        let stored = world.devices.range(&world.manager, id, now.plus_secs(-60), now, &[], 100).await.unwrap();
        assert_eq!(stored, [second, first]);
        let latest = world.devices.latest(&world.manager, id).await.unwrap();
        let shown: Vec<_> = latest.iter().map(|value| (value.key.as_str(), value.value.clone())).collect();
        assert_eq!(
            shown,
            [("mode", Value::Text("ec\"o\n√".into())), ("open", Value::Boolean(false)), ("t", Value::Number(-0.1))]
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_that_changes_its_kind_keeps_both_pasts() {
    each(|world| async move {
        let device = world.device("meter").await;
        let now = world.now();
        world.submit(&device, vec![mixed(now.plus_secs(-2), &[("v", Value::Number(1.0))])]).await;
        world.submit(&device, vec![mixed(now.plus_secs(-1), &[("v", Value::Text("n/a".into()))])]).await;
        let id = device.device.id;
        let latest = world.devices.latest(&world.manager, id).await.unwrap();
        assert_eq!((latest.len(), &latest[0].value), (1, &Value::Text("n/a".into())));
        let stored = world.devices.range(&world.manager, id, now.plus_secs(-60), now, &[], 100).await.unwrap();
        assert_eq!(stored.len(), 2);
        assert_eq!(world.devices.keys(&world.manager, id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn many_devices_at_once_lose_and_double_nothing() {
    each(|world| async move {
        let mut logins = Vec::new();
        for number in 0..20 {
            let device = world.device(&format!("d{number}")).await;
            logins.push((device.device.id, world.login(&device).await));
        }
        let now = world.now();
        let mut submissions = Vec::new();
        for round in 0..30 {
            for (_, known) in &logins {
                let value = f64::from(round);
                let samples = vec![sample(now.plus_secs(-i64::from(round)), &[("a", value), ("b", value)])];
                submissions.push(world.devices.submit(known, samples.clone()));
                submissions.push(world.devices.submit(known, samples));
            }
        }
        futures::future::try_join_all(submissions).await.unwrap();
        for (id, _) in logins {
            let stored = world.devices.range(&world.manager, id, now.plus_secs(-60), now, &[], 100).await.unwrap();
            assert_eq!(stored.len(), 30);
        }
    })
    .await;
}

#[tokio::test]
async fn a_device_that_makes_up_keys_is_stopped_at_the_limit() {
    each(|world| async move {
        let device = world.device("meter").await;
        let now = world.now();
        let samples: Vec<_> = (0..12)
            .map(|number| {
                let names: Vec<String> = (0..100).map(|key| format!("k{number}-{key}")).collect();
                let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
                sample(now.plus_secs(-number), &values)
            })
            .collect();
        world.submit(&device, samples).await;
        let id = device.device.id;
        assert_eq!(world.devices.keys(&world.manager, id).await.unwrap().len(), 1_000);
        world.submit(&device, vec![sample(now, &[("k0-0", 5.0)])]).await;
        world.devices.flush().await.unwrap();
        let problems = world.devices.problems(&world.manager, id).await.unwrap();
        assert_eq!(problems[0].code, "too_many_series");
    })
    .await;
}

/// Values beyond what a PostgreSQL text can hold are refused by the parser; a service caller can still hand one over.
#[tokio::test]
async fn one_message_the_database_refuses_takes_no_other_with_it() {
    each(|world| async move {
        let (good, bad) = (world.device("good").await, world.device("bad").await);
        let (good_login, bad_login) = (world.login(&good).await, world.login(&bad).await);
        let now = world.now();
        let poison = mixed(now, &[("x", Value::Text("a\0b".into()))]);
        let mut fine = Vec::new();
        for second in 0..50 {
            fine.push(world.devices.submit(&good_login, vec![sample(now.plus_secs(-second), &[("t", 1.0)])]));
        }
        let (fine, poisoned) =
            futures::join!(futures::future::join_all(fine), world.devices.submit(&bad_login, vec![poison]));
        assert!(fine.iter().all(Result::is_ok));
        if world.platform.db.is_postgres() {
            assert_eq!(poisoned.unwrap_err().code(), "not_storable");
        }
        let stored =
            world.devices.range(&world.manager, good.device.id, now.plus_secs(-60), now, &[], 100).await.unwrap();
        assert_eq!(stored.len(), 50);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_database_is_away_and_all_is_stored_when_it_is_back() {
    each(|world| async move {
        let device = world.device("meter").await;
        let known = world.login(&device).await;
        let now = world.now();
        world.devices.submit(&known, vec![sample(now.plus_secs(-100), &[("t", 0.0)])]).await.unwrap();
        let rename = async |from: &str, to: &str| {
            let sql = format!("alter table {from} rename to {to}");
            let mut tx = world.platform.db.begin().await.unwrap();
            on_db!(&mut tx, conn => sqlx::query(sqlx::AssertSqlSafe(sql)).execute(conn).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
        };
        rename("point", "point_away").await;
        let devices = world.devices.clone();
        let waiting = tokio::spawn(async move {
            let submissions =
                (0..20).map(|second| devices.submit(&known, vec![sample(now.plus_secs(-second), &[("t", 1.0)])]));
            futures::future::try_join_all(submissions).await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished());
        rename("point_away", "point").await;
        waiting.await.unwrap().unwrap();
        let stored =
            world.devices.range(&world.manager, device.device.id, now.plus_secs(-60), now, &[], 100).await.unwrap();
        assert_eq!(stored.len(), 20);
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_makes_senders_wait_and_not_memory_grow() {
    each_with(
        |config| config.devices.ingest_queue_messages = 2,
        |world| async move {
            let device = world.device("meter").await;
            let known = world.login(&device).await;
            let now = world.now();
            let submissions = (0..500)
                .map(|number| world.devices.submit(&known, vec![sample(now.plus_millis(-number), &[("t", 1.0)])]));
            futures::future::try_join_all(submissions).await.unwrap();
            let count = async || {
                let range = world.devices.range(&world.manager, device.device.id, now.plus_secs(-60), now, &[], 1_000);
                range.await.unwrap().len()
            };
            eventually("all stored", || async { count().await == 500 }).await;
        },
    )
    .await;
}
