//! How a rule judges one device, from one measurement to the next.

use super::{Condition, Side, Trend};
use crate::Timestamp;

/// How far a rule is with a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// All is well.
    #[default]
    Normal,
    /// Something is wrong, but not for long enough.
    Pending,
    /// The alarm is raised.
    Active,
}

impl Phase {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Pending => "pending",
            Self::Active => "active",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Normal, Self::Pending, Self::Active].into_iter().find(|phase| phase.as_str() == text)
    }
}

/// What a rule remembers of a device. It survives a restart, and every server goes on from it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RuleState {
    pub phase: Phase,
    /// Since when something is wrong: the time of the measurement, or of the last one.
    pub since: Option<Timestamp>,
    /// Time of the newest measurement judged: what is not newer changes nothing.
    pub last_ts: Option<Timestamp>,
    /// When something last came, by the server's clock.
    pub heard_at: Option<Timestamp>,
    /// When to look again although nothing comes. Looking too early does no harm.
    pub due_at: Option<Timestamp>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Raise {
        /// Since when it is so.
        since: Timestamp,
        /// The value that showed it, or by how much it changed.
        value: Option<f64>,
    },
    Clear {
        value: Option<f64>,
    },
}

impl RuleState {
    /// For a rule that has just begun to apply to a device.
    #[must_use]
    pub fn new(condition: &Condition, now: Timestamp) -> Self {
        let mut state = Self::default();
        if let Condition::Absence { after_s, .. } = condition {
            state.heard_at = Some(now);
            state.due_at = Some(now.plus_secs(*after_s));
        }
        state
    }

    /// A number came. `before` are the measurements of the key before it, oldest first, as far back as the window of a
    /// rate of change; others ignore them.
    pub fn measured(
        &mut self,
        condition: &Condition,
        ts: Timestamp,
        value: f64,
        before: &[(Timestamp, f64)],
        now: Timestamp,
    ) -> Option<Verdict> {
        // Late and repeated data tells nothing of the present.
        if self.last_ts.is_some_and(|last| ts <= last) {
            return None;
        }
        match condition {
            Condition::Threshold { side, limit, hysteresis, for_s, .. } => {
                self.came(ts, now);
                let beyond = match side {
                    Side::Above => value > *limit,
                    Side::Below => value < *limit,
                };
                let recovered = match side {
                    Side::Above => value <= limit - hysteresis,
                    Side::Below => value >= limit + hysteresis,
                };
                match self.phase {
                    Phase::Normal if beyond && *for_s == 0 => Some(self.raise(ts, Some(value))),
                    Phase::Normal if beyond => {
                        self.phase = Phase::Pending;
                        self.since = Some(ts);
                        // A device whose clock is behind must not be judged at once.
                        self.due_at = Some(ts.max(now).plus_secs(*for_s));
                        None
                    }
                    Phase::Pending if !beyond => {
                        self.rest();
                        None
                    }
                    Phase::Pending => {
                        let since = self.since.unwrap_or(ts);
                        let lasted = ts.millis_since(since) >= for_s.saturating_mul(1_000);
                        lasted.then(|| self.raise(since, Some(value)))
                    }
                    Phase::Active if recovered => Some(self.clear(Some(value))),
                    Phase::Normal | Phase::Active => None,
                }
            }
            Condition::Rate { trend, change, window_s, .. } => {
                self.came(ts, now);
                let seen = change_within(before, ts, value, *window_s, *trend);
                // Silence ends it too: nothing changes any more.
                self.due_at = None;
                match (self.phase, seen.abs() >= *change) {
                    (Phase::Active, true) => {
                        self.due_at = Some(now.plus_secs(*window_s));
                        None
                    }
                    (_, true) => {
                        let verdict = self.raise(ts, Some(seen));
                        self.due_at = Some(now.plus_secs(*window_s));
                        Some(verdict)
                    }
                    (Phase::Active, false) => Some(self.clear(Some(value))),
                    (_, false) => None,
                }
            }
            Condition::Absence { .. } | Condition::Connection { .. } => None,
        }
    }

    /// Anything came, however old: for rules about absence.
    pub fn heard(&mut self, condition: &Condition, now: Timestamp) -> Option<Verdict> {
        let Condition::Absence { after_s, .. } = condition else { return None };
        self.heard_at = self.heard_at.max(Some(now));
        match self.phase {
            Phase::Active => {
                self.phase = Phase::Normal;
                self.since = None;
                self.due_at = Some(now.plus_secs(*after_s));
                Some(Verdict::Clear { value: None })
            }
            // `due_at` stays: to look once in vain is cheaper than to write it with every message.
            Phase::Normal | Phase::Pending => {
                self.due_at = self.due_at.or_else(|| Some(now.plus_secs(*after_s)));
                None
            }
        }
    }

