use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_model::Problem;
use portico_model::identity::{Factors, TotpEnrolment};
use portico_platform::Result;
use portico_platform::http::Json;
use serde::{Deserialize, Serialize};

use super::Done;
use crate::{Auth, Identity};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FactorsBody {
    status: &'static str,
    factors: Factors,
}

/// What my account has beside its password
#[utoipa::path(get, path = "/api/v1/account/factors", tag = "account", responses(
    (status = 200, body = FactorsBody),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 429, body = Problem),
))]
pub async fn read(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<FactorsBody>> {
    Ok(Json(FactorsBody { status: "success", factors: identity.factors(&actor).await? }))
}

/// A secret in an answer: no cache may keep it.
fn shown_once(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TotpBegun {
    status: &'static str,
    totp: TotpEnrolment,
}

/// Begin to set up an authenticator app
///
/// Nothing changes until a code of the app is given to `/api/v1/account/totp/confirm`.
#[utoipa::path(post, path = "/api/v1/account/totp", tag = "account", responses(
    (status = 201, body = TotpBegun),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 409, body = Problem, description = "One is set up already"),
    (status = 429, body = Problem),
))]
pub async fn begin_totp(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Response> {
    let totp = identity.begin_totp(&actor).await?;
    Ok(shown_once(StatusCode::CREATED, TotpBegun { status: "success", totp }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Code {
    /// What the authenticator app shows.
    #[schema(example = "287082")]
    code: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    status: &'static str,
    /// Each works once in place of the second factor; shown this once.
    #[schema(example = json!(["k3f9-x0w2-9qmr"]))]
    recovery_codes: Vec<String>,
}

/// Finish setting up an authenticator app
///
/// From now on signing in with the password wants a second step.
#[utoipa::path(post, path = "/api/v1/account/totp/confirm", tag = "account", request_body = Code, responses(
    (status = 200, body = RecoveryCodes),
    (status = 400, body = Problem, description = "The code does not fit"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 409, body = Problem, description = "It was not begun"),
    (status = 429, body = Problem),
))]
pub async fn confirm_totp(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<Code>,
) -> Result<Response> {
    let recovery_codes = identity.confirm_totp(&actor, &body.code).await?;
    Ok(shown_once(StatusCode::OK, RecoveryCodes { status: "success", recovery_codes }))
}

/// Remove the authenticator app
#[utoipa::path(delete, path = "/api/v1/account/totp", tag = "account", responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 404, body = Problem, description = "None is set up"),
    (status = 429, body = Problem),
))]
pub async fn remove_totp(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Done>> {
    identity.remove_totp(&actor).await?;
    Ok(Json(Done::new("Authenticator app removed")))
}

/// Make new recovery codes
///
/// The old ones stop working.
#[utoipa::path(post, path = "/api/v1/account/recovery-codes", tag = "account", responses(
    (status = 200, body = RecoveryCodes),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 409, body = Problem, description = "The account has no second factor"),
    (status = 429, body = Problem),
))]
pub async fn renew_recovery_codes(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Response> {
    let recovery_codes = identity.renew_recovery_codes(&actor).await?;
    Ok(shown_once(StatusCode::OK, RecoveryCodes { status: "success", recovery_codes }))
}
