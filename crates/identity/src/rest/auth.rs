use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_model::identity::{CurrentUser, Factor};
use portico_model::{ErrorKind, FieldError, Problem, Timestamp, UserId};
use portico_platform::http::{Json, current_request_id};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Done, UserBody, UserDone};
use crate::service::sign_in::second_factor_required;
use crate::{Auth, Identity, MaybeAuth, RequestContext, SecondFactorChallenge, SessionKind, SignIn, SignedIn, cookies};

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Login {
    /// User name or e-mail address; `email` and `login` are other names for the same field.
    username: Option<String>,
    email: Option<String>,
    login: Option<String>,
    #[schema(required)]
    password: Option<String>,
}

/// Tokens of a session. Send the access token as `Authorization: Bearer`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignedInBody {
    status: &'static str,
    message: &'static str,
    access_token: String,
    /// Good for one exchange at `/api/v1/auth/refresh`.
    refresh_token: String,
    /// The same as `access_token`.
    token: String,
    token_type: &'static str,
    /// Life of the access token, seconds.
    expires_in: i64,
    user: UserBody,
}

impl SignedInBody {
    fn new(message: &'static str, signed_in: SignedIn) -> Self {
        Self {
            status: "success",
            message,
            token: signed_in.access_token.clone(),
            access_token: signed_in.access_token,
            refresh_token: signed_in.refresh_token,
            token_type: "Bearer",
            expires_in: signed_in.access_expires_in_s,
            user: signed_in.user.into(),
        }
    }
}

/// The password was right; a second factor is wanted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SecondFactorRequired {
    #[serde(flatten)]
    problem: Problem,
    /// For `/api/v1/auth/login/second-factor`.
    challenge_token: String,
    /// How long it is good, seconds.
    expires_in: i64,
    /// What the account has.
    factors: Vec<Factor>,
}

fn second_factor_wanted(challenge: SecondFactorChallenge) -> Response {
    let error = second_factor_required();
    let status = error.status();
    let body = SecondFactorRequired {
        problem: error.problem(current_request_id()),
        challenge_token: challenge.token,
        expires_in: challenge.expires_in_s,
        factors: challenge.factors,
    };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The tokens, never kept by a cache; and the cookie that makes this client a known device, if it keeps cookies.
pub(super) fn tokens(identity: &Identity, status: StatusCode, message: &'static str, signed_in: SignedIn) -> Response {
    let device = cookies::device(&signed_in, cookies::secure(&identity.platform.config));
    let mut response = (status, Json(SignedInBody::new(message, signed_in))).into_response();
    cookies::append(response.headers_mut(), device);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sign in
///
/// By user name or e-mail address. After five wrong passwords this address has to wait 15 minutes for this account. Who has
/// a second factor is answered 401 `second_factor_required` with a `challenge_token` for the second step.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = Login, responses(
    (status = 200, body = SignedInBody),
    (status = 400, body = Problem, description = "A field is missing"),
    (status = 401, body = SecondFactorRequired, content_type = "application/problem+json",
        description = "Wrong name or password, the account is deactivated, its address is not confirmed, or a second \
                       factor is wanted (only then with `challenge_token`, `expires_in` and `factors`)"),
    (status = 429, body = Problem, description = "Too many wrong passwords; `Retry-After` says how long to wait"),
), security(()))]
pub async fn login(State(identity): State<Identity>, ctx: RequestContext, Json(body): Json<Login>) -> Result<Response> {
    let login = body.login.or(body.username).or(body.email).filter(|login| !login.trim().is_empty());
    let password = body.password.filter(|password| !password.is_empty());
    let (Some(login), Some(password)) = (login, password) else {
        return Err(
            Error::invalid("missing_credentials", "username and password are required").titled("Missing credentials")
        );
    };
    match identity.begin_sign_in(&login, &password, SessionKind::Api, &ctx).await? {
        SignIn::Done(signed_in) => Ok(tokens(&identity, StatusCode::OK, "Login successful", signed_in)),
        SignIn::SecondFactor(challenge) => Ok(second_factor_wanted(challenge)),
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Refresh {
    refresh_token: String,
}

/// Exchange the refresh token
///
/// Each works once. One that was exchanged before ends the session: it must be a copy.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", request_body = Refresh, responses(
    (status = 200, body = SignedInBody),
    (status = 401, body = Problem, description = "The token is unknown or used up, or the session has ended"),
), security(()))]
pub async fn refresh(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Refresh>,
) -> Result<Response> {
    let signed_in = identity.refresh(&body.refresh_token, &ctx).await?;
    Ok(tokens(&identity, StatusCode::OK, "Token refreshed", signed_in))
}

