//! REST of this domain, a router for each part.

use utoipa_axum::router::OpenApiRouter;

use crate::Access;

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(access: Access) -> OpenApiRouter {
    OpenApiRouter::new().merge(crate::codes::rest::router()).with_state(access)
}
