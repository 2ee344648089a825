use bytes::Bytes;
use portico_model::commands::{Command, CommandState, NewCommand};
use portico_model::devices::{Connection, DeviceWithKey};
use portico_model::identity::Role;
use portico_model::{CommandId, DeviceId, ErrorKind, Timestamp};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::testing::eventually;
use portico_platform::{Actor, on_db};
use serde_json::{Value, json};

use crate::{World, each};

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

async fn come(world: &World, device: DeviceId) {
    send(world, device, TopicKind::Status, &json!({"status": "online"})).await;
}

async fn go(world: &World, device: DeviceId) {
    world.test.clock.advance_ms(1);
    send(world, device, TopicKind::Status, &json!({"status": "offline"})).await;
    let shown = world.devices.get(&world.manager, device).await.unwrap();
    assert_eq!(shown.connection, Connection::Offline);
}

async fn answer(world: &World, device: DeviceId, command: CommandId, result: &str) {
    send(world, device, TopicKind::Ack, &json!({"command_id": command, "result": result, "error": "no power"})).await;
}

/// Messages to the device that wait to be published: payload, QoS, retained, expiry.
async fn outgoing(world: &World, device: DeviceId) -> Vec<(Value, i32, bool, Option<Timestamp>)> {
    let topic = Topics::default().device(device, TopicKind::Command);
    let mut tx = world.platform.db.read().await.unwrap();
    let rows: Vec<(Vec<u8>, i32, bool, Option<Timestamp>)> = on_db!(&mut tx, conn => sqlx::query_as(
        "select payload, qos, retain, expires_at from outbox where topic = $1 order by id",
    ).bind(topic).fetch_all(conn).await)
    .unwrap();
    rows.into_iter()
        .map(|(payload, qos, retain, at)| (serde_json::from_slice(&payload).unwrap(), qos, retain, at))
        .collect()
}

fn reboot(expires_in_s: i64) -> NewCommand {
    NewCommand { name: "reboot".into(), args: Some(json!({"hard": true})), expires_in_s: Some(expires_in_s) }
}

async fn issue(world: &World, device: &DeviceWithKey, expires_in_s: i64) -> Command {
    world.devices.send_command(&world.manager, device.device.id, reboot(expires_in_s)).await.unwrap()
}

async fn state(world: &World, command: &Command) -> CommandState {
    world.devices.command(&world.manager, command.device_id, command.id).await.unwrap().state
}

async fn audited(world: &World, action: &str) -> i64 {
    let mut tx = world.platform.db.read().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query_scalar(
        "select count(*) from audit where organization_id = $1 and action = $2",
    ).bind(world.organization).bind(action).fetch_one(conn).await)
    .unwrap()
}

#[tokio::test]
async fn device_that_is_there_is_told_at_once_and_its_answer_finishes_the_command() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        come(&world, id).await;
        let command = issue(&world, &device, 60).await;
        assert_eq!((command.state, command.attempts, command.counter), (CommandState::Sent, 1, 1));
        let messages = outgoing(&world, id).await;
        let (payload, qos, retained, expires_at) = &messages[0];
        let now = world.now();
        let mut payload = payload.clone();
        for proof in ["key_id", "signature"] {
            assert!(payload.as_object_mut().unwrap().remove(proof).is_some_and(|text| text.is_string()), "{proof}");
        }
        assert_eq!(
            payload,
            json!({"id": command.id, "name": "reboot", "args": {"hard": true}, "issued_at": now.millis(),
                   "expires_at": now.plus_secs(60).millis(), "counter": 1})
        );
        assert_eq!((*qos, *retained), (0, false), "no broker keeps it for later");
        assert!(expires_at.unwrap() <= command.expires_at);

        send(&world, id, TopicKind::Ack, &json!({"command_id": command.id, "result": "received"})).await;
        assert_eq!(state(&world, &command).await, CommandState::Delivered);
        send(&world, id, TopicKind::Ack, &json!({"command_id": command.id, "result": "ok", "uptime": 1})).await;
        let done = world.devices.command(&world.manager, id, command.id).await.unwrap();
        assert_eq!((done.state, &done.response), (CommandState::Acknowledged, &json!({"uptime": 1})));
        assert!(done.delivered_at.is_some() && done.finished_at.is_some());
        assert_eq!(issue(&world, &device, 60).await.counter, 2);
        assert_eq!((audited(&world, "command.issued").await, audited(&world, "command.acknowledged").await), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn command_waits_for_a_device_that_is_away_and_leaves_at_its_return() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        let command = issue(&world, &device, 3_600).await;
        assert_eq!(command.state, CommandState::Queued);
        world.devices.dispatch_commands().await.unwrap();
        assert!(outgoing(&world, id).await.is_empty());
        world.test.clock.advance_ms(60_000);
        come(&world, id).await;
        // The device's return itself wakes the job.
        eventually("the command is sent", || async { state(&world, &command).await == CommandState::Sent }).await;
        assert_eq!(outgoing(&world, id).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn expired_command_is_never_sent_and_no_answer_changes_it() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        let command = issue(&world, &device, 60).await;
        world.test.clock.advance_ms(60_000);
        come(&world, id).await;
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(state(&world, &command).await, CommandState::Expired);
        assert!(outgoing(&world, id).await.is_empty());
        answer(&world, id, command.id, "ok").await;
        assert_eq!(state(&world, &command).await, CommandState::Expired);
        assert_eq!(audited(&world, "command.expired").await, 1);

        // Also when the job has not come round yet.
        let command = issue(&world, &device, 60).await;
        world.test.clock.advance_ms(60_000);
        answer(&world, id, command.id, "ok").await;
        assert_ne!(state(&world, &command).await, CommandState::Acknowledged);
    })
    .await;
}

