//! What sensors say, in whatever order, and what becomes of their spots.

use portico_devices::{DeviceObserver as _, Known};
use portico_model::Timestamp;
use portico_model::alarms::Alarm;
use portico_model::devices::NewDevice;
use portico_model::identity::Role;
use portico_model::parking::sensor::Sensor;
use portico_model::parking::spot::{SpotState, SpotStatus};
use portico_parking::{SensorQuery, SpotQuery, WhichSensors};
use portico_platform::hub::{Connection, Outgoing};
use serde_json::{Value, json};

use crate::{World, each};

impl World {
    /// What a gateway reports; the answer's `status_changed`.
    async fn report(&self, body: Value) -> Result<bool, String> {
        let told = self.parking.report(&self.manager, &body).await;
        told.map(|told| told.status_changed).map_err(|error| error.code().to_owned())
    }

    async fn sensors(&self, which: WhichSensors) -> Vec<Sensor> {
        let query = SensorQuery { which, limit: Some(500), ..SensorQuery::default() };
        self.parking.sensors(&self.manager, query).await.unwrap().items
    }

    /// A spot whose sensor said that it is free.
    async fn watched(&self) {
        self.one_spot().await;
        self.report(said("S1", false, self.at(0))).await.unwrap();
        let sensor = self.sensors(WhichSensors::New).await.remove(0);
        self.parking.place_sensor(&self.manager, sensor.id, Some("P1")).await.unwrap();
    }

    /// So many seconds from now.
    fn at(&self, seconds: i64) -> Timestamp {
        self.platform.clock.now().plus_secs(seconds)
    }

    async fn status(&self) -> SpotStatus {
        self.parking.spot(&self.manager, "P1").await.unwrap().0.status
    }

    async fn open_alarms(&self) -> Vec<Alarm> {
        // Those that are not cleared.
        self.alarms.list(&self.manager, portico_alarms::AlarmQuery::default()).await.unwrap().items
    }
}

