//! Doors: who is let in, whether they stand open, how they work.

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use portico_access::doors::{Ask, AskedBy, DoorQuery};
use portico_model::access::door::{
    Door, DoorGroupSettings, DoorScope, DoorSettings, DoorState, ModeOrder, PassbackRule, Verdict, ZoneSettings,
};
use portico_model::access::{AccessReason, DoorMode, Method};
use portico_model::devices::{DeviceWithKey, NewDevice};
use portico_model::identity::Role;
use portico_model::{CredentialId, DeviceId, DoorId, ErrorKind, PersonId, PolicyId, ZoneId};
use portico_platform::http::ClientAddress;
use portico_platform::{Actor, Principal, on_db};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{World, each};

pub const CARD: &str = "04521A2B";

impl World {
    pub async fn reader(&self, name: &str) -> DeviceWithKey {
        let new = NewDevice { name: name.into(), device_type: "reader".into(), ..NewDevice::default() };
        self.devices.register(&self.manager, new).await.unwrap()
    }

    /// A door with a reader outside.
    pub async fn door(&self, name: &str, change: impl FnOnce(&mut DoorSettings)) -> (Door, DeviceWithKey) {
        let reader = self.reader(&format!("reader of {name}")).await;
        let mut settings =
            DoorSettings { name: name.into(), reader_id: Some(reader.device.id), ..DoorSettings::default() };
        change(&mut settings);
        (self.access.create_door(&self.manager, settings).await.unwrap(), reader)
    }

    /// A person with a card and a PIN, whom a policy lets in everywhere.
    pub async fn cardholder(&self, name: &str, number: i64, card: &str) -> PersonId {
        let id = PersonId::generate();
        let mut tx = self.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
                 updated_at) values ($1, $2, $3, $4, $4, 'basic', true, 0, 0)")
            .bind(id).bind(self.organization).bind(number).bind(name).execute(conn).await.map(drop))
        .unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, is_active, created_at,
                 updated_at) values ($1, $2, $3, 'rfid', $4, '…1A2B', true, 0, 0)")
            .bind(CredentialId::generate()).bind(self.organization).bind(id).bind(card)
            .execute(conn).await.map(drop))
        .unwrap();
        on_db!(&mut tx, conn => sqlx::query(
            "insert into access_policy (id, organization_id, name, person_id, levels, in_lockdown, is_active, created_at,
                 updated_at) values ($1, $2, 'Everywhere', $3, 7, false, true, 0, 0)")
            .bind(PolicyId::generate()).bind(self.organization).bind(id).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn run(&self, sql: &'static str) {
        let mut tx = self.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut tx = self.platform.db.read().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query_scalar(sql).fetch_one(conn).await).unwrap()
    }

    pub fn at_reader(&self, reader: DeviceId) -> Actor {
        Actor { principal: Principal::Device { id: reader }, ..Actor::system(self.organization) }
    }

    pub async fn ask(&self, reader: DeviceId, method: Method, presented: &str) -> Verdict {
        let at = self.platform.clock.now();
        let presented = presented.to_owned();
        let ask = Ask { reader, method, presented, leaving: false, at, by: AskedBy::Http, is_untrusted: false };
        self.access.check(&self.at_reader(reader), ask).await.unwrap()
    }

    async fn card(&self, reader: DeviceId, card: &str) -> AccessReason {
        let verdict = self.ask(reader, Method::Rfid, card).await;
        let lets_in = [
            AccessReason::Granted,
            AccessReason::GrantedDespitePassback,
            AccessReason::Evacuation,
            AccessReason::Unlocked,
        ];
        assert_eq!(verdict.granted, lets_in.contains(&verdict.reason));
        verdict.reason
    }

    pub async fn order(&self, scope: DoorScope, mode: DoorMode, for_s: Option<i64>) {
        let order = ModeOrder { scope, mode, for_s, note: String::new() };
        // The manager of these tests has no session to prove anything with.
        let actor = Actor::system(self.organization);
        self.access.order_mode(&actor, order).await.unwrap();
    }

    pub async fn request(&self, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let (router, _) = portico_access::rest::router(self.access.clone()).split_for_parts();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", key)
            .header(header::CONTENT_TYPE, "application/json")
            .extension(ClientAddress("192.0.2.1".parse::<std::net::IpAddr>().unwrap()))
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn each_reason_is_told_apart_and_written_down() {
    each(|world| async move {
        let (door, reader) = world.door("Main", |_| {}).await;
        let reader = reader.device.id;
        let person = world.cardholder("Ann", 7, CARD).await;
        let stray = world.reader("stray").await;

        let verdict = world.ask(reader, Method::Rfid, "04:52:1a:2b").await;
        assert!(verdict.granted);
        assert_eq!((verdict.person_id, verdict.person_number), (Some(person), Some(7)));
        assert_eq!((verdict.policy_name.as_str(), verdict.unlock_s), ("Everywhere", 5));
        assert_eq!(world.card(reader, "FFFF").await, AccessReason::UnknownCredential);
        assert_eq!(world.card(stray.device.id, CARD).await, AccessReason::NoDoor);

        world.run("update access_credential set is_active = false").await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::CredentialExpired);
        world.run("update access_credential set is_active = true").await;

        world.run("update access_policy set valid_until = 1").await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::PolicyNotValid);
        world.run("update access_policy set valid_until = null, levels = 2").await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::LevelTooLow);
        world.run("update access_policy set levels = 7, is_active = false").await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::NoPolicy);
        world.run("update access_policy set is_active = true").await;

        world.run("update access_person set is_active = false").await;
        let verdict = world.ask(reader, Method::Rfid, CARD).await;
        assert_eq!(verdict.reason, AccessReason::InactivePerson);
        assert_eq!((verdict.person_id, verdict.person_name), (None, None), "nobody is named");
        assert_eq!(world.count("select count(*) from access_event where kind = 'request'").await, 8);
        assert_eq!(world.count("select count(*) from access_event where person_name = 'Ann'").await, 6);
        let shown = world.access.door(&world.manager, door.id).await.unwrap();
        assert_eq!(shown.granted_at, Some(world.platform.clock.now()));
        assert_eq!(world.count("select count(*) from access_person where last_access_at is not null").await, 1);
    })
    .await;
}

