//! What people are told, and by which channel.

use serde::{Deserialize, Serialize};

use crate::UserId;
use crate::alarms::Severity;

/// Something that people, and systems behind webhooks, are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What it is about, `noun.verb`: `alarm.raised`, `alarm.escalated`, `alarm.cleared`. People choose channels by it.
    pub kind: String,
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// A few plain sentences.
    pub body: String,
    /// Where it can be seen: a path on this server, such as `/alarms`.
    pub link: String,
    /// One of the same tag replaces the one shown before.
    pub tag: String,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// These people.
    Users(Vec<UserId>),
    /// Everyone in the organisation with the permission.
    Permitted(crate::identity::Permission),
}