impl World {
    /// The next thing that a connection is told.
    async fn heard(&self, connection: &Connection) -> String {
        let mut out = Vec::new();
        let taken = connection.mailbox().take(&mut out, 1);
        tokio::time::timeout(std::time::Duration::from_secs(10), taken).await.expect("told in time").unwrap();
        match out.remove(0) {
            Outgoing::Frame(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    async fn gateway(&self, name: &str) -> Known {
        let new = NewDevice { name: name.into(), device_type: "gateway".into(), ..NewDevice::default() };
        let device = self.devices.register(&self.manager, new).await.unwrap().device;
        Known {
            id: device.id,
            organization: self.manager.organization,
            owner: self.manager.user_id().unwrap(),
            owner_is_active: true,
            name: device.name,
            status: device.status,
            heartbeat_interval_s: device.heartbeat_interval_s,
        }
    }
}

fn said(sensor: &str, occupied: bool, at: Timestamp) -> Value {
    json!({ "sensor_id": sensor, "occupied": occupied, "timestamp": at.to_iso() })
}

#[tokio::test]
async fn unknown_sensor_waits_in_the_list_until_somebody_says_where_it_stands() {
    each(|world| async move {
        world.one_spot().await;
        assert_eq!(world.report(said("S1", true, world.at(0))).await, Ok(true));
        assert_eq!(world.status().await, SpotStatus::Unknown, "no spot is made, and none is taken");
        let new = world.sensors(WhichSensors::New).await;
        assert_eq!((new.len(), new[0].sensor_id.as_str(), new[0].occupied), (1, "S1", Some(true)));
        let ignored = world.parking.ignore_sensor(&world.manager, new[0].id, true).await.unwrap();
        assert!(ignored.is_ignored && world.sensors(WhichSensors::New).await.is_empty());
        let placed = world.parking.place_sensor(&world.manager, new[0].id, Some("P1")).await.unwrap();
        assert_eq!((placed.spot_id.as_deref(), placed.is_ignored), (Some("P1"), false));
        assert_eq!(world.status().await, SpotStatus::Occupied, "as it said");

        world.report(said("S2", false, world.at(0))).await.unwrap();
        let other = world.sensors(WhichSensors::New).await.remove(0);
        world.parking.place_sensor(&world.manager, other.id, Some("P1")).await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Available);
        assert_eq!(world.sensors(WhichSensors::New).await[0].sensor_id, "S1", "it lost its spot");
        world.parking.delete_sensor(&world.manager, new[0].id).await.unwrap();
        assert_eq!(world.parking.delete_sensor(&world.manager, other.id).await.unwrap_err().code(), "sensor_has_spot");
        world.parking.place_sensor(&world.manager, other.id, None).await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Unknown);
    })
    .await;
}

#[tokio::test]
async fn messages_may_come_twice_and_in_any_order() {
    each(|world| async move {
        world.watched().await;
        world.advance_s(100);
        assert_eq!(world.report(said("S1", true, world.at(-10))).await, Ok(true));
        assert_eq!(world.report(said("S1", true, world.at(-10))).await, Ok(false), "twice");
        assert_eq!(world.report(said("S1", false, world.at(-20))).await, Ok(false), "late");
        assert_eq!(world.status().await, SpotStatus::Occupied);
        let (spot, readings) = world.parking.spot(&world.manager, "P1").await.unwrap();
        assert_eq!(spot.last_updated, Some(world.at(-10)));
        let read: Vec<_> =
            readings.iter().map(|one| (one.at.millis_since(world.at(0)) / 1_000, one.occupied)).collect();
        assert_eq!(read, [(-10, true), (-20, false), (-100, false)], "all of it is history");
        let history = world.parking.spot_history(&world.manager, "P1", None).await.unwrap();
        let states: Vec<_> = history.iter().map(|period| (period.state, period.until.is_none())).collect();
        assert_eq!(states, [(SpotState::Occupied, true), (SpotState::Free, false)]);
        assert_eq!(history[1].until, Some(history[0].from));
    })
    .await;
}

#[tokio::test]
async fn flicker_is_believed_when_it_lasts() {
    each(|world| async move {
        world.watched().await;
        world.advance_s(60);
        world.report(said("S1", true, world.at(0))).await.unwrap();
        world.advance_s(1);
        assert_eq!(world.report(said("S1", false, world.at(0))).await, Ok(false), "within 5 s of the change");
        assert_eq!(world.status().await, SpotStatus::Occupied);
        world.advance_s(4);
        world.parking.clone().settle_doubts().await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Occupied);
        world.advance_s(1);
        world.parking.clone().settle_doubts().await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Available, "nothing contradicted it");
    })
    .await;
}

