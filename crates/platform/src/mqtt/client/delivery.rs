//! Messages on their way from the broker to the handler, many at once, acknowledged in the order they came.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt};
use rumqttc::{Publish, QoS};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::session::Session;
use crate::mqtt::{Inbound, MessageHandler};

/// Messages that wait, and messages in the handler's hands. When both are full the connection is not read any more:
/// the broker keeps what follows (its session limits decide how much), and ends the connection if that lasts longer
/// than the keep-alive; then it delivers again. Messages with QoS 0 are dropped when full.
const WAITING: usize = 1_024;
const UNDER_WAY: usize = 1_024;
const MAX_PAUSE: Duration = Duration::from_secs(2);

struct Item {
    generation: u64,
    message: Inbound,
    publish: Publish,
}

pub(super) struct Delivery {
    queue: mpsc::Sender<Item>,
    session: Session,
    worker: JoinHandle<()>,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Delivery {
    pub(super) fn start(handler: Arc<dyn MessageHandler>, session: Session) -> Self {
        let (queue, items) = mpsc::channel(WAITING);
        let worker = tokio::spawn(work(items, handler, session.clone()));
        Self { queue, session, worker }
    }

    /// The handler has panicked.
    pub(super) fn has_ended(&self) -> bool {
        self.worker.is_finished()
    }

    /// # Errors
    /// When [`Self::has_ended`].
    pub(super) async fn push(&self, message: Inbound, publish: Publish) -> Result<(), String> {
        count("received");
        let item = Item { generation: self.session.generation(), message, publish };
        if item.message.durable {
            return self.queue.send(item).await.map_err(|_| "nobody takes messages any more".to_owned());
        }
        if self.queue.try_send(item).is_err() {
            count("dropped");
        }
        Ok(())
    }
}

async fn work(mut items: mpsc::Receiver<Item>, handler: Arc<dyn MessageHandler>, session: Session) {
    let mut under_way = FuturesOrdered::new();
    loop {
        tokio::select! {
            item = items.recv(), if under_way.len() < UNDER_WAY => match item {
                Some(item) => under_way.push_back(store(item, Arc::clone(&handler), session.clone())),
                None => return,
            },
            Some(done) = under_way.next() => acknowledge(done, &session),
        }
    }
}

/// Tries until the message is stored or its connection is gone, which means that it comes again.
async fn store(item: Item, handler: Arc<dyn MessageHandler>, session: Session) -> (Item, bool) {
    let started = std::time::Instant::now();
    let mut pause = Duration::from_millis(50);
    let stored = loop {
        match handler.handle(item.message.clone()).await {
            Ok(()) => break true,
            Err(error) => tracing::debug!(topic = %item.message.topic, %error, "MQTT message is not stored yet"),
        }
        if !item.message.durable || session.generation() != item.generation {
            break false;
        }
        count("retried");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    };
    metrics::histogram!("portico_mqtt_handle_seconds").record(started.elapsed());
    (item, stored)
}

fn acknowledge((item, stored): (Item, bool), session: &Session) {
    match (stored, item.publish.qos) {
        (true, QoS::AtMostOnce) => {}
        (true, QoS::AtLeastOnce | QoS::ExactlyOnce) => {
            let outcome = if session.acknowledge(item.generation, &item.publish) { "acknowledged" } else { "late" };
            count(outcome);
        }
        (false, QoS::AtMostOnce) => count("dropped"),
        (false, QoS::AtLeastOnce | QoS::ExactlyOnce) => count("failed"),
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("portico_mqtt_messages_total", "outcome" => outcome, "door" => "client").increment(1);
}
