use axum::extract::State;
use axum::http::StatusCode;
use portico_model::Problem;
use portico_platform::http::Json;
use portico_platform::{Error, Result};
use serde::Deserialize;

use super::Done;
use crate::{Auth, Identity, RequestContext};

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct ResetRequest {
    /// User name or e-mail address; `email` is another name for the same field.
    #[schema(example = "grace@example.org")]
    login: Option<String>,
    email: Option<String>,
}

/// Ask for a new password
///
/// Sends a link by e-mail, good for half an hour and once. The answer is the same whether or not there is such an account.
#[utoipa::path(post, path = "/api/v1/auth/password-reset", tag = "auth", request_body = ResetRequest, responses(
    (status = 202, body = Done),
    (status = 400, body = Problem, description = "A field is missing"),
    (status = 429, body = Problem),
), security(()))]
pub async fn request_reset(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<ResetRequest>,
) -> Result<(StatusCode, Json<Done>)> {
    let login = body.login.or(body.email).filter(|login| !login.trim().is_empty());
    let login = login.ok_or_else(|| Error::field("login", "Give the user name or e-mail address."))?;
    identity.request_password_reset(&login, &ctx).await?;
    Ok((StatusCode::ACCEPTED, Json(Done::new("If there is such an account, a link is on its way to its address."))))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Reset {
    /// From the link.
    #[schema(example = "9d2a…")]
    token: String,
    #[schema(example = "copper lantern under fjord")]
    new_password: String,
}

/// Set a new password
///
/// With the token of the link, once. Every session of the account ends.
#[utoipa::path(post, path = "/api/v1/auth/password-reset/confirm", tag = "auth", request_body = Reset, responses(
    (status = 200, body = Done),
    (status = 400, body = Problem, description = "The password is too weak; the link stays good"),
    (status = 403, body = Problem, description = "The link is unknown, used or too old"),
    (status = 429, body = Problem),
), security(()))]
pub async fn reset(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Reset>,
) -> Result<Json<Done>> {
    identity.reset_password(&body.token, &body.new_password, &ctx).await?;
    Ok(Json(Done::new("Password set. Sign in with it.")))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Verification {
    /// From the link.
    #[schema(example = "9d2a…")]
    token: String,
}

/// Confirm an e-mail address
///
/// With the token of the link that was sent to it.
#[utoipa::path(post, path = "/api/v1/auth/verify-email", tag = "auth", request_body = Verification, responses(
    (status = 200, body = Done),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "The link is unknown, used or too old"),
    (status = 429, body = Problem),
), security(()))]
pub async fn verify(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Verification>,
) -> Result<Json<Done>> {
    identity.verify_email(&body.token, &ctx).await?;
    Ok(Json(Done::new("E-mail address confirmed")))
}

/// Send the link that confirms my e-mail address again
#[utoipa::path(post, path = "/api/v1/account/verify-email", tag = "account", responses(
    (status = 202, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 409, body = Problem, description = "The address is confirmed already"),
    (status = 429, body = Problem, description = "Three links an hour at most"),
))]
pub async fn resend(State(identity): State<Identity>, Auth(actor): Auth) -> Result<(StatusCode, Json<Done>)> {
    identity.resend_verification(&actor).await?;
    Ok((StatusCode::ACCEPTED, Json(Done::new("A link is on its way to your address."))))
}
