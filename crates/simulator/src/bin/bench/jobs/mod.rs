//! What is measured.

mod check;
mod ingest;
mod lock;
mod log;
mod parking;
mod push;
mod requests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use portico_simulator::Api;
use tokio::task::JoinSet;

use crate::live::Watchers;
use crate::measure::{cpu_time, resident_mb};
use crate::mqtt::{Published, Publisher};
use crate::report::{Goal, Report};
use crate::server::{Prepared, Running, TestDevice};
use crate::{Arguments, Job};

use ingest::Ingest;
pub use log::{log, train};
pub use parking::parking;

/// Messages a publisher has under way; the server's receive maximum is 32.
const WINDOW: usize = 16;

/// From starting the program to serving, and its memory when nothing happens.
pub async fn start(arguments: &Arguments, prepared: &Prepared, report: &mut Report) -> Result<()> {
    for run in 0..arguments.runs.max(3) {
        let server = prepared.start().await?;
        report.add(
            prepared.database,
            "start",
            "ms",
            Some(Goal::AtMost(1_000.0)),
            server.started_in.as_secs_f64() * 1000.0,
        );
        if run == 0 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            report.add(
                prepared.database,
                "memory, idle",
                "MB",
                Some(Goal::AtMost(100.0)),
                resident_mb(server.process()),
            );
        }
        server.stop().await?;
    }
    Ok(())
}

/// The jobs that share one running server.
pub async fn on_one_server(arguments: &Arguments, prepared: &mut Prepared, report: &mut Report) -> Result<()> {
    let server = prepared.start().await?;
    let api = server.api()?;
    let devices = server.devices(&api, arguments.devices, "ingest").await?;
    let bench = Bench {
        arguments,
        server: &server,
        api: &api,
        devices: &devices,
        database: prepared.database,
        past: Past::new(arguments.devices),
    };
    for (job, kind) in [(Job::Arrays, Ingest::ARRAYS), (Job::Three, Ingest::THREE), (Job::Single, Ingest::SINGLE)] {
        if arguments.wants(job) {
            for _ in 0..arguments.runs {
                bench.ingest(kind, report).await.with_context(|| format!("job {job:?}"))?;
            }
        }
    }
    for _ in 0..arguments.runs {
        if arguments.wants(Job::Latency) {
            bench.latency(report).await.context("job latency")?;
        }
        if arguments.wants(Job::Fanout) {
            bench.fan_out(report).await.context("job fanout")?;
        }
        if arguments.wants(Job::Post) {
            bench.post(report).await.context("job post")?;
        }
        if arguments.wants(Job::Reads) {
            bench.reads(report).await.context("job reads")?;
        }
    }
    if arguments.wants(Job::Year) {
        bench.year(report).await.context("job year")?;
    }
    if arguments.wants(Job::Check) {
        bench.check(report).await.context("job check")?;
    }
    if arguments.wants(Job::Lock) {
        bench.lock(report).await.context("job lock")?;
    }
    report.add(prepared.database, "memory, after all this", "MB", None, resident_mb(server.process()));
    server.stop().await
}

/// Gives each sample of a device its own second of the last weeks, so that every point is a new row and none is too old
/// to keep.
#[derive(Clone)]
struct Past(Arc<Vec<AtomicI64>>);

const PAST_MS: i64 = 25 * 86_400_000;

impl Past {
    fn new(devices: usize) -> Self {
        let first = now_ms() / 1000 * 1000 - PAST_MS;
        Self(Arc::new((0..devices).map(|_| AtomicI64::new(first)).collect()))
    }

