use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portico_model::identity::Role;
use portico_model::live::ServerMessage;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::actor::Principal;

/// Every topic is open to everyone, but those of `secret`; the snapshot is the topic itself.
#[derive(Default)]
struct Topics {
    snapshot_fails: AtomicBool,
}

fn organization() -> OrganizationId {
    OrganizationId::from_uuid(uuid::Uuid::from_u128(1))
}

impl TopicSource for Topics {
    fn owns(&self, topic: &str) -> bool {
        !topic.starts_with("unknown")
    }

    fn resolve<'a>(&'a self, _actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            if topic.starts_with("secret") {
                return Err(Error::not_found("not_found", "no"));
            }
            Ok(Channel::new(organization(), &topic.to_lowercase()))
        })
    }

    fn snapshot<'a>(&'a self, _actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            if self.snapshot_fails.load(Ordering::SeqCst) {
                return Err(Error::unavailable("database_unavailable", "away"));
            }
            Ok(json!(topic))
        })
    }
}

fn hub() -> (Hub, Arc<Topics>) {
    let (hub, topics) = (Hub::default(), Arc::new(Topics::default()));
    hub.register(topics.clone());
    (hub, topics)
}

fn user(number: u128) -> Actor {
    Actor {
        organization: organization(),
        principal: Principal::User {
            id: UserId::from_uuid(uuid::Uuid::from_u128(number)),
            name: "ann".into(),
            role: Role::User,
            session: SessionId::from_uuid(uuid::Uuid::from_u128(number + 1_000)),
        },
        address: String::new(),
        request_id: String::new(),
    }
}

fn publication(topic: &str, delivery: Delivery) -> Publication {
    let id = DeviceId::from_uuid(uuid::Uuid::from_u128(7));
    let event = Event::DeviceDeleted { id };
    Publication { channels: vec![Channel::new(organization(), topic)], event, delivery }
}

async fn follow(connection: &Connection, topic: &str) -> u64 {
    let snapshot = connection.subscribe(&user(1), topic).await.unwrap();
    connection.release(snapshot.slot);
    snapshot.seq
}

/// What waits now, as the client reads it.
async fn taken(connection: &Connection) -> Vec<ServerMessage<Value>> {
    let mut out = Vec::new();
    let _ = tokio::time::timeout(Duration::ZERO, connection.mailbox().take(&mut out, usize::MAX)).await;
    out.into_iter()
        .map(|outgoing| match outgoing {
            Outgoing::Frame(text) => serde_json::from_str(&text).unwrap(),
            Outgoing::Lagged { topic, dropped, seq } => {
                ServerMessage::Lagged { topic: topic.to_string(), dropped, seq }
            }
            Outgoing::Resync { topic } => ServerMessage::Resync { topic: topic.to_string() },
        })
        .collect()
}

fn seqs(messages: &[ServerMessage<Value>]) -> Vec<u64> {
    messages
        .iter()
        .filter_map(|message| if let ServerMessage::Event { seq, .. } = message { Some(*seq) } else { None })
        .collect()
}

#[tokio::test]
async fn frame_is_what_the_model_reads() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    assert_eq!(follow(&connection, "odd\"topic\\").await, 0);
    hub.publish(publication("odd\"topic\\", Delivery::Every));
    let data = json!({"type": "device_deleted", "id": "00000000000000000000000000000007"});
    assert_eq!(taken(&connection).await, [ServerMessage::Event { topic: "odd\"topic\\".into(), seq: 1, data }]);
}

