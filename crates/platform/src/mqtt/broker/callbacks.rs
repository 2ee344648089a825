//! What the broker asks us: who connects, who may do what, and what to do with a message.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::events::{BrokerEventHandler, ClientPublishEvent, PublishAction};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::{QoS, protocol::v5::reason_codes::ReasonCode};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::ServerCredentials;
use super::connection::{Connection, Registry, V3_1_1};
use crate::clock::Clock;
use crate::mqtt::authorize::{Action, MqttPrincipal, authorize};
use crate::mqtt::topic::Topics;
use crate::mqtt::{Inbound, MessageHandler, MqttAuthenticator};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(super) struct Callbacks {
    pub(super) topics: Topics,
    pub(super) server: ServerCredentials,
    pub(super) clock: Clock,
    pub(super) registry: Registry,
    pub(super) authenticator: Arc<dyn MqttAuthenticator>,
    pub(super) handler: Arc<dyn MessageHandler>,
    pub(super) store_timeout: Duration,
    pub(super) unstored: Budget,
    /// Of one connection.
    pub(super) most_unacknowledged: usize,
}

/// Bytes of messages that are not stored yet, of all connections. Who finds none left waits and is not read meanwhile.
pub(super) struct Budget {
    kilobytes: Arc<Semaphore>,
    all: u32,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { kilobytes: Arc::new(Semaphore::new(all as usize)), all }
    }

    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // A message larger than everything has everything.
        let part = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(self.all);
        Arc::clone(&self.kilobytes).acquire_many_owned(part).await.ok()
    }
}

impl Callbacks {
    async fn connect(&self, connect: &ConnectPacket) -> AuthResult {
        let Some(connection) = Connection::current() else {
            return AuthResult::fail(ReasonCode::UnspecifiedError);
        };
        connection.set_protocol_version(connect.protocol_version);
        let (Some(user_name), Some(password)) = (&connect.username, &connect.password) else {
            return refused("credentials", ReasonCode::BadUsernameOrPassword);
        };
        self.registry.enter(&connection, &connect.client_id);
        let principal = match self.principal(&connection, &connect.client_id, user_name, password).await {
            Ok(principal) => principal,
            Err(refusal) => return refusal,
        };
        // The broker asks for a will's permission only when it publishes it, and for 3.1.1 we then say yes unseen.
        if let Some(will) = &connect.will
            && !authorize(&self.topics, &principal, Action::Publish, &will.topic)
        {
            return refused("will", ReasonCode::NotAuthorized);
        }
        if !self.registry.admit(&connection) {
            return refused("connections of the client", ReasonCode::ServerUnavailable);
        }
        AuthResult::success_with_user(principal.to_string())
    }

    async fn principal(
        &self,
        connection: &Connection,
        client_id: &str,
        user_name: &str,
        password: &[u8],
    ) -> Result<MqttPrincipal, AuthResult> {
        if user_name == self.server.user_name {
            let good = bool::from(password.ct_eq(self.server.password.expose_secret().as_bytes()));
            return if good && client_id.starts_with(user_name) {
                Ok(MqttPrincipal::Server)
            } else {
                Err(refused("credentials", ReasonCode::BadUsernameOrPassword))
            };
        }
        // Otherwise one user could take over the connection and the queued messages of another.
        if client_id != user_name {
            return Err(refused("client id", ReasonCode::NotAuthorized));
        }
        match self.authenticator.authenticate(client_id, user_name, password, connection.peer).await {
            Ok(Some(principal @ MqttPrincipal::Device { .. })) => Ok(principal),
            Ok(Some(MqttPrincipal::Server) | None) => Err(refused("credentials", ReasonCode::BadUsernameOrPassword)),
            Err(error) => {
                tracing::warn!(%error, "cannot check MQTT credentials");
                Err(refused("unavailable", ReasonCode::ServerUnavailable))
            }
        }
    }

    /// A refused QoS 1 or 2 message of a 3.1.1 client would be answered in MQTT 5's format, which it cannot read.
    /// There the answer here is yes, and [`Self::publish`] drops the message.
    fn may_publish(&self, user: Option<&str>, topic: &str) -> bool {
        if Connection::current().is_some_and(|connection| connection.protocol_version() == V3_1_1) {
            return true;
        }
        let allowed = self.may(user, Action::Publish, topic);
        if !allowed {
            count("refused");
        }
        allowed
    }

    fn may(&self, user: Option<&str>, action: Action, topic: &str) -> bool {
        user.and_then(MqttPrincipal::from_text)
            .is_some_and(|principal| authorize(&self.topics, &principal, action, topic))
    }

