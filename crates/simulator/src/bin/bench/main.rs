//! `portico-bench`: starts the release server on a fresh database and measures it from outside, over real MQTT, HTTP
//! and websockets. Load and server share the machine; every figure says so by carrying the CPU of both.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod facts;
mod fill;
mod http;
mod jobs;
mod live;
mod load;
mod measure;
mod mqtt;
mod report;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use crate::report::Report;
use crate::server::Database;

/// Measures a release build of Portico: ingest, REST, websocket fan-out, latency, start, memory.
#[derive(Debug, Clone, Parser)]
#[command(version, args_override_self = true)]
pub struct Arguments {
    /// The `portico` program
    #[arg(long)]
    portico: PathBuf,
    /// Directory of the web app's files
    #[arg(long)]
    site: Option<PathBuf>,
    /// Repetitions of each measurement, at least 3 for a spread that says something
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of each repetition
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only these jobs (comma separated)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Job>,
    /// Also on the PostgreSQL server at this address (a database is made and dropped)
    #[arg(long, env = "PORTICO_TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Devices that publish
    #[arg(long, default_value_t = 50)]
    devices: usize,
    /// Samples in an array payload (with 3 values each)
    #[arg(long, default_value_t = 100)]
    samples: usize,
    /// Websocket clients, at most 100 (50 a person)
    #[arg(long, default_value_t = 50)]
    watchers: usize,
    /// Events in the access log of the job `log`; ten million take about 6 GB in the scratch directory for a while
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    events: u64,
    /// Where the JSON goes
    #[arg(long, default_value = "bench.json")]
    out: PathBuf,
    /// Directory for the databases; it decides which disk is measured
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Further settings of the server, such as database.synchronous=full
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Job {
    Start,
    Arrays,
    Single,
    Three,
    Latency,
    Fanout,
    Post,
    Reads,
    Year,
    /// Cards at readers: 10,000 people, 200 doors, 500 checks a second, and as many as it takes
    Check,
    /// A click, the lock, and another browser, at 50 commands a second
    Lock,
    /// A car park: its sensors, who looks for a free spot, a year as a heat map
    Parking,
    /// Pages of a long access log
    Log,
}

impl Arguments {
    fn wants(&self, job: Job) -> bool {
        self.only.is_empty() || self.only.contains(&job)
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let scratch = match &arguments.scratch {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    }
    .context("making a scratch directory")?;

    let mut report = Report::new(facts::machine(scratch.path()), facts::site_sizes(arguments.site.as_deref()));
    measure_all(&arguments, Database::Sqlite, &mut report, scratch.path()).await?;
    if let Some(url) = &arguments.postgres {
        measure_all(&arguments, Database::Postgres(url.clone()), &mut report, scratch.path()).await?;
    }
    print!("{report}");
    std::fs::write(&arguments.out, serde_json::to_vec_pretty(&report)?)
        .with_context(|| format!("writing {}", arguments.out.display()))?;
    eprintln!("JSON: {}", arguments.out.display());
    report.losses()
}

async fn measure_all(
    arguments: &Arguments,
    database: Database,
    report: &mut Report,
    scratch: &std::path::Path,
) -> Result<()> {
    let name = database.name();
    let data = scratch.join(name);
    let mut prepared = server::prepare(arguments, database, &data).await?;
    report.settings(name, &prepared.settings);
    if arguments.wants(Job::Start) {
        jobs::start(arguments, &prepared, report).await?;
    }
    let result = measure_running(arguments, &mut prepared, report).await;
    prepared.remove().await;
    result.with_context(|| format!("measuring on {name}"))
}

async fn measure_running(arguments: &Arguments, prepared: &mut server::Prepared, report: &mut Report) -> Result<()> {
    let others = Job::value_variants().iter().filter(|job| !matches!(job, Job::Start | Job::Parking | Job::Log));
    if others.into_iter().any(|job| arguments.wants(*job)) {
        jobs::on_one_server(arguments, prepared, report).await?;
    }
    if arguments.wants(Job::Parking) {
        jobs::parking(arguments, prepared, report).await.context("job parking")?;
    }
    // The last: what it fills the log with would burden the others.
    if arguments.wants(Job::Log) {
        jobs::log(arguments, prepared, report).await.context("job log")?;
    }
    Ok(())
}
