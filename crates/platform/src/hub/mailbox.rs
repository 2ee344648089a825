//! What waits for one connection. Bounded: telemetry that is not read in time gives way to newer telemetry, and a client
//! that falls too far behind on anything else is told to fetch a snapshot. Pushing never waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

use super::{Delivery, lock};

/// State changes that may wait for one connection, all topics together. When full, the topic that overflows is
/// discarded and its client told to fetch a snapshot.
const STATE_FRAMES: usize = 1_024;
const STATE_BYTES: usize = 4 * 1024 * 1024;
/// Telemetry frames that may wait for one topic: a burst within the moment a healthy client needs to wake up is not
/// yet lag. When full, all but the newest are left out.
const LATEST_FRAMES: usize = 16;
/// Telemetry that may wait for one connection, all topics together. When full, a topic keeps only its newest.
const LATEST_BYTES: usize = 2 * 1024 * 1024;

/// A subscription within one connection; never used again.
pub type SlotId = u64;

/// One event as it goes out.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub seq: u64,
    pub text: Utf8Bytes,
    pub delivery: Delivery,
}

/// Something for the client, in the order to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    Frame(Utf8Bytes),
    /// So many older values of the topic were left out; the next event has `seq + 1`.
    Lagged {
        topic: Arc<str>,
        dropped: u64,
        seq: u64,
    },
    /// Everything that waited for the topic was discarded; the client must subscribe again.
    Resync {
        topic: Arc<str>,
    },
}

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The session is over, or a key is no longer good.
    SessionEnded,
    /// The session goes on, but may see less than before: connect again.
    RightsChanged,
}

/// The queue between the hub and one connection.
#[derive(Default)]
pub struct Mailbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    slots: HashMap<SlotId, Slot>,
    /// Slots with something to send, each at most once.
    ready: VecDeque<SlotId>,
    state_frames: usize,
    state_bytes: usize,
    latest_bytes: usize,
    closed: Option<CloseReason>,
}

struct Slot {
    topic: Arc<str>,
    waiting: VecDeque<Waiting>,
    latest_frames: usize,
    /// Until the snapshot has gone out.
    held: bool,
    is_ready: bool,
    /// Overflowed: nothing more goes out but the notice.
    broken: bool,
}

struct Waiting {
    frame: Frame,
    /// How many frames between the one before and this one were left out.
    dropped_before: u64,
}

impl Mailbox {
    /// A new subscription, whose frames are held back until [`Mailbox::release`].
    pub(super) fn open(&self, slot: SlotId, topic: Arc<str>) {
        let slot_state =
            Slot { topic, waiting: VecDeque::new(), latest_frames: 0, held: true, is_ready: false, broken: false };
        lock(&self.state).slots.insert(slot, slot_state);
    }

    /// The snapshot is out; what waited may follow.
    pub(super) fn release(&self, slot: SlotId) {
        let mut state = lock(&self.state);
        let Some(entry) = state.slots.get_mut(&slot) else { return };
        entry.held = false;
        if entry.broken || !entry.waiting.is_empty() {
            self.make_ready(&mut state, slot);
        }
    }

    /// Ends a subscription; what waited for it is dropped.
    pub(super) fn forget(&self, slot: SlotId) {
        let mut state = lock(&self.state);
        state.discard_waiting(slot);
        state.slots.remove(&slot);
    }

    pub(super) fn push(&self, slot: SlotId, frame: Frame) {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let Some(entry) = state.slots.get_mut(&slot).filter(|entry| !entry.broken) else { return };
        let bytes = frame.text.len();
        let mut dropped_before = 0;
        match frame.delivery {
            Delivery::Latest => {
                if entry.latest_frames >= LATEST_FRAMES || state.latest_bytes + bytes > LATEST_BYTES {
                    let (dropped, freed) = entry.leave_out_latest();
                    dropped_before = dropped;
                    state.latest_bytes -= freed;
                }
                entry.latest_frames += 1;
                state.latest_bytes += bytes;
            }
            Delivery::Every if state.state_frames >= STATE_FRAMES || state.state_bytes + bytes > STATE_BYTES => {
                return self.break_off(&mut guard, slot);
            }
            Delivery::Every => {
                state.state_frames += 1;
                state.state_bytes += bytes;
            }
        }
        entry.waiting.push_back(Waiting { frame, dropped_before });
        self.make_ready(&mut guard, slot);
    }

