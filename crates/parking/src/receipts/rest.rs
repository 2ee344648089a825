//! REST of receipts.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use portico_identity::Auth;
use portico_model::{Problem, ReservationId};
use portico_platform::Result;
use portico_platform::http::Path;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new().routes(routes!(receipt))
}

/// The receipt of a reservation, as PDF
///
/// One's own; with `operate_parking` anybody's. What was paid and given back by now stands in it, and its number stays the
/// same.
#[utoipa::path(get, path = "/api/v1/reservations/{id}/receipt.pdf", tag = "parking", params(("id" = ReservationId, Path)),
    responses(
    (status = 200, body = Vec<u8>, content_type = "application/pdf"),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`not_paid`"),
))]
pub async fn receipt(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ReservationId>,
) -> Result<Response> {
    let file = parking.receipt_file(&actor, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, file.pdf).into_response())
}
