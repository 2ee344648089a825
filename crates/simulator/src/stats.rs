//! What the simulator has done so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters shared by all devices.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)+
        }

        /// A copy of the counters at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct Summary {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Stats {
            /// What has happened until now.
            #[must_use]
            pub fn summary(&self) -> Summary {
                Summary { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Connections made, the first and each after a loss.
    connections,
    /// Connections lost or cut.
    disconnections,
    /// Messages handed to the network, repetitions included.
    published,
    /// Messages the broker acknowledged: stored.
    acknowledged,
    /// Values in the telemetry messages made (not counting repetitions).
    points,
    /// Heartbeats sent.
    heartbeats,
    /// Messages left out, as a fault.
    dropped,
    /// Messages sent twice, as a fault.
    duplicated,
    /// Messages sent after their successor, as a fault.
    reordered,
    /// Messages that were no JSON, as a fault.
    garbage,
    /// Commands received, repetitions included.
    commands,
    /// Restarts: told, after an update, or after a power cut.
    restarts,
    /// Messages given up because a device was away too long.
    overflowed,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }

    pub(crate) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages sent, {} acknowledged, {} values, {} heartbeats; {} connections, {} lost; \
             faults: {} dropped, {} sent twice, {} late, {} garbage, {} given up",
            self.published,
            self.acknowledged,
            self.points,
            self.heartbeats,
            self.connections,
            self.disconnections,
            self.dropped,
            self.duplicated,
            self.reordered,
            self.garbage,
            self.overflowed
        )
    }
}