    /// The device came or went, for rules about its connection. `at`: when it was last heard.
    pub fn connection(
        &mut self,
        condition: &Condition,
        is_online: bool,
        at: Timestamp,
        now: Timestamp,
    ) -> Option<Verdict> {
        let Condition::Connection { after_s } = condition else { return None };
        match (self.phase, is_online) {
            (Phase::Active, true) => Some(self.clear(None)),
            (Phase::Pending, true) => {
                self.rest();
                None
            }
            (Phase::Normal, false) if *after_s == 0 => Some(self.raise(at, None)),
            (Phase::Normal, false) => {
                self.phase = Phase::Pending;
                self.since = Some(at);
                self.due_at = Some(now.plus_secs(*after_s));
                None
            }
            (Phase::Normal, true) | (Phase::Pending | Phase::Active, false) => None,
        }
    }

    /// Time has passed. To be called when `due_at` is reached; at any other time it does no harm.
    pub fn time_passed(&mut self, condition: &Condition, now: Timestamp) -> Option<Verdict> {
        let due = self.due_at?;
        if due > now {
            return None;
        }
        match (condition, self.phase) {
            // What was last measured holds until something else is.
            (Condition::Threshold { .. } | Condition::Connection { .. }, Phase::Pending) => {
                Some(self.raise(self.since.unwrap_or(due), None))
            }
            (Condition::Rate { .. }, Phase::Active) => Some(self.clear(None)),
            (Condition::Absence { after_s, .. }, Phase::Normal | Phase::Pending) => {
                let heard = self.heard_at.unwrap_or(due);
                let end = heard.plus_secs(*after_s);
                if end > now {
                    self.due_at = Some(end);
                    return None;
                }
                Some(self.raise(heard, None))
            }
            _ => {
                self.due_at = None;
                None
            }
        }
    }

    fn came(&mut self, ts: Timestamp, now: Timestamp) {
        self.last_ts = Some(ts);
        self.heard_at = self.heard_at.max(Some(now));
    }

    fn raise(&mut self, since: Timestamp, value: Option<f64>) -> Verdict {
        self.phase = Phase::Active;
        self.since = Some(since);
        self.due_at = None;
        Verdict::Raise { since, value }
    }

    fn clear(&mut self, value: Option<f64>) -> Verdict {
        self.rest();
        Verdict::Clear { value }
    }

    fn rest(&mut self) {
        self.phase = Phase::Normal;
        self.since = None;
        self.due_at = None;
    }
}

/// The largest change, in the direction asked for, from any measurement within the window to this one.
fn change_within(before: &[(Timestamp, f64)], ts: Timestamp, value: f64, window_s: i64, trend: Trend) -> f64 {
    let from = ts.plus_secs(-window_s);
    let changes = before.iter().rev().skip_while(|(at, _)| *at >= ts).take_while(|(at, _)| *at >= from);
    changes
        .map(|(_, earlier)| value - earlier)
        .filter(|change| match trend {
            Trend::Rise => *change > 0.0,
            Trend::Fall => *change < 0.0,
            Trend::Either => true,
        })
        .fold(0.0, |largest: f64, change| if change.abs() > largest.abs() { change } else { largest })
}

/// One alarm that a rule would have raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    pub raised_at: Timestamp,
    /// Absent: it would still be open.
    pub cleared_at: Option<Timestamp>,
}

/// What a condition would have done with these measurements, oldest first, had each come when it was made.
#[must_use]
pub fn simulate(condition: &Condition, points: &[(Timestamp, f64)], from: Timestamp, to: Timestamp) -> Vec<Firing> {
    let mut state = RuleState::new(condition, from);
    let mut firings: Vec<Firing> = Vec::new();
    let mut note = |verdict: Option<Verdict>, at: Timestamp| match verdict {
        Some(Verdict::Raise { .. }) => firings.push(Firing { raised_at: at, cleared_at: None }),
        Some(Verdict::Clear { .. }) => {
            if let Some(open) = firings.last_mut() {
                open.cleared_at = Some(at);
            }
        }
        None => {}
    };
    let pass = |state: &mut RuleState, until: Timestamp, note: &mut dyn FnMut(Option<Verdict>, Timestamp)| {
        while let Some(due) = state.due_at.filter(|due| *due <= until) {
            let verdict = state.time_passed(condition, due);
            note(verdict, due);
            if state.due_at == Some(due) {
                break;
            }
        }
    };
    for (number, (ts, value)) in points.iter().enumerate() {
        pass(&mut state, *ts, &mut note);
        note(state.heard(condition, *ts), *ts);
        note(state.measured(condition, *ts, *value, points.get(..number).unwrap_or_default(), *ts), *ts);
    }
    pass(&mut state, to, &mut note);
    firings
}
