//! REST of permits.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::parking::permit::{NewPermit, Permit, PermitValidity};
use portico_model::{LotId, Page, PermitId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PermitQuery;
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, change, revoke))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only one's own. Who may not see others' gets his own in any case.
    mine: bool,
    /// Only those that hold in this lot.
    lot_id: Option<LotId>,
    /// `true`: those that hold or will; `false`: those that have ended or were revoked.
    current: Option<bool>,
    /// Part of the holder, the label or the plate.
    search: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
}

/// Permits, the newest first: all, or one's own
#[utoipa::path(get, path = "/api/v1/parking/permits", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Page<Permit>),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Permit>>> {
    let ListQuery { mine, lot_id, current, search, cursor, limit } = query;
    Ok(Json(parking.permits(&actor, &PermitQuery { mine, lot: lot_id, current, search, cursor, limit }).await?))
}

/// Let somebody, or a vehicle, park without reserving
///
/// It holds for the vehicle with its plate, or for the one that comes with it (`permit_id` of
/// `POST /api/v1/parking/sessions`).
#[utoipa::path(post, path = "/api/v1/parking/permits", tag = "parking", request_body = NewPermit, responses(
    (status = 201, body = Permit),
    (status = 404, body = Problem, description = "There is no such lot"),
))]
pub async fn create(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(new): Json<NewPermit>,
) -> Result<(StatusCode, Json<Permit>)> {
    Ok((StatusCode::CREATED, Json(parking.create_permit(&actor, &new).await?)))
}

/// A permit
#[utoipa::path(get, path = "/api/v1/parking/permits/{id}", tag = "parking", params(("id" = PermitId, Path)),
    responses((status = 200, body = Permit)))]
pub async fn get(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<PermitId>) -> Result<Json<Permit>> {
    Ok(Json(parking.permit(&actor, id).await?))
}

/// Change from when until when a permit holds
#[utoipa::path(put, path = "/api/v1/parking/permits/{id}", tag = "parking", request_body = PermitValidity,
    params(("id" = PermitId, Path)), responses(
    (status = 200, body = Permit),
    (status = 409, body = Problem, description = "`permit_revoked`"),
))]
pub async fn change(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<PermitId>,
    Json(validity): Json<PermitValidity>,
) -> Result<Json<Permit>> {
    Ok(Json(parking.change_permit(&actor, id, &validity).await?))
}

/// Revoke a permit
///
/// It holds no more; it stays on record.
#[utoipa::path(delete, path = "/api/v1/parking/permits/{id}", tag = "parking", params(("id" = PermitId, Path)),
    responses((status = 200, body = Permit)))]
pub async fn revoke(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<PermitId>,
) -> Result<Json<Permit>> {
    Ok(Json(parking.revoke_permit(&actor, id).await?))
}
