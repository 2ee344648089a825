//! REST of tariffs.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::parking::tariff::{Tariff, TariffSettings};
use portico_model::{Problem, TariffId};
use portico_platform::Result;
use portico_platform::http::{Json, Path};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, delete))
}

/// All of them, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tariffs {
    tariffs: Vec<Tariff>,
}

/// Tariffs, by name
#[utoipa::path(get, path = "/api/v1/parking/tariffs", tag = "parking", responses((status = 200, body = Tariffs)))]
pub async fn list(State(parking): State<Parking>, Auth(actor): Auth) -> Result<Json<Tariffs>> {
    Ok(Json(Tariffs { tariffs: parking.tariffs(&actor).await? }))
}

/// Add a tariff
#[utoipa::path(post, path = "/api/v1/parking/tariffs", tag = "parking", request_body = TariffSettings, responses(
    (status = 201, body = Tariff),
    (status = 409, body = Problem, description = "`name_taken`, `too_many_tariffs`"),
))]
pub async fn create(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Json(settings): Json<TariffSettings>,
) -> Result<(StatusCode, Json<Tariff>)> {
    Ok((StatusCode::CREATED, Json(parking.create_tariff(&actor, settings).await?)))
}

/// A tariff
#[utoipa::path(get, path = "/api/v1/parking/tariffs/{id}", tag = "parking", params(("id" = TariffId, Path)),
    responses((status = 200, body = Tariff)))]
pub async fn get(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<TariffId>) -> Result<Json<Tariff>> {
    Ok(Json(parking.tariff(&actor, id).await?))
}

/// Change a tariff
///
/// From now on: reservations that were made keep their price.
#[utoipa::path(put, path = "/api/v1/parking/tariffs/{id}", tag = "parking", request_body = TariffSettings,
    params(("id" = TariffId, Path)), responses(
    (status = 200, body = Tariff),
    (status = 409, body = Problem, description = "`name_taken`"),
))]
pub async fn update(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<TariffId>,
    Json(settings): Json<TariffSettings>,
) -> Result<Json<Tariff>> {
    Ok(Json(parking.update_tariff(&actor, id, settings).await?))
}

/// Remove a tariff
#[utoipa::path(delete, path = "/api/v1/parking/tariffs/{id}", tag = "parking", params(("id" = TariffId, Path)), responses(
    (status = 204),
    (status = 409, body = Problem, description = "`tariff_in_use`"),
))]
pub async fn delete(State(parking): State<Parking>, Auth(actor): Auth, Path(id): Path<TariffId>) -> Result<StatusCode> {
    parking.delete_tariff(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
