//! Readers fetch what they decide by, and tell later what they decided.

use std::sync::Arc;

use portico_access::{OfflineEvent, OfflineEvents, SyncContent, SyncTold, sync_lookup, sync_signature};
use portico_devices::Known;
use portico_lock_core::decide::Reason;
use portico_lock_core::offline::{Table, Unable, decide_offline, merge};
use portico_model::access::sync::{ReaderSync, SyncState};
use portico_model::commands::CommandState;
use portico_model::devices::NewDevice;
use portico_model::identity::Role;
use portico_model::{CredentialId, DeviceId, ErrorKind, PersonId, PolicyId};
use portico_platform::mqtt::TopicKind;
use portico_platform::on_db;
use serde_json::json;

use crate::{World, each};

macro_rules! run {
    ($world:expr, $sql:literal $(, $bound:expr)*) => {{
        let mut tx = $world.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query($sql)$(.bind($bound))*.execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }};
}

impl World {
    async fn sync_reader(&self, name: &str) -> Arc<Known> {
        let new = NewDevice { name: name.into(), device_type: "reader".into(), ..NewDevice::default() };
        let made = self.devices.register(&self.manager, new).await.unwrap();
        self.code_door(name, Some(made.device.id)).await;
        let login = self.devices.authenticate_key(&made.api_key).await.unwrap().unwrap();
        run!(self, "update device set connection = 'online' where id = $1", made.device.id);
        login.device
    }

    /// A person with a card, whom a policy lets in everywhere.
    async fn carded(&self, number: i64, card: &str) -> PersonId {
        let person = PersonId::generate();
        run!(
            self,
            "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
                        updated_at) values ($1, $2, $3, 'Ann', 'ann', 'basic', true, 0, 0)",
            person,
            self.organization,
            number
        );
        run!(
            self,
            "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, is_active, created_at,
                        updated_at) values ($1, $2, $3, 'rfid', $4, '…01', true, 0, 0)",
            CredentialId::generate(),
            self.organization,
            person,
            card
        );
        run!(
            self,
            "insert into access_policy (id, organization_id, name, person_id, levels, in_lockdown, is_active,
                        created_at, updated_at) values ($1, $2, 'p', $3, 7, false, true, 0, 0)",
            PolicyId::generate(),
            self.organization,
            person
        );
        self.changed().await;
        person
    }

    async fn changed(&self) {
        run!(
            self,
            "insert into access_version (organization_id, version) values ($1, 1)
                    on conflict (organization_id) do update set version = access_version.version + 1",
            self.organization
        );
    }

    async fn signing_key(&self, reader: DeviceId) -> [u8; 32] {
        let mut tx = self.platform.db.read().await.unwrap();
        self.devices.signing_key(&mut tx, self.organization, reader).await.unwrap().unwrap().key
    }

    /// What the reader has after it took this.
    async fn took(&self, reader: &Known, told: &SyncTold, old: Option<&[u8]>) -> Vec<u8> {
        let table = match &told.content {
            SyncContent::Full(table) => table.clone(),
            SyncContent::Changes { head, changes, .. } => {
                let mut out = vec![0; 100_000];
                let old = Table::read(old.unwrap()).unwrap();
                let length = merge(&old, head, changes, &mut out).unwrap();
                out.truncate(length);
                out
            }
        };
        assert_eq!(sync_signature(&self.signing_key(reader.id).await, &table), told.signature);
        table
    }

    async fn reader_state(&self) -> ReaderSync {
        self.access.readers(&self.manager).await.unwrap().remove(0)
    }

    async fn stored(&self, reader: DeviceId) -> Vec<(i64, bool)> {
        let mut tx = self.platform.db.read().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query_as(
            "select seq, is_offline from access_event where reader_id = $1 and seq is not null order by seq",
        ).bind(reader).fetch_all(conn).await)
        .unwrap()
    }
}

fn event(seq: i64, ts: i64) -> OfflineEvent {
    OfflineEvent {
        seq,
        ts,
        method: "rfid".into(),
        lookup: None,
        rfid_uid: None,
        fingerprint_id: None,
        person: Some(1),
        granted: true,
        reason: "granted".into(),
    }
}

fn events(range: impl IntoIterator<Item = i64>, start: i64) -> OfflineEvents {
    OfflineEvents { events: range.into_iter().map(|seq| event(seq, start + seq * 1_000)).collect(), oldest_seq: None }
}

