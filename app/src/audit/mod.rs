//! The audit trail, and the security events in it.

pub mod page;
mod record;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::audit::{AuditOutcome, AuditRecord, AuditSearch};
use portico_model::{Page, Timestamp};

use crate::failure::Failure;
use crate::load::{Ask, given};

/// Records in one page.
#[cfg(feature = "ssr")]
pub(crate) const PAGE_SIZE: usize = 50;

/// A page of the trail, newest first. Empty texts mean no restriction; `action` is the beginning of an action; the times
/// are those of the form, in UTC.
#[server(name = ListAudit, prefix = "/sfn", endpoint = "audit/list", input = GetUrl)]
pub async fn list_audit(
    #[server(default)] search: String,
    #[server(default)] action: String,
    #[server(default)] outcome: String,
    #[server(default)] actor: String,
    #[server(default)] target: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
    /// `yes`: security events alone.
    #[server(default)]
    security: String,
    #[server(default)] cursor: String,
) -> Result<Page<AuditRecord>, Failure> {
    use portico_identity::AuditQuery;

    use crate::server::{actor as who, failed, identity};

    let search = search_of([&search, &action, &outcome, &actor, &target, &from, &to], security == "yes");
    let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
    let query = AuditQuery::of(search, cursor, i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX));
    identity()?.audit_records(&who()?, query).await.map_err(failed)
}

/// What the texts of the form ask for: search, action, outcome, actor, target, from, to.
pub(crate) fn search_of(
    [search, action, outcome, actor, target, from, to]: [&String; 7],
    security: bool,
) -> AuditSearch {
    AuditSearch {
        search: search.trim().to_owned(),
        action: action.trim().to_owned(),
        outcome: AuditOutcome::parse(outcome),
        actor: actor.trim().to_owned(),
        target: target.trim().to_owned(),
        from: Timestamp::parse_iso(from),
        // The minute named is meant whole.
        to: Timestamp::parse_iso(to).map(|to| to.plus_millis(59_999)),
        security,
    }
}

impl Ask for ListAudit {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("actor", &self.actor),
            ("target", &self.target),
            ("from", &self.from),
            ("to", &self.to),
            ("security", &self.security),
            ("cursor", &self.cursor),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_form_are_whole_minutes_in_utc() {
        let empty = String::new();
        let (from, to) = ("2026-11-21T02:00".to_owned(), "2026-11-21T02:00".to_owned());
        let search = search_of([&empty, &empty, &empty, &empty, &empty, &from, &to], false);
        assert_eq!(search.from, Some(Timestamp::from_millis(1_795_226_400_000)));
        assert_eq!(search.to, Some(Timestamp::from_millis(1_795_226_459_999)));
        let nonsense = "yesterday".to_owned();
        assert_eq!(
            search_of([&empty, &empty, &empty, &empty, &empty, &nonsense, &empty], false),
            AuditSearch::default()
        );
    }
}
