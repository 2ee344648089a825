//! Codes: made, told to locks until they know, used, over.

use portico_access::CodeQuery;
use portico_model::access::code::{AccessCode, CodeState, MAX_ATTEMPTS, NewCode};
use portico_model::commands::{Command, CommandState};
use portico_model::devices::NewDevice;
use portico_model::identity::Role;
use portico_model::{DeviceId, DoorId, ErrorKind, Timestamp};
use portico_platform::mqtt::{Inbound, TopicKind, Topics};
use portico_platform::{Actor, on_db};
use serde_json::{Value, json};

use crate::{World, each};

impl World {
    pub fn now(&self) -> Timestamp {
        self.platform.clock.now()
    }

    /// What a device publishes, committed.
    pub async fn publish(&self, device: DeviceId, kind: TopicKind, payload: &Value) {
        let message = Inbound {
            topic: Topics::default().device(device, kind),
            payload: payload.to_string().into(),
            retained: false,
            durable: true,
            received_at: self.now(),
        };
        self.devices.message_handler(Topics::default()).handle(message).await.unwrap();
    }

    /// A device that is a lock, and is there.
    async fn code_lock(&self, owner: &Actor, name: &str) -> DeviceId {
        let new = NewDevice { name: name.into(), device_type: "lock".into(), ..NewDevice::default() };
        let device = self.devices.register(owner, new).await.unwrap().device.id;
        let mut tx = self.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_lock (device_id, organization_id, owner_id, position, is_sure, changed_by, changed_how,
                 require_step_up, is_bridged, notify_on, created_at, updated_at)
             values ($1, $2, $3, 'unknown', true, '', '', false, false, '', 0, 0)",
        ).bind(device).bind(self.organization).bind(owner.user_id()).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        device
    }

    pub async fn code_door(&self, name: &str, reader: Option<DeviceId>) -> DoorId {
        let id = DoorId::generate();
        let mut tx = self.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_door (id, organization_id, name, location, reader_id, mode, mode_by, passback, state,
                 held_after_s, unlock_s, created_at, updated_at)
             values ($1, $2, $3, '', $4, 'normal', '', 'off', 'unknown', 30, 5, 0, 0)",
        ).bind(id).bind(self.organization).bind(name).bind(reader).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn open_command(&self, device: DeviceId) -> Command {
        let page = self.devices.commands(&self.manager, device, None, None, None).await.unwrap();
        page.items.into_iter().find(|command| !command.state.is_final()).expect("the lock is told of nothing")
    }

    async fn answer(&self, device: DeviceId, result: &str, error: &str) -> Command {
        let command = self.open_command(device).await;
        let ack = json!({"command_id": command.id, "result": result, "error": error});
        self.publish(device, TopicKind::Ack, &ack).await;
        command
    }
}

fn for_lock(lock: DeviceId) -> NewCode {
    NewCode { name: "Plumber".into(), lock_id: Some(lock), ..NewCode::default() }
}

async fn shown(world: &World, code: &AccessCode) -> AccessCode {
    world.access.code(&world.manager, code.id).await.unwrap()
}

#[tokio::test]
async fn lock_is_told_and_a_code_is_set_only_when_it_says_so() {
    each(|world| async move {
        let lock = world.code_lock(&world.manager, "Front").await;
        let created = world.access.create_code(&world.manager, for_lock(lock)).await.unwrap();
        assert_eq!((created.digits.len(), created.code.state), (6, CodeState::Setting));
        let command = world.open_command(lock).await;
        assert_eq!((command.name.as_str(), &command.args["code_id"]), ("set_code", &json!(created.code.id)));
        assert!(
            !command.args.to_string().contains(&created.digits),
            "the digits stand in no command: {}",
            command.args
        );

        world.answer(lock, "ok", "").await;
        let code = shown(&world, &created.code).await;
        assert_eq!((code.state, code.attempts, code.reason.as_str()), (CodeState::Set, 0, ""));

        let code = world.access.withdraw_code(&world.manager, code.id).await.unwrap();
        assert_eq!((code.state, code.wanted), (CodeState::Removing, false));
        assert_eq!(world.answer(lock, "ok", "").await.name, "remove_code");
        let code = shown(&world, &code).await;
        assert_eq!((code.state, code.reason.as_str()), (CodeState::Unset, "Withdrawn"));
        // Twice changes nothing.
        assert_eq!(world.access.withdraw_code(&world.manager, code.id).await.unwrap(), code);
    })
    .await;
}

