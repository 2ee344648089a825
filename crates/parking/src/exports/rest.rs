//! REST of exports: each table as CSV and as XLSX.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use portico_identity::Auth;
use portico_model::{LotId, Problem, Timestamp};
use portico_platform::http::Query;
use portico_platform::{Actor, Result};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Export;
use crate::Parking;
use crate::analytics::rest::which;
use crate::reservations::rest::ListQuery;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(reservations_csv))
        .routes(routes!(reservations_xlsx))
        .routes(routes!(spots_csv))
        .routes(routes!(spots_xlsx))
        .routes(routes!(occupancy_csv))
        .routes(routes!(occupancy_xlsx))
}

fn file(body: Body, kind: &'static str, name: &'static str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn csv_answer(export: Export, name: &'static str) -> Response {
    file(Body::from_stream(export.into_csv()), "text/csv; charset=utf-8", name)
}

async fn xlsx_answer(export: Export, name: &'static str) -> Result<Response> {
    Ok(file(Body::from(export.into_xlsx().await?), XLSX, name))
}

/// Reservations as CSV
///
/// All that fit the filters of the list, on whichever page; `cursor` and `limit` are of no effect. The export is itself
/// recorded. A text that a spreadsheet would take for a formula has an apostrophe before it.
#[utoipa::path(get, path = "/api/v1/parking/export/reservations.csv", tag = "parking", params(ListQuery), responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 404, body = Problem, description = "There is no such spot"),
))]
pub async fn reservations_csv(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let export = parking.export_reservations(&actor, query.read()).await?;
    Ok(csv_answer(export, "attachment; filename=\"reservations.csv\""))
}

/// Reservations as XLSX
///
/// As the CSV; at most some 23,800 rows.
#[utoipa::path(get, path = "/api/v1/parking/export/reservations.xlsx", tag = "parking", params(ListQuery), responses(
    (status = 200, body = Vec<u8>,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (status = 404, body = Problem, description = "There is no such spot"),
    (status = 409, body = Problem, description = "`too_many_rows`: CSV has no such limit"),
))]
pub async fn reservations_xlsx(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let export = parking.export_reservations(&actor, query.read()).await?;
    xlsx_answer(export, "attachment; filename=\"reservations.xlsx\"").await
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SpotsQuery {
    /// Absent: the only lot.
    lot_id: Option<LotId>,
}

async fn spots(parking: &Parking, actor: &Actor, query: SpotsQuery) -> Result<Export> {
    let lot = which(parking, actor, query.lot_id).await?;
    parking.export_spots(actor, lot).await
}

/// The spots of a lot as CSV
///
/// As `POST /api/v1/parking/lots/{id}/import` reads them.
#[utoipa::path(get, path = "/api/v1/parking/export/spots.csv", tag = "parking", params(SpotsQuery), responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 404, body = Problem, description = "There is no such lot"),
))]
pub async fn spots_csv(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<SpotsQuery>,
) -> Result<Response> {
    Ok(csv_answer(spots(&parking, &actor, query).await?, "attachment; filename=\"spots.csv\""))
}

/// The spots of a lot as XLSX
///
/// As `POST /api/v1/parking/lots/{id}/import` reads them.
#[utoipa::path(get, path = "/api/v1/parking/export/spots.xlsx", tag = "parking", params(SpotsQuery), responses(
    (status = 200, body = Vec<u8>,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (status = 404, body = Problem, description = "There is no such lot"),
))]
pub async fn spots_xlsx(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<SpotsQuery>,
) -> Result<Response> {
    xlsx_answer(spots(&parking, &actor, query).await?, "attachment; filename=\"spots.xlsx\"").await
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OccupancyQuery {
    /// Absent: the only lot.
    lot_id: Option<LotId>,
    /// Absent: four weeks before `until`.
    from: Option<Timestamp>,
    /// Absent: now. At most a year after `from`.
    until: Option<Timestamp>,
}

async fn occupancy(parking: &Parking, actor: &Actor, query: OccupancyQuery) -> Result<Export> {
    let lot = which(parking, actor, query.lot_id).await?;
    parking.export_occupancy(actor, lot, query.from, query.until).await
}

/// How full a lot was, in quarters of an hour, as CSV
///
/// `POST /api/v1/parking/history` reads it. Times of which nothing is known are left out.
#[utoipa::path(get, path = "/api/v1/parking/export/occupancy.csv", tag = "parking", params(OccupancyQuery), responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 404, body = Problem, description = "There is no such lot"),
))]
pub async fn occupancy_csv(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<OccupancyQuery>,
) -> Result<Response> {
    Ok(csv_answer(occupancy(&parking, &actor, query).await?, "attachment; filename=\"occupancy.csv\""))
}

/// How full a lot was, in quarters of an hour, as XLSX
#[utoipa::path(get, path = "/api/v1/parking/export/occupancy.xlsx", tag = "parking", params(OccupancyQuery), responses(
    (status = 200, body = Vec<u8>,
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (status = 404, body = Problem, description = "There is no such lot"),
))]
pub async fn occupancy_xlsx(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<OccupancyQuery>,
) -> Result<Response> {
    xlsx_answer(occupancy(&parking, &actor, query).await?, "attachment; filename=\"occupancy.xlsx\"").await
}
