//! REST of this domain.

use utoipa_axum::router::OpenApiRouter;

use crate::Alarms;

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(alarms: Alarms) -> OpenApiRouter {
    OpenApiRouter::new().with_state(alarms)
}
