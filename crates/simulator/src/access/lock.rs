//! A simulated lock: a bolt that may stick, a light, a battery.

use serde_json::{Value, json};

use super::{Body, Say, Touch};

/// What the light shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Led {
    /// Locked.
    Red,
    /// Unlocked.
    Green,
    /// Jammed.
    Blinking,
}

impl Led {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
            Self::Blinking => "blinking",
        }
    }
}

/// Below this a battery is to be changed, percent.
const LOW_BATTERY: f64 = 15.0;

/// A move of the bolt costs that much, percent: some 5,000 moves from a set of cells.
const MOVE_COSTS: f64 = 0.02;

#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    is_locked: bool,
    /// Half out: neither.
    is_stuck: bool,
    sticks: bool,
    battery: f64,
    locks_at_ms: Option<u64>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { is_locked: true, is_stuck: false, sticks: false, battery: 100.0, locks_at_ms: None }
    }
}

impl Lock {
    /// As in heartbeats and answers.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.is_stuck, self.is_locked) {
            (true, _) => "jammed",
            (false, true) => "locked",
            (false, false) => "unlocked",
        }
    }

    #[must_use]
    pub const fn led(&self) -> Led {
        match (self.is_stuck, self.is_locked) {
            (true, _) => Led::Blinking,
            (false, true) => Led::Red,
            (false, false) => Led::Green,
        }
    }

    fn drive(&mut self, lock: bool) -> bool {
        if self.is_locked == lock && !self.is_stuck {
            return true;
        }
        self.battery = (self.battery - MOVE_COSTS).max(0.0);
        self.is_stuck = self.sticks || self.battery <= 0.0;
        if !self.is_stuck {
            self.is_locked = lock;
        }
        !self.is_stuck
    }
}

impl Body for Lock {
    fn obey(&mut self, name: &str, args: &Value, now_ms: u64) -> Vec<Say> {
        let lock = match name {
            "lock" => true,
            "unlock" => false,
            // It has no Bluetooth: nothing that it could let in is left to refuse.
            "revoke_grant" | "revoke_grants" => return vec![Say::Ack(json!({ "result": "ok" }))],
            "set_code" | "remove_code" => return vec![Say::Ack(json!({ "result": "ok" }))],
            _ => return vec![Say::Ack(json!({ "result": "failed", "error": "unknown command" }))],
        };
        let moved = self.drive(lock);
        self.locks_at_ms = match args["for_s"].as_u64() {
            Some(seconds) if moved && !lock => Some(now_ms + seconds.saturating_mul(1_000)),
            _ => None,
        };
        let state = self.state();
        vec![Say::Ack(if moved {
            json!({ "result": "ok", "state": state })
        } else {
            json!({ "result": "failed", "state": state, "error": "the bolt is stuck" })
        })]
    }

    fn touch(&mut self, touch: &Touch, _now_ms: u64) -> Vec<Say> {
        match touch {
            Touch::Jam(sticks) => {
                self.sticks = *sticks;
                if !sticks && self.is_stuck {
                    self.is_stuck = false;
                    return vec![Say::Status];
                }
                Vec::new()
            }
            Touch::Battery(percent) => {
                self.battery = percent.clamp(0.0, 100.0);
                vec![Say::Status]
            }
            Touch::Turn(lock) => {
                self.drive(*lock);
                vec![
                    Say::Event(json!({ "type": "lock_state", "state": self.state(), "method": "manual" })),
                    Say::Status,
                ]
            }
            Touch::Show { .. } | Touch::Door { .. } => Vec::new(),
        }
    }

    fn pass(&mut self, now_ms: u64, _connected: bool) -> Vec<Say> {
        if self.locks_at_ms.is_none_or(|at| now_ms < at) {
            return Vec::new();
        }
        self.locks_at_ms = None;
        self.drive(true);
        vec![Say::Event(json!({ "type": "lock_state", "state": self.state(), "method": "auto" })), Say::Status]
    }

    fn restart(&mut self) {
        // Without power nobody counts the seconds: it stays as it is until it is told again.
        self.locks_at_ms = None;
    }

    fn face(&self) -> Value {
        let mut face = json!({ "state": self.state(), "led": self.led().as_str(), "battery": self.battery.round() });
        if self.battery < LOW_BATTERY {
            face["issue"] = json!("Battery low");
        }
        if self.is_stuck {
            face["issue"] = json!("Bolt jammed");
        }
        face
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(says: &[Say]) -> (&str, &str) {
        let Some(Say::Ack(answer)) = says.last() else { panic!("no answer: {says:?}") };
        (answer["result"].as_str().unwrap(), answer["state"].as_str().unwrap_or_default())
    }

    #[test]
    fn bolt_follows_what_it_is_told_and_the_light_shows_it() {
        let mut lock = Lock::default();
        assert_eq!((lock.state(), lock.led()), ("locked", Led::Red));
        assert_eq!(answer(&lock.obey("unlock", &json!({}), 0)), ("ok", "unlocked"));
        assert_eq!(lock.led(), Led::Green);
        assert_eq!(answer(&lock.obey("dance", &json!({}), 0)).0, "failed");
        assert_eq!(answer(&lock.obey("lock", &json!({}), 0)), ("ok", "locked"));
    }

    #[test]
    fn stuck_bolt_is_told_until_it_is_freed() {
        let mut lock = Lock::default();
        lock.touch(&Touch::Jam(true), 0);
        assert_eq!(lock.state(), "locked", "nobody has moved it yet");
        assert_eq!(answer(&lock.obey("unlock", &json!({ "for_s": 1 }), 0)), ("failed", "jammed"));
        assert_eq!(lock.face()["issue"], "Bolt jammed");
        assert!(lock.pass(5_000, true).is_empty());
        assert_eq!(lock.touch(&Touch::Jam(false), 0), [Say::Status]);
        assert_eq!(answer(&lock.obey("unlock", &json!({}), 0)), ("ok", "unlocked"));
    }

    #[test]
    fn unlocked_for_a_while_it_locks_itself() {
        let mut lock = Lock::default();
        lock.obey("unlock", &json!({ "for_s": 5 }), 1_000);
        assert!(lock.pass(5_999, true).is_empty());
        assert_eq!(lock.pass(6_000, true).len(), 2);
        assert_eq!(lock.state(), "locked");
        lock.obey("unlock", &json!({ "for_s": 5 }), 1_000);
        lock.restart();
        assert!(lock.pass(60_000, true).is_empty());
        assert_eq!(lock.state(), "unlocked", "as the power cut found it");
    }

    #[test]
    fn low_battery_is_told_and_an_empty_one_moves_nothing() {
        let mut lock = Lock::default();
        lock.touch(&Touch::Battery(10.0), 0);
        assert_eq!(lock.face()["issue"], "Battery low");
        lock.touch(&Touch::Battery(0.0), 0);
        assert_eq!(answer(&lock.obey("unlock", &json!({}), 0)), ("failed", "jammed"));
    }
}
