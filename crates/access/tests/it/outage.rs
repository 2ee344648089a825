//! The database is away: nobody is let in, whoever waits is told so, and nothing opens later.

use portico_devices::DeviceObserver as _;
use portico_model::ErrorKind;
use portico_model::access::door::DoorScope;
use portico_model::access::{DoorMode, Method};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::on_db;
use portico_platform::outbox::MqttMessage;
use serde_json::{Value, json};

use portico_access::doors::{Ask, AskedBy};
use portico_model::DeviceId;

use crate::doors::CARD;
use crate::{World, each};

impl World {
    fn inbound(&self, device: DeviceId, event: &Value) -> Inbound {
        Inbound {
            topic: Topics::default().device(device, TopicKind::Event),
            payload: event.to_string().into(),
            retained: false,
            durable: true,
            received_at: self.platform.clock.now(),
        }
    }

    /// What was said without a record, all of it.
    async fn unrecorded(&self) -> Vec<MqttMessage> {
        let mut said = Vec::new();
        while let Ok(Some(message)) =
            tokio::time::timeout(std::time::Duration::from_millis(1), self.platform.outbox.next_unrecorded()).await
        {
            said.push(message);
        }
        said
    }
}

fn question(id: &str) -> Value {
    json!({"type": "access_request", "request_id": id, "method": "rfid", "rfid_uid": CARD})
}

fn refusal(device: DeviceId, id: &str) -> (String, Value) {
    let args = json!({"request_id": id, "granted": false, "reason": "unavailable", "for_s": 0});
    (format!("devices/{device}/command"), json!({"name": "access_decision", "args": args}))
}

fn read(message: &MqttMessage) -> (String, Value) {
    (message.topic.clone(), serde_json::from_slice(&message.payload).unwrap())
}

#[tokio::test]
async fn without_its_database_it_lets_nobody_in_and_says_so() {
    each(|world| async move {
        let lock = world.reader("bolt").await.device.id;
        let (_, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        let (_, cold) = world.door("Back", |_| {}).await;
        world.cardholder("Ann", 7, CARD).await;
        // An open door is none to those who ask: also that is not said without the database.
        world.order(DoorScope::All, DoorMode::Unlocked, None).await;
        let handler = world.devices.message_handler(Topics::default());
        let (id, key) = (reader.device.id, reader.api_key.as_str());
        assert_eq!(
            world.request(key, "POST", "/api/v1/check_access", json!({"method": "rfid", "rfid_uid": CARD})).await.0,
            200
        );
        handler.handle(world.inbound(id, &question("r0"))).await.unwrap();
        assert!(world.unrecorded().await.is_empty(), "answered by a command");

        world.platform.db.close().await;
        let at = world.platform.clock.now();
        for by in [AskedBy::Http, AskedBy::Mqtt { request_id: Some("r".to_owned()) }] {
            let presented = CARD.to_owned();
            let ask = Ask { reader: id, method: Method::Rfid, presented, leaving: false, at, by, is_untrusted: false };
            let error = world.access.check(&world.at_reader(id), ask).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "database_unavailable"));
        }
        // With a key that is known still, and with one that is not.
        for key in [key, cold.api_key.as_str()] {
            let (status, answer) =
                world.request(key, "POST", "/api/v1/check_access", json!({"method": "rfid", "rfid_uid": CARD})).await;
            assert_eq!(
                (status, &answer["access_granted"], &answer["code"]),
                (503, &json!(false), &json!("database_unavailable"))
            );
            let (status, answer) =
                world.request(key, "POST", "/api/v1/access/check", json!({"method": "rfid", "presented": CARD})).await;
            assert_eq!((status, &answer["granted"], &answer["reason"]), (503, &json!(false), &json!("unavailable")));
        }
        // Over MQTT: not acknowledged, tried again, and the reader is told once.
        for device in [id, cold.device.id] {
            for _ in 0..2 {
                assert!(handler.handle(world.inbound(device, &question("r1"))).await.is_err());
            }
        }
        let said = world.unrecorded().await;
        assert_eq!(said.iter().map(read).collect::<Vec<_>>(), [refusal(id, "r1"), refusal(cold.device.id, "r1")]);
        assert!(said.iter().all(|message| !message.retain && message.expires_at == Some(at.plus_secs(10))));
        // Nobody waits for an answer to the others.
        for other in [json!({"type": "door", "state": "open"}), json!({"type": "access_request"})] {
            let _ = handler.handle(world.inbound(id, &other)).await;
        }
        assert!(world.unrecorded().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_was_sent_away_is_not_let_in_when_the_database_is_back() {
    each(|world| async move {
        let lock = world.reader("bolt").await.device.id;
        let (_, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        let id = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        let asked_at = world.platform.clock.now();
        let mut first = world.inbound(id, &question("r1"));
        world.access.event_not_taken(id, &first.payload, asked_at);
        assert_eq!(world.unrecorded().await.iter().map(read).collect::<Vec<_>>(), [refusal(id, "r1")]);
        world.advance_s(4);
        first.received_at = asked_at;
        let handler = world.devices.message_handler(Topics::default());
        handler.handle(first.clone()).await.unwrap();
        handler.handle(first).await.unwrap();
        assert_eq!(
            world.count("select count(*) from access_event where reason = 'unavailable' and granted = false").await,
            1,
            "it is written down, once"
        );
        assert_eq!(world.count("select count(*) from command").await, 0, "neither reader nor lock is told anything");
        // The next who comes is let in.
        handler.handle(world.inbound(id, &question("r2"))).await.unwrap();
        assert_eq!(world.count("select count(*) from command where name = 'unlock'").await, 1);
        assert!(world.unrecorded().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn database_that_does_not_answer_in_time_opens_nothing_later() {
    each(|world| async move {
        let lock = world.reader("bolt").await.device.id;
        let (_, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        let id = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        // Somebody else holds what the decision needs.
        let mut held = world.platform.db.begin().await.unwrap();
        on_db!(&mut held, conn => sqlx::query("update access_door set name = name").execute(conn).await.map(drop))
            .unwrap();
        let handler = world.devices.message_handler(Topics::default());
        let message = world.inbound(id, &question("r1"));
        let asking = tokio::spawn(async move { while handler.handle(message.clone()).await.is_err() {} });
        let patience = std::time::Duration::from_secs(20);
        let said = tokio::time::timeout(patience, world.platform.outbox.next_unrecorded()).await.unwrap().unwrap();
        assert_eq!(read(&said), refusal(id, "r1"));
        held.rollback().await.unwrap();
        tokio::time::timeout(patience, asking).await.unwrap().unwrap();
        assert_eq!(world.count("select count(*) from access_event where granted = true").await, 0);
        assert_eq!(world.count("select count(*) from access_event where reason = 'unavailable'").await, 1);
        assert_eq!(world.count("select count(*) from command").await, 0);
    })
    .await;
}
