use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use portico_alarms::AlarmQuery;
use portico_devices::{NewFirmware, RolloutAction};
use portico_model::commands::{CommandState, NewCommand};
use portico_model::devices::{DeviceChange, DeviceStatus, DeviceWithKey, NewDevice};
use portico_model::firmware::{
    DeviceUpdate, Firmware, NewPublisherKey, NewRollout, Rollout, RolloutState, Selection, UpdateState, signed_text,
};
use portico_model::groups::NewGroup;
use portico_model::identity::Role;
use portico_model::{CommandId, DeviceId, ErrorKind};
use portico_platform::Actor;
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::secrets::hex;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{World, each, each_with};

struct Publisher(Ed25519KeyPair);

impl Publisher {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    async fn trusted(world: &World) -> Self {
        let publisher = Self::new();
        let new = NewPublisherKey { name: "Build server".into(), public_key: hex(publisher.0.public_key().as_ref()) };
        world.devices.add_publisher_key(&world.manager, new).await.unwrap();
        publisher
    }

    fn sign(&self, device_type: &str, version: &str, image: &[u8]) -> NewFirmware {
        let size = i64::try_from(image.len()).unwrap();
        let text = signed_text(device_type, version, size, &hex(&Sha256::digest(image)));
        NewFirmware {
            device_type: device_type.into(),
            version: version.into(),
            notes: "Steadier radio".into(),
            signature: hex(self.0.sign(text.as_bytes()).as_ref()),
        }
    }
}

async fn upload(world: &World, actor: &Actor, new: NewFirmware, image: &[u8]) -> portico_platform::Result<Firmware> {
    let pieces: Vec<Result<Bytes, Infallible>> =
        image.chunks(100).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    world.devices.upload_firmware(actor, new, stream::iter(pieces)).await
}

async fn image(world: &World, version: &str) -> Firmware {
    let publisher = Publisher::trusted(world).await;
    let bytes = format!("image {version}").into_bytes();
    upload(world, &world.manager, publisher.sign("sensor", version, &bytes), &bytes).await.unwrap()
}

fn files(world: &World) -> usize {
    std::fs::read_dir(world.platform.config.firmware_dir()).map_or(0, Iterator::count)
}

