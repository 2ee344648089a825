//! Rules that raise alarms about devices.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::alarms::rule::{AlarmRule, Condition, NewRule, Preview, Scope, Threshold};
use portico_model::{AlarmRuleId, Page, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;

use crate::Devices;

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// Alarm rules that the caller may see
///
/// By name. Who neither manages rules nor sees all alarms sees those about one device of his own.
#[utoipa::path(get, path = "/api/v1/alarm-rules", tag = "alarms", params(ListQuery), responses(
    (status = 200, body = Page<AlarmRule>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<AlarmRule>>> {
    Ok(Json(devices.alarm_rules(&actor, query.cursor.as_deref(), query.limit).await?))
}

/// Make an alarm rule
///
/// For all devices of a type or group one needs to manage rules; for one device it is enough to own it.
#[utoipa::path(post, path = "/api/v1/alarm-rules", tag = "alarms", request_body = NewRule, responses(
    (status = 201, body = AlarmRule),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "No such device or group"),
    (status = 409, body = Problem, description = "`too_many_alarm_rules`"),
    (status = 429, body = Problem),
))]
pub async fn create(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(new): Json<NewRule>,
) -> Result<(StatusCode, Json<AlarmRule>)> {
    Ok((StatusCode::CREATED, Json(devices.create_alarm_rule(&actor, new).await?)))
}

/// An alarm rule
#[utoipa::path(get, path = "/api/v1/alarm-rules/{id}", tag = "alarms",
    params(("id" = AlarmRuleId, Path, description = "Id of the rule")), responses(
    (status = 200, body = AlarmRule),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<AlarmRuleId>,
) -> Result<Json<AlarmRule>> {
    Ok(Json(devices.alarm_rule(&actor, id).await?))
}

/// Change an alarm rule
///
/// The whole rule is replaced. When it looks for something else now, it starts anew and its open alarms end.
#[utoipa::path(put, path = "/api/v1/alarm-rules/{id}", tag = "alarms", request_body = NewRule,
    params(("id" = AlarmRuleId, Path, description = "Id of the rule")), responses(
    (status = 200, body = AlarmRule),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn update(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<AlarmRuleId>,
    Json(new): Json<NewRule>,
) -> Result<Json<AlarmRule>> {
    Ok(Json(devices.update_alarm_rule(&actor, id, new).await?))
}

/// Delete an alarm rule
///
/// Its open alarms end.
#[utoipa::path(delete, path = "/api/v1/alarm-rules/{id}", tag = "alarms",
    params(("id" = AlarmRuleId, Path, description = "Id of the rule")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<AlarmRuleId>,
) -> Result<StatusCode> {
    devices.delete_alarm_rule(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "condition": {"kind": "absence", "key": null, "after_s": 600},
    "scope": {"kind": "type", "device_type": "freezer"}
}))]
pub struct WhatIf {
    condition: Condition,
    scope: Scope,
}

/// What a rule would have done in the last 24 hours
///
/// Looks at 20 devices at most, and at the newest 20,000 measurements of each.
#[utoipa::path(post, path = "/api/v1/alarm-rules/preview", tag = "alarms", request_body = WhatIf, responses(
    (status = 200, body = Preview),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem, description = "No such device or group"),
    (status = 429, body = Problem),
))]
pub async fn preview(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(what): Json<WhatIf>,
) -> Result<Json<Preview>> {
    Ok(Json(devices.preview_alarm_rule(&actor, &what.condition, &what.scope).await?))
}

/// The limits that apply to a device now
#[utoipa::path(get, path = "/api/v1/devices/{id}/thresholds", tag = "alarms",
    params(("id" = String, Path, description = "Id or hardware id")), responses(
    (status = 200, body = Vec<Threshold>),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn thresholds(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Vec<Threshold>>> {
    let id = devices.resolve(actor.organization, &id).await?;
    Ok(Json(devices.thresholds(&actor, id).await?))
}
