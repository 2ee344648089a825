//! A car park instead of a building: `portico-simulator --parking`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use clap::Args;
use portico_model::Timestamp;
use portico_simulator::parking::{LotPlan, Park, ParkingOptions, SensorFaults, history};
use portico_simulator::{Api, Credentials};
use tokio_util::sync::CancellationToken;

use crate::{Arguments, FaultLevel};

/// How often the existing firmware measures.
const MEASURE_EVERY: Duration = Duration::from_secs(30);

const WEEK_S: i64 = 7 * 86_400;

#[derive(Debug, Args)]
pub struct ParkingArguments {
    /// Instead of a building: an office car park whose spots are seen by ultrasonic sensors, with drivers who reserve
    #[arg(long, conflicts_with_all = ["sensors", "history_hours"])]
    pub parking: bool,
    /// How many spots, rounded up to whole rows
    #[arg(long, default_value_t = 136, requires = "parking", value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub parking_spots: u16,
    /// How many minutes the car park's clock is ahead of UTC
    #[arg(long, default_value_t = 0, requires = "parking", allow_hyphen_values = true,
          value_parser = clap::value_parser!(i64).range(-720..=840))]
    pub parking_utc_offset: i64,
    /// Write how full it was in so many past weeks, by quarters of an hour, as CSV, and end: no server is needed
    #[arg(long, requires = "parking", value_name = "WEEKS", value_parser = clap::value_parser!(u16).range(1..=520))]
    pub parking_history: Option<u16>,
}

impl ParkingArguments {
    fn lot(&self, seed: u64) -> LotPlan {
        LotPlan::office(seed, usize::from(self.parking_spots))
    }

    /// The past weeks as CSV, when that is what is asked for.
    pub fn history(&self, seed: u64) -> Option<String> {
        let weeks = i64::from(self.parking_history?);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let from = now.plus_secs(-weeks * WEEK_S);
        Some(history::csv(&[self.lot(seed)], seed, from, now, self.parking_utc_offset * 60))
    }
}

/// Plays it until `stop`, and says what becomes of it.
pub async fn run(arguments: Arguments, credentials: Credentials, stop: CancellationToken) -> anyhow::Result<()> {
    let Arguments {
        http, mqtt, seed, rate, time_acceleration, faults, state, heartbeat, topic_prefix, parking, ..
    } = arguments;
    ensure!(rate > 0.0 && time_acceleration > 0.0, "rate and time acceleration must be greater than 0");
    let (host, port) = mqtt.rsplit_once(':').context("--mqtt: host:port expected")?;
    let host = host.trim_matches(['[', ']']);
    let every = Duration::try_from_secs_f64(MEASURE_EVERY.as_secs_f64() / rate).context("--rate")?;
    let api = Arc::new(Api::new(&http, credentials)?);
    let options = ParkingOptions {
        topic_prefix,
        seed,
        time_acceleration,
        measure_every: every,
        report_every: every,
        heartbeat: Duration::from_secs(heartbeat.max(1)),
        faults: match faults {
            FaultLevel::None => SensorFaults::NONE,
            FaultLevel::Occasional => SensorFaults::OCCASIONAL,
            FaultLevel::Heavy => SensorFaults::HEAVY,
        },
        utc_offset_s: parking.parking_utc_offset * 60,
        state_file: Some(state),
        ..ParkingOptions::new(api, host, port.parse().context("--mqtt: host:port expected")?, vec![parking.lot(seed)])
    };
    let park = Park::start(options, &stop).await?;
    println!("The car park is open; Ctrl-C ends");
    let mut every_ten_seconds = tokio::time::interval(Duration::from_secs(10));
    every_ten_seconds.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = every_ten_seconds.tick() => tracing::info!("{}", park.summary()),
        }
    }
    println!("{}", park.wait().await);
    Ok(())
}