#[tokio::test]
async fn only_what_a_trusted_publisher_signed_is_taken_in() {
    each(|world| async move {
        let publisher = Publisher::trusted(&world).await;
        let bytes: Vec<u8> = (0..1_000_u32).flat_map(u32::to_be_bytes).collect();
        let good = publisher.sign("sensor", "1.4.0", &bytes);
        let mut other_bytes = bytes.clone();
        other_bytes[500] ^= 1;
        let stranger = Publisher::new();
        for (why, new, bytes) in [
            ("another key", stranger.sign("sensor", "1.4.0", &bytes), &bytes),
            ("other bytes", good.clone(), &other_bytes),
            ("another version", NewFirmware { version: "1.5.0".into(), ..good.clone() }, &bytes),
            ("another type", NewFirmware { device_type: "lock".into(), ..good.clone() }, &bytes),
        ] {
            let error = upload(&world, &world.manager, new, bytes).await.unwrap_err();
            assert_eq!(error.code(), "bad_signature", "{why}");
        }
        assert_eq!(files(&world), 0, "what is refused leaves no file");
        let firmware = upload(&world, &world.manager, good.clone(), &bytes).await.unwrap();
        assert_eq!((firmware.size_bytes, firmware.key_name.as_str()), (4_000, "Build server"));
        assert_eq!(firmware.sha256, hex(&Sha256::digest(&bytes)));
        let again = upload(&world, &world.manager, good, &bytes).await.unwrap_err();
        assert_eq!((again.code(), files(&world)), ("firmware_exists", 1));

        // A revoked key makes nothing good any more.
        let keys = world.devices.publisher_keys(&world.manager).await.unwrap();
        world.devices.revoke_publisher_key(&world.manager, keys[0].id).await.unwrap();
        let late = upload(&world, &world.manager, publisher.sign("sensor", "1.5.0", &bytes), &bytes).await.unwrap_err();
        assert_eq!(late.code(), "bad_signature");
        assert!(world.devices.revoke_publisher_key(&world.manager, keys[0].id).await.is_err(), "revoked before");

        world.devices.delete_firmware(&world.manager, firmware.id).await.unwrap();
        assert_eq!(files(&world), 0);
        let gone = world.devices.firmware(&world.manager, firmware.id).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn upload_that_is_too_large_or_breaks_off_leaves_nothing() {
    let small = |config: &mut portico_platform::Config| config.devices.firmware_limit_bytes = 1_000;
    each_with(small, |world| async move {
        let publisher = Publisher::trusted(&world).await;
        let bytes = vec![7; 1_001];
        let error =
            upload(&world, &world.manager, publisher.sign("sensor", "1.0.0", &bytes), &bytes).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let new = publisher.sign("sensor", "1.0.0", b"whole image");
        let broken = stream::iter([Ok(Bytes::from_static(b"whole ")), Err("the client hung up")]);
        assert!(world.devices.upload_firmware(&world.manager, new.clone(), broken).await.is_err());
        let error = upload(&world, &world.manager, new.clone(), b"").await.unwrap_err();
        assert_eq!(error.code(), "empty_body");
        let bad = NewFirmware { version: "1.0".into(), device_type: "a\nb".into(), signature: "zz".into(), ..new };
        let error = upload(&world, &world.manager, bad, b"x").await.unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["device_type", "version", "signature"]);
        assert_eq!(files(&world), 0);
    })
    .await;
}

#[tokio::test]
async fn firmware_is_for_those_who_manage_it_in_their_organisation() {
    each(|world| async move {
        let firmware = image(&world, "1.0.0").await;
        let user = world.user("ann", Role::User).await;
        let other = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        assert_eq!(
            world.devices.firmware_list(&user, None, None, None).await.unwrap_err().kind(),
            ErrorKind::Forbidden
        );
        assert_eq!(world.devices.rollouts(&user, None, None).await.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(world.devices.firmware(&other, firmware.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(world.devices.firmware_list(&other, None, None, None).await.unwrap().items.is_empty());
        assert!(world.devices.publisher_keys(&other).await.unwrap().is_empty());
        assert_eq!(world.devices.start_rollout(&other, plan(&firmware)).await.unwrap_err().kind(), ErrorKind::NotFound);
        let connection = world.platform.hub.connect(&user, 10).unwrap();
        assert!(connection.subscribe(&user, "rollouts").await.is_err());
    })
    .await;
}

fn plan(firmware: &Firmware) -> NewRollout {
    NewRollout {
        firmware_id: firmware.id,
        selection: Selection::Type,
        stages: Some(vec![20, 100]),
        per_minute: Some(100),
        at_once: Some(100),
        max_failed_percent: Some(50),
        force: false,
        timeout_s: Some(600),
    }
}

async fn sensor(world: &World, name: &str, version: &str) -> DeviceId {
    let new = NewDevice {
        name: name.into(),
        device_type: "sensor".into(),
        firmware_version: version.into(),
        ..NewDevice::default()
    };
    let device: DeviceWithKey = world.devices.register(&world.manager, new).await.unwrap();
    device.device.id
}

async fn send(world: &World, device: DeviceId, kind: TopicKind, payload: &Value) {
    let message = Inbound {
        topic: Topics::default().device(device, kind),
        payload: Bytes::from(payload.to_string()),
        retained: false,
        durable: true,
        received_at: world.now(),
    };
    world.devices.message_handler(Topics::default()).handle(message).await.unwrap();
}

async fn beat(world: &World, device: DeviceId, version: &str) {
    send(world, device, TopicKind::Status, &json!({"status": "online", "firmware": version})).await;
}

/// Those who were told and have not finished.
async fn told(world: &World, rollout: &Rollout) -> Vec<DeviceUpdate> {
    let page = world.devices.rollout_devices(&world.manager, rollout.id, None, None, Some(200)).await.unwrap();
    page.items.into_iter().filter(|update| update.command_id.is_some() && !update.state.is_final()).collect()
}

async fn report(world: &World, update: &DeviceUpdate, state: &str, progress: i64) {
    let event = json!({"type": "firmware", "command_id": update.command_id, "state": state, "progress": progress,
                       "error": if state == "rolled_back" { "did not start" } else { "" }});
    send(world, update.device_id, TopicKind::Event, &event).await;
}

async fn ack(world: &World, device: DeviceId, command: Option<CommandId>, result: &str) {
    send(world, device, TopicKind::Ack, &json!({"command_id": command, "result": result, "error": "bad signature"}))
        .await;
}

async fn state(world: &World, rollout: &Rollout) -> Rollout {
    world.devices.move_rollouts().await.unwrap();
    world.devices.rollout(&world.manager, rollout.id).await.unwrap()
}

#[tokio::test]
async fn rollout_goes_stage_by_stage_and_a_device_counts_when_its_heartbeat_says_so() {
    each(|world| async move {
        let firmware = image(&world, "1.1.0").await;
        for number in 0..10 {
            let id = sensor(&world, &format!("s{number}"), "1.0.0").await;
            beat(&world, id, "1.0.0").await;
        }
        let newer = sensor(&world, "newer", "2.0.0").await;
        let same = sensor(&world, "same", "1.1.0").await;
        let unused = sensor(&world, "unused", "1.0.0").await;
        let change = DeviceChange { status: Some(DeviceStatus::Inactive), ..DeviceChange::default() };
        world.devices.update(&world.manager, unused, change).await.unwrap();
        let rollout = world.devices.start_rollout(&world.manager, plan(&firmware)).await.unwrap();
        assert_eq!(rollout.counts.pending, 10, "not those with this version, a newer one, or out of use");
        let clash = world.devices.start_rollout(&world.manager, plan(&firmware)).await.unwrap_err();
        assert_eq!(clash.code(), "rollout_under_way");
        let kept = world.devices.delete_firmware(&world.manager, firmware.id).await.unwrap_err();
        assert_eq!(kept.code(), "rollout_under_way");

        let now = state(&world, &rollout).await;
        assert_eq!((now.stage, now.counts.notified, now.counts.pending), (0, 2, 8), "20 % of 10");
        let first = told(&world, &rollout).await;
        let command =
            world.devices.command(&world.manager, first[0].device_id, first[0].command_id.unwrap()).await.unwrap();
        assert_eq!(command.name, "firmware_update");
        assert_eq!(command.args["sha256"], json!(firmware.sha256));
        assert_eq!(command.args["signature"], json!(firmware.signature));
        assert_eq!(command.args["url"], json!(format!("/api/v1/devices/firmware/{}", firmware.id)));

        report(&world, &first[0], "downloading", 40).await;
        let shown = told(&world, &rollout).await;
        let shown = shown.iter().find(|update| update.device_id == first[0].device_id).unwrap();
        assert_eq!((shown.state, shown.progress), (UpdateState::Downloading, 40));
        ack(&world, first[0].device_id, first[0].command_id, "ok").await;
        let now = state(&world, &rollout).await;
        assert_eq!(now.counts.verifying, 1, "installed only when it says so itself");
        for update in &first {
            beat(&world, update.device_id, "1.1.0").await;
        }
        let now = state(&world, &rollout).await;
        assert_eq!((now.stage, now.counts.installed, now.counts.notified), (1, 2, 8));
        for update in told(&world, &rollout).await {
            beat(&world, update.device_id, "1.1.0").await;
        }
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.installed), (RolloutState::Finished, 10));
        assert!(now.finished_at.is_some());
        let nothing = world.devices.start_rollout(&world.manager, plan(&firmware)).await.unwrap_err();
        assert_eq!(nothing.code(), "nothing_to_update");
        // Forced, those with a newer version get it too.
        let forced = NewRollout { force: true, ..plan(&firmware) };
        let forced = world.devices.start_rollout(&world.manager, forced).await.unwrap();
        let devices = world.devices.rollout_devices(&world.manager, forced.id, None, None, None).await.unwrap().items;
        assert_eq!(devices.iter().map(|update| update.device_id).collect::<Vec<_>>(), [newer]);
        let _ = same;
    })
    .await;
}

#[tokio::test]
async fn rollout_stops_when_too_many_fail_and_goes_on_when_a_person_says_so() {
    each(|world| async move {
        let firmware = image(&world, "1.1.0").await;
        for number in 0..10 {
            let id = sensor(&world, &format!("s{number}"), "1.0.0").await;
            beat(&world, id, "1.0.0").await;
        }
        let new = NewRollout { stages: Some(vec![40, 100]), max_failed_percent: Some(25), ..plan(&firmware) };
        let rollout = world.devices.start_rollout(&world.manager, new).await.unwrap();
        state(&world, &rollout).await;
        let first = told(&world, &rollout).await;
        assert_eq!(first.len(), 4);
        ack(&world, first[0].device_id, first[0].command_id, "failed").await;
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.failed), (RolloutState::Running, 1), "25 % may fail");
        report(&world, &first[1], "downloading", 10).await;
        report(&world, &first[1], "rolled_back", 0).await;
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.rolled_back), (RolloutState::Stopped, 1));
        assert!(now.reason.contains("2 of 4"), "{}", now.reason);
        let alarms = async || {
            let query = AlarmQuery { subject_id: Some(rollout.id.to_string()), ..AlarmQuery::default() };
            world.alarms.list(&world.manager, query).await.unwrap().items
        };
        let raised = alarms().await;
        assert_eq!((raised.len(), raised[0].kind.as_str()), (1, "rollout_stopped"), "nobody may be watching the page");
        for update in &first[2..] {
            beat(&world, update.device_id, "1.1.0").await;
        }
        let now = state(&world, &rollout).await;
        assert_eq!((now.counts.pending, now.counts.installed), (6, 2), "who was told may finish, nobody else is told");
        let page = world.devices.rollout_devices(&world.manager, rollout.id, Some(UpdateState::Failed), None, None);
        assert_eq!(page.await.unwrap().items[0].error, "bad signature");

        world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Resume).await.unwrap();
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.notified), (RolloutState::Running, 6), "those failures have been seen");
        assert!(alarms().await.iter().all(|alarm| !alarm.state.is_open()));
        let aborted = world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Abort).await.unwrap();
        assert!(aborted.finished_at.is_some());
        let late = world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Resume).await.unwrap_err();
        assert_eq!(late.code(), "wrong_rollout_state");
    })
    .await;
}

