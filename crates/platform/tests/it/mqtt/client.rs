//! The server's client with the embedded broker.

use std::sync::Arc;

use bytes::Bytes;
use portico_model::{ErrorKind, OrganizationId};
use portico_platform::mqtt::{ClientOptions, MqttConfig, RelayHandler, Topics};
use tokio::sync::mpsc;

use super::raw::{Connect, PUBACK, Raw, packet, within};
use super::stand::{Mode, Recorder, RunningClient, Seen, Stand, device, key_of, topic};

#[tokio::test]
async fn message_is_not_acknowledged_before_it_is_stored_and_comes_again() {
    let mut stand = Stand::start().await;
    let client = stand.client().await;
    stand.recorder.mode.send_replace(Mode::Fail);
    let id = device();
    drop(Raw::connect(stand.addr, &Connect::v4(&id, &key_of(&id)).with_will(&topic(&id, "status"), "off")).await);
    for _ in 0..3 {
        stand.seen.attempt().await;
    }
    stand.seen.nothing_stored();
    // The client goes away without having acknowledged it, as when the program is killed.
    client.stop().await;
    stand.recorder.mode.send_replace(Mode::Store);
    let client = stand.client().await;
    assert_eq!(stand.seen.stored().await.payload.as_ref(), b"off");
    client.stop().await;

    // Acknowledged: it does not come again.
    let client = stand.client().await;
    client.publish("x", Bytes::from_static(b"x"), 1, false).await.unwrap();
    stand.seen.nothing_stored();
}

#[tokio::test]
async fn client_without_a_broker_says_so_and_works_again_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let stand = Stand::at("127.0.0.1:0".parse().unwrap(), MqttConfig::default(), Some(dir.path().to_owned())).await;
    let client = stand.client().await;
    client.publish("x", Bytes::from_static(b"1"), 1, false).await.unwrap();
    let addr = stand.addr;
    within("shutdown", stand.broker.shutdown()).await;
    client.ready(false).await;
    let error = client.publish("x", Bytes::from_static(b"2"), 1, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(stand);

    // A new broker has a new password for the server, so the old client stays out.
    let stand = Stand::at(addr, MqttConfig::default(), Some(dir.path().to_owned())).await;
    assert!(client.publish("x", Bytes::from_static(b"3"), 1, false).await.is_err());
    client.stop().await;
    let client = stand.client().await;
    client.publish("x", Bytes::from_static(b"4"), 1, false).await.unwrap();
}

/// A broker that does what the test says, with its end of the client's connection.
struct Scripted(tokio::net::TcpListener);

impl Scripted {
    async fn launch() -> (Self, RunningClient, Arc<Recorder>, Seen) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (recorder, seen) = Recorder::new();
        let options = ClientOptions {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            client_id: "portico".to_owned(),
            credentials: None,
            topics: Topics::default(),
            share_group: ClientOptions::SHARE_GROUP.to_owned(),
            relay: None,
        };
        let client = RunningClient::launch(options, Arc::clone(&recorder) as _);
        (Self(listener), client, recorder, seen)
    }

    /// Accepts the client, which subscribes; the broker remembers its session.
    async fn accept(&self) -> Raw {
        let (stream, _) = within("the client", self.0.accept()).await.unwrap();
        let mut raw = Raw::over(stream);
        raw.expect(1).await;
        raw.send(&[0x20, 2, 1, 0]).await;
        let subscribe = raw.expect(8).await;
        raw.send(&packet(0x90, &[subscribe.body[0], subscribe.body[1], 1, 1, 1, 1, 1])).await;
        raw
    }
}

#[tokio::test]
async fn acknowledgement_for_a_lost_connection_is_not_sent_on_the_next() {
    let (broker, client, recorder, mut seen) = Scripted::launch().await;
    recorder.mode.send_replace(Mode::Hold);
    let telemetry = topic(&device(), "telemetry");
    for payload in ["first", "second"] {
        let mut raw = broker.accept().await;
        client.ready(true).await;
        // The same packet id for another message.
        raw.publish(&telemetry, payload, 1, 1).await;
        assert_eq!(seen.attempt().await.payload.as_ref(), payload.as_bytes());
        if payload == "first" {
            drop(raw);
            client.ready(false).await;
            continue;
        }
        recorder.mode.send_replace(Mode::Store);
        assert_eq!(raw.expect(PUBACK).await.body, [0, 1]);
        raw.expect_silence().await;
    }
}

#[tokio::test]
async fn publication_that_was_not_acknowledged_is_reported_and_not_sent_again_by_itself() {
    let (broker, client, ..) = Scripted::launch().await;
    let mut raw = broker.accept().await;
    client.ready(true).await;
    let publishing = client.client.clone();
    let publication = tokio::spawn(async move { publishing.publish("x", Bytes::from_static(b"1"), 1, false).await });
    raw.expect(3).await;
    drop(raw);
    let error = within("the outcome", publication).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let mut raw = broker.accept().await;
    client.ready(true).await;
    let (published, ()) = tokio::join!(client.publish("x", Bytes::from_static(b"2"), 1, false), async {
        let message = raw.message().await;
        assert_eq!(message.payload, "2");
        raw.puback(message.id).await;
    });
    published.unwrap();
}

