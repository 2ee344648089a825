//! `portico-bench`: starts the release server on a fresh database and measures it from outside, over real MQTT, HTTP
//! and websockets. Load and server share the machine; every figure says so by carrying the CPU of both.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod facts;
mod http;
mod jobs;
mod live;
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
    let result = jobs::on_one_server(arguments, &mut prepared, report).await;
    prepared.remove().await;
    result.with_context(|| format!("measuring on {name}"))
}
