//! Acknowledged means stored: also when storing takes long, fails, or the connection is no longer wanted meanwhile.

use std::time::Duration;

use portico_platform::mqtt::{MqttConfig, MqttLimits};

use super::raw::{Connect, PUBACK, PUBREC, Raw, within};
use super::stand::{Mode, Stand, device, key_of, topic};

fn store_timeout(milliseconds: u64) -> MqttConfig {
    MqttConfig {
        limits: MqttLimits { store_timeout_ms: milliseconds, ..MqttLimits::default() },
        ..MqttConfig::default()
    }
}

#[tokio::test]
async fn acknowledgement_waits_for_the_commit() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Hold);
    for (qos, acknowledgement) in [(1, PUBACK), (2, PUBREC)] {
        let id = device();
        let mut raw = stand.v4(&id).await;
        raw.publish(&topic(&id, "telemetry"), "x", qos, 1).await;
        stand.seen.attempt().await;
        raw.expect_silence().await;
        // The others go on: each connection waits for its own messages alone.
        stand.v4(&device()).await.ping().await;
        stand.recorder.mode.send_replace(Mode::Store);
        raw.expect(acknowledgement).await;
        stand.seen.stored().await;
        stand.recorder.mode.send_replace(Mode::Hold);
    }
}

#[tokio::test]
async fn many_messages_of_one_device_are_stored_at_once_and_acknowledged_in_order() {
    let mut stand = Stand::start().await;
    for level in [4, 5] {
        let id = device();
        let mut raw = Raw::connect(stand.addr, &Connect { level, ..Connect::v4(&id, &key_of(&id)) }).await;
        stand.recorder.mode.send_replace(Mode::HoldMarked);
        raw.publish(&topic(&id, "telemetry"), "hold", 1, 1).await;
        for number in 2..=20 {
            raw.publish(&topic(&id, "telemetry"), "x", 1, number).await;
        }
        for _ in 1..=20 {
            stand.seen.attempt().await;
        }
        for _ in 2..=20 {
            assert_eq!(stand.seen.stored().await.payload.as_ref(), b"x");
        }
        // Those behind the first are stored, but it is not their turn; and the connection is alive meanwhile.
        raw.ping().await;
        stand.recorder.mode.send_replace(Mode::Store);
        for number in 1..=20_u16 {
            assert_eq!(raw.expect(PUBACK).await.body[..2], number.to_be_bytes());
        }
        assert_eq!(stand.seen.stored().await.payload.as_ref(), b"hold");
        raw.ping().await;
    }
}

#[tokio::test]
async fn messages_beyond_the_limit_of_one_device_are_not_read() {
    let limits = MqttLimits { receive_maximum: 4, ..MqttLimits::default() };
    let mut stand = Stand::with(MqttConfig { limits, ..MqttConfig::default() }).await;
    stand.recorder.mode.send_replace(Mode::Hold);
    let id = device();
    let mut raw = stand.v4(&id).await;
    for number in 1..=10 {
        raw.publish(&topic(&id, "telemetry"), "x", 1, number).await;
    }
    for _ in 0..4 {
        stand.seen.attempt().await;
    }
    raw.expect_silence().await;
    assert!(stand.seen.attempts.try_recv().is_err());
    stand.recorder.mode.send_replace(Mode::Store);
    for number in 1..=10_u16 {
        assert_eq!(raw.expect(PUBACK).await.body, number.to_be_bytes());
    }
}

#[tokio::test]
async fn messages_beyond_the_limit_of_all_devices_are_not_read() {
    let limits = MqttLimits { max_unstored_bytes: 64 * 1024, ..MqttLimits::default() };
    let mut stand = Stand::with(MqttConfig { limits, ..MqttConfig::default() }).await;
    stand.recorder.mode.send_replace(Mode::Hold);
    let payload = "x".repeat(40 * 1024);
    let mut connections = Vec::new();
    for _ in 0..5 {
        let id = device();
        let mut raw = stand.v4(&id).await;
        raw.publish(&topic(&id, "telemetry"), &payload, 1, 1).await;
        connections.push(raw);
    }
    stand.seen.attempt().await;
    connections[0].expect_silence().await;
    assert!(stand.seen.attempts.try_recv().is_err());
    stand.recorder.mode.send_replace(Mode::Store);
    for raw in &mut connections {
        raw.expect(PUBACK).await;
    }
}