#[tokio::test]
async fn refused_subscription_is_tried_again() {
    let (broker, client, ..) = Scripted::launch().await;
    let (stream, _) = within("the client", broker.0.accept()).await.unwrap();
    let mut raw = Raw::over(stream);
    raw.expect(1).await;
    raw.send(&[0x20, 2, 0, 0]).await;
    let subscribe = raw.expect(8).await;
    raw.send(&packet(0x90, &[subscribe.body[0], subscribe.body[1], 1, 1, 0x80, 1, 1])).await;
    assert!(raw.next().await.is_none());
    assert!(!client.is_ready());
    let _raw = broker.accept().await;
    client.ready(true).await;
}

#[tokio::test]
async fn many_publications_at_once_are_all_acknowledged_and_arrive_in_order() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    let id = device();
    let mut raw = stand.v4(&id).await;
    assert_eq!(raw.subscribe(&topic(&id, "command"), 1).await, 1);
    let command = topic(&id, "command");
    let all = futures::future::join_all(
        (0..500).map(|number| client.publish(&command, Bytes::from(number.to_string()), 1, false)),
    );
    let reading = async {
        for number in 0..500 {
            let message = raw.message().await;
            assert_eq!(message.payload, number.to_string());
            raw.puback(message.id).await;
        }
    };
    let (results, ()) = within("all publications", futures::future::join(all, reading)).await;
    for result in results {
        result.unwrap();
    }
}

#[tokio::test]
async fn bad_topic_is_the_callers_mistake() {
    let stand = Stand::start().await;
    let client = stand.client().await;
    for topic in ["", "a/#", "+"] {
        let error = client.publish(topic, Bytes::new(), 1, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let error = client.publish("a", Bytes::new(), 3, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

struct Events(mpsc::UnboundedSender<(OrganizationId, Bytes)>);

impl RelayHandler for Events {
    fn receive(&self, organization: OrganizationId, event: Bytes) {
        let _ = self.0.send((organization, event));
    }
}

#[tokio::test]
async fn events_reach_the_other_servers_and_not_oneself() {
    let stand = Stand::start().await;
    let mut servers = Vec::new();
    for number in 0..3 {
        let (sender, receiver) = mpsc::unbounded_channel();
        let options = ClientOptions {
            host: "127.0.0.1".to_owned(),
            port: stand.addr.port(),
            client_id: format!("portico-{number}"),
            credentials: Some((stand.server.user_name.clone(), stand.server.password.clone())),
            topics: Topics::default(),
            share_group: ClientOptions::SHARE_GROUP.to_owned(),
            relay: Some(Arc::new(Events(sender))),
        };
        let client = RunningClient::launch(options, Recorder::new().0);
        client.ready(true).await;
        servers.push((client, receiver));
    }
    let organization = OrganizationId::generate();
    servers[0].0.relay(organization, b"first").unwrap();
    servers[1].0.relay(organization, b"second").unwrap();
    for (number, expected) in [(0, vec!["second"]), (1, vec!["first"]), (2, vec!["first", "second"])] {
        let mut got = Vec::new();
        for _ in &expected {
            let (from, event) = within("an event", servers[number].1.recv()).await.unwrap();
            assert_eq!(from, organization);
            got.push(String::from_utf8(event.to_vec()).unwrap());
        }
        got.sort();
        assert_eq!(got, expected);
        assert!(servers[number].1.try_recv().is_err());
    }
}

#[tokio::test]
async fn device_cannot_forge_events() {
    let stand = Stand::start().await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let options = ClientOptions {
        host: "127.0.0.1".to_owned(),
        port: stand.addr.port(),
        client_id: "portico-a".to_owned(),
        credentials: Some((stand.server.user_name.clone(), stand.server.password.clone())),
        topics: Topics::default(),
        share_group: ClientOptions::SHARE_GROUP.to_owned(),
        relay: Some(Arc::new(Events(sender))),
    };
    let client = RunningClient::launch(options, Recorder::new().0);
    client.ready(true).await;
    let mut raw = stand.v4(&device()).await;
    raw.publish(&Topics::default().events(OrganizationId::generate()), "0123456789abcdefforged", 1, 1).await;
    raw.expect(4).await;
    let organization = OrganizationId::generate();
    stand.client_named("portico-b").await.relay(organization, b"true").unwrap();
    let (_, event) = within("an event", events.recv()).await.unwrap();
    assert_eq!(event.as_ref(), b"true");
}
