use axum::extract::State;
use axum::http::StatusCode;
use portico_model::identity::Role;
use portico_model::{Problem, UserId};
use portico_platform::http::{Json, Path, Query};
use portico_platform::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Done, UserBody, UserDone};
use crate::input::name_key;
use crate::store::user::Slice;
use crate::{Auth, Identity, NewUser, UserChange};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Part of user name or e-mail address.
    search: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many to leave out; `cursor` is quicker.
    offset: Option<i64>,
    /// 1 to 200; absent: 100.
    limit: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Users {
    status: &'static str,
    users: Vec<UserBody>,
    /// The cursor of the next page; absent on the last.
    next: Option<String>,
    meta: ListMeta,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ListMeta {
    total: i64,
    limit: i64,
    offset: i64,
}

/// Users of the organisation
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(ListQuery), responses(
    (status = 200, body = Users),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
))]
pub async fn list(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Users>> {
    let search = query.search.map(|text| name_key(&text)).filter(|text| !text.is_empty());
    let limit = query.limit.unwrap_or(100).clamp(1, 200);
    let offset = query.offset.unwrap_or(0).max(0);
    let slice = Slice { search: search.as_deref(), after: query.cursor.as_deref(), offset, limit };
    let (page, total) = identity.users_slice(&actor, slice).await?;
    Ok(Json(Users {
        status: "success",
        users: page.items.into_iter().map(UserBody::from).collect(),
        next: page.next,
        meta: ListMeta { total, limit, offset },
    }))
}

/// Create a user
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser, responses(
    (status = 201, body = UserDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn create(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Json(body): Json<NewUser>,
) -> Result<(StatusCode, Json<UserDone>)> {
    let user = identity.create_user(&actor, body).await?;
    Ok((StatusCode::CREATED, Json(UserDone::new(Some("User created successfully".to_owned()), user))))
}

/// A user
///
/// Oneself, or anyone with the right to manage users.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = UserDone),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn read(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
) -> Result<Json<UserDone>> {
    let user = identity.get_user(&actor, parse_user_id(&id)?).await.map_err(|error| own_only(error, "view"))?;
    Ok(Json(UserDone::new(None, user)))
}

/// What to change; absent fields stay.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct UserUpdate {
    username: Option<String>,
    email: Option<String>,
    /// Another's new password; one's own is changed at `/api/v1/account/password`.
    password: Option<String>,
    role: Option<Role>,
    /// True means the role `admin`; false takes it away. `role` goes before.
    is_admin: Option<bool>,
    is_active: Option<bool>,
}

/// Change a user
///
/// Oneself (name and address), or anyone with the right to manage users.
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "users", params(("id" = UserId, Path)), request_body = UserUpdate,
    responses(
    (status = 200, body = UserDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn update(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    Json(body): Json<UserUpdate>,
) -> Result<Json<UserDone>> {
    let id = parse_user_id(&id)?;
    let role = match (body.role, body.is_admin) {
        (Some(role), _) => Some(role),
        (None, Some(true)) => Some(Role::Admin),
        // Who is no administrator keeps his role; the right to read him is checked by the service.
        (None, Some(false)) if identity.get_user(&actor, id).await?.role == Role::Admin => Some(Role::User),
        (None, _) => None,
    };
    let change = UserChange {
        username: body.username,
        email: body.email,
        password: body.password,
        role,
        is_active: body.is_active,
    };
    if change.is_empty() && body.is_admin.is_none() {
        return Err(Error::invalid("no_data", "No data provided"));
    }
    let user = identity.update_user(&actor, id, change).await.map_err(|error| own_only(error, "update"))?;
    Ok(Json(UserDone::new(Some("User updated successfully".to_owned()), user)))
}

/// Change a user (the same as PUT)
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = UserId, Path)),
    request_body = UserUpdate, responses(
    (status = 200, body = UserDone),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn patch(
    state: State<Identity>,
    auth: Auth,
    path: Path<String>,
    body: Json<UserUpdate>,
) -> Result<Json<UserDone>> {
    update(state, auth, path, body).await
}

/// Delete a user
///
/// For good, with all sessions. Administrators are protected; a user who still owns things is not deleted.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = Done),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub async fn delete(State(identity): State<Identity>, Auth(actor): Auth, Path(id): Path<String>) -> Result<Json<Done>> {
    let user = identity.delete_user(&actor, parse_user_id(&id)?).await?;
    Ok(Json(Done::new(format!("User '{}' deleted permanently", user.username))))
}

/// Activate a user
#[utoipa::path(patch, path = "/api/v1/users/{id}/activate", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = UserDone),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn activate(state: State<Identity>, auth: Auth, path: Path<String>) -> Result<Json<UserDone>> {
    set_active(state, auth, path, true).await
}

/// Deactivate a user
///
/// Every session ends at once. Administrators are protected.
#[utoipa::path(patch, path = "/api/v1/users/{id}/deactivate", tag = "users", params(("id" = UserId, Path)), responses(
    (status = 200, body = UserDone),
    (status = 401, body = Problem),
    (status = 403, body = Problem),
    (status = 404, body = Problem),
))]
pub async fn deactivate(state: State<Identity>, auth: Auth, path: Path<String>) -> Result<Json<UserDone>> {
    set_active(state, auth, path, false).await
}

async fn set_active(
    State(identity): State<Identity>,
    Auth(actor): Auth,
    Path(id): Path<String>,
    is_active: bool,
) -> Result<Json<UserDone>> {
    let (user, changed) = identity.set_user_active(&actor, parse_user_id(&id)?, is_active).await?;
    let outcome = match (is_active, changed) {
        (true, true) => "activated successfully",
        (true, false) => "is already active",
        (false, true) => "deactivated successfully",
        (false, false) => "is already deactivated",
    };
    Ok(Json(UserDone::new(Some(format!("User '{}' {outcome}", user.username)), user)))
}

/// The former system's words for who asks for another's profile.
fn own_only(error: Error, verb: &str) -> Error {
    if error.code() != "not_permitted" {
        return error;
    }
    Error::forbidden("not_permitted", format!("You can only {verb} your own profile")).titled("Forbidden")
}

/// What is no id is no user's id.
pub(super) fn parse_user_id(text: &str) -> Result<UserId> {
    text.parse().map_err(|_| {
        let id: String = text.chars().take(64).collect();
        Error::not_found("user_not_found", format!("No user found with ID: {id}")).titled("User not found")
    })
}
