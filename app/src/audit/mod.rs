//! The audit trail.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::Page;
use portico_model::audit::AuditRecord;

use crate::failure::Failure;
use crate::load::{Ask, given};

/// A page of the trail, newest first. Empty texts mean no restriction; `action` is the beginning of an action, or `security` for
/// sign-ins, sessions and keys alone.
#[server(name = ListAudit, prefix = "/sfn", endpoint = "audit/list", input = GetUrl)]
pub async fn list_audit(
    #[server(default)] search: String,
    #[server(default)] action: String,
    #[server(default)] outcome: String,
    #[server(default)] cursor: String,
) -> Result<Page<AuditRecord>, Failure> {
    use portico_identity::AuditQuery;
    use portico_model::audit::AuditOutcome;

    use crate::server::{actor, failed, identity};

    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = AuditQuery {
        search: some(search),
        action: some(action),
        outcome: AuditOutcome::parse(&outcome),
        cursor: some(cursor),
        ..AuditQuery::default()
    };
    identity()?.audit_records(&actor()?, query).await.map_err(failed)
}

impl Ask for ListAudit {
    fn query(&self) -> Vec<(&'static str, String)> {
        given([
            ("search", &self.search),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("cursor", &self.cursor),
        ])
    }
}