#[tokio::test]
async fn silent_sensor_makes_its_spot_unknown_and_an_alarm_until_it_is_heard() {
    each(|world| async move {
        world.watched().await;
        world.advance_s(30 * 60);
        world.parking.clone().find_silent().await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Available);
        world.advance_s(1);
        world.parking.clone().find_silent().await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Unknown);
        assert_eq!(world.sensors(WhichSensors::Attention).await.len(), 1);
        let alarms = world.open_alarms().await;
        assert_eq!((alarms.len(), alarms[0].kind.as_str()), (1, "parking_sensor_silent"));
        world.report(said("S1", false, world.at(0))).await.unwrap();
        assert_eq!(world.status().await, SpotStatus::Available, "the same again is news now");
        assert!(world.open_alarms().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn low_battery_raises_one_alarm_and_clears_when_it_is_well_above() {
    each(|world| async move {
        world.watched().await;
        let battery = async |percent: i64| {
            world.advance_s(30);
            let mut body = said("S1", false, world.at(0));
            body["battery_level"] = json!(percent);
            world.report(body).await.unwrap();
            world.open_alarms().await.len()
        };
        let mut open = Vec::new();
        for percent in [50, 19, 18, 21, 24, 25] {
            open.push(battery(percent).await);
        }
        assert_eq!(open, [0, 1, 1, 1, 1, 0]);
    })
    .await;
}

#[tokio::test]
async fn device_speaks_for_its_own_sensors_alone() {
    each(|world| async move {
        world.watched().await;
        let device = world.gateway("Gateway").await;
        let now = world.platform.clock.now();
        let event = async |body: Value| {
            let taken = world.parking.event(&device, &body, now).await.unwrap();
            taken.map_err(|problem| problem.code)
        };
        let of = |name: &str| json!({ "type": "spot", "sensor_id": name, "occupied": true });
        assert_eq!(event(of("G1")).await, Ok(true));
        assert_eq!(event(json!({ "type": "spot", "occupied": false })).await, Ok(true));
        assert_eq!(event(json!({ "type": "door", "open": true })).await, Ok(false), "not for us");
        assert_eq!(event(json!({ "type": "spot", "occupied": 1 })).await, Err("invalid_occupied"));
        assert_eq!(event(of("S1")).await, Err("sensor_of_another"), "placed, and reported by somebody else");
        assert_eq!(world.status().await, SpotStatus::Available);
        let names: Vec<_> = world.sensors(WhichSensors::New).await.into_iter().map(|one| one.sensor_id).collect();
        assert_eq!(names, [device.id.to_string(), "G1".to_owned()]);
        world.devices.delete(&world.manager, device.id).await.unwrap();
        assert!(world.sensors(WhichSensors::New).await.is_empty(), "they go with it");
    })
    .await;
}

#[tokio::test]
async fn storm_of_changes_ends_with_what_was_said_last() {
    each(|world| async move {
        let lot = world.lot("Main garage").await;
        let level = world.level(&lot, "L1").await;
        let file = (0..200).map(|number| format!("P{number:03},L1\n")).collect::<String>();
        let file = format!("id,level\n{file}");
        world.parking.import_spots(&world.manager, lot.id, file.as_bytes(), false).await.unwrap();
        let all = async |round: i64| {
            let at = world.at(0);
            let sent = (0..200).map(|number| {
                let occupied = (number + round) % 3 == 0;
                let (parking, gateway) = (world.parking.clone(), world.manager.clone());
                tokio::spawn(async move {
                    parking.report(&gateway, &said(&format!("S{number:03}"), occupied, at)).await.unwrap();
                })
            });
            for sent in sent.collect::<Vec<_>>() {
                sent.await.unwrap();
            }
        };
        all(0).await;
        for (number, sensor) in world.sensors(WhichSensors::New).await.iter().enumerate() {
            world.parking.place_sensor(&world.manager, sensor.id, Some(&format!("P{number:03}"))).await.unwrap();
        }
        for round in 1..=20 {
            world.test.clock.advance_ms(100);
            all(round).await;
        }
        world.advance_s(6);
        world.parking.clone().settle_doubts().await.unwrap();
        let (spots, counts, _) = world.parking.spots(&world.manager, &SpotQuery::default()).await.unwrap();
        let expected: Vec<bool> = (0..200).map(|number| (number + 20) % 3 == 0).collect();
        assert_eq!(spots.iter().map(|spot| spot.is_occupied).collect::<Vec<_>>(), expected);
        assert_eq!((counts.unknown, level.name.as_str()), (0, "L1"));
    })
    .await;
}

#[tokio::test]
async fn pages_hear_of_a_change_after_its_commit() {
    each(|world| async move {
        world.watched().await;
        let driver = world.user("dora", Role::User).await;
        let lot = world.parking.lots(&driver, portico_parking::LotQuery::default()).await.unwrap()[0].id;
        let connection = world.platform.hub.connect(&driver, 10).unwrap();
        let snapshot = connection.subscribe(&driver, &format!("parking:{lot}")).await.unwrap();
        assert_eq!(snapshot.data["spots"][0]["status"], "available");
        connection.release(snapshot.slot);
        world.advance_s(60);
        world.report(said("S1", true, world.at(0))).await.unwrap();
        let heard = world.heard(&connection).await;
        assert!(heard.contains(r#""spot_id":"P1""#) && heard.contains(r#""occupied":true"#), "{heard}");
        assert!(connection.subscribe(&driver, "parking_sensors").await.is_err(), "not for drivers");
    })
    .await;
}
