//! A car park: what its sensors say, who asks for a free spot meanwhile, and a year of it as a heat map.

mod garage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portico_model::Timestamp;
use portico_simulator::Api;
use reqwest::Method;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Meter, WINDOW, number};
use crate::load::{self, Questions};
use crate::measure::Latencies;
use crate::mqtt::Published;
use crate::report::{Goal, Report};
use crate::server::Prepared;
use crate::{Arguments, http};

use garage::{DAY_MS, Garage, SPOTS, Words};

/// Spots among which a free one is looked for.
const ALL_SPOTS: usize = 10_000;
const ASKED_PER_SECOND: u32 = 1_000;
const CONNECTIONS: usize = 32;
/// What somebody who looks for a spot is shown.
const PAGE: usize = 20;
/// A spot changes so often meanwhile.
const CHANGE_EVERY: Duration = Duration::from_millis(5);

/// How often the heat map is asked for in a repetition.
const MAPS: usize = 10;
const DAYS: i64 = 365;

/// What the sensors say in a measurement.
struct Storm {
    committed: &'static str,
    lost: &'static str,
    cpu: &'static str,
    acknowledged: &'static str,
    /// One message in so many says something else than the one before.
    change_in: u64,
}

const STORMS: [Storm; 2] = [
    Storm {
        committed: "parking, all messages changes: committed",
        lost: "parking, all messages changes: lost",
        cpu: "parking, all messages changes: server CPU",
        acknowledged: "parking, all changes: publish → PUBACK p50",
        change_in: 1,
    },
    Storm {
        committed: "parking, one in ten a change: committed",
        lost: "parking, one in ten a change: lost",
        cpu: "parking, one in ten a change: server CPU",
        acknowledged: "parking, one in ten: publish → PUBACK p50",
        change_in: 10,
    },
];

/// On a server of its own: the tables hold nothing but this.
pub async fn parking(arguments: &Arguments, prepared: &Prepared, report: &mut Report) -> Result<()> {
    let server = prepared.start().await?;
    let api = server.api()?;
    eprintln!("{}: making a garage of {SPOTS} spots with their sensors", prepared.database);
    let mut garage = Garage::make(&server, &api).await.context("making the garage")?;
    let bench = Measuring { arguments, prepared, process: server.process(), host: &server.http, api: &api };
    for storm in &STORMS {
        for _ in 0..arguments.runs {
            bench.storm(&mut garage, &server.mqtt, storm, report).await.context(storm.committed)?;
        }
    }
    eprintln!("{}: a year of history", prepared.database);
    garage.add_year(&api, DAYS).await.context("a year of history")?;
    bench.heat_map(&garage, report).await.context("heat map")?;
    eprintln!("{}: {ALL_SPOTS} spots in all", prepared.database);
    garage::add_others(&server, &api, ALL_SPOTS - SPOTS).await.context("making more spots")?;
    for _ in 0..arguments.runs {
        bench.available(&mut garage, &server.mqtt, report).await.context("free spots")?;
    }
    bench.all_available(report).await?;
    server.stop().await
}

struct Measuring<'a> {
    arguments: &'a Arguments,
    prepared: &'a Prepared,
    process: u32,
    host: &'a str,
    api: &'a Api,
}