#[tokio::test]
async fn reader_fetches_all_then_changes_and_decides_until_it_expires() {
    each(|world| async move {
        let reader = world.sync_reader("Main").await;
        assert_eq!(world.reader_state().await.state, SyncState::Never);
        for number in 1..=20 {
            world.carded(number, &format!("0400{number:02}")).await;
        }
        let told = world.access.sync_reader(&reader, 0).await.unwrap();
        let first = world.took(&reader, &told, None).await;
        let card = |text: &str| sync_lookup(&told.lookup_key, "rfid", text.as_bytes());
        let decide = |table: &[u8], text: &str| {
            decide_offline(&Table::read(table).unwrap(), Some(&card(text)), 0, world.now().millis())
                .map(|offline| offline.decision.reason)
        };
        assert_eq!(decide(&first, "040001"), Ok(Reason::Granted));
        assert_eq!(decide(&first, "0499"), Ok(Reason::UnknownCredential));

        // One comes, one goes.
        world.carded(21, "040021").await;
        run!(world, "delete from access_person where organization_id = $1 and number = 2", world.organization);
        world.changed().await;
        let changes = world.access.sync_reader(&reader, told.version).await.unwrap();
        assert!(matches!(changes.content, SyncContent::Changes { since, .. } if since == told.version));
        let second = world.took(&reader, &changes, Some(&first)).await;
        assert_eq!(decide(&second, "040021"), Ok(Reason::Granted));
        assert_eq!(decide(&second, "040002"), Ok(Reason::UnknownCredential));
        // Who has something older gets all of it.
        let old = world.access.sync_reader(&reader, told.version - 1).await.unwrap();
        assert!(matches!(old.content, SyncContent::Full(_)));
        // A reader of no door gets nothing; a reader cannot use what another one hashed.
        let other = world.sync_reader("Back").await;
        let others = world.access.sync_reader(&other, 0).await.unwrap();
        assert_ne!(others.lookup_key, told.lookup_key);
        run!(world, "delete from access_door where organization_id = $1 and name = 'Back'", world.organization);
        assert_eq!(
            world.access.sync_reader(&other, 0).await.err().map(|error| error.kind()),
            Some(ErrorKind::NotFound)
        );

        world.advance_s(86_400);
        assert_eq!(decide(&second, "040021"), Err(Unable::Expired));
    })
    .await;
}

#[tokio::test]
async fn reader_that_is_behind_is_told_and_counts_when_it_says_so() {
    each(|world| async move {
        let reader = world.sync_reader("Main").await;
        world.carded(1, "040001").await;
        // One that never asked is not told.
        world.access.tell_readers().await.unwrap();
        assert!(world.devices.commands(&world.manager, reader.id, None, None, None).await.unwrap().items.is_empty());

        let told = world.access.sync_reader(&reader, 0).await.unwrap();
        assert_eq!(world.reader_state().await.state, SyncState::Never, "it has not said that it has it");
        world.publish(reader.id, TopicKind::Event, &json!({"type": "sync_request", "version": told.version})).await;
        assert_eq!(world.reader_state().await.state, SyncState::Current);

        world.carded(2, "040002").await;
        assert_eq!(world.reader_state().await.state, SyncState::Behind);
        world.advance_s(61);
        world.access.tell_readers().await.unwrap();
        world.access.tell_readers().await.unwrap();
        let commands = world.devices.commands(&world.manager, reader.id, None, None, None).await.unwrap().items;
        let open: Vec<_> = commands.iter().filter(|command| !command.state.is_final()).collect();
        assert_eq!(open.len(), 1, "it is told once: {commands:?}");
        assert_eq!((open[0].name.as_str(), open[0].state), ("sync", CommandState::Sent));
        let told = world.access.sync_reader(&reader, told.version).await.unwrap();
        let ack = json!({"command_id": open[0].id, "result": "ok", "version": told.version});
        world.publish(reader.id, TopicKind::Ack, &ack).await;
        let state = world.reader_state().await;
        assert_eq!((state.state, state.synced_version), (SyncState::Current, told.version));
        world.advance_s(86_400);
        assert_eq!(world.reader_state().await.state, SyncState::Expired);
        let user = world.user("somebody", Role::User).await;
        assert_eq!(world.access.readers(&user).await.err().map(|error| error.kind()), Some(ErrorKind::Forbidden));
    })
    .await;
}

