//! Mosquitto as the broker: two servers share the work, and the broker may go away.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use portico_platform::config::Config;
use portico_platform::testing::{create_postgres_database, drop_postgres_database, postgres_url};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::harness::{ADMIN, Device, Server, config, eventually};

struct Mosquitto {
    child: Child,
    port: u16,
}

impl Mosquitto {
    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    async fn start(dir: &Path, port: u16) -> Self {
        let file = dir.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nmax_queued_messages 100000\n",
            dir.display()
        );
        std::fs::write(&file, text).unwrap();
        let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let child = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("mosquitto is installed by scripts/setup.sh");
        eventually("mosquitto listens", || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() }).await;
        Self { child, port }
    }

    async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn with_broker(dir: &Path, broker: &Mosquitto) -> Config {
    Config { mqtt_url: Some(format!("mqtt://{}", broker.address()).into()), ..config(dir) }
}

async fn ready(server: &Server) {
    eventually("the server is ready", || async {
        server.call(Method::GET, "/health/ready", None, None).await.0 == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_may_go_away_and_come_back() {
    let (dir, broker_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = Mosquitto::start(broker_dir.path(), Mosquitto::free_port()).await;
    let port = broker.port;
    let server = Server::start(with_broker(dir.path(), &broker)).await;
    ready(&server).await;
    let token = server.sign_in(ADMIN).await;
    let (id, key) = server.register(&token, "Far away").await;
    let latest = async |value: f64| {
        let path = format!("/api/v1/telemetry/{id}/latest");
        eventually("the value is stored", || async {
            server.call(Method::GET, &path, Some(&token), None).await.1["latest_data"]["v"] == value
        })
        .await;
    };
    let mut device = Device::connect(&broker.address(), &id, &key).await;
    device.publish(&json!({ "data": { "v": 1.0 } })).await;
    latest(1.0).await;

    broker.stop().await;
    eventually("the server notices", || async {
        server.call(Method::GET, "/health/ready", None, None).await.0 == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let broker = Mosquitto::start(broker_dir.path(), port).await;
    ready(&server).await;
    let mut device = Device::connect(&broker.address(), &id, &key).await;
    device.publish(&json!({ "data": { "v": 2.0 } })).await;
    latest(2.0).await;
    server.portico.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_store_each_message_once_and_either_shows_all() {
    let Some(postgres) = postgres_url() else { return };
    let database = create_postgres_database(&postgres).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let broker = Mosquitto::start(dirs[2].path(), Mosquitto::free_port()).await;
    let mut servers = Vec::new();
    for dir in &dirs[..2] {
        let mut config = with_broker(dir.path(), &broker);
        config.database_url = Some(database.clone().into());
        // Sessions made by one server must be good at the other.
        config.instance_key = Some("11".repeat(32).into());
        servers.push(Server::start(config).await);
    }
    for server in &servers {
        ready(server).await;
    }
    let token = servers[0].sign_in(ADMIN).await;
    let (id, key) = servers[0].register(&token, "Shared").await;
    let topic = format!("telemetry:{id}");
    let mut screens = [servers[0].live(&token).await, servers[1].live(&token).await];
    for screen in &mut screens {
        screen.subscribe(&topic).await;
    }
    let mut device = Device::connect(&broker.address(), &id, &key).await;
    for value in 0..200 {
        device.publish(&json!({ "ts": 1_795_000_000_000_i64 + value, "data": { "v": value } })).await;
    }
    let path = format!("/api/v1/telemetry/{id}?start_time=2026-01-01T00:00:00Z&limit=1000");
    eventually("all are stored", || async {
        servers[1].call(Method::GET, &path, Some(&token), None).await.1["count"] == 200
    })
    .await;
    for screen in &mut screens {
        screen
            .next_where(|message| {
                message["data"]["samples"].as_array().is_some_and(|samples| {
                    samples.iter().any(|sample| sample["data"]["v"] == 199 || sample["data"]["v"] == 199.0)
                })
            })
            .await;
    }
    for server in servers {
        server.portico.stop().await;
    }
    drop_postgres_database(&postgres, &database).await;
}