#[tokio::test]
async fn event_is_shared_by_all_receivers_and_each_hears_its_own_spelling() {
    let (hub, _) = hub();
    let connections: Vec<Connection> = (0..3).map(|_| hub.connect(&user(1), 9).unwrap()).collect();
    follow(&connections[0], "device:ab").await;
    follow(&connections[1], "device:ab").await;
    follow(&connections[2], "device:AB").await;
    hub.publish(publication("device:ab", Delivery::Every));
    let mut out = Vec::new();
    for connection in &connections {
        connection.mailbox().take(&mut out, usize::MAX).await.unwrap();
    }
    let texts: Vec<&Utf8Bytes> = out
        .iter()
        .map(|outgoing| if let Outgoing::Frame(text) = outgoing { text } else { panic!("a frame") })
        .collect();
    assert_eq!(texts[0].as_str().as_ptr(), texts[1].as_str().as_ptr(), "one allocation");
    assert!(texts[2].contains(r#""topic":"device:AB""#), "{}", texts[2]);
}

#[tokio::test]
async fn nothing_is_kept_for_channels_nobody_follows() {
    let (hub, _) = hub();
    let channel = Channel::new(organization(), "devices");
    hub.publish(publication("devices", Delivery::Every));
    assert!(!hub.is_followed(&channel));
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "devices").await;
    assert!(hub.is_followed(&channel));
    connection.unsubscribe("devices");
    assert!(!hub.is_followed(&channel));
    follow(&connection, "devices").await;
    drop(connection);
    assert!(!hub.is_followed(&channel));
}

#[tokio::test]
async fn events_wait_for_the_snapshot() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    let snapshot = connection.subscribe(&user(1), "devices").await.unwrap();
    hub.publish(publication("devices", Delivery::Every));
    assert!(taken(&connection).await.is_empty());
    connection.release(snapshot.slot);
    assert_eq!(seqs(&taken(&connection).await), [1]);
}

#[tokio::test]
async fn subscribing_again_continues_the_numbers_and_drops_what_the_snapshot_includes() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "devices").await;
    for _ in 0..3 {
        hub.publish(publication("devices", Delivery::Every));
    }
    assert_eq!(follow(&connection, "devices").await, 0, "the last follower left in between: numbers begin again");
    hub.publish(publication("devices", Delivery::Every));
    assert_eq!(seqs(&taken(&connection).await), [1]);

    let other = hub.connect(&user(1), 9).unwrap();
    assert_eq!(follow(&other, "devices").await, 1);
    hub.publish(publication("devices", Delivery::Every));
    assert_eq!(follow(&connection, "devices").await, 2);
    hub.publish(publication("devices", Delivery::Every));
    assert_eq!(seqs(&taken(&connection).await), [3]);
    assert_eq!(seqs(&taken(&other).await), [2, 3]);
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_followed() {
    let (hub, topics) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    assert_eq!(connection.subscribe(&user(1), "secret").await.unwrap_err().code(), "not_found");
    assert_eq!(connection.subscribe(&user(1), "unknown").await.unwrap_err().code(), "unknown_topic");
    topics.snapshot_fails.store(true, Ordering::SeqCst);
    assert_eq!(connection.subscribe(&user(1), "devices").await.unwrap_err().code(), "database_unavailable");
    assert_eq!(connection.topic_count(), 0);
    assert!(!hub.is_followed(&Channel::new(organization(), "devices")));
}

#[tokio::test]
async fn slow_client_loses_telemetry_is_told_how_much_and_gets_the_newest() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "telemetry").await;
    for _ in 0..1_000 {
        hub.publish(publication("telemetry", Delivery::Latest));
    }
    let messages = taken(&connection).await;
    let mut expected = 0;
    for message in &messages {
        match message {
            ServerMessage::Lagged { dropped, seq, .. } => {
                expected += dropped;
                assert_eq!(*seq, expected);
            }
            ServerMessage::Event { seq, .. } => {
                expected += 1;
                assert_eq!(*seq, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(expected, 1_000, "every event is either there or counted");
    assert!(messages.len() < 20, "{}", messages.len());
    assert_eq!(seqs(&messages).last(), Some(&1_000));
}

#[tokio::test]
async fn short_burst_is_not_lag() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "telemetry").await;
    for _ in 0..10 {
        hub.publish(publication("telemetry", Delivery::Latest));
    }
    assert_eq!(seqs(&taken(&connection).await), (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn state_changes_are_never_left_out_silently() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "devices").await;
    follow(&connection, "device:1").await;
    hub.publish(publication("device:1", Delivery::Every));
    for _ in 0..5_000 {
        hub.publish(publication("devices", Delivery::Every));
    }
    let messages = taken(&connection).await;
    assert_eq!(seqs(&messages), [1], "the other topic is not touched");
    let resyncs =
        messages.iter().filter(|message| matches!(message, ServerMessage::Resync { topic } if topic == "devices"));
    assert_eq!(resyncs.count(), 1);
    hub.publish(publication("devices", Delivery::Every));
    assert!(taken(&connection).await.is_empty(), "nothing more until subscribed again");
    let seq = follow(&connection, "devices").await;
    hub.publish(publication("devices", Delivery::Every));
    assert_eq!(seqs(&taken(&connection).await), [seq + 1]);
}

#[tokio::test]
async fn telemetry_flood_does_not_touch_state_changes() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    for number in 0..100 {
        follow(&connection, &format!("telemetry:{number}")).await;
    }
    follow(&connection, "devices").await;
    for round in 0..500 {
        hub.publish(publication("devices", Delivery::Every));
        hub.publish(publication(&format!("telemetry:{}", round % 100), Delivery::Latest));
    }
    let messages = taken(&connection).await;
    let devices: Vec<u64> = messages
        .iter()
        .filter_map(|m| {
            if let ServerMessage::Event { topic, seq, .. } = m { (topic == "devices").then_some(*seq) } else { None }
        })
        .collect();
    assert_eq!(devices, (1..=500).collect::<Vec<_>>());
}

#[tokio::test]
async fn state_change_within_telemetry_survives_the_lag() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "device:1").await;
    for _ in 0..100 {
        hub.publish(publication("device:1", Delivery::Latest));
    }
    hub.publish(publication("device:1", Delivery::Every));
    for _ in 0..100 {
        hub.publish(publication("device:1", Delivery::Latest));
    }
    let messages = taken(&connection).await;
    assert!(seqs(&messages).contains(&101));
    assert_eq!(seqs(&messages).last(), Some(&201));
}

