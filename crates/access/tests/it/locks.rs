//! Locks, as their devices and people see them.

use bytes::Bytes;
use portico_access::{LockOperation, LockQuery};
use portico_devices::DeviceQuery;
use portico_model::access::Position;
use portico_model::access::lock::{
    Bolt, How, LockChange, LockEvent, LockEventKind, LockNotice, LockResult, LockRole, NewLock, NewLockGrant,
    RegisteredLock,
};
use portico_model::commands::{CommandState, NewCommand};
use portico_model::devices::{Connection, NewDevice};
use portico_model::identity::Role;
use portico_model::notifications::{NewPushSubscription, PushKeys};
use portico_model::{CommandId, DeviceId, ErrorKind};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::testing::eventually;
use portico_platform::{Actor, on_db};
use serde_json::{Value, json};

use crate::{World, each};

impl World {
    pub async fn new_lock(&self, owner: &Actor, name: &str) -> RegisteredLock {
        let new = NewLock { name: Some(name.into()), ..NewLock::default() };
        self.access.register_lock(owner, new).await.unwrap()
    }

    pub async fn device_says(&self, device: DeviceId, kind: TopicKind, payload: &Value) {
        let message = Inbound {
            topic: Topics::default().device(device, kind),
            payload: Bytes::from(payload.to_string()),
            retained: false,
            durable: false,
            received_at: self.platform.clock.now(),
        };
        self.devices.message_handler(Topics::default()).handle(message).await.unwrap();
    }

    pub async fn beats(&self, device: DeviceId, state: &str) {
        self.device_says(device, TopicKind::Status, &json!({"status": "online", "state": state, "battery": 80})).await;
        self.devices.flush().await.unwrap();
    }

    async fn goes(&self, device: DeviceId) {
        self.advance_s(1);
        self.device_says(device, TopicKind::Status, &json!({"status": "offline"})).await;
        self.devices.flush().await.unwrap();
    }

    pub async fn answers(&self, device: DeviceId, command: CommandId, result: &str, state: Option<&str>) {
        let mut ack = json!({"command_id": command, "result": result});
        if let Some(state) = state {
            ack["state"] = state.into();
        }
        self.device_says(device, TopicKind::Ack, &ack).await;
    }

    pub async fn position(&self, device: DeviceId) -> Position {
        self.access.lock(&self.manager, device).await.unwrap().lock.position
    }

    async fn tell(&self, actor: &Actor, device: DeviceId, want: Bolt) -> CommandId {
        self.access.operate_lock(actor, device, LockOperation::new(want, How::Page)).await.unwrap();
        self.newest_command(device).await
    }

    pub async fn newest_command(&self, device: DeviceId) -> CommandId {
        let page = self.devices.commands(&self.manager, device, None, None, Some(1)).await.unwrap();
        page.items[0].id
    }

    pub async fn history(&self, device: DeviceId) -> Vec<LockEvent> {
        self.access.lock_history(&self.manager, device, None, None).await.unwrap().items
    }

    pub async fn last(&self, device: DeviceId, kind: LockEventKind) -> LockEvent {
        self.history(device).await.into_iter().find(|event| event.kind == kind).unwrap()
    }

    async fn pushes_queued(&self) -> i64 {
        let mut tx = self.platform.db.read().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query_scalar("select count(*) from delivery where kind = 'push'")
            .fetch_one(conn).await)
        .unwrap()
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, portico_platform::Error>) -> (ErrorKind, &'static str) {
    let error = result.unwrap_err();
    (error.kind(), error.code())
}

