//! What is measured.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use portico_simulator::Api;
use reqwest::Method;
use tokio::task::JoinSet;

use crate::live::Watchers;
use crate::measure::{Latencies, cpu_time, resident_mb};
use crate::mqtt::{Published, Publisher};
use crate::report::{Goal, Report};
use crate::server::{Prepared, Running, TestDevice};
use crate::{Arguments, Job, http};

/// Values in a sample of most jobs.
const KEYS: usize = 3;
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
    report.add(prepared.database, "memory, after all this", "MB", None, resident_mb(server.process()));
    server.stop().await
}

#[derive(Debug, Clone, Copy)]
struct Ingest {
    rate: &'static str,
    messages: &'static str,
    lost: &'static str,
    cpu: &'static str,
    load_cpu: &'static str,
    acknowledged: &'static str,
    keys: usize,
    /// `None`: as many samples as the arguments say.
    samples: Option<usize>,
    goal: Option<Goal>,
}

impl Ingest {
    const ARRAYS: Self = Self {
        rate: "MQTT arrays: points committed",
        messages: "MQTT arrays: messages",
        lost: "MQTT arrays: points lost",
        cpu: "MQTT arrays: server CPU per point",
        load_cpu: "MQTT arrays: load CPU per point",
        acknowledged: "MQTT arrays: publish → PUBACK p50",
        keys: KEYS,
        samples: None,
        goal: Some(Goal::AtLeast(30_000.0)),
    };
    const THREE: Self = Self {
        rate: "MQTT 3-point messages: points committed",
        messages: "MQTT 3-point messages: messages",
        lost: "MQTT 3-point messages: points lost",
        cpu: "MQTT 3-point messages: server CPU per point",
        load_cpu: "MQTT 3-point messages: load CPU per point",
        acknowledged: "MQTT 3-point: publish → PUBACK p50",
        keys: KEYS,
        samples: Some(1),
        goal: None,
    };
    const SINGLE: Self = Self {
        rate: "MQTT 1-point messages: points committed",
        messages: "MQTT 1-point messages: messages",
        lost: "MQTT 1-point messages: points lost",
        cpu: "MQTT 1-point messages: server CPU per point",
        load_cpu: "MQTT 1-point messages: load CPU per point",
        acknowledged: "MQTT 1-point: publish → PUBACK p50",
        keys: 1,
        samples: Some(1),
        goal: None,
    };
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

