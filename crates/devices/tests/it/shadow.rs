use bytes::Bytes;
use portico_model::identity::Role;
use portico_model::shadow::{Shadow, ShadowChange};
use portico_model::{DeviceId, ErrorKind};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::{Actor, on_db};
use serde_json::{Value, json};

use crate::{World, each};

async fn report(world: &World, device: DeviceId, payload: &str) {
    let message = Inbound {
        topic: Topics::default().device(device, TopicKind::Reported),
        payload: Bytes::from(payload.to_owned()),
        retained: false,
        durable: true,
        received_at: world.now(),
    };
    world.devices.message_handler(Topics::default()).handle(message).await.unwrap();
}

/// What waits for the broker: payload and whether it is to be retained.
async fn outgoing(world: &World, device: DeviceId) -> Vec<(String, bool)> {
    let mut tx = world.platform.db.read().await.unwrap();
    let rows: Vec<(Vec<u8>, bool)> = on_db!(&mut tx, conn => sqlx::query_as(
        "select payload, retain from outbox where topic = $1 order by id",
    ).bind(Topics::default().device(device, TopicKind::Desired)).fetch_all(conn).await)
    .unwrap();
    rows.into_iter().map(|(payload, retain)| (String::from_utf8(payload).unwrap(), retain)).collect()
}

async fn want(world: &World, device: DeviceId, desired: Value, version: Option<i64>) -> Shadow {
    world.devices.change_desired(&world.manager, device, ShadowChange { desired, version }).await.unwrap()
}

#[tokio::test]
async fn wanted_state_is_retained_for_the_device_and_the_delta_closes_when_it_reports() {
    each(|world| async move {
        let id = world.device("lamp").await.device.id;
        assert_eq!(world.devices.shadow(&world.manager, id).await.unwrap(), Shadow::empty(id));
        let wanted = want(&world, id, json!({"led": {"on": true, "colour": "red"}, "old": 1}), Some(0)).await;
        assert_eq!((wanted.version, &wanted.delta), (1, &wanted.desired));
        let wanted = want(&world, id, json!({"led": {"colour": null}, "old": null}), Some(1)).await;
        assert_eq!((wanted.version, &wanted.desired), (2, &json!({"led": {"on": true}})));
        let messages = outgoing(&world, id).await;
        assert_eq!(messages.len(), 2);
        let (payload, retained) = &messages[1];
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_eq!((payload, *retained), (json!({"version": 2, "desired": {"led": {"on": true}}}), true));

        report(&world, id, r#"{"led": {"on": false}, "uptime": 5}"#).await;
        let shadow = world.devices.shadow(&world.manager, id).await.unwrap();
        assert_eq!((shadow.version, &shadow.delta), (2, &json!({"led": {"on": true}})));
        report(&world, id, r#"{"led": {"on": true}, "uptime": null}"#).await;
        let shadow = world.devices.shadow(&world.manager, id).await.unwrap();
        assert_eq!((&shadow.reported, &shadow.delta), (&json!({"led": {"on": true}}), &json!({})));
        assert_eq!(outgoing(&world, id).await.len(), 2, "a report is no change of what is wanted");
        // The same again is no change either.
        let same = want(&world, id, json!({"led": {"on": true}}), None).await;
        assert_eq!((same.version, outgoing(&world, id).await.len()), (2, 2));
        // Replaced as a whole.
        let change = ShadowChange { desired: json!({"fan": 1, "none": null}), version: Some(2) };
        let replaced = world.devices.replace_desired(&world.manager, id, change).await.unwrap();
        assert_eq!((replaced.version, replaced.desired), (3, json!({"fan": 1})));
    })
    .await;
}

#[tokio::test]
async fn who_was_slower_is_told_and_only_one_of_many_writers_of_a_version_wins() {
    each(|world| async move {
        let id = world.device("lamp").await.device.id;
        let tries = (0..8).map(|number| {
            let change = ShadowChange { desired: json!({ "writer": number }), version: Some(0) };
            let (devices, manager) = (world.devices.clone(), world.manager.clone());
            tokio::spawn(async move { devices.change_desired(&manager, id, change).await })
        });
        let mut won = 0;
        for attempt in futures(tries).await {
            match attempt {
                Ok(shadow) => {
                    won += 1;
                    assert_eq!(shadow.version, 1);
                }
                Err(error) => assert_eq!(error.code(), "shadow_version_conflict"),
            }
        }
        assert_eq!(won, 1);
    })
    .await;
}

async fn futures<T>(tasks: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn bad_documents_are_refused_and_bad_reports_are_problems() {
    each(|world| async move {
        let id = world.device("lamp").await.device.id;
        for desired in [json!([]), json!(1), json!({"a": "x".repeat(9_000)})] {
            let error = world
                .devices
                .change_desired(&world.manager, id, ShadowChange { desired, version: None })
                .await
                .unwrap_err();
            assert_eq!(error.field_errors()[0].field, "desired");
        }
        for payload in ["nonsense", "[1]", &format!("{{\"a\":\"{}\"}}", "x".repeat(9_000))] {
            report(&world, id, payload).await;
        }
        world.devices.flush().await.unwrap();
        let problems = world.devices.problems(&world.manager, id).await.unwrap();
        let mut codes: Vec<_> = problems.into_iter().map(|problem| problem.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["bad_report", "not_json", "payload_too_large"]);
        assert_eq!(world.devices.shadow(&world.manager, id).await.unwrap(), Shadow::empty(id));
    })
    .await;
}

#[tokio::test]
async fn shadow_is_for_those_who_see_the_device_and_its_owner_changes_it() {
    each(|world| async move {
        let ann = world.user("ann", Role::User).await;
        let id = world.device_of(&ann, "lamp").await.device.id;
        let bob = world.user("bob", Role::User).await;
        let safety = world.user("sam", Role::Safety).await;
        let other = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        let change = || ShadowChange { desired: json!({"on": true}), version: None };
        for (actor, kind) in
            [(&bob, ErrorKind::NotFound), (&safety, ErrorKind::Forbidden), (&other, ErrorKind::NotFound)]
        {
            assert_eq!(world.devices.change_desired(actor, id, change()).await.unwrap_err().kind(), kind);
        }
        assert_eq!(world.devices.shadow(&bob, id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(world.devices.shadow(&safety, id).await.is_ok());
        let connection = world.platform.hub.connect(&ann, 10).unwrap();
        let snapshot = connection.subscribe(&ann, &format!("shadow:{id}")).await.unwrap();
        connection.release(snapshot.slot);
        world.devices.change_desired(&ann, id, change()).await.unwrap();
        let mut out = Vec::new();
        connection.mailbox().take(&mut out, 10).await.unwrap();
        let portico_platform::hub::Outgoing::Frame(text) = &out[0] else { panic!("lagged") };
        let frame: Value = serde_json::from_str(text).unwrap();
        assert_eq!(frame["data"]["shadow"]["desired"], json!({"on": true}));
    })
    .await;
}

#[tokio::test]
async fn deleted_device_leaves_nothing_at_the_broker() {
    each(|world| async move {
        let (lamp, plain) = (world.device("lamp").await.device.id, world.device("plain").await.device.id);
        want(&world, lamp, json!({"on": true}), None).await;
        for id in [lamp, plain] {
            world.devices.delete(&world.manager, id).await.unwrap();
        }
        assert_eq!(outgoing(&world, lamp).await.last(), Some(&(String::new(), true)));
        assert!(outgoing(&world, plain).await.is_empty());
    })
    .await;
}