impl Measuring<'_> {
    fn add(&self, report: &mut Report, name: &'static str, unit: &'static str, goal: Option<Goal>, value: f64) {
        report.add(self.prepared.database, name, unit, goal, value);
    }

    /// As many messages as the server takes; afterwards the measurements in the database are counted.
    async fn storm(&self, garage: &mut Garage, mqtt: &str, storm: &Storm, report: &mut Report) -> Result<()> {
        let mut gateways = Vec::new();
        for gateway in &garage.gateways {
            gateways.push(gateway.connect(mqtt).await?);
        }
        let before = garage::readings(self.prepared).await?;
        let all: Vec<Words> = garage.gateways.iter().map(|gateway| gateway.words.clone()).collect();
        let (length, change_in) = (self.arguments.length(), storm.change_in);
        let meter = Meter::begin(self.process);
        let end = Instant::now() + length;
        let mut workers = JoinSet::new();
        for (index, (mut publisher, mut words)) in gateways.into_iter().zip(all).enumerate() {
            workers.spawn(async move {
                let next = || (Instant::now() < end).then(|| words.say(change_in));
                let published = publisher.flood(WINDOW, next).await?;
                anyhow::Ok((index, words, published))
            });
        }
        let mut published = Published::default();
        while let Some(done) = workers.join_next().await {
            let (index, words, part) = done??;
            garage.gateways[index].words = words;
            published.messages += part.messages;
            published.acknowledgements.join(part.acknowledgements);
        }
        let (seconds, server_cpu, _) = meter.end();
        let stored = garage::readings(self.prepared).await? - before;
        let sent = number(published.messages);
        self.add(report, storm.committed, "/s", Some(Goal::AtLeast(5_000.0)), number(stored) / seconds);
        self.add(report, storm.lost, "", Some(Goal::AtMost(0.0)), sent - number(stored));
        self.add(report, storm.cpu, "µs", None, server_cpu / sent);
        self.add(report, storm.acknowledged, "ms", None, published.acknowledgements.percentile_ms(50.0));
        self.agrees(garage).await
    }

    /// What is shown of the garage is what its sensors said last.
    async fn agrees(&self, garage: &Garage) -> Result<()> {
        let path = format!("/api/v1/spots/available?lot_id={}", garage.lot);
        let shown: Available = serde_json::from_value(self.api.call(Method::GET, &path, None).await?)?;
        let mut free: Vec<&str> = shown.available_spots.iter().map(|spot| spot.id.as_str()).collect();
        free.sort_unstable();
        let mut said = garage.free();
        said.sort_unstable();
        ensure!(free == said, "{} spots are shown as free, {} sensors said so last", free.len(), said.len());
        Ok(())
    }

    /// 1,000 questions a second for a free spot, while spots change.
    async fn available(&self, garage: &mut Garage, mqtt: &str, report: &mut Report) -> Result<()> {
        let questions = FreeSpots { host: self.host.into(), authorization: self.api.authorization().await?.into() };
        let (done, mut publisher) = (CancellationToken::new(), garage.gateways[0].connect(mqtt).await?);
        let (stop, mut words) = (done.clone(), garage.gateways[0].words.clone());
        let changing = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(CHANGE_EVERY);
            let mut changes = 0_u64;
            while !stop.is_cancelled() {
                ticks.tick().await;
                publisher.send(words.say(1)).await?;
                changes += 1;
            }
            anyhow::Ok((words, changes))
        });
        let meter = Meter::begin(self.process);
        let length = self.arguments.length();
        let answers = load::planned(self.host, ASKED_PER_SECOND, length, CONNECTIONS, questions).await;
        let (seconds, server_cpu, _) = meter.end();
        done.cancel();
        let (words, changes) = changing.await??;
        garage.gateways[0].words = words;
        let mut latencies = answers?;
        let database = self.prepared.database;
        let goal = Some(Goal::AtMost(10.0));
        report.percentiles(database, "GET spots/available at 1,000/s", goal, &mut latencies);
        self.add(report, "GET spots/available: server CPU each", "µs", None, server_cpu / number(latencies.len()));
        self.add(report, "GET spots/available: changes meanwhile", "/s", None, number(changes) / seconds);
        self.agrees(garage).await
    }

    /// All free spots in one answer, as a client of the former system asks.
    async fn all_available(&self, report: &mut Report) -> Result<()> {
        let authorization = self.api.authorization().await?;
        let mut connection = http::Connection::open(self.host).await?;
        let path = "/api/v1/spots/available";
        let request = http::request("GET", path, self.host, ("Authorization", &authorization), "");
        for _ in 0..self.arguments.runs.max(5) {
            let sent = Instant::now();
            let answer = connection.exchange(&request).await?;
            self.add(report, "GET spots/available, all at once", "ms", None, sent.elapsed().as_secs_f64() * 1_000.0);
            self.add(report, "GET spots/available, all at once: size", "MB", None, number(answer.len()) / 1e6);
        }
        Ok(())
    }

    /// The hours of the week and the days of a year, one request after the other.
    async fn heat_map(&self, garage: &Garage, report: &mut Report) -> Result<()> {
        let authorization = self.api.authorization().await?;
        let mut connection = http::Connection::open(self.host).await?;
        let until = Timestamp::from_millis(super::now_ms());
        // A `+` in an address is a space.
        let [from, until] = [until.plus_millis(-DAYS * DAY_MS), until].map(|at| at.to_iso().replace("+00:00", "Z"));
        let lot = &garage.lot;
        let path = format!("/api/v1/analytics/trends?metric=occupancy&lot_id={lot}&from={from}&until={until}");
        let request = http::request("GET", &path, self.host, ("Authorization", &authorization), "");
        let mut latencies = Latencies::default();
        for _ in 0..self.arguments.runs * MAPS {
            let sent = Instant::now();
            let answer = connection.exchange(&request).await?;
            latencies.add(sent.elapsed());
            let map: Map = serde_json::from_slice(&answer)?;
            let known = map.hours.iter().filter(|hour| hour.occupancy_rate.is_some()).count();
            ensure!(known == 168 && map.days.len() >= 365, "{known} hours and {} days are known", map.days.len());
        }
        let goal = Some(Goal::AtMost(200.0));
        self.add(report, "heat map of a year: median", "ms", goal, latencies.percentile_ms(50.0));
        self.add(report, "heat map of a year: p99", "ms", None, latencies.percentile_ms(99.0));
        Ok(())
    }
}

/// Somebody looks for a free spot, anywhere.
#[derive(Clone)]
struct FreeSpots {
    host: Arc<str>,
    authorization: Arc<str>,
}

impl Questions for FreeSpots {
    fn request(&self, _number: u64, _due: Instant) -> Vec<u8> {
        let path = format!("/api/v1/spots/available?limit={PAGE}");
        http::request("GET", &path, &self.host, ("Authorization", &self.authorization), "")
    }

    fn check(&self, _number: u64, answer: &[u8]) -> Result<()> {
        let shown: Available = serde_json::from_slice(answer)?;
        // The spots of the other lot are free, whatever the sensors of the first gateway say.
        let least = ALL_SPOTS - SPOTS;
        let all_free = shown.available_spots.iter().all(|spot| spot.status == "available");
        ensure!(shown.available_spots.len() == PAGE && all_free, "not {PAGE} free spots");
        ensure!((least..=ALL_SPOTS).contains(&shown.count), "{} spots are free", shown.count);
        Ok(())
    }
}

#[derive(Deserialize)]
struct Available {
    available_spots: Vec<Shown>,
    count: usize,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Map {
    hours: Vec<Hour>,
    days: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Hour {
    occupancy_rate: Option<f64>,
}