#[tokio::test]
async fn lock_is_unlocked_only_when_it_says_so() {
    each(|world| async move {
        let made = world.new_lock(&world.manager, "Front door").await;
        let id = made.lock.lock.id;
        assert_eq!(made.api_key.unwrap().len(), 32);
        assert_eq!((made.lock.role, made.lock.lock.position), (LockRole::Manager, Position::Unknown));
        world.beats(id, "locked").await;
        assert_eq!(world.position(id).await, Position::Locked);

        let command = world.tell(&world.manager, id, Bolt::Unlocked).await;
        assert_eq!(world.position(id).await, Position::Unlocking);
        // A heartbeat of before it got the command, and the same wish again.
        world.beats(id, "locked").await;
        assert_eq!(world.tell(&world.manager, id, Bolt::Unlocked).await, command);
        world.test.clock.advance_ms(412);
        world.answers(id, command, "ok", Some("unlocked")).await;
        let lock = world.access.lock(&world.manager, id).await.unwrap().lock;
        assert_eq!((lock.position, lock.wanted, lock.changed_by.as_str()), (Position::Unlocked, None, "user:manager"));
        let line = world.last(id, LockEventKind::Unlock).await;
        assert_eq!((line.result, line.delay_ms, line.how), (LockResult::Done, Some(412), How::Page));

        // Twice, and late: nothing changes.
        world.answers(id, command, "ok", Some("locked")).await;
        assert_eq!(world.position(id).await, Position::Unlocked);
        let other = world.new_lock(&world.manager, "Back door").await.lock.lock.id;
        world.beats(other, "locked").await;
        let theirs = world.tell(&world.manager, other, Bolt::Unlocked).await;
        world.answers(id, theirs, "ok", Some("unlocked")).await;
        assert_eq!(world.position(other).await, Position::Unlocking, "another device's answer");
        world.answers(other, theirs, "failed", Some("jammed")).await;
        assert_eq!(world.position(other).await, Position::Jammed);
        assert_eq!(world.last(other, LockEventKind::Unlock).await.result, LockResult::Jammed);

        // A jam after it said that all went well.
        world.beats(id, "jammed").await;
        assert_eq!(world.position(id).await, Position::Jammed);
        assert_eq!(world.last(id, LockEventKind::Jammed).await.result, LockResult::Jammed);
    })
    .await;
}

#[tokio::test]
async fn command_for_a_lock_that_is_away_waits_and_expires() {
    each(|world| async move {
        let id = world.new_lock(&world.manager, "Front door").await.lock.lock.id;
        world.beats(id, "locked").await;
        world.goes(id).await;
        let command = world.tell(&world.manager, id, Bolt::Unlocked).await;
        let lock = world.access.lock(&world.manager, id).await.unwrap().lock;
        assert_eq!((lock.connection, lock.position), (Connection::Offline, Position::Unlocking));
        assert!(lock.wanted_until.is_some());
        // Another wish takes its place: the first is never sent.
        let second = world.tell(&world.manager, id, Bolt::Locked).await;
        assert_ne!(second, command);
        let first = world.devices.command(&world.manager, id, command).await.unwrap();
        assert_eq!(first.state, CommandState::Cancelled);
        assert_eq!(world.position(id).await, Position::Locking);
        world.advance_s(20);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(world.position(id).await, Position::Locking);
        world.advance_s(41);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(world.position(id).await, Position::Locked, "nothing was sent: it is as it was");
        assert_eq!(world.last(id, LockEventKind::Lock).await.result, LockResult::Expired);
        assert_eq!(world.last(id, LockEventKind::Unlock).await.result, LockResult::Withdrawn);
        world.answers(id, second, "ok", Some("locked")).await;
        assert_eq!(world.last(id, LockEventKind::Lock).await.result, LockResult::Expired);

        // Silent for too long: nobody knows, but where it was last is kept.
        world.access.watch_locks().await.unwrap();
        let lock = world.access.lock(&world.manager, id).await.unwrap().lock;
        assert_eq!((lock.position, lock.last_known), (Position::Unknown, Some(Bolt::Locked)));
        assert_eq!(lock.last_known_at, lock.last_seen_at);
        let lines = world.history(id).await.len();
        world.access.watch_locks().await.unwrap();
        assert_eq!(world.history(id).await.len(), lines, "told once");
        world.beats(id, "locked").await;
        assert_eq!(world.position(id).await, Position::Locked);
    })
    .await;
}

