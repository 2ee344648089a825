use axum::extract::State;
use portico_model::Problem;
use portico_model::identity::Organization;
use portico_platform::Result;
use portico_platform::http::Json;
use serde::Serialize;

use crate::{Auth, Identity, OrganizationUpdate};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrganizationDone {
    status: &'static str,
    organization: Organization,
}

/// The organisation's settings
///
/// For everyone who belongs to it.
#[utoipa::path(get, path = "/api/v1/organization", tag = "organization", responses(
    (status = 200, body = OrganizationDone),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn read(State(identity): State<Identity>, Auth(actor): Auth) -> Result<Json<OrganizationDone>> {
    Ok(Json(OrganizationDone { status: "success", organization: identity.organization(&actor).await? }))
}

/// Change the organisation's settings
///
/// Name, time zone and who may make an account. How long measurements are kept is set at `/api/v1/telemetry/retention`.
#[utoipa::path(put, path = "/api/v1/organization", tag = "organization", request_body = OrganizationUpdate, responses(
    (status = 200, body = OrganizationDone),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub async fn update(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<OrganizationUpdate>,
) -> Result<Json<OrganizationDone>> {
    let organization = identity.update_organization(&actor, body).await?;
    Ok(Json(OrganizationDone { status: "success", organization }))
}
