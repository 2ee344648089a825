//! How fast a client may send.

use std::time::Duration;

use tokio::time::Instant;

/// So much may be saved up.
const BURST: Duration = Duration::from_secs(5);

/// A bucket of time: each unit costs some, and time fills it. A client that sends faster is read more slowly, and its own
/// socket makes it wait: nothing is lost, and an honest burst (all topics after a reconnect) passes at once.
#[derive(Debug)]
pub(super) struct Pace {
    cost: Duration,
    free_at: Instant,
}

impl Pace {
    pub fn new(per_s: u32) -> Self {
        let now = Instant::now();
        // A new client has its burst: it subscribes to everything at once.
        Self { cost: Duration::from_secs(1) / per_s.max(1), free_at: now.checked_sub(BURST).unwrap_or(now) }
    }

    /// Pays for so many units now.
    pub fn pay(&mut self, now: Instant, units: usize) {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.free_at = self.free_at.max(earliest) + self.cost.saturating_mul(units);
    }

    /// When the next message may be read.
    pub const fn free_at(&self) -> Instant {
        self.free_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_and_a_flood_is_slowed_to_the_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(10);
        let later = start + Duration::from_secs(60);
        pace.pay(later, 50);
        assert!(pace.free_at() <= later, "five seconds' worth at once");
        pace.pay(later, 20);
        assert_eq!(pace.free_at(), later + Duration::from_secs(2));
    }
}