#[tokio::test]
async fn unanswered_command_leaves_the_position_unknown() {
    each(|world| async move {
        let id = world.new_lock(&world.manager, "Front door").await.lock.lock.id;
        world.beats(id, "locked").await;
        world.tell(&world.manager, id, Bolt::Unlocked).await;
        world.advance_s(61);
        world.devices.dispatch_commands().await.unwrap();
        assert_eq!(world.position(id).await, Position::Unknown, "it may have done it");
        world.beats(id, "unlocked").await;
        assert_eq!(world.position(id).await, Position::Unlocked);
        assert_eq!(world.last(id, LockEventKind::Moved).await.note, "unlocked");
        // Somebody turned the key.
        let event = json!({"type": "lock_state", "state": "locked", "method": "key"});
        world.device_says(id, TopicKind::Event, &event).await;
        assert_eq!(world.position(id).await, Position::Locked);
        assert_eq!(world.last(id, LockEventKind::Moved).await.note, "locked (key)");
    })
    .await;
}

#[tokio::test]
async fn lock_is_shared_and_taken_back_at_once() {
    each(|world| async move {
        let owner = world.user("olga", Role::User).await;
        let friend = world.user("felix", Role::User).await;
        let stranger = world.user("stan", Role::User).await;
        let id = world.new_lock(&owner, "Front door").await.lock.lock.id;
        world.beats(id, "locked").await;
        let unlock = LockOperation::new(Bolt::Unlocked, How::Api);
        let not_found = (ErrorKind::NotFound, "lock_not_found");
        assert_eq!(kind(world.access.operate_lock(&stranger, id, unlock).await), not_found);
        assert!(world.access.locks(&friend, LockQuery::default()).await.unwrap().items.is_empty());

        let felix = friend.user_id().unwrap().to_string();
        let stan = stranger.user_id().unwrap().to_string();
        let share = |role| NewLockGrant { user: Some(felix.clone()), person_group_id: None, role };
        assert_eq!(kind(world.access.share_lock(&friend, id, share(LockRole::Viewer)).await), not_found);
        let grant = world.access.share_lock(&owner, id, share(LockRole::Viewer)).await.unwrap();
        let seen = world.access.locks(&friend, LockQuery::default()).await.unwrap().items;
        assert_eq!((seen.len(), seen[0].role), (1, LockRole::Viewer));
        assert_eq!(kind(world.access.operate_lock(&friend, id, unlock).await), (ErrorKind::Forbidden, "not_operator"));
        assert_eq!(world.last(id, LockEventKind::Unlock).await.result, LockResult::Denied);
        assert_eq!(kind(world.access.lock_grants(&friend, id).await), (ErrorKind::Forbidden, "not_your_lock"));

        let again = world.access.share_lock(&owner, id, share(LockRole::Operator)).await.unwrap();
        assert_eq!((again.id, again.role), (grant.id, LockRole::Operator));
        let command = world.tell(&friend, id, Bolt::Unlocked).await;
        world.answers(id, command, "ok", None).await;
        assert_eq!(world.position(id).await, Position::Unlocked);
        assert_eq!(kind(world.access.share_lock(&owner, id, share(LockRole::Manager)).await).0, ErrorKind::Invalid);

        world.access.unshare_lock(&owner, id, grant.id).await.unwrap();
        assert_eq!(kind(world.access.operate_lock(&friend, id, unlock).await), not_found);
        assert_eq!(kind(world.access.lock(&friend, id).await), not_found);

        // Given to somebody else: nobody of before has it.
        world.access.share_lock(&owner, id, share(LockRole::Operator)).await.unwrap();
        let admin = world.user("ada", Role::Admin).await;
        let manager = &world.manager;
        assert_eq!(kind(world.access.reassign_lock(manager, id, &stan).await).0, ErrorKind::Forbidden);
        let transfer = world.devices.transfer(manager, id, stranger.user_id().unwrap()).await;
        assert_eq!(kind(transfer), (ErrorKind::Forbidden, "lock_keeps_its_owner"));
        assert_eq!(kind(world.access.reassign_lock(&admin, id, "nobody").await).0, ErrorKind::NotFound);
        let lock = world.access.reassign_lock(&admin, id, &stan).await.unwrap().lock;
        assert_eq!(lock.owner_name, "stan");
        for before in [&owner, &friend] {
            assert_eq!(kind(world.access.lock(before, id).await), not_found);
        }
        assert_eq!(world.access.lock(&stranger, id).await.unwrap().role, LockRole::Manager);
        // To the same again: nothing to do.
        world.access.reassign_lock(&admin, id, &stan).await.unwrap();
        world.access.remove_lock(&stranger, id).await.unwrap();
        assert_eq!(kind(world.access.lock(&admin, id).await), not_found);
        assert!(world.devices.get(&stranger, id).await.is_ok(), "the device stays");
    })
    .await;
}

