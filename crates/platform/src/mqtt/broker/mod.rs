//! The broker inside the program, behind a trait of ours so that the crate that does the work can be exchanged.
//! `crates/platform/tests/it/mqtt` is the list of what it must do.

mod acknowledge;
mod callbacks;
mod connection;
mod engine;
mod limits;
mod listener;
mod storage;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::config::MqttConfig;
use super::topic::Topics;
use super::{MessageHandler, MqttAuthenticator};
use crate::BoxFuture;
use crate::clock::Clock;
use crate::error::{Error, Result};

/// How this installation's servers sign in to their own broker.
#[derive(Debug, Clone)]
pub struct ServerCredentials {
    pub user_name: String,
    pub password: SecretString,
}

impl ServerCredentials {
    pub const USER_NAME: &'static str = "portico";

    /// A password that lives as long as the process.
    #[must_use]
    pub fn generate() -> Self {
        let secret: [u8; 32] = rand::random();
        let text = secret.iter().fold(String::with_capacity(64), |mut text, byte| {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self { user_name: Self::USER_NAME.to_owned(), password: SecretString::from(text) }
    }
}

/// What the broker needs to start.
pub struct BrokerOptions {
    pub config: MqttConfig,
    /// Where sessions and retained messages are kept; `None`: in memory.
    pub storage: Option<PathBuf>,
    pub server: ServerCredentials,
    pub clock: Clock,
    pub authenticator: Arc<dyn MqttAuthenticator>,
    pub handler: Arc<dyn MessageHandler>,
}

/// Where the broker listens, with the real ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub plain: SocketAddr,
    pub tls: Option<SocketAddr>,
    pub websocket: Option<SocketAddr>,
}

/// A broker that runs until it is shut down.
pub trait RunningBroker: Send + Sync {
    fn addresses(&self) -> Addresses;

    /// Ends every connection of this client id: its credentials are no longer good. Its last will is published.
    fn disconnect_client(&self, client_id: &str);

    /// Authenticated connections.
    fn connections(&self) -> usize;

    /// Stops listening, lets messages that are being stored finish for a few seconds, ends the connections and saves
    /// the sessions.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// Starts the embedded broker.
///
/// # Errors
/// When an address is taken, a certificate cannot be read or the storage cannot be opened.
pub async fn start(options: BrokerOptions) -> Result<Arc<dyn RunningBroker>> {
    let topics = Topics::new(&options.config.prefix).map_err(|error| Error::field("mqtt.prefix", error.to_string()))?;
    Ok(Arc::new(engine::Engine::start(options, topics).await?))
}
