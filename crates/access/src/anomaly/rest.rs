//! REST of what is unusual: parse, call one service method, shape the answer.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::AccessEvent;
use portico_model::access::anomaly::{AnomalyModel, Insights, ModelStatus};
use portico_model::{AccessEventId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::compat;
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(model, train))
        .routes(routes!(insights))
        .routes(routes!(mark, unmark))
        .merge(compat::router())
}

/// The model that says what is unusual
///
/// Which one judges, what became of the newest request, and whether the log is long enough to learn from.
#[utoipa::path(get, path = "/api/v1/access/anomaly-model", tag = "access log", responses(
    (status = 200, body = ModelStatus),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn model(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<ModelStatus>> {
    Ok(Json(access.model_status(&actor).await?))
}

/// Ask for a new model
///
/// It is learned from the organisation's own log in the background. One that is under way already is the answer.
#[utoipa::path(post, path = "/api/v1/access/anomaly-model", tag = "access log", responses(
    (status = 202, body = AnomalyModel),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`too_few_events`: fewer than 50 in the log"),
    (status = 429, body = Problem),
))]
pub async fn train(State(access): State<Access>, Auth(actor): Auth) -> Result<(StatusCode, Json<AnomalyModel>)> {
    Ok((StatusCode::ACCEPTED, Json(access.request_training(&actor).await?)))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct InsightQuery {
    /// 1 to 90; absent: 7.
    #[param(example = 7)]
    days: Option<i64>,
}

/// What the last days at the doors were like
#[utoipa::path(get, path = "/api/v1/access/insights", tag = "access log", params(InsightQuery), responses(
    (status = 200, body = Insights),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn insights(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<InsightQuery>,
) -> Result<Json<Insights>> {
    Ok(Json(access.insights(&actor, query.days.unwrap_or(7)).await?))
}

/// Call an unusual event a false alarm
///
/// It counts in the next training; an alarm about it ends. Twice changes nothing.
#[utoipa::path(put, path = "/api/v1/access/events/{event_id}/false-alarm", tag = "access log",
    params(("event_id" = AccessEventId, Path, description = "Id of the event")), responses(
    (status = 200, body = AccessEvent),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`not_unusual`: it was not found unusual"),
    (status = 429, body = Problem),
))]
pub async fn mark(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessEventId>,
) -> Result<Json<AccessEvent>> {
    Ok(Json(access.mark_false_alarm(&actor, id, true).await?))
}

/// Take back that an event was a false alarm
#[utoipa::path(delete, path = "/api/v1/access/events/{event_id}/false-alarm", tag = "access log",
    params(("event_id" = AccessEventId, Path, description = "Id of the event")), responses(
    (status = 200, body = AccessEvent),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`not_unusual`: it was not found unusual"),
    (status = 429, body = Problem),
))]
pub async fn unmark(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessEventId>,
) -> Result<Json<AccessEvent>> {
    Ok(Json(access.mark_false_alarm(&actor, id, false).await?))
}
