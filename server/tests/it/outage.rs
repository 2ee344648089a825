//! The database goes away and comes back: requests get 503, nothing is acknowledged meanwhile, everything recovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portico_platform::config::Config;
use portico_platform::testing::{create_postgres_database, drop_postgres_database, postgres_url};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{ADMIN, Device, Server, config, eventually};

/// Passes bytes to something real while open; cut, it drops every connection and accepts none.
pub struct Cable {
    pub address: String,
    open: Arc<AtomicBool>,
}

impl Cable {
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&open);
        tokio::spawn(async move {
            let mut lines = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (mut near, _) = accepted.unwrap();
                        if state.load(Ordering::SeqCst) {
                            let target = target.clone();
                            lines.spawn(async move {
                                if let Ok(mut far) = TcpStream::connect(target).await {
                                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                                }
                            });
                        }
                    }
                    () = tokio::time::sleep(Duration::from_millis(20)) => {
                        if !state.load(Ordering::SeqCst) {
                            lines.abort_all();
                        }
                    }
                }
            }
        });
        Self { address, open }
    }

    pub fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_database_means_503_no_acknowledgement_and_recovery_by_itself() {
    let Some(postgres) = postgres_url() else { return };
    let database = create_postgres_database(&postgres).await;
    // postgres://user@host:port/name
    let (credentials, rest) = database.split_once('@').unwrap();
    let (authority, name) = rest.split_once('/').unwrap();
    let cable = Cable::to(authority.to_owned()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config {
        database_url: Some(format!("{credentials}@{}/{name}?sslmode=disable", cable.address).into()),
        ..config(dir.path())
    };
    config.database.acquire_timeout_ms = 500;
    let server = Server::start(config).await;
    let token = server.sign_in(ADMIN).await;
    let (id, key) = server.register(&token, "Patient").await;
    let mut device = Device::connect(&server.mqtt, &id, &key).await;
    device.publish(&json!({ "ts": 1_795_000_000_000_i64, "data": { "v": 1.0 } })).await;

    cable.cut();
    eventually("requests are answered 503", || async {
        let (status, _) = server.call(Method::GET, "/api/v1/devices", Some(&token), None).await;
        status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let (status, _) = server.call(Method::GET, "/health/ready", None, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let payload = json!({ "ts": 1_795_000_001_000_i64, "data": { "v": 2.0 } });
    let refused = device.try_publish(payload.to_string().into_bytes(), Duration::from_secs(2)).await;
    assert!(refused.is_err(), "an acknowledgement without a database");

    cable.mend();
    eventually("requests are answered again", || async {
        let (status, _) = server.call(Method::GET, "/api/v1/devices", Some(&token), None).await;
        status == StatusCode::OK
    })
    .await;
    // The message is still on its way: it is stored and acknowledged now, or sent again by the device.
    let stored = async || {
        let path = format!("/api/v1/telemetry/{id}/latest");
        let (_, latest) = server.call(Method::GET, &path, Some(&token), None).await;
        latest["latest_data"]["v"] == 2.0
    };
    eventually("the message of the outage is stored", async || {
        if stored().await {
            return true;
        }
        let mut again = Device::new(&server.mqtt, &id, &key, false);
        let _ = again.try_publish(payload.to_string().into_bytes(), Duration::from_secs(2)).await;
        stored().await
    })
    .await;
    let path = format!("/api/v1/telemetry/{id}?start_time=2026-01-01T00:00:00Z");
    let (_, range) = server.call(Method::GET, &path, Some(&token), None).await;
    assert_eq!(range["count"], 2, "each once: {range}");
    server.portico.stop().await;
    drop_postgres_database(&postgres, &database).await;
}
