//! Alarms: something that wants a person's attention, from when it is raised until it is cleared.

pub mod rule;

use serde::{Deserialize, Serialize};

use crate::{AlarmId, AlarmRuleId, Timestamp};

/// How urgent it is, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text)
    }

    /// One more urgent, if there is one.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Info => Self::Warning,
            Self::Warning | Self::Critical => Self::Critical,
        }
    }
}

/// How far an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum AlarmState {
    /// Nobody has taken it on yet.
    Raised,
    /// Somebody has seen it; what it tells of is still so.
    Acknowledged,
    /// Over.
    Cleared,
}

impl AlarmState {
    pub const ALL: [Self; 3] = [Self::Raised, Self::Acknowledged, Self::Cleared];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Cleared => "cleared",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Cleared)
    }
}

/// Something that wants a person's attention: one for one cause, however often it is reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Alarm {
    pub id: AlarmId,
    /// What kind of thing happened, for programs: `threshold`, `absence`, `rate`, `connection`, …
    #[cfg_attr(feature = "server", schema(example = "threshold"))]
    pub kind: String,
    pub severity: Severity,
    pub state: AlarmState,
    #[cfg_attr(feature = "server", schema(example = "Freezer too warm"))]
    pub title: String,
    /// One sentence: what was seen.
    #[cfg_attr(feature = "server", schema(example = "temperature is -11.5, above -15."))]
    pub text: String,
    /// What it is about: `device`, …
    #[cfg_attr(feature = "server", schema(example = "device"))]
    pub subject_kind: String,
    pub subject_id: String,
    #[cfg_attr(feature = "server", schema(example = "Freezer 2"))]
    pub subject_name: String,
    /// What raised it; absent when it was no rule.
    pub rule_id: Option<AlarmRuleId>,
    /// Since when what it tells of is so (the time of the measurement).
    pub began_at: Timestamp,
    /// When it was first raised.
    pub raised_at: Timestamp,
    /// When it was last raised: later than `raised_at` when it came back shortly after it had cleared.
    pub last_raised_at: Timestamp,
    /// How often it was raised: more than once when it flaps.
    #[cfg_attr(feature = "server", schema(example = 1))]
    pub times: i64,
    pub escalated_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    /// As in the audit trail: `user:anna`.
    pub acknowledged_by: Option<String>,
    pub cleared_at: Option<Timestamp>,
    /// `system`, when what it told of ended by itself.
    pub cleared_by: Option<String>,
}

/// What happened to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum AlarmStepKind {
    Raised,
    /// It came back shortly after it had cleared.
    RaisedAgain,
    /// Nobody acknowledged it in time.
    Escalated,
    /// People were told again.
    Reminded,
    Acknowledged,
    Noted,
    Cleared,
}

impl AlarmStepKind {
    pub const ALL: [Self; 7] = [
        Self::Raised,
        Self::RaisedAgain,
        Self::Escalated,
        Self::Reminded,
        Self::Acknowledged,
        Self::Noted,
        Self::Cleared,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::RaisedAgain => "raised_again",
            Self::Escalated => "escalated",
            Self::Reminded => "reminded",
            Self::Acknowledged => "acknowledged",
            Self::Noted => "noted",
            Self::Cleared => "cleared",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One step of an alarm's course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct AlarmStep {
    pub at: Timestamp,
    pub kind: AlarmStepKind,
    /// As in the audit trail: `user:anna`, `system`.
    #[cfg_attr(feature = "server", schema(example = "user:anna"))]
    pub actor: String,
    /// What was said or seen; may be empty.
    #[cfg_attr(feature = "server", schema(example = "Door was left open"))]
    pub note: String,
}

/// An alarm with its course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct AlarmCourse {
    pub alarm: Alarm,
    /// Oldest first.
    pub steps: Vec<AlarmStep>,
    /// Whether the asker may acknowledge and clear it.
    pub may_handle: bool,
}

/// How many alarms are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct AlarmCounts {
    pub critical: i64,
    pub warning: i64,
    pub info: i64,
    /// Of all these, those that nobody has acknowledged.
    pub unacknowledged: i64,
}

impl AlarmCounts {
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.critical + self.warning + self.info
    }

    /// Counts open alarms.
    pub fn of<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Self {
        let mut counts = Self::default();
        for alarm in alarms.into_iter().filter(|alarm| alarm.state.is_open()) {
            match alarm.severity {
                Severity::Critical => counts.critical += 1,
                Severity::Warning => counts.warning += 1,
                Severity::Info => counts.info += 1,
            }
            counts.unacknowledged += i64::from(alarm.state == AlarmState::Raised);
        }
        counts
    }
}