    async fn publish(&self, event: ClientPublishEvent) -> PublishAction {
        let principal = event.user_id.as_deref().and_then(MqttPrincipal::from_text);
        match principal {
            Some(principal) if !authorize(&self.topics, &principal, Action::Publish, &event.topic) => {
                count("refused");
                tracing::debug!(client = %event.client_id, topic = %event.topic, "MQTT message refused");
                PublishAction::Handled
            }
            Some(MqttPrincipal::Server) => PublishAction::Continue,
            Some(MqttPrincipal::Device { .. }) => {
                self.take(event).await;
                PublishAction::Handled
            }
            None => PublishAction::Handled,
        }
    }

    /// Gives a device's message to the handler. When this returns the broker acknowledges the message. With QoS 1 that
    /// acknowledgement is held back until the message is stored; with QoS 2 this returns only then; and when it cannot
    /// be stored the connection is closed first, so that none leaves.
    ///
    /// Nothing more is read from this client while this waits, for room among its own messages or among all: that is
    /// the back-pressure.
    async fn take(&self, event: ClientPublishEvent) {
        let Some(connection) = Connection::current() else { return };
        count("received");
        let work = async {
            let permit = self.unstored.take(event.payload.len()).await;
            if event.qos == QoS::AtLeastOnce {
                std::future::poll_fn(|cx| connection.unacknowledged.poll_room(cx, self.most_unacknowledged)).await;
            }
            permit
        };
        let Some(permit) = unless_ended(&connection, work).await.flatten() else {
            connection.close();
            return;
        };
        let message = Inbound {
            topic: event.topic.as_ref().to_owned(),
            payload: event.payload,
            retained: event.retain,
            durable: event.qos != QoS::AtMostOnce,
            received_at: self.clock.now(),
        };
        let durable = message.durable;
        let stored = store(Arc::clone(&self.handler), message, self.store_timeout, permit);
        match (event.qos, event.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => {
                connection.unacknowledged.push(packet_id, Box::pin(stored));
                // It takes its place in the handler's queue now, before the next one.
                connection.unacknowledged.while_waiting(std::future::ready(())).await;
            }
            _ => {
                let stored = unless_ended(&connection, stored).await.unwrap_or(false);
                if durable && !stored {
                    connection.close();
                }
            }
        }
    }
}

/// The work's outcome, or `None` when the connection ends before. Its earlier messages are driven meanwhile.
async fn unless_ended<F: Future>(connection: &Connection, work: F) -> Option<F::Output> {
    tokio::select! {
        outcome = connection.unacknowledged.while_waiting(work) => Some(outcome),
        () = connection.closed().cancelled() => None,
        () = connection.superseded().cancelled() => None,
    }
}

/// Tries until the message is stored or the time is over; one that is not durable only once.
async fn store(
    handler: Arc<dyn MessageHandler>,
    message: Inbound,
    most: Duration,
    permit: OwnedSemaphorePermit,
) -> bool {
    let started = Instant::now();
    let deadline = started + most;
    let mut pause = Duration::from_millis(50);
    let stored = loop {
        match tokio::time::timeout_at(deadline, handler.handle(message.clone())).await {
            Ok(Ok(())) => break true,
            Ok(Err(error)) => tracing::debug!(topic = %message.topic, %error, "MQTT message is not stored yet"),
            Err(_) => break false,
        }
        if !message.durable || Instant::now() >= deadline {
            break false;
        }
        count("retried");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    };
    drop(permit);
    metrics::histogram!("portico_mqtt_handle_seconds").record(started.elapsed());
    match (stored, message.durable) {
        (true, true) => count("acknowledged"),
        (true, false) => {}
        (false, false) => count("dropped"),
        (false, true) => {
            count("failed");
            tracing::debug!(topic = %message.topic, "MQTT message cannot be stored now; closing its connection");
        }
    }
    stored
}

fn refused(reason: &'static str, code: ReasonCode) -> AuthResult {
    metrics::counter!("portico_mqtt_authentication_refused_total", "reason" => reason).increment(1);
    AuthResult::fail(code)
}

fn count(outcome: &'static str) {
    metrics::counter!("portico_mqtt_messages_total", "outcome" => outcome, "door" => "broker").increment(1);
}

pub(super) struct Auth(pub(super) Arc<Callbacks>);

impl AuthProvider for Auth {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _address: std::net::SocketAddr,
    ) -> Boxed<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move { Ok(self.0.connect(connect).await) })
    }

    fn authorize_publish<'a>(&'a self, _client: &str, user: Option<&'a str>, topic: &'a str) -> Boxed<'a, bool> {
        Box::pin(std::future::ready(self.0.may_publish(user, topic)))
    }

    fn authorize_subscribe<'a>(&'a self, _client: &str, user: Option<&'a str>, filter: &'a str) -> Boxed<'a, bool> {
        Box::pin(std::future::ready(self.0.may(user, Action::Subscribe, filter)))
    }
}

pub(super) struct Events(pub(super) Arc<Callbacks>);

impl BrokerEventHandler for Events {
    fn on_client_publish<'a>(&'a self, event: ClientPublishEvent) -> Boxed<'a, PublishAction> {
        Box::pin(self.0.publish(event))
    }
}