    /// The first of so many unused seconds of that device.
    fn reserve(&self, device: usize, samples: usize) -> i64 {
        self.0[device].fetch_add(i64::try_from(samples).unwrap_or(0) * 1000, Ordering::Relaxed)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

/// A payload of `samples` samples from `first` on, a second apart.
fn payload(first: i64, samples: usize, keys: usize) -> Vec<u8> {
    let mut text = String::with_capacity(samples * (24 + keys * 14));
    let sample = |text: &mut String, at: i64| {
        let second = at / 1000 % 1000;
        let _ = write!(text, r#"{{"ts":{at},"data":{{"temperature":{}.{:02}"#, 20 + second % 5, second % 100);
        if keys > 1 {
            let _ = write!(text, r#","humidity":{}.5,"co2":{}"#, 40 + second % 20, 400 + second);
        }
        text.push_str("}}");
    };
    if samples == 1 {
        sample(&mut text, first);
    } else {
        for (index, at) in (first..).step_by(1000).take(samples).enumerate() {
            text.push(if index == 0 { '[' } else { ',' });
            sample(&mut text, at);
        }
        text.push(']');
    }
    text.into_bytes()
}

struct Bench<'a> {
    arguments: &'a Arguments,
    server: &'a Running,
    api: &'a Api,
    devices: &'a [TestDevice],
    database: &'static str,
    past: Past,
}

/// CPU and time of an interval.
struct Meter {
    began: Instant,
    server: u32,
    server_cpu: Duration,
    own_cpu: Duration,
}

impl Meter {
    fn begin(server: u32) -> Self {
        Self { began: Instant::now(), server, server_cpu: cpu_time(server), own_cpu: cpu_time(std::process::id()) }
    }

    /// Seconds, and the CPU microseconds of server and load.
    fn end(&self) -> (f64, f64, f64) {
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6;
        (
            self.began.elapsed().as_secs_f64(),
            micros(cpu_time(self.server).saturating_sub(self.server_cpu)),
            micros(cpu_time(std::process::id()).saturating_sub(self.own_cpu)),
        )
    }
}

#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(0) as f64
}

impl Bench<'_> {
    fn add(&self, report: &mut Report, name: &'static str, unit: &'static str, goal: Option<Goal>, value: f64) {
        report.add(self.database, name, unit, goal, value);
    }

    async fn publishers(&self, count: usize) -> Result<Vec<Publisher>> {
        let mut publishers = Vec::new();
        for device in self.devices.iter().take(count) {
            publishers.push(Publisher::connect(&self.server.mqtt, device).await?);
        }
        Ok(publishers)
    }

    async fn watchers(&self, count: usize, devices: usize, epoch: Instant) -> Result<Watchers> {
        let topics: Vec<String> =
            self.devices.iter().take(devices).map(|device| format!("telemetry:{}", device.id)).collect();
        let authorization = self.api.authorization().await?;
        Watchers::connect(&self.server.http, &[authorization], count, &topics, epoch).await
    }

    /// All publishers flood until the time is over; ends when everything is acknowledged.
    async fn flood(
        &self,
        publishers: Vec<Publisher>,
        window: usize,
        make: impl Fn(usize) -> Vec<u8> + Clone + Send + Sync + 'static,
    ) -> Result<Published> {
        let end = Instant::now() + self.arguments.length();
        let mut workers = JoinSet::new();
        for (device, mut publisher) in publishers.into_iter().enumerate() {
            let make = make.clone();
            workers
                .spawn(async move { publisher.flood(window, || (Instant::now() < end).then(|| make(device))).await });
        }
        let mut all = Published::default();
        while let Some(published) = workers.join_next().await {
            let published = published??;
            all.messages += published.messages;
            all.acknowledgements.join(published.acknowledgements);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_json_a_second_apart() {
        let one: serde_json::Value = serde_json::from_slice(&payload(1_700_000_000_000, 1, 1)).unwrap();
        assert_eq!(one["ts"], 1_700_000_000_000_i64);
        assert_eq!(one["data"].as_object().unwrap().len(), 1);
        let many: serde_json::Value = serde_json::from_slice(&payload(1_700_000_000_000, 100, 3)).unwrap();
        assert_eq!(many.as_array().unwrap().len(), 100);
        assert_eq!(many[99]["ts"], 1_700_000_099_000_i64);
        assert_eq!(many[99]["data"].as_object().unwrap().len(), 3);
    }

    #[test]
    fn every_sample_gets_a_second_of_its_own() {
        let past = Past::new(2);
        let first = past.reserve(1, 10);
        assert_eq!(past.reserve(1, 1), first + 10_000);
        assert_eq!(past.reserve(0, 1), first);
    }
}
