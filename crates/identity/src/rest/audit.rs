use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use portico_model::Problem;
use portico_model::audit::AuditRecord;
use portico_platform::Result;
use portico_platform::csv::quoted;
use portico_platform::http::{Json, Query};
use serde::Serialize;

use crate::{AuditQuery, Auth, Identity};

/// Records read at a time.
const EXPORT_PAGE: i64 = 500;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditRecords {
    status: &'static str,
    records: Vec<AuditRecord>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// The audit trail, newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses(
    (status = 200, body = AuditRecords),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditRecords>> {
    let page = identity.audit_records(&actor, query).await?;
    Ok(Json(AuditRecords { status: "success", records: page.items, next: page.next }))
}

/// Security events, newest first
///
/// The part of the audit trail about signing in, sessions, keys, factors and accounts, and every refused action.
/// `action` counts for nothing here.
#[utoipa::path(get, path = "/api/v1/security-events", tag = "audit", params(AuditQuery), responses(
    (status = 200, body = AuditRecords),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn security_events(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditRecords>> {
    let page = identity.security_events(&actor, query).await?;
    Ok(Json(AuditRecords { status: "success", records: page.items, next: page.next }))
}

/// The audit trail as CSV
///
/// All that matches the query, newest first; `cursor` and `limit` count for nothing. The export is itself recorded.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", params(AuditQuery), responses(
    (status = 200, content_type = "text/csv", body = String),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn export(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<AuditQuery>,
) -> Result<Response> {
    identity.record_audit_export(&actor).await?;
    let query = AuditQuery { limit: Some(EXPORT_PAGE), cursor: None, ..query };
    // The first page is read before the answer begins: what fails then still gets its status.
    let first = identity.audit_records(&actor, query.clone()).await?;
    let head = "seq,at,actor,action,target,outcome,address,request_id,details\r\n".to_owned();
    let pages = futures::stream::unfold(Some((first, head)), move |page| {
        let (identity, actor, query) = (identity.clone(), actor.clone(), query.clone());
        async move {
            let (page, mut csv) = page?;
            page.items.iter().for_each(|record| append_row(&mut csv, record));
            let next = match page.next {
                Some(cursor) => {
                    let query = AuditQuery { cursor: Some(cursor), ..query };
                    match identity.audit_records(&actor, query).await {
                        Ok(page) => Some((page, String::new())),
                        // The connection breaks: half a file must not look whole.
                        Err(error) => return Some((Err(error), None)),
                    }
                }
                None => None,
            };
            Some((Ok(csv), next))
        }
    })
    // The layer that compresses asks once more after the end.
    .fuse();
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"portico-audit.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn append_row(csv: &mut String, record: &AuditRecord) {
    let details = if record.details.is_null() { String::new() } else { record.details.to_string() };
    let fields = [
        record.seq.to_string(),
        record.at.to_iso(),
        record.actor.clone(),
        record.action.clone(),
        record.target.clone(),
        record.outcome.as_str().to_owned(),
        record.address.clone(),
        record.request_id.clone(),
        details,
    ];
    let cells: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    csv.push_str(&cells.join(","));
    csv.push_str("\r\n");
}
