//! REST of this domain, a router for each part.

use utoipa_axum::router::OpenApiRouter;

use crate::{Access, anomaly, bluetooth, codes, doors, locks, log, people, policies, sync};

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(access: Access) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(codes::rest::router())
        .merge(doors::routes())
        .merge(log::rest::router())
        .merge(anomaly::rest::router())
        .merge(sync::rest::router())
        .merge(people::rest::router())
        .merge(policies::rest::router())
        .merge(locks::router())
        .merge(bluetooth::router())
        .merge(locks::compat_router())
        .with_state(access)
}