#[tokio::test]
async fn rollout_keeps_its_pace_and_waits_for_devices_that_are_away() {
    each(|world| async move {
        let firmware = image(&world, "1.1.0").await;
        let mut devices = Vec::new();
        for number in 0..6 {
            let id = sensor(&world, &format!("s{number}"), "1.0.0").await;
            beat(&world, id, "1.0.0").await;
            devices.push(id);
        }
        let away = sensor(&world, "away", "").await;
        let new = NewRollout { stages: Some(vec![100]), per_minute: Some(3), at_once: Some(2), ..plan(&firmware) };
        let rollout = world.devices.start_rollout(&world.manager, new).await.unwrap();
        assert_eq!(state(&world, &rollout).await.counts.notified, 2, "two at a time");
        beat(&world, told(&world, &rollout).await[0].device_id, "1.1.0").await;
        let now = state(&world, &rollout).await;
        assert_eq!((now.counts.installed, now.counts.notified), (1, 2), "three in the first minute");
        for update in told(&world, &rollout).await {
            beat(&world, update.device_id, "1.1.0").await;
        }
        assert_eq!(state(&world, &rollout).await.counts.active(), 0, "the minute is not over");
        world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Pause).await.unwrap();
        world.test.clock.advance_ms(61_000);
        assert_eq!(state(&world, &rollout).await.counts.active(), 0, "paused");
        world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Resume).await.unwrap();
        for _ in 0..2 {
            world.test.clock.advance_ms(61_000);
            for id in &devices {
                let device = world.devices.get(&world.manager, *id).await.unwrap();
                beat(&world, *id, &device.firmware_version).await;
            }
            state(&world, &rollout).await;
            for update in told(&world, &rollout).await {
                beat(&world, update.device_id, "1.1.0").await;
            }
        }
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.installed, now.counts.pending), (RolloutState::Running, 6, 1));
        beat(&world, away, "0.9.0").await;
        assert_eq!(state(&world, &rollout).await.counts.notified, 1, "it came");
        beat(&world, away, "1.1.0").await;
        assert_eq!(state(&world, &rollout).await.state, RolloutState::Finished);
    })
    .await;
}

