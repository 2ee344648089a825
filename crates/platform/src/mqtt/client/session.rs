//! What is under way on the present connection: publications that wait for their acknowledgement, and the number of
//! the connection, without which an acknowledgement of ours could name a message of a later one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rumqttc::{AsyncClient, EventLoop, Publish, QoS};
use tokio::sync::oneshot;

use super::away;
use crate::error::Result;

/// Shared by the connection's loop, those who publish and those who acknowledge. Its lock is held while a request goes
/// into the client's queue, so that a request is either of this connection or thrown away with it.
#[derive(Clone, Default)]
pub(super) struct Session(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// `None` while there is no connection.
    client: Option<AsyncClient>,
    /// Counts the connections.
    generation: u64,
    /// In the order in which they were handed to the client, which numbers them in that order.
    handed_over: VecDeque<oneshot::Sender<()>>,
    /// By packet id.
    sent: HashMap<u16, oneshot::Sender<()>>,
}

impl Session {
    pub(super) fn connected(&self, client: &AsyncClient) {
        let mut state = self.state();
        state.generation += 1;
        state.client = Some(client.clone());
    }

    /// Ends the connection for everybody who waits on it, and empties the client's queues.
    pub(super) fn disconnected(&self, events: &mut EventLoop) {
        let mut state = self.state();
        state.client = None;
        state.generation += 1;
        // Dropping a sender tells its receiver.
        state.handed_over.clear();
        state.sent.clear();
        events.clean();
        events.pending.clear();
        events.state.collision = None;
        events.state.events.clear();
    }

    pub(super) fn generation(&self) -> u64 {
        self.state().generation
    }

    /// QoS 0: done when the client has it.
    pub(super) fn send(&self, topic: &str, payload: Bytes, retain: bool) -> Result<()> {
        let state = self.state();
        let client = state.client.as_ref().ok_or_else(away)?;
        // Full only when the network takes nothing; such a message is dropped.
        client.try_publish(topic, QoS::AtMostOnce, retain, payload).map_err(|_| away())
    }

    /// QoS 1 or 2: the receiver hears when the broker has it, or is dropped with the connection.
    pub(super) fn send_acknowledged(
        &self,
        topic: &str,
        payload: Bytes,
        qos: QoS,
        retain: bool,
    ) -> Result<oneshot::Receiver<()>> {
        let mut state = self.state();
        let client = state.client.as_ref().ok_or_else(away)?;
        client.try_publish(topic, qos, retain, payload).map_err(|_| away())?;
        let (done, wait) = oneshot::channel();
        state.handed_over.push_back(done);
        Ok(wait)
    }

    /// The client has numbered and sent a publication; 0 is one without acknowledgement.
    pub(super) fn sent(&self, packet_id: u16) {
        let mut state = self.state();
        if packet_id != 0
            && !state.sent.contains_key(&packet_id)
            && let Some(waiting) = state.handed_over.pop_front()
        {
            state.sent.insert(packet_id, waiting);
        }
    }

    pub(super) fn acknowledged(&self, packet_id: u16) {
        if let Some(waiting) = self.state().sent.remove(&packet_id) {
            // Nobody waits any more when it took too long.
            let _ = waiting.send(());
        }
    }

    /// Acknowledges a message to the broker if this is still the connection it came on; otherwise it comes again.
    pub(super) fn acknowledge(&self, generation: u64, publish: &Publish) -> bool {
        let state = self.state();
        state.generation == generation && state.client.as_ref().is_some_and(|client| client.try_ack(publish).is_ok())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
