//! The server under test: a real `portico serve` on free ports with a database of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portico_model::DeviceId;
use portico_model::devices::NewDevice;
use portico_simulator::{Api, Credentials};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::Arguments;

const ADMIN: &str = "bench";
const PASSWORD: &str = "a-long-phrase-for-the-benchmark-only-7391";

/// Where the server stores.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite,
    /// The address of a server on which a database may be made.
    Postgres(String),
}

impl Database {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// An installation with an administrator, ready to be started.
pub struct Prepared {
    portico: PathBuf,
    site: Option<PathBuf>,
    pub data: PathBuf,
    set: Vec<String>,
    /// Of the PostgreSQL database; absent: SQLite, in `data`.
    pub database_url: Option<String>,
    /// The PostgreSQL server and the database to drop at the end.
    made: Option<(String, String)>,
    /// What decides the figures: durability, batching.
    pub settings: Value,
    pub database: &'static str,
}

/// A server that runs.
pub struct Running {
    child: Child,
    pub http: String,
    pub mqtt: String,
    /// From spawning it to its ready file.
    pub started_in: Duration,
}

/// A device made for the measurement.
#[derive(Debug, Clone)]
pub struct TestDevice {
    pub id: DeviceId,
    pub api_key: String,
}

#[derive(Deserialize)]
struct Ready {
    http: String,
    mqtt: String,
}

/// Makes the database and its first administrator.
pub async fn prepare(arguments: &Arguments, database: Database, data: &Path) -> Result<Prepared> {
    std::fs::create_dir_all(data)?;
    let mut prepared = Prepared {
        portico: arguments.portico.clone(),
        site: arguments.site.clone(),
        data: data.to_owned(),
        set: arguments.set.clone(),
        database_url: None,
        made: None,
        settings: Value::Null,
        database: database.name(),
    };
    if let Database::Postgres(url) = database {
        let (server, _) = url.rsplit_once('/').filter(|(server, _)| !server.ends_with('/')).unwrap_or((&url, ""));
        let name = format!("portico_bench_{}", std::process::id());
        psql(&url, &format!("create database {name}")).await?;
        prepared.database_url = Some(format!("{server}/{name}"));
        prepared.made = Some((url.clone(), name));
    }
    let mut create = prepared.command();
    create.args(["admin", "create", ADMIN, "bench@example.org", "--password-stdin"]).stdin(Stdio::piped());
    let mut child = create.stdout(Stdio::null()).spawn().context("running portico admin create")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(PASSWORD.as_bytes()).await?;
    }
    if !child.wait().await?.success() {
        bail!("portico admin create failed");
    }
    let config = prepared.command().args(["config", "check"]).output().await.context("running portico config check")?;
    let mut settings: Value = serde_json::from_slice(&config.stdout).unwrap_or_default();
    prepared.settings = serde_json::json!({
        "database.synchronous": settings["database"]["synchronous"].take(),
        "devices": settings["devices"].take(),
        "mqtt.limits.receive_maximum": settings["mqtt"]["limits"]["receive_maximum"].take(),
    });
    if let Some((url, _)) = &prepared.made {
        for name in ["fsync", "synchronous_commit"] {
            prepared.settings[name] = Value::String(psql(url, &format!("show {name}")).await?.trim().to_owned());
        }
    }
    Ok(prepared)
}

/// Runs one statement with PostgreSQL's own client.
pub async fn psql(url: &str, statement: &str) -> Result<String> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let program = installed.map(|version| version.path().join("bin/psql")).find(|path| path.exists());
    let output = Command::new(program.unwrap_or_else(|| "psql".into()))
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--command", statement, url])
        .output()
        .await
        .context("running psql")?;
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Prepared {
    /// The program with the settings of the measurement: free ports, no limits on requests, little log.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.portico);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTICO_")) {
            command.env_remove(name);
        }
        command
            .current_dir(&self.data)
            .env("PORTICO_HTTP_ADDR", "127.0.0.1:0")
            .env("PORTICO_MQTT_ADDR", "127.0.0.1:0")
            .env("PORTICO_DATA_DIR", &self.data)
            .env("PORTICO_LOG_FILTER", "warn")
            .env("PORTICO_HTTP__RATE_LIMITS__ENABLED", "false")
            .env("PORTICO_DEVICES__MAX_DEVICES_PER_USER", "100000")
            .kill_on_drop(true);
        if let Some(site) = &self.site {
            command.env("PORTICO_SITE_DIR", site);
        }
        if let Some(url) = &self.database_url {
            command.env("PORTICO_DATABASE_URL", url);
        }
        for setting in &self.set {
            command.args(["--set", setting]);
        }
        command
    }

    /// Starts the server and waits until it serves.
    pub async fn start(&self) -> Result<Running> {
        let ready_file = self.data.join("ready.json");
        let _ = std::fs::remove_file(&ready_file);
        let mut command = self.command();
        command.args(["serve", "--ready-file"]).arg(&ready_file).stdout(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("starting {}", self.portico.display()))?;
        loop {
            if let Ok(text) = std::fs::read(&ready_file) {
                let started_in = began.elapsed();
                let ready: Ready = serde_json::from_slice(&text).context("reading the ready file")?;
                return Ok(Running { child, http: ready.http, mqtt: ready.mqtt, started_in });
            }
            if let Some(status) = child.try_wait()? {
                bail!("the server ended: {status}");
            }
            if began.elapsed() > Duration::from_secs(60) {
                bail!("the server was not ready after 60 s");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Drops the PostgreSQL database that was made.
    pub async fn remove(self) {
        if let Some((url, name)) = &self.made
            && let Err(error) = psql(url, &format!("drop database {name} with (force)")).await
        {
            eprintln!("{name} was not dropped: {error:#}");
        }
    }
}

impl Running {
    pub fn process(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// A client of the REST API, signed in as the administrator.
    pub fn api(&self) -> Result<Api> {
        let credentials = Credentials::Password { username: ADMIN.to_owned(), password: PASSWORD.to_owned() };
        Ok(Api::new(&format!("http://{}", self.http), credentials)?)
    }

    /// Registers that many devices.
    pub async fn devices(&self, api: &Api, count: usize, prefix: &str) -> Result<Vec<TestDevice>> {
        let mut devices = Vec::with_capacity(count);
        for number in 0..count {
            let device = NewDevice {
                name: format!("Bench {prefix} {number}"),
                device_type: "bench".to_owned(),
                hardware_id: Some(format!("bench-{prefix}-{number}")),
                heartbeat_interval_s: Some(3_600),
                ..NewDevice::default()
            };
            let (id, api_key) = api.register(&device).await.context("registering a device")?;
            devices.push(TestDevice { id, api_key });
        }
        Ok(devices)
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process().to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = ended.context("the server did not stop within 30 s")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}
