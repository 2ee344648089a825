//! Commands, wanted state and firmware, with simulated devices over real MQTT and HTTP.

use std::time::Duration;

use portico_model::firmware::signed_text;
use portico_platform::secrets::hex;
use portico_simulator::{Credentials, Kind, Options, Simulator};
use reqwest::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::harness::{ADMIN, Server, each_database, eventually};

struct Publisher(Ed25519KeyPair);

impl Publisher {
    async fn trusted(server: &Server, token: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let publisher = Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap());
        let body = json!({ "name": "Build server", "public_key": hex(&publisher.public_key()) });
        let (status, answer) = server.call(Method::POST, "/api/v1/firmware/keys", Some(token), Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        publisher
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, version: &str, image: &[u8]) -> String {
        let size = i64::try_from(image.len()).unwrap();
        let text = signed_text(device_type(), version, size, &hex(&Sha256::digest(image)));
        hex(self.0.sign(text.as_bytes()).as_ref())
    }

    async fn upload(&self, server: &Server, token: &str, version: &str, image: Vec<u8>) -> Value {
        let signature = self.sign(version, &image);
        let (status, answer) = upload(server, token, version, &signature, image).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer
    }
}

/// Of the simulated building's first and sixth sensors.
fn device_type() -> &'static str {
    Kind::RoomClimate.device_type()
}

async fn upload(server: &Server, token: &str, version: &str, signature: &str, image: Vec<u8>) -> (StatusCode, Value) {
    let response = server
        .http
        .post(format!("{}/api/v1/firmware", server.url))
        .query(&[("device_type", device_type()), ("version", version), ("signature", signature), ("notes", "New")])
        .bearer_auth(token)
        .header("content-type", "application/octet-stream")
        .body(image)
        .send()
        .await
        .unwrap();
    (response.status(), response.json().await.unwrap_or(Value::Null))
}

