use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use portico_model::Problem;
use portico_model::identity::Ceremony;
use portico_platform::http::Json;
use portico_platform::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use super::Done;
use super::auth::{SignedInBody, tokens};
use crate::{Auth, Identity, Proof, RequestContext};

/// Exactly one of `code`, `recovery_code` and `credential`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "challenge_token": "6f0c…", "code": "287082" }))]
pub struct SecondFactor {
    /// From the answer to `/api/v1/auth/login`.
    challenge_token: String,
    /// What the authenticator app shows.
    code: Option<String>,
    recovery_code: Option<String>,
    /// The browser's `PublicKeyCredential` as JSON, after `/api/v1/auth/login/second-factor/passkey`.
    #[schema(value_type = Option<Object>)]
    credential: Option<Value>,
}

fn one_proof(code: Option<String>, recovery_code: Option<String>, credential: Option<Value>) -> Result<Option<Proof>> {
    let proofs = [code.map(Proof::Totp), recovery_code.map(Proof::RecoveryCode), credential.map(Proof::Passkey)];
    let mut given = proofs.into_iter().flatten();
    let proof = given.next();
    if given.next().is_some() {
        return Err(Error::invalid("too_many_proofs", "Give one of code, recovery_code and credential."));
    }
    Ok(proof)
}

/// Sign in, second step
///
/// With the code of an authenticator app (each works once), a recovery code or a passkey. Wrong ones are counted as wrong
/// passwords are.
#[utoipa::path(post, path = "/api/v1/auth/login/second-factor", tag = "auth", request_body = SecondFactor, responses(
    (status = 200, body = SignedInBody),
    (status = 400, body = Problem, description = "No proof, or more than one"),
    (status = 401, body = Problem, description = "The proof is wrong, or the challenge too old or used"),
    (status = 429, body = Problem, description = "Too many wrong proofs; `Retry-After` says how long to wait"),
), security(()))]
pub async fn finish(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<SecondFactor>,
) -> Result<Response> {
    let proof = one_proof(body.code, body.recovery_code, body.credential)?
        .ok_or_else(|| Error::invalid("no_proof", "Give one of code, recovery_code and credential."))?;
    let signed_in = identity.sign_in_second_factor(&body.challenge_token, &proof, &ctx).await?;
    Ok(tokens(&identity, StatusCode::OK, "Login successful", signed_in))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct ChallengeToken {
    /// From the answer to `/api/v1/auth/login`.
    #[schema(example = "6f0c…")]
    challenge_token: String,
}

/// Begin a passkey's ceremony as the second step
///
/// The options are for `navigator.credentials.get`; its answer goes to `/api/v1/auth/login/second-factor` with the same
/// challenge token.
#[utoipa::path(post, path = "/api/v1/auth/login/second-factor/passkey", tag = "auth", request_body = ChallengeToken,
    responses(
    (status = 200, body = Ceremony),
    (status = 400, body = Problem),
    (status = 401, body = Problem, description = "The challenge is too old or used"),
    (status = 429, body = Problem),
), security(()))]
pub async fn begin_passkey(
    State(identity): State<Identity>,
    Json(body): Json<ChallengeToken>,
) -> Result<Json<Ceremony>> {
    let public_key = identity.begin_second_factor_passkey(&body.challenge_token).await?;
    Ok(Json(Ceremony { challenge_token: body.challenge_token, public_key }))
}

/// Exactly one of `password`, `code`, `recovery_code` and `credential`.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({ "password": "copper lantern under fjord" }))]
pub struct StepUp {
    password: Option<String>,
    /// What the authenticator app shows.
    code: Option<String>,
    recovery_code: Option<String>,
    /// The browser's `PublicKeyCredential` as JSON, after `/api/v1/auth/step-up/passkey`.
    #[schema(value_type = Option<Object>)]
    credential: Option<Value>,
    /// Beside `credential`: from `/api/v1/auth/step-up/passkey`.
    challenge_token: Option<String>,
}

/// Prove again who I am
///
/// For what is answered 403 `step_up_required`; then repeat that request. The session counts as fresh for a while
/// (`identity.step_up_s`).
#[utoipa::path(post, path = "/api/v1/auth/step-up", tag = "auth", request_body = StepUp, responses(
    (status = 200, body = Done),
    (status = 400, body = Problem, description = "No proof, more than one, or a wrong one"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 429, body = Problem, description = "Too many wrong proofs; `Retry-After` says how long to wait"),
))]
pub async fn step_up(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<StepUp>,
) -> Result<Json<Done>> {
    let proof = one_proof(body.code, body.recovery_code, body.credential)?;
    match (body.password, proof) {
        (Some(password), None) => identity.step_up_with_password(&actor, &password).await?,
        (None, Some(proof)) => identity.step_up(&actor, &proof, body.challenge_token.as_deref()).await?,
        _ => {
            return Err(Error::invalid(
                "no_proof",
                "Give exactly one of password, code, recovery_code and credential.",
            ));
        }
    }
    Ok(Json(Done::new("Thank you")))
}

/// Begin a passkey's ceremony that proves again who I am
///
/// The options are for `navigator.credentials.get`; its answer goes to `/api/v1/auth/step-up`.
#[utoipa::path(post, path = "/api/v1/auth/step-up/passkey", tag = "auth", responses(
    (status = 200, body = Ceremony),
    (status = 400, body = Problem, description = "Portico is not reached by a host name"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 429, body = Problem),
))]
pub async fn begin_step_up_passkey(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Ceremony>> {
    Ok(Json(identity.begin_step_up_passkey(&actor).await?))
}
