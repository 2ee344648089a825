//! Addresses of other systems that are told what happens.

use serde::{Deserialize, Serialize};

use crate::alarms::Severity;
use crate::{Timestamp, WebhookId};

/// Most kinds a webhook can be limited to.
pub const MAX_KINDS: usize = 20;

/// An address of another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Webhook {
    pub id: WebhookId,
    #[cfg_attr(feature = "server", schema(example = "Facility desk"))]
    pub name: String,
    #[cfg_attr(feature = "server", schema(example = "https://desk.example.org/portico"))]
    pub url: String,
    /// Only these kinds (`alarm.raised`), or all that begin so (`alarm.`); empty: all.
    #[cfg_attr(feature = "server", schema(example = json!(["alarm.raised", "alarm.cleared"])))]
    pub kinds: Vec<String>,
    /// Nothing below this.
    pub min_severity: Severity,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Until when messages are signed with the secret before this one too.
    pub previous_secret_until: Option<Timestamp>,
}

impl Webhook {
    /// Whether it is told of this.
    #[must_use]
    pub fn wants(&self, kind: &str, severity: Severity) -> bool {
        let named = |wanted: &String| kind == wanted || (wanted.ends_with('.') && kind.starts_with(wanted.as_str()));
        self.is_active && severity >= self.min_severity && (self.kinds.is_empty() || self.kinds.iter().any(named))
    }
}

/// What a webhook is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct WebhookInput {
    #[cfg_attr(feature = "server", schema(example = "Facility desk"))]
    pub name: String,
    /// `https://…`; not of this machine or a private network, unless the server is configured to allow that.
    #[cfg_attr(feature = "server", schema(example = "https://desk.example.org/portico"))]
    pub url: String,
    /// Only these kinds (`alarm.raised`), or all that begin so (`alarm.`); empty: all.
    #[serde(default)]
    #[cfg_attr(feature = "server", schema(example = json!(["alarm."])))]
    pub kinds: Vec<String>,
    /// Nothing below this; absent: `info`.
    #[serde(default = "everything")]
    pub min_severity: Severity,
    /// Absent: true.
    #[serde(default = "yes")]
    pub is_active: bool,
}

const fn everything() -> Severity {
    Severity::Info
}

const fn yes() -> bool {
    true
}

/// A webhook and the secret that its messages are signed with, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct WebhookWithSecret {
    pub webhook: Webhook,
    #[cfg_attr(feature = "server", schema(example = "whsec_4b1d…"))]
    pub secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_wants_its_kinds_from_its_severity_on_while_it_is_active() {
        let webhook = |kinds: &[&str], min_severity, is_active| Webhook {
            id: WebhookId::from_uuid(uuid::Uuid::nil()),
            name: "Desk".into(),
            url: "https://example.org".into(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            min_severity,
            is_active,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            previous_secret_until: None,
        };
        let cases: [(&[&str], &str, bool); 7] = [
            (&[], "alarm.raised", true),
            (&["alarm.raised"], "alarm.raised", true),
            (&["alarm.raised"], "alarm.cleared", false),
            (&["alarm."], "alarm.cleared", true),
            (&["alarm."], "alarms.cleared", false),
            (&["alarm"], "alarm.cleared", false),
            (&["firmware.failed", "alarm.cleared"], "alarm.cleared", true),
        ];
        for (kinds, kind, wanted) in cases {
            assert_eq!(webhook(kinds, Severity::Info, true).wants(kind, Severity::Info), wanted, "{kinds:?} {kind}");
            assert!(!webhook(kinds, Severity::Info, false).wants(kind, Severity::Critical), "{kinds:?} {kind}");
        }
        assert!(!webhook(&[], Severity::Warning, true).wants("alarm.raised", Severity::Info));
        assert!(webhook(&[], Severity::Warning, true).wants("alarm.raised", Severity::Critical));
    }
}
