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
