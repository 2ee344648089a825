//! REST of analytics.

use axum::extract::State;
use portico_identity::Auth;
use portico_model::parking::analytics::{LotForecast, Occupancy, Trends};
use portico_model::{LotId, Problem, Timestamp};
use portico_platform::http::{Json, Path, Query, Raw};
use portico_platform::{Error, Result};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ImportedHistory;
use crate::{LotQuery, Parking};

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new()
        .routes(routes!(occupancy))
        .routes(routes!(trends))
        .routes(routes!(predictions))
        .routes(routes!(renew))
        .routes(routes!(import))
}

/// How full everything is now
#[utoipa::path(get, path = "/api/v1/analytics/occupancy", tag = "parking", responses((status = 200, body = Occupancy)))]
pub async fn occupancy(State(parking): State<Parking>, Auth(actor): Auth) -> Result<Json<Occupancy>> {
    Ok(Json(parking.occupancy(&actor).await?))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TrendsQuery {
    /// What is asked for; only `occupancy` so far.
    #[param(example = "occupancy")]
    metric: Option<String>,
    /// Absent: the only lot.
    lot_id: Option<LotId>,
    /// Absent: four weeks before `until`.
    from: Option<Timestamp>,
    /// Absent: now. At most a year after `from`.
    until: Option<Timestamp>,
}

/// How a lot was used: hours of the week, days
#[utoipa::path(get, path = "/api/v1/analytics/trends", tag = "parking", params(TrendsQuery), responses(
    (status = 200, body = Trends),
    (status = 404, body = Problem),
))]
pub async fn trends(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<TrendsQuery>,
) -> Result<Json<Trends>> {
    if query.metric.as_deref().is_some_and(|metric| metric != "occupancy") {
        return Err(Error::field("metric", "occupancy"));
    }
    let lot = which(&parking, &actor, query.lot_id).await?;
    Ok(Json(parking.trends(&actor, lot, query.from, query.until).await?))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PredictionsQuery {
    /// Absent: the only lot.
    lot_id: Option<LotId>,
}

/// How full a lot will probably be in the next 24 hours
///
/// With intervals, and how well each method did in a backtest.
#[utoipa::path(get, path = "/api/v1/analytics/predictions", tag = "parking", params(PredictionsQuery), responses(
    (status = 200, body = LotForecast),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`too_few_data`"),
))]
pub async fn predictions(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<PredictionsQuery>,
) -> Result<Json<LotForecast>> {
    let lot = which(&parking, &actor, query.lot_id).await?;
    Ok(Json(parking.forecast(&actor, lot).await?))
}

/// Make the forecast of a lot anew
#[utoipa::path(post, path = "/api/v1/parking/lots/{id}/forecast", tag = "parking", params(("id" = LotId, Path)), responses(
    (status = 200, body = LotForecast),
    (status = 409, body = Problem, description = "`too_few_data`"),
))]
pub async fn renew(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<LotId>,
) -> Result<Json<LotForecast>> {
    Ok(Json(parking.renew_forecast(&actor, id).await?))
}

/// Take the history of another system
///
/// CSV; the first row names `timestamp`, `lot` (its name), `occupied` and `capacity`. What is known of those times already is
/// replaced.
#[utoipa::path(post, path = "/api/v1/parking/history", tag = "parking",
    request_body(content = Vec<u8>, content_type = "text/csv", description = "The file"), responses(
    (status = 200, body = ImportedHistory),
    (status = 400, body = Problem, description = "The file cannot be read, or a row is wrong: `rows[3]` is row 3"),
))]
pub async fn import(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Raw(file): Raw,
) -> Result<Json<ImportedHistory>> {
    Ok(Json(parking.import_history(&actor, &file).await?))
}

/// The lot that is meant; when none is named, the only one.
pub(crate) async fn which(parking: &Parking, actor: &portico_platform::Actor, lot: Option<LotId>) -> Result<LotId> {
    if let Some(lot) = lot {
        return Ok(lot);
    }
    match parking.lots(actor, LotQuery::default()).await?.as_slice() {
        [only] => Ok(only.id),
        [] => Err(crate::lots::lot_not_found()),
        _ => Err(Error::field("lot_id", "is required: there are several lots")),
    }
}