#[tokio::test]
async fn ended_session_ends_its_connections_and_no_others() {
    let (hub, _) = hub();
    let (mine, other) = (hub.connect(&user(1), 9).unwrap(), hub.connect(&user(2), 9).unwrap());
    hub.close_session(user(1).session_id().unwrap());
    assert_eq!(mine.mailbox().take(&mut Vec::new(), 1).await, Err(CloseReason::SessionEnded));
    assert!(taken(&other).await.is_empty());
    let third = hub.connect(&user(3), 9).unwrap();
    hub.reconnect_user(user(3).user_id().unwrap());
    assert_eq!(third.mailbox().take(&mut Vec::new(), 1).await, Err(CloseReason::RightsChanged));
    hub.close_user(user(2).user_id().unwrap());
    assert_eq!(other.mailbox().take(&mut Vec::new(), 1).await, Err(CloseReason::SessionEnded));
}

#[tokio::test]
async fn user_has_so_many_connections_and_no_more() {
    let (hub, _) = hub();
    let held: Vec<Connection> = (0..3).map(|_| hub.connect(&user(1), 3).unwrap()).collect();
    assert_eq!(hub.connect(&user(1), 3).err().unwrap().code(), "too_many_connections");
    assert!(hub.connect(&user(2), 3).is_ok());
    assert_eq!(hub.connections_of(user(1).user_id().unwrap()), 3);
    drop(held);
    assert!(hub.connect(&user(1), 3).is_ok());
}

#[tokio::test]
async fn other_servers_hear_what_happens_here_and_do_not_echo_it() {
    let ((here, _), (there, _)) = (hub(), hub());
    let (relay, mut queue) = relay_queue(8);
    here.set_relay(relay);
    let connection = there.connect(&user(1), 9).unwrap();
    follow(&connection, "devices").await;
    here.publish(publication("devices", Delivery::Every));
    here.close_user(user(1).user_id().unwrap());

    let sent = queue.next().await.unwrap();
    let text = serde_json::to_string(&sent).unwrap();
    assert_eq!(serde_json::from_str::<Relayed>(&text).unwrap(), sent);
    there.receive(sent);
    assert_eq!(seqs(&taken(&connection).await), [1]);
    there.receive(queue.next().await.unwrap());
    assert!(connection.mailbox().take(&mut Vec::new(), 1).await.is_err());
}

#[tokio::test]
async fn overflowing_relay_makes_the_others_fetch_snapshots() {
    let ((here, _), (there, _)) = (hub(), hub());
    let (relay, mut queue) = relay_queue(2);
    here.set_relay(relay);
    let connection = there.connect(&user(1), 9).unwrap();
    follow(&connection, "devices").await;
    for _ in 0..5 {
        here.publish(publication("devices", Delivery::Every));
    }
    let first = queue.next().await.unwrap();
    assert_eq!(first, Relayed::Missed);
    there.receive(first);
    assert_eq!(taken(&connection).await, [ServerMessage::Resync { topic: "devices".into() }]);
    assert!(matches!(queue.next().await, Some(Relayed::Publication(_))));
}

