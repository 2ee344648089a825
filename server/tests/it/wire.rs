//! Simulated locks that check what they are told, and the firmware from before Portico over the bridge.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portico_lock_core::command::{Command, key_id, sign};
use portico_model::{CredentialId, PersonId};
use portico_platform::outbox::MqttMessage;
use portico_simulator::access::legacy::{Legacy, LegacyOptions};
use portico_simulator::access::scenario::{Scenario, ScenarioError};
use portico_simulator::access::{Control, Lock, Reader, Touch, Unit, UnitOptions};
use portico_simulator::parking::legacy::LegacySensor;
use portico_simulator::state::KnownDevice;
use portico_simulator::{Api, Credentials};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{ADMIN, Server, each_database, each_database_with, eventually};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Yard {
    pub server: Server,
    pub token: String,
    pub api: Arc<Api>,
    pub stop: CancellationToken,
}

impl Yard {
    pub async fn new(server: Server) -> Self {
        let token = server.sign_in(ADMIN).await;
        let api = Arc::new(Api::new(&server.url, Credentials::Bearer(token.clone())).unwrap());
        Self { server, token, api, stop: CancellationToken::new() }
    }

    pub async fn device(&self, name: &str) -> KnownDevice {
        let (id, api_key) = self.server.register(&self.token, name).await;
        KnownDevice { id: id.parse().unwrap(), api_key, history_until: None }
    }

    pub fn options(&self) -> UnitOptions {
        let (host, port) = self.server.mqtt.rsplit_once(':').unwrap();
        UnitOptions { heartbeat: Duration::from_secs(1), ..UnitOptions::new(host, port.parse().unwrap()) }
    }

    pub async fn lock(&self, name: &str) -> Unit {
        let device = self.device(name).await;
        let unit = Unit::start(name, Lock::default(), self.api.clone(), device, self.options(), self.stop.clone());
        assert!(unit.until(PATIENCE, |seen| seen.connected).await);
        self.online(&unit.id.to_string()).await;
        unit
    }

    pub async fn online(&self, device: &str) {
        let path = format!("/api/v1/devices/{device}");
        eventually("the device is online", async || {
            let (_, body) = self.server.call(Method::GET, &path, Some(&self.token), None).await;
            body.to_string().contains("\"connection\":\"online\"")
        })
        .await;
    }

