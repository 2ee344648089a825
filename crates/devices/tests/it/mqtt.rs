use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use portico_model::DeviceId;
use portico_model::devices::{Connection, DeviceChange, DeviceStatus};
use portico_model::telemetry::Value;
use portico_platform::mqtt::{Inbound, MessageHandler, MqttPrincipal, TopicKind, Topics};

use crate::{World, each};

fn handler(world: &World) -> Arc<dyn MessageHandler> {
    world.devices.message_handler(Topics::default())
}

async fn send(world: &World, device: DeviceId, kind: TopicKind, payload: &[u8]) {
    let message = Inbound {
        topic: Topics::default().device(device, kind),
        payload: Bytes::copy_from_slice(payload),
        retained: false,
        durable: true,
        received_at: world.now(),
    };
    handler(world).handle(message).await.unwrap();
}

#[tokio::test]
async fn only_the_right_key_of_the_named_device_connects() {
    each(|world| async move {
        let (device, other) = (world.device("a").await, world.device("b").await);
        let authenticator = world.devices.mqtt_authenticator();
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let check = async |client: &str, user: &str, password: &[u8]| {
            authenticator.authenticate(client, user, password, address).await.unwrap()
        };
        let id = device.device.id.to_string();
        let key = device.api_key.as_bytes();
        let expected = MqttPrincipal::Device { organization: world.organization, device: device.device.id };
        assert_eq!(check(&id, &id, key).await, Some(expected));
        assert_eq!(check("other", &id, key).await, None);
        assert_eq!(check(&id, &id, other.api_key.as_bytes()).await, None);
        assert_eq!(check(&id, &id, b"").await, None);
        assert_eq!(check(&id, &id, b"\xff\xfe").await, None);
        let dashed = device.device.id.uuid().to_string();
        assert_eq!(check(&dashed, &dashed, key).await, None);
        for status in [DeviceStatus::Inactive, DeviceStatus::Maintenance] {
            let change = DeviceChange { status: Some(status), ..DeviceChange::default() };
            world.devices.update(&world.manager, device.device.id, change).await.unwrap();
            assert_eq!(check(&id, &id, key).await, None, "{status:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn telemetry_is_stored_when_the_handler_is_done() {
    each(|world| async move {
        let id = world.device("a").await.device.id;
        send(&world, id, TopicKind::Telemetry, br#"{"data":{"t":21.5,"open":true}}"#).await;
        let latest = world.devices.latest(&world.manager, id).await.unwrap();
        assert_eq!(latest[1].value, Value::Number(21.5));
        // Two messages in the same millisecond are two measurements; the same one with a time of its own is one.
        send(&world, id, TopicKind::Telemetry, br#"{"data":{"t":22}}"#).await;
        for _ in 0..2 {
            send(&world, id, TopicKind::Telemetry, br#"{"ts":"2026-11-21T01:00:00Z","data":{"t":1}}"#).await;
        }
        let (from, to) = (world.now().plus_secs(-7_200), world.now().plus_secs(1));
        let stored = world.devices.range(&world.manager, id, from, to, &["t".into()], 10).await.unwrap();
        assert_eq!(stored.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn bad_payloads_are_counted_sampled_and_acknowledged() {
    each(|world| async move {
        let id = world.device("a").await.device.id;
        for _ in 0..3 {
            send(&world, id, TopicKind::Telemetry, b"hello\0").await;
        }
        send(&world, id, TopicKind::Telemetry, &vec![b'x'; 1 << 20]).await;
        send(&world, id, TopicKind::Telemetry, br#"{"ts":"2100-01-01T00:00:00Z","data":{"t":1}}"#).await;
        send(&world, id, TopicKind::Telemetry, br#"[{"data":{"t":7}},{"data":{"t":[]}}]"#).await;
        send(&world, id, TopicKind::Status, b"{\"battery\":\"full\"}").await;
        world.devices.flush().await.unwrap();
        send(&world, id, TopicKind::Telemetry, b"hello").await;
        world.devices.flush().await.unwrap();
        let problems = world.devices.problems(&world.manager, id).await.unwrap();
        let shown: Vec<_> = problems.iter().map(|problem| (problem.code.as_str(), problem.count)).collect();
        assert_eq!(
            shown,
            [("bad_status", 1), ("not_json", 4), ("payload_too_large", 1), ("time_out_of_range", 1), ("wrong_type", 1)]
        );
        assert_eq!(problems[1].sample, "hello\u{fffd}");
        assert!(problems[2].sample.chars().count() <= 201);
        // The good one of two was kept, and the device counts as heard.
        assert_eq!(world.devices.latest(&world.manager, id).await.unwrap()[0].value, Value::Number(7.0));
        assert_eq!(world.devices.get(&world.manager, id).await.unwrap().connection, Connection::Online);
    })
    .await;
}

#[tokio::test]
async fn status_and_last_will_set_the_connection_and_diagnostics() {
    each(|world| async move {
        let id = world.device("a").await.device.id;
        send(
            &world,
            id,
            TopicKind::Status,
            br#"{"status":"online","issue":"no power","battery":80,"rssi":-60,"firmware":"1.2"}"#,
        )
        .await;
        let device = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!((device.connection, device.issue.as_str()), (Connection::Online, "no power"));
        assert_eq!(
            (device.battery_percent, device.rssi_dbm, device.firmware_version.as_str()),
            (Some(80.0), Some(-60.0), "1.2")
        );
        world.test.clock.advance_ms(1_000);
        send(&world, id, TopicKind::Status, b"offline").await;
        let device = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!((device.connection, device.issue.as_str()), (Connection::Offline, "no power"));
        world.test.clock.advance_ms(1_000);
        send(&world, id, TopicKind::Status, br#"{"status":"online"}"#).await;
        let device = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!(
            (device.connection, device.issue.as_str(), device.battery_percent),
            (Connection::Online, "", Some(80.0))
        );
    })
    .await;
}

#[tokio::test]
async fn an_inactive_device_is_not_stored_and_an_unknown_one_is_passed_over() {
    each(|world| async move {
        let id = world.device("a").await.device.id;
        let change = DeviceChange { status: Some(DeviceStatus::Inactive), ..DeviceChange::default() };
        world.devices.update(&world.manager, id, change).await.unwrap();
        send(&world, id, TopicKind::Telemetry, br#"{"data":{"t":1}}"#).await;
        send(&world, DeviceId::generate(), TopicKind::Telemetry, br#"{"data":{"t":1}}"#).await;
        world.devices.flush().await.unwrap();
        assert!(world.devices.latest(&world.manager, id).await.unwrap().is_empty());
        assert_eq!(world.devices.problems(&world.manager, id).await.unwrap()[0].code, "not_active");
    })
    .await;
}

#[tokio::test]
async fn the_will_of_a_device_that_was_never_heard_changes_nothing() {
    each(|world| async move {
        let id = world.device("meter").await.device.id;
        send(&world, id, TopicKind::Status, b"offline").await;
        let shown = world.devices.get(&world.manager, id).await.unwrap();
        assert_eq!((shown.connection, shown.last_seen_at), (Connection::Never, None));
        send(&world, id, TopicKind::Status, b"online").await;
        assert_eq!(world.devices.get(&world.manager, id).await.unwrap().connection, Connection::Online);
        send(&world, id, TopicKind::Status, b"offline").await;
        assert_eq!(world.devices.get(&world.manager, id).await.unwrap().connection, Connection::Offline);
    })
    .await;
}