#[tokio::test]
async fn refused_code_says_why_and_is_tried_again_a_few_times() {
    each(|world| async move {
        let lock = world.code_lock(&world.manager, "Front").await;
        let created = world.access.create_code(&world.manager, for_lock(lock)).await.unwrap();
        for attempt in 1..=MAX_ATTEMPTS {
            world.answer(lock, "failed", "memory full").await;
            let code = shown(&world, &created.code).await;
            assert_eq!((code.state, code.attempts, code.reason.as_str()), (CodeState::Unset, attempt, "memory full"));
            // Not before the pause is over.
            world.access.reconcile_codes().await.unwrap();
            assert_eq!(shown(&world, &code).await.state, CodeState::Unset);
            world.advance_s(3_600);
            world.access.reconcile_codes().await.unwrap();
            let expected = if attempt == MAX_ATTEMPTS { CodeState::Unset } else { CodeState::Setting };
            assert_eq!(shown(&world, &code).await.state, expected);
        }
        let given_up = shown(&world, &created.code).await;
        assert!(given_up.is_stuck() && given_up.next_attempt_at.is_none());
        let again = world.access.retry_code(&world.manager, given_up.id).await.unwrap();
        assert_eq!((again.state, again.attempts), (CodeState::Setting, 0));
        let twice = world.access.retry_code(&world.manager, given_up.id).await;
        assert_eq!(twice.err().map(|error| error.code()), Some("nothing_to_retry"));
        world.answer(lock, "ok", "").await;
        assert_eq!(shown(&world, &again).await.state, CodeState::Set);
    })
    .await;
}

#[tokio::test]
async fn silent_lock_may_have_the_code_so_it_is_told_to_forget_it() {
    each(|world| async move {
        let lock = world.code_lock(&world.manager, "Front").await;
        let created = world.access.create_code(&world.manager, for_lock(lock)).await.unwrap();
        let command = world.open_command(lock).await;
        world.advance_s(86_401);
        world.devices.dispatch_commands().await.unwrap();
        let code = shown(&world, &created.code).await;
        assert_eq!((code.state, code.attempts), (CodeState::Unset, 1));
        assert!(code.reason.contains("did not answer"), "{}", code.reason);
        // A late answer changes nothing.
        world.publish(lock, TopicKind::Ack, &json!({"command_id": command.id, "result": "ok"})).await;
        assert_eq!(shown(&world, &code).await, code);
        let code = world.access.withdraw_code(&world.manager, code.id).await.unwrap();
        assert_eq!((code.state, world.open_command(lock).await.name.as_str()), (CodeState::Removing, "remove_code"));
    })
    .await;
}

#[tokio::test]
async fn code_withdrawn_while_it_is_being_set_is_removed_afterwards() {
    each(|world| async move {
        let lock = world.code_lock(&world.manager, "Front").await;
        let created = world.access.create_code(&world.manager, for_lock(lock)).await.unwrap();
        let code = world.access.withdraw_code(&world.manager, created.code.id).await.unwrap();
        assert_eq!((code.state, code.wanted), (CodeState::Setting, false));
        world.answer(lock, "ok", "").await;
        world.access.reconcile_codes().await.unwrap();
        assert_eq!(world.answer(lock, "ok", "").await.name, "remove_code");
        assert_eq!(shown(&world, &code).await.state, CodeState::Unset);
    })
    .await;
}

#[tokio::test]
async fn expired_and_used_up_codes_are_removed() {
    each(|world| async move {
        let lock = world.code_lock(&world.manager, "Front").await;
        let until = world.now().plus_secs(60);
        let short = NewCode { valid_until: Some(until), ..for_lock(lock) };
        let short = world.access.create_code(&world.manager, short).await.unwrap().code;
        let command = world.answer(lock, "ok", "").await;
        assert_eq!(command.args["valid_until"], json!(until.millis()));
        assert!(command.expires_at <= until, "it is told for no longer than it is good for");
        let few = NewCode { max_uses: Some(2), ..for_lock(lock) };
        let few = world.access.create_code(&world.manager, few).await.unwrap().code;
        world.answer(lock, "ok", "").await;

        world.advance_s(60);
        world.access.reconcile_codes().await.unwrap();
        let code = shown(&world, &short).await;
        assert_eq!((code.state, code.wanted, code.reason.as_str()), (CodeState::Removing, false, "Expired"));
        world.answer(lock, "ok", "").await;

        for (seq, uses) in [(1, 1), (1, 1), (2, 2)] {
            let event = json!({"type": "code_used", "code_id": few.id, "seq": seq});
            world.publish(lock, TopicKind::Event, &event).await;
            assert_eq!(shown(&world, &few).await.uses, uses, "a message that comes twice counts once");
        }
        world.access.reconcile_codes().await.unwrap();
        let code = shown(&world, &few).await;
        assert_eq!((code.state, code.reason.as_str()), (CodeState::Removing, "Used as often as it may be"));
        // Another lock knows nothing of it.
        let other = world.code_lock(&world.manager, "Back").await;
        world.publish(other, TopicKind::Event, &json!({"type": "code_used", "code_id": few.id})).await;
        assert_eq!(shown(&world, &few).await.uses, 2);
    })
    .await;
}