#[tokio::test]
async fn followers_of_a_channel_can_be_made_to_ask_again() {
    let (hub, _) = hub();
    let connection = hub.connect(&user(1), 9).unwrap();
    follow(&connection, "device:1").await;
    hub.resync_channel(&Channel::new(organization(), "device:1"));
    assert_eq!(taken(&connection).await, [ServerMessage::Resync { topic: "device:1".into() }]);
}

/// What several threads do at the same time.
#[derive(Debug, Clone)]
enum Step {
    Publish { topic: u8, delivery: Delivery },
    Follow { topic: u8 },
    Unfollow { topic: u8 },
    Take { most: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let delivery = prop_oneof![Just(Delivery::Every), Just(Delivery::Latest)];
    prop_oneof![
        6 => (0..3_u8, delivery).prop_map(|(topic, delivery)| Step::Publish { topic, delivery }),
        1 => (0..3_u8).prop_map(|topic| Step::Follow { topic }),
        1 => (0..3_u8).prop_map(|topic| Step::Unfollow { topic }),
        2 => (1..40_usize).prop_map(|most| Step::Take { most }),
    ]
}

/// A client that checks the promise of the protocol: after a snapshot at `seq` come `seq + 1`, `seq + 2`, …, and what is
/// missing is announced.
#[derive(Default)]
struct Checker {
    expected: BTreeMap<String, Option<u64>>,
}

impl Checker {
    fn hear(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Resync { topic } => {
                self.expected.insert(topic.to_string(), None);
            }
            Outgoing::Lagged { topic, dropped, seq } => {
                let next = self.expected.get(&*topic).copied().flatten().expect("a topic that is followed");
                assert_eq!(next + dropped, seq + 1, "the notice tells exactly what is missing");
                self.expected.insert(topic.to_string(), Some(seq + 1));
            }
            Outgoing::Frame(text) => {
                let ServerMessage::Event { topic, seq, .. } =
                    serde_json::from_str::<ServerMessage<Value>>(&text).unwrap()
                else {
                    panic!("{text}")
                };
                let next = self.expected.get(&topic).copied().flatten().expect("a topic that is followed");
                assert_eq!(seq, next, "neither gap nor repetition");
                self.expected.insert(topic, Some(seq + 1));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_client_gets_each_topic_in_order_without_silent_gaps(
        scripts in prop::collection::vec(prop::collection::vec(step(), 1..120), 1..4),
        noise in prop::collection::vec((0..3_u8, any::<bool>()), 0..400),
    ) {
        let (hub, _) = hub();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
        runtime.block_on(async {
            let publisher = tokio::spawn({
                let hub = hub.clone();
                async move {
                    for (topic, every) in noise {
                        let delivery = if every { Delivery::Every } else { Delivery::Latest };
                        hub.publish(publication(&format!("t{topic}"), delivery));
                        tokio::task::yield_now().await;
                    }
                }
            });
            let clients: Vec<_> = scripts.into_iter().map(|script| {
                let hub = hub.clone();
                tokio::spawn(async move {
                    let (connection, mut checker) = (hub.connect(&user(1), 99).unwrap(), Checker::default());
                    for step in script {
                        match step {
                            Step::Publish { topic, delivery } => hub.publish(publication(&format!("t{topic}"), delivery)),
                            Step::Unfollow { topic } => {
                                connection.unsubscribe(&format!("t{topic}"));
                                checker.expected.remove(&format!("t{topic}"));
                            }
                            Step::Follow { topic } => {
                                let topic = format!("t{topic}");
                                let snapshot = connection.subscribe(&user(1), &topic).await.unwrap();
                                checker.expected.insert(topic, Some(snapshot.seq + 1));
                                connection.release(snapshot.slot);
                            }
                            Step::Take { most } => {
                                let mut out = Vec::new();
                                let _ = tokio::time::timeout(Duration::ZERO, connection.mailbox().take(&mut out, most)).await;
                                out.into_iter().for_each(|outgoing| checker.hear(outgoing));
                            }
                        }
                    }
                })
            }).collect();
            for client in clients {
                client.await.unwrap();
            }
            publisher.await.unwrap();
        });
    }
}
