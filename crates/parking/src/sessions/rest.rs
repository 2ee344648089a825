//! REST of vehicles that come and leave.

use axum::extract::State;
use axum::http::StatusCode;
use portico_devices::rest::Reader;
use portico_identity::Auth;
use portico_model::parking::session::{ParkingSession, VehicleArrival, VehicleDeparture};
use portico_model::{LotId, Page, ParkingSessionId, Problem};
use portico_platform::Result;
use portico_platform::http::{Json, Path, Query};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::SessionQuery;
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(list, enter))
        .routes(routes!(leave))
        .routes(routes!(get))
        .routes(routes!(end))
        .routes(routes!(paid))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those in this lot.
    lot_id: Option<LotId>,
    /// `true`: those that are there; `false`: those that have left.
    open: Option<bool>,
    /// `true`: those that are there for longer than their reservation or permit lets them; `false`: all others.
    overstaying: Option<bool>,
    /// Part of the plate, in any way of writing.
    plate: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 500; absent: 100.
    limit: Option<i64>,
}

/// Vehicles that are or were in a lot, the latest first
#[utoipa::path(get, path = "/api/v1/parking/sessions", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Page<ParkingSession>),
))]
pub async fn list(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ParkingSession>>> {
    let ListQuery { lot_id, open, overstaying, plate, cursor, limit } = query;
    let query = SessionQuery { lot: lot_id, open, overstaying, plate, cursor, limit };
    Ok(Json(parking.parking_sessions(&actor, &query).await?))
}

/// A vehicle has come
///
/// By its plate, its spot or both. A reservation or a permit for the plate covers it, as does the reservation of the spot
/// when it is for no other plate. The same reading again changes nothing and answers 200. A device may tell it when its owner
/// may; people and services need `operate_parking`.
#[utoipa::path(post, path = "/api/v1/parking/sessions", tag = "parking", request_body = VehicleArrival,
    security(("api_key" = []), ("bearer" = [])), responses(
    (status = 200, body = ParkingSession, description = "It was there already"),
    (status = 201, body = ParkingSession),
    (status = 404, body = Problem, description = "There is no such lot, spot or permit"),
    (status = 409, body = Problem, description = "`spot_taken`, `permit_not_valid`"),
))]
pub async fn enter(
    State(parking): State<Parking>,
    Reader(actor): Reader,
    Json(arrival): Json<VehicleArrival>,
) -> Result<(StatusCode, Json<ParkingSession>)> {
    let (session, is_new) = parking.vehicle_came(&actor, &arrival).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(session)))
}

/// A vehicle has left
///
/// `due_minor` is what it owes. The same reading again changes nothing. A device may tell it when its owner may; people and
/// services need `operate_parking`.
#[utoipa::path(post, path = "/api/v1/parking/sessions/leave", tag = "parking", request_body = VehicleDeparture,
    security(("api_key" = []), ("bearer" = [])), responses(
    (status = 200, body = ParkingSession),
    (status = 404, body = Problem, description = "No such vehicle is there, or there is no such lot or spot"),
))]
pub async fn leave(
    State(parking): State<Parking>,
    Reader(actor): Reader,
    Json(departure): Json<VehicleDeparture>,
) -> Result<Json<ParkingSession>> {
    Ok(Json(parking.vehicle_left(&actor, &departure).await?))
}

/// A vehicle that is or was in a lot
///
/// While it is there, its price is what it owes so far.
#[utoipa::path(get, path = "/api/v1/parking/sessions/{id}", tag = "parking", params(("id" = ParkingSessionId, Path)),
    responses((status = 200, body = ParkingSession)))]
pub async fn get(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSessionId>,
) -> Result<Json<ParkingSession>> {
    Ok(Json(parking.parking_session(&actor, id).await?))
}

/// End the session of a vehicle that nobody saw leaving
#[utoipa::path(post, path = "/api/v1/parking/sessions/{id}/end", tag = "parking", params(("id" = ParkingSessionId, Path)),
    responses(
    (status = 200, body = ParkingSession),
    (status = 409, body = Problem, description = "`session_over`"),
))]
pub async fn end(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSessionId>,
) -> Result<Json<ParkingSession>> {
    Ok(Json(parking.end_parking_session(&actor, id).await?))
}

/// Note that what is owed was paid at the place
///
/// For a vehicle that is still there: what it owes so far.
#[utoipa::path(post, path = "/api/v1/parking/sessions/{id}/paid", tag = "parking",
    params(("id" = ParkingSessionId, Path)), responses(
    (status = 200, body = ParkingSession),
    (status = 409, body = Problem, description = "`nothing_due`"),
))]
pub async fn paid(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<ParkingSessionId>,
) -> Result<Json<ParkingSession>> {
    Ok(Json(parking.note_session_paid(&actor, id).await?))
}
