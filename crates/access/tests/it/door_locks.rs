//! What a door has its lock do stands in the lock's own history.

use portico_model::DeviceId;
use portico_model::access::door::DoorScope;
use portico_model::access::lock::{How, LockEventKind, LockResult};
use portico_model::access::{AccessReason, DoorMode, Method, Position};
use portico_model::commands::{Command, CommandState};
use serde_json::json;

use crate::doors::CARD;
use crate::{World, each};

impl World {
    /// The commands of a device, the newest first.
    async fn commands_of(&self, device: DeviceId) -> Vec<Command> {
        self.devices.commands(&self.manager, device, None, None, None).await.unwrap().items
    }
}

#[tokio::test]
async fn who_was_let_in_stands_in_the_history_of_the_lock_and_is_done_when_it_says_so() {
    each(|world| async move {
        let lock = world.new_lock(&world.manager, "Bolt").await.lock.lock.id;
        world.beats(lock, "locked").await;
        let (door, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        let reader = reader.device.id;
        let person = world.cardholder("Ann Archer", 7, CARD).await;
        assert!(!world.ask(reader, Method::Rfid, "FFFF").await.granted);
        assert!(world.history(lock).await.iter().all(|line| line.kind != LockEventKind::Unlock), "nobody was let in");

        assert!(world.ask(reader, Method::Rfid, CARD).await.granted);
        let line = world.last(lock, LockEventKind::Unlock).await;
        assert_eq!(
            (line.actor.as_str(), line.how, line.note.as_str()),
            ("person:Ann Archer", How::Door, "by the door Main")
        );
        assert_eq!((line.result, line.delay_ms), (LockResult::Pending, None));
        assert_eq!(world.position(lock).await, Position::Unlocking);
        let told = world.commands_of(lock).await;
        assert_eq!((told[0].name.as_str(), &told[0].args), ("unlock", &json!({"for_s": 5, "door": door.id})));
        assert_eq!(told[0].expires_at, told[0].issued_at.plus_secs(10));
        // Somebody else's word, and a heartbeat, do not end it.
        world.answers(reader, told[0].id, "ok", Some("unlocked")).await;
        world.beats(lock, "locked").await;
        assert_eq!(world.last(lock, LockEventKind::Unlock).await.result, LockResult::Pending);
        world.test.clock.advance_ms(412);
        world.answers(lock, told[0].id, "ok", Some("unlocked")).await;
        let line = world.last(lock, LockEventKind::Unlock).await;
        assert_eq!((line.result, line.delay_ms, line.note.as_str()), (LockResult::Done, Some(412), "by the door Main"));
        let shown = world.access.lock(&world.manager, lock).await.unwrap().lock;
        assert_eq!((shown.position, shown.changed_by.as_str()), (Position::Unlocked, "person:Ann Archer"));

        // A bolt that sticks: why stands beside the door.
        assert!(world.ask(reader, Method::Rfid, CARD).await.granted);
        let ack = json!({"command_id": world.newest_command(lock).await, "result": "failed", "state": "jammed",
                         "error": "the bolt is stuck"});
        world.device_says(lock, portico_platform::mqtt::TopicKind::Ack, &ack).await;
        let line = world.last(lock, LockEventKind::Unlock).await;
        assert_eq!((line.result, line.note.as_str()), (LockResult::Jammed, "by the door Main: the bolt is stuck"));

        // Opened from a page: by the door, too.
        world.access.open_door(&world.manager, door.id).await.unwrap();
        let line = world.last(lock, LockEventKind::Unlock).await;
        assert_eq!((line.actor.as_str(), line.how), ("user:manager", How::Door));

        // Who is erased is erased here, too.
        world.access.delete_person(&world.manager, person, true).await.unwrap();
        let actors: Vec<String> = world.history(lock).await.into_iter().map(|line| line.actor).collect();
        assert!(!actors.iter().any(|actor| actor.contains("Ann")), "{actors:?}");
        assert_eq!(actors.iter().filter(|actor| *actor == "person:Erased person 7").count(), 2, "{actors:?}");
    })
    .await;
}

#[tokio::test]
async fn card_at_a_door_that_stays_open_does_not_lock_it_after_a_while() {
    each(|world| async move {
        let lock = world.new_lock(&world.manager, "Bolt").await.lock.lock.id;
        world.beats(lock, "locked").await;
        let (door, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        let plain = world.reader("no lock for Portico").await.device.id;
        let (back, back_reader) = world.door("Back", |door| door.lock_id = Some(plain)).await;
        world.order(DoorScope::All, DoorMode::Evacuation, None).await;
        for (lock, door, reader) in [(lock, door.id, reader.device.id), (plain, back.id, back_reader.device.id)] {
            let order = &world.commands_of(lock).await[0];
            assert_eq!((order.name.as_str(), &order.args), ("unlock", &json!({"hold": true, "door": door})));
            assert_eq!(world.ask(reader, Method::Rfid, "FFFF").await.reason, AccessReason::Evacuation);
            let told = world.commands_of(lock).await;
            assert_eq!((told.len(), &told[0].args), (2, &json!({"hold": true, "door": door})));
        }
        let line = world.last(lock, LockEventKind::Unlock).await;
        assert_eq!((line.actor.as_str(), line.how), ("person:somebody", How::Door));
    })
    .await;
}

#[tokio::test]
async fn letting_one_in_ends_no_order_that_waits_for_the_lock() {
    each(|world| async move {
        let lock = world.new_lock(&world.manager, "Bolt").await.lock.lock.id;
        let (_, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        world.cardholder("Ann", 7, CARD).await;
        world.run("update access_policy set in_lockdown = true").await;
        // The lock is away: the lockdown waits for it.
        world.order(DoorScope::All, DoorMode::Lockdown, None).await;
        assert!(world.ask(reader.device.id, Method::Rfid, CARD).await.granted);
        let told = world.commands_of(lock).await;
        let states: Vec<_> = told.iter().map(|command| (command.name.as_str(), command.state)).collect();
        assert_eq!(states, [("unlock", CommandState::Queued), ("lock", CommandState::Queued)]);
        // Another order does end it.
        world.order(DoorScope::All, DoorMode::Normal, None).await;
        let told = world.commands_of(lock).await;
        assert_eq!((told[0].name.as_str(), told[0].state), ("lock", CommandState::Queued));

        // A lock that takes nothing keeps nobody out.
        world.run("update device set status = 'maintenance' where name = 'Bolt'").await;
        let before = world.history(lock).await.len();
        assert!(world.ask(reader.device.id, Method::Rfid, CARD).await.granted);
        assert_eq!((world.commands_of(lock).await.len(), world.history(lock).await.len()), (3, before));
    })
    .await;
}
