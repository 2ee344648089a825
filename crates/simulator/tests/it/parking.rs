use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portico_simulator::parking::{LotPlan, Park, ParkingOptions, SensorFaults};
use portico_simulator::{Api, Credentials};
use tokio_util::sync::CancellationToken;

use crate::stand_in::{Heard, StandIn};

fn options(server: &StandIn, folder: &Path) -> ParkingOptions {
    let credentials = Credentials::Password { username: "a".to_owned(), password: "b".to_owned() };
    let api = Arc::new(Api::new(&server.http, credentials).unwrap());
    let (host, port) = server.mqtt.rsplit_once(':').unwrap();
    ParkingOptions {
        faults: SensorFaults::NONE,
        state_file: Some(folder.join("parking.json")),
        ..ParkingOptions::new(
            api,
            host,
            port.parse().unwrap(),
            vec![LotPlan::main_garage(), LotPlan::visitor_parking()],
        )
    }
}

fn count(heard: &Heard, sensor: &str) -> usize {
    let messages = heard.messages.lock().unwrap();
    messages.values().flatten().filter(|message| message["sensor_id"] == sensor).count()
}

#[tokio::test]
async fn what_is_missing_is_set_up_once_and_all_sensors_get_their_spots() {
    let (server, folder) = (StandIn::start().await, tempfile::tempdir().unwrap());
    let stop = CancellationToken::new();
    let park = Park::start(options(&server, folder.path()), &stop).await.unwrap();
    server.until("all sensors but two have spots", |heard| heard.car_parks.lock().unwrap().placed.len() == 146).await;
    {
        let known = server.heard.car_parks.lock().unwrap();
        assert_eq!((known.lots.len(), known.levels.len(), known.spots.len()), (2, 4, 148));
        assert_eq!(known.spots.iter().filter(|spot| spot.is_ev).count(), 9);
        assert_eq!(known.spots.iter().filter(|spot| spot.is_accessible).count(), 5);
        assert!(known.placed.iter().all(|(sensor, spot)| *sensor == format!("US-{spot}")));
        assert!(!known.placed.contains_key("US-V-011") && !known.placed.contains_key("US-V-012"));
    }
    let events = server.messages("event");
    let by_gateway: BTreeMap<String, BTreeSet<String>> = server
        .heard
        .messages
        .lock()
        .unwrap()
        .iter()
        .filter(|(topic, _)| topic.ends_with("/event"))
        .map(|(topic, events)| (topic.clone(), events.iter().map(|event| event["sensor_id"].to_string()).collect()))
        .collect();
    assert_eq!(by_gateway.values().map(BTreeSet::len).collect::<Vec<_>>(), [100, 36, 12]);
    for event in &events {
        let near = event["distance_cm"].as_f64().unwrap() < 200.0;
        assert_eq!((&event["type"], event["occupied"].as_bool()), (&"spot".into(), Some(near)), "{event}");
        assert!(event["battery_level"].is_number() && event["signal_strength"].is_number());
    }
    stop.cancel();
    let summary = park.wait().await;
    assert_eq!(summary.network.published, summary.network.acknowledged, "{summary}");
    assert_eq!(server.messages("status").iter().filter(|status| status["status"] == "offline").count(), 3);

    let before = server.heard.car_parks.lock().unwrap().changes;
    let broken = count(&server.heard, "US-V-010");
    let stop = CancellationToken::new();
    let park = Park::start(options(&server, folder.path()), &stop).await.unwrap();
    server.until("a second word of the last spot's sensor", |heard| count(heard, "US-V-012") >= 2).await;
    stop.cancel();
    park.wait().await;
    let known = server.heard.car_parks.lock().unwrap();
    let reservations = known.reservations.len();
    assert!(usize::try_from(known.changes - before).unwrap() <= reservations, "nothing is made twice");
    assert_eq!((broken, count(&server.heard, "US-V-010")), (1, 1), "broken is broken");
}

#[tokio::test]
async fn day_in_a_minute_is_told_and_reserved() {
    let (server, folder) = (StandIn::start().await, tempfile::tempdir().unwrap());
    let stop = CancellationToken::new();
    let mut lot = LotPlan::visitor_parking();
    lot.crowds[0].reserving = 0.5;
    // Whatever the hour of the test: Monday morning, 2026-11-16 at eight.
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let options = ParkingOptions {
        time_acceleration: 1_440.0,
        utc_offset_s: 1_794_787_200 + 8 * 3_600 - now_s,
        report_every: Duration::from_secs(600),
        lots: vec![lot],
        ..options(&server, folder.path())
    };
    let park = Park::start(options, &stop).await.unwrap();
    // Each sensor says first how it is.
    server
        .until("cars that came or left", |heard| {
            let messages = heard.messages.lock().unwrap();
            let said: BTreeSet<(String, String)> = messages
                .values()
                .flatten()
                .filter(|message| message["type"] == "spot")
                .map(|message| (message["sensor_id"].to_string(), message["occupied"].to_string()))
                .collect();
            said.len() >= 16
        })
        .await;
    server.until("a reservation", |heard| !heard.car_parks.lock().unwrap().reservations.is_empty()).await;
    stop.cancel();
    let summary = park.wait().await;
    let (_, seen) = &summary.lots[0];
    assert!(seen.tally.arrived > 0 && seen.occupied <= seen.capacity, "{summary}");
    let known = server.heard.car_parks.lock().unwrap();
    assert_eq!(summary.reserved, known.reservations.len() as u64);
    let one = &known.reservations[0];
    assert!(one["start_time"].as_str() < one["end_time"].as_str() && one["spot_id"].is_string(), "{one}");
    assert!(one["user_email"].as_str().unwrap().ends_with("@example.invalid") && one["plate"].is_string());
}