#[tokio::test]
async fn door_code_works_at_once_and_its_digits_are_its_own() {
    each(|world| async move {
        let door = world.code_door("Main", None).await;
        let new = || NewCode {
            name: "Visitor".into(),
            door_id: Some(door),
            code: Some("482913".into()),
            ..NewCode::default()
        };
        let created = world.access.create_code(&world.manager, new()).await.unwrap();
        assert_eq!((created.code.state, created.digits.as_str()), (CodeState::Set, "482913"));
        assert_eq!(created.code.door_name, "Main");
        let again = world.access.create_code(&world.manager, new()).await;
        assert_eq!(again.err().map(|error| error.code()), Some("code_taken"));
        let code = world.access.withdraw_code(&world.manager, created.code.id).await.unwrap();
        assert_eq!((code.state, code.wanted), (CodeState::Unset, false));
        world.access.create_code(&world.manager, new()).await.unwrap();
        let open = CodeQuery { wanted: Some(true), ..CodeQuery::default() };
        assert_eq!(world.access.codes(&world.manager, &open).await.unwrap().items.len(), 1);
        let first = CodeQuery { limit: Some(1), ..CodeQuery::default() };
        let first = world.access.codes(&world.manager, &first).await.unwrap();
        let rest = CodeQuery { cursor: first.next, ..CodeQuery::default() };
        assert_eq!(world.access.codes(&world.manager, &rest).await.unwrap().items, [code]);
    })
    .await;
}

#[tokio::test]
async fn codes_are_for_those_who_manage_access_and_for_owners_of_locks() {
    each(|world| async move {
        let owner = world.user("owner", Role::User).await;
        let other = world.user("other", Role::User).await;
        let guard = world.user("guard", Role::Safety).await;
        let lock = world.code_lock(&owner, "Own").await;
        let code = world.access.create_code(&owner, for_lock(lock)).await.unwrap().code;
        let kind = |error: Option<portico_platform::Error>| error.map(|error| error.kind());
        assert_eq!(kind(world.access.create_code(&other, for_lock(lock)).await.err()), Some(ErrorKind::Invalid));
        assert_eq!(kind(world.access.create_code(&guard, for_lock(lock)).await.err()), Some(ErrorKind::Invalid));
        let door = world.code_door("Main", None).await;
        let at_door = NewCode { name: "x".into(), door_id: Some(door), ..NewCode::default() };
        assert_eq!(kind(world.access.create_code(&owner, at_door).await.err()), Some(ErrorKind::Forbidden));
        assert_eq!(kind(world.access.code(&other, code.id).await.err()), Some(ErrorKind::NotFound));
        assert_eq!(kind(world.access.withdraw_code(&other, code.id).await.err()), Some(ErrorKind::NotFound));
        assert_eq!(kind(world.access.withdraw_code(&guard, code.id).await.err()), Some(ErrorKind::Forbidden));
        assert_eq!(kind(world.access.retry_code(&other, code.id).await.err()), Some(ErrorKind::NotFound));
        assert_eq!(world.access.code(&guard, code.id).await.unwrap().id, code.id);
        assert_eq!(world.access.codes(&owner, &CodeQuery::default()).await.unwrap().items.len(), 1);
        assert!(world.access.codes(&other, &CodeQuery::default()).await.unwrap().items.is_empty());
        let elsewhere = Actor { organization: world.test.other_organization().await, ..world.manager.clone() };
        assert_eq!(kind(world.access.code(&elsewhere, code.id).await.err()), Some(ErrorKind::NotFound));
        assert_eq!(kind(world.access.create_code(&elsewhere, for_lock(lock)).await.err()), Some(ErrorKind::Invalid));
        world.access.withdraw_code(&owner, code.id).await.unwrap();
        assert!(world.open_command(lock).await.state != CommandState::Cancelled);
    })
    .await;
}
