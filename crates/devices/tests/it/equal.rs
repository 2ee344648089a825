//! What is asked of telemetry is answered alike by SQLite and PostgreSQL, for random data: any finite numbers, booleans and
//! texts, keys that change their kind, times that come twice and out of order.

use std::sync::Mutex;

use futures::StreamExt as _;
use portico_devices::TelemetryQuery;
use portico_model::explore::SeriesRef;
use portico_model::telemetry::{Aggregation, Sample, Value};
use portico_model::{DeviceId, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{World, each, mixed};

const HOUR_MS: i64 = 3_600_000;
const CASES: usize = 12;
const KEYS: [&str; 3] = ["a", "B", "ä ö"];
const WINDOWS_MS: [i64; 5] = [1_000, 7_000, 60_000, 300_000, HOUR_MS];

/// Batches of samples: (milliseconds before now, key, value).
type Case = Vec<Vec<(i64, usize, Value)>>;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (-1e6..1e6_f64).prop_map(Value::Number),
        2 => (-100_i32..100).prop_map(|number| Value::Number(f64::from(number))),
        1 => prop_oneof![Just(0.0), Just(-0.0), Just(1e-12), Just(-7e8)].prop_map(Value::Number),
        2 => any::<bool>().prop_map(Value::Boolean),
        2 => "[a-zA-Zäß \"',=]{0,8}".prop_map(Value::Text),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let age_ms = prop_oneof![0..20_i64, 0..90_000_i64, 0..3 * HOUR_MS, Just(60_000), Just(HOUR_MS)];
    prop::collection::vec(prop::collection::vec((age_ms, 0..KEYS.len(), value()), 1..40), 1..8)
}

/// One answer: which question, and what came, in numbers that may differ by the rounding of a sum and text that may not.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    question: String,
    text: String,
    numbers: Vec<f64>,
}

#[derive(Default)]
struct Transcript {
    answers: Vec<Answer>,
}

impl Transcript {
    fn exact(&mut self, question: impl Into<String>, answer: impl std::fmt::Debug) {
        self.answers.push(Answer { question: question.into(), text: format!("{answer:?}"), numbers: Vec::new() });
    }

    fn numbers(&mut self, question: String, text: impl std::fmt::Debug, numbers: Vec<f64>) {
        self.answers.push(Answer { question, text: format!("{text:?}"), numbers });
    }
}

async fn ask(world: &World, id: DeviceId, now: Timestamp) -> Transcript {
    let mut told = Transcript::default();
    let (devices, actor) = (&world.devices, &world.manager);
    let from = now.plus_millis(-3 * HOUR_MS);
    told.exact("keys", devices.keys(actor, id).await.unwrap());
    told.exact("latest", devices.latest(actor, id).await.unwrap());
    for limit in [1, 7, 1_000] {
        for keys in [vec![], vec!["a".to_owned()], vec!["B".to_owned(), "ä ö".to_owned()]] {
            let samples: Vec<Sample> = devices.range(actor, id, from, now, &keys, limit).await.unwrap();
            told.exact(format!("range {limit} {keys:?}"), samples);
        }
    }
    let half = now.plus_millis(-HOUR_MS);
    told.exact("range of a part", devices.range(actor, id, from, half, &[], 1_000).await.unwrap());
    let pieces: Vec<String> =
        devices.csv(actor, id, from, now).await.unwrap().map(|piece| piece.unwrap()).collect().await;
    told.exact("csv", pieces.concat());
    for key in KEYS {
        for window_ms in WINDOWS_MS {
            // The narrowest windows over an hour only: there may be ten thousand.
            let from = if window_ms < 7_000 { now.plus_millis(-HOUR_MS) } else { from };
            for aggregation in Aggregation::ALL {
                let windows = devices.aggregated(actor, id, key, aggregation, window_ms, from, now).await.unwrap();
                let places: Vec<_> = windows.iter().map(|window| (window.ts, window.count)).collect();
                let values = windows.iter().map(|window| window.value).collect();
                told.numbers(format!("{} of {key} in {window_ms} ms", aggregation.as_str()), places, values);
            }
        }
        for buckets in [10, 600, 2_000] {
            let chart = devices.chart(actor, id, key, from, now, buckets).await.unwrap();
            let places: Vec<_> = chart.buckets.iter().map(|bucket| (bucket.ts, bucket.count)).collect();
            let values = chart.buckets.iter().flat_map(|bucket| [bucket.mean, bucket.min, bucket.max, bucket.last]);
            told.numbers(format!("chart of {key} in {buckets}"), (chart.bucket_ms, places), values.collect());
        }
    }
    let series: Vec<_> = KEYS.iter().map(|key| SeriesRef { device_id: id, key: (*key).to_owned() }).collect();
    for (aggregation, window_ms) in [(Aggregation::Mean, None), (Aggregation::P95, Some(60_000))] {
        let query = TelemetryQuery { series: series.clone(), from, to: now, aggregation, window_ms, max_windows: 50 };
        let answer = devices.query(actor, &query).await.unwrap();
        let points: Vec<_> = answer.series.iter().flat_map(|series| series.points.clone()).collect();
        let places: Vec<_> = points.iter().map(|point| (point.ts, point.count)).collect();
        let values = points.iter().map(|point| point.value).collect();
        told.numbers(format!("query {}", aggregation.as_str()), (answer.window_ms, places), values);
    }
    told
}

/// Sums are rounded in the order in which they are added up; no number that goes into one is beyond 7e8.
fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-4
}

#[tokio::test]
async fn both_databases_answer_alike_for_random_data() {
    let seed: [u8; 32] = std::array::from_fn(|_| rand::random());
    eprintln!("seed {seed:?}");
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let cases: Vec<Case> = (0..CASES).map(|_| case().new_tree(&mut runner).unwrap().current()).collect();
    let transcripts: Mutex<Vec<Vec<Transcript>>> = Mutex::default();
    each(|world| {
        let (cases, transcripts) = (&cases, &transcripts);
        async move {
            let mut told = Vec::new();
            for (number, case) in cases.iter().enumerate() {
                let device = world.device(&format!("device {number}")).await;
                let now = world.now();
                for batch in case {
                    let samples = batch
                        .iter()
                        .map(|(age_ms, key, value)| mixed(now.plus_millis(-age_ms), &[(KEYS[*key], value.clone())]))
                        .collect();
                    world.submit(&device, samples).await;
                }
                told.push(ask(&world, device.device.id, now).await);
            }
            transcripts.lock().unwrap().push(told);
        }
    })
    .await;
    let transcripts = transcripts.into_inner().unwrap();
    assert!(transcripts[0].iter().any(|told| told.answers.iter().any(|answer| answer.numbers.len() > 20)));
    let [sqlite, postgres] = transcripts.as_slice() else { return };
    for (number, (left, right)) in sqlite.iter().zip(postgres).enumerate() {
        assert_eq!(left.answers.len(), right.answers.len());
        for (left, right) in left.answers.iter().zip(&right.answers) {
            let what = format!("case {number}, {}", left.question);
            assert_eq!(left.text, right.text, "{what}");
            assert_eq!(left.numbers.len(), right.numbers.len(), "{what}");
            for (one, other) in left.numbers.iter().zip(&right.numbers) {
                assert!(close(*one, *other), "{what}: {one} on SQLite, {other} on PostgreSQL");
            }
        }
    }
}
