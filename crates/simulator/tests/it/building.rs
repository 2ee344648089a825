use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portico_simulator::{Credentials, Faults, Options, Simulator};
use tokio_util::sync::CancellationToken;

use crate::stand_in::StandIn;

fn options(server: &StandIn) -> Options {
    let credentials = Credentials::Password { username: "a".to_owned(), password: "b".to_owned() };
    Options { rate: 200.0, ..Options::new(&server.http, &server.mqtt, credentials) }
}

async fn start(options: Options) -> Simulator {
    Simulator::start(options, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn devices_are_registered_connect_with_a_will_beat_measure_and_say_good_bye() {
    let server = StandIn::start().await;
    let simulator = start(Options { sensors: 11, ..options(&server) }).await;
    let ids: BTreeSet<String> = simulator.devices().iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!((ids.len(), server.heard.registered.load(Ordering::Relaxed)), (11, 11));
    server
        .until("readings of all", |heard| {
            heard.messages.lock().unwrap().keys().filter(|topic| topic.ends_with("telemetry")).count() == 11
        })
        .await;
    let summary = simulator.stop().await;

    for connect in server.heard.connects.lock().unwrap().iter() {
        let login = connect.login.as_ref().unwrap();
        assert!(ids.contains(&connect.client_id));
        assert_eq!((&login.username, login.password.as_str()), (&connect.client_id, "first"));
        let will = connect.last_will.as_ref().unwrap();
        assert_eq!(will.topic, format!("devices/{}/status", connect.client_id));
        assert_eq!(&will.message[..], br#"{"status":"offline"}"#);
    }
    let states = server.messages("status");
    assert_eq!(states.iter().filter(|status| status["status"] == "online").count(), 11);
    assert!(
        states
            .iter()
            .filter(|status| status["status"] == "online")
            .all(|status| status["rssi"].is_number() && status["firmware"].is_string())
    );
    assert_eq!(states.iter().filter(|status| status["status"] == "offline").count(), 11);
    server.until("all good-byes", |heard| heard.disconnects.load(Ordering::Relaxed) == 11).await;
    assert_eq!(summary.published, summary.acknowledged, "{summary}");
    assert!(server.messages("telemetry").iter().all(|message| message["data"].is_object()));
}

#[tokio::test]
async fn what_was_not_acknowledged_when_the_connection_broke_is_sent_again() {
    let server = StandIn::start().await;
    server.heard.drop_after.store(20, Ordering::Relaxed);
    let simulator = start(Options { sensors: 1, history: Duration::from_secs(24 * 3600), ..options(&server) }).await;
    server.until("a second connection", |heard| heard.connects.lock().unwrap().len() >= 2).await;
    let samples = |server: &StandIn| -> Vec<i64> {
        let messages = server.messages("telemetry");
        messages
            .iter()
            .filter_map(|message| message.as_array())
            .flatten()
            .map(|sample| sample["ts"].as_i64().unwrap())
            .collect()
    };
    server.until("the whole day", |_| samples(&server).len() >= 1_440).await;
    let summary = simulator.stop().await;
    let distinct: BTreeSet<i64> = samples(&server).into_iter().collect();
    assert_eq!(distinct.len(), 1_440, "every minute of the day arrived");
    assert!(summary.disconnections >= 1 && summary.connections >= 2, "{summary}");
    assert_eq!(summary.overflowed, 0);
}

#[tokio::test]
async fn faults_reach_the_wire() {
    let server = StandIn::start().await;
    let simulator = start(Options { sensors: 4, faults: Faults::HEAVY, rate: 500.0, ..options(&server) }).await;
    server.until("garbage", |heard| heard.unreadable.load(Ordering::Relaxed) > 3).await;
    let summary = simulator.stop().await;
    assert!(summary.duplicated > 0 && summary.reordered > 0 && summary.dropped > 0 && summary.garbage > 3, "{summary}");
    let messages = server.messages("telemetry");
    assert!(messages.windows(2).any(|pair| pair[0] == pair[1]), "a message came twice");
    let times: Vec<i64> = messages.iter().filter_map(|message| message["ts"].as_i64()).collect();
    assert!(times.windows(2).any(|pair| pair[1] < pair[0]), "a message came late");
}

#[tokio::test]
async fn refused_key_is_replaced_and_remembered() {
    let server = StandIn::start().await;
    server.heard.refuse_first_keys.store(true, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    let state_file = Some(folder.path().join("state.json"));
    let simulator = start(Options { sensors: 1, state_file: state_file.clone(), ..options(&server) }).await;
    server
        .until("readings", |heard| heard.messages.lock().unwrap().keys().any(|topic| topic.ends_with("telemetry")))
        .await;
    simulator.stop().await;
    assert_eq!(server.heard.rotated.load(Ordering::Relaxed), 1);

    let before = server.heard.connects.lock().unwrap().len();
    let simulator = start(Options { sensors: 1, state_file, ..options(&server) }).await;
    server.until("a connection", |heard| heard.connects.lock().unwrap().len() > before).await;
    simulator.stop().await;
    let connects = server.heard.connects.lock().unwrap();
    assert_eq!(connects.last().unwrap().login.as_ref().unwrap().password, "second");
    assert_eq!(server.heard.registered.load(Ordering::Relaxed), 1, "known devices are not registered again");
}
