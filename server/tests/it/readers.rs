//! Readers when something is away: the broker, or the database of Portico.

use std::sync::Arc;
use std::time::Duration;

use portico_model::{CredentialId, DeviceId, PersonId, PolicyId, ScheduleId, Timestamp};
use portico_platform::on_db;
use portico_simulator::access::legacy::Legacy;
use portico_simulator::access::{Control, Reader, Touch, Unit, UnitOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, each_database, each_database_with, eventually};
use crate::outage::Cable;
use crate::wire::{PATIENCE, Yard, legacy};

macro_rules! run {
    ($server:expr, $sql:literal $(, $bound:expr)*) => {{
        let mut tx = $server.portico.platform.db.begin().await.unwrap();
        on_db!(&mut tx, conn => sqlx::query($sql)$(.bind($bound))*.execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }};
}

/// A person with a card, whom a policy lets in everywhere: at any time, or at these hours.
async fn cardholder(server: &Server, number: i64, name: &str, card: &str, hours: Option<&str>) -> PersonId {
    let person = PersonId::generate();
    run!(
        server,
        "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at,
             updated_at) select $1, id, $2, $3, $3, 'basic', true, 0, 0 from organization",
        person,
        number,
        name
    );
    run!(
        server,
        "insert into access_credential (id, organization_id, person_id, kind, lookup, hint, is_active, created_at,
             updated_at) select $1, id, $2, 'rfid', $3, '…', true, 0, 0 from organization",
        CredentialId::generate(),
        person,
        card
    );
    let schedule = hours.map(|_| ScheduleId::generate());
    if let Some(hours) = hours {
        run!(
            server,
            "insert into access_schedule (id, organization_id, name, windows, created_at, updated_at)
             select $1, id, $2, $3, 0, 0 from organization",
            schedule,
            name,
            hours
        );
    }
    run!(
        server,
        "insert into access_policy (id, organization_id, name, person_id, schedule_id, levels, in_lockdown, is_active,
             created_at, updated_at) select $1, id, $2, $3, $4, 7, false, true, 0, 0 from organization",
        PolicyId::generate(),
        name,
        person,
        schedule
    );
    person
}

/// Two hours that are long over or far ahead, on each day: around noon at night, around midnight by day.
fn other_hours() -> &'static str {
    let hour = Timestamp::from_millis(i64::try_from(now_ms()).unwrap()).millis() / 3_600_000 % 24;
    if (6..18).contains(&hour) {
        r#"[{"days": [0, 1, 2, 3, 4, 5, 6], "from": "00:00", "until": "02:00"}]"#
    } else {
        r#"[{"days": [0, 1, 2, 3, 4, 5, 6], "from": "11:00", "until": "13:00"}]"#
    }
}

fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

