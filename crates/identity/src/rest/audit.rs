use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use portico_model::Problem;
use portico_model::audit::AuditRecord;
use portico_platform::Result;
use portico_platform::http::{Json, Query};
use serde::Serialize;

use crate::{AuditQuery, Auth, Identity};

/// Most records in one export; a narrower time range gets the rest.
const MAX_EXPORT: usize = 50_000;

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

/// The audit trail as CSV
///
/// What matches the query, newest first, at most 50,000 records. The export is itself recorded.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", params(AuditQuery), responses(
    (status = 200, content_type = "text/csv", body = String),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn export(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<AuditQuery>,
) -> Result<Response> {
    let mut query = AuditQuery { limit: Some(EXPORT_PAGE), ..query };
    identity.record_audit_export(&actor).await?;
    let mut csv = "seq,at,actor,action,target,outcome,address,request_id,details\r\n".to_owned();
    let mut written = 0;
    loop {
        let page = identity.audit_records(&actor, query.clone()).await?;
        written += page.items.len();
        for record in page.items {
            append_row(&mut csv, &record);
        }
        query.cursor = page.next;
        if query.cursor.is_none() || written >= MAX_EXPORT {
            break;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"portico-audit.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from(csv)).into_response())
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
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            csv.push(',');
        }
        append_field(csv, field);
    }
    csv.push_str("\r\n");
}

/// RFC 4180. What a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection).
fn append_field(csv: &mut String, field: &str) {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !field.contains([',', '"', '\n', '\r']) {
        csv.push_str(field);
        return;
    }
    csv.push('"');
    if formula {
        csv.push('\'');
    }
    csv.push_str(&field.replace('"', "\"\""));
    csv.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        let quoted = |field: &str| {
            let mut csv = String::new();
            append_field(&mut csv, field);
            csv
        };
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
