use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use portico_model::{Problem, UserId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::Deserialize;
use serde_json::Value;

use super::Done;
use super::users::parse_user_id;
use crate::{Auth, Identity};

/// Everything about a person
///
/// Account, sessions, what the audit trail knows, and what belongs to the person in every domain, as one JSON file.
/// Oneself, or anyone with the right to manage users. The export is itself recorded.
#[utoipa::path(get, path = "/api/v1/users/{id}/export", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = Value, example = json!({ "exported_at": "2026-11-21T02:00:00.000+00:00",
        "account": { "username": "anna", "email": "anna@example.org" }, "sessions": [], "audit": [], "devices": [] })),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn export(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Value>)> {
    let export = identity.export_user(&actor, parse_user_id(&id)?).await?;
    let headers = [
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"portico-person.json\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Json(export)))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "confirm": "anna" }))]
pub struct Erasure {
    /// The person's user name.
    confirm: String,
}

/// Forget a person
///
/// The account goes, with what belongs to the person in every domain, and the audit trail names a pseudonym from now on.
/// Nothing brings it back. Oneself, or anyone with the right to manage users; administrators are protected.
#[utoipa::path(post, path = "/api/v1/users/{id}/erase", tag = "users", params(("id" = UserId, Path)),
    request_body = Erasure, responses(
    (status = 200, body = Done),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "Things that cannot be deleted still belong to the person"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn erase(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<Erasure>,
) -> Result<Json<Done>> {
    identity.erase_user(&actor, parse_user_id(&id)?, &body.confirm).await?;
    Ok(Json(Done::new("Person erased")))
}
