use std::time::Duration;

use portico_model::ErrorKind;
use portico_model::devices::DeviceChange;
use portico_model::groups::NewGroup;
use portico_model::identity::Role;
use portico_platform::Actor;
use portico_platform::hub::{Connection, Outgoing};
use portico_platform::testing::insert_user;
use serde_json::Value;

use crate::{World, each, sample};

/// A connection that follows these topics.
async fn follow(world: &World, actor: &Actor, topics: &[&str]) -> Connection {
    let connection = world.platform.hub.connect(actor, 10).unwrap();
    for topic in topics {
        let snapshot = connection.subscribe(actor, topic).await.unwrap();
        connection.release(snapshot.slot);
    }
    connection
}

/// The types of the events that came within a moment, with their topics.
async fn events(connection: &Connection, least: usize) -> Vec<(String, Value)> {
    let mut frames = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(if least == 0 { 1 } else { 10 });
    while least == 0 || frames.len() < least {
        let mut out = Vec::new();
        match tokio::time::timeout_at(deadline, connection.mailbox().take(&mut out, 100)).await {
            Ok(taken) => taken.unwrap(),
            Err(_) => break,
        }
        for outgoing in out {
            let Outgoing::Frame(text) = outgoing else { panic!("lagged") };
            let frame: Value = serde_json::from_str(&text).unwrap();
            frames.push((frame["topic"].as_str().unwrap_or_default().to_owned(), frame["data"].clone()));
        }
    }
    frames
}

#[tokio::test]
async fn telemetry_is_pushed_after_the_commit_to_those_who_may_see_it() {
    each(|world| async move {
        let ann = world.user("ann", Role::User).await;
        let device = world.device_of(&ann, "meter").await;
        let topic = format!("telemetry:{}", device.device.id);
        let follower = follow(&world, &ann, &[&topic]).await;
        let now = world.now();
        world.submit(&device, vec![sample(now, &[("t", 2.0)]), sample(now.plus_secs(-1), &[("t", 1.0)])]).await;
        let got = events(&follower, 1).await;
        assert_eq!(got[0].1["type"], "telemetry");
        let times: Vec<_> =
            got[0].1["samples"].as_array().unwrap().iter().map(|sample| sample["data"]["t"].clone()).collect();
        assert_eq!(times, [1.0, 2.0]);
        // A message delivered again is no news.
        world.submit(&device, vec![sample(now, &[("t", 2.0)])]).await;
        assert!(events(&follower, 0).await.is_empty());

        let bob = world.user("bob", Role::User).await;
        let other = world.test.other_organization().await;
        let eve = insert_user(&world.platform, other, "eve", Role::Admin).await;
        for stranger in [&bob, &eve] {
            let connection = world.platform.hub.connect(stranger, 10).unwrap();
            for topic in [topic.clone(), format!("device:{}", device.device.id), "telemetry:nonsense".into()] {
                let refused = connection.subscribe(stranger, &topic).await.err().unwrap();
                assert_eq!(refused.kind(), ErrorKind::NotFound, "{topic}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn changes_reach_the_owner_and_those_who_see_all_and_nobody_else() {
    each(|world| async move {
        let (ann, bob) = (world.user("ann", Role::User).await, world.user("bob", Role::User).await);
        let (of_ann, of_bob) = (follow(&world, &ann, &["devices"]).await, follow(&world, &bob, &["devices"]).await);
        let of_manager = follow(&world, &world.manager, &["devices"]).await;
        let device = world.device_of(&ann, "meter").await;
        let id = device.device.id;
        let change = DeviceChange { location: Some("roof".into()), ..DeviceChange::default() };
        world.devices.update(&ann, id, change).await.unwrap();
        let known = world.login(&device).await;
        world.devices.heartbeat(&known).await.unwrap();
        world.devices.delete(&ann, id).await.unwrap();
        for connection in [&of_ann, &of_manager] {
            let types: Vec<_> = events(connection, 4).await.into_iter().map(|(_, data)| data["type"].clone()).collect();
            assert_eq!(types, ["device_changed", "device_changed", "device_connection", "device_deleted"]);
        }
        assert!(events(&of_bob, 0).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn going_offline_is_pushed() {
    each(|world| async move {
        let device = world.device("meter").await;
        let known = world.login(&device).await;
        world.devices.heartbeat(&known).await.unwrap();
        let topic = format!("device:{}", device.device.id);
        let follower = follow(&world, &world.manager, &[&topic]).await;
        world.test.clock.advance_ms(10 * 60_000);
        world.devices.watch_once().await.unwrap();
        let got = events(&follower, 1).await;
        assert_eq!((&got[0].1["type"], &got[0].1["connection"]), (&"device_connection".into(), &"offline".into()));
    })
    .await;
}

#[tokio::test]
async fn changes_of_a_group_reach_those_who_see_it() {
    each(|world| async move {
        let (ann, bob) = (world.user("ann", Role::User).await, world.user("bob", Role::User).await);
        let device = world.device_of(&ann, "meter").await.device.id.to_string();
        let (hers, his) = (follow(&world, &ann, &["groups"]).await, follow(&world, &bob, &["groups"]).await);
        let managers = follow(&world, &world.manager, &["groups"]).await;
        let new = NewGroup { name: "Hall".into(), ..NewGroup::default() };
        let id = world.devices.create_group(&ann, new).await.unwrap().id;
        world.devices.add_to_group(&ann, id, &device).await.unwrap();
        world.devices.delete_group(&ann, id).await.unwrap();
        for follower in [&hers, &managers] {
            let kinds: Vec<_> = events(follower, 3).await.into_iter().map(|(_, data)| data["type"].clone()).collect();
            assert_eq!(kinds, ["group_changed", "group_changed", "group_deleted"]);
        }
        assert!(events(&his, 0).await.is_empty());
    })
    .await;
}
