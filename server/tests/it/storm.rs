//! A storm of sensors, and a page that looks on: it folds what it hears with the page's own code, and ends as the server.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use portico_app::live::LiveUpdate;
use portico_app::live::topics::{Reaction, Topics};
use portico_app::parking::fold::fold_spot;
use portico_model::Timestamp;
use portico_model::parking::spot::Spot;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{ADMIN, Device, Live, Server, each_database};

/// Each with a sensor; as many sensors as may wait for a spot.
const SPOTS: usize = 1_000;
/// Of each sensor.
const MESSAGES: usize = 10;
const GATEWAYS: usize = 10;
const SEED: u64 = 5;
/// A transaction holds many messages; between two of them the page hears nothing.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// Requests at a time while the sensors are placed.
const AT_ONCE: usize = 16;

fn spot_id(number: usize) -> String {
    format!("P-{:03}", number + 1)
}

fn sensor_id(number: usize) -> String {
    format!("S-{:03}", number + 1)
}

/// A message of the sensor of a spot.
fn word(number: usize, occupied: bool, at: Timestamp) -> Vec<u8> {
    let sensor = sensor_id(number);
    json!({ "type": "spot", "sensor_id": sensor, "occupied": occupied, "timestamp": at.millis() }).to_string().into()
}

async fn made(server: &Server, token: &str, path: &str, body: Value) -> Value {
    let (status, answer) = server.call(Method::POST, path, Some(token), Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{path}: {answer}");
    answer
}

/// All spots of the lot over REST.
async fn spots(server: &Server, token: &str, lot: &str) -> Vec<Spot> {
    let path = format!("/api/v1/spots?lot_id={lot}");
    let (status, mut answer) = server.call(Method::GET, &path, Some(token), None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value(answer["spots"].take()).unwrap()
}

/// A lot whose sensors are believed at once, with as many spots; its id.
async fn make_lot(server: &Server, token: &str) -> String {
    let lot = made(server, token, "/api/v1/parking/lots", json!({ "name": "Main garage", "debounce_s": 0 })).await;
    let lot = lot["id"].as_str().unwrap().to_owned();
    let level = json!({ "name": "L1", "position": 1 });
    let level = made(server, token, &format!("/api/v1/parking/lots/{lot}/levels"), level).await;
    let grid = json!({ "rows": SPOTS / 50, "columns": 50, "prefix": "P-", "first": 1 });
    let path = format!("/api/v1/parking/levels/{}/spots", level["id"].as_str().unwrap());
    made(server, token, &path, grid).await;
    lot
}

/// Says at which spots the sensors stand that were heard.
async fn place_sensors(server: &Server, token: &str) {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut path = "/api/v1/parking/sensors?which=new&limit=500".to_owned();
    loop {
        let (status, page) = server.call(Method::GET, &path, Some(token), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let text = |sensor: &Value, field: &str| sensor[field].as_str().unwrap().to_owned();
        keys.extend(page["items"].as_array().unwrap().iter().map(|one| (text(one, "sensor_id"), text(one, "id"))));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/parking/sensors?which=new&limit=500&cursor={next}");
    }
    assert_eq!(keys.len(), SPOTS);
    let keys = &keys;
    let place = |first: usize| async move {
        for number in (first..SPOTS).step_by(AT_ONCE) {
            let path = format!("/api/v1/parking/sensors/{}", keys[&sensor_id(number)]);
            let body = json!({ "spot_id": spot_id(number) });
            let (status, answer) = server.call(Method::PUT, &path, Some(token), Some(body)).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
        }
    };
    join_all((0..AT_ONCE).map(place)).await;
}

/// Id and key of each.
type Gateways = Vec<(String, String)>;

/// All gateways at once, each with the messages of its own sensors; done when the broker has acknowledged them.
async fn send_all(server: &Server, gateways: &Gateways, messages: impl Fn(usize) -> Vec<Vec<u8>>) {
    let mut sending = JoinSet::new();
    for (number, (id, key)) in gateways.iter().cloned().enumerate() {
        let (mqtt, messages) = (server.mqtt.clone(), messages(number));
        sending.spawn(async move {
            let mut gateway = Device::connect(&mqtt, &id, &key).await;
            gateway.publish_all(&format!("devices/{id}/event"), messages).await.expect("acknowledged");
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap();
    }
}

/// What a page of the lot shows, by the same code: which messages it takes, and what it makes of them.
struct Screen {
    live: Live,
    topics: Topics,
    topic: String,
    /// By what is written on them.
    shown: BTreeMap<String, Spot>,
    /// How often it was told that it is too far behind, and began anew.
    resyncs: usize,
}

impl Screen {
    async fn open(server: &Server, token: &str, lot: &str) -> Self {
        let topic = format!("parking:{lot}");
        let mut topics = Topics::default();
        topics.add(&topic);
        let mut screen = Self { live: server.live(token).await, topics, topic, shown: BTreeMap::new(), resyncs: 0 };
        screen.subscribe().await;
        while screen.shown.is_empty() {
            screen.hear().await;
        }
        screen
    }

    async fn subscribe(&mut self) {
        self.live.send(&json!({ "op": "subscribe", "topics": [self.topic] })).await;
    }

    /// Takes one message.
    async fn hear(&mut self) {
        let message = self.live.next_within(LONGEST_SILENCE, |_| true).await;
        match self.topics.react(message) {
            Reaction::Deliver { update: LiveUpdate::Snapshot(mut data), .. } => {
                let spots: Vec<Spot> = serde_json::from_value(data["spots"].take()).unwrap();
                self.shown.extend(spots.into_iter().map(|spot| (spot.id.clone(), spot)));
            }
            Reaction::Deliver { update: LiveUpdate::Event(event), .. } => {
                for spot in self.shown.values_mut() {
                    fold_spot(spot, &event);
                }
            }
            Reaction::Resubscribe { .. } => {
                self.resyncs += 1;
                self.subscribe().await;
            }
            Reaction::Ignore => {}
        }
    }

    fn is_as(&self, expected: &[bool]) -> bool {
        self.shown.len() == expected.len()
            && (0..).zip(expected).all(|(number, occupied)| {
                self.shown.get(&spot_id(number)).is_some_and(|spot| spot.is_occupied == *occupied)
            })
    }

    /// Listens until every spot is as its sensor said last. That it never becomes so shows as a wait for a message.
    async fn until(mut self, expected: Vec<bool>) -> Self {
        while !self.is_as(&expected) {
            self.hear().await;
        }
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn screen_follows_a_storm_of_sensors_and_ends_as_they_do() {
    each_database(|server| async move {
        let token = server.sign_in(ADMIN).await;
        let lot = make_lot(&server, &token).await;
        let mut gateways = Gateways::new();
        for number in 0..GATEWAYS {
            gateways.push(server.register(&token, &format!("Gateway {number}")).await);
        }
        let of_gateway = |number: usize| (number..SPOTS).step_by(GATEWAYS);
        let first = Timestamp::from_millis(server.portico.platform.clock.now().millis() - 60_000);
        send_all(&server, &gateways, |gateway| of_gateway(gateway).map(|spot| word(spot, false, first)).collect())
            .await;
        place_sensors(&server, &token).await;

        let mut random = StdRng::seed_from_u64(SEED);
        let said: Vec<[bool; MESSAGES]> = (0..SPOTS).map(|_| random.random()).collect();
        let last: Vec<bool> = said.iter().map(|words| words[MESSAGES - 1]).collect();
        let screen = Screen::open(&server, &token, &lot).await;
        assert!(screen.is_as(&[false; SPOTS]), "all are free at first");
        let watching = tokio::spawn(screen.until(last.clone()));
        send_all(&server, &gateways, |gateway| {
            // Every sensor speaks before one speaks again.
            let turns = (0..MESSAGES).zip(1_i64..);
            let words = turns.flat_map(|(turn, second)| {
                of_gateway(gateway).map(move |spot| (spot, turn, first.plus_millis(second * 1_000)))
            });
            words.map(|(spot, turn, at)| word(spot, said[spot][turn], at)).collect()
        })
        .await;

        // Acknowledged means committed: no waiting before this read.
        let kept = spots(&server, &token, &lot).await;
        let occupied: Vec<bool> = kept.iter().map(|spot| spot.is_occupied).collect();
        let signs: Vec<String> = (0..SPOTS).map(spot_id).collect();
        let mut expected: Vec<(&str, bool)> = signs.iter().map(String::as_str).zip(last).collect();
        expected.sort_unstable();
        let found: Vec<(&str, bool)> = kept.iter().map(|spot| spot.id.as_str()).zip(occupied).collect();
        assert_eq!(found, expected, "the server says what the sensors said last");
        let screen = watching.await.unwrap();
        assert!(screen.shown.into_values().eq(kept), "and the page shows it to the last field");
        eprintln!("{} resyncs", screen.resyncs);
        server
    })
    .await;
}
