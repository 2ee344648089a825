use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::{Auth, RequestContext};
use portico_model::notifications::{NewPushSubscription, PushSubscription};
use portico_model::{Page, Problem, PushSubscriptionId};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};

use crate::Notifications;

/// My browsers that get pushes
#[utoipa::path(get, path = "/api/v1/notifications/browsers", tag = "notifications", responses(
    (status = 200, body = Page<PushSubscription>, description = "All of them, the newest first; there is no next page"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 429, body = Problem),
))]
pub async fn list(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
) -> Result<Json<Page<PushSubscription>>> {
    Ok(Json(Page { items: notifications.my_browsers(&actor).await?, next: None }))
}

/// Send my pushes to a browser
///
/// With what its `pushManager.subscribe` gave; the key for that (`push_key`) stands with the preferences. A browser is one
/// person's: subscribed again, it is the new person's alone.
#[utoipa::path(post, path = "/api/v1/notifications/browsers", tag = "notifications",
    request_body = NewPushSubscription, responses(
    (status = 201, body = PushSubscription),
    (status = 400, body = Problem, description = "The endpoint is no public https address, or a key is not good"),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 429, body = Problem),
))]
pub async fn subscribe(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    context: RequestContext,
    Json(body): Json<NewPushSubscription>,
) -> Result<(StatusCode, Json<PushSubscription>)> {
    let subscription = notifications.subscribe(&actor, body, &context.user_agent).await?;
    Ok((StatusCode::CREATED, Json(subscription)))
}

/// Send no more pushes to a browser of mine
#[utoipa::path(delete, path = "/api/v1/notifications/browsers/{id}", tag = "notifications",
    params(("id" = PushSubscriptionId, Path, description = "Id of the browser")), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "The caller is no person"),
    (status = 404, body = Problem),
    (status = 429, body = Problem),
))]
pub async fn unsubscribe(
    State(notifications): State<Notifications>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let missing = || Error::not_found("push_subscription_not_found", "There is no such browser of yours");
    let id: PushSubscriptionId = id.parse().map_err(|_| missing())?;
    notifications.unsubscribe(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
