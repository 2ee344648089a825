//! Publishing, subscribing, sessions, retained messages and wills, in MQTT 3.1.1 and 5.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portico_platform::Clock;
use portico_platform::mqtt::{BrokerOptions, MqttConfig, broker};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

use super::raw::{Connect, PUBACK, PUBCOMP, PUBREC, Raw, within};
use super::stand::{Stand, device, key_of, topic};

#[tokio::test]
async fn what_a_device_publishes_is_handed_over_once_and_acknowledged() {
    let mut stand = Stand::start().await;
    let mut connected = Vec::new();
    for level in [4, 5] {
        let id = device();
        let mut raw = Raw::connect(stand.addr, &Connect { level, ..Connect::v4(&id, &key_of(&id)) }).await;
        let telemetry = topic(&id, "telemetry");

        raw.publish(&telemetry, "zero", 0, 0).await;
        raw.publish(&telemetry, "one", 1, 7).await;
        assert_eq!(raw.expect(PUBACK).await.body[..2], [0, 7]);
        raw.publish(&telemetry, "two", 2, 8).await;
        assert_eq!(raw.expect(PUBREC).await.body[..2], [0, 8]);
        raw.pubrel(8).await;
        assert_eq!(raw.expect(PUBCOMP).await.body[..2], [0, 8]);

        for (payload, durable) in [("zero", false), ("one", true), ("two", true)] {
            let message = stand.seen.stored().await;
            assert_eq!((message.topic.as_str(), message.payload.as_ref()), (telemetry.as_str(), payload.as_bytes()));
            assert_eq!((message.durable, message.retained), (durable, false), "{payload}");
        }
        stand.seen.nothing_stored();
        raw.ping().await;
        connected.push(raw);
    }
    assert_eq!(stand.broker.connections(), 2);
}

#[tokio::test]
async fn device_gets_its_commands_with_the_quality_it_asked_for() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    for level in [4, 5] {
        for qos in [0, 1, 2] {
            let id = device();
            let mut raw = Raw::connect(stand.addr, &Connect { level, ..Connect::v4(&id, &key_of(&id)) }).await;
            assert_eq!(raw.subscribe(&topic(&id, "command"), qos).await, qos);
            client.publish(&topic(&id, "command"), Bytes::from_static(b"open"), 2, false).await.unwrap();
            let message = raw.message().await;
            assert_eq!((message.payload.as_str(), message.qos, message.retain), ("open", qos, false));
            match qos {
                1 => raw.puback(message.id).await,
                2 => {
                    raw.send(&super::raw::packet(0x50, &message.id.to_be_bytes())).await;
                    raw.expect(6).await;
                    raw.send(&super::raw::packet(0x70, &message.id.to_be_bytes())).await;
                }
                _ => {}
            }
            raw.ping().await;
        }
    }
}

#[tokio::test]
async fn retained_message_comes_at_every_subscription_until_it_is_cleared() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    let id = device();
    let desired = topic(&id, "desired");
    client.publish(&desired, Bytes::from_static(b"v1"), 1, true).await.unwrap();
    client.publish(&desired, Bytes::from_static(b"v2"), 1, true).await.unwrap();
    for level in [4, 5] {
        let mut raw = Raw::connect(stand.addr, &Connect { level, ..Connect::v4(&id, &key_of(&id)) }).await;
        assert_eq!(raw.subscribe(&desired, 1).await, 1);
        let message = raw.message().await;
        assert_eq!((message.payload.as_str(), message.retain), ("v2", true));
        raw.disconnect().await;
    }
    client.publish(&desired, Bytes::new(), 1, true).await.unwrap();
    let mut raw = stand.v4(&id).await;
    assert_eq!(raw.subscribe(&desired, 1).await, 1);
    raw.ping().await;
}

#[tokio::test]
async fn will_is_handed_over_when_the_connection_breaks_and_not_when_it_ends() {
    let mut stand = Stand::start().await;
    let _client = stand.client().await;
    for level in [4, 5] {
        let id = device();
        let status = topic(&id, "status");
        let connect = Connect { level, ..Connect::v4(&id, &key_of(&id)) };
        let raw = Raw::connect(stand.addr, &connect.clone().with_will(&status, "polite")).await;
        raw.disconnect().await;
        let raw = Raw::connect(stand.addr, &connect.with_will(&status, "offline")).await;
        drop(raw);
        let message = stand.seen.stored().await;
        assert_eq!((message.topic.as_str(), message.payload.as_ref()), (status.as_str(), b"offline".as_slice()));
        assert!(message.durable);
    }
    stand.seen.nothing_stored();
}

