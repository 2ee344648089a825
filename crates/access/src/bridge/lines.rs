//! Who is connected to the bridge, and what each has asked to hear.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::mpsc;

use super::held;

/// Messages that may wait for a slow device; more are lost, as with QoS 0.
const WAITING: usize = 16;

/// Topic and payload.
pub type Line = (&'static str, Vec<u8>);

#[derive(Default)]
pub struct Lines(Mutex<HashMap<u64, Subscriber>>);

struct Subscriber {
    topics: Vec<&'static str>,
    out: mpsc::Sender<Line>,
}

impl Lines {
    /// A new connection, of which nothing is known yet.
    pub fn open(&self, number: u64) -> mpsc::Receiver<Line> {
        let (out, waits) = mpsc::channel(WAITING);
        held(&self.0).insert(number, Subscriber { topics: Vec::new(), out });
        waits
    }

    pub fn subscribe(&self, number: u64, topic: &'static str) {
        if let Some(subscriber) = held(&self.0).get_mut(&number)
            && !subscriber.topics.contains(&topic)
        {
            subscriber.topics.push(topic);
        }
    }

    pub fn close(&self, number: u64) {
        held(&self.0).remove(&number);
    }

    pub fn len(&self) -> usize {
        held(&self.0).len()
    }

    /// To all who listen there: the topics are shared, and each device looks for its own name.
    pub fn publish(&self, topic: &'static str, payload: Vec<u8>) {
        for subscriber in held(&self.0).values().filter(|subscriber| subscriber.topics.contains(&topic)) {
            if subscriber.out.try_send((topic, payload.clone())).is_err() {
                metrics::counter!("portico_bridge_lost_total").increment(1);
            }
        }
    }
}
