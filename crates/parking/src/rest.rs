//! REST of this domain, a router for each part.

use utoipa_axum::router::OpenApiRouter;

use crate::{
    Parking, analytics, apds, exports, guests, lots, payments, permits, public, receipts, reservations, sensors,
    sessions, spots, tariffs,
};

/// All routes of the domain, with their whole paths (`/api/v1/…`). They need identity's session layer around them.
pub fn router(parking: Parking) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(lots::rest::routes())
        .merge(spots::rest::routes())
        .merge(sensors::rest::routes())
        .merge(tariffs::rest::routes())
        .merge(reservations::rest::routes())
        .merge(payments::rest::routes())
        .merge(receipts::rest::routes())
        .merge(sessions::rest::routes())
        .merge(permits::rest::routes())
        .merge(guests::rest::routes())
        .merge(analytics::rest::routes())
        .merge(exports::rest::routes())
        .merge(apds::rest::routes())
        .merge(public::rest::routes())
        .with_state(parking)
}
