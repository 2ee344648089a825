//! The MQTT side: the embedded broker or an external one, and the one client that the server has at either.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use portico_devices::Devices;
use portico_model::{DeviceId, OrganizationId};
use portico_platform::audit::no_organization;
use portico_platform::hub::{Hub, Relayed, relay_queue};
use portico_platform::mqtt::broker::{self, BrokerOptions, RunningBroker, ServerCredentials};
use portico_platform::mqtt::{ClientOptions, MqttClient, MqttConfig, RelayHandler, Topics};
use portico_platform::{Error, Platform, Result};

/// Relayed events that may wait for the broker; when full the other servers are told that they missed some.
const RELAY_QUEUE: usize = 4_096;

/// What runs.
pub struct Mqtt {
    pub client: MqttClient,
    /// `None` with an external broker.
    pub broker: Option<Arc<dyn RunningBroker>>,
    /// Where devices connect, as far as this server knows.
    pub address: String,
}

/// Starts the broker, if it is ours, and connects to it.
///
/// # Errors
/// When the broker cannot listen or the external broker's address is malformed. An external broker that is away is no
/// error: the client keeps trying.
pub async fn start(platform: &Platform, devices: &Devices) -> Result<Mqtt> {
    let config = &platform.config;
    let topics = Topics::new(&config.mqtt.prefix).map_err(|error| Error::field("mqtt.prefix", error.to_string()))?;
    let external = config.mqtt_external().map_err(|message| Error::field("mqtt_url", message))?;
    let (options, broker, address) = match external {
        Some(external) => {
            let relay: Arc<dyn RelayHandler> = Arc::new(FromOthers(platform.hub.clone()));
            let options = ClientOptions {
                host: external.host.clone(),
                port: external.port,
                client_id: format!("portico-{}", server_id(&config.data_dir)?),
                credentials: external.user_name.map(|name| (name, external.password.unwrap_or_default())),
                topics,
                share_group: ClientOptions::SHARE_GROUP.to_owned(),
                relay: Some(relay),
            };
            (options, None, format!("{}:{}", external.host, external.port))
        }
        None => {
            let server = ServerCredentials::generate();
            let broker = start_broker(platform, devices, server.clone(), &topics).await?;
            let address = broker.addresses().plain;
            devices.set_session_ender(Arc::new(EndSession(Arc::clone(&broker))));
            (embedded_client(address, server, topics), Some(broker), address.to_string())
        }
    };
    let handler = devices.message_handler(options.topics.clone());
    let client = MqttClient::new(options, handler, platform.clock.clone());
    if broker.is_none() {
        relay_to_others(platform, &client);
    }
    spawn(platform, &client);
    Ok(Mqtt { client, broker, address })
}

async fn start_broker(
    platform: &Platform,
    devices: &Devices,
    server: ServerCredentials,
    topics: &Topics,
) -> Result<Arc<dyn RunningBroker>> {
    let config = &platform.config;
    broker::start(BrokerOptions {
        config: MqttConfig { addr: config.mqtt_addr, ..config.mqtt.clone() },
        storage: config.mqtt.persistent.then(|| config.data_dir.join("broker")),
        server,
        clock: platform.clock.clone(),
        authenticator: devices.mqtt_authenticator(),
        handler: devices.message_handler(topics.clone()),
    })
    .await
}

fn embedded_client(address: SocketAddr, server: ServerCredentials, topics: Topics) -> ClientOptions {
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    ClientOptions {
        host,
        port: address.port(),
        client_id: server.user_name.clone(),
        credentials: Some((server.user_name, server.password)),
        topics,
        share_group: ClientOptions::SHARE_GROUP.to_owned(),
        relay: None,
    }
}

fn spawn(platform: &Platform, client: &MqttClient) {
    let mqtt = client.clone();
    platform.tasks.spawn("mqtt client", move |cancel| {
        let mqtt = mqtt.clone();
        async move { mqtt.run(cancel).await }
    });
    let (owner, publisher) = (platform.clone(), client.clone());
    platform.tasks.spawn("outbox", move |cancel| {
        let (platform, publisher) = (owner.clone(), publisher.clone());
        async move { platform.outbox.run(&platform.db, &publisher, &cancel).await }
    });
    let (outbox, publisher) = (platform.outbox.clone(), client.clone());
    platform.tasks.spawn("outbox without record", move |cancel| {
        let (outbox, publisher) = (outbox.clone(), publisher.clone());
        async move { outbox.run_unrecorded(&publisher, &cancel).await }
    });
}

/// With an external broker there may be other servers: they hear of what is committed here.
fn relay_to_others(platform: &Platform, client: &MqttClient) {
    let (relay, mut queue) = relay_queue(RELAY_QUEUE);
    platform.hub.set_relay(relay);
    let client = client.clone();
    let cancel = platform.tasks.token();
    platform.tasks.spawn_once(async move {
        loop {
            let next = tokio::select! {
                next = queue.next() => next,
                () = cancel.cancelled() => return,
            };
            let Some(relayed) = next else { return };
            match serde_json::to_vec(&relayed) {
                // Lost while the broker is away: the clients fetch snapshots when it is back.
                Ok(bytes) => drop(client.relay(no_organization(), &bytes)),
                Err(error) => tracing::error!(%error, "event cannot be relayed"),
            }
        }
    });
}

struct FromOthers(Hub);

impl RelayHandler for FromOthers {
    fn receive(&self, _organization: OrganizationId, event: Bytes) {
        match serde_json::from_slice::<Relayed>(&event) {
            Ok(relayed) => self.0.receive(relayed),
            Err(error) => tracing::warn!(%error, "event of another server cannot be read; is it of another version?"),
        }
    }
}

struct EndSession(Arc<dyn RunningBroker>);

impl portico_devices::SessionEnder for EndSession {
    fn end_session(&self, device: DeviceId) {
        self.0.disconnect_client(&device.to_string());
    }
}

/// The broker keeps messages for this server under its name while it is away.
fn server_id(data_dir: &Path) -> Result<String> {
    let path = data_dir.join("server.id");
    if let Ok(id) = fs::read_to_string(&path) {
        return Ok(id.trim().to_owned());
    }
    let id = format!("{:016x}", rand::random::<u64>());
    fs::create_dir_all(data_dir).map_err(Error::internal)?;
    fs::write(&path, &id).map_err(Error::internal)?;
    Ok(id)
}