#[tokio::test]
async fn session_keeps_subscriptions_and_commands_while_the_device_is_away() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    for level in [4, 5] {
        let id = device();
        let connect = Connect { level, ..Connect::v4(&id, &key_of(&id)) }.keeping_session();
        let mut raw = Raw::open(stand.addr).await;
        assert_eq!(raw.try_connect(&connect).await, Some((0, false)));
        assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
        raw.disconnect().await;
        for payload in ["a", "b"] {
            client.publish(&topic(&id, "command"), payload.into(), 1, false).await.unwrap();
        }
        let mut raw = Raw::open(stand.addr).await;
        assert_eq!(raw.try_connect(&connect).await, Some((0, true)));
        for payload in ["a", "b"] {
            let message = raw.message().await;
            assert_eq!(message.payload, payload);
            raw.puback(message.id).await;
        }
        raw.disconnect().await;

        // A clean start forgets it.
        let mut raw = Raw::open(stand.addr).await;
        assert_eq!(raw.try_connect(&Connect { clean: true, ..connect.clone() }).await, Some((0, false)));
        client.publish(&topic(&id, "command"), Bytes::from_static(b"c"), 1, false).await.unwrap();
        raw.ping().await;
    }
}

#[tokio::test]
async fn unacknowledged_command_is_delivered_again() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    let id = device();
    let connect = Connect::v4(&id, &key_of(&id)).keeping_session();
    let mut raw = Raw::connect(stand.addr, &connect).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
    client.publish(&topic(&id, "command"), Bytes::from_static(b"open"), 1, false).await.unwrap();
    assert_eq!(raw.message().await.payload, "open");
    drop(raw);
    let mut raw = Raw::connect(stand.addr, &connect).await;
    assert_eq!(raw.message().await.payload, "open");
}

#[tokio::test]
async fn sessions_and_retained_messages_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let start = || Stand::at("127.0.0.1:0".parse().unwrap(), MqttConfig::default(), Some(dir.path().to_owned()));
    let id = device();
    let connect = Connect::v4(&id, &key_of(&id)).keeping_session();

    let stand = start().await;
    let client = stand.client().await;
    let mut raw = Raw::connect(stand.addr, &connect).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
    raw.disconnect().await;
    client.publish(&topic(&id, "command"), Bytes::from_static(b"waits"), 1, false).await.unwrap();
    client.publish(&topic(&id, "desired"), Bytes::from_static(b"kept"), 1, true).await.unwrap();
    client.stop().await;
    within("shutdown", stand.broker.shutdown()).await;
    drop(stand);

    let stand = start().await;
    let mut raw = Raw::open(stand.addr).await;
    assert_eq!(raw.try_connect(&connect).await, Some((0, true)));
    let message = raw.message().await;
    assert_eq!(message.payload, "waits");
    raw.puback(message.id).await;
    assert_eq!(raw.subscribe(&topic(&id, "desired"), 1).await, 1);
    assert_eq!(raw.message().await.payload, "kept");
}

/// A power cut may leave anything in them. What cannot be read is lost, but the broker starts.
#[tokio::test]
async fn damaged_files_do_not_stop_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("broker");
    let start = || Stand::at("127.0.0.1:0".parse().unwrap(), MqttConfig::default(), Some(storage.clone()));
    let id = device();
    let connect = Connect::v4(&id, &key_of(&id)).keeping_session();
    for damage in [b"".as_slice(), b"\0\0\0\0", b"{\"a\":", b"\xFF\xFE nonsense \xFF"] {
        let stand = start().await;
        let client = stand.client().await;
        let mut raw = Raw::connect(stand.addr, &connect).await;
        assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
        raw.disconnect().await;
        client.publish(&topic(&id, "command"), Bytes::from_static(b"waits"), 1, false).await.unwrap();
        client.publish(&topic(&id, "desired"), Bytes::from_static(b"kept"), 1, true).await.unwrap();
        client.stop().await;
        within("shutdown", stand.broker.shutdown()).await;
        drop(stand);
        let mut files = 0;
        let mut directories = vec![storage.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    std::fs::write(entry.path(), damage).unwrap();
                    files += 1;
                }
            }
        }
        assert!(files > 0);
    }
    let stand = start().await;
    Raw::connect(stand.addr, &connect).await.ping().await;
}

