//! REST of plans of the building.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use portico_identity::Auth;
use portico_model::access::door::{Plan, PlanSettings};
use portico_model::{PlanId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query, Raw};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Access;

/// A drawing may style itself, and do nothing else: no scripts, no requests, also when it is opened by itself.
const PICTURE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'";

pub fn routes() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(list_plans, create_plan))
        .routes(routes!(get_plan, rename_plan, delete_plan))
        .routes(routes!(plan_picture, replace_picture))
}

/// All of them, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Plans {
    plans: Vec<Plan>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlanQuery {
    /// 1 to 100 characters, unique.
    name: String,
}

/// Plans of the building, by name
#[utoipa::path(get, path = "/api/v1/plans", tag = "doors", responses(
    (status = 200, body = Plans),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list_plans(State(access): State<Access>, Auth(actor): Auth) -> Result<Json<Plans>> {
    Ok(Json(Plans { plans: access.plans(&actor).await? }))
}

/// Upload a plan
///
/// The body is the picture: SVG, PNG, JPEG or WebP, at most as large as `http.body_limit_bytes` says.
#[utoipa::path(post, path = "/api/v1/plans", tag = "doors", params(PlanQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The picture"), responses(
    (status = 201, body = Plan),
    (status = 400, body = Problem, description = "Invalid parameters, or no picture"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "The name is in use, or there are too many"),
    (status = 413, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn create_plan(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(PlanQuery { name }): Query<PlanQuery>,
    Raw(picture): Raw,
) -> Result<(StatusCode, Json<Plan>)> {
    Ok((StatusCode::CREATED, Json(access.create_plan(&actor, PlanSettings { name }, &picture).await?)))
}

/// A plan
#[utoipa::path(get, path = "/api/v1/plans/{id}", tag = "doors",
    params(("id" = PlanId, Path)), responses(
    (status = 200, body = Plan),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get_plan(State(access): State<Access>, Auth(actor): Auth, Path(id): Path<PlanId>) -> Result<Json<Plan>> {
    Ok(Json(access.plan(&actor, id).await?))
}

/// Rename a plan
#[utoipa::path(put, path = "/api/v1/plans/{id}", tag = "doors", request_body = PlanSettings,
    params(("id" = PlanId, Path)), responses(
    (status = 200, body = Plan),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "The name is in use"),
    (status = 429, body = Problem),
))]
pub async fn rename_plan(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PlanId>,
    Json(settings): Json<PlanSettings>,
) -> Result<Json<Plan>> {
    Ok(Json(access.rename_plan(&actor, id, settings).await?))
}

/// Remove a plan
///
/// Its doors are on none afterwards.
#[utoipa::path(delete, path = "/api/v1/plans/{id}", tag = "doors",
    params(("id" = PlanId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete_plan(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PlanId>,
) -> Result<StatusCode> {
    access.delete_plan(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture of a plan
#[utoipa::path(get, path = "/api/v1/plans/{id}/picture", tag = "doors",
    params(("id" = PlanId, Path)), responses(
    (status = 200, body = Vec<u8>, content_type = "image/*"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn plan_picture(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PlanId>,
) -> Result<impl IntoResponse> {
    let (media_type, content) = access.plan_picture(&actor, id).await?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, PICTURE_POLICY.to_owned()),
        (header::CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    Ok((headers, content))
}

/// Show a plan with another picture
///
/// Doors stay where they are on it. The body is the picture: SVG, PNG, JPEG or WebP, at most as large as `http.body_limit_bytes` says.
#[utoipa::path(post, path = "/api/v1/plans/{id}/picture", tag = "doors", params(("id" = PlanId, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The picture"), responses(
    (status = 200, body = Plan),
    (status = 400, body = Problem, description = "No picture"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 413, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn replace_picture(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<PlanId>,
    Raw(picture): Raw,
) -> Result<Json<Plan>> {
    Ok(Json(access.replace_plan_picture(&actor, id, &picture).await?))
}
