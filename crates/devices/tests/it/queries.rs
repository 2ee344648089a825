use futures::StreamExt as _;
use portico_model::telemetry::{Aggregation, Value};
use portico_model::{ErrorKind, Timestamp};

use crate::{World, each, mixed, sample};

const HOUR_MS: i64 = 3_600_000;

async fn csv(world: &World, id: portico_model::DeviceId, from: Timestamp, to: Timestamp) -> String {
    let mut pieces = Box::pin(world.devices.csv(&world.manager, id, from, to).await.unwrap());
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        text.push_str(&piece.unwrap());
    }
    text
}

#[tokio::test]
async fn ranges_give_the_newest_samples_whatever_keys_they_have() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        let mut samples = Vec::new();
        for second in 0..100 {
            // Two keys that never share a sample.
            let key = if second % 2 == 0 { "a" } else { "b" };
            samples.push(sample(now.plus_secs(-second), &[(key, 1.0)]));
        }
        world.submit(&device, samples).await;
        let got = world.devices.range(&world.manager, id, now.plus_secs(-1_000), now, &[], 7).await.unwrap();
        let ages: Vec<i64> = got.iter().map(|sample| now.millis_since(sample.ts) / 1000).collect();
        assert_eq!(ages, [0, 1, 2, 3, 4, 5, 6]);
        let only_b = world.devices.range(&world.manager, id, now.plus_secs(-5), now, &["b".into()], 100).await.unwrap();
        assert_eq!(only_b.len(), 3);
        assert!(world.devices.range(&world.manager, id, now, now, &[], 0).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn csv_has_every_point_across_pages() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        assert_eq!(csv(&world, id, now.plus_secs(-60), now).await, "timestamp,key,value\r\n");
        let samples: Vec<_> = (0..10_001).map(|number| sample(now.plus_millis(-number), &[("t", 0.5)])).collect();
        world.submit(&device, samples).await;
        world.submit(&device, vec![mixed(now, &[("note", Value::Text("=1+1, \"x\"".into()))])]).await;
        let text = csv(&world, id, now.plus_secs(-60), now).await;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 10_003);
        assert_eq!(lines[1], format!("{now},note,\"'=1+1, \"\"x\"\"\""));
        assert_eq!(lines[10_002], format!("{now},t,0.5"));
    })
    .await;
}

#[tokio::test]
async fn charts_fit_their_buckets_and_show_gaps() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        let samples: Vec<_> = (0..3_600)
            .filter(|second| !(600..1_200).contains(second))
            .map(|second| sample(now.plus_secs(-second), &[("t", f64::from(i32::try_from(second).unwrap()))]))
            .collect();
        world.submit(&device, samples).await;
        let chart = async |from_ms: i64, buckets: i64| {
            world.devices.chart(&world.manager, id, "t", now.plus_millis(-from_ms), now, buckets).await.unwrap()
        };
        let hour = chart(HOUR_MS, 600).await;
        assert_eq!(hour.bucket_ms, 10_000);
        assert!(hour.buckets.len() <= 302);
        assert_eq!(hour.buckets.iter().map(|bucket| bucket.count).sum::<i64>(), 3_000);
        let last = hour.buckets.last().unwrap();
        assert!((last.last - 0.0).abs() < 1e-9);
        // Few points are shown one by one.
        let minute = chart(60_000, 600).await;
        assert_eq!((minute.bucket_ms, minute.buckets.len()), (1, 61));
        let month = chart(30 * 24 * HOUR_MS, 600).await;
        assert_eq!(month.bucket_ms, 2 * HOUR_MS);
        assert_eq!(month.buckets.iter().map(|bucket| bucket.count).sum::<i64>(), 3_000);
        let backwards = world.devices.chart(&world.manager, id, "t", now, now.plus_secs(-1), 100).await;
        assert_eq!(backwards.unwrap_err().kind(), ErrorKind::Invalid);
    })
    .await;
}

#[tokio::test]
async fn a_years_chart_comes_from_the_hour_rollups() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        for day in 0..365_i64 {
            let samples = (0..24).map(|hour| sample(now.plus_millis(-(day * 24 + hour) * HOUR_MS), &[("t", 1.0)]));
            world.submit(&device, samples.collect()).await;
        }
        let began = std::time::Instant::now();
        let chart = world.devices.chart(&world.manager, id, "t", now.plus_secs(-365 * 86_400), now, 600).await.unwrap();
        eprintln!("a year: {} buckets in {:?}", chart.buckets.len(), began.elapsed());
        assert_eq!(chart.bucket_ms, 24 * HOUR_MS);
        assert!((365..=367).contains(&chart.buckets.len()));
        assert_eq!(chart.buckets.iter().map(|bucket| bucket.count).sum::<i64>(), 8_760);
    })
    .await;
}

#[tokio::test]
async fn percentiles_come_from_the_points_and_wrong_windows_are_refused() {
    each(|world| async move {
        let device = world.device("meter").await;
        let (now, id) = (world.now(), device.device.id);
        // All within one hour, whatever the time of the test.
        let begin = Timestamp::from_millis(now.millis() / HOUR_MS * HOUR_MS);
        let samples = (0..=100)
            .map(|number| sample(begin.plus_secs(number), &[("t", f64::from(i32::try_from(number).unwrap()))]));
        world.submit(&device, samples.collect()).await;
        let get = async |aggregation, window_ms| {
            let to = begin.plus_secs(3_599);
            world.devices.aggregated(&world.manager, id, "t", aggregation, window_ms, begin, to).await
        };
        let p95 = get(Aggregation::P95, HOUR_MS).await.unwrap();
        assert_eq!((p95.len(), p95[0].count), (1, 101));
        assert!((p95[0].value - 95.0).abs() < 1e-9);
        assert!((get(Aggregation::P50, HOUR_MS).await.unwrap()[0].value - 50.0).abs() < 1e-9);
        for window_ms in [0, 500, 1_500, 61_000] {
            assert_eq!(get(Aggregation::Mean, window_ms).await.unwrap_err().kind(), ErrorKind::Invalid, "{window_ms}");
        }
        let long =
            world.devices.aggregated(&world.manager, id, "t", Aggregation::Mean, 1_000, Timestamp::from_millis(0), now);
        assert_eq!(long.await.unwrap_err().kind(), ErrorKind::Invalid);
        let none = world.devices.aggregated(&world.manager, id, "unknown", Aggregation::Mean, HOUR_MS, begin, now);
        assert!(none.await.unwrap().is_empty());
    })
    .await;
}
