use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use portico_model::identity::{Ceremony, Passkey};
use portico_model::{PasskeyId, Problem};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Done;
use super::auth::{SignedInBody, tokens};
use crate::{Auth, Identity, RequestContext, SessionKind};

/// Begin to sign in with a passkey
///
/// The options are for `navigator.credentials.get`; its answer goes to `/api/v1/auth/passkey`. No name is needed: the
/// passkey tells who signs in.
#[utoipa::path(post, path = "/api/v1/auth/passkey/begin", tag = "auth", responses(
    (status = 200, body = Ceremony),
    (status = 400, body = Problem, description = "Portico is not reached by a host name"),
    (status = 429, body = Problem),
), security(()))]
pub async fn begin_sign_in(State(identity): State<Identity>) -> Result<Json<Ceremony>> {
    Ok(Json(identity.begin_passkey_sign_in().await?))
}

/// A browser's answer to a ceremony.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "challenge_token": "6f0c…", "credential": { "id": "…", "type": "public-key" } }))]
pub struct Answer {
    /// From the beginning of the ceremony.
    challenge_token: String,
    /// The browser's `PublicKeyCredential` as JSON.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Sign in with a passkey
///
/// It is two factors in one, so no second step follows.
#[utoipa::path(post, path = "/api/v1/auth/passkey", tag = "auth", request_body = Answer, responses(
    (status = 200, body = SignedInBody),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "The passkey was not accepted, the ceremony is too old or used, or \
                                                  the account is deactivated"),
    (status = 429, body = Problem),
), security(()))]
pub async fn sign_in(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Answer>,
) -> Result<Response> {
    let signed_in =
        identity.sign_in_with_passkey(&body.challenge_token, &body.credential, SessionKind::Api, &ctx).await?;
    Ok(tokens(&identity, StatusCode::OK, "Login successful", signed_in))
}

/// Begin to make a passkey
///
/// The options are for `navigator.credentials.create`; its answer goes to `/api/v1/account/passkeys`.
#[utoipa::path(post, path = "/api/v1/account/passkeys/begin", tag = "account", responses(
    (status = 200, body = Ceremony),
    (status = 400, body = Problem, description = "Portico is not reached by a host name"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 409, body = Problem, description = "The account has 20 already"),
    (status = 429, body = Problem),
))]
pub async fn begin(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Ceremony>> {
    Ok(Json(identity.begin_passkey(&actor).await?))
}

/// A passkey that the browser made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "challenge_token": "6f0c…", "name": "My phone", "credential": { "id": "…", "type": "public-key" }
}))]
pub struct NewPasskey {
    /// From the beginning of the ceremony.
    challenge_token: String,
    /// What its owner calls it, at most 60 characters.
    name: String,
    /// The browser's `PublicKeyCredential` as JSON.
    #[schema(value_type = Object)]
    credential: Value,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PasskeyMade {
    status: &'static str,
    passkey: Passkey,
    /// With the first second factor of the account; shown this once. Else empty.
    recovery_codes: Vec<String>,
}

/// Add a passkey
#[utoipa::path(post, path = "/api/v1/account/passkeys", tag = "account", request_body = NewPasskey, responses(
    (status = 201, body = PasskeyMade),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "Not signed in, or the ceremony is too old or used"),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 409, body = Problem, description = "It is registered already, or the account has 20"),
    (status = 429, body = Problem),
))]
pub async fn add(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<NewPasskey>,
) -> Result<(StatusCode, Json<PasskeyMade>)> {
    let (passkey, recovery_codes) =
        identity.add_passkey(&actor, &body.challenge_token, &body.name, &body.credential).await?;
    Ok((StatusCode::CREATED, Json(PasskeyMade { status: "success", passkey, recovery_codes })))
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Passkeys {
    status: &'static str,
    passkeys: Vec<Passkey>,
}

/// My passkeys
#[utoipa::path(get, path = "/api/v1/account/passkeys", tag = "account", responses(
    (status = 200, body = Passkeys),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 429, body = Problem),
))]
pub async fn list(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Passkeys>> {
    Ok(Json(Passkeys { status: "success", passkeys: identity.passkeys(&actor).await? }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct PasskeyName {
    /// At most 60 characters.
    #[schema(example = "My phone")]
    name: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PasskeyDone {
    status: &'static str,
    passkey: Passkey,
}

/// Rename a passkey
#[utoipa::path(patch, path = "/api/v1/account/passkeys/{id}", tag = "account", params(("id" = PasskeyId, Path)),
    request_body = PasskeyName, responses(
    (status = 200, body = PasskeyDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn rename(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<PasskeyName>,
) -> Result<Json<PasskeyDone>> {
    let passkey = identity.rename_passkey(&actor, parse_id(&id)?, &body.name).await?;
    Ok(Json(PasskeyDone { status: "success", passkey }))
}

/// Delete a passkey
#[utoipa::path(delete, path = "/api/v1/account/passkeys/{id}", tag = "account", params(("id" = PasskeyId, Path)),
    responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`step_up_required`, or the admin token has no account"),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete(State(identity): State<Identity>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Done>> {
    identity.delete_passkey(&actor, parse_id(&id)?).await?;
    Ok(Json(Done::new("Passkey deleted")))
}

fn parse_id(text: &str) -> Result<PasskeyId> {
    text.parse().map_err(|_| Error::not_found("passkey_not_found", "There is no such passkey."))
}