#[tokio::test]
async fn group_of_people_uses_a_lock() {
    each(|world| async move {
        let friend = world.user("felix", Role::User).await;
        let id = world.new_lock(&world.manager, "Front door").await.lock.lock.id;
        let group = portico_model::PersonGroupId::generate();
        let person = portico_model::PersonId::generate();
        let mut tx = world.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_person_group (id, organization_id, name, description, created_at)
             values ($1, $2, 'Night shift', '', 0)",
        ).bind(group).bind(world.organization).execute(conn).await.map(drop))
        .unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_person (id, organization_id, number, name, search_text, user_id, level, is_active,
                 created_at, updated_at) values ($1, $2, 1, 'Felix', 'felix', $3, 'basic', true, 0, 0)",
        ).bind(person).bind(world.organization).bind(friend.user_id()).execute(conn).await.map(drop))
        .unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_person_group_member (group_id, person_id, organization_id) values ($1, $2, $3)",
        ).bind(group).bind(person).bind(world.organization).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        assert!(world.access.lock(&friend, id).await.is_err());
        let share = NewLockGrant { user: None, person_group_id: Some(group), role: LockRole::Operator };
        let grant = world.access.share_lock(&world.manager, id, share).await.unwrap();
        assert_eq!(grant.name, "Night shift");
        assert_eq!(world.access.lock(&friend, id).await.unwrap().role, LockRole::Operator);
        let listed = world.access.locks(&friend, LockQuery::default()).await.unwrap().items;
        assert_eq!((listed.len(), listed[0].role), (1, LockRole::Operator));
        let mut tx = world.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query("delete from access_person_group_member where person_id = $1")
            .bind(person).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        assert!(world.access.lock(&friend, id).await.is_err(), "out of the group, out of the lock");
    })
    .await;
}

#[tokio::test]
async fn lock_locks_itself_after_its_time() {
    each(|world| async move {
        let id = world.new_lock(&world.manager, "Front door").await.lock.lock.id;
        world.beats(id, "locked").await;
        for wrong in [1, -1, 100_000] {
            let change = LockChange { relock_after_s: Some(wrong), ..LockChange::default() };
            assert_eq!(kind(world.access.change_lock(&world.manager, id, change).await).0, ErrorKind::Invalid);
        }
        let change = LockChange { relock_after_s: Some(30), ..LockChange::default() };
        world.access.change_lock(&world.manager, id, change).await.unwrap();
        let command = world.tell(&world.manager, id, Bolt::Unlocked).await;
        world.answers(id, command, "ok", None).await;
        world.advance_s(29);
        world.access.watch_locks().await.unwrap();
        assert_eq!(world.position(id).await, Position::Unlocked);
        world.advance_s(1);
        world.access.watch_locks().await.unwrap();
        assert_eq!(world.position(id).await, Position::Locking);
        let relock = world.newest_command(id).await;
        // Not done: tried again later.
        world.answers(id, relock, "failed", Some("unlocked")).await;
        let lock = world.access.lock(&world.manager, id).await.unwrap().lock;
        assert_eq!(lock.position, Position::Unlocked);
        assert!(lock.relock_at.is_some());
        world.advance_s(31);
        world.access.watch_locks().await.unwrap();
        world.answers(id, world.newest_command(id).await, "ok", None).await;
        let lock = world.access.lock(&world.manager, id).await.unwrap().lock;
        assert_eq!((lock.position, lock.relock_at, lock.changed_how), (Position::Locked, None, How::Relock));
    })
    .await;
}

