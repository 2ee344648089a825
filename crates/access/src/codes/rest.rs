//! REST of codes.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::access::code::{AccessCode, CodeState, NewCode};
use portico_model::{AccessCodeId, DeviceId, DoorId, Page, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::CodeQuery;
use crate::Access;

pub fn router() -> OpenApiRouter<Access> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, withdraw)).routes(routes!(retry))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    door_id: Option<DoorId>,
    lock_id: Option<DeviceId>,
    state: Option<CodeState>,
    /// `true`: only those in use; `false`: only those withdrawn, expired or used up.
    wanted: Option<bool>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

/// Codes for keypads
///
/// Newest first. Who may not see access control sees those of the own locks.
#[utoipa::path(get, path = "/api/v1/access/codes", tag = "access", params(ListQuery), responses(
    (status = 200, body = Page<AccessCode>),
    (status = 400, body = Problem, description = "A filter or the cursor is wrong"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(access): State<Access>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<AccessCode>>> {
    let query = CodeQuery {
        door: query.door_id,
        lock: query.lock_id,
        state: query.state,
        wanted: query.wanted,
        cursor: query.cursor,
        limit: query.limit,
    };
    Ok(Json(access.codes(&actor, &query).await?))
}

/// A code that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CreatedCode {
    /// The digits. They are shown this once.
    #[schema(example = "482913")]
    code: String,
    access_code: AccessCode,
}

/// Make a code of a door or a lock
///
/// A door's code works at once; a lock is told of it, and `state` says how far that has come. Needs `manage_access`, or to be
/// the lock's owner.
#[utoipa::path(post, path = "/api/v1/access/codes", tag = "access", request_body = NewCode, responses(
    (status = 201, body = CreatedCode),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Another code of the place has these digits, or there are too many"),
    (status = 429, body = Problem),
))]
pub async fn create(
    State(access): State<Access>,
    Auth(actor): Auth,
    Json(new): Json<NewCode>,
) -> Result<(StatusCode, Json<CreatedCode>)> {
    let created = access.create_code(&actor, new).await?;
    Ok((StatusCode::CREATED, Json(CreatedCode { code: created.digits, access_code: created.code })))
}

/// A code
#[utoipa::path(get, path = "/api/v1/access/codes/{id}", tag = "access", params(("id" = AccessCodeId, Path)), responses(
    (status = 200, body = AccessCode),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessCodeId>,
) -> Result<Json<AccessCode>> {
    Ok(Json(access.code(&actor, id).await?))
}

/// Withdraw a code
///
/// At a door it stops working at once. A lock is told to forget it; `state` says how far that has come. Withdrawing twice
/// changes nothing. Needs `manage_access`, or to be the lock's owner.
#[utoipa::path(delete, path = "/api/v1/access/codes/{id}", tag = "access", params(("id" = AccessCodeId, Path)), responses(
    (status = 200, body = AccessCode),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn withdraw(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessCodeId>,
) -> Result<Json<AccessCode>> {
    Ok(Json(access.withdraw_code(&actor, id).await?))
}

/// Tell the lock again
///
/// After it refused or did not answer, however often. Needs `manage_access`, or to be the lock's owner.
#[utoipa::path(post, path = "/api/v1/access/codes/{id}/retry", tag = "access", params(("id" = AccessCodeId, Path)),
    responses(
    (status = 200, body = AccessCode),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`nothing_to_retry`: the lock is being told, or knows already"),
    (status = 429, body = Problem),
))]
pub async fn retry(
    State(access): State<Access>,
    Auth(actor): Auth,
    Path(id): Path<AccessCodeId>,
) -> Result<Json<AccessCode>> {
    Ok(Json(access.retry_code(&actor, id).await?))
}
