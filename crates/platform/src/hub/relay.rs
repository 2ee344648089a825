//! What the servers of one installation tell each other. They share the database, not their memory: an event committed
//! by one must reach the browsers of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portico_model::{ServiceKeyId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::Publication;

/// One server to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // nearly all are publications
pub enum Relayed {
    Publication(Publication),
    CloseSession {
        session: SessionId,
    },
    CloseUser {
        user: UserId,
    },
    ReconnectUser {
        user: UserId,
    },
    CloseService {
        service: ServiceKeyId,
    },
    /// Something could not be relayed: clients must fetch snapshots.
    Missed,
}

/// Takes what the others must know; must not wait.
pub type Relay = Box<dyn Fn(Relayed) + Send + Sync>;

/// What waits to be told to the others.
pub struct RelayQueue {
    waiting: mpsc::Receiver<Relayed>,
    missed: Arc<AtomicBool>,
}

/// A relay for [`super::Hub::set_relay`] and the queue behind it. When the queue is full, because the broker is slow or
/// away, what comes is left out, and the others are told so ([`Relayed::Missed`]) as soon as they can be told anything.
#[must_use]
pub fn relay_queue(capacity: usize) -> (Relay, RelayQueue) {
    let (sender, waiting) = mpsc::channel(capacity);
    let missed = Arc::new(AtomicBool::new(false));
    let overflow = Arc::clone(&missed);
    let relay = Box::new(move |relayed| {
        if sender.try_send(relayed).is_err() {
            overflow.store(true, Ordering::SeqCst);
            metrics::counter!("portico_relay_dropped_total").increment(1);
        }
    });
    (relay, RelayQueue { waiting, missed })
}

impl RelayQueue {
    /// The next thing to tell; `None` when there is no hub any more. Loses nothing when cancelled.
    pub async fn next(&mut self) -> Option<Relayed> {
        let next = self.waiting.recv().await?;
        // The notice replaces one message of the queue; it makes good for that one too, unless that ends a session.
        let may_be_replaced = matches!(next, Relayed::Publication(_));
        if may_be_replaced && self.missed.swap(false, Ordering::SeqCst) {
            return Some(Relayed::Missed);
        }
        Some(next)
    }
}