#[tokio::test]
async fn files_of_a_running_broker_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Some(dir.path().join("broker"));
    let mut stand = Stand::at("127.0.0.1:0".parse().unwrap(), MqttConfig::default(), storage.clone()).await;
    let options = BrokerOptions {
        config: MqttConfig { addr: "127.0.0.1:0".parse().unwrap(), ..MqttConfig::default() },
        storage,
        server: stand.server.clone(),
        clock: Clock::system(),
        authenticator: Arc::clone(&stand.keys) as _,
        handler: Arc::clone(&stand.recorder) as _,
    };
    let error = broker::start(options).await.err().unwrap();
    assert_eq!(error.code(), "mqtt_storage_in_use");
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 1, 1).await;
    raw.expect(PUBACK).await;
    stand.seen.stored().await;
}

/// The usual client library, as a device would use it.
#[tokio::test]
async fn rumqttc_3_1_1_works() {
    let mut stand = Stand::start().await;
    let server = stand.client().await;
    let id = device();
    let mut options = MqttOptions::new(&id, "127.0.0.1", stand.addr.port());
    options.set_credentials(&id, key_of(&id)).set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe(topic(&id, "command"), QoS::AtLeastOnce).await.unwrap();
    client.publish(topic(&id, "telemetry"), QoS::ExactlyOnce, false, "21.5").await.unwrap();
    let mut subscribed = false;
    within("a command", async {
        loop {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::SubAck(_)) => subscribed = true,
                Event::Incoming(Packet::PubComp(_)) => {
                    assert!(subscribed);
                    server.publish(&topic(&id, "command"), Bytes::from_static(b"open"), 1, false).await.unwrap();
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    assert_eq!(publish.payload.as_ref(), b"open");
                    return;
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"21.5");
}

#[tokio::test]
async fn rumqttc_5_works() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};

    let mut stand = Stand::start().await;
    let server = stand.client().await;
    let id = device();
    let mut options = MqttOptions::new(&id, "127.0.0.1", stand.addr.port());
    options.set_credentials(&id, key_of(&id)).set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe(topic(&id, "command"), QoS::AtLeastOnce).await.unwrap();
    client.publish(topic(&id, "telemetry"), QoS::AtLeastOnce, false, "21.5").await.unwrap();
    within("a command", async {
        loop {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::ConnAck(answer)) => {
                    let properties = answer.properties.unwrap();
                    assert_eq!(properties.receive_max, Some(stand.config.limits.receive_maximum));
                    assert_eq!(properties.subscription_identifiers_available, Some(0));
                }
                Event::Incoming(Packet::PubAck(_)) => {
                    server.publish(&topic(&id, "command"), Bytes::from_static(b"open"), 1, false).await.unwrap();
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    assert_eq!(publish.payload.as_ref(), b"open");
                    return;
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"21.5");
}

#[tokio::test]
async fn prefix_stands_in_front_of_every_topic() {
    let mut stand = Stand::with(MqttConfig { prefix: "site-1".to_owned(), ..MqttConfig::default() }).await;
    let client = stand.client().await;
    let id = device();
    let mut raw = stand.v4(&id).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 0x80);
    assert_eq!(raw.subscribe(&format!("site-1/{}", topic(&id, "command")), 1).await, 1);
    raw.publish(&format!("site-1/{}", topic(&id, "telemetry")), "x", 1, 1).await;
    raw.expect(PUBACK).await;
    assert_eq!(stand.seen.stored().await.topic, format!("site-1/{}", topic(&id, "telemetry")));
    client.publish(&format!("site-1/{}", topic(&id, "command")), Bytes::from_static(b"c"), 1, false).await.unwrap();
    assert_eq!(raw.message().await.payload, "c");
}