#[tokio::test]
async fn wrong_pins_are_not_looked_at_for_ever() {
    each(|world| async move {
        let (_, reader) = world.door("Main", |_| {}).await;
        let reader = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        for _ in 0..10 {
            assert_eq!(world.ask(reader, Method::Pin, "1234").await.reason, AccessReason::UnknownCredential);
        }
        assert_eq!(world.ask(reader, Method::Pin, "1234").await.reason, AccessReason::TooManyTries);
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted, "a card is no guess");
        world.advance_s(301);
        assert_eq!(world.ask(reader, Method::Pin, "1234").await.reason, AccessReason::UnknownCredential);
    })
    .await;
}

#[tokio::test]
async fn lockdown_keeps_out_but_not_in_and_ends_by_itself() {
    each(|world| async move {
        let inside = world.reader("inside").await.device.id;
        let (door, reader) = world.door("Main", |door| door.exit_reader_id = Some(inside)).await;
        let reader = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        let scope = DoorScope::Door { door_id: door.id };
        world.order(scope.clone(), DoorMode::Lockdown, Some(60)).await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::Lockdown);
        assert_eq!(world.card(inside, CARD).await, AccessReason::Granted, "leaving stays free");
        let error = world.access.open_door(&world.manager, door.id).await.unwrap_err();
        assert_eq!(error.code(), "lockdown");
        world.advance_s(60);
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted, "also before the job has seen it");
        world.access.look_at_doors().await.unwrap();
        let shown = world.access.door(&world.manager, door.id).await.unwrap();
        assert_eq!((shown.mode, shown.mode_until, shown.mode_by.as_str()), (DoorMode::Normal, None, ""));

        world.order(DoorScope::All, DoorMode::Evacuation, None).await;
        assert_eq!(world.card(reader, "FFFF").await, AccessReason::Evacuation);
        world.order(DoorScope::All, DoorMode::Unlocked, None).await;
        assert_eq!(world.card(reader, "FFFF").await, AccessReason::Unlocked);
        assert_eq!(world.count("select count(*) from access_event where kind = 'mode_changed'").await, 4);
        // Both readers were told each time: set, ended by itself, evacuation, unlocked.
        assert_eq!(world.count("select count(*) from command where name = 'door_mode'").await, 8);
        assert_eq!(world.access.door_counts(&world.manager).await.unwrap().unlocked, 1);
    })
    .await;
}