#[tokio::test]
async fn device_that_stays_silent_or_is_deleted_has_failed() {
    each(|world| async move {
        let firmware = image(&world, "1.1.0").await;
        for number in 0..3 {
            let id = sensor(&world, &format!("s{number}"), "1.0.0").await;
            beat(&world, id, "1.0.0").await;
        }
        let new = NewRollout { stages: Some(vec![100]), max_failed_percent: Some(100), ..plan(&firmware) };
        let rollout = world.devices.start_rollout(&world.manager, new).await.unwrap();
        state(&world, &rollout).await;
        let all = told(&world, &rollout).await;
        world.devices.delete(&world.manager, all[0].device_id).await.unwrap();
        ack(&world, all[1].device_id, all[1].command_id, "received").await;
        report(&world, &all[1], "downloading", 90).await;
        world.test.clock.advance_ms(600_000);
        world.devices.dispatch_commands().await.unwrap();
        let now = state(&world, &rollout).await;
        assert_eq!((now.state, now.counts.failed), (RolloutState::Finished, 3));
        let command =
            world.devices.command(&world.manager, all[2].device_id, all[2].command_id.unwrap()).await.unwrap();
        assert_eq!(command.state, CommandState::Expired);
        // Events of a command that is none of the device's, or of another domain, change nothing.
        let other = world.devices.send_command(&world.manager, all[1].device_id, reboot()).await.unwrap();
        let update = DeviceUpdate { command_id: Some(other.id), ..all[1].clone() };
        report(&world, &update, "downloading", 5).await;
        assert_eq!(state(&world, &rollout).await.counts, now.counts);
    })
    .await;
}