#[tokio::test]
async fn lock_is_told_by_its_own_rules_alone() {
    each(|world| async move {
        let id = world.new_lock(&world.manager, "Front door").await.lock.lock.id;
        let raw = NewCommand { name: "unlock".into(), ..NewCommand::default() };
        let sent = world.devices.send_command(&world.manager, id, raw).await;
        assert_eq!(kind(sent), (ErrorKind::Conflict, "use_the_lock"));
        // Whoever has not proved lately who he is must do so where the lock asks for it.
        let change = LockChange { require_step_up: Some(true), ..LockChange::default() };
        world.access.change_lock(&world.manager, id, change).await.unwrap();
        let unlock = LockOperation::new(Bolt::Unlocked, How::Page);
        let denied = (ErrorKind::Forbidden, "step_up_required");
        assert_eq!(kind(world.access.operate_lock(&world.manager, id, unlock).await), denied);
        let change = LockChange { require_step_up: Some(false), ..LockChange::default() };
        assert_eq!(kind(world.access.change_lock(&world.manager, id, change).await), denied);
        // As long as it is away, the former interface tells it nothing.
        let other = world.new_lock(&world.manager, "Back door").await.lock.lock.id;
        let only_online = LockOperation { only_online: true, ..unlock };
        let refused = world.access.operate_lock(&world.manager, other, only_online).await.unwrap_err();
        assert_eq!(refused.message(), "Device is offline, cannot send UNLOCK command");
        for seconds in [0, -1, 3_601, i64::MAX] {
            let operation = LockOperation { expires_in_s: Some(seconds), ..unlock };
            assert_eq!(kind(world.access.operate_lock(&world.manager, other, operation).await).0, ErrorKind::Invalid);
        }
    })
    .await;
}