#[tokio::test]
async fn hour_without_network_loses_and_doubles_nothing() {
    each(|world| async move {
        let reader = world.sync_reader("Main").await;
        let ann = world.carded(1, "040001").await;
        let start = world.now().millis();
        world.advance_s(3_600);
        let send = |range: Vec<i64>| world.access.take_offline_events(&reader, events(range, start), "192.0.2.7");
        // The first answer was lost, so some come again; some are out of order.
        let taken = send((1..=120).collect()).await.unwrap();
        assert_eq!((taken.acked_seq, taken.stored, taken.duplicates), (120, 120, 0));
        let taken = send((1..=200).rev().collect()).await.unwrap();
        assert_eq!((taken.acked_seq, taken.stored, taken.duplicates), (200, 80, 120));
        let taken = send((301..=400).collect()).await.unwrap();
        assert_eq!((taken.acked_seq, taken.next_seq), (200, 401), "what is missing is waited for");
        let both = futures::join!(send((201..=500).collect()), send((250..=500).collect()));
        let (one, other) = (both.0.unwrap(), both.1.unwrap());
        assert_eq!(one.stored + other.stored, 200);
        assert_eq!(one.acked_seq.max(other.acked_seq), 500);
        let stored = world.stored(reader.id).await;
        assert_eq!(stored, (1..=500).map(|seq| (seq, true)).collect::<Vec<_>>());
        let state = world.reader_state().await;
        assert_eq!((state.last_seq, state.lost), (500, 0));
        let mut tx = world.platform.db.read().await.unwrap();
        let seen: (i64, i64) = on_db!(&mut tx, conn => sqlx::query_as(
            "select count(*), max(at) from access_event where person_id = $1 and received_at > at",
        ).bind(ann).fetch_one(conn).await)
        .unwrap();
        assert_eq!(seen, (500, start + 500_000), "with the person, at the time it happened");
    })
    .await;
}

#[tokio::test]
async fn lost_events_are_shown_and_a_reader_that_counts_anew_is_told() {
    each(|world| async move {
        let reader = world.sync_reader("Main").await;
        let start = world.now().millis();
        world.advance_s(600);
        let body = OfflineEvents { oldest_seq: Some(4), ..events(4..=6, start) };
        let taken = world.access.take_offline_events(&reader, body, "").await.unwrap();
        assert_eq!((taken.acked_seq, taken.lost), (6, 3));
        assert_eq!(world.reader_state().await.lost, 3);
        // It was reset and begins at 1 and 5 again, with other events.
        let anew = OfflineEvents { events: vec![event(1, start + 99), event(5, start + 77)], oldest_seq: None };
        let taken = world.access.take_offline_events(&reader, anew, "").await.unwrap();
        assert_eq!((taken.stored, taken.conflicts, taken.next_seq), (1, vec![5], 7));
        // A clock that is ahead is cut to now, also when it comes twice.
        for stored in [1, 0] {
            let ahead = OfflineEvents { events: vec![event(7, i64::MAX)], oldest_seq: None };
            let taken = world.access.take_offline_events(&reader, ahead, "").await.unwrap();
            assert_eq!((taken.stored, taken.conflicts.len(), taken.acked_seq), (stored, 0, 7));
            world.advance_s(5);
        }
        let bad = OfflineEvents { events: vec![event(0, 0)], oldest_seq: None };
        let refused = world.access.take_offline_events(&reader, bad, "").await;
        assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Invalid));
    })
    .await;
}

#[tokio::test]
async fn events_come_over_mqtt_too_and_are_acknowledged() {
    each(|world| async move {
        let reader = world.sync_reader("Main").await;
        let ann = world.carded(1, "040001").await;
        let said = json!({"type": "offline_events", "events": [
            {"seq": 1, "ts": 1_000, "method": "rfid", "granted": false, "reason": "out_of_hours"},
            {"seq": 3, "ts": 3_000, "method": "rfid", "rfid_uid": "04:00:01", "granted": true, "reason": "granted"},
            {"seq": 2, "ts": 2_000, "method": "nose", "granted": false, "reason": "smell\u{0}"},
        ]});
        for _ in 0..2 {
            world.publish(reader.id, TopicKind::Event, &said).await;
        }
        assert_eq!(world.stored(reader.id).await, [(1, true), (2, true), (3, true)]);
        let mut tx = world.platform.db.read().await.unwrap();
        let person: Option<PersonId> = on_db!(&mut tx, conn => sqlx::query_scalar(
            "select person_id from access_event where reader_id = $1 and seq = 3",
        ).bind(reader.id).fetch_one(conn).await)
        .unwrap();
        assert_eq!(person, Some(ann), "a card that is told is found");
        drop(tx);
        let commands = world.devices.commands(&world.manager, reader.id, None, None, None).await.unwrap().items;
        assert_eq!((commands[0].name.as_str(), &commands[0].args["seq"]), ("offline_taken", &json!(3)));
        for bad in [json!([]), json!([{"seq": "x"}]), json!([{"seq": 0, "ts": 0, "granted": true}]), json!(null)] {
            world.publish(reader.id, TopicKind::Event, &json!({"type": "offline_events", "events": bad})).await;
        }
        assert_eq!(world.stored(reader.id).await.len(), 3);
    })
    .await;
}
