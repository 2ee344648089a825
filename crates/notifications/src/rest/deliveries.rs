use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::notifications::Delivery;
use portico_model::{DeliveryId, Page, Problem};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};

use crate::{DeliveryQuery, Notifications};

/// Messages on their way, delivered, and undeliverable
///
/// E-mails, pushes and webhooks of the organisation, newest first. Delivered ones are kept for a week, dead letters
/// (`state=dead`) for a month.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "webhooks", params(DeliveryQuery), responses(
    (status = 200, body = Page<Delivery>),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Page<Delivery>>> {
    Ok(Json(notifications.deliveries(&actor, query).await?))
}

/// Send an undeliverable message again
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/retry", tag = "webhooks",
    params(("id" = DeliveryId, Path, description = "Id of the message")), responses(
    (status = 202, body = Delivery),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It waits or has arrived"),
    (status = 429, body = Problem),
))]
pub async fn retry(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Delivery>)> {
    Ok((StatusCode::ACCEPTED, Json(notifications.retry_delivery(&actor, parse(&id)?).await?)))
}

/// Drop a message that has not arrived
#[utoipa::path(delete, path = "/api/v1/deliveries/{id}", tag = "webhooks",
    params(("id" = DeliveryId, Path, description = "Id of the message")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "It has arrived"),
    (status = 429, body = Problem),
))]
pub async fn discard(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    notifications.discard_delivery(&actor, parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is no id is no message's id.
fn parse(text: &str) -> Result<DeliveryId> {
    text.parse().map_err(|_| Error::not_found("delivery_not_found", "There is no such message"))
}
