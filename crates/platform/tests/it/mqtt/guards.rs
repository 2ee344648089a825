//! Clients that hold back, send too much or come too often: they cost themselves, not the others.

use std::time::{Duration, Instant};

use portico_platform::mqtt::{MqttConfig, MqttLimits};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncWriteExt;

use super::raw::{Connect, PUBREC, Raw, packet, within};
use super::stand::{Stand, device, key_of, topic};

fn limits(change: impl FnOnce(&mut MqttLimits)) -> MqttConfig {
    let mut config = MqttConfig::default();
    change(&mut config.limits);
    config
}

#[tokio::test]
async fn silent_client_is_hung_up_on_and_holds_up_nobody() {
    let stand = Stand::with(limits(|limits| limits.connect_timeout_ms = 500)).await;
    let started = Instant::now();
    let mut silent = Raw::open(stand.addr).await;
    stand.v4(&device()).await.ping().await;
    assert!(started.elapsed() < Duration::from_millis(500), "the other was held up");
    assert!(silent.next().await.is_none());
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn half_sent_connect_is_cut_at_the_limit_and_hung_up_on() {
    let stand = Stand::with(limits(|limits| limits.connect_timeout_ms = 500)).await;
    // 1.9 MB announced, within the limit of a packet.
    let mut connect = Connect::v4(&device(), "x").encode();
    connect.truncate(1);
    connect.extend([0xF0, 0xFC, 0x73]);
    let mut raw = Raw::open(stand.addr).await;
    raw.send(&connect).await;
    // What the broker does not read stays in the buffers of the two sockets, which are bounded too.
    let sent = within("the end", async {
        let mut sent = 0;
        while sent < 1_900_000 {
            match raw.stream.write(&[0; 4_096]).await {
                Ok(bytes) => sent += bytes,
                Err(_) => break,
            }
        }
        sent
    })
    .await;
    assert!(raw.next().await.is_none(), "still connected after {sent} bytes");
    stand.v4(&device()).await.ping().await;
}

#[tokio::test]
async fn places_before_authentication_are_limited() {
    let stand = Stand::with(limits(|limits| {
        limits.max_pending = 3;
        limits.connect_timeout_ms = 1_000;
    }))
    .await;
    let mut connected = Vec::new();
    for _ in 0..5 {
        connected.push(stand.v4(&device()).await);
    }
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(Raw::open(stand.addr).await);
    }
    // Accepting is in order, so the three have the places.
    let mut refused = Raw::open(stand.addr).await;
    assert!(refused.next().await.is_none());
    for raw in &mut connected {
        raw.ping().await;
    }
    for raw in &mut silent {
        assert!(raw.next().await.is_none());
    }
    stand.v4(&device()).await.ping().await;
}

#[tokio::test]
async fn connections_are_limited_in_all_and_per_address() {
    for config in [limits(|limits| limits.max_connections = 2), limits(|limits| limits.max_connections_per_address = 2)]
    {
        let stand = Stand::with(config).await;
        let mut first = stand.v4(&device()).await;
        let second = stand.v4(&device()).await;
        assert!(Raw::open(stand.addr).await.next().await.is_none());
        first.ping().await;
        second.disconnect().await;
        // The place is free when the broker has cleaned up behind the second.
        within("a free place", async {
            loop {
                let id = device();
                let mut raw = Raw::open(stand.addr).await;
                if raw.stream.write_all(&Connect::v4(&id, &key_of(&id)).encode()).await.is_ok()
                    && raw.next().await.is_some()
                {
                    return;
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn oversized_packet_ends_only_its_own_connection() {
    let mut stand = Stand::with(limits(|limits| limits.max_packet_bytes = 10_000)).await;
    let (id, other) = (device(), device());
    let mut bystander = stand.v4(&other).await;
    let mut raw = stand.v4(&id).await;
    let bytes = raw.publish_bytes(&topic(&id, "telemetry"), &[b'x'; 20_000], 1, 1, false);
    // The broker may hang up before it has all.
    let _ = raw.stream.write_all(&bytes).await;
    raw.expect_end().await;
    bystander.publish(&topic(&other, "telemetry"), "x", 1, 1).await;
    bystander.expect(4).await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"x");
    stand.seen.nothing_stored();
}

#[tokio::test]
async fn qos_2_without_release_is_limited() {
    let stand = Stand::with(limits(|limits| limits.receive_maximum = 4)).await;
    let id = device();
    let mut raw = stand.v5(&id).await;
    for number in 1..=4 {
        raw.publish(&topic(&id, "telemetry"), "x", 2, number).await;
        raw.expect(PUBREC).await;
    }
    raw.publish(&topic(&id, "telemetry"), "x", 2, 5).await;
    raw.expect_end().await;
}

#[tokio::test]
async fn same_device_again_replaces_its_connection() {
    let stand = Stand::start().await;
    for level in [4, 5] {
        let id = device();
        let connect = Connect { level, ..Connect::v4(&id, &key_of(&id)) };
        let mut raw = Raw::connect(stand.addr, &connect).await;
        for _ in 0..10 {
            let mut next = Raw::connect(stand.addr, &connect).await;
            raw.expect_end().await;
            next.ping().await;
            raw = next;
        }
    }
}

#[tokio::test]
async fn nonsense_does_no_harm() {
    let mut stand = Stand::with(limits(|limits| limits.connect_timeout_ms = 300)).await;
    let id = device();
    let mut bystander = stand.v4(&device()).await;
    let mut runner = TestRunner::deterministic();
    let bytes = proptest::collection::vec(any::<u8>(), 1..200);
    for number in 0..300 {
        let mut nonsense = bytes.new_tree(&mut runner).unwrap().current();
        let mut raw = if number % 3 == 0 {
            Raw::open(stand.addr).await
        } else {
            // Any packet type, a right length, nonsense inside.
            nonsense = packet(nonsense[0], &nonsense[1..]);
            stand.v5(&id).await
        };
        let _ = raw.stream.write_all(&nonsense).await;
        drop(raw);
    }
    bystander.ping().await;
    stand.v4(&id).await.ping().await;
    stand.seen.nothing_stored();
}
