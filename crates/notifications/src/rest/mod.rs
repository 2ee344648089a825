//! REST of this domain: parse, call one service method, shape the answer.

mod deliveries;
mod preferences;
mod push;
mod webhooks;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Notifications;

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(notifications: Notifications) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(preferences::get, preferences::put))
        .routes(routes!(preferences::test))
        .routes(routes!(push::list, push::subscribe))
        .routes(routes!(push::unsubscribe))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::put, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::retry))
        .routes(routes!(deliveries::discard))
        .with_state(notifications)
}
