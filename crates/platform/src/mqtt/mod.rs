//! MQTT: the topics, who may use them, the embedded broker and the client for the broker, embedded or external.
//!
//! One [`MessageHandler`] behind two doors: what a device publishes to the embedded broker is handed over before the
//! broker acknowledges it; everything else (last wills, and all of it with an external broker) comes through
//! [`client::MqttClient`], which acknowledges after the handler is done. Either way "acknowledged" means "committed".

pub mod authorize;
pub mod broker;
pub mod client;
pub mod config;
pub mod topic;

use std::net::SocketAddr;

use bytes::Bytes;
use portico_model::Timestamp;

pub use authorize::{Action, MqttPrincipal, authorize};
pub use broker::{BrokerOptions, RunningBroker, ServerCredentials};
pub use client::{ClientOptions, MqttClient, RelayHandler};
pub use config::{ExternalBroker, MqttConfig, MqttLimits};
pub use topic::{TopicKind, Topics};

use crate::BoxFuture;
use crate::error::Result;

/// A message from a device, on its way in. Its topic names the device that sent it: the embedded broker has asked
/// [`authorize`], and an external broker has to be configured to ask it, too.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// With the installation's prefix; [`Topics::parse`] takes it apart.
    pub topic: String,
    pub payload: Bytes,
    pub retained: bool,
    /// The sender waits for an acknowledgement (QoS 1 or 2): the handler is done only after the commit. Otherwise it
    /// is done when it has queued the message.
    pub durable: bool,
    pub received_at: Timestamp,
}

/// What takes the devices' messages.
pub trait MessageHandler: Send + Sync {
    /// `Ok` after the commit (or, for a message that is not durable, when queued); also for a message that will never
    /// be acceptable, which the handler has counted. The same message may come several times.
    ///
    /// # Errors
    /// The message is not stored and must be delivered again.
    fn handle(&self, message: Inbound) -> BoxFuture<'static, Result<()>>;
}

/// Checks who connects to the broker. Implemented by the domain that owns device credentials.
pub trait MqttAuthenticator: Send + Sync {
    /// The principal for these credentials, `None` when they are wrong. The broker has already made sure that the
    /// client id equals the user name; the implementation makes sure that the user name is the id of the device that
    /// the password (an API key) belongs to.
    ///
    /// # Errors
    /// The credentials could not be checked; the client is told to try again.
    fn authenticate<'a>(
        &'a self,
        client_id: &'a str,
        user_name: &'a str,
        password: &'a [u8],
        address: SocketAddr,
    ) -> BoxFuture<'a, Result<Option<MqttPrincipal>>>;
}
