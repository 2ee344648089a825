//! REST of policies, schedules and holidays, and the tester.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::policies::{
    AccessAnswer, AccessQuestion, Holiday, NewHoliday, Policy, PolicyInput, Schedule, ScheduleInput,
};
use portico_model::{HolidayId, PolicyId, Problem, ScheduleId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(schedules, create_schedule))
        .routes(routes!(update_schedule, delete_schedule))
        .routes(routes!(holidays, add_holiday))
        .routes(routes!(delete_holiday))
        .routes(routes!(test))
}

/// All policies.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AccessPolicies)]
pub struct Policies {
    items: Vec<Policy>,
}

/// Who may go where and when, in the order it is asked
#[utoipa::path(get, path = "/api/v1/access/policies", tag = "access", responses(
    (status = 200, body = Policies),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Policies>> {
    Ok(Json(Policies { items: access.policies(&actor).await? }))
}

/// Make a policy
///
/// With neither a person nor a group it is for everyone, with neither a door nor a group for all doors, without a schedule
/// at any time.
#[utoipa::path(post, path = "/api/v1/access/policies", tag = "access", request_body = PolicyInput, responses(
    (status = 201, body = Policy),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "There are too many"),
))]
pub async fn create(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(terms): Json<PolicyInput>,
) -> Result<(StatusCode, Json<Policy>)> {
    Ok((StatusCode::CREATED, Json(access.save_policy(&actor, None, terms).await?)))
}

/// A policy
#[utoipa::path(get, path = "/api/v1/access/policies/{id}", tag = "access", params(("id" = PolicyId, Path)), responses(
    (status = 200, body = Policy),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<PolicyId>) -> Result<Json<Policy>> {
    Ok(Json(access.policy(&actor, id).await?))
}

/// Replace a policy
#[utoipa::path(put, path = "/api/v1/access/policies/{id}", tag = "access", request_body = PolicyInput,
    params(("id" = PolicyId, Path)), responses(
    (status = 200, body = Policy),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn update(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PolicyId>,
    Json(terms): Json<PolicyInput>,
) -> Result<Json<Policy>> {
    Ok(Json(access.save_policy(&actor, Some(id), terms).await?))
}

/// Remove a policy
#[utoipa::path(delete, path = "/api/v1/access/policies/{id}", tag = "access", params(("id" = PolicyId, Path)),
    responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<PolicyId>) -> Result<StatusCode> {
    access.delete_policy(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All schedules.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AccessSchedules)]
pub struct Schedules {
    items: Vec<Schedule>,
}

/// Weekly schedules, by name
#[utoipa::path(get, path = "/api/v1/access/schedules", tag = "access", responses(
    (status = 200, body = Schedules),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn schedules(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Schedules>> {
    Ok(Json(Schedules { items: access.schedules(&actor).await? }))
}

/// Make a schedule
#[utoipa::path(post, path = "/api/v1/access/schedules", tag = "access", request_body = ScheduleInput, responses(
    (status = 201, body = Schedule),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Another schedule has this name, or there are too many"),
))]
pub async fn create_schedule(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(schedule): Json<ScheduleInput>,
) -> Result<(StatusCode, Json<Schedule>)> {
    Ok((StatusCode::CREATED, Json(access.save_schedule(&actor, None, schedule).await?)))
}

/// Replace a schedule
#[utoipa::path(put, path = "/api/v1/access/schedules/{id}", tag = "access", request_body = ScheduleInput,
    params(("id" = ScheduleId, Path)), responses(
    (status = 200, body = Schedule),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Another schedule has this name"),
))]
pub async fn update_schedule(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<ScheduleId>,
    Json(schedule): Json<ScheduleInput>,
) -> Result<Json<Schedule>> {
    Ok(Json(access.save_schedule(&actor, Some(id), schedule).await?))
}

/// Remove a schedule that nothing uses
#[utoipa::path(delete, path = "/api/v1/access/schedules/{id}", tag = "access", params(("id" = ScheduleId, Path)),
    responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Policies or codes use it"),
))]
pub async fn delete_schedule(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<ScheduleId>,
) -> Result<StatusCode> {
    access.delete_schedule(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All holidays.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Holidays {
    items: Vec<Holiday>,
}

/// Holidays, by date
#[utoipa::path(get, path = "/api/v1/access/holidays", tag = "access", responses(
    (status = 200, body = Holidays),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn holidays(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Holidays>> {
    Ok(Json(Holidays { items: access.holidays(&actor).await? }))
}

/// Add a holiday
#[utoipa::path(post, path = "/api/v1/access/holidays", tag = "access", request_body = NewHoliday, responses(
    (status = 201, body = Holiday),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "This day is a holiday already, or there are too many"),
))]
pub async fn add_holiday(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(new): Json<NewHoliday>,
) -> Result<(StatusCode, Json<Holiday>)> {
    Ok((StatusCode::CREATED, Json(access.add_holiday(&actor, new).await?)))
}

/// Remove a holiday
#[utoipa::path(delete, path = "/api/v1/access/holidays/{id}", tag = "access", params(("id" = HolidayId, Path)),
    responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete_holiday(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<HolidayId>,
) -> Result<StatusCode> {
    access.delete_holiday(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Would this person get in at this door, then, and why?
///
/// The same decision as at the door, without its consequences. Anti-passback is not asked.
#[utoipa::path(post, path = "/api/v1/access/test", tag = "access", request_body = AccessQuestion, responses(
    (status = 200, body = AccessAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn test(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(question): Json<AccessQuestion>,
) -> Result<Json<AccessAnswer>> {
    Ok(Json(access.would_get_in(&actor, &question).await?))
}
