//! What raises alarms about devices: conditions, to which devices they apply, and how a condition is judged from one
//! measurement to the next. Pure: the caller brings the time, keeps the state, and does what the verdict says.

mod judge;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::problem::FieldError;
use crate::{AlarmRuleId, DeviceId, GroupId, Timestamp};

pub use judge::{Firing, Phase, RuleState, Verdict, simulate};

const DAY_S: i64 = 86_400;

/// Longest time a threshold may have to be exceeded, or a device away, before the alarm is raised, seconds.
pub const MAX_DELAY_S: i64 = DAY_S;

/// Shortest and longest silence that an absence rule may wait for, seconds.
pub const ABSENCE_S: (i64, i64) = (5, 30 * DAY_S);

/// Shortest and longest window of a rate of change, seconds.
pub const RATE_WINDOW_S: (i64, i64) = (5, 3_600);

/// Which side of a limit is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Side {
    Above,
    Below,
}

impl Side {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

/// Which way a value must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Trend {
    Rise,
    Fall,
    Either,
}

impl Trend {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rise => "rise",
            Self::Fall => "fall",
            Self::Either => "either",
        }
    }
}

/// What a rule looks for. Booleans count as 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Condition {
    /// A value beyond a limit for some time; over when it is back by the hysteresis.
    Threshold {
        key: String,
        side: Side,
        limit: f64,
        /// How far back on the good side of the limit the value must be before the alarm clears, in its unit.
        #[serde(default)]
        hysteresis: f64,
        /// How long it must last before the alarm is raised, seconds, 0 to 86,400.
        #[serde(default)]
        for_s: i64,
    },
    /// Nothing came for so long.
    Absence {
        /// Absent: nothing at all from the device.
        #[serde(default)]
        key: Option<String>,
        /// Seconds, 5 to 2,592,000.
        after_s: i64,
    },
    /// A value that changes too fast.
    Rate {
        key: String,
        trend: Trend,
        /// At least this much, in the value's unit …
        change: f64,
        /// … within so many seconds, 5 to 3,600.
        window_s: i64,
    },
    /// The device is offline.
    Connection {
        /// For so long, seconds, 0 to 86,400.
        #[serde(default)]
        after_s: i64,
    },
}

/// To which devices a rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Scope {
    Device { device_id: DeviceId },
    Group { group_id: GroupId },
    Type { device_type: String },
}

impl Scope {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Group { .. } => "group",
            Self::Type { .. } => "type",
        }
    }
}

/// Who is told when an alarm is raised. When it escalates, everyone is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Tell {
    /// The owner of what it is about, and everyone who watches all alarms.
    #[default]
    Everyone,
    /// The owner alone.
    Owner,
}

impl Tell {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Owner => "owner",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Everyone, Self::Owner].into_iter().find(|tell| tell.as_str() == text)
    }
}

/// What a new rule is to be, or a changed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "name": "Freezer too warm",
    "condition": {"kind": "threshold", "key": "temperature", "side": "above", "limit": -15.0, "hysteresis": 1.0, "for_s": 60},
    "scope": {"kind": "type", "device_type": "freezer"},
    "severity": "warning",
    "tell": "everyone",
    "escalate_after_s": 900,
    "repeat_every_s": 1800
})))]
pub struct NewRule {
    /// 1 to 100 characters: the title of its alarms.
    pub name: String,
    pub condition: Condition,
    pub scope: Scope,
    pub severity: Severity,
    #[serde(default = "yes")]
    pub is_enabled: bool,
    #[serde(default)]
    pub tell: Tell,
    /// Nobody acknowledged it for so long: it becomes more severe and everyone is told. Seconds, 60 to 604,800.
    #[serde(default)]
    pub escalate_after_s: Option<i64>,
    /// Until somebody acknowledges it, people are told again. Seconds, 60 to 604,800.
    #[serde(default)]
    pub repeat_every_s: Option<i64>,
}

const fn yes() -> bool {
    true
}

/// What raises alarms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct AlarmRule {
    pub id: AlarmRuleId,
    #[serde(flatten)]
    pub rule: NewRule,
    /// The name of the device or group, or the type; empty when it is gone.
    #[cfg_attr(feature = "server", schema(example = "freezer"))]
    pub scope_name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A line in a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Threshold {
    pub rule_id: AlarmRuleId,
    #[cfg_attr(feature = "server", schema(example = "Freezer too warm"))]
    pub name: String,
    #[cfg_attr(feature = "server", schema(example = "temperature"))]
    pub key: String,
    pub side: Side,
    #[cfg_attr(feature = "server", schema(example = -15.0))]
    pub limit: f64,
    pub severity: Severity,
}

/// What a condition would have done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Preview {
    pub from: Timestamp,
    pub to: Timestamp,
    /// How often it would have raised an alarm; absent where the past is not known (connection).
    #[cfg_attr(feature = "server", schema(example = 3))]
    pub alarms: Option<i64>,
    /// Of so many devices that were looked at …
    #[cfg_attr(feature = "server", schema(example = 12))]
    pub devices_looked_at: i64,
    /// … of so many to which it applies.
    #[cfg_attr(feature = "server", schema(example = 12))]
    pub devices: i64,
    /// Whether a device had more measurements than were looked at; the newest count.
    pub is_partial: bool,
}

