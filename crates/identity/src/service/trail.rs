//! The audit trail, as its readers see it, and the security events in it.

use portico_model::audit::{AuditOutcome, AuditRecord, AuditSearch};
use portico_model::identity::Permission;
use portico_model::{Page, Timestamp};
use portico_platform::audit::{AuditFilter, Entry, list};
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};

use super::Identity;

/// Most records in one page.
const MAX_PAGE: i64 = 500;

/// What to look for; absent means any. Newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Part of actor, action, target or address.
    pub search: Option<String>,
    /// The beginning of the action, such as `device.` or `user.created`; `security` means all security events.
    #[param(example = "device.")]
    pub action: Option<String>,
    pub outcome: Option<AuditOutcome>,
    /// Part of the actor, such as `user:anna`.
    #[param(example = "user:anna")]
    pub actor: Option<String>,
    /// Part of the target, such as `device:0193…`.
    pub target: Option<String>,
    /// From then on: ISO 8601, or milliseconds since 1970.
    #[param(value_type = Option<String>, example = "2026-11-21T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// Until then, that moment included.
    #[param(value_type = Option<String>, example = "2026-11-22T00:00:00Z")]
    pub to: Option<Timestamp>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500; absent: 50.
    pub limit: Option<i64>,
}

impl AuditQuery {
    /// What a page shows of the trail.
    #[must_use]
    pub fn of(search: AuditSearch, cursor: Option<String>, limit: i64) -> Self {
        let AuditSearch { search, action, outcome, actor, target, from, to, security } = search;
        let given = |text: String| Some(text).filter(|text| !text.trim().is_empty());
        let action = if security { Some(SECURITY.to_owned()) } else { given(action) };
        Self {
            search: given(search),
            action,
            outcome,
            actor: given(actor),
            target: given(target),
            from,
            to,
            cursor,
            limit: Some(limit),
        }
    }

    fn into_search(self) -> AuditSearch {
        let security = self.action.as_deref() == Some(SECURITY);
        AuditSearch {
            search: self.search.unwrap_or_default(),
            action: self.action.filter(|_| !security).unwrap_or_default(),
            outcome: self.outcome,
            actor: self.actor.unwrap_or_default(),
            target: self.target.unwrap_or_default(),
            from: self.from,
            to: self.to,
            security,
        }
    }
}

/// The `action` that means all security events.
const SECURITY: &str = "security";

impl Identity {
    /// The organisation's records that match, newest first. Permission: [`Permission::ReadAudit`].
    ///
    /// # Errors
    /// Forbidden; Invalid, when the cursor is not one of ours.
    pub async fn audit_records(&self, actor: &Actor, query: AuditQuery) -> Result<Page<AuditRecord>> {
        self.require(actor, Permission::ReadAudit, "audit.read").await?;
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let before_seq = query
            .cursor
            .as_deref()
            .map(|cursor| cursor.parse().map_err(|_| Error::field("cursor", "This is not a cursor of this list.")))
            .transpose()?;
        let filter = AuditFilter { search: query.into_search(), before_seq, limit: limit + 1 };
        let mut tx = self.platform.db.read().await?;
        let items = list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |record| record.seq.to_string()))
    }

    /// As [`Identity::audit_records`], security events alone: signing in, sessions, keys, factors, accounts, and every
    /// refusal.
    ///
    /// # Errors
    /// As [`Identity::audit_records`].
    pub async fn security_events(&self, actor: &Actor, query: AuditQuery) -> Result<Page<AuditRecord>> {
        self.audit_records(actor, AuditQuery { action: Some(SECURITY.to_owned()), ..query }).await
    }

    /// Notes that the trail is about to leave. Permission: [`Permission::ReadAudit`].
    ///
    /// # Errors
    /// Forbidden; when the note cannot be written.
    pub async fn record_audit_export(&self, actor: &Actor) -> Result<()> {
        self.require(actor, Permission::ReadAudit, "audit.exported").await?;
        let mut tx = self.platform.db.begin().await?;
        let record = self.platform.audit.append(&mut tx, actor, Entry::success("audit.exported")).await?;
        tx.commit().await?;
        self.announce(actor.organization, record);
        Ok(())
    }
}
