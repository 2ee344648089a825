//! `kill -9` under load: what was acknowledged is there after the restart, once.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use portico_platform::testing::{create_postgres_database, drop_postgres_database, postgres_url};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::harness::{ADMIN, Device, PASSWORD, call, eventually, register, sign_in};

struct Process {
    child: Child,
    http: String,
    mqtt: String,
}

impl Process {
    async fn start(dir: &Path, database: Option<&str>) -> Self {
        let ready = dir.join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
        command
            .args(["serve", "--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(database) = database {
            command.args(["--set", &format!("database_url={database}")]);
        }
        let child = command.spawn().unwrap();
        eventually("the server is ready", || async { ready.exists() }).await;
        let addresses: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        Self {
            child,
            http: format!("http://{}", addresses["http"].as_str().unwrap()),
            mqtt: addresses["mqtt"].as_str().unwrap().to_owned(),
        }
    }

    async fn kill(mut self) {
        // SIGKILL: no destructor of the server runs.
        self.child.kill().await.unwrap();
    }
}

async fn survive(dir: &Path, database: Option<&str>) {
    let create = Command::new(env!("CARGO_BIN_EXE_portico"))
        .args(["admin", "create", ADMIN, "ada@example.com", "--password-stdin", "--data-dir"])
        .arg(dir.join("data"))
        .args(database.map(|url| format!("--set=database_url={url}")))
        .stdin(Stdio::piped())
        .spawn();
    let mut create = create.unwrap();
    let mut input = create.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, PASSWORD.as_bytes()).await.unwrap();
    drop(input);
    assert!(create.wait().await.unwrap().success());

    let http = crate::harness::http_client();
    let server = Process::start(dir, database).await;
    let token = sign_in(&http, &server.http, ADMIN).await;
    let mut writers = Vec::new();
    for number in 0..4 {
        let (id, key) = register(&http, &server.http, &token, &format!("Writer {number}")).await;
        let mqtt = server.mqtt.clone();
        writers.push(tokio::spawn(async move {
            let mut device = Device::connect(&mqtt, &id, &key).await;
            let mut acknowledged = Vec::new();
            for value in 0.. {
                let start = 1_795_000_000_000_i64 + value * 1_000;
                let payload = json!({ "ts": start, "data": { "v": value } }).to_string().into_bytes();
                if device.try_publish(payload, Duration::from_secs(5)).await.is_err() {
                    break;
                }
                acknowledged.push(value);
            }
            (id, acknowledged)
        }));
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.kill().await;

    let server = Process::start(dir, database).await;
    let token = sign_in(&http, &server.http, ADMIN).await;
    for writer in writers {
        let (id, acknowledged) = writer.await.unwrap();
        assert!(acknowledged.len() > 10, "the load was real: {}", acknowledged.len());
        let path = format!("/api/v1/telemetry/{id}?start_time=2026-01-01T00:00:00Z&limit=10000");
        let (status, range) = call(&http, &server.http, Method::GET, &path, Some(&token), None).await;
        assert_eq!(status, StatusCode::OK, "{range}");
        let mut stored: Vec<i64> = range["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["measurements"]["v"].as_f64().unwrap() as i64)
            .collect();
        stored.sort_unstable();
        let mut once = stored.clone();
        once.dedup();
        assert_eq!(stored, once, "nothing twice");
        let missing: Vec<i64> = acknowledged.into_iter().filter(|value| !stored.contains(value)).collect();
        assert_eq!(missing, Vec::<i64>::new(), "acknowledged but lost");
        // The rollups counted each once, too.
        let path = format!(
            "/api/v1/telemetry/{id}/aggregated?field=v&aggregation=count&window=24h&start_time=2026-01-01T00:00:00Z"
        );
        let (_, counted) = call(&http, &server.http, Method::GET, &path, Some(&token), None).await;
        let total: i64 = counted["data"].as_array().unwrap().iter().map(|row| row["count"].as_i64().unwrap()).sum();
        assert_eq!(total, i64::try_from(stored.len()).unwrap(), "{counted}");
    }
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_messages_survive_kill_9_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    survive(dir.path(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_messages_survive_kill_9_on_postgresql() {
    let Some(postgres) = postgres_url() else { return };
    let database = create_postgres_database(&postgres).await;
    let dir = tempfile::tempdir().unwrap();
    survive(dir.path(), Some(&database)).await;
    drop_postgres_database(&postgres, &database).await;
}
