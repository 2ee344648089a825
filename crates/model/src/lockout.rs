//! When too many failed sign-ins lock a name, and for how long. Who shares a counter is decided by the identity domain
//! (after OWASP, "Slow Down Online Guessing Attacks with Device Cookies").

use crate::Timestamp;

/// How many failures within which time lock, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// This many failures lock.
    pub failures: i64,
    /// Failures are forgotten this long after the first of them.
    pub window_ms: i64,
    pub lock_ms: i64,
}

/// The failures counted for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    pub failures: i64,
    pub window_ends_at: Timestamp,
    pub locked_until: Timestamp,
}

impl FailureCount {
    /// Nothing has failed yet.
    pub const NONE: Self =
        Self { failures: 0, window_ends_at: Timestamp::from_millis(0), locked_until: Timestamp::from_millis(0) };

    /// How much longer it stays locked, milliseconds; `None` when it is not.
    #[must_use]
    pub const fn locked_for_ms(&self, now: Timestamp) -> Option<i64> {
        let remaining = self.locked_until.millis_since(now);
        if remaining > 0 { Some(remaining) } else { None }
    }

    /// The count after one more failure.
    #[must_use]
    pub const fn after_failure(self, policy: LockoutPolicy, now: Timestamp) -> Self {
        let window_open = self.failures > 0 && now.millis() < self.window_ends_at.millis();
        let (failures, window_ends_at) =
            if window_open { (self.failures + 1, self.window_ends_at) } else { (1, now.plus_millis(policy.window_ms)) };
        if failures >= policy.failures {
            // The count begins anew once the lock is over.
            let locked_until = now.plus_millis(policy.lock_ms);
            return Self { failures: 0, window_ends_at: locked_until, locked_until };
        }
        Self { failures, window_ends_at, locked_until: Timestamp::from_millis(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LockoutPolicy = LockoutPolicy { failures: 3, window_ms: 60_000, lock_ms: 900_000 };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + milliseconds)
    }

    #[test]
    fn last_allowed_failure_locks_and_the_lock_ends() {
        let two = FailureCount::NONE.after_failure(POLICY, at(0)).after_failure(POLICY, at(1));
        assert_eq!(two.locked_for_ms(at(1)), None);
        let three = two.after_failure(POLICY, at(2));
        assert_eq!(three.locked_for_ms(at(2)), Some(900_000));
        assert_eq!(three.locked_for_ms(at(900_001)), Some(1));
        assert_eq!(three.locked_for_ms(at(900_002)), None);
    }

    #[test]
    fn failures_far_apart_never_lock() {
        let mut count = FailureCount::NONE;
        for step in 0..20 {
            count = count.after_failure(POLICY, at(step * 60_000));
            assert_eq!(count.failures, 1);
            assert_eq!(count.locked_for_ms(at(step * 60_000)), None);
        }
    }

    #[test]
    fn after_a_lock_the_count_begins_anew() {
        let mut count = FailureCount::NONE;
        for _ in 0..3 {
            count = count.after_failure(POLICY, at(0));
        }
        let next = count.after_failure(POLICY, at(900_001));
        assert_eq!((next.failures, next.locked_for_ms(at(900_001))), (1, None));
    }
}
