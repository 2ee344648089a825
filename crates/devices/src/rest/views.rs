//! Saved views of the explore page.

use axum::extract::State;
use axum::http::StatusCode;
use portico_identity::Auth;
use portico_model::explore::{NewView, SavedView};
use portico_model::{Problem, SavedViewId};
use portico_platform::http::{Json, Path};
use portico_platform::{Error, Result};

use crate::Devices;

fn view_id(text: &str) -> Result<SavedViewId> {
    text.parse().map_err(|_| Error::not_found("view_not_found", "There is no such view"))
}

/// One's own views and those shared in the organisation, by name
#[utoipa::path(get, path = "/api/v1/views", tag = "explore", responses(
    (status = 200, body = Vec<SavedView>),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(State(devices): State<Devices>, Auth(actor): Auth) -> Result<Json<Vec<SavedView>>> {
    Ok(Json(devices.views(&actor).await?))
}

/// Keep a view
#[utoipa::path(post, path = "/api/v1/views", tag = "explore", request_body = NewView, responses(
    (status = 201, body = SavedView),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem, description = "One of one's own views has this name, or there are too many"),
))]
pub async fn create(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Json(new): Json<NewView>,
) -> Result<(StatusCode, Json<SavedView>)> {
    Ok((StatusCode::CREATED, Json(devices.create_view(&actor, new).await?)))
}

/// A view
#[utoipa::path(get, path = "/api/v1/views/{id}", tag = "explore", params(("id" = SavedViewId, Path)), responses(
    (status = 200, body = SavedView),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn get(State(devices): State<Devices>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<SavedView>> {
    Ok(Json(devices.view(&actor, view_id(&id)?).await?))
}

/// Replace a view of one's own
#[utoipa::path(put, path = "/api/v1/views/{id}", tag = "explore", request_body = NewView,
    params(("id" = SavedViewId, Path)), responses(
    (status = 200, body = SavedView),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn update(
    State(devices): State<Devices>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(new): Json<NewView>,
) -> Result<Json<SavedView>> {
    Ok(Json(devices.update_view(&actor, view_id(&id)?, new).await?))
}

/// Remove a view of one's own
#[utoipa::path(delete, path = "/api/v1/views/{id}", tag = "explore", params(("id" = SavedViewId, Path)), responses(
    (status = 204),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn delete(State(devices): State<Devices>, Auth(actor): Auth, Path(id): Path<String>) -> Result<StatusCode> {
    devices.delete_view(&actor, view_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