    /// A second of each device that nothing is measured in: a border between two runs.
    fn borders(&self) -> Vec<i64> {
        (0..self.0.len()).map(|device| self.reserve(device, 1)).collect()
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

    /// Points in the database, counted over REST for every device and key.
    async fn stored(&self, from: &[i64], to: &[i64], keys: usize) -> Result<u64> {
        let mut total = 0;
        for ((device, from), to) in self.devices.iter().zip(from).zip(to) {
            for key in ["temperature", "humidity", "co2"].iter().take(keys) {
                let path = format!(
                    "/api/v1/telemetry/{}/aggregated?field={key}&aggregation=count&window=1d&start_time={from}&end_time={to}",
                    device.id
                );
                let answer = self.api.call(Method::GET, &path, None).await?;
                let buckets = answer["data"].as_array().context("no data in the aggregate")?;
                total += buckets.iter().filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>();
            }
        }
        Ok(total)
    }

    /// MQTT QoS 1 → committed → pushed to one watcher; afterwards the points in the database are counted.
    async fn ingest(&self, kind: Ingest, report: &mut Report) -> Result<()> {
        let samples = kind.samples.unwrap_or(self.arguments.samples);
        // One fewer in flight for large payloads, as devices that catch up do.
        let window = if samples > 1 { 4 } else { WINDOW };
        let watcher = self.watchers(1, self.devices.len(), Instant::now()).await?;
        let publishers = self.publishers(self.devices.len()).await?;
        let from = self.past.borders();
        let (past, keys) = (self.past.clone(), kind.keys);
        let meter = Meter::begin(self.server.process());
        let mut published =
            self.flood(publishers, window, move |device| payload(past.reserve(device, samples), samples, keys)).await?;
        let (seconds, server_cpu, own_cpu) = meter.end();
        watcher.settle().await;
        let seen = watcher.seen();
        watcher.close().await;
        ensure!(seen.events > 0, "nothing reached the websocket");

        let points = number(published.messages) * number(samples) * number(keys);
        let to = self.past.borders();
        let stored = number(self.stored(&from, &to, keys).await?);
        self.add(report, kind.rate, "/s", kind.goal, points / seconds);
        self.add(report, kind.messages, "/s", None, number(published.messages) / seconds);
        self.add(report, kind.lost, "", Some(Goal::AtMost(0.0)), points - stored);
        self.add(report, kind.cpu, "µs", None, server_cpu / points);
        self.add(report, kind.load_cpu, "µs", None, own_cpu / points);
        self.add(report, kind.acknowledged, "ms", None, published.acknowledgements.percentile_ms(50.0));
        Ok(())
    }

    /// A sample whose first value is the time it was sent, microseconds since `epoch`.
    fn stamped(past: &Past, device: usize, epoch: Instant) -> Vec<u8> {
        let at = past.reserve(device, 1);
        let sent = epoch.elapsed().as_micros();
        format!(r#"{{"ts":{at},"data":{{"humidity":41.5,"sent_us":{sent},"temperature":21.25}}}}"#).into_bytes()
    }

    /// 200 messages a second of 3 points each, from 20 devices, to every watcher: publish → frame.
    async fn latency(&self, report: &mut Report) -> Result<()> {
        const PER_SECOND: u32 = 200;
        const DEVICES: usize = 20;
        let epoch = Instant::now();
        let watchers = self.watchers(self.arguments.watchers, DEVICES, epoch).await?;
        watchers.measure();
        let publishers = self.publishers(DEVICES).await?;
        let count = publishers.len();
        let total = u64::from(PER_SECOND) * self.arguments.seconds;
        let began = Instant::now() + Duration::from_millis(20);
        let meter = Meter::begin(self.server.process());
        let mut workers = JoinSet::new();
        for (index, mut publisher) in publishers.into_iter().enumerate() {
            let past = self.past.clone();
            workers.spawn(async move {
                for message in (index as u64..total).step_by(count) {
                    let due = began + Duration::from_secs_f64(number(message) / f64::from(PER_SECOND));
                    tokio::time::sleep_until(due.into()).await;
                    publisher.send(Self::stamped(&past, index, epoch)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = workers.join_next().await {
            done??;
        }
        let (_, server_cpu, _) = meter.end();
        watchers.settle().await;
        let seen = watchers.seen();
        let mut latencies = watchers.close().await;
        let expected = number(total) * number(self.arguments.watchers);
        self.add(report, "publish → browsers at 200/s: p50", "ms", None, latencies.percentile_ms(50.0));
        self.add(
            report,
            "publish → browsers at 200/s: p99",
            "ms",
            Some(Goal::AtMost(9.0)),
            latencies.percentile_ms(99.0),
        );
        self.add(report, "  frames expected but not seen", "", None, (expected - number(seen.events)).max(0.0));
        self.add(report, "  server CPU per message", "µs", None, server_cpu / number(total));
        Ok(())
    }

    /// As many 3-point messages as the server takes, every one pushed to every watcher.
    async fn fan_out(&self, report: &mut Report) -> Result<()> {
        const DEVICES: usize = 20;
        let epoch = Instant::now();
        let watchers = self.watchers(self.arguments.watchers, DEVICES, epoch).await?;
        let publishers = self.publishers(DEVICES).await?;
        let past = self.past.clone();
        let meter = Meter::begin(self.server.process());
        let published = self.flood(publishers, WINDOW, move |device| Self::stamped(&past, device, epoch)).await?;
        let acknowledged_after = meter.began.elapsed().as_secs_f64();
        let at_end = watchers.seen();
        watchers.settle().await;
        let seen = watchers.seen();
        let (_, server_cpu, own_cpu) = meter.end();
        watchers.close().await;
        self.add(
            report,
            "fan-out: messages committed",
            "/s",
            Some(Goal::AtLeast(10_000.0)),
            number(published.messages) / acknowledged_after,
        );
        self.add(
            report,
            "fan-out: frames delivered",
            "/s",
            Some(Goal::AtLeast(50_000.0)),
            number(at_end.events) / acknowledged_after,
        );
        let due = number(published.messages) * number(self.arguments.watchers);
        self.add(report, "fan-out: share of events told as left out", "%", None, number(seen.left_out) / due * 100.0);
        self.add(report, "fan-out: resyncs", "", None, number(seen.resyncs));
        self.add(report, "fan-out: server CPU per frame", "µs", None, server_cpu / number(seen.events.max(1)));
        self.add(report, "fan-out: load CPU per frame", "µs", None, own_cpu / number(seen.events.max(1)));
        Ok(())
    }

    /// `POST /api/v1/telemetry` with 3 points, answered after the commit.
    async fn post(&self, report: &mut Report) -> Result<()> {
        const CONNECTIONS: usize = 64;
        let keys: Arc<Vec<String>> = Arc::new(self.devices.iter().map(|device| device.api_key.clone()).collect());
        let (host, past) = (self.server.http.clone(), self.past.clone());
        let meter = Meter::begin(self.server.process());
        let made = Arc::new(AtomicU64::new(0));
        let counted = made.clone();
        let mut latencies =
            http::closed_loop(&self.server.http, CONNECTIONS, self.arguments.length(), move |worker, _| {
                counted.fetch_add(1, Ordering::Relaxed);
                let device = worker % keys.len();
                let at = past.reserve(device, 1);
                let body = format!(r#"{{"timestamp":{at},"data":{{"temperature":21.5,"humidity":40.25,"co2":612}}}}"#);
                http::request("POST", "/api/v1/telemetry", &host, ("X-API-Key", &keys[device]), &body)
            })
            .await?;
        let (seconds, server_cpu, own_cpu) = meter.end();
        let count = number(latencies.len());
        ensure!(made.load(Ordering::Relaxed) == latencies.len() as u64, "not every request was answered");
        self.add(report, "POST telemetry, 3 points", "/s", Some(Goal::AtLeast(10_000.0)), count / seconds);
        self.latencies(report, ("POST telemetry: p50", "POST telemetry: p99"), None, &mut latencies);
        self.add(report, "POST telemetry: server CPU each", "µs", Some(Goal::AtMost(100.0)), server_cpu / count);
        self.add(report, "POST telemetry: load CPU each", "µs", None, own_cpu / count);
        Ok(())
    }

    fn latencies(
        &self,
        report: &mut Report,
        names: (&'static str, &'static str),
        goal: Option<Goal>,
        latencies: &mut Latencies,
    ) {
        self.add(report, names.0, "ms", None, latencies.percentile_ms(50.0));
        self.add(report, names.1, "ms", goal, latencies.percentile_ms(99.0));
    }

    /// Reads at 1,000 requests a second.
    async fn reads(&self, report: &mut Report) -> Result<()> {
        const PER_SECOND: u32 = 1_000;
        let (from, to) = (now_ms() - PAST_MS, self.past.reserve(0, 0));
        let jobs = [
            ("latest", ("GET latest at 1,000/s: p50", "GET latest at 1,000/s: p99", "GET latest: server CPU each")),
            (
                "aggregated",
                ("GET aggregate at 1,000/s: p50", "GET aggregate at 1,000/s: p99", "GET aggregate: server CPU each"),
            ),
        ];
        for (kind, names) in jobs {
            let devices: Arc<Vec<TestDevice>> = Arc::new(self.devices.to_vec());
            let host = self.server.http.clone();
            let query = match kind {
                "latest" => "latest".to_owned(),
                // A day by the hour, somewhere in what was stored.
                _ => format!(
                    "aggregated?field=temperature&aggregation=mean&window=1h&start_time={from}&end_time={}",
                    to.min(from + 86_400_000)
                ),
            };
            let meter = Meter::begin(self.server.process());
            let mut latencies =
                http::paced(&self.server.http, PER_SECOND, 32, self.arguments.length(), move |request| {
                    let device = &devices[usize::try_from(request).unwrap_or(0) % devices.len()];
                    let path = format!("/api/v1/telemetry/{}/{query}", device.id);
                    http::request("GET", &path, &host, ("X-API-Key", &device.api_key), "")
                })
                .await?;
            let (_, server_cpu, _) = meter.end();
            self.latencies(report, (names.0, names.1), None, &mut latencies);
            self.add(report, names.2, "µs", None, server_cpu / number(latencies.len()));
        }
        Ok(())
    }

    /// A year of minutes of one value: storing it, and its chart.
    async fn year(&self, report: &mut Report) -> Result<()> {
        const MINUTES: usize = 365 * 24 * 60;
        const PER_MESSAGE: usize = 1_000;
        let device = self.server.devices(self.api, 1, "year").await?.remove(0);
        let end = now_ms() / 60_000 * 60_000;
        let start = end - 60_000 * i64::try_from(MINUTES)?;
        let mut publisher = Publisher::connect(&self.server.mqtt, &device).await?;
        let mut minutes = (0..MINUTES).step_by(PER_MESSAGE);
        let began = Instant::now();
        publisher
            .flood(4, || {
                let first = minutes.next()?;
                let mut text = String::from("[");
                for minute in first..(first + PER_MESSAGE).min(MINUTES) {
                    let comma = if minute == first { "" } else { "," };
                    let at = start + 60_000 * i64::try_from(minute).unwrap_or(0);
                    let _ = write!(text, r#"{comma}{{"ts":{at},"data":{{"temperature":{}.5}}}}"#, minute % 30);
                }
                text.push(']');
                Some(text.into_bytes())
            })
            .await?;
        let points = number(MINUTES);
        self.add(
            report,
            "a year of minutes, one device: points stored",
            "/s",
            None,
            points / began.elapsed().as_secs_f64(),
        );

        let host = &self.server.http;
        let mut connection = http::Connection::open(host).await?;
        let query = format!("start_time={start}&end_time={end}");
        for (name, path) in [
            (
                "chart of that year, 1-day means",
                format!("aggregated?field=temperature&aggregation=mean&window=1d&{query}"),
            ),
            (
                "chart of that year, 1-hour means",
                format!("aggregated?field=temperature&aggregation=mean&window=1h&{query}"),
            ),
        ] {
            let path = format!("/api/v1/telemetry/{}/{path}", device.id);
            let request = http::request("GET", &path, host, ("X-API-Key", &device.api_key), "");
            for _ in 0..self.arguments.runs.max(5) {
                let sent = Instant::now();
                let body = connection.exchange(&request).await?;
                self.add(report, name, "ms", None, sent.elapsed().as_secs_f64() * 1000.0);
                ensure!(body.len() > 1_000, "the chart is empty: {}", String::from_utf8_lossy(&body));
            }
        }
        Ok(())
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