fn reboot() -> NewCommand {
    NewCommand { name: "reboot".into(), ..NewCommand::default() }
}

#[tokio::test]
async fn rollout_to_a_list_or_a_group_takes_only_their_devices_of_the_type() {
    each(|world| async move {
        let firmware = image(&world, "1.1.0").await;
        let (one, two) = (sensor(&world, "one", "1.0.0").await, sensor(&world, "two", "1.0.0").await);
        let new = NewDevice { name: "lock".into(), device_type: "lock".into(), ..NewDevice::default() };
        let lock = world.devices.register(&world.manager, new).await.unwrap().device.id;
        let selection = Selection::Devices { device_ids: vec![one, one, lock, DeviceId::generate()] };
        let rollout =
            world.devices.start_rollout(&world.manager, NewRollout { selection, ..plan(&firmware) }).await.unwrap();
        let devices = world.devices.rollout_devices(&world.manager, rollout.id, None, None, None).await.unwrap().items;
        assert_eq!(devices.iter().map(|update| update.device_id).collect::<Vec<_>>(), [one]);
        world.devices.steer_rollout(&world.manager, rollout.id, RolloutAction::Abort).await.unwrap();

        let new = NewGroup { name: "Ground floor".into(), ..NewGroup::default() };
        let group = world.devices.create_group(&world.manager, new).await.unwrap().id;
        let members = [two.to_string(), lock.to_string()];
        world.devices.add_many_to_group(&world.manager, group, &members).await.unwrap();
        let selection = Selection::Group { group_id: group };
        let rollout =
            world.devices.start_rollout(&world.manager, NewRollout { selection, ..plan(&firmware) }).await.unwrap();
        let devices = world.devices.rollout_devices(&world.manager, rollout.id, None, None, None).await.unwrap().items;
        assert_eq!(devices.iter().map(|update| update.device_id).collect::<Vec<_>>(), [two]);
    })
    .await;
}
