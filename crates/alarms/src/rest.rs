//! REST of this domain: parse, call one service method, shape the answer.

use axum::extract::State;
use portico_identity::Auth;
use portico_model::alarms::{Alarm, AlarmCounts, AlarmCourse, Severity};
use portico_model::{AlarmId, AlarmRuleId, Page, Problem, Timestamp};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{AlarmQuery, Alarms, StateFilter};

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(alarms: Alarms) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(counts))
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(clear))
        .routes(routes!(note))
        .with_state(alarms)
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `open` (default: raised or acknowledged), `raised`, `acknowledged`, `cleared` or `all`.
    #[param(inline)]
    state: StateFilter,
    severity: Option<Severity>,
    /// What they are about, such as a device's id.
    subject_id: Option<String>,
    /// Only those that this rule raised.
    rule_id: Option<AlarmRuleId>,
    /// Part of the title, the subject's name or the text.
    search: Option<String>,
    /// Raised at or after (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Raised at or before (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// Alarms that the caller may see
///
/// Newest first. Who may not see all alarms of the organisation sees those of the own devices.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(ListQuery), responses(
    (status = 200, body = Page<Alarm>),
    (status = 400, body = Problem, description = "A filter or the cursor is wrong"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(alarms): State<Alarms>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Alarm>>> {
    let query = AlarmQuery {
        state: query.state,
        severity: query.severity,
        subject_id: query.subject_id,
        rule: query.rule_id,
        search: query.search,
        from: query.from,
        to: query.to,
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(Json(alarms.list(&actor, query).await?))
}

/// How many alarms are open
#[utoipa::path(get, path = "/api/v1/alarms/counts", tag = "alarms", responses(
    (status = 200, body = AlarmCounts,
        example = json!({"critical": 1, "warning": 3, "info": 0, "unacknowledged": 2})),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn counts(State(alarms): State<Alarms>, Auth(actor): Auth) -> Result<Json<AlarmCounts>> {
    Ok(Json(alarms.counts(&actor).await?))
}

/// An alarm with its course
#[utoipa::path(get, path = "/api/v1/alarms/{id}", tag = "alarms",
    params(("id" = AlarmId, Path, description = "Id of the alarm")), responses(
    (status = 200, body = AlarmCourse),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(
    State(alarms): State<Alarms>,
    Auth(actor): Auth,
    Path(id): Path<AlarmId>,
) -> Result<Json<AlarmCourse>> {
    Ok(Json(alarms.get(&actor, id).await?))
}

/// Why it is done.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({"note": "On my way"}))]
pub struct Reason {
    /// Up to 1,000 characters.
    note: String,
}

/// Acknowledge an alarm
///
/// Somebody has taken it on: it is not escalated, and nobody is reminded any more. Acknowledging twice changes nothing.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", tag = "alarms", request_body = Option<Reason>,
    params(("id" = AlarmId, Path, description = "Id of the alarm")), responses(
    (status = 200, body = Alarm),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`alarm_cleared`: it is over"),
    (status = 429, body = Problem),
))]
pub async fn acknowledge(
    State(alarms): State<Alarms>,
    Auth(actor): Auth,
    Path(id): Path<AlarmId>,
    reason: Option<Json<Reason>>,
) -> Result<Json<Alarm>> {
    let note = reason.map(|Json(reason)| reason.note).unwrap_or_default();
    Ok(Json(alarms.acknowledge(&actor, id, &note).await?))
}

/// Clear an alarm by hand
///
/// If what it tells of goes on, it comes back only after that has ended and begins anew. Clearing twice changes nothing.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/clear", tag = "alarms", request_body = Option<Reason>,
    params(("id" = AlarmId, Path, description = "Id of the alarm")), responses(
    (status = 200, body = Alarm),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn clear(
    State(alarms): State<Alarms>,
    Auth(actor): Auth,
    Path(id): Path<AlarmId>,
    reason: Option<Json<Reason>>,
) -> Result<Json<Alarm>> {
    let note = reason.map(|Json(reason)| reason.note).unwrap_or_default();
    Ok(Json(alarms.clear_by_hand(&actor, id, &note).await?))
}

/// Something to note.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"note": "Compressor was reset at 14:10"}))]
pub struct Note {
    /// 1 to 1,000 characters.
    note: String,
}

/// Add a note to an alarm's course
#[utoipa::path(post, path = "/api/v1/alarms/{id}/notes", tag = "alarms", request_body = Note,
    params(("id" = AlarmId, Path, description = "Id of the alarm")), responses(
    (status = 200, body = AlarmCourse),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn note(
    State(alarms): State<Alarms>,
    Auth(actor): Auth,
    Path(id): Path<AlarmId>,
    Json(note): Json<Note>,
) -> Result<Json<AlarmCourse>> {
    Ok(Json(alarms.add_note(&actor, id, &note.note).await?))
}