    /// Discards what waits for a subscription and tells its client to fetch a snapshot.
    pub(super) fn resync(&self, slot: SlotId) {
        self.break_off(&mut lock(&self.state), slot);
    }

    pub(super) fn resync_all(&self) {
        let mut state = lock(&self.state);
        let slots: Vec<SlotId> = state.slots.keys().copied().collect();
        for slot in slots {
            self.break_off(&mut state, slot);
        }
    }

    /// The connection is to end.
    pub(super) fn close(&self, reason: CloseReason) {
        lock(&self.state).closed = Some(reason);
        self.changed.notify_one();
    }

    /// Adds up to `most` things to `out`; waits until there is one. May be cancelled at any time without loss.
    ///
    /// # Errors
    /// The reason, when the connection is to end; what waited is of no use then.
    pub async fn take(&self, out: &mut Vec<Outgoing>, most: usize) -> Result<(), CloseReason> {
        loop {
            {
                let mut state = lock(&self.state);
                if let Some(reason) = state.closed {
                    return Err(reason);
                }
                state.drain(out, most);
                if !out.is_empty() {
                    return Ok(());
                }
            }
            self.changed.notified().await;
        }
    }

    fn break_off(&self, state: &mut State, slot: SlotId) {
        state.discard_waiting(slot);
        if let Some(entry) = state.slots.get_mut(&slot).filter(|entry| !entry.broken) {
            entry.broken = true;
            metrics::counter!("portico_live_resyncs_total").increment(1);
            self.make_ready(state, slot);
        }
    }

    fn make_ready(&self, state: &mut State, slot: SlotId) {
        if let Some(entry) = state.slots.get_mut(&slot).filter(|entry| !entry.held && !entry.is_ready) {
            entry.is_ready = true;
            state.ready.push_back(slot);
            // Whoever finds slots before his own need not wake the connection again.
            if state.ready.len() == 1 {
                self.changed.notify_one();
            }
        }
    }
}

impl State {
    fn drain(&mut self, out: &mut Vec<Outgoing>, most: usize) {
        while out.len() < most {
            let Some(slot) = self.ready.pop_front() else { return };
            let Some(entry) = self.slots.get_mut(&slot) else { continue };
            if entry.broken {
                entry.is_ready = false;
                out.push(Outgoing::Resync { topic: Arc::clone(&entry.topic) });
                continue;
            }
            while out.len() < most {
                let Some(Waiting { frame, dropped_before }) = entry.waiting.pop_front() else { break };
                match frame.delivery {
                    Delivery::Every => {
                        self.state_frames -= 1;
                        self.state_bytes -= frame.text.len();
                    }
                    Delivery::Latest => {
                        entry.latest_frames -= 1;
                        self.latest_bytes -= frame.text.len();
                    }
                }
                if dropped_before > 0 {
                    metrics::counter!("portico_live_dropped_total").increment(dropped_before);
                    let (topic, seq) = (Arc::clone(&entry.topic), frame.seq.saturating_sub(1));
                    out.push(Outgoing::Lagged { topic, dropped: dropped_before, seq });
                }
                out.push(Outgoing::Frame(frame.text));
            }
            entry.is_ready = !entry.waiting.is_empty();
            if entry.is_ready {
                self.ready.push_back(slot);
            }
        }
    }

    fn discard_waiting(&mut self, slot: SlotId) {
        let Some(entry) = self.slots.get_mut(&slot) else { return };
        for Waiting { frame, .. } in entry.waiting.drain(..) {
            match frame.delivery {
                Delivery::Every => {
                    self.state_frames -= 1;
                    self.state_bytes -= frame.text.len();
                }
                Delivery::Latest => self.latest_bytes -= frame.text.len(),
            }
        }
        entry.latest_frames = 0;
    }
}

impl Slot {
    /// Leaves out the telemetry that waits, never a state change. Returns how many frames are missing before the next
    /// one to come, and the bytes freed.
    fn leave_out_latest(&mut self) -> (u64, usize) {
        let (mut dropped, mut freed) = (0, 0);
        self.waiting.retain_mut(|waiting| {
            dropped += waiting.dropped_before;
            if waiting.frame.delivery == Delivery::Latest {
                dropped += 1;
                freed += waiting.frame.text.len();
                false
            } else {
                waiting.dropped_before = std::mem::take(&mut dropped);
                true
            }
        });
        self.latest_frames = 0;
        (dropped, freed)
    }
}
