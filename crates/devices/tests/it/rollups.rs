//! The rollups kept at ingest are what the points add up to, whatever comes in whichever order, how often, and in
//! whichever company; and both databases say the same.

use std::collections::BTreeMap;
use std::sync::Mutex;

use portico_devices::AggregatedBucket;
use portico_model::Timestamp;
use portico_model::telemetry::Aggregation;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{World, each, sample};

const HOUR_MS: i64 = 3_600_000;

/// A message: (seconds before now, value) of up to six samples. Few distinct times, so that many come twice.
type Message = Vec<(i64, i32)>;

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let age = prop_oneof![0..40_i64, 0..7_200_i64, Just(3_600)];
    prop::collection::vec(prop::collection::vec((age, -50..50_i32), 1..6), 1..12)
}

fn expected(points: &BTreeMap<i64, f64>, window_ms: i64, aggregation: Aggregation) -> Vec<AggregatedBucket> {
    let mut windows: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (ts, value) in points {
        windows.entry(ts / window_ms * window_ms).or_default().push(*value);
    }
    windows
        .into_iter()
        .map(|(ts, values)| {
            let count = i64::try_from(values.len()).unwrap();
            #[allow(clippy::cast_precision_loss)]
            let value = match aggregation {
                Aggregation::Sum => values.iter().sum(),
                Aggregation::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
                Aggregation::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                Aggregation::Count => count as f64,
                Aggregation::First => values[0],
                Aggregation::Last => values[values.len() - 1],
                _ => values.iter().sum::<f64>() / count as f64,
            };
            AggregatedBucket { ts: Timestamp::from_millis(ts), value, count }
        })
        .collect()
}

async fn check(world: &World, number: usize, messages: &[Message]) -> Vec<AggregatedBucket> {
    let device = world.device(&format!("device {number}")).await;
    let known = world.login(&device).await;
    let (now, id) = (world.now(), device.device.id);
    let mut points = BTreeMap::new();
    let batches: Vec<_> = messages
        .iter()
        .map(|message| {
            let samples = message.iter().map(|(age_s, value)| {
                let ts = now.plus_secs(-age_s);
                // Whole numbers: sums are exact in any order.
                points.entry(ts.millis()).or_insert(f64::from(*value));
                sample(ts, &[("t", f64::from(*value))])
            });
            samples.collect::<Vec<_>>()
        })
        .collect();
    // One after the other, so that it is known which of two values of one time came first; then everything again, all
    // at once, as a broker does after a lost connection.
    for batch in &batches {
        world.devices.submit(&known, batch.clone()).await.unwrap();
    }
    let again = batches.into_iter().map(|batch| world.devices.submit(&known, batch));
    futures::future::try_join_all(again).await.unwrap();

    let (from, to) = (now.plus_secs(-9_000), now);
    let stored = world.devices.range(&world.manager, id, from, to, &[], 10_000).await.unwrap();
    let stored: BTreeMap<i64, f64> =
        stored.iter().map(|sample| (sample.ts.millis(), sample.data["t"].number().unwrap())).collect();
    assert_eq!(stored, points);
    let mut all = Vec::new();
    for window_ms in [1_000, 60_000, 300_000, HOUR_MS, 24 * HOUR_MS] {
        for aggregation in Aggregation::ALL {
            let got =
                world.devices.aggregated(&world.manager, id, "t", aggregation, window_ms, from, to).await.unwrap();
            if !matches!(aggregation, Aggregation::P50 | Aggregation::P95) {
                assert_eq!(got, expected(&points, window_ms, aggregation), "{aggregation:?} {window_ms}");
            }
            all.extend(got);
        }
    }
    // Deleting a part leaves exact rollups of the rest.
    let (begin, end) = (now.plus_secs(-4_000), now.plus_secs(-17));
    world.devices.delete_range(&world.manager, id, begin, end).await.unwrap();
    points.retain(|ts, _| *ts < begin.millis() || *ts > end.millis());
    for window_ms in [60_000, HOUR_MS] {
        for aggregation in
            [Aggregation::Sum, Aggregation::Count, Aggregation::First, Aggregation::Last, Aggregation::Max]
        {
            let got =
                world.devices.aggregated(&world.manager, id, "t", aggregation, window_ms, from, to).await.unwrap();
            assert_eq!(got, expected(&points, window_ms, aggregation), "after deletion: {aggregation:?} {window_ms}");
        }
    }
    all
}

#[tokio::test]
async fn rollups_equal_the_sum_of_the_points_on_both_databases() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let cases: Vec<Vec<Message>> = (0..20).map(|_| messages().new_tree(&mut runner).unwrap().current()).collect();
    let answers: Mutex<Vec<Vec<AggregatedBucket>>> = Mutex::default();
    each(|world| {
        let (cases, answers) = (&cases, &answers);
        async move {
            let mut all = Vec::new();
            for (number, case) in cases.iter().enumerate() {
                all.extend(check(&world, number, case).await);
            }
            answers.lock().unwrap().push(all);
        }
    })
    .await;
    let answers = answers.into_inner().unwrap();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "the databases differ");
}
