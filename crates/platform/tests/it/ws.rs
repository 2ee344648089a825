//! The websocket over real sockets: order, limits, slow and stuck clients, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use portico_model::devices::Connection;
use portico_model::identity::Role;
use portico_model::live::{Event, ServerMessage};
use portico_model::{DeviceId, OrganizationId, SessionId, UserId};
use portico_platform::hub::{Channel, Delivery, Publication, TopicSource};
use portico_platform::testing::eventually;
use portico_platform::ws::{self, LiveConfig, Recheck};
use portico_platform::{Actor, BoxFuture, Error, Platform, Principal, Result};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::http::stand::{Stand, within};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn organization() -> OrganizationId {
    OrganizationId::from_uuid(uuid::Uuid::from_u128(1))
}

fn channel(topic: &str) -> Channel {
    Channel::new(organization(), topic)
}

fn ann() -> Actor {
    let id = uuid::Uuid::from_u128(5);
    Actor {
        organization: organization(),
        principal: Principal::User {
            id: UserId::from_uuid(id),
            name: "ann".into(),
            role: Role::User,
            session: SessionId::from_uuid(id),
        },
        address: String::new(),
        request_id: String::new(),
    }
}

/// Topics of the test: `secret` is nobody's; the snapshot of a `held` one waits for the gate.
struct Topics {
    gate: watch::Sender<bool>,
}

impl TopicSource for Topics {
    fn owns(&self, topic: &str) -> bool {
        topic != "unknown"
    }

    fn resolve<'a>(&'a self, _actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>> {
        Box::pin(async move {
            if topic == "secret" {
                return Err(Error::forbidden("not_permitted", "Your role does not allow this."));
            }
            Ok(channel(topic))
        })
    }

    fn snapshot<'a>(&'a self, _actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            if topic.starts_with("held") {
                self.gate.subscribe().wait_for(|open| *open).await.unwrap();
            }
            Ok(json!({"state of": topic}))
        })
    }
}

struct Live {
    stand: Stand,
    topics: Arc<Topics>,
    session_is_good: Arc<AtomicBool>,
}

impl std::ops::Deref for Live {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.stand.platform
    }
}

async fn start(configure: impl FnOnce(&mut LiveConfig)) -> Live {
    let session_is_good = Arc::new(AtomicBool::new(true));
    let (dir, platform) = crate::http::stand::platform(|config| configure(&mut config.http.live)).await;
    // The directory lives as long as the process: the platform holds files in it.
    let _ = dir.keep();
    let topics = Arc::new(Topics { gate: watch::Sender::new(false) });
    platform.hub.register(topics.clone());
    let good = Arc::clone(&session_is_good);
    let recheck: Recheck = Arc::new(move |_| {
        let good = good.load(Ordering::SeqCst);
        Box::pin(async move { good })
    });
    let routes = Router::new().route("/ws", get(connect)).with_state((platform.clone(), recheck));
    Live { stand: Stand::on(platform, routes).await, topics, session_is_good }
}

async fn connect(
    State((platform, recheck)): State<(Platform, Recheck)>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(error) = ws::check_origin(&headers, &platform.config.http.cors_origins) {
        return error.into_response();
    }
    ws::serve(upgrade, &platform, ann(), recheck)
}

