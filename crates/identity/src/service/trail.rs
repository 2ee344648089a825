//! The audit trail, as its readers see it. Security events are the records under [`SECURITY_PREFIXES`].

use portico_model::audit::{AuditOutcome, AuditRecord};
use portico_model::identity::Permission;
use portico_model::{Page, Timestamp};
use portico_platform::audit::{AuditFilter, Entry, list};
use portico_platform::{Actor, Error, Result};
use serde::{Deserialize, Serialize};

use super::Identity;

/// Most records in one page.
const MAX_PAGE: i64 = 500;

/// The beginnings of actions that are security events.
pub const SECURITY_PREFIXES: [&str; 4] = ["auth.", "session.", "api_key.", "setup."];

/// What to look for; absent means any. Newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Part of actor, action, target or address.
    pub search: Option<String>,
    /// The beginning of the action, such as `device.` or `user.created`; `security` means all security events.
    pub action: Option<String>,
    pub outcome: Option<AuditOutcome>,
    /// Part of the actor, such as `user:anna`.
    pub actor: Option<String>,
    #[param(value_type = Option<String>)]
    pub from: Option<Timestamp>,
    #[param(value_type = Option<String>)]
    pub to: Option<Timestamp>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 500; absent: 50.
    pub limit: Option<i64>,
}

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
        let action_prefixes = match query.action.as_deref() {
            None | Some("") => Vec::new(),
            Some("security") => SECURITY_PREFIXES.map(str::to_owned).to_vec(),
            Some(action) => vec![action.to_owned()],
        };
        let filter = AuditFilter {
            search: query.search.or(query.actor).filter(|text| !text.trim().is_empty()),
            action_prefixes,
            outcome: query.outcome,
            from: query.from,
            to: query.to,
            before_seq,
            limit: limit + 1,
        };
        let mut tx = self.platform.db.read().await?;
        let mut items = list(&mut tx, actor.organization, &filter).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > wanted;
        items.truncate(wanted);
        let next = items.last().filter(|_| more).map(|record| record.seq.to_string());
        Ok(Page { items, next })
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
