use axum::extract::State;
use portico_model::identity::Session;
use portico_model::{Problem, SessionId, UserId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::{Deserialize, Serialize};

use super::Done;
use super::users::parse_user_id;
use crate::{Auth, Identity};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Sessions {
    status: &'static str,
    sessions: Vec<Session>,
}

/// My active sessions
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", responses(
    (status = 200, body = Sessions),
    (status = 401, body = Problem),
))]
pub async fn list(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<Sessions>> {
    Ok(Json(Sessions { status: "success", sessions: identity.sessions(&actor).await? }))
}

/// A user's active sessions
#[utoipa::path(get, path = "/api/v1/users/{id}/sessions", tag = "sessions", params(("id" = UserId, Path)), responses(
    (status = 200, body = Sessions),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn list_of_user(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Sessions>> {
    let sessions = identity.user_sessions(&actor, parse_user_id(&id)?).await?;
    Ok(Json(Sessions { status: "success", sessions }))
}

/// End a session
///
/// One's own; with the right to manage users, anyone's. Its access token stops working at once.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = SessionId, Path)), responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn end(State(identity): State<Identity>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Done>> {
    let id: SessionId =
        id.parse().map_err(|_| portico_platform::Error::not_found("session_not_found", "There is no such session."))?;
    identity.end_session(&actor, id).await?;
    Ok(Json(Done::new("Session ended")))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct PasswordChange {
    current_password: String,
    new_password: String,
}

/// Change my password
///
/// At least 12 characters and not easily guessed. Every other session of the account ends.
#[utoipa::path(post, path = "/api/v1/account/password", tag = "sessions", request_body = PasswordChange, responses(
    (status = 200, body = Done),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The admin token has no account"),
    (status = 429, body = Problem),
))]
pub async fn change_password(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<PasswordChange>,
) -> Result<Json<Done>> {
    identity.change_password(&actor, &body.current_password, &body.new_password).await?;
    Ok(Json(Done::new("Password changed")))
}
