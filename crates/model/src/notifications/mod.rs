//! What people are told, and by which channel.

pub mod preference;
pub mod webhook;

use serde::{Deserialize, Serialize};

use crate::alarms::Severity;
use crate::{DeliveryId, PushSubscriptionId, Timestamp, UserId};

pub use preference::{KINDS, MyPreferences, Preference, Wish};
pub use webhook::{Webhook, WebhookInput, WebhookWithSecret};

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
    /// These people, and everyone with the permission; each is told once.
    Both(Vec<UserId>, crate::identity::Permission),
}

/// By which way a message leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum DeliveryChannel {
    Mail,
    Push,
    Webhook,
}

impl DeliveryChannel {
    pub const ALL: [Self; 3] = [Self::Mail, Self::Push, Self::Webhook];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Push => "push",
            Self::Webhook => "webhook",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Queued,
    Delivered,
    /// It could not be delivered, and is not tried again by itself.
    Dead,
}

impl DeliveryState {
    pub const ALL: [Self; 3] = [Self::Queued, Self::Delivered, Self::Dead];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A message to a person or another system, as administrators see it: what it said is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Delivery {
    pub id: DeliveryId,
    pub channel: DeliveryChannel,
    /// An e-mail address, a webhook's URL, or the host of a push service.
    pub destination: String,
    /// An e-mail's subject, a webhook's event; empty for a push.
    pub summary: String,
    pub state: DeliveryState,
    /// Failed ones and, when it was delivered, the one that worked.
    pub attempts: i64,
    /// Absent unless it waits.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed; empty when none did.
    pub last_error: String,
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
}

/// A browser that a person gets pushes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct PushSubscription {
    pub id: PushSubscriptionId,
    /// What browser it is, for its owner to tell it from others.
    #[cfg_attr(feature = "server", schema(example = "Firefox on Linux"))]
    pub name: String,
    /// The host of its push service.
    #[cfg_attr(feature = "server", schema(example = "updates.push.services.mozilla.com"))]
    pub service: String,
    pub created_at: Timestamp,
}

/// What a browser hands over when it is subscribed (`PushSubscription.toJSON()`), and a name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct NewPushSubscription {
    #[cfg_attr(feature = "server", schema(example = "https://updates.push.services.mozilla.com/wpush/v2/gAAAA"))]
    pub endpoint: String,
    pub keys: PushKeys,
    /// Absent or empty: from the browser's own name.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(example = "Anna's phone"))]
    pub name: String,
}

/// The keys that pushes to a browser are encrypted with (RFC 8291), base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct PushKeys {
    /// P-256 public key, uncompressed.
    #[cfg_attr(
        feature = "server",
        schema(example = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    )]
    pub p256dh: String,
    /// 16 bytes.
    #[cfg_attr(feature = "server", schema(example = "BTBZMqHH6r4Tts7J_aSIgg"))]
    pub auth: String,
}
