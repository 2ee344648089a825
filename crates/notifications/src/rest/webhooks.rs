use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::notifications::{Webhook, WebhookInput, WebhookWithSecret};
use portico_model::{DeliveryId, Page, Problem, WebhookId};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::Notifications;

/// Webhooks
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", responses(
    (status = 200, body = Page<Webhook>, description = "All of them, by name; there is no next page"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(State(notifications): State<Notifications>, Auth(actor): Auth) -> Result<Json<Page<Webhook>>> {
    Ok(Json(Page { items: notifications.webhooks(&actor).await?, next: None }))
}

/// Add a webhook
///
/// From then on each notification of the organisation that it wants is sent to it with POST, as JSON, with the headers
/// `Portico-Event` (its kind), `Portico-Delivery` (the same for each attempt) and `Portico-Signature`:
/// `t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<t>.<body>" under the secret, hexadecimal>`, with a `v1` for each secret
/// while one is being replaced. Any 2xx takes it; anything else is tried again, ten times in about a day. Redirects are not
/// followed. The secret is in this answer alone.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookInput, responses(
    (status = 201, body = WebhookWithSecret),
    (status = 400, body = Problem, description = "A field is wrong, such as an address of a private network"),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "There are as many as there may be"),
    (status = 429, body = Problem),
))]
pub async fn create(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Json(body): Json<WebhookInput>,
) -> Result<(StatusCode, Json<WebhookWithSecret>)> {
    Ok((StatusCode::CREATED, Json(notifications.create_webhook(&actor, body).await?)))
}

/// A webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "Id of the webhook")), responses(
    (status = 200, body = Webhook),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn get(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<Webhook>> {
    Ok(Json(notifications.webhook(&actor, parse(&id)?).await?))
}

/// Change a webhook
///
/// With another address, what still waits for the old one is dropped.
#[utoipa::path(put, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookInput,
    params(("id" = WebhookId, Path, description = "Id of the webhook")), responses(
    (status = 200, body = Webhook),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn put(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<WebhookInput>,
) -> Result<Json<Webhook>> {
    Ok(Json(notifications.update_webhook(&actor, parse(&id)?, body).await?))
}

/// Remove a webhook
///
/// With what still waits to be sent to it.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "Id of the webhook")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn delete(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    notifications.delete_webhook(&actor, parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to replace a secret.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookSecretRotation)]
pub struct Rotation {
    /// For so long messages are signed with both secrets, seconds; absent: a day.
    #[serde(default = "a_day")]
    #[schema(minimum = 0, maximum = 604_800, example = 86_400)]
    overlap_s: i64,
}

const fn a_day() -> i64 {
    86_400
}

/// Give a webhook a new secret
///
/// It is in this answer alone.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", request_body = Rotation,
    params(("id" = WebhookId, Path, description = "Id of the webhook")), responses(
    (status = 200, body = WebhookWithSecret),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn rotate(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<Rotation>,
) -> Result<Json<WebhookWithSecret>> {
    Ok(Json(notifications.rotate_webhook_secret(&actor, parse(&id)?, body.overlap_s).await?))
}

/// The test on its way; `GET /api/v1/deliveries` tells how it went.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookTested)]
pub struct Tested {
    delivery_id: DeliveryId,
}

/// Send a webhook a test
///
/// A message of the kind `test`, even when the webhook is not active.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "Id of the webhook")), responses(
    (status = 202, body = Tested),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "Its secret cannot be read any more"),
    (status = 429, body = Problem),
))]
pub async fn test(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Tested>)> {
    let delivery_id = notifications.test_webhook(&actor, parse(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(Tested { delivery_id })))
}

/// What is no id is no webhook's id.
fn parse(text: &str) -> Result<WebhookId> {
    text.parse().map_err(|_| Error::not_found("webhook_not_found", "There is no such webhook"))
}
