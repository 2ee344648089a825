//! The audit trail as shown.

use serde::{Deserialize, Serialize};

use crate::{AuditId, Timestamp};

/// One record: who did what to what, from where, with what outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    pub id: AuditId,
    /// Position in the organisation's chain, from 1 without gaps.
    pub seq: i64,
    pub at: Timestamp,
    /// `user:NAME`, `device:ID`, `system`, `anonymous`.
    pub actor: String,
    /// Dotted verb, such as `device.registered`.
    pub action: String,
    /// `device:ID`, `user:ID`, … or empty.
    pub target: String,
    pub outcome: AuditOutcome,
    pub address: String,
    pub request_id: String,
    /// What else is worth knowing; never a secret.
    pub details: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub enum AuditOutcome {
    Success,
    Denied,
    Failed,
}

impl AuditOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Denied, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// The beginnings of actions that are security events: signing in, sessions, keys, factors, accounts and their rights.
/// Every refused action is one too, whatever it is.
pub const SECURITY_PREFIXES: [&str; 14] = [
    "auth.",
    "session.",
    "setup.",
    "service_key.",
    "device.key",
    "passkey.",
    "totp.",
    "recovery_codes.",
    "step_up.",
    "email.",
    "invitation.",
    "user.",
    "organization.",
    "audit.",
];

/// Whether a record belongs to the security events.
#[must_use]
pub fn is_security_event(action: &str, outcome: AuditOutcome) -> bool {
    outcome == AuditOutcome::Denied || SECURITY_PREFIXES.iter().any(|prefix| action.starts_with(prefix))
}

/// What to look for in the trail; an empty text or an absent value means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSearch {
    /// Part of actor, action, target or address.
    pub search: String,
    /// The beginning of the action, such as `device.` or `user.created`.
    pub action: String,
    pub outcome: Option<AuditOutcome>,
    /// Part of the actor, such as `user:anna`.
    pub actor: String,
    /// Part of the target, such as `device:0193…`.
    pub target: String,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Security events alone.
    pub security: bool,
}

impl AuditSearch {
    /// Whether the record is one of those looked for: the same as the database finds.
    #[must_use]
    pub fn finds(&self, record: &AuditRecord) -> bool {
        let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.trim().to_lowercase());
        let anywhere = format!("{} {} {} {}", record.actor, record.action, record.target, record.address);
        contains(&anywhere, &self.search)
            && contains(&record.actor, &self.actor)
            && contains(&record.target, &self.target)
            && record.action.starts_with(&self.action.trim().to_lowercase())
            && self.outcome.is_none_or(|outcome| outcome == record.outcome)
            && self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at <= to)
            && (!self.security || is_security_event(&record.action, record.outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AuditRecord {
        AuditRecord {
            id: AuditId::from_uuid(uuid::Uuid::nil()),
            seq: 1,
            at: Timestamp::from_millis(1_000),
            actor: "user:Ada".to_owned(),
            action: "device.changed".to_owned(),
            target: "device:0193".to_owned(),
            outcome: AuditOutcome::Success,
            address: "192.0.2.1".to_owned(),
            request_id: String::new(),
            details: serde_json::Value::Null,
        }
    }

    #[test]
    fn record_is_found_by_each_of_its_parts_and_by_no_other() {
        let search = AuditSearch::default;
        assert!(search().finds(&record()));
        assert!(AuditSearch { search: " 192.0 ".into(), actor: "ada".into(), ..search() }.finds(&record()));
        assert!(AuditSearch { action: "device.".into(), target: "0193".into(), ..search() }.finds(&record()));
        assert!(!AuditSearch { action: "changed".into(), ..search() }.finds(&record()), "not a beginning");
        assert!(!AuditSearch { actor: "device".into(), ..search() }.finds(&record()));
        assert!(!AuditSearch { from: Some(Timestamp::from_millis(1_001)), ..search() }.finds(&record()));
        assert!(AuditSearch { to: Some(Timestamp::from_millis(1_000)), ..search() }.finds(&record()));
        assert!(!AuditSearch { security: true, ..search() }.finds(&record()));
        let denied = AuditRecord { outcome: AuditOutcome::Denied, ..record() };
        assert!(AuditSearch { security: true, ..search() }.finds(&denied), "every refusal is a security event");
    }
}
