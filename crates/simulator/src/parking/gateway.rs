//! A gateway: one device that tells what up to a hundred sensors see, and how it fares.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portico_model::devices::NewDevice;
use rumqttc::QoS;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::park::Context;
use crate::link::{Link, LinkEvent, LinkOptions};
use crate::session::outbox::{Message, Outbox, Topic};
use crate::state::KnownDevice;
use crate::stats::Stats;

/// Sensors of one gateway.
pub const SENSORS: usize = 100;

/// How long it waits before it asks for another key.
const AGAIN: Duration = Duration::from_secs(5);
/// What was not acknowledged so long after the end is given up.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A running gateway.
pub struct Gateway {
    events: mpsc::Sender<Value>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Plugs it in; it runs until `stop`.
    pub fn start(context: Arc<Context>, new: NewDevice, known: KnownDevice, stop: CancellationToken) -> Self {
        // Every sensor may have something to say at once.
        let (events, events_out) = mpsc::channel(4 * SENSORS);
        let running = Running { context, new, known, outbox: Outbox::default(), is_up: false, began: Instant::now() };
        Self { events, task: tokio::spawn(running.run(events_out, stop)) }
    }

    /// Passes on what a sensor says. A gateway that is too far behind forgets it: the sensor says it again.
    pub fn tell(&self, event: Value) {
        let _ = self.events.try_send(event);
    }

    /// Waits until it has said good-bye; its `stop` was cancelled before.
    pub async fn wait(self) {
        let _ = self.task.await;
    }
}

struct Running {
    context: Arc<Context>,
    new: NewDevice,
    known: KnownDevice,
    outbox: Outbox,
    is_up: bool,
    began: Instant,
}

impl Running {
    async fn run(mut self, mut events: mpsc::Receiver<Value>, stop: CancellationToken) {
        // Until stopped, it ends only because its key is refused.
        while !self.is_stopped_while_connected(&mut events, &stop).await {
            match self.context.renew(&self.new).await {
                Ok(known) => self.known = known,
                Err(error) => tracing::warn!(gateway = self.new.name, %error, "no new key yet"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// `false`: the broker refuses its key.
    async fn is_stopped_while_connected(
        &mut self,
        events: &mut mpsc::Receiver<Value>,
        stop: &CancellationToken,
    ) -> bool {
        let (host, port) = self.context.options.broker.clone();
        let mut link = Link::open(LinkOptions {
            host,
            port,
            device: self.known.id.to_string(),
            api_key: self.known.api_key.clone(),
            will_topic: self.topic("status"),
            will: br#"{"status":"offline"}"#.to_vec(),
        });
        let mut beat = tokio::time::interval(self.context.options.heartbeat);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.say_good_bye(&mut link).await;
                    link.close().await;
                    return true;
                }
                event = link.events.recv() => match event {
                    None | Some(LinkEvent::Refused) => return false,
                    Some(event) => {
                        if matches!(event, LinkEvent::Up) {
                            beat.reset();
                        }
                        self.take(event);
                    }
                },
                Some(event) = events.recv() => self.push(Topic::Event, &event),
                _ = beat.tick() => if self.is_up { self.beat() },
            }
            self.send(&link);
        }
    }

    fn take(&mut self, event: LinkEvent) {
        let stats = &self.context.stats;
        match event {
            LinkEvent::Up => {
                Stats::one(&stats.connections);
                self.is_up = true;
                self.beat();
            }
            LinkEvent::Down(noted) => {
                if self.is_up {
                    Stats::one(&stats.disconnections);
                }
                self.is_up = false;
                self.outbox.lost();
                let _ = noted.send(());
            }
            LinkEvent::Numbered(packet) => self.outbox.numbered(packet),
            LinkEvent::Acknowledged(packet) => {
                if self.outbox.acknowledged(packet) {
                    Stats::one(&stats.acknowledged);
                }
            }
            LinkEvent::Message(..) | LinkEvent::Refused => {}
        }
    }

    fn beat(&mut self) {
        Stats::one(&self.context.stats.heartbeats);
        let uptime_s = self.began.elapsed().as_secs();
        let status =
            json!({ "status": "online", "rssi": -54, "firmware": self.new.firmware_version, "uptime_s": uptime_s });
        self.push(Topic::Status, &status);
    }

    fn push(&mut self, topic: Topic, message: &Value) {
        if !self.outbox.push(Message { topic, payload: Bytes::from(message.to_string()) }) {
            Stats::one(&self.context.stats.overflowed);
        }
    }

    fn topic(&self, last: &str) -> String {
        format!("{}devices/{}/{last}", self.context.topic_prefix(), self.known.id)
    }

    fn send(&mut self, link: &Link) {
        if !self.is_up {
            return;
        }
        while let Some(message) = self.outbox.next() {
            let topic = self.topic(if message.topic == Topic::Status { "status" } else { "event" });
            if link.client.try_publish(topic, QoS::AtLeastOnce, false, message.payload.clone()).is_err() {
                return;
            }
            Stats::one(&self.context.stats.published);
            self.outbox.given();
        }
    }

    async fn say_good_bye(&mut self, link: &mut Link) {
        self.push(Topic::Status, &json!({ "status": "offline" }));
        let deadline = Instant::now() + LAST_WORDS;
        while self.is_up && !self.outbox.is_empty() {
            self.send(link);
            match tokio::time::timeout_at(deadline, link.events.recv()).await {
                Ok(Some(event)) => self.take(event),
                Ok(None) | Err(_) => return,
            }
        }
    }
}