#[tokio::test]
async fn device_that_is_there_becomes_a_lock_and_goes_with_its_device() {
    each(|world| async move {
        let owner = world.user("olga", Role::User).await;
        let stranger = world.user("stan", Role::User).await;
        let new = NewDevice {
            name: "Old lock".into(),
            device_type: "lock".into(),
            hardware_id: Some("device-1".into()),
            ..NewDevice::default()
        };
        let id = world.devices.register(&owner, new).await.unwrap().device.id;
        let register = || NewLock { device_id: Some("device-1".into()), ..NewLock::default() };
        assert_eq!(kind(world.access.register_lock(&stranger, register()).await).0, ErrorKind::NotFound);
        let made = world.access.register_lock(&owner, register()).await.unwrap();
        assert_eq!((made.lock.lock.id, made.api_key), (id, None));
        let again = world.access.register_lock(&owner, register()).await;
        assert_eq!(kind(again), (ErrorKind::Conflict, "already_a_lock"));
        assert_eq!(world.access.resolve_lock(world.organization, "device-1").await.unwrap(), id);
        let both = NewLock { name: Some("x".into()), ..register() };
        assert_eq!(kind(world.access.register_lock(&owner, both).await).0, ErrorKind::Invalid);
        assert_eq!(kind(world.access.register_lock(&owner, NewLock::default()).await).0, ErrorKind::Invalid);
        let change = LockChange { name: Some("Front door".into()), ..LockChange::default() };
        assert_eq!(world.access.change_lock(&owner, id, change).await.unwrap().lock.name, "Front door");
        world.devices.delete(&owner, id).await.unwrap();
        assert!(world.access.locks(&world.manager, LockQuery::default()).await.unwrap().items.is_empty());
        assert!(world.devices.list(&owner, DeviceQuery::default()).await.unwrap().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn locks_are_listed_by_pages_and_filters() {
    each(|world| async move {
        for name in ["A gate", "B gate", "C door"] {
            let id = world.new_lock(&world.manager, name).await.lock.lock.id;
            if name != "B gate" {
                world.beats(id, "locked").await;
            }
        }
        let names = async |query: LockQuery| {
            let page = world.access.locks(&world.manager, query).await.unwrap();
            (page.items.into_iter().map(|shown| shown.lock.name).collect::<Vec<_>>(), page.next)
        };
        let (first, next) = names(LockQuery { limit: Some(2), ..LockQuery::default() }).await;
        assert_eq!(first, ["A gate", "B gate"]);
        assert_eq!(names(LockQuery { cursor: next, ..LockQuery::default() }).await, (vec!["C door".to_owned()], None));
        let search = LockQuery { search: Some("GATE".into()), ..LockQuery::default() };
        assert_eq!(names(search).await.0, ["A gate", "B gate"]);
        let unknown = LockQuery { position: Some(Position::Unknown), ..LockQuery::default() };
        assert_eq!(names(unknown).await.0, ["B gate"]);
        let online = LockQuery { connection: Some(Connection::Online), ..LockQuery::default() };
        assert_eq!(names(online).await.0, ["A gate", "C door"]);
        let bad = LockQuery { cursor: Some("x".into()), ..LockQuery::default() };
        assert_eq!(kind(world.access.locks(&world.manager, bad).await), (ErrorKind::Invalid, "bad_cursor"));
    })
    .await;
}

#[tokio::test]
async fn owner_is_told_of_what_he_chose() {
    each(|world| async move {
        let owner = world.user("olga", Role::User).await;
        let id = world.new_lock(&owner, "Front door").await.lock.lock.id;
        let keys = PushKeys {
            // The subscription of RFC 8291, appendix A.
            p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4".into(),
            auth: "BTBZMqHH6r4Tts7J_aSIgg".into(),
        };
        let browser = NewPushSubscription { endpoint: "https://push.example.net/1".into(), keys, name: "Phone".into() };
        world.notifications.subscribe(&owner, browser, "").await.unwrap();
        world.beats(id, "locked").await;
        let command = world.tell(&owner, id, Bolt::Unlocked).await;
        world.answers(id, command, "ok", None).await;
        assert_eq!(world.pushes_queued().await, 0, "it was not chosen");
        let change =
            LockChange { notify_on: Some(vec![LockNotice::Unlocked, LockNotice::Unlocked]), ..LockChange::default() };
        let lock = world.access.change_lock(&owner, id, change).await.unwrap().lock;
        assert_eq!(lock.notify_on, [LockNotice::Unlocked]);
        let command = world.tell(&owner, id, Bolt::Locked).await;
        world.answers(id, command, "ok", None).await;
        assert_eq!(world.pushes_queued().await, 0, "only unlocking was chosen");
        let command = world.tell(&owner, id, Bolt::Unlocked).await;
        assert_eq!(world.pushes_queued().await, 0, "it is not done yet");
        world.answers(id, command, "ok", None).await;
        assert_eq!(world.pushes_queued().await, 1);
        // Offline is in the history, once for each time.
        world.goes(id).await;
        eventually("the going is in the history", || async {
            world.history(id).await.iter().filter(|event| event.kind == LockEventKind::Offline).count() == 1
        })
        .await;
    })
    .await;
}
