//! `portico serve`: everything started in order, and stopped in order.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use portico_access::Access;
use portico_alarms::Alarms;
use portico_app::devices::Endpoints;
use portico_devices::Devices;
use portico_identity::{Identity, browser};
use portico_notifications::Notifications;
use portico_parking::Parking;
use portico_platform::config::Signup;
use portico_platform::http::{self, Metrics, Tls};
use portico_platform::{Clock, Config, Platform};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::cli::Serve;
use crate::commands::described;
use crate::mqtt::{self, Mqtt};
use crate::web::Web;
use crate::{Domains, api, demo, live, mqtt_hooks, socket_io};

/// A running server.
pub struct Portico {
    pub platform: Platform,
    pub identity: Identity,
    pub notifications: Notifications,
    pub alarms: Alarms,
    pub devices: Devices,
    pub access: Access,
    pub parking: Parking,
    pub http: SocketAddr,
    /// Where devices connect: the embedded broker's address or the external one's.
    pub mqtt: String,
    broker: Mqtt,
    answering: JoinHandle<portico_platform::Result<()>>,
}

/// Starts everything and returns when it serves.
///
/// # Errors
/// When an address is taken, the database or a file cannot be had.
pub async fn start(config: Config, clock: Clock) -> portico_platform::Result<Portico> {
    let tls = match (&config.http.tls_cert, &config.http.tls_key) {
        (Some(cert), Some(key)) => Some(Tls { cert: cert.clone(), key: key.clone() }),
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listening = http::listen(config.http_addr, tls).await?.with_limits(&config.http);
    let address = listening.address();
    // With a free port taken, links in e-mails name the real one.
    let platform = Platform::open(Config { http_addr: address, ..config }, clock).await?;
    let metrics = Metrics::install(platform.config.http.metrics_token.clone())?;
    let domains = Domains::new(&platform)?;
    domains.start();
    portico_platform::delivery::start(&platform)?;
    if platform.config.signup == Signup::Open || platform.config.admin_token.is_some() {
        domains.identity.ensure_organization().await?;
    }
    let broker = mqtt::start(&platform, &domains.devices).await?;

    let (host, port) = broker.address.rsplit_once(':').unwrap_or((&broker.address, "1883"));
    // Devices reach our own broker where browsers reach us, when that is told.
    let public_host = platform.config.public_url.as_deref().filter(|_| broker.broker.is_some()).and_then(host_of);
    let host = public_host.unwrap_or(host);
    let endpoints = Endpoints {
        http: platform.config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}")),
        mqtt_host: host.to_owned(),
        mqtt_port: port.parse().unwrap_or(1883),
    };
    domains.devices.set_broker_address(&endpoints.mqtt_host, endpoints.mqtt_port);
    let web = Web::new(domains.clone(), platform.config.clone(), endpoints);
    let mut router = Router::new()
        .merge(api::router(&platform, &domains, &broker.client))
        .merge(live::router(platform.clone(), domains.identity.clone()))
        .merge(socket_io::router(platform.clone(), domains.identity.clone()))
        .merge(web.router());
    if let Some(hooks) = mqtt_hooks::router(&platform, domains.devices.mqtt_authenticator()) {
        router = router.merge(hooks);
    }
    let router = http::wrap(browser::session_layer(router, domains.identity.clone()), &platform, metrics.clone());
    upkeep(&platform, metrics);

    let deadline = Duration::from_millis(platform.config.http.shutdown_ms);
    let cancel = platform.tasks.token();
    let answering = tokio::spawn(listening.serve(router, cancel, deadline));
    let mqtt = broker.address.clone();
    let Domains { identity, notifications, alarms, devices, access, parking } = domains;
    Ok(Portico {
        platform,
        identity,
        notifications,
        alarms,
        devices,
        access,
        parking,
        http: address,
        mqtt,
        broker,
        answering,
    })
}

/// `https://portico.example:8443` → `portico.example`.
fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1;
    Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}

fn upkeep(platform: &Platform, metrics: Metrics) {
    platform.tasks.spawn("metrics", move |cancel| {
        let metrics = metrics.clone();
        async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(5)) => metrics.upkeep(),
                    () = cancel.cancelled() => return,
                }
            }
        }
    });
}

impl Portico {
    /// Stops listening, lets what is under way finish, flushes, closes the database.
    pub async fn stop(self) {
        if let Some(broker) = &self.broker.broker {
            self.broker.client.expect_end();
            broker.shutdown().await;
        }
        let deadline = Duration::from_millis(self.platform.config.http.shutdown_ms);
        if !self.platform.tasks.shutdown(deadline).await {
            tracing::warn!("some tasks did not end in time");
        }
        let _ = tokio::time::timeout(deadline, self.answering).await;
        self.platform.db.close().await;
    }
}

/// The command: starts, tells where, waits for the signal to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, options: Serve) -> Result<()> {
    if options.demo && !(config.http_addr.ip().is_loopback() && config.mqtt_addr.ip().is_loopback()) {
        bail!("--demo has accounts whose passwords it prints: it listens on loopback only (127.0.0.1)");
    }
    let portico = start(config, Clock::system()).await.map_err(described)?;
    let demo = if options.demo { Some(demo::begin(&portico, options.demo_sensors).await?) } else { None };
    announce(&portico, demo.as_ref()).await?;
    if let Some(path) = &options.ready_file {
        write_ready_file(path, &portico)?;
    }
    stop_signal().await;
    tracing::info!("stopping");
    if let Some(demo) = demo {
        demo.end().await;
    }
    if let Some(path) = &options.ready_file {
        let _ = std::fs::remove_file(path);
    }
    portico.stop().await;
    Ok(())
}

async fn announce(portico: &Portico, demo: Option<&demo::Demo>) -> Result<()> {
    let config = &portico.platform.config;
    let scheme = if config.http.tls_cert.is_some() { "https" } else { "http" };
    let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", portico.http));
    println!("Portico {}", env!("CARGO_PKG_VERSION"));
    println!("  Web     {url}");
    println!("  MQTT    mqtt://{}", portico.mqtt);
    if let Some(demo) = demo {
        for account in &demo.accounts {
            println!("  Sign in {:<8} {}   password  {}", account.role, account.username, account.password);
        }
    } else if let Some(token) = portico.identity.issue_setup_token().await.map_err(described)? {
        println!("  Set up  {url}/setup?token={token}");
        println!("          This link makes the first administrator. It works once, for 24 hours.");
    }
    Ok(())
}

/// Written whole or not at all: who waits for it reads it as soon as it is there.
fn write_ready_file(path: &Path, portico: &Portico) -> Result<()> {
    let text = json!({ "http": portico.http.to_string(), "mqtt": portico.mqtt }).to_string();
    let part = path.with_extension("part");
    std::fs::write(&part, text).with_context(|| format!("writing {}", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("writing {}", path.display()))
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}
