//! The server's own connection to the broker, embedded or external: takes in what devices send, acknowledges it after
//! the commit, and publishes the outbox and the events for other servers.

mod delivery;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use portico_model::OrganizationId;
use rumqttc::{
    AsyncClient, ConnectReturnCode, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, SubscribeFilter,
    SubscribeReasonCode,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::topic::{Topics, check_name};
use super::{Inbound, MessageHandler};
use crate::BoxFuture;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::outbox::{MqttMessage, Publisher};
use delivery::Delivery;
use session::Session;

/// Publications of ours that wait for the broker's acknowledgement. Who publishes while they are all in use waits.
const MAX_UNACKNOWLEDGED: usize = 64;
/// Room for every acknowledgement and publication that can be under way at once: packet ids end at 65,535.
const REQUESTS: usize = 70_000;
/// More than those, since a QoS 2 publication keeps its place for longer.
const MAX_INFLIGHT: u16 = 100;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT_S: u64 = 10;
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// MQTT's own limit: a smaller one would end the connection at a bigger message, again at every delivery.
const MAX_PACKET: usize = 268_435_455;

/// Takes events that another server of this installation has committed.
pub trait RelayHandler: Send + Sync {
    /// Must not block.
    fn receive(&self, organization: OrganizationId, event: Bytes);
}

/// Which broker, and who we are there.
#[derive(Clone)]
pub struct ClientOptions {
    pub host: String,
    pub port: u16,
    /// The same after every restart, another for each server: the broker keeps our messages under it meanwhile.
    pub client_id: String,
    pub credentials: Option<(String, SecretString)>,
    pub topics: Topics,
    /// Servers of one group share the devices' messages between them.
    pub share_group: String,
    /// Set when there are other servers: their events come in here.
    pub relay: Option<Arc<dyn RelayHandler>>,
}

impl ClientOptions {
    pub const SHARE_GROUP: &'static str = "portico";
}

/// Publishes, and knows whether the broker is there. Cheap to clone.
#[derive(Clone)]
pub struct MqttClient {
    shared: Arc<Shared>,
}

struct Shared {
    options: ClientOptions,
    handler: Arc<dyn MessageHandler>,
    clock: Clock,
    session: Session,
    unacknowledged: Semaphore,
    ready: watch::Sender<bool>,
    /// The broker is about to end, which is nothing to warn of.
    ending: AtomicBool,
    /// Marks our own events, so that we do not take them for another server's.
    origin: [u8; ORIGIN_BYTES],
}

const ORIGIN_BYTES: usize = 16;

impl MqttClient {
    /// Not connected before [`Self::run`].
    #[must_use]
    pub fn new(options: ClientOptions, handler: Arc<dyn MessageHandler>, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                handler,
                clock,
                session: Session::default(),
                unacknowledged: Semaphore::new(MAX_UNACKNOWLEDGED),
                ready: watch::Sender::new(false),
                ending: AtomicBool::new(false),
                origin: rand::random(),
            }),
        }
    }

    /// Connected and subscribed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// To be called before the broker is stopped on purpose.
    pub fn expect_end(&self) {
        self.shared.ending.store(true, Ordering::Relaxed);
    }

    /// Changes of [`Self::is_ready`].
    #[must_use]
    pub fn watch_ready(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    /// Gives a message to the broker. With `qos` 1 or 2 this is done when the broker has acknowledged it.
    ///
    /// # Errors
    /// `Unavailable` when the broker is away or did not acknowledge in time: it may have the message nevertheless.
    /// `Invalid` when the topic cannot be published to.
    pub async fn publish(&self, topic: &str, payload: Bytes, qos: u8, retain: bool) -> Result<()> {
        check_name(topic).map_err(|error| Error::invalid("invalid_topic", error.to_string()))?;
        let qos = rumqttc::qos(qos).map_err(|_| Error::invalid("invalid_qos", "The QoS is 0, 1 or 2."))?;
        if qos == QoS::AtMostOnce {
            return self.shared.session.send(topic, payload, retain);
        }
        let _place = self.shared.unacknowledged.acquire().await.map_err(Error::internal)?;
        let acknowledged = self.shared.session.send_acknowledged(topic, payload, qos, retain)?;
        match tokio::time::timeout(ACKNOWLEDGEMENT_TIMEOUT, acknowledged).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(away()),
        }
    }

    /// Tells the other servers about an event; lost when the broker is away, as events are hints.
    ///
    /// # Errors
    /// When the broker is away.
    pub fn relay(&self, organization: OrganizationId, event: &[u8]) -> Result<()> {
        let mut payload = Vec::with_capacity(ORIGIN_BYTES + event.len());
        payload.extend_from_slice(&self.shared.origin);
        payload.extend_from_slice(event);
        self.shared.session.send(&self.shared.options.topics.events(organization), payload.into(), false)
    }

    /// Stays connected until cancelled. One at a time.
    pub async fn run(&self, cancel: CancellationToken) {
        let (client, mut events) = AsyncClient::new(self.shared.broker(), REQUESTS);
        events.network_options.set_connection_timeout(CONNECT_TIMEOUT_S);
        let delivery = Delivery::start(Arc::clone(&self.shared.handler), self.shared.session.clone());
        let mut pause = FIRST_PAUSE;
        let mut failures = 0_u32;
        while !cancel.is_cancelled() {
            let polled = tokio::select! {
                polled = events.poll() => polled,
                () = cancel.cancelled() => break,
            };
            let outcome = match polled {
                Ok(event) => self.shared.on_event(event, &client, &delivery).await,
                Err(error) => Err(error.to_string()),
            };
            if self.is_ready() {
                (pause, failures) = (FIRST_PAUSE, 0);
            }
            if let Err(reason) = outcome {
                self.shared.lost(&mut events);
                if delivery.has_ended() {
                    // The registry of tasks starts us again.
                    break;
                }
                // Once, and then now and then.
                if failures.is_multiple_of(60) && !self.shared.ending.load(Ordering::Relaxed) {
                    tracing::warn!(reason, failures, "no connection to the MQTT broker");
                }
                failures += 1;
                tokio::select! {
                    () = tokio::time::sleep(jittered(pause)) => {}
                    () = cancel.cancelled() => break,
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
        self.shared.lost(&mut events);
        // Without a DISCONNECT the broker keeps our session, which is what we want.
    }
}

impl Shared {
    fn broker(&self) -> MqttOptions {
        let options = &self.options;
        let mut broker = MqttOptions::new(&options.client_id, &options.host, options.port);
        broker
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_inflight(MAX_INFLIGHT)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if let Some((user_name, password)) = &options.credentials {
            broker.set_credentials(user_name, password.expose_secret());
        }
        broker
    }

    async fn on_event(&self, event: Event, client: &AsyncClient, delivery: &Delivery) -> Result<(), String> {
        match event {
            Event::Incoming(Packet::ConnAck(answer)) => {
                if answer.code != ConnectReturnCode::Success {
                    return Err(format!("the broker refuses us: {:?}", answer.code));
                }
                self.session.connected(client);
                // At every connection: the broker may have forgotten us.
                client.try_subscribe_many(self.subscriptions()).map_err(|error| error.to_string())?;
            }
            Event::Incoming(Packet::SubAck(answer)) => {
                if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err("the broker refuses our subscriptions".to_owned());
                }
                self.set_ready(true);
                tracing::info!("connected to the MQTT broker");
            }
            Event::Incoming(Packet::Publish(publish)) => return self.incoming(publish, delivery).await,
            Event::Incoming(Packet::PubAck(ack)) => self.session.acknowledged(ack.pkid),
            Event::Incoming(Packet::PubComp(ack)) => self.session.acknowledged(ack.pkid),
            Event::Outgoing(Outgoing::Publish(packet_id)) => self.session.sent(packet_id),
            Event::Incoming(Packet::Disconnect) => return Err("the broker ended the connection".to_owned()),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        Ok(())
    }

    fn subscriptions(&self) -> Vec<SubscribeFilter> {
        let topics = &self.options.topics;
        let mut filters: Vec<_> = topics
            .ingest_filters(&self.options.share_group)
            .into_iter()
            .map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce))
            .collect();
        if self.options.relay.is_some() {
            filters.push(SubscribeFilter::new(topics.events_filter(), QoS::AtMostOnce));
        }
        filters
    }

    async fn incoming(&self, publish: rumqttc::Publish, delivery: &Delivery) -> Result<(), String> {
        if let Some(organization) = self.options.topics.parse_events(&publish.topic) {
            if let (Some(relay), Some(origin)) = (&self.options.relay, publish.payload.get(..ORIGIN_BYTES))
                && origin != self.origin
            {
                relay.receive(organization, publish.payload.slice(ORIGIN_BYTES..));
            }
            return Ok(());
        }
        let message = Inbound {
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            retained: publish.retain,
            durable: publish.qos != QoS::AtMostOnce,
            received_at: self.clock.now(),
        };
        delivery.push(message, publish).await
    }

    /// Forgets the connection. Nothing of it is sent again by itself: whoever waits for an acknowledgement is told,
    /// and what was not acknowledged to the broker it delivers again.
    fn lost(&self, events: &mut EventLoop) {
        self.set_ready(false);
        self.session.disconnected(events);
    }

    fn set_ready(&self, ready: bool) {
        self.ready.send_replace(ready);
        metrics::gauge!("portico_mqtt_client_ready").set(if ready { 1.0 } else { 0.0 });
    }
}

impl Publisher for MqttClient {
    fn publish(&self, message: MqttMessage) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let MqttMessage { topic, payload, qos, retain, .. } = message;
            Self::publish(self, &topic, payload.into(), qos, retain).await
        })
    }
}

fn away() -> Error {
    Error::unavailable("broker_unavailable", "The MQTT broker cannot be reached at the moment. Try again shortly.")
}

/// Between half and all of it, so that many servers do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}
