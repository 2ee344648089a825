//! The REST API under load, and a year's chart.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Bench, Meter, PAST_MS, now_ms, number};
use crate::http;
use crate::measure::Latencies;
use crate::mqtt::Publisher;
use crate::report::{Goal, Report};
use crate::server::TestDevice;

impl Bench<'_> {
    /// `POST /api/v1/telemetry` with 3 points, answered after the commit.
    pub(super) async fn post(&self, report: &mut Report) -> Result<()> {
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
    pub(super) async fn reads(&self, report: &mut Report) -> Result<()> {
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
    pub(super) async fn year(&self, report: &mut Report) -> Result<()> {
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
        for (name, path) in [
            ("chart of that year", format!("chart?key=temperature&from={start}&to={end}&buckets=600")),
            (
                "that year by hour over REST",
                format!("aggregated?field=temperature&aggregation=mean&window=1h&start_time={start}&end_time={end}"),
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
