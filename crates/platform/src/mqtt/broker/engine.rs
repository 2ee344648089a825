//! The broker of the crate `mqtt5`, put together from its parts: its router, sessions and protocol, our listeners,
//! limits and callbacks. What its own would lack is said at the top of each of these modules.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mqtt5::broker::BrokerConfig;
use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::resource_monitor::{ResourceLimits, ResourceMonitor};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::storage::{DynamicStorage, StorageBackend};
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::transport::BrokerTransport;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::acknowledge::Total;
use super::callbacks::{Auth, Budget, Callbacks, Events};
use super::connection::Registry;
use super::limits::ConnectionLimits;
use super::listener::{self, Listener};
use super::storage::{self, Opened};
use super::{Addresses, BrokerOptions, RunningBroker};
use crate::BoxFuture;
use crate::error::{Error, Result};
use crate::mqtt::config::{MqttConfig, MqttLimits};
use crate::mqtt::topic::Topics;
use crate::tls::{Certificate, RELOAD_EVERY, Tls};

/// How long messages that are being stored, and after that the connections, may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(3);
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// What every connection needs.
pub(super) struct Shared {
    pub(super) config: MqttConfig,
    pub(super) limits: ConnectionLimits,
    pub(super) connections: TaskTracker,
    pub(super) stopping: CancellationToken,
    pub(super) unacknowledged: Total,
    registry: Registry,
    broker_config: Arc<BrokerConfig>,
    router: Arc<MessageRouter>,
    auth: Arc<Auth>,
    storage: Arc<DynamicStorage>,
    stats: Arc<BrokerStats>,
    monitor: Arc<ResourceMonitor>,
    goodbye: broadcast::Sender<()>,
}

impl Shared {
    pub(super) fn client_handler(&self, transport: BrokerTransport, peer: SocketAddr) -> ClientHandler {
        ClientHandler::new(
            transport,
            peer,
            Arc::clone(&self.broker_config),
            Arc::clone(&self.router),
            Arc::clone(&self.auth) as _,
            Some(Arc::clone(&self.storage)),
            Arc::clone(&self.stats),
            Arc::clone(&self.monitor),
            self.goodbye.subscribe(),
        )
    }
}

pub(super) struct Engine {
    shared: Arc<Shared>,
    addresses: Addresses,
    background: TaskTracker,
    /// On the files, until shut down.
    lock: Mutex<Option<File>>,
}

impl Engine {
    pub(super) async fn start(options: BrokerOptions, topics: Topics) -> Result<Self> {
        let BrokerOptions { config, storage, server, clock, authenticator, handler } = options;
        let limits = &config.limits;
        let registry = Registry::default();
        let callbacks = Arc::new(Callbacks {
            topics,
            server,
            clock,
            registry: registry.clone(),
            authenticator,
            handler,
            store_timeout: Duration::from_millis(limits.store_timeout_ms),
            unstored: Budget::new(limits.max_unstored_bytes),
            most_unacknowledged: usize::from(limits.receive_maximum),
        });
        let broker_config = Arc::new(broker_config(limits, Arc::clone(&callbacks)));
        broker_config.validate().map_err(Error::internal)?;
        let Opened { storage, router, lock } =
            storage::open(storage, limits, &callbacks.clock, Arc::new(Events(Arc::clone(&callbacks)))).await?;

        let shared = Arc::new(Shared {
            limits: ConnectionLimits::new(limits),
            connections: TaskTracker::new(),
            stopping: CancellationToken::new(),
            unacknowledged: Total::default(),
            registry,
            broker_config,
            router,
            auth: Arc::new(Auth(callbacks)),
            storage,
            stats: Arc::new(BrokerStats::new()),
            monitor: Arc::new(ResourceMonitor::new(unlimited())),
            // Nobody sends but once, at shutdown.
            goodbye: broadcast::channel(1).0,
            config,
        });
        let background = TaskTracker::new();
        let addresses = listen(&shared, &background).await?;
        background.spawn(sweep(Arc::clone(&shared)));
        background.close();
        Ok(Self { shared, addresses, background, lock: Mutex::new(lock) })
    }
}

