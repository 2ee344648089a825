//! A broker on a free port, with devices whose key is known, and a handler that does what the test wants.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use portico_model::{DeviceId, OrganizationId};
use portico_platform::mqtt::broker::{self, BrokerOptions, RunningBroker, ServerCredentials};
use portico_platform::mqtt::{
    ClientOptions, Inbound, MessageHandler, MqttAuthenticator, MqttClient, MqttConfig, MqttPrincipal, Topics,
};
use portico_platform::{BoxFuture, Clock, Error, Result};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::raw::{Connect, Raw, within};

/// What the handler does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Store,
    Fail,
    /// Not done before the mode changes.
    Hold,
    /// As `Hold` for messages that say "hold", as `Store` for the others.
    HoldMarked,
}

/// A database in memory.
pub struct Recorder {
    pub mode: watch::Sender<Mode>,
    stored: mpsc::UnboundedSender<Inbound>,
    attempts: mpsc::UnboundedSender<Inbound>,
}

/// What the recorder saw.
pub struct Seen {
    pub stored: mpsc::UnboundedReceiver<Inbound>,
    pub attempts: mpsc::UnboundedReceiver<Inbound>,
}

impl Recorder {
    pub fn new() -> (Arc<Self>, Seen) {
        let (stored, stored_rx) = mpsc::unbounded_channel();
        let (attempts, attempts_rx) = mpsc::unbounded_channel();
        let recorder = Self { mode: watch::Sender::new(Mode::Store), stored, attempts };
        (Arc::new(recorder), Seen { stored: stored_rx, attempts: attempts_rx })
    }
}

impl MessageHandler for Recorder {
    fn handle(&self, message: Inbound) -> BoxFuture<'static, Result<()>> {
        let mut mode = self.mode.subscribe();
        let stored = self.stored.clone();
        let _ = self.attempts.send(message.clone());
        Box::pin(async move {
            let marked = message.payload.starts_with(b"hold");
            let done = |mode: &Mode| *mode != Mode::Hold && !(marked && *mode == Mode::HoldMarked);
            let mode = *mode.wait_for(done).await.unwrap();
            if mode == Mode::Fail {
                return Err(Error::unavailable("database_unavailable", "away"));
            }
            let _ = stored.send(message);
            Ok(())
        })
    }
}

impl Seen {
    pub async fn stored(&mut self) -> Inbound {
        within("a stored message", self.stored.recv()).await.unwrap()
    }

    pub async fn attempt(&mut self) -> Inbound {
        within("an attempt to store", self.attempts.recv()).await.unwrap()
    }

    pub fn nothing_stored(&mut self) {
        assert!(self.stored.try_recv().is_err(), "a message was stored");
    }
}

#[derive(Default)]
pub struct Keys {
    revoked: Mutex<HashSet<String>>,
}

pub fn key_of(device: &str) -> String {
    format!("key-of-{device}")
}

impl MqttAuthenticator for Keys {
    fn authenticate<'a>(
        &'a self,
        client_id: &'a str,
        user_name: &'a str,
        password: &'a [u8],
        _address: SocketAddr,
    ) -> BoxFuture<'a, Result<Option<MqttPrincipal>>> {
        Box::pin(async move {
            assert_eq!(client_id, user_name, "the broker must have compared them");
            if self.revoked.lock().unwrap().contains(user_name) || password != key_of(user_name).as_bytes() {
                return Ok(None);
            }
            let organization: OrganizationId = "0193a000000070008000000000000001".parse().unwrap();
            Ok(user_name.parse().ok().map(|device: DeviceId| MqttPrincipal::Device { organization, device }))
        })
    }
}

impl Keys {
    pub fn revoke(&self, device: &str) {
        self.revoked.lock().unwrap().insert(device.to_owned());
    }
}

pub struct Stand {
    pub broker: Arc<dyn RunningBroker>,
    pub addr: SocketAddr,
    pub recorder: Arc<Recorder>,
    pub seen: Seen,
    pub keys: Arc<Keys>,
    pub server: ServerCredentials,
    pub config: MqttConfig,
}

pub fn device() -> String {
    DeviceId::generate().to_string()
}

pub fn topic(device: &str, kind: &str) -> String {
    format!("devices/{device}/{kind}")
}

impl Stand {
    pub async fn start() -> Self {
        Self::with(MqttConfig::default()).await
    }

    pub async fn with(config: MqttConfig) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), config, None).await
    }

    pub async fn at(addr: SocketAddr, config: MqttConfig, storage: Option<PathBuf>) -> Self {
        let (recorder, seen) = Recorder::new();
        let keys = Arc::new(Keys::default());
        let server = ServerCredentials::generate();
        let options = BrokerOptions {
            config: MqttConfig { addr, ..config.clone() },
            storage,
            server: server.clone(),
            clock: Clock::system(),
            authenticator: Arc::clone(&keys) as _,
            handler: Arc::clone(&recorder) as _,
        };
        // A port just given up by another test's broker may take a moment.
        let broker = broker::start(options).await.unwrap();
        let addr = broker.addresses().plain;
        Self { broker, addr, recorder, seen, keys, server, config }
    }

    pub async fn v4(&self, device: &str) -> Raw {
        Raw::connect(self.addr, &Connect::v4(device, &key_of(device))).await
    }

    pub async fn v5(&self, device: &str) -> Raw {
        Raw::connect(self.addr, &Connect::v5(device, &key_of(device))).await
    }

    /// The server's own client, connected and subscribed, with its messages going to the same recorder.
    pub async fn client(&self) -> RunningClient {
        self.client_named("portico").await
    }

    pub async fn client_named(&self, client_id: &str) -> RunningClient {
        let credentials = Some((self.server.user_name.clone(), self.server.password.clone()));
        let topics = Topics::new(&self.config.prefix).unwrap();
        RunningClient::start(self.addr, client_id, credentials, topics, Arc::clone(&self.recorder)).await
    }
}

pub struct RunningClient {
    pub client: MqttClient,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl RunningClient {
    pub async fn start(
        addr: SocketAddr,
        client_id: &str,
        credentials: Option<(String, secrecy::SecretString)>,
        topics: Topics,
        recorder: Arc<Recorder>,
    ) -> Self {
        let options = ClientOptions {
            host: addr.ip().to_string(),
            port: addr.port(),
            client_id: client_id.to_owned(),
            credentials,
            topics,
            share_group: ClientOptions::SHARE_GROUP.to_owned(),
            relay: None,
        };
        let running = Self::launch(options, recorder);
        running.ready(true).await;
        running
    }

    pub fn launch(options: ClientOptions, handler: Arc<dyn MessageHandler>) -> Self {
        let client = MqttClient::new(options, handler, Clock::system());
        let cancel = CancellationToken::new();
        let task = tokio::spawn({
            let (client, cancel) = (client.clone(), cancel.clone());
            async move { client.run(cancel).await }
        });
        Self { client, cancel, task }
    }

    pub async fn ready(&self, ready: bool) {
        let mut watch = self.client.watch_ready();
        within("the client's state", watch.wait_for(|state| *state == ready)).await.unwrap();
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        within("the client's end", self.task).await.unwrap();
    }
}

impl std::ops::Deref for RunningClient {
    type Target = MqttClient;

    fn deref(&self) -> &MqttClient {
        &self.client
    }
}