fn image(bytes: u32) -> Vec<u8> {
    (0..bytes / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect()
}

fn options(server: &Server, token: &str, publishers: Vec<[u8; 32]>) -> Options {
    Options {
        sensors: 6,
        rate: 10.0,
        heartbeat_interval: Duration::from_secs(1),
        publishers,
        ..Options::new(&server.url, &server.mqtt, Credentials::Bearer(token.to_owned()))
    }
}

async fn start(options: Options) -> Simulator {
    Simulator::start(options, CancellationToken::new()).await.unwrap()
}

fn devices_of(building: &Simulator) -> Vec<String> {
    let mine = building.devices().iter().filter(|(_, sensor)| sensor.kind == Kind::RoomClimate);
    mine.map(|(id, _)| id.to_string()).collect()
}

async fn online(server: &Server, token: &str, building: &Simulator) {
    for (id, _) in building.devices() {
        let path = format!("/api/v1/devices/{id}");
        eventually("the device is online", || async {
            server.call(Method::GET, &path, Some(token), None).await.1["connection"] == "online"
        })
        .await;
    }
}

async fn roll_out(server: &Server, token: &str, firmware: &Value, more: Value) -> String {
    let mut body = json!({ "firmware_id": firmware["id"], "selection": { "kind": "type" }, "stages": [50, 100] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, answer) = server.call(Method::POST, "/api/v1/rollouts", Some(token), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn until_state(server: &Server, token: &str, rollout: &str, state: &str) -> Value {
    let path = format!("/api/v1/rollouts/{rollout}");
    eventually(state, || async { server.call(Method::GET, &path, Some(token), None).await.1["state"] == state }).await;
    server.call(Method::GET, &path, Some(token), None).await.1
}

async fn updates(server: &Server, token: &str, rollout: &str) -> Vec<Value> {
    let path = format!("/api/v1/rollouts/{rollout}/devices");
    server.call(Method::GET, &path, Some(token), None).await.1["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn image_reaches_every_device_although_each_loses_its_power_in_the_middle() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let publisher = Publisher::trusted(&server, &token).await;
        // Larger than any other request may be.
        let firmware = publisher.upload(&server, &token, "3.0.0", image(3_000_000)).await;
        let options =
            Options { power_cut_at: Some(1_000_000), ..options(&server, &token, vec![publisher.public_key()]) };
        let building = start(options).await;
        online(&server, &token, &building).await;
        let mut screen = server.live(&token).await;
        let rollout = roll_out(&server, &token, &firmware, json!({})).await;
        let snapshot = screen.subscribe(&format!("rollout:{rollout}")).await;
        assert_eq!(snapshot["data"]["rollout"]["id"], rollout.as_str(), "{snapshot}");
        screen.next_where(|message| message["data"]["update"]["state"] == "downloading").await;
        screen.next_where(|message| message["data"]["update"]["state"] == "installed").await;
        let done = until_state(&server, &token, &rollout, "finished").await;
        assert_eq!(done["counts"]["installed"], 2, "{done}");
        for id in devices_of(&building) {
            let (_, device) = server.call(Method::GET, &format!("/api/v1/devices/{id}"), Some(&token), None).await;
            assert_eq!(device["firmware_version"], "3.0.0", "{device}");
        }
        assert_eq!(building.summary().restarts, 4, "each lost its power once and restarted once");
        let metrics = server.http.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
        let resumed = metrics.lines().any(|line| {
            line.starts_with("portico_http_requests_total")
                && line.contains("/devices/firmware/{firmware_id}")
                && line.contains("status=\"206\"")
        });
        assert!(resumed, "the download went on where it was");
        building.stop().await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn device_refuses_a_signature_it_does_not_trust_and_the_rollout_stops_there() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let publisher = Publisher::trusted(&server, &token).await;
        let bytes = image(10_000);
        // The server refuses what nobody it trusts has signed…
        let (status, answer) = upload(&server, &token, "3.0.0", &"00".repeat(64), bytes.clone()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("bad_signature")), "{answer}");
        // …and a device what its own list does not have, whatever the server says.
        let firmware = publisher.upload(&server, &token, "3.0.0", bytes).await;
        let building = start(options(&server, &token, vec![[7; 32]])).await;
        online(&server, &token, &building).await;
        let rollout = roll_out(&server, &token, &firmware, json!({ "max_failed_percent": 0 })).await;
        let stopped = until_state(&server, &token, &rollout, "stopped").await;
        assert_eq!((&stopped["counts"]["failed"], &stopped["counts"]["pending"]), (&json!(1), &json!(1)), "{stopped}");
        let failed = updates(&server, &token, &rollout).await;
        assert!(failed.iter().any(|update| update["error"] == "bad signature"), "{failed:?}");
        let path = format!("/api/v1/rollouts/{rollout}/abort");
        let (status, _) = server.call(Method::POST, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK);
        building.stop().await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_is_installed_unless_forced_and_what_does_not_start_is_taken_back() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let publisher = Publisher::trusted(&server, &token).await;
        let old = publisher.upload(&server, &token, "0.9.0", image(10_000)).await;
        let building = start(options(&server, &token, vec![publisher.public_key()])).await;
        online(&server, &token, &building).await;
        let body = json!({ "firmware_id": old["id"], "selection": { "kind": "type" } });
        let (status, answer) = server.call(Method::POST, "/api/v1/rollouts", Some(&token), Some(body)).await;
        assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("nothing_to_update")), "{answer}");
        // Who goes round the roll-out meets the device's own refusal.
        let args = json!({ "firmware_id": old["id"], "device_type": device_type(), "version": "0.9.0", "size": old["size_bytes"],
                           "sha256": old["sha256"], "signature": old["signature"], "url": "/api/v1/devices/firmware/x" });
        let id = &devices_of(&building)[0];
        let command = send(&server, &token, id, json!({ "name": "firmware_update", "args": args })).await;
        let refused = finished(&server, &token, id, &command).await;
        assert_eq!((&refused["state"], &refused["error"]), (&json!("failed"), &json!("downgrade refused")), "{refused}");
        let rollout = roll_out(&server, &token, &old, json!({ "force": true })).await;
        until_state(&server, &token, &rollout, "finished").await;

        let broken = [portico_simulator::firmware::BROKEN_IMAGE, &image(10_000)].concat();
        let broken = publisher.upload(&server, &token, "3.1.0", broken).await;
        let rollout = roll_out(&server, &token, &broken, json!({ "max_failed_percent": 0 })).await;
        let stopped = until_state(&server, &token, &rollout, "stopped").await;
        assert_eq!(stopped["counts"]["rolled_back"], 1, "{stopped}");
        let (_, device) = server.call(Method::GET, &format!("/api/v1/devices/{id}"), Some(&token), None).await;
        assert_eq!(device["firmware_version"], "0.9.0");
        building.stop().await;
        server
    })
    .await;
}

