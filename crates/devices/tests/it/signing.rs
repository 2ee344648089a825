//! A device that checks what it is told with `lock-core`, as firmware does.

use portico_lock_core::command::{Flash, Guard, Memory, Refusal};
use portico_lock_core::hex;
use portico_model::commands::NewCommand;
use portico_platform::mqtt::{TopicKind, Topics};
use portico_platform::on_db;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::World;
use crate::rest::{Api, Client, each_api};

#[derive(Default)]
struct Chip(Option<Memory>);

impl Flash for Chip {
    type Error = std::convert::Infallible;

    fn load(&mut self) -> Result<Option<Memory>, Self::Error> {
        Ok(self.0)
    }

    fn save(&mut self, memory: &Memory) -> Result<(), Self::Error> {
        self.0 = Some(*memory);
        Ok(())
    }
}

/// The last message on the device's command topic.
async fn sent(world: &World, device: &Value) -> Vec<u8> {
    let id = device["id"].as_str().unwrap().parse().unwrap();
    let topic = Topics::default().device(id, TopicKind::Command);
    let mut tx = world.platform.db.read().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query_scalar("select payload from outbox where topic = $1 order by id desc limit 1")
        .bind(topic).fetch_one(conn).await)
    .unwrap()
}

async fn command(api: &Api, device: &Value, name: &str, args: Value) {
    let path = format!("/api/v1/devices/{}/commands", device["id"].as_str().unwrap());
    let new = NewCommand { name: name.into(), args: Some(args), expires_in_s: Some(60) };
    let (status, body) = api.user.post(&path, serde_json::to_value(new).unwrap()).await;
    assert_eq!(status, 201, "{body}");
}

async fn key_of(own: &Client) -> ([u8; 32], Value) {
    let (status, body) = own.get("/api/v1/devices/signing-key").await;
    assert_eq!(status, 200, "{body}");
    (hex::parse(body["key"].as_str().unwrap().as_bytes()).unwrap(), body)
}

fn guard(device: &Value, key: [u8; 32]) -> Guard<Chip> {
    Guard::new(device["id"].as_str().unwrap().as_bytes().try_into().unwrap(), key, Chip::default()).unwrap()
}

fn now(world: &World) -> Option<u64> {
    Some(world.now().millis().unsigned_abs())
}

#[tokio::test]
async fn device_does_what_portico_signs_and_nothing_else() {
    each_api(|world, api| async move {
        let device = api.user.register("lock").await;
        let own = api.anonymous.key(&device);
        let (key, told) = key_of(&own).await;
        assert_eq!((&told["device_id"], &told["counter"]), (&device["id"], &json!(0)));
        assert_eq!(told["time_ms"], world.now().millis());
        own.send("POST", "/api/v1/devices/heartbeat", None).await;
        let mut guard = guard(&device, key);

        let args = json!({"for_s": 5, "note": "Tür \"Nord\" \\ 1", "deep": {"list": [1, 2.5, null, true]}});
        command(&api, &device, "unlock", args.clone()).await;
        let message = sent(&world, &device).await;
        let admitted = guard.admit(&message, now(&world)).unwrap();
        assert_eq!((admitted.name, admitted.counter), ("unlock", 1));
        assert_eq!(serde_json::from_slice::<Value>(admitted.args).unwrap(), args);
        assert_eq!(guard.admit(&message, now(&world)), Err(Refusal::Repeated(None)));

        // Over HTTP it is signed, too.
        command(&api, &device, "lock", json!({})).await;
        let (_, _, text) = own.raw("GET", "/api/v1/devices/commands", None).await;
        let messages: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
        assert_eq!(guard.admit(messages[1].get().as_bytes(), now(&world)).unwrap().name, "lock");
        let expired = now(&world).map(|now| now + 60_000);
        command(&api, &device, "lock", json!({})).await;
        assert_eq!(guard.admit(&sent(&world, &device).await, expired), Err(Refusal::Expired));
    })
    .await;
}

#[tokio::test]
async fn signing_key_is_the_devices_own_and_changes_with_its_api_key() {
    each_api(|world, api| async move {
        let device = api.user.register("lock").await;
        let other = api.user.register("other lock").await;
        let old = api.anonymous.key(&device);
        let (key, told) = key_of(&old).await;
        assert_eq!(key_of(&old).await.0, key, "the same each time");
        assert_ne!(key_of(&api.anonymous.key(&other)).await.0, key);
        for stranger in [&api.anonymous, &api.user, &api.admin, &api.token] {
            assert_eq!(stranger.get("/api/v1/devices/signing-key").await.0, 401);
        }

        let id = device["id"].as_str().unwrap().parse().unwrap();
        let rotated = world.devices.rotate_key_with_overlap(&world.manager, id, 60).await.unwrap();
        old.send("POST", "/api/v1/devices/heartbeat", None).await;
        let signed_with = async || {
            command(&api, &device, "unlock", json!({})).await;
            serde_json::from_slice::<Value>(&sent(&world, &device).await).unwrap()["key_id"].clone()
        };
        assert_eq!(signed_with().await, told["key_id"], "until the device has its new key");
        let new = api.anonymous.with("x-api-key", rotated.api_key);
        let (new_key, new_told) = key_of(&new).await;
        assert_ne!(new_key, key);
        assert_eq!(signed_with().await, new_told["key_id"]);
        assert_eq!(new_told["counter"], 0, "the first of them is still open");

        let mut guard = guard(&device, key);
        let message = sent(&world, &device).await;
        assert_eq!(guard.admit(&message, now(&world)), Err(Refusal::OtherKey));
        guard.set_key(new_key, 0).unwrap();
        assert!(guard.admit(&message, now(&world)).is_ok());
    })
    .await;
}
