//! REST of the log: parse, call one service method, shape the answer.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use portico_identity::Auth;
use portico_model::access::AccessEvent;
use portico_model::{AccessEventId, Page, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::EventQuery;
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export)).routes(routes!(get))
}

/// What happened at doors, newest first
///
/// As fast on ten million events as on ten: a page is read from where the one before ended.
#[utoipa::path(get, path = "/api/v1/access/events", tag = "access log", params(EventQuery), responses(
    (status = 200, body = Page<AccessEvent>),
    (status = 400, body = Problem, description = "A filter or the cursor is wrong"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<EventQuery>,
) -> Result<Json<Page<AccessEvent>>> {
    Ok(Json(access.events(&actor, &query).await?))
}

/// The access log as CSV
///
/// All that matches the query, newest first; `cursor` and `limit` count for nothing. The export is itself recorded.
#[utoipa::path(get, path = "/api/v1/access/events.csv", tag = "access log", params(EventQuery), responses(
    (status = 200, body = String, content_type = "text/csv",
        example = "at,kind,door,person\r\n2026-11-21T02:00:00.000+00:00,request,Main entrance,Ann Archer\r\n"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn export(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<EventQuery>,
) -> Result<Response> {
    let rows = access.events_csv(&actor, query).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"portico-access-log.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(rows)).into_response())
}

/// One event, with the whole reason
#[utoipa::path(get, path = "/api/v1/access/events/{event_id}", tag = "access log",
    params(("event_id" = AccessEventId, Path, description = "Id of the event")), responses(
    (status = 200, body = AccessEvent),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessEventId>,
) -> Result<Json<AccessEvent>> {
    Ok(Json(access.access_event(&actor, id).await?))
}