async fn send(server: &Server, token: &str, device: &str, body: Value) -> String {
    let path = format!("/api/v1/devices/{device}/commands");
    let (status, answer) = server.call(Method::POST, &path, Some(token), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn finished(server: &Server, token: &str, device: &str, command: &str) -> Value {
    let path = format!("/api/v1/devices/{device}/commands/{command}");
    eventually("the command is finished", || async {
        !server.call(Method::GET, &path, Some(token), None).await.1["finished_at"].is_null()
    })
    .await;
    server.call(Method::GET, &path, Some(token), None).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn image_is_served_in_parts_and_only_to_devices_it_is_for() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let publisher = Publisher::trusted(&server, &token).await;
        let bytes = image(100_000);
        let firmware = publisher.upload(&server, &token, "3.0.0", bytes.clone()).await;
        let too_large = vec![0; 64 * 1024 * 1024 + 1];
        assert_eq!(
            upload(&server, &token, "3.0.1", &"00".repeat(64), too_large).await.0,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let body = json!({ "name": "Room", "device_type": device_type() });
        let (_, room) = server.call(Method::POST, "/api/v1/devices/register", Some(&token), Some(body)).await;
        let (_, other) = server.register(&token, "Of another type").await;
        let key = room["device"]["api_key"].as_str().unwrap();
        let path = format!("{}/api/v1/devices/firmware/{}", server.url, firmware["id"].as_str().unwrap());
        let get = async |key: &str, headers: &[(&str, &str)]| {
            let mut request = server.http.get(&path).header("x-api-key", key);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            let header = |name: &str| {
                response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
            };
            let about = (response.status().as_u16(), header("etag"), header("content-range"));
            (about, response.bytes().await.unwrap())
        };
        let etag = format!("\"{}\"", firmware["sha256"].as_str().unwrap());
        let ((status, tag, _), body) = get(key, &[]).await;
        assert_eq!((status, tag.as_str(), body.as_ref() == bytes.as_slice()), (200, etag.as_str(), true));
        let ((status, _, range), body) = get(key, &[("range", "bytes=99990-"), ("if-range", &etag)]).await;
        assert_eq!((status, range.as_str(), body.as_ref()), (206, "bytes 99990-99999/100000", &bytes[99_990..]));
        let ((status, ..), body) = get(key, &[("range", "bytes=99990-"), ("if-range", "\"another\"")]).await;
        assert_eq!((status, body.len()), (200, 100_000), "another image begins anew");
        let ((status, _, range), body) = get(key, &[("range", "bytes=100000-")]).await;
        assert_eq!((status, range.as_str()), (416, "bytes */100000"));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["code"], "range_not_satisfiable");
        assert_eq!(get(key, &[("if-none-match", &etag)]).await.0.0, 304);
        assert_eq!(get(&other, &[]).await.0.0, 404);
        assert_eq!(get("wrong", &[]).await.0.0, 401);
        let deleted = format!("/api/v1/firmware/{}", firmware["id"].as_str().unwrap());
        assert_eq!(server.call(Method::DELETE, &deleted, Some(&token), None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(get(key, &[]).await.0.0, 404);
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_and_wanted_state_reach_a_device_at_once_or_when_it_comes_back() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            state_file: Some(dir.path().join("state.json")),
            sensors: 1,
            ..options(&server, &token, Vec::new())
        };
        let building = start(options.clone()).await;
        online(&server, &token, &building).await;
        let id = &devices_of(&building)[0];
        let mut screen = server.live(&token).await;
        screen.subscribe(&format!("commands:{id}")).await;
        let command = send(&server, &token, id, json!({ "name": "ping" })).await;
        let event = screen.next_where(|message| message["data"]["command"]["state"] == "acknowledged").await;
        assert_eq!(event["data"]["command"]["id"], command.as_str());
        let done = finished(&server, &token, id, &command).await;
        assert_eq!((&done["response"], &done["attempts"]), (&json!({ "pong": true }), &json!(1)), "{done}");
        let command = send(&server, &token, id, json!({ "name": "no_such_thing", "args": {} })).await;
        assert_eq!(finished(&server, &token, id, &command).await["error"], "unknown command");

        building.stop().await;
        let device = format!("/api/v1/devices/{id}");
        eventually("the device is offline", || async {
            server.call(Method::GET, &device, Some(&token), None).await.1["connection"] == "offline"
        })
        .await;
        let waiting = send(&server, &token, id, json!({ "name": "ping", "expires_in_s": 600 })).await;
        let path = format!("/api/v1/devices/{id}/commands/{waiting}");
        assert_eq!(server.call(Method::GET, &path, Some(&token), None).await.1["state"], "queued");
        let shadow = format!("/api/v1/devices/{id}/shadow");
        let change = json!({ "desired": { "interval_s": 7, "led": true } });
        let (status, answer) = server.call(Method::PATCH, &shadow, Some(&token), Some(change)).await;
        assert_eq!((status, &answer["delta"]["interval_s"]), (StatusCode::OK, &json!(7)), "{answer}");
        let building = start(options).await;
        assert_eq!(finished(&server, &token, id, &waiting).await["state"], "acknowledged");
        eventually("the device does as wanted", || async {
            server.call(Method::GET, &shadow, Some(&token), None).await.1["delta"] == json!({})
        })
        .await;
        building.stop().await;
        server
    })
    .await;
}