    pub async fn command(&self, device: &str, name: &str, args: Value) -> String {
        let path = format!("/api/v1/devices/{device}/commands");
        let body = json!({ "name": name, "args": args, "expires_in_s": 60 });
        let (status, answer) = self.server.call(Method::POST, &path, Some(&self.token), Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub async fn until(&self, device: &str, command: &str, state: &str) -> Value {
        let path = format!("/api/v1/devices/{device}/commands/{command}");
        let last = std::cell::RefCell::new(Value::Null);
        eventually(&format!("the command is {state}"), async || {
            let (_, answer) = self.server.call(Method::GET, &path, Some(&self.token), None).await;
            let is_so = answer["state"] == state;
            *last.borrow_mut() = answer;
            is_so
        })
        .await;
        last.into_inner()
    }
}

#[tokio::test]
async fn lock_does_what_is_signed_says_when_it_jams_and_does_nothing_twice_after_a_power_cut() {
    each_database(|server| async move {
        let yard = Yard::new(server).await;
        let lock = yard.lock("front").await;
        let id = lock.id.to_string();
        let unlock = yard.command(&id, "unlock", json!({})).await;
        let done = yard.until(&id, &unlock, "acknowledged").await;
        assert_eq!(done["response"]["state"], "unlocked");
        assert_eq!((&lock.seen().face["led"], lock.seen().done), (&json!("green"), 1));

        lock.touch(Touch::Jam(true)).await;
        let jammed = yard.command(&id, "lock", json!({})).await;
        let failed = yard.until(&id, &jammed, "failed").await;
        assert_eq!((&failed["response"]["state"], &failed["error"]), (&json!("jammed"), &json!("the bolt is stuck")));
        lock.touch(Touch::Jam(false)).await;

        lock.control(Control::PowerOff).await;
        assert!(lock.until(PATIENCE, |seen| !seen.powered).await);
        let path = format!("/api/v1/devices/{id}");
        eventually("its will says that it is gone", async || {
            let (_, body) = yard.server.call(Method::GET, &path, Some(&yard.token), None).await;
            body.to_string().contains("\"connection\":\"offline\"")
        })
        .await;
        let waits = yard.command(&id, "lock", json!({})).await;
        yard.until(&id, &waits, "queued").await;
        lock.control(Control::PowerOn).await;
        yard.until(&id, &waits, "acknowledged").await;
        assert!(lock.until(PATIENCE, |seen| seen.face["state"] == "locked" && seen.done == 3).await);
        assert_eq!(lock.seen().refused, "");
        yard.stop.cancel();
        lock.wait().await;
        yard.server
    })
    .await;
}

fn forged(device: &str, key: &[u8; 32], counter: u64, expires_at_ms: u64, signed_as: &str) -> Vec<u8> {
    let id = "0199a0000000700080000000000000c1";
    let sent = Command { id, name: signed_as, args: b"{}", counter, issued_at_ms: 1, expires_at_ms };
    let signature = portico_platform::secrets::hex(&sign(key, device, &sent));
    let key_id = String::from_utf8(key_id(key).to_vec()).unwrap();
    json!({ "id": id, "name": "unlock", "args": {}, "counter": counter, "issued_at": 1, "expires_at": expires_at_ms,
            "key_id": key_id, "signature": signature })
    .to_string()
    .into_bytes()
}

#[tokio::test]
async fn lock_refuses_what_somebody_else_sends_or_sends_again() {
    each_database(|server| async move {
        let yard = Yard::new(server).await;
        let lock = yard.lock("front").await;
        let id = lock.id.to_string();
        for name in ["unlock", "lock"] {
            let command = yard.command(&id, name, json!({})).await;
            yard.until(&id, &command, "acknowledged").await;
        }
        // Somebody who can write to the broker; at the end even one who has the key.
        let portico = &yard.server.portico;
        let mut tx = portico.platform.db.begin().await.unwrap();
        let organization = portico_platform::on_db!(&mut tx, conn => sqlx::query_scalar("select id from organization")
            .fetch_one(conn).await)
        .unwrap();
        let key = portico.devices.signing_key(&mut tx, organization, lock.id).await.unwrap().unwrap().key;
        drop(tx);
        let now = portico.platform.clock.now().millis().unsigned_abs();
        let forgeries = [
            ("other_key", [9; 32], 50, now + 60_000, "unlock"),
            ("bad_signature", key, 50, now + 60_000, "unlocked"),
            ("replayed", key, 1, now + 60_000, "unlock"),
            ("expired", key, 50, now, "unlock"),
        ];
        for (refusal, key, counter, expires_at_ms, signed_as) in forgeries {
            let message = forged(&id, &key, counter, expires_at_ms, signed_as);
            let mut tx = portico.platform.db.begin().await.unwrap();
            let topic = format!("devices/{id}/command");
            let message = MqttMessage { topic, payload: message, qos: 0, retain: false, expires_at: None };
            portico.platform.outbox.enqueue(&mut tx, &message).await.unwrap();
            tx.commit().await.unwrap();
            portico.platform.outbox.wake();
            assert!(lock.until(PATIENCE, |seen| seen.refused == refusal).await, "{refusal}: {:?}", lock.seen());
        }
        assert_eq!((lock.seen().done, &lock.seen().face["state"]), (2, &json!("locked")));
        yard.stop.cancel();
        lock.wait().await;
        yard.server
    })
    .await;
}

#[tokio::test]
async fn script_is_played_and_says_where_it_fails() {
    each_database(|server| async move {
        let yard = Yard::new(server).await;
        let mut units = BTreeMap::new();
        units.insert("front".to_owned(), yard.lock("front").await);
        let reader = yard.device("reader").await;
        let options = yard.options();
        let reader =
            Unit::start("reader", Reader::default(), yard.api.clone(), reader, options, yard.stop.clone());
        units.insert("reader".to_owned(), reader);
        let play = async |text: &str| Scenario::parse(text).unwrap().play(&units, &yard.api).await;
        play(
            r#"{"steps": [
                {"device": "front", "command": "unlock"}, {"device": "front", "expect": {"state": "unlocked", "led": "green"}},
                {"device": "front", "jam": true, "command": "lock"}, {"device": "front", "expect": {"state": "jammed", "led": "blinking"}},
                {"device": "front", "power": "reboot"}, {"device": "front", "expect": {"connected": true}},
                {"device": "front", "jam": false, "turn": "lock", "battery": 9, "expect": {"state": "locked", "issue": "Battery low"}},
                {"device": "reader", "power": "off"}, {"device": "reader", "expect": {"powered": false}},
                {"device": "reader", "power": "on"}, {"device": "reader", "expect": {"connected": true}}
            ]}"#,
        )
        .await
        .unwrap();
        let failed = play(r#"{"steps": [{"wait_ms": 1}, {"device": "back", "jam": true}]}"#).await;
        assert!(matches!(failed, Err(ScenarioError::NoDevice(2, _))), "{failed:?}");
        yard.stop.cancel();
        for unit in units.into_values() {
            unit.wait().await;
        }
        yard.server
    })
    .await;
}

/// Somebody with the card, let in everywhere; $1: the person, $2: another id.
const CARDHOLDER: [&str; 3] = [
    "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at, updated_at)
     select $1, id, 7, 'Ann Archer', 'ann', 'basic', true, 0, 0 from organization where $2 is not null",
    "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, is_active, created_at, updated_at)
     select $2, id, $1, 'rfid', 'A1B2C3D4', '…C3D4', true, 0, 0 from organization",
    "insert into access_policy (id, organization_id, name, person_id, levels, in_lockdown, is_active, created_at, updated_at)
     select $2, id, 'Everywhere', $1, 7, false, true, 0, 0 from organization",
];

pub fn legacy(yard: &Yard, device: &str, username: &str, password: &str) -> LegacyOptions {
    let address = yard.server.portico.access.bridge_address().unwrap();
    LegacyOptions {
        host: address.ip().to_string(),
        port: address.port(),
        username: username.to_owned(),
        password: password.to_owned(),
        device: device.to_owned(),
        heartbeat: Duration::from_millis(300),
    }
}

#[tokio::test]
async fn older_smart_lock_works_over_the_bridge_and_what_is_not_on_the_list_does_not() {
    each_database_with(
        |config| {
            config.bridge.addr = Some("127.0.0.1:0".parse().unwrap());
            config.bridge.logins = Some("esp32:pssword, esp32_door:secret".to_owned().into());
            config.bridge.devices = vec!["device-1".to_owned(), "ESP32_Door_001".to_owned(), "PARK_001".to_owned()];
        },
        |server| async move {
            let yard = Yard::new(server).await;
            eventually("the bridge listens", async || yard.server.portico.access.bridge_address().is_some()).await;
            let register = async |hardware_id: &str| {
                let body = json!({ "name": hardware_id, "device_type": "lock", "hardware_id": hardware_id });
                let (status, answer) =
                    yard.server.call(Method::POST, "/api/v1/devices/register", Some(&yard.token), Some(body)).await;
                assert_eq!(status, StatusCode::CREATED, "{answer}");
                answer["device"]["id"].as_str().unwrap().to_owned()
            };
            let (id, stranger_id) = (register("device-1").await, register("device-2").await);
            let lock = Legacy::smart_lock(legacy(&yard, "device-1", "esp32", "pssword"), yard.stop.clone());
            let stranger = Legacy::smart_lock(legacy(&yard, "device-2", "esp32", "pssword"), yard.stop.clone());
            let guesser = Legacy::smart_lock(legacy(&yard, "device-1", "esp32", "password"), yard.stop.clone());
            yard.online(&id).await;

            let unlock = yard.command(&id, "unlock", json!({})).await;
            let done = yard.until(&id, &unlock, "acknowledged").await;
            assert_eq!(done["response"], json!({ "state": "unlocked", "bridged": true }));
            assert_eq!(lock.seen().answers, [json!({ "command": "UNLOCK", "device": "device-1" })]);
            let locked = yard.command(&id, "lock", json!({})).await;
            yard.until(&id, &locked, "acknowledged").await;
            assert_eq!(lock.seen().state, "Locked");
            // It has no word for this.
            let other = yard.command(&id, "set_code", json!({})).await;
            yard.until(&id, &other, "failed").await;

            // The door: who is refused, and who is let in, with the few keys that fit into its packet.
            let reader = register("ESP32_Door_001").await;
            let body = json!({ "name": "Main entrance", "reader_id": reader });
            let (status, answer) = yard.server.call(Method::POST, "/api/v1/doors", Some(&yard.token), Some(body)).await;
            assert_eq!(status, StatusCode::CREATED, "{answer}");
            let door = Legacy::door(legacy(&yard, "ESP32_Door_001", "esp32_door", "secret"), yard.stop.clone());
            yard.online(&reader).await;
            door.show_card("A1B2C3D4").await;
            eventually("the door is answered", async || door.seen().answers.len() == 1).await;
            let answer = &door.seen().answers[0];
            let timestamp = answer["timestamp"].as_str().unwrap();
            assert_eq!(
                *answer,
                json!({ "access_granted": false, "user_name": null, "user_id": null, "timestamp": timestamp,
                        "device_id": "ESP32_Door_001" })
            );
            assert_eq!((timestamp.len(), door.seen().state.as_str()), (19, "locked"));
            let mut tx = yard.server.portico.platform.db.read().await.unwrap();
            let logged: Vec<(bool, String)> = portico_platform::on_db!(&mut tx, conn => sqlx::query_as(
                "select is_untrusted, reason from access_event where kind = 'request'",
            ).fetch_all(conn).await)
            .unwrap();
            drop(tx);
            assert_eq!(logged, [(true, "unknown_credential".to_owned())]);

            let mut tx = yard.server.portico.platform.db.begin().await.unwrap();
            let (person, other) = (PersonId::generate(), CredentialId::generate());
            for insert in CARDHOLDER {
                portico_platform::on_db!(&mut tx, conn => sqlx::query(insert)
                    .bind(person).bind(other)
                    .execute(conn).await.map(drop))
                .unwrap();
            }
            tx.commit().await.unwrap();
            door.show_card("A1B2C3D4").await;
            eventually("the door opens", async || door.seen().state == "unlocked").await;
            let answer = door.seen().answers[1].clone();
            assert_eq!((&answer["access_granted"], &answer["user_id"]), (&json!(true), &json!(7)));
            assert_eq!((&answer["user_name"], door.seen().dropped), (&json!("Ann Archer"), 0));
            let path = format!("/api/v1/devices/{reader}/commands");
            eventually("it has said that it opened", async || {
                let (_, page) = yard.server.call(Method::GET, &path, Some(&yard.token), None).await;
                page["items"][0]["state"] == "acknowledged"
            })
            .await;

            older_parking_sensor(&yard, register("PARK_001").await).await;

            assert!(stranger.seen().connected && !guesser.seen().connected);
            let path = format!("/api/v1/devices/{stranger_id}");
            let (_, body) = yard.server.call(Method::GET, &path, Some(&yard.token), None).await;
            assert!(body.to_string().contains("\"connection\":\"never\""), "{body}");
            yard.stop.cancel();
            yard.server
        },
    )
    .await;
}

/// It waits among the new sensors, gets its spot, and from then on a car is seen; it counts as one that proves nothing.
async fn older_parking_sensor(yard: &Yard, device: String) {
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let (status, answer) = yard.server.call(method, path, Some(&yard.token), body).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    };
    let lot = call(Method::POST, "/api/v1/parking/lots", Some(json!({ "name": "Yard" }))).await;
    let levels = format!("/api/v1/parking/lots/{}/levels", lot["id"].as_str().unwrap());
    let level = call(Method::POST, &levels, Some(json!({ "name": "L1" }))).await;
    call(Method::POST, "/api/v1/spots", Some(json!({ "id": "P1", "level_id": level["id"] }))).await;

    let sensor = LegacySensor::start(legacy(yard, "PARK_001", "esp32", "pssword"), yard.stop.clone());
    eventually("the sensor is connected", async || sensor.is_connected()).await;
    sensor.set_car(true);
    eventually("the sensor waits among the new ones", async || {
        let list = call(Method::GET, "/api/v1/parking/sensors", None).await;
        list["items"][0]["sensor_id"] == "PARK_001" && list["items"][0]["occupied"] == true
    })
    .await;
    let new = call(Method::GET, "/api/v1/parking/sensors", None).await["items"][0].clone();
    assert_eq!((&new["is_bridged"], &new["device_id"]), (&json!(true), &json!(device)));
    assert_eq!(new["battery_percent"], json!(85.0));
    let path = format!("/api/v1/parking/sensors/{}", new["id"].as_str().unwrap());
    call(Method::PUT, &path, Some(json!({ "spot_id": "P1" }))).await;
    let status = async || call(Method::GET, "/api/v1/spots/P1", None).await["spot"]["status"].clone();
    assert_eq!(status().await, "occupied");
    sensor.set_car(false);
    eventually("the car has left", async || status().await == "available").await;
}