impl Condition {
    /// For programs, and as the kind of its alarms.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Threshold { .. } => "threshold",
            Self::Absence { .. } => "absence",
            Self::Rate { .. } => "rate",
            Self::Connection { .. } => "connection",
        }
    }

    /// The key it looks at; `None` when it looks at none, or at all.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Threshold { key, .. } | Self::Rate { key, .. } => Some(key),
            Self::Absence { key, .. } => key.as_deref(),
            Self::Connection { .. } => None,
        }
    }

    /// Whether measurements matter to it.
    #[must_use]
    pub const fn watches_telemetry(&self) -> bool {
        !matches!(self, Self::Connection { .. })
    }

    /// What is wrong with it; empty when it can be used.
    #[must_use]
    pub fn mistakes(&self) -> Vec<FieldError> {
        let mut mistakes = Vec::new();
        let mut check = |kept: bool, field: &str, message: String| {
            if !kept {
                mistakes.push(FieldError::new(field, message));
            }
        };
        let is_key = |key: &str| (1..=128).contains(&key.chars().count()) && !key.contains(char::is_control);
        const KEY: &str = "the name of a measured value, 1 to 128 characters";
        let seconds = |(least, most): (i64, i64)| format!("{least} to {most} seconds");
        match self {
            Self::Threshold { key, limit, hysteresis, for_s, .. } => {
                check(is_key(key), "condition.key", KEY.to_owned());
                check(limit.is_finite(), "condition.limit", "a number".to_owned());
                let fits = hysteresis.is_finite() && *hysteresis >= 0.0;
                check(fits, "condition.hysteresis", "a number, 0 or more".to_owned());
                check((0..=MAX_DELAY_S).contains(for_s), "condition.for_s", seconds((0, MAX_DELAY_S)));
            }
            Self::Absence { key, after_s } => {
                check(key.as_deref().is_none_or(is_key), "condition.key", KEY.to_owned());
                check((ABSENCE_S.0..=ABSENCE_S.1).contains(after_s), "condition.after_s", seconds(ABSENCE_S));
            }
            Self::Rate { key, change, window_s, .. } => {
                check(is_key(key), "condition.key", KEY.to_owned());
                let fits = change.is_finite() && *change > 0.0;
                check(fits, "condition.change", "a number above 0".to_owned());
                let fits = (RATE_WINDOW_S.0..=RATE_WINDOW_S.1).contains(window_s);
                check(fits, "condition.window_s", seconds(RATE_WINDOW_S));
            }
            Self::Connection { after_s } => {
                check((0..=MAX_DELAY_S).contains(after_s), "condition.after_s", seconds((0, MAX_DELAY_S)));
            }
        }
        mistakes
    }
}

/// In words: `temperature above -15 for 1 min`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threshold { key, side, limit, for_s, .. } => {
                write!(f, "{key} {} {limit}", side.as_str())?;
                if *for_s > 0 { write!(f, " for {}", Span(*for_s)) } else { Ok(()) }
            }
            Self::Absence { key: Some(key), after_s } => write!(f, "no {key} for {}", Span(*after_s)),
            Self::Absence { key: None, after_s } => write!(f, "no data for {}", Span(*after_s)),
            Self::Rate { key, trend, change, window_s } => {
                let verb = match trend {
                    Trend::Rise => "rises",
                    Trend::Fall => "falls",
                    Trend::Either => "changes",
                };
                write!(f, "{key} {verb} by {change} within {}", Span(*window_s))
            }
            Self::Connection { after_s: 0 } => f.write_str("offline"),
            Self::Connection { after_s } => write!(f, "offline for {}", Span(*after_s)),
        }
    }
}

/// Seconds in the largest unit that divides them.
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds > 0 && seconds % DAY_S == 0 => write!(f, "{} d", seconds / DAY_S),
            seconds if seconds > 0 && seconds % 3_600 == 0 => write!(f, "{} h", seconds / 3_600),
            seconds if seconds > 0 && seconds % 60 == 0 => write!(f, "{} min", seconds / 60),
            seconds => write!(f, "{seconds} s"),
        }
    }
}

/// A number as people read it: three digits after the point at most.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

impl Condition {
    /// What was seen, in a sentence: the text of an alarm, or the note with which it ends.
    #[must_use]
    pub fn sentence(&self, verdict: &Verdict) -> String {
        match (self, verdict) {
            (Self::Threshold { key, side, limit, .. }, Verdict::Raise { value: Some(value), .. }) => {
                format!("{key} is {}, {} {}.", Short(*value), side.as_str(), Short(*limit))
            }
            (Self::Threshold { .. }, Verdict::Raise { value: None, .. }) => format!("It stayed: {self}."),
            (Self::Rate { key, window_s, .. }, Verdict::Raise { value: Some(value), .. }) => {
                let verb = if *value < 0.0 { "fell" } else { "rose" };
                format!("{key} {verb} by {} within {}.", Short(value.abs()), Span(*window_s))
            }
            (Self::Absence { key: Some(key), after_s }, Verdict::Raise { .. }) => {
                format!("No {key} came for {}.", Span(*after_s))
            }
            (Self::Absence { key: None, after_s }, Verdict::Raise { .. }) => {
                format!("No data came for {}.", Span(*after_s))
            }
            (Self::Connection { after_s: 0 }, Verdict::Raise { .. }) => "The device is offline.".to_owned(),
            (Self::Connection { after_s }, Verdict::Raise { .. }) => {
                format!("The device has been offline for {}.", Span(*after_s))
            }
            (Self::Rate { .. }, Verdict::Raise { value: None, .. }) => format!("It changed too fast: {self}."),
            (Self::Threshold { key, .. }, Verdict::Clear { value: Some(value) }) => {
                format!("{key} is {} again.", Short(*value))
            }
            (Self::Rate { key, .. }, Verdict::Clear { .. }) => format!("{key} is steady again."),
            (Self::Absence { .. }, Verdict::Clear { .. }) => "Data comes again.".to_owned(),
            (Self::Connection { .. }, Verdict::Clear { .. }) => "The device is online again.".to_owned(),
            (Self::Threshold { .. }, Verdict::Clear { value: None }) => "It is over.".to_owned(),
        }
    }
}