#[tokio::test]
async fn lockdown_is_ended_only_by_who_proves_himself() {
    each(|world| async move {
        let (door, _) = world.door("Main", |_| {}).await;
        let order =
            |mode| ModeOrder { scope: DoorScope::Door { door_id: door.id }, mode, for_s: None, note: "drill".into() };
        world.access.order_mode(&world.manager, order(DoorMode::Lockdown)).await.unwrap();
        let error = world.access.order_mode(&world.manager, order(DoorMode::Normal)).await.unwrap_err();
        assert_eq!(error.code(), "step_up_required");
        let reception = world.user("reception", Role::Reception).await;
        let error = world.access.order_mode(&reception, order(DoorMode::Lockdown)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
    })
    .await;
}

#[tokio::test]
async fn who_is_inside_does_not_come_in_again() {
    each(|world| async move {
        let inside = world.reader("inside").await.device.id;
        let (door, reader) = world
            .door("Main", |door| {
                door.exit_reader_id = Some(inside);
                door.passback = Some(PassbackRule::Hard);
                door.passback_s = Some(3_600);
            })
            .await;
        let reader = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted);
        assert_eq!(world.card(reader, CARD).await, AccessReason::AntiPassback);
        assert_eq!(world.card(inside, CARD).await, AccessReason::Granted);
        assert_eq!(world.card(inside, CARD).await, AccessReason::Granted, "nobody is kept in");
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted);
        world.advance_s(3_600);
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted, "it is over after an hour");
        assert_eq!(world.access.reset_door_passback(&world.manager, door.id).await.unwrap(), 1);
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted);
    })
    .await;
}

