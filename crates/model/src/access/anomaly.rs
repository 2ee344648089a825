//! What is unusual at doors: the numbers that describe an event ([`features`]), a forest that knows the usual ones
//! ([`forest`]), and the judgement in words ([`detector`]). Nothing here stores or waits.

pub mod detector;
pub mod features;
pub mod forest;

use serde::{Deserialize, Serialize};

use super::words;
use crate::{AnomalyModelId, PersonId, Timestamp};

words! {
    /// How far a model is.
    ModelState {
        /// Somebody or the schedule asked for it.
        Waiting = "waiting",
        Training = "training",
        Done = "done",
        Failed = "failed",
    }
}

/// A model of what is usual. The newest that is done judges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "id": "0199a0000000700080000000000000a7", "version": 3, "state": "done", "requested_by": "user:anna",
    "requested_at": "2026-11-21T02:00:00.000+00:00", "trained_at": "2026-11-21T02:00:02.000+00:00",
    "trained_on": 4200, "threshold": 0.58, "alarm_threshold": 0.63, "false_alarms": 2, "error": ""
})))]
pub struct AnomalyModel {
    pub id: AnomalyModelId,
    pub version: i64,
    pub state: ModelState,
    /// Who asked: `user:anna`, or `system` for the schedule.
    pub requested_by: String,
    pub requested_at: Timestamp,
    pub trained_at: Option<Timestamp>,
    /// Events that it was learned from.
    pub trained_on: i64,
    /// From this score on an event is unusual.
    pub threshold: Option<f64>,
    /// From this score on an alarm is raised.
    pub alarm_threshold: Option<f64>,
    /// Events among them that somebody called false alarms.
    pub false_alarms: i64,
    /// Why it failed; else empty.
    pub error: String,
}

/// What the model is, and whether one can be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct ModelStatus {
    /// The one that judges; absent while nothing has been learned.
    pub current: Option<AnomalyModel>,
    /// The newest request, when it is another: waiting, under way, or failed.
    pub latest: Option<AnomalyModel>,
    /// Requests in the log, counted up to a thousand.
    pub events: i64,
    /// Fewest to learn from.
    pub events_needed: i64,
}

/// Somebody or something and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "person_id": "0199a0000000700080000000000000f1", "name": "Ann Archer", "attempts": 42, "refused": 2,
    "unusual": 1, "common_hours": [8, 9, 17], "common_days": [0, 1, 2]
})))]
pub struct PersonInsight {
    pub person_id: PersonId,
    pub name: String,
    pub attempts: i64,
    pub refused: i64,
    pub unusual: i64,
    /// At most three, the most frequent first, in the building's time.
    pub common_hours: Vec<u8>,
    /// At most three, 0 Monday.
    pub common_days: Vec<u8>,
}

/// One day of the period, in the building's calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "date": "2026-11-21", "attempts": 120, "refused": 4, "unusual": 1
})))]
pub struct DayInsight {
    pub date: String,
    pub attempts: i64,
    pub refused: i64,
    pub unusual: i64,
}

/// What the last days at the doors were like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Insights {
    pub from: Timestamp,
    pub to: Timestamp,
    pub attempts: i64,
    pub refused: i64,
    /// Unusual ones that nobody called a false alarm.
    pub unusual: i64,
    /// Attempts in each hour of the day, in the building's time; 24 of them.
    pub by_hour: Vec<i64>,
    pub by_day: Vec<DayInsight>,
    /// At most five, the most active first.
    pub people: Vec<PersonInsight>,
    /// Events of the period are more than are counted here; the figures are of the newest ones.
    pub is_cut: bool,
}