/// Opens every listener before the first is served, so that a taken port leaves nothing running.
async fn listen(shared: &Arc<Shared>, background: &TaskTracker) -> Result<Addresses> {
    let config = &shared.config;
    let (plain, plain_addr) = bind("mqtt_addr", config.addr).await?;
    let tls = match (config.tls_addr, &config.tls_cert, &config.tls_key) {
        (Some(addr), Some(cert), Some(key)) => {
            let bound = bind("mqtt.tls_addr", addr).await?;
            let files = Tls { cert: cert.clone(), key: key.clone() };
            Some((bound, Certificate::load("mqtt", files).await?))
        }
        (Some(_), ..) => return Err(Error::field("mqtt.tls_addr", "needs mqtt.tls_cert and mqtt.tls_key")),
        (None, ..) => None,
    };
    let websocket = match config.websocket_addr {
        Some(addr) => Some(bind("mqtt.websocket_addr", addr).await?),
        None => None,
    };

    let addresses = Addresses {
        plain: plain_addr,
        tls: tls.as_ref().map(|((_, addr), _)| *addr),
        websocket: websocket.as_ref().map(|(_, addr)| *addr),
    };
    background.spawn(listener::run(plain, Listener::Plain, Arc::clone(shared)));
    if let Some(((socket, _), certificate)) = tls {
        let acceptor = TlsAcceptor::from(certificate.server_config(&[])?);
        background.spawn(certificate.watch(RELOAD_EVERY, shared.stopping.clone()));
        background.spawn(listener::run(socket, Listener::Tls(acceptor), Arc::clone(shared)));
    }
    if let Some((socket, _)) = websocket {
        let kind = Listener::WebSocket { origins: config.websocket_origins.clone().into() };
        background.spawn(listener::run(socket, kind, Arc::clone(shared)));
    }
    Ok(addresses)
}

async fn bind(setting: &str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        Error::field(
            setting,
            format!("cannot listen on {addr}: {error}. Choose another with --set {setting}=ADDRESS:PORT."),
        )
    };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

/// Forgets expired sessions.
async fn sweep(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = shared.stopping.cancelled() => return,
        }
        if let Err(error) = shared.storage.cleanup_expired().await {
            tracing::warn!(%error, "cannot clean up expired MQTT sessions");
        }
        shared.router.sweep_sessions().await;
    }
}

fn broker_config(limits: &MqttLimits, callbacks: Arc<Callbacks>) -> BrokerConfig {
    let mut config = BrokerConfig::default()
        .with_bind_addresses(Vec::new())
        .with_max_clients(limits.max_connections)
        .with_max_packet_size(limits.max_packet_bytes)
        .with_session_expiry(Duration::from_secs(limits.session_expiry_s))
        .with_client_channel_capacity(limits.channel_capacity)
        .with_server_receive_maximum(limits.receive_maximum)
        .with_max_subscriptions_per_client(limits.max_subscriptions)
        .with_max_retained_messages(limits.max_retained_messages)
        .with_max_retained_message_size(limits.max_packet_bytes)
        .with_sys_topics_enabled(false)
        .with_event_handler(Arc::new(Events(callbacks)));
    // The map of a client's aliases is kept for as long as it is connected.
    config.topic_alias_maximum = 16;
    config.subscription_identifier_available = false;
    config
}

/// Our own limits decide; the crate's count per client id and know no address ranges.
fn unlimited() -> ResourceLimits {
    ResourceLimits {
        max_connections: usize::MAX,
        max_connections_per_ip: usize::MAX,
        max_message_rate_per_client: 0,
        max_bandwidth_per_client: 0,
        max_connection_rate: u32::MAX,
        rate_limit_window: Duration::from_secs(1),
    }
}

impl RunningBroker for Engine {
    fn addresses(&self) -> Addresses {
        self.addresses
    }

    fn disconnect_client(&self, client_id: &str) {
        self.shared.registry.close_client(client_id);
    }

    fn connections(&self) -> usize {
        self.shared.registry.authenticated()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.shared.stopping.cancel();
            // Nothing is read any more. Looked at now and then: this happens once in the program's life.
            let stored = async {
                while self.shared.unacknowledged.load(Ordering::Relaxed) > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            if tokio::time::timeout(DRAIN, stored).await.is_err() {
                tracing::warn!("messages that are not stored yet stay unacknowledged");
            }
            // Nobody listens when nobody is connected.
            let _ = self.shared.goodbye.send(());
            self.shared.connections.close();
            if tokio::time::timeout(DRAIN, self.shared.connections.wait()).await.is_err() {
                self.shared.registry.close_all();
                if tokio::time::timeout(DRAIN, self.shared.connections.wait()).await.is_err() {
                    tracing::warn!(left = self.shared.connections.len(), "MQTT connections did not end in time");
                }
            }
            self.background.wait().await;
            if let Err(error) = self.shared.storage.shutdown().await {
                tracing::error!(%error, "MQTT sessions could not be saved");
            }
            self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        })
    }
}
