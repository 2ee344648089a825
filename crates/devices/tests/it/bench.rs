//! Run by hand: `cargo test --release -p portico-devices --test it -- --ignored --nocapture ingest_speed`.

use std::time::Instant;

use crate::{each_with, sample};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; run by hand"]
async fn ingest_speed() {
    each_with(
        |config| config.devices.max_devices_per_user = 1_000,
        |world| async move {
            for (devices, messages, samples, keys) in [(50, 40, 100, 3), (50, 400, 1, 3), (200, 20, 10, 10)] {
                let mut logins = Vec::new();
                for number in 0..devices {
                    let device = world.device(&format!("{devices}-{samples}-{number}")).await;
                    logins.push(world.login(&device).await);
                    world.test.clock.advance_ms(1);
                }
                let names: Vec<String> = (0..keys).map(|key| format!("k{key}")).collect();
                let now = world.now();
                let began = Instant::now();
                let tasks: Vec<_> = logins
                    .into_iter()
                    .map(|known| {
                        let (service, names) = (world.devices.clone(), names.clone());
                        tokio::spawn(async move {
                            let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 21.5)).collect();
                            for message in 0..messages {
                                let first = message * samples;
                                let batch =
                                    (first..first + samples).map(|number| sample(now.plus_secs(-number), &values));
                                service.submit(&known, batch.collect()).await.unwrap();
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                let points = devices * messages * samples * keys;
                let seconds = began.elapsed().as_secs_f64();
                #[allow(clippy::cast_precision_loss)]
                let rate = points as f64 / seconds;
                eprintln!(
                    "{devices} devices, {samples} samples of {keys} keys a message: {points} points, {rate:.0} points/s"
                );
            }
        },
    )
    .await;
}