async fn start(yard: &Yard, name: &str, body: Reader, broker: &str, member: &str) -> Unit {
    let device = yard.device(name).await;
    let body_of_door = json!({ "name": name, member: device.id });
    let (status, answer) = yard.server.call(Method::POST, "/api/v1/doors", Some(&yard.token), Some(body_of_door)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let (host, port) = broker.rsplit_once(':').unwrap();
    let options = UnitOptions { broker: (host.to_owned(), port.parse().unwrap()), ..yard.options() };
    let unit = Unit::start(name, body, Arc::clone(&yard.api), device, options, yard.stop.clone());
    assert!(unit.until(PATIENCE, |seen| seen.face["table"].as_i64() > Some(0)).await, "it fetches its table");
    unit
}

/// Shows a card; what the one who shows it is told.
async fn show(unit: &Unit, card: &str) -> Value {
    let shown = unit.seen().face["shown"].as_u64().unwrap() + 1;
    unit.touch(Touch::Show { method: "rfid".to_owned(), value: card.to_owned() }).await;
    // It forgets what the last one was told as soon as the next is there.
    assert!(unit.until(PATIENCE, |seen| seen.face["shown"] == shown && !seen.face["last"].is_null()).await);
    unit.seen().face["last"].clone()
}

type Line = (i64, bool, String, bool, Option<PersonId>);

/// What readers decided by themselves, as the log has it.
async fn told(server: &Server, reader: DeviceId) -> Vec<Line> {
    let mut tx = server.portico.platform.db.read().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query_as(
        "select coalesce(seq, 0), granted, reason, is_offline, person_id from access_event
         where reader_id = $1 and kind = 'request' order by seq",
    ).bind(reader).fetch_all(conn).await)
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_a_reader_refuses_out_of_hours_admits_in_hours_and_tells_all_once() {
    each_database(|server| async move {
        let yard = Yard::new(server).await;
        let ann = cardholder(&yard.server, 7, "Ann", "04AA01", None).await;
        let bob = cardholder(&yard.server, 8, "Bob", "04BB02", Some(other_hours())).await;
        let cable = Cable::to(yard.server.mqtt.clone()).await;
        let reader = start(&yard, "Main", Reader::default(), &cable.address, "reader_id").await;
        yard.online(&reader.id.to_string()).await;

        cable.cut();
        assert!(reader.until(PATIENCE, |seen| !seen.connected).await);
        let expected = [
            ("04:BB:02", json!({ "granted": false, "reason": "out_of_hours" })),
            ("04:AA:01", json!({ "granted": true, "reason": "granted" })),
            ("04:CC:03", json!({ "granted": false, "reason": "unknown_credential" })),
        ];
        for (count, (card, told)) in (1..).zip(&expected) {
            reader.touch(Touch::Show { method: "rfid".to_owned(), value: (*card).to_owned() }).await;
            assert!(reader.until(PATIENCE, |seen| seen.face["offline"] == count).await, "{:?}", reader.seen());
            assert_eq!(reader.seen().face["last"], *told, "{card}");
        }
        // It forgets nothing when its power goes, too.
        reader.control(Control::PowerOff).await;
        assert!(reader.until(PATIENCE, |seen| !seen.powered).await);
        assert_eq!(told(&yard.server, reader.id).await, [], "nobody has heard of it yet");

        cable.mend();
        reader.control(Control::PowerOn).await;
        assert!(reader.until(PATIENCE, |seen| seen.connected && seen.face["offline"] == 0).await, "all are confirmed");
        let line = |seq, granted, reason: &str, person| (seq, granted, reason.to_owned(), true, person);
        let expected = [
            line(1, false, "out_of_hours", Some(bob)),
            line(2, true, "granted", Some(ann)),
            line(3, false, "unknown_credential", None),
        ];
        assert_eq!(told(&yard.server, reader.id).await, expected);
        let path = "/api/v1/access/events?offline=true";
        let (status, page) = yard.server.call(Method::GET, path, Some(&yard.token), None).await;
        assert_eq!((status, page["items"].as_array().map(Vec::len)), (StatusCode::OK, Some(3)), "{page}");

        // Gone and back once more: what was told is not told again, and the next has the next number.
        cable.cut();
        assert!(reader.until(PATIENCE, |seen| !seen.connected).await);
        reader.touch(Touch::Show { method: "rfid".to_owned(), value: "04AA01".to_owned() }).await;
        assert!(reader.until(PATIENCE, |seen| seen.face["offline"] == 1).await);
        cable.mend();
        assert!(reader.until(PATIENCE, |seen| seen.connected && seen.face["offline"] == 0).await);
        let told = told(&yard.server, reader.id).await;
        assert_eq!((told.len(), &told[..3], &told[3]), (4, &expected[..], &line(4, true, "granted", Some(ann))));

        // Back on the line Portico decides, and says the same.
        assert_eq!(show(&reader, "04BB02").await, json!({ "granted": false, "reason": "out_of_hours" }));
        assert_eq!(reader.seen().face["offline"], 0);
        yard.stop.cancel();
        reader.wait().await;
        yard.server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_readers_are_told_in_time_and_only_who_leaves_is_free() {
    each_database(|server| async move {
        let yard = Yard::new(server).await;
        cardholder(&yard.server, 7, "Ann", "04AA01", None).await;
        let broker = yard.server.mqtt.clone();
        let outside = start(&yard, "Main", Reader::default(), &broker, "reader_id").await;
        let inside = start(&yard, "Exit", Reader::leaving(), &broker, "exit_reader_id").await;
        for reader in [&outside, &inside] {
            yard.online(&reader.id.to_string()).await;
            assert_eq!(show(reader, "04AA01").await["reason"], "granted");
        }
        yard.server.portico.platform.db.close().await;
        for (reader, granted) in [(&outside, false), (&inside, true)] {
            let asked = std::time::Instant::now();
            assert_eq!(show(reader, "04AA01").await, json!({ "granted": granted, "reason": "unavailable" }));
            assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
            assert_eq!(reader.seen().face["offline"], 0, "it was told, and did not decide by itself");
        }
        yard.stop.cancel();
        yard.server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_a_door_of_former_firmware_is_told_no() {
    each_database_with(
        |config| {
            config.bridge.addr = Some("127.0.0.1:0".parse().unwrap());
            config.bridge.logins = Some("esp32_door:secret".to_owned().into());
            config.bridge.devices = vec!["ESP32_Door_001".to_owned()];
        },
        |server| async move {
            let yard = Yard::new(server).await;
            eventually("the bridge listens", async || yard.server.portico.access.bridge_address().is_some()).await;
            let door = Legacy::door(legacy(&yard, "ESP32_Door_001", "esp32_door", "secret"), yard.stop.clone());
            eventually("the door is there", async || door.seen().connected).await;
            yard.server.portico.platform.db.close().await;
            door.show_card("A1B2C3D4").await;
            eventually("the door is answered", async || !door.seen().answers.is_empty()).await;
            let seen = door.seen();
            assert_eq!(
                (&seen.answers[0]["access_granted"], &seen.answers[0]["device_id"]),
                (&json!(false), &json!("ESP32_Door_001"))
            );
            assert_eq!((seen.answers.len(), seen.state.as_str(), seen.dropped), (1, "locked", 0));
            yard.stop.cancel();
            yard.server
        },
    )
    .await;
}