#[tokio::test]
async fn answers_that_come_twice_or_from_another_device_change_nothing() {
    each(|world| async move {
        let (device, other) = (world.device("valve").await, world.device("other").await);
        let id = device.device.id;
        come(&world, id).await;
        come(&world, other.device.id).await;
        let command = issue(&world, &device, 60).await;
        answer(&world, other.device.id, command.id, "failed").await;
        assert_eq!(state(&world, &command).await, CommandState::Sent);
        answer(&world, id, command.id, "failed").await;
        let failed = world.devices.command(&world.manager, id, command.id).await.unwrap();
        assert_eq!((failed.state, failed.error.as_str()), (CommandState::Failed, "no power"));
        for result in ["ok", "received", "failed"] {
            answer(&world, id, command.id, result).await;
        }
        answer(&world, id, CommandId::generate(), "ok").await;
        let after = world.devices.command(&world.manager, id, command.id).await.unwrap();
        assert_eq!(after, failed);
        assert_eq!((audited(&world, "command.failed").await, audited(&world, "command.acknowledged").await), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn unanswered_command_is_sent_again_with_growing_pauses_until_the_device_has_it() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        come(&world, id).await;
        let command = issue(&world, &device, 600).await;
        let attempts = async || world.devices.command(&world.manager, id, command.id).await.unwrap().attempts;
        world.test.clock.advance_ms(4_999);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(attempts().await, 1);
        world.test.clock.advance_ms(1);
        let (one, two) = tokio::join!(world.devices.dispatch_commands(), world.devices.dispatch_commands());
        one.and(two).unwrap();
        assert_eq!(attempts().await, 2, "once, however many servers look");
        world.test.clock.advance_ms(9_999);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(attempts().await, 2);
        world.test.clock.advance_ms(1);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(attempts().await, 3);
        answer(&world, id, command.id, "received").await;
        world.test.clock.advance_ms(300_000);
        come(&world, id).await;
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(attempts().await, 3);
        // And not while the device is away.
        let command = issue(&world, &device, 600).await;
        go(&world, id).await;
        world.test.clock.advance_ms(60_000);
        world.devices.dispatch_commands().await.unwrap();
        let waiting = world.devices.command(&world.manager, id, command.id).await.unwrap();
        assert_eq!((waiting.state, waiting.attempts), (CommandState::Sent, 1));
    })
    .await;
}

#[tokio::test]
async fn only_a_waiting_command_can_be_withdrawn() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        let command = issue(&world, &device, 600).await;
        let cancelled = world.devices.cancel_command(&world.manager, id, command.id).await.unwrap();
        assert_eq!(cancelled.state, CommandState::Cancelled);
        come(&world, id).await;
        world.devices.dispatch_commands().await.unwrap();
        assert!(outgoing(&world, id).await.is_empty());
        let sent = issue(&world, &device, 600).await;
        let refused = world.devices.cancel_command(&world.manager, id, sent.id).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "command_not_queued"));
    })
    .await;
}

