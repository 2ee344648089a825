use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use portico_model::identity::{Invitation, OfferedAccount, Role};
use portico_model::{InvitationId, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Done;
use super::auth::{SignedInBody, tokens};
use crate::{Auth, Identity, RequestContext, SessionKind};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200; absent: 50.
    limit: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Invitations {
    status: &'static str,
    invitations: Vec<Invitation>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
}

/// Invitations of the organisation
///
/// The newest first; what is over is kept for 90 days.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "invitations", params(ListQuery), responses(
    (status = 200, body = Invitations),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Invitations>> {
    let page = identity.invitations(&actor, query.cursor.as_deref(), query.limit.unwrap_or(50)).await?;
    Ok(Json(Invitations { status: "success", invitations: page.items, next: page.next }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct NewInvitation {
    #[schema(example = "grace@example.org")]
    email: String,
    /// What the account will be; absent: `user`.
    #[serde(default = "plain_user")]
    role: Role,
}

const fn plain_user() -> Role {
    Role::User
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct InvitationDone {
    status: &'static str,
    invitation: Invitation,
}

/// Invite someone
///
/// Sends a link with which the reader of that address makes an account.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "invitations", request_body = NewInvitation, responses(
    (status = 201, body = InvitationDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "Not permitted, `step_up_required`, or sign-up is closed"),
    (status = 409, body = Problem, description = "The address has an account or an open invitation"),
    (status = 429, body = Problem),
))]
pub async fn create(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationDone>)> {
    let invitation = identity.invite(&actor, &body.email, body.role).await?;
    Ok((StatusCode::CREATED, Json(InvitationDone { status: "success", invitation })))
}

/// Revoke an invitation
///
/// Its link stops working.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = InvitationId, Path)),
    responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It was accepted or revoked already"),
    (status = 429, body = Problem),
))]
pub async fn revoke(State(identity): State<Identity>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Done>> {
    identity.revoke_invitation(&actor, parse_id(&id)?).await?;
    Ok(Json(Done::new("Invitation revoked")))
}

/// Send an invitation again
///
/// With a new link; the old one stops working.
#[utoipa::path(post, path = "/api/v1/invitations/{id}/resend", tag = "invitations",
    params(("id" = InvitationId, Path)), responses(
    (status = 200, body = InvitationDone),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It was accepted or revoked already"),
    (status = 429, body = Problem),
))]
pub async fn resend(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<InvitationDone>> {
    let invitation = identity.resend_invitation(&actor, parse_id(&id)?).await?;
    Ok(Json(InvitationDone { status: "success", invitation }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct InvitationToken {
    /// From the link.
    #[schema(example = "9d2a…")]
    token: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Offered {
    status: &'static str,
    invitation: OfferedAccount,
}

/// What an invitation offers
#[utoipa::path(post, path = "/api/v1/auth/invitation", tag = "auth", request_body = InvitationToken, responses(
    (status = 200, body = Offered),
    (status = 400, body = Problem),
    (status = 403, body = Problem, description = "The link is unknown, used, revoked or too old"),
    (status = 429, body = Problem),
), security(()))]
pub async fn offered(State(identity): State<Identity>, Json(body): Json<InvitationToken>) -> Result<Json<Offered>> {
    Ok(Json(Offered { status: "success", invitation: identity.offered_account(&body.token).await? }))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct Acceptance {
    /// From the link.
    #[schema(example = "9d2a…")]
    token: String,
    #[schema(example = "grace")]
    username: String,
    #[schema(example = "copper lantern under fjord")]
    password: String,
}

/// Accept an invitation
///
/// Makes the account and signs in. The link works once.
#[utoipa::path(post, path = "/api/v1/auth/invitation/accept", tag = "auth", request_body = Acceptance, responses(
    (status = 201, body = SignedInBody),
    (status = 400, body = Problem, description = "Some fields need attention; the link stays good"),
    (status = 403, body = Problem, description = "The link is unknown, used, revoked or too old"),
    (status = 409, body = Problem, description = "The user name or e-mail address is taken"),
    (status = 429, body = Problem),
), security(()))]
pub async fn accept(
    State(identity): State<Identity>,
    ctx: RequestContext,
    Json(body): Json<Acceptance>,
) -> Result<Response> {
    let kind = SessionKind::Api;
    let signed_in = identity.accept_invitation(&body.token, &body.username, &body.password, kind, &ctx).await?;
    Ok(tokens(&identity, StatusCode::CREATED, "Account created", signed_in))
}

fn parse_id(text: &str) -> Result<InvitationId> {
    text.parse().map_err(|_| Error::not_found("invitation_not_found", "There is no such invitation."))
}
