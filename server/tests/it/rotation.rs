//! Keys rotate while a device goes on posting, over HTTP and MQTT: no post fails, and every value is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use crate::harness::{ADMIN, Device, each_database, eventually};

const ROTATIONS: usize = 5;

/// How many posts a device makes with the key it has, before it takes up the new one.
const SLOW_TO_CHANGE: i64 = 3;

/// Both posters must have made so many more posts before the next rotation.
const POSTS_BETWEEN: i64 = 8;

/// Each value has a time of its own, of the last hour.
fn sample(start_ms: i64, key: &str, number: i64) -> serde_json::Value {
    json!({ "ts": start_ms + number, "data": { key: number } })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_post_fails_while_keys_rotate() {
    each_database(|server| async move {
        let admin = server.sign_in(ADMIN).await;
        let start_ms = server.portico.platform.clock.now().millis() - 1_800_000;
        let (device, first_key) = server.register(&admin, "Posts without end").await;
        let (give, keys) = watch::channel(first_key.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let counts = [Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0))];

        let over_http = {
            let (http, url, mut keys) = (server.http.clone(), server.url.clone(), keys.clone());
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&counts[0]));
            tokio::spawn(async move {
                let mut key = keys.borrow_and_update().clone();
                let mut since = 0;
                while !stop.load(Ordering::SeqCst) {
                    if keys.has_changed().unwrap_or(false) {
                        since += 1;
                        if since > SLOW_TO_CHANGE {
                            key = keys.borrow_and_update().clone();
                            since = 0;
                        }
                    }
                    let number = count.load(Ordering::SeqCst);
                    let request = http.post(format!("{url}/api/v1/telemetry")).header("x-api-key", &key);
                    let status = request.json(&sample(start_ms, "http", number)).send().await.unwrap().status();
                    assert_eq!(status, StatusCode::CREATED, "post {number} over HTTP");
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let over_mqtt = {
            let (mqtt, id, mut keys) = (server.mqtt.clone(), device.clone(), keys);
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&counts[1]));
            tokio::spawn(async move {
                let key = keys.borrow_and_update().clone();
                let mut line = Device::connect(&mqtt, &id, &key).await;
                let mut since = 0;
                while !stop.load(Ordering::SeqCst) {
                    if keys.has_changed().unwrap_or(false) {
                        since += 1;
                        if since > SLOW_TO_CHANGE {
                            let key = keys.borrow_and_update().clone();
                            line = Device::connect(&mqtt, &id, &key).await;
                            since = 0;
                        }
                    }
                    let number = count.load(Ordering::SeqCst);
                    // Panics unless it is acknowledged.
                    line.publish(&sample(start_ms, "mqtt", number)).await;
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        };

        let path = format!("/api/v1/devices/{device}/key");
        for rotation in 0..ROTATIONS {
            let before = counts.each_ref().map(|count| count.load(Ordering::SeqCst));
            eventually("posts between two rotations", || async {
                let now = counts.each_ref().map(|count| count.load(Ordering::SeqCst));
                let failed = over_http.is_finished() || over_mqtt.is_finished();
                failed || now.iter().zip(before).all(|(now, before)| now - before >= POSTS_BETWEEN)
            })
            .await;
            let body = json!({ "overlap_s": 600 });
            let (status, answer) = server.call(Method::POST, &path, Some(&admin), Some(body)).await;
            assert!(status.is_success(), "rotation {rotation}: {answer}");
            let key = answer.pointer("/device/api_key").or_else(|| answer.pointer("/api_key")).unwrap();
            give.send(key.as_str().unwrap().to_owned()).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        over_http.await.unwrap();
        over_mqtt.await.unwrap();

        for (key, count) in ["http", "mqtt"].iter().zip(counts) {
            let count = count.load(Ordering::SeqCst);
            assert!(count >= POSTS_BETWEEN * i64::try_from(ROTATIONS).unwrap(), "{key}: {count}");
            // Stored: as many values as were acknowledged, none twice.
            let query = format!("field={key}&window=1d&aggregation=count&start_time=-1h");
            let path = format!("/api/v1/telemetry/{device}/aggregated?{query}");
            let (status, answer) = server.call(Method::GET, &path, Some(&admin), None).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let stored: f64 = answer["data"].as_array().unwrap().iter().filter_map(|row| row["value"].as_f64()).sum();
            #[allow(clippy::cast_precision_loss)] // a few hundred
            let expected = count as f64;
            assert!((stored - expected).abs() < f64::EPSILON, "{key}: {stored} of {expected}: {answer}");
        }

        // With the last overlap over, the first key is refused at once; the rotation that has none ends it.
        let body = json!({ "overlap_s": 0 });
        assert!(server.call(Method::POST, &path, Some(&admin), Some(body)).await.0.is_success());
        let request = server.http.post(format!("{}/api/v1/telemetry", server.url)).header("x-api-key", &first_key);
        let status = request.json(&sample(start_ms, "http", 0)).send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        server
    })
    .await;
}
