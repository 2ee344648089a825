//! One connection's place in the hub: what it follows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::mailbox::{Mailbox, SlotId};
use super::{Channel, Hub, lock};
use crate::actor::Actor;
use crate::error::Result;

/// A connection's place in the hub; left when dropped.
pub struct Connection {
    hub: Hub,
    id: u64,
    mailbox: Arc<Mailbox>,
    next_slot: AtomicU64,
    followed: Mutex<HashMap<Arc<str>, Subscription>>,
}

struct Subscription {
    channel: Channel,
    slot: SlotId,
}

/// The state of a topic, and the number of the last event it is sure to include.
#[derive(Debug)]
pub struct Snapshot {
    pub topic: Arc<str>,
    pub seq: u64,
    pub data: Value,
    /// For [`Connection::release`].
    pub slot: SlotId,
}

impl Connection {
    pub(super) fn new(hub: Hub, id: u64, mailbox: Arc<Mailbox>) -> Self {
        Self { hub, id, mailbox, next_slot: AtomicU64::new(0), followed: Mutex::default() }
    }

    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Begins to follow a topic, or begins anew; one at a time per topic. Events are held back until [`Connection::release`] is called with the
    /// snapshot. The position is taken before the state is read, so an event in between comes again after the
    /// snapshot; events carry whole state, so that does no harm.
    ///
    /// # Errors
    /// Not found or forbidden, as the domain decides; the topic is not followed then.
    pub async fn subscribe(&self, actor: &Actor, topic: &str) -> Result<Snapshot> {
        let source = self.hub.source_of(topic)?;
        let channel = match source.resolve(actor, topic).await {
            Ok(channel) => channel,
            Err(error) => {
                self.unsubscribe(topic);
                return Err(error);
            }
        };
        let (topic, slot) = (Arc::<str>::from(topic), self.next_slot.fetch_add(1, Ordering::Relaxed));
        let earlier = {
            let mut followed = lock(&self.followed);
            followed.insert(Arc::clone(&topic), Subscription { channel: channel.clone(), slot })
        };
        if let Some(earlier) = earlier {
            self.end(&earlier);
        }
        self.mailbox.open(slot, Arc::clone(&topic));
        let seq = self.hub.join(&channel, &topic, (self.id, slot), &self.mailbox);
        match source.snapshot(actor, &topic).await {
            Ok(data) => Ok(Snapshot { topic, seq, data, slot }),
            Err(error) => {
                let mut followed = lock(&self.followed);
                // Unless it was begun anew meanwhile.
                if followed.get(&topic).is_some_and(|subscription| subscription.slot == slot)
                    && let Some(subscription) = followed.remove(&topic)
                {
                    self.end(&subscription);
                }
                Err(error)
            }
        }
    }

    /// The snapshot has been sent: what happened since may follow.
    pub fn release(&self, slot: SlotId) {
        self.mailbox.release(slot);
    }

    /// Ends following a topic; nothing of it comes any more.
    pub fn unsubscribe(&self, topic: &str) {
        if let Some(subscription) = lock(&self.followed).remove(topic) {
            self.end(&subscription);
        }
    }

    #[must_use]
    pub fn follows(&self, topic: &str) -> bool {
        lock(&self.followed).contains_key(topic)
    }

    #[must_use]
    pub fn topic_count(&self) -> usize {
        lock(&self.followed).len()
    }

    fn end(&self, subscription: &Subscription) {
        self.hub.leave(&subscription.channel, (self.id, subscription.slot));
        self.mailbox.forget(subscription.slot);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for (_, subscription) in lock(&self.followed).drain() {
            self.hub.leave(&subscription.channel, (self.id, subscription.slot));
        }
        self.hub.disconnect(self.id);
    }
}