#[tokio::test]
async fn only_those_who_may_change_the_device_command_it_and_only_so_often() {
    each(|world| async move {
        let ann = world.user("ann", Role::User).await;
        let device = world.device_of(&ann, "valve").await;
        let id = device.device.id;
        let bob = world.user("bob", Role::User).await;
        let safety = world.user("sam", Role::Safety).await;
        let other = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        for (actor, kind) in
            [(&bob, ErrorKind::NotFound), (&safety, ErrorKind::Forbidden), (&other, ErrorKind::NotFound)]
        {
            let error = world.devices.send_command(actor, id, reboot(60)).await.unwrap_err();
            assert_eq!(error.kind(), kind);
        }
        let command = world.devices.send_command(&ann, id, reboot(60)).await.unwrap();
        assert!(world.devices.command(&safety, id, command.id).await.is_ok());
        for actor in [&bob, &other] {
            assert_eq!(world.devices.command(actor, id, command.id).await.unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(
                world.devices.commands(actor, id, None, None, None).await.unwrap_err().kind(),
                ErrorKind::NotFound
            );
        }
        for _ in 1..100 {
            world.devices.send_command(&ann, id, reboot(60)).await.unwrap();
        }
        let error = world.devices.send_command(&ann, id, reboot(60)).await.unwrap_err();
        assert_eq!(error.code(), "too_many_commands");
        // Paged, the newest first, none twice.
        let first = world.devices.commands(&ann, id, None, None, Some(60)).await.unwrap();
        let second = world.devices.commands(&ann, id, None, first.next.as_deref(), Some(60)).await.unwrap();
        let counters: Vec<i64> = first.items.iter().chain(&second.items).map(|command| command.counter).collect();
        assert_eq!(counters, (1..=100).rev().collect::<Vec<_>>());
        assert_eq!(second.next, None);
        let none = world.devices.commands(&ann, id, Some(CommandState::Failed), None, None).await.unwrap();
        assert!(none.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn bad_answer_is_a_problem_of_the_device() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        send(&world, id, TopicKind::Ack, &json!({"command_id": "x"})).await;
        world.devices.flush().await.unwrap();
        let problems = world.devices.problems(&world.manager, id).await.unwrap();
        assert_eq!(problems[0].code, "bad_ack");
    })
    .await;
}

#[tokio::test]
async fn finished_commands_are_kept_for_their_time() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        let old = issue(&world, &device, 600).await;
        world.devices.cancel_command(&world.manager, id, old.id).await.unwrap();
        world.test.clock.advance_ms(90 * 86_400_000 + 1);
        let open = issue(&world, &device, 600).await;
        world.devices.clean_up().await.unwrap();
        let left = world.devices.commands(&world.manager, id, None, None, None).await.unwrap().items;
        assert_eq!(left.iter().map(|command| command.id).collect::<Vec<_>>(), [open.id]);
    })
    .await;
}

#[tokio::test]
async fn followers_of_a_device_see_its_commands_move() {
    each(|world| async move {
        let device = world.device("valve").await;
        let id = device.device.id;
        let before = issue(&world, &device, 600).await;
        let connection = world.platform.hub.connect(&world.manager, 10).unwrap();
        let snapshot = connection.subscribe(&world.manager, &format!("commands:{id}")).await.unwrap();
        assert_eq!(snapshot.data["commands"][0]["id"], json!(before.id));
        connection.release(snapshot.slot);
        let made = issue(&world, &device, 600).await;
        world.devices.cancel_command(&world.manager, id, made.id).await.unwrap();
        let mut states = Vec::new();
        while states.len() < 2 {
            let mut out = Vec::new();
            connection.mailbox().take(&mut out, 10).await.unwrap();
            for outgoing in out {
                let portico_platform::hub::Outgoing::Frame(text) = outgoing else { panic!("lagged") };
                let frame: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(frame["data"]["type"], "command_changed");
                assert_eq!(frame["data"]["command"]["id"], json!(made.id));
                states.push(frame["data"]["command"]["state"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(states, ["queued", "cancelled"]);
        let bob = world.user("bob", Role::User).await;
        let stranger = world.platform.hub.connect(&bob, 10).unwrap();
        assert!(stranger.subscribe(&bob, &format!("commands:{id}")).await.is_err());
    })
    .await;
}