#[tokio::test]
async fn message_larger_than_the_limit_of_all_devices_is_stored_alone() {
    let limits = MqttLimits { max_unstored_bytes: 1024, ..MqttLimits::default() };
    let mut stand = Stand::with(MqttConfig { limits, ..MqttConfig::default() }).await;
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), &"x".repeat(1_000_000), 1, 1).await;
    raw.expect(PUBACK).await;
    assert_eq!(stand.seen.stored().await.payload.len(), 1_000_000);
}

#[tokio::test]
async fn acknowledgements_do_not_get_into_a_half_written_command() {
    let mut stand = Stand::start().await;
    let client = stand.client().await;
    let id = device();
    let mut raw = stand.v4(&id).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 0).await, 0);
    stand.recorder.mode.send_replace(Mode::Hold);
    for number in 1..=20 {
        raw.publish(&topic(&id, "telemetry"), "x", 1, number).await;
        stand.seen.attempt().await;
    }
    // Much larger than the sockets' buffers, and the device does not read: the broker is in the middle of one.
    let payload = bytes::Bytes::from(vec![b'@'; 1_500_000]);
    for _ in 0..20 {
        within("a command", client.publish(&topic(&id, "command"), payload.clone(), 1, false)).await.unwrap();
    }
    stand.recorder.mode.send_replace(Mode::Store);
    for _ in 0..20 {
        stand.seen.stored().await;
    }
    let (mut acknowledged, mut commands) = (0, 0);
    while acknowledged < 20 || commands < 20 {
        let packet = raw.next().await.unwrap();
        match packet.kind {
            PUBACK => {
                acknowledged += 1;
                assert_eq!(packet.body, [0, acknowledged]);
            }
            super::raw::PUBLISH => {
                commands += 1;
                assert!(packet.body[36..].iter().filter(|byte| **byte == b'@').count() >= payload.len());
                assert!(packet.body.ends_with(&payload));
            }
            other => panic!("packet {other}"),
        }
    }
}

#[tokio::test]
async fn failing_database_is_tried_again_before_the_acknowledgement() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Fail);
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 1, 1).await;
    for _ in 0..3 {
        stand.seen.attempt().await;
    }
    raw.expect_silence().await;
    stand.seen.nothing_stored();
    stand.recorder.mode.send_replace(Mode::Store);
    raw.expect(PUBACK).await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"x");
    stand.seen.nothing_stored();
}

#[tokio::test]
async fn message_that_cannot_be_stored_ends_the_connection_unacknowledged() {
    let mut stand = Stand::with(store_timeout(300)).await;
    let _client = stand.client().await;
    for mode in [Mode::Fail, Mode::Hold] {
        for qos in [1, 2] {
            stand.recorder.mode.send_replace(mode);
            let id = device();
            let connect = Connect::v4(&id, &key_of(&id)).keeping_session();
            let mut raw = Raw::connect(stand.addr, &connect).await;
            raw.publish(&topic(&id, "telemetry"), "x", qos, 1).await;
            raw.expect_end().await;
            stand.seen.nothing_stored();
            // It comes back and sends it again.
            stand.recorder.mode.send_replace(Mode::Store);
            let mut raw = Raw::connect(stand.addr, &connect).await;
            raw.publish(&topic(&id, "telemetry"), "x", qos, 1).await;
            raw.expect(if qos == 1 { PUBACK } else { PUBREC }).await;
            stand.seen.stored().await;
        }
    }
}

#[tokio::test]
async fn unacknowledged_message_with_qos_0_is_dropped_when_storing_fails() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Fail);
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 0, 0).await;
    stand.seen.attempt().await;
    raw.ping().await;
    stand.recorder.mode.send_replace(Mode::Store);
    raw.publish(&topic(&id, "telemetry"), "y", 0, 0).await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"y");
}

