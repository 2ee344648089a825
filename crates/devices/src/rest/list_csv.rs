//! The list of devices as a file, all pages of it.

use axum::extract::State;
use axum::response::Response;
use portico_identity::Auth;
use portico_model::Problem;
use portico_platform::Result;
use portico_platform::http::Query;

use super::device::ListQuery;
use super::explore::csv_answer;
use crate::Devices;

/// Devices that the caller may see, as CSV
///
/// All that fit the filter, on whichever page; `cursor` and `limit` are of no effect.
#[utoipa::path(get, path = "/api/v1/devices.csv", tag = "devices", params(ListQuery), responses(
    (status = 200, body = String, content_type = "text/csv"),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn export(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    Ok(csv_answer(devices.list_csv(&actor, query.read()?).await?, "devices.csv"))
}