/// Sign out
///
/// Ends the session of the access token. Without one there is nothing to end, and the answer is the same.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", security((), ("bearer" = [])), responses((status = 200, body = Done)))]
pub async fn logout(State(identity): State<Identity>, auth: Result<MaybeAuth>, headers: HeaderMap) -> Result<Response> {
    match auth {
        Ok(MaybeAuth(Some(actor))) => identity.sign_out(&actor).await?,
        Ok(MaybeAuth(None)) => {}
        // An expired or ended session is signed out already.
        Err(error) if error.kind() == ErrorKind::Unauthenticated => {}
        Err(error) => return Err(error),
    }
    let mut response = Json(Done::new("Logout successful")).into_response();
    if cookies::get(&headers, cookies::ACCESS).is_some() || cookies::get(&headers, cookies::REFRESH).is_some() {
        cookies::append(response.headers_mut(), cookies::sign_out(cookies::secure(&identity.platform.config)));
    }
    Ok(response)
}

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Register {
    #[schema(required)]
    username: Option<String>,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    password: Option<String>,
}

/// Sign up
///
/// Only where the configuration has `signup = "open"`.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", request_body = Register, responses(
    (status = 201, body = UserDone),
    (status = 400, body = Problem, description = "A field is missing or wrong"),
    (status = 403, body = Problem, description = "Accounts are made by an administrator here"),
    (status = 409, body = Problem, description = "The user name or e-mail address is taken"),
), security(()))]
pub async fn register(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Register>,
) -> Result<(StatusCode, Json<UserDone>)> {
    let (username, email, password) = match (body.username, body.email, body.password) {
        (Some(username), Some(email), Some(password)) => (username, email, password),
        (None, None, None) => return Err(Error::invalid("no_data", "No data provided")),
        _ => {
            return Err(Error::invalid("missing_fields", "username, email, and password are required")
                .titled("Missing required fields"));
        }
    };
    let user = identity.sign_up(&username, &email, &password, &ctx).await?;
    Ok((StatusCode::CREATED, Json(UserDone::new(Some("Registration successful".to_owned()), user))))
}

/// Who is signed in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Me {
    status: &'static str,
    user_id: UserId,
    is_admin: bool,
    user: CurrentUser,
    now: Timestamp,
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", responses(
    (status = 200, body = Me),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
))]
pub async fn me(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Me>> {
    let user = identity.current_user(&actor).await?;
    Ok(Json(Me {
        status: "success",
        user_id: user.id,
        is_admin: user.role == portico_model::identity::Role::Admin,
        user,
        now: identity.platform.clock.now(),
    }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Setup {
    /// From the link printed at the first start.
    token: String,
    organization_name: String,
    username: String,
    email: String,
    password: String,
}

/// Set Portico up
///
/// Makes the organisation and its first administrator, once, with the link printed at the first start.
#[utoipa::path(post, path = "/api/v1/setup", tag = "auth", request_body = Setup, responses(
    (status = 201, body = SignedInBody),
    (status = 400, body = Problem, description = "Some fields need attention; the link stays good"),
    (status = 403, body = Problem, description = "The link is unknown, used or too old"),
    (status = 409, body = Problem, description = "Portico is set up already"),
), security(()))]
pub async fn setup(State(identity): State<Identity>, ctx: RequestContext, Json(body): Json<Setup>) -> Result<Response> {
    if body.token.trim().is_empty() {
        return Err(Error::fields(vec![FieldError::new("token", "Open the set-up link printed at the first start.")]));
    }
    let signed_in = identity
        .setup_as(
            SessionKind::Api,
            &body.token,
            &body.organization_name,
            (&body.username, &body.email),
            &body.password,
            &ctx,
        )
        .await?;
    Ok(tokens(&identity, StatusCode::CREATED, "Setup successful", signed_in))
}