#[tokio::test]
async fn revocation_ends_a_connection_whose_message_is_being_stored() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Hold);
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 1, 1).await;
    stand.seen.attempt().await;
    stand.broker.disconnect_client(&id);
    raw.expect_end().await;
}

#[tokio::test]
async fn device_that_comes_back_while_its_message_is_being_stored_is_served() {
    let mut stand = Stand::start().await;
    let id = device();
    for (level, qos) in [(4, 1), (5, 1), (4, 2), (5, 2)] {
        stand.recorder.mode.send_replace(Mode::Hold);
        let connect = Connect { level, ..Connect::v4(&id, &key_of(&id)) }.keeping_session();
        let mut raw = Raw::connect(stand.addr, &connect).await;
        raw.publish(&topic(&id, "telemetry"), "x", qos, 1).await;
        stand.seen.attempt().await;
        let mut again = Raw::connect(stand.addr, &connect).await;
        raw.expect_end().await;
        again.publish(&topic(&id, "telemetry"), "x", qos, 1).await;
        stand.seen.attempt().await;
        stand.recorder.mode.send_replace(Mode::Store);
        again.expect(if qos == 1 { PUBACK } else { PUBREC }).await;
        stand.seen.stored().await;
    }
}

#[tokio::test]
async fn shutdown_lets_a_message_that_is_being_stored_finish() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Hold);
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 1, 1).await;
    stand.seen.attempt().await;
    let broker = stand.broker.clone();
    let shutdown = tokio::spawn(async move { broker.shutdown().await });
    // The listener is closed at once.
    within("the listener's end", async {
        while tokio::net::TcpStream::connect(stand.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stand.recorder.mode.send_replace(Mode::Store);
    raw.expect(PUBACK).await;
    within("shutdown", shutdown).await.unwrap();
    raw.expect_end().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let mut stand = Stand::start().await;
    stand.recorder.mode.send_replace(Mode::Hold);
    let id = device();
    let mut raw = stand.v4(&id).await;
    raw.publish(&topic(&id, "telemetry"), "x", 1, 1).await;
    stand.seen.attempt().await;
    within("shutdown", stand.broker.shutdown()).await;
    raw.expect_end().await;
    stand.seen.nothing_stored();
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn subscriber_that_does_not_read_costs_a_bounded_memory() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    let id = device();
    let mut stuck = Raw::connect(stand.addr, &Connect::v4(&id, &key_of(&id)).keeping_session()).await;
    assert_eq!(stuck.subscribe(&topic(&id, "command"), 1).await, 1);
    let before = resident_bytes();
    let payload = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    let started = std::time::Instant::now();
    for _ in 0..2_000 {
        within("a publication", client.publish(&topic(&id, "command"), payload.clone(), 1, false)).await.unwrap();
    }
    // 131 MB were sent.
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "grown by {grown} bytes in {:?}", started.elapsed());
    stand.v4(&device()).await.ping().await;
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn queue_of_a_device_that_is_away_is_bounded() {
    let limits = MqttLimits { max_queued_messages: 10, ..MqttLimits::default() };
    let stand = Stand::with(MqttConfig { limits, ..MqttConfig::default() }).await;
    let client = stand.client().await;
    let id = device();
    let connect = Connect::v4(&id, &key_of(&id)).keeping_session();
    let mut raw = Raw::connect(stand.addr, &connect).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
    raw.disconnect().await;
    for number in 0..30 {
        client.publish(&topic(&id, "command"), number.to_string().into(), 1, false).await.unwrap();
    }
    let mut raw = Raw::connect(stand.addr, &connect).await;
    let mut got = 0;
    raw.send(&[0xC0, 0]).await;
    // The answer to the ping may overtake them; then another one asks again.
    while let Some(packet) = raw.next().await {
        if packet.kind == super::raw::PUBLISH {
            got += 1;
            assert!(got <= 10, "more than the limit was kept");
        } else if got > 0 {
            break;
        } else {
            raw.send(&[0xC0, 0]).await;
        }
    }
    assert!(got > 0);
}