impl Live {
    async fn try_open(&self, headers: &[(&'static str, &str)]) -> std::result::Result<Socket, WsError> {
        let mut request = format!("ws://{}/ws", self.stand.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        within("the handshake", tokio_tungstenite::connect_async(request)).await.map(|(socket, _)| socket)
    }

    async fn open(&self) -> Socket {
        self.try_open(&[("authorization", "Bearer x")]).await.unwrap()
    }

    async fn refused(&self, headers: &[(&'static str, &str)]) -> u16 {
        match self.try_open(headers).await {
            Err(WsError::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }

    fn publish(&self, topic: &str, delivery: Delivery) {
        self.hub.publish(publication(topic, delivery, 0));
    }

    fn connections(&self) -> usize {
        self.hub.connections_of(ann().user_id().unwrap())
    }
}

fn publication(topic: &str, delivery: Delivery, padding: usize) -> Publication {
    let event = Event::DeviceConnection {
        id: DeviceId::from_uuid(uuid::Uuid::from_u128(9)),
        connection: Connection::Online,
        last_seen_at: None,
        issue: "x".repeat(padding),
        battery_percent: None,
        rssi_dbm: None,
    };
    Publication { channels: vec![channel(topic)], event, delivery }
}

async fn send(socket: &mut Socket, message: Value) {
    within("a message is sent", socket.send(Message::text(message.to_string()))).await.unwrap();
}

async fn hear(socket: &mut Socket) -> ServerMessage<Value> {
    loop {
        match within("a message", socket.next()).await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn subscribe(socket: &mut Socket, topic: &str) -> u64 {
    send(socket, json!({"op": "subscribe", "topics": [topic]})).await;
    match hear(socket).await {
        ServerMessage::Snapshot { topic: heard, seq, data } => {
            assert_eq!((heard.as_str(), &data), (topic, &json!({"state of": topic})));
            seq
        }
        other => panic!("{other:?}"),
    }
}

async fn hear_seq(socket: &mut Socket) -> u64 {
    match hear(socket).await {
        ServerMessage::Event { seq, .. } => seq,
        other => panic!("{other:?}"),
    }
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    loop {
        match within("the end", socket.next()).await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| CloseCode::into(frame.code)),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test]
async fn snapshot_comes_first_and_its_events_follow_in_order() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    assert_eq!(subscribe(&mut socket, "devices").await, 0);
    for _ in 0..100 {
        live.publish("devices", Delivery::Every);
    }
    for seq in 1..=100 {
        assert_eq!(hear_seq(&mut socket).await, seq);
    }
    let mut late = live.open().await;
    assert_eq!(subscribe(&mut late, "devices").await, 100);
    live.publish("devices", Delivery::Every);
    assert_eq!((hear_seq(&mut late).await, hear_seq(&mut socket).await), (101, 101));
}

#[tokio::test]
async fn events_during_the_snapshot_come_after_it() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    send(&mut socket, json!({"op": "subscribe", "topics": ["held"]})).await;
    eventually("the topic is followed", async || live.hub.is_followed(&channel("held"))).await;
    live.publish("held", Delivery::Every);
    live.publish("held", Delivery::Every);
    // Others do not wait for the slow snapshot.
    subscribe(&mut socket, "devices").await;
    live.topics.gate.send_replace(true);
    assert!(matches!(hear(&mut socket).await, ServerMessage::Snapshot { seq: 0, .. }));
    assert_eq!((hear_seq(&mut socket).await, hear_seq(&mut socket).await), (1, 2));
}

#[tokio::test]
async fn topic_that_may_not_be_followed_is_an_error_and_the_rest_goes_on() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    for (topic, expected) in [("secret", "not_permitted"), ("unknown", "unknown_topic")] {
        send(&mut socket, json!({"op": "subscribe", "topics": [topic]})).await;
        match hear(&mut socket).await {
            ServerMessage::Error { topic: heard, code, .. } => {
                assert_eq!((heard.as_deref(), code.as_str()), (Some(topic), expected));
            }
            other => panic!("{other:?}"),
        }
    }
    live.publish("secret", Delivery::Every);
    subscribe(&mut socket, "devices").await;
    live.publish("devices", Delivery::Every);
    assert_eq!(hear_seq(&mut socket).await, 1, "nothing of the secret topic");
}

#[tokio::test]
async fn unsubscribed_topic_is_silent() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    subscribe(&mut socket, "devices").await;
    send(&mut socket, json!({"op": "unsubscribe", "topics": ["devices"]})).await;
    send(&mut socket, json!({"op": "ping"})).await;
    assert_eq!(hear(&mut socket).await, ServerMessage::Pong);
    live.publish("devices", Delivery::Every);
    send(&mut socket, json!({"op": "ping"})).await;
    assert_eq!(hear(&mut socket).await, ServerMessage::Pong);
    assert!(!live.hub.is_followed(&channel("devices")));
}

#[tokio::test]
async fn topic_left_during_its_snapshot_stays_left() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    send(&mut socket, json!({"op": "subscribe", "topics": ["held"]})).await;
    eventually("the topic is followed", async || live.hub.is_followed(&channel("held"))).await;
    send(&mut socket, json!({"op": "unsubscribe", "topics": ["held"]})).await;
    eventually("the topic is left", async || !live.hub.is_followed(&channel("held"))).await;
    live.topics.gate.send_replace(true);
    live.publish("held", Delivery::Every);
    send(&mut socket, json!({"op": "ping"})).await;
    assert_eq!(hear(&mut socket).await, ServerMessage::Pong);
    assert!(!live.hub.is_followed(&channel("held")));
}

#[tokio::test]
async fn slow_client_is_told_what_it_missed_and_gets_the_newest_value() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    send(&mut socket, json!({"op": "subscribe", "topics": ["held:telemetry"]})).await;
    eventually("the topic is followed", async || live.hub.is_followed(&channel("held:telemetry"))).await;
    for _ in 0..10_000 {
        live.publish("held:telemetry", Delivery::Latest);
    }
    live.topics.gate.send_replace(true);
    assert!(matches!(hear(&mut socket).await, ServerMessage::Snapshot { .. }));
    let ServerMessage::Lagged { topic, dropped, seq } = hear(&mut socket).await else { panic!("a notice of lag") };
    assert_eq!((topic.as_str(), dropped), ("held:telemetry", seq));
    let mut last = seq;
    while last < 10_000 {
        let next = hear_seq(&mut socket).await;
        assert_eq!(next, last + 1);
        last = next;
    }
    assert!(10_000 - seq < 100, "{seq}");
}

#[tokio::test]
async fn client_that_misses_state_changes_is_told_to_start_anew() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    send(&mut socket, json!({"op": "subscribe", "topics": ["held"]})).await;
    eventually("the topic is followed", async || live.hub.is_followed(&channel("held"))).await;
    for _ in 0..5_000 {
        live.publish("held", Delivery::Every);
    }
    live.topics.gate.send_replace(true);
    assert!(matches!(hear(&mut socket).await, ServerMessage::Snapshot { .. }));
    assert_eq!(hear(&mut socket).await, ServerMessage::Resync { topic: "held".into() });
    let seq = subscribe(&mut socket, "held").await;
    live.publish("held", Delivery::Every);
    assert_eq!(hear_seq(&mut socket).await, seq + 1);
}

#[tokio::test]
async fn stuck_client_is_closed_and_holds_up_nobody() {
    let live = start(|config| config.send_timeout_ms = 300).await;
    let (mut stuck, mut healthy) = (live.open().await, live.open().await);
    subscribe(&mut stuck, "devices").await;
    subscribe(&mut healthy, "devices").await;
    let start = Instant::now();
    let mut sent = 0;
    while live.connections() == 2 {
        assert!(start.elapsed() < Duration::from_secs(10), "the stuck client is still there");
        live.hub.publish(publication("devices", Delivery::Every, 64 * 1024));
        sent += 1;
        assert_eq!(hear_seq(&mut healthy).await, sent, "the healthy client misses nothing");
    }
    drop(stuck);
}

#[tokio::test]
async fn ended_session_and_stopping_server_say_so() {
    let live = start(|_| {}).await;
    let mut socket = live.open().await;
    subscribe(&mut socket, "devices").await;
    live.hub.close_session(ann().session_id().unwrap());
    assert_eq!(close_code(&mut socket).await, Some(4401));

    let mut socket = live.open().await;
    subscribe(&mut socket, "devices").await;
    let closed = tokio::spawn(async move { close_code(&mut socket).await });
    live.stand.stop().await;
    assert_eq!(closed.await.unwrap(), Some(1001));
}

#[tokio::test]
async fn session_that_is_no_longer_good_is_noticed() {
    let live = start(|config| config.recheck_ms = 50).await;
    let mut socket = live.open().await;
    subscribe(&mut socket, "devices").await;
    live.session_is_good.store(false, Ordering::SeqCst);
    assert_eq!(close_code(&mut socket).await, Some(4401));
}

#[tokio::test]
async fn silent_client_is_closed_and_a_reading_one_stays() {
    let live = start(|config| (config.ping_ms, config.silence_ms) = (50, 400)).await;
    let silent = live.open().await;
    let mut reading = live.open().await;
    // The library answers pings while it reads.
    let reader = tokio::spawn(async move { while let Some(Ok(_)) = reading.next().await {} });
    eventually("the silent one is closed", async || live.connections() == 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(live.connections(), 1);
    reader.abort();
    drop(silent);
}

#[tokio::test]
async fn foreign_pages_and_cookies_without_origin_are_refused() {
    let live = start(|_| {}).await;
    let host = live.stand.address.to_string();
    assert_eq!(live.refused(&[("origin", "https://evil.example"), ("cookie", "portico_access=x")]).await, 403);
    assert_eq!(live.refused(&[("cookie", "portico_access=x")]).await, 403);
    assert!(live.try_open(&[("origin", &format!("http://{host}")), ("cookie", "portico_access=x")]).await.is_ok());
}

#[tokio::test]
async fn limits_hold() {
    let live = start(|config| {
        config.connections_per_user = 2;
        config.topics_per_connection = 3;
        config.message_limit_bytes = 2_048;
    })
    .await;
    let mut socket = live.open().await;
    for number in 0..3 {
        subscribe(&mut socket, &format!("t{number}")).await;
    }
    send(&mut socket, json!({"op": "subscribe", "topics": ["t3"]})).await;
    assert!(matches!(hear(&mut socket).await, ServerMessage::Error { code, .. } if code == "too_many_topics"));
    send(&mut socket, json!({"op": "subscribe", "topics": ["a", "b", "c", "d"]})).await;
    assert!(matches!(hear(&mut socket).await, ServerMessage::Error { code, .. } if code == "too_many_topics"));
    subscribe(&mut socket, "t2").await;
    send(&mut socket, json!({"op": "subscribe", "topics": ["x".repeat(500)]})).await;
    assert!(matches!(hear(&mut socket).await, ServerMessage::Error { code, .. } if code == "unknown_topic"));
    send(&mut socket, json!({"no": "message"})).await;
    assert!(matches!(hear(&mut socket).await, ServerMessage::Error { code, .. } if code == "bad_message"));

    let second = live.open().await;
    assert_eq!(live.refused(&[("authorization", "Bearer x")]).await, 429);
    drop(second);
    send(&mut socket, json!({"op": "ping", "padding": "x".repeat(3_000)})).await;
    assert_eq!(close_code(&mut socket).await, Some(1009));
    eventually("both are gone", async || live.connections() == 0).await;
}

#[tokio::test]
async fn hasty_client_is_slowed_and_loses_nothing() {
    let live = start(|config| config.messages_per_s = 100).await;
    let mut socket = live.open().await;
    let start = Instant::now();
    // Five seconds' worth pass at once; the rest at the pace.
    for _ in 0..600 {
        socket.feed(Message::text(r#"{"op":"ping"}"#)).await.unwrap();
    }
    socket.flush().await.unwrap();
    for _ in 0..600 {
        assert_eq!(hear(&mut socket).await, ServerMessage::Pong);
    }
    assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
}

/// The names that serde knows, from its complaint about one it does not know.
fn names<T: serde::de::DeserializeOwned>(tag: &str) -> Vec<String> {
    let error = serde_json::from_value::<T>(json!({tag: "?"})).err().unwrap().to_string();
    let names: Vec<String> = error.split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect();
    assert!(!names.is_empty(), "{error}");
    names
}

#[test]
fn every_message_and_event_is_documented() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/asyncapi.yaml")).unwrap();
    let mut documented = names::<portico_model::live::ClientMessage>("op");
    documented.extend(names::<ServerMessage<Value>>("op"));
    documented.extend(names::<Event>("type"));
    for name in documented {
        assert!(text.contains(&format!("{{const: {name}}}")), "docs/asyncapi.yaml does not tell of `{name}`");
    }
}
