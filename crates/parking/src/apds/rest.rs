//! REST of APDS, with the parameters of its own description.

use axum::extract::State;
use portico_identity::Auth;
use portico_model::Problem;
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApdsElement, ApdsExpand, ApdsKind, ApdsQuery, MAX_PAGE};
use crate::Parking;

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new().routes(routes!(apds_places)).routes(routes!(apds_place))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PlacesQuery {
    /// Only these, separated by commas: `parkingPlace`, `identifiedArea`, `space`.
    #[serde(rename = "type")]
    #[param(example = "parkingPlace")]
    kinds: Option<String>,
    /// The lowest layer: 0 lots, 1 and levels, 2 and spots.
    layer: Option<i64>,
    /// Only elements of this name.
    name: Option<String>,
    /// Degrees north; with `longitude` and `radius`.
    #[param(minimum = -90, maximum = 90)]
    latitude: Option<f64>,
    /// Degrees east.
    #[param(minimum = -180, maximum = 180)]
    longitude: Option<f64>,
    /// Metres around that place in which the lot must be.
    #[param(minimum = 0)]
    radius: Option<f64>,
    /// Attributes to add, separated by commas: `occupancy`, `pointLocation`, `streetAddress`, `characteristics`, `all`.
    #[param(example = "occupancy")]
    expand: Option<String>,
    /// Elements to leave out at the beginning.
    offset: Option<u32>,
    /// 1 to 5,000; absent: 5,000.
    limit: Option<u32>,
    /// Not served: is refused.
    modified_since: Option<String>,
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PlaceQuery {
    /// As in the list.
    #[param(example = "occupancy")]
    expand: Option<String>,
}

/// About the list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"referenceInstant": 1_795_226_400_i64, "offset": 0, "pageSize": 5000, "total": 3}))]
pub struct ApdsMeta {
    /// When it was made, seconds since 1970.
    reference_instant: i64,
    offset: i64,
    /// Most elements of an answer.
    page_size: i64,
    /// Elements that fit, on all pages.
    total: i64,
}

/// Elements of the hierarchy of places.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApdsPlaces {
    meta: ApdsMeta,
    data: Vec<ApdsElement>,
}

fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// Attributes that APDS knows and that are not served add nothing.
fn expand(text: Option<&str>) -> ApdsExpand {
    let has = |name: &str| words(text).any(|word| word == name || word == "all");
    ApdsExpand {
        occupancy: has("occupancy"),
        point_location: has("pointLocation"),
        street_address: has("streetAddress"),
        characteristics: has("characteristics"),
    }
}

impl PlacesQuery {
    fn read(&self) -> Result<ApdsQuery> {
        if self.modified_since.is_some() {
            return Err(Error::field("modified_since", "is not served: versions are not kept"));
        }
        let near = match (self.latitude, self.longitude, self.radius) {
            (Some(latitude), Some(longitude), Some(radius)) => Some((latitude, longitude, radius)),
            (None, None, None) => None,
            _ => return Err(Error::field("radius", "latitude, longitude and radius are given together")),
        };
        let has_kinds = words(self.kinds.as_deref()).next().is_some();
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(ApdsQuery {
            kinds: has_kinds.then(|| words(self.kinds.as_deref()).filter_map(ApdsKind::parse).collect()),
            layer: self.layer,
            name: self.name.clone().filter(|name| !name.is_empty()),
            near,
            expand: expand(self.expand.as_deref()),
            offset: self.offset.map_or(0, count),
            limit: self.limit.map(|limit| count(limit).clamp(1, MAX_PAGE)),
        })
    }
}

/// Places as APDS 4.0 (ISO/TS 5206-1) describes them
///
/// Lots are of the type `parkingPlace`, levels of `identifiedArea`, spots of `space`; their occupancy comes with
/// `expand=occupancy`. Versions are not kept: each element has version 1. Rates, rights, sessions and observations of APDS
/// are not served.
#[utoipa::path(get, path = "/api/v1/parking/apds/places", tag = "parking", params(PlacesQuery), responses(
    (status = 200, body = ApdsPlaces),
    (status = 400, body = Problem),
))]
pub async fn apds_places(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Query(query): Query<PlacesQuery>,
) -> Result<Json<ApdsPlaces>> {
    let query = query.read()?;
    let (data, total) = parking.apds_places(&actor, &query).await?;
    let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let meta = ApdsMeta {
        reference_instant: parking.0.platform.clock.now().millis().div_euclid(1_000),
        offset: whole(query.offset),
        page_size: whole(query.limit.unwrap_or(MAX_PAGE)),
        total: whole(total),
    };
    Ok(Json(ApdsPlaces { meta, data }))
}

/// A place as APDS 4.0 describes it
#[utoipa::path(get, path = "/api/v1/parking/apds/places/{id}", tag = "parking", params(
    ("id" = String, Path, description = "Of a lot, a level or a spot"), PlaceQuery), responses(
    (status = 200, body = ApdsElement),
    (status = 404, body = Problem, description = "There is no such place"),
))]
pub async fn apds_place(
    State(parking): State<Parking>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Query(query): Query<PlaceQuery>,
) -> Result<Json<ApdsElement>> {
    Ok(Json(parking.apds_place(&actor, &id, expand(query.expand.as_deref())).await?))
}