#[tokio::test]
async fn zones_are_watched_over_all_their_doors_and_within_each_other() {
    each(|world| async move {
        let (building, lab) = (ZoneId::generate(), ZoneId::generate());
        for (zone, parent, name, rule) in
            [(building, None, "Building", "hard"), (lab, Some(building), "Laboratory", "soft")]
        {
            let mut tx = world.platform.db.begin().await.unwrap();
            on_db!(&mut tx, conn => sqlx::query(
                "insert into access_zone (id, organization_id, parent_id, name, passback, created_at)
                 values ($1, $2, $3, $4, $5, 0)")
                .bind(zone).bind(world.organization).bind(parent).bind(name).bind(rule)
                .execute(conn).await.map(drop))
            .unwrap();
            tx.commit().await.unwrap();
        }
        let exit = world.reader("exit").await.device.id;
        let (_, front) =
            world.door("Front", |door| (door.into_zone_id, door.exit_reader_id) = (Some(building), Some(exit))).await;
        let (_, back) = world.door("Back", |door| door.into_zone_id = Some(building)).await;
        let (_, lab_door) =
            world.door("Lab", |door| (door.from_zone_id, door.into_zone_id) = (Some(building), Some(lab))).await;
        let (front, back, lab_door) = (front.device.id, back.device.id, lab_door.device.id);
        world.cardholder("Ann", 7, CARD).await;
        assert_eq!(world.card(front, CARD).await, AccessReason::Granted);
        assert_eq!(world.card(back, CARD).await, AccessReason::AntiPassback, "another door of the zone");
        assert_eq!(world.card(lab_door, CARD).await, AccessReason::Granted);
        assert_eq!(world.card(lab_door, CARD).await, AccessReason::GrantedDespitePassback, "soft: marked");
        assert_eq!(world.count("select count(*) from access_presence").await, 2);
        assert_eq!(world.card(exit, CARD).await, AccessReason::Granted);
        assert_eq!(world.card(front, CARD).await, AccessReason::Granted);
    })
    .await;
}

#[tokio::test]
async fn door_opened_by_force_or_held_open_raises_an_alarm_until_it_is_closed() {
    each(|world| async move {
        let (door, reader) = world.door("Main", |door| door.held_after_s = Some(20)).await;
        let reader = reader.device.id;
        world.cardholder("Ann", 7, CARD).await;
        let say = async |state| {
            assert!(world.access.door_state(world.organization, reader, state, false, None).await.unwrap());
            world.access.door(&world.manager, door.id).await.unwrap()
        };
        assert_eq!(say(DoorState::Closed).await.state, DoorState::Closed);
        assert_eq!(world.card(reader, CARD).await, AccessReason::Granted);
        world.advance_s(3);
        let shown = say(DoorState::Open).await;
        assert_eq!((shown.state, shown.forced_at), (DoorState::Open, None));
        world.advance_s(19);
        world.access.look_at_doors().await.unwrap();
        assert_eq!(world.access.door(&world.manager, door.id).await.unwrap().held_at, None);
        world.advance_s(1);
        world.access.look_at_doors().await.unwrap();
        world.access.look_at_doors().await.unwrap();
        assert!(world.access.door(&world.manager, door.id).await.unwrap().held_at.is_some());
        assert_eq!(world.count("select count(*) from alarm where kind = 'door_held' and state = 'raised'").await, 1);
        assert_eq!(say(DoorState::Closed).await.held_at, None);
        assert_eq!(world.count("select count(*) from alarm where kind = 'door_held' and state = 'cleared'").await, 1);

        let shown = say(DoorState::Open).await;
        assert_eq!(shown.forced_at, Some(world.platform.clock.now()));
        assert_eq!(world.count("select count(*) from alarm where kind = 'door_forced' and state = 'raised'").await, 1);
        say(DoorState::Open).await;
        assert_eq!(world.count("select count(*) from access_event where kind = 'forced_open'").await, 1, "said twice");
        say(DoorState::Closed).await;
        let exit = world.access.door_state(world.organization, reader, DoorState::Open, true, None).await;
        assert!(exit.unwrap());
        assert_eq!(world.count("select count(*) from access_event where kind = 'forced_open'").await, 1, "the handle");
        let stranger = world.reader("stranger").await.device.id;
        let told = world.access.door_state(world.organization, stranger, DoorState::Open, false, None).await;
        assert!(!told.unwrap(), "of no door");
    })
    .await;
}

#[tokio::test]
async fn reader_that_asks_over_mqtt_is_answered_once_and_the_lock_told() {
    use portico_devices::DeviceObserver as _;
    each(|world| async move {
        let lock = world.reader("bolt").await.device.id;
        let (_, reader) = world.door("Main", |door| door.lock_id = Some(lock)).await;
        world.cardholder("Ann", 7, CARD).await;
        let known = world.devices.authenticate_key(&reader.api_key).await.unwrap().unwrap().device;
        let now = world.platform.clock.now();
        let say = async |event: Value, at| world.access.event(&known, &event, at).await.unwrap();
        let question = json!({"type": "access_request", "request_id": "r1", "method": "rfid", "rfid_uid": CARD});
        assert_eq!(say(question.clone(), now).await, Ok(true));
        assert_eq!(say(question, now).await, Ok(true));
        assert_eq!(world.count("select count(*) from access_event").await, 1);
        assert_eq!(world.count("select count(*) from command where name = 'unlock'").await, 1);
        assert_eq!(
            world
                .count("select count(*) from command where name = 'access_decision' and args like '%\"granted\":true%'")
                .await,
            1
        );
        // One that was long on its way finds the door shut.
        let late = json!({"type": "access_request", "request_id": "r2", "method": "rfid", "rfid_uid": CARD});
        assert_eq!(say(late, now.plus_secs(-11)).await, Ok(true));
        assert_eq!(world.count("select count(*) from access_event where reason = 'unavailable'").await, 1);
        for bad in [json!({"type": "access_request"}), json!({"type": "door", "state": "ajar"})] {
            assert!(say(bad, now).await.is_err());
        }
        assert_eq!(say(json!({"type": "door", "state": "closed"}), now).await, Ok(true));
        assert_eq!(say(json!({"type": "something"}), now).await, Ok(false));
    })
    .await;
}

#[tokio::test]
async fn firmware_of_the_former_door_system_is_answered_as_before() {
    each(|world| async move {
        let (_, reader) = world.door("Main", |_| {}).await;
        let key = reader.api_key.as_str();
        let name = "Anneliese Archer-Montgomery the Third";
        world.cardholder(name, 7, CARD).await;
        let ask = async |body: Value| world.request(key, "POST", "/api/v1/check_access", body).await;
        let (status, answer) = ask(json!({"method": "rfid", "rfid_uid": CARD})).await;
        assert_eq!(status, 200);
        assert_eq!(
            answer,
            json!({"access_granted": true, "message": "Access granted", "timestamp": "2026-11-21T02:00:00.000000",
                   "user_id": 7, "user_name": &name[..26]})
        );
        let (status, answer) = ask(json!({"method": "fingerprint", "fingerprint_id": 3, "device_id": "x"})).await;
        assert_eq!((status, &answer["access_granted"], &answer["user_id"]), (200, &json!(false), &Value::Null));
        assert_eq!(ask(json!({"method": "iris"})).await.1["message"], "Access denied");
        for (body, text) in [
            (json!({}), "No data provided"),
            (json!({"device_id": "x"}), "Missing required field: method"),
            (json!({"method": "rfid"}), "RFID UID required for RFID method"),
        ] {
            let (status, answer) = ask(body).await;
            assert_eq!((status, answer["error"].as_str()), (400, Some(text)));
        }
        let (status, answer) = world.request("nonsense", "POST", "/api/v1/check_access", json!({})).await;
        assert_eq!((status, answer["error"].as_str()), (401, Some("Invalid API key")));
        let (status, answer) = world.request(key, "POST", "/api/v1/door_state", json!({"state": "open"})).await;
        assert_eq!((status, answer), (200, json!({"message": "Door state updated", "state": "open"})));
        let (status, answer) = world.request(key, "POST", "/api/v1/door_state", json!({"state": "ajar"})).await;
        assert_eq!(
            (status, answer["error"].as_str()),
            (400, Some("Invalid door state. Must be \"open\" or \"closed\""))
        );
        let (status, people) = world.request(key, "GET", "/api/v1/readers/users", json!({})).await;
        let expected = json!([{"id": 7, "name": name, "employee_id": "", "rfid_uid": CARD, "fingerprint_id": null,
                               "access_level": "basic"}]);
        assert_eq!((status, people), (200, expected));
        let (status, verdict) = world
            .request(key, "POST", "/api/v1/access/check", json!({"method": "rfid", "presented": "04:52:1A:2B"}))
            .await;
        assert_eq!((status, &verdict["granted"], &verdict["reason"]), (200, &json!(true), &json!("granted")));
    })
    .await;
}

#[tokio::test]
async fn doors_are_made_changed_listed_and_removed_by_those_who_may() {
    each(|world| async move {
        let (door, reader) = world.door("Main", |_| {}).await;
        let (other, _) = world.door("Cellar", |_| {}).await;
        let manager = &world.manager;
        let list = async |query| {
            let page = world.access.doors(manager, query).await.unwrap();
            (page.items.into_iter().map(|door| door.name).collect::<Vec<_>>(), page.next)
        };
        assert_eq!(list(DoorQuery::default()).await.0, ["Cellar", "Main"]);
        let first = list(DoorQuery { limit: Some(1), ..DoorQuery::default() }).await;
        assert_eq!(first.0, ["Cellar"]);
        assert_eq!(list(DoorQuery { cursor: first.1, ..DoorQuery::default() }).await.0, ["Main"]);
        assert_eq!(list(DoorQuery { search: Some("MAI".into()), ..DoorQuery::default() }).await.0, ["Main"]);

        let settings = DoorSettings { name: "Main".into(), ..DoorSettings::default() };
        let error = world.access.update_door(manager, other.id, settings).await.unwrap_err();
        assert_eq!(error.code(), "door_name_taken");
        let settings =
            DoorSettings { name: "Third".into(), reader_id: Some(reader.device.id), ..DoorSettings::default() };
        assert_eq!(world.access.create_door(manager, settings).await.unwrap_err().code(), "reader_taken");

        let safety = world.user("safety", Role::Safety).await;
        assert!(world.access.door(&safety, door.id).await.is_ok());
        assert_eq!(world.access.delete_door(&safety, door.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let user = world.user("user", Role::User).await;
        assert_eq!(world.access.door(&user, door.id).await.unwrap_err().kind(), ErrorKind::Forbidden);

        let elsewhere = world.test.other_organization().await;
        let stranger = Actor { organization: elsewhere, ..world.manager.clone() };
        assert_eq!(world.access.door(&stranger, door.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.access.delete_door(&stranger, door.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        let settings =
            DoorSettings { name: "Theirs".into(), reader_id: Some(reader.device.id), ..DoorSettings::default() };
        assert_eq!(world.access.create_door(&stranger, settings).await.unwrap_err().kind(), ErrorKind::Invalid);
        world.access.delete_door(manager, door.id).await.unwrap();
        assert_eq!(world.access.door(manager, door.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        let none = DoorId::generate();
        assert_eq!(world.access.door(manager, none).await.unwrap_err().kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn groups_and_zones_are_kept_by_those_who_may() {
    each(|world| async move {
        let manager = &world.manager;
        let (door, reader) = world.door("Main", |_| {}).await;
        let (other, _) = world.door("Cellar", |_| {}).await;
        let settings = |name: &str, door_ids: Vec<DoorId>| DoorGroupSettings {
            name: name.into(),
            description: String::new(),
            door_ids,
        };
        let group =
            world.access.save_door_group(manager, None, settings("Outer", vec![door.id, door.id])).await.unwrap();
        assert_eq!(group.door_ids, [door.id]);
        let error = world.access.save_door_group(manager, None, settings("Outer", vec![])).await.unwrap_err();
        assert_eq!(error.code(), "name_taken");
        let error = world.access.save_door_group(manager, None, settings("X", vec![DoorId::generate()])).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
        world.order(DoorScope::Group { group_id: group.id }, DoorMode::Lockdown, None).await;
        assert_eq!(world.access.door(manager, door.id).await.unwrap().mode, DoorMode::Lockdown);
        assert_eq!(world.access.door(manager, other.id).await.unwrap().mode, DoorMode::Normal);

        let zone = |name: &str, parent_id| ZoneSettings {
            name: name.into(),
            parent_id,
            passback: Some(PassbackRule::Hard),
            reset_after_s: None,
        };
        let building = world.access.save_zone(manager, None, zone("Building", None)).await.unwrap();
        let lab = world.access.save_zone(manager, None, zone("Lab", Some(building.id))).await.unwrap();
        let error = world.access.save_zone(manager, Some(building.id), zone("Building", Some(lab.id))).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid, "no zone lies in itself");
        let settings = DoorSettings {
            name: "Main".into(),
            reader_id: Some(reader.device.id),
            into_zone_id: Some(lab.id),
            ..DoorSettings::default()
        };
        world.access.update_door(manager, door.id, settings).await.unwrap();
        world.order(DoorScope::All, DoorMode::Normal, None).await;
        world.cardholder("Ann", 7, CARD).await;
        assert_eq!(world.card(reader.device.id, CARD).await, AccessReason::Granted);
        assert_eq!(world.access.zone(manager, building.id).await.unwrap().people, 1);
        assert_eq!(world.access.reset_zone(manager, lab.id).await.unwrap(), 1);
        assert_eq!(world.card(reader.device.id, CARD).await, AccessReason::AntiPassback, "the building remembers");
        world.access.delete_zone(manager, building.id).await.unwrap();
        assert_eq!(world.access.zone(manager, lab.id).await.unwrap().parent_id, None);
        assert_eq!(world.card(reader.device.id, CARD).await, AccessReason::Granted);

        let safety = world.user("safety", Role::Safety).await;
        assert_eq!(world.access.zones(&safety).await.unwrap().len(), 1);
        assert_eq!(world.access.delete_zone(&safety, lab.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
        let elsewhere = world.test.other_organization().await;
        let stranger = Actor { organization: elsewhere, ..world.manager.clone() };
        assert_eq!(world.access.door_group(&stranger, group.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(world.access.delete_zone(&stranger, lab.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        world.access.delete_door_group(manager, group.id).await.unwrap();
        assert!(world.access.door_groups(manager).await.unwrap().is_empty());
    })
    .await;
}
