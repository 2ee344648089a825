//! REST and page of lots that are open to the public: without an account, and for every site.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use portico_model::{ErrorKind, LotId, Problem};
use portico_platform::http::{Path, Query, etag};
use portico_platform::secrets::hex;
use portico_platform::{Error, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{PublicLot, page};
use crate::Parking;

/// For so long nobody has to ask again.
const CACHE: &str = "public, max-age=15";

pub fn routes() -> OpenApiRouter<Parking> {
    OpenApiRouter::new().routes(routes!(public_lot)).route("/p/parking/{id}", get(lot_page))
}

/// A lot that is open to the public
///
/// How many spots are free, and what it costs; without an account. Every site may read it. `ETag` and `Cache-Control` say
/// whether and when to ask again: who sends the tag as `If-None-Match` gets 304 when nothing has changed.
#[utoipa::path(get, path = "/api/v1/public/parking/{id}", tag = "parking", params(("id" = LotId, Path)), responses(
    (status = 200, body = PublicLot),
    (status = 304, description = "Nothing has changed"),
    (status = 404, body = Problem, description = "There is no such lot, or it is not open to the public"),
), security(()))]
pub async fn public_lot(State(parking): State<Parking>, Path(id): Path<LotId>, headers: HeaderMap) -> Result<Response> {
    let body = serde_json::to_string(&parking.public_lot(id).await?).map_err(Error::internal)?;
    let mut response = cached(&headers, body, "application/json");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    /// `1`: small, for a frame in another site's page.
    embed: String,
}

async fn lot_page(
    State(parking): State<Parking>,
    id: Result<Path<LotId>>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Response {
    let found = match id {
        Ok(Path(id)) => parking.public_lot(id).await,
        Err(error) => Err(error),
    };
    let is_small = query.embed == "1";
    let mut response = match found {
        Ok(lot) => cached(&headers, page::of_lot(&lot, is_small), "text/html; charset=utf-8"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut response = (StatusCode::NOT_FOUND, page::not_found(is_small)).into_response();
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            // It may be opened at any moment.
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => return error.into_response(),
    };
    if let Ok(policy) = HeaderValue::from_str(&page::POLICY) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The answer with its tag, or that it is known already.
fn cached(headers: &HeaderMap, body: String, kind: &'static str) -> Response {
    let digest = hex(Sha256::digest(body.as_bytes()).as_slice());
    // Weak: it may be compressed on its way.
    let tag = format!("W/\"{}\"", digest.get(..32).unwrap_or(&digest));
    let mut response = if etag::is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    let fields = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    let everywhere = HeaderValue::from_static("cross-origin");
    fields.insert(HeaderName::from_static("cross-origin-resource-policy"), everywhere);
    response
}
