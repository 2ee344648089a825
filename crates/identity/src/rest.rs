//! The REST routes. Parse, call one service method, shape the answer (as the former IoT system shaped it: its clients
//! move over unchanged).

mod audit;
mod auth;
mod factors;
mod invitations;
mod links;
mod organization;
mod passkeys;
mod personal_data;
mod second_factor;
mod service_keys;
mod sessions;
mod users;

use portico_model::identity::{Role, User};
use portico_model::{Timestamp, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Identity;

/// All routes of the domain, with their whole paths (`/api/v1/…`), to be merged into the server's router. They need
/// [`crate::browser::session_layer`] around them.
pub fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(auth::setup))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::register))
        .routes(routes!(auth::me))
        .routes(routes!(second_factor::finish))
        .routes(routes!(second_factor::begin_passkey))
        .routes(routes!(second_factor::step_up))
        .routes(routes!(second_factor::begin_step_up_passkey))
        .routes(routes!(passkeys::begin_sign_in))
        .routes(routes!(passkeys::sign_in))
        .routes(routes!(passkeys::begin))
        .routes(routes!(passkeys::list, passkeys::add))
        .routes(routes!(passkeys::rename, passkeys::delete))
        .routes(routes!(factors::read))
        .routes(routes!(factors::begin_totp, factors::remove_totp))
        .routes(routes!(factors::confirm_totp))
        .routes(routes!(factors::renew_recovery_codes))
        .routes(routes!(links::request_reset))
        .routes(routes!(links::reset))
        .routes(routes!(links::verify))
        .routes(routes!(links::resend))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::revoke))
        .routes(routes!(invitations::resend))
        .routes(routes!(invitations::offered))
        .routes(routes!(invitations::accept))
        .routes(routes!(sessions::change_password))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(sessions::list_of_user))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::read, users::update, users::patch, users::delete))
        .routes(routes!(personal_data::export))
        .routes(routes!(personal_data::erase))
        .routes(routes!(users::activate))
        .routes(routes!(users::deactivate))
        .routes(routes!(service_keys::list, service_keys::create))
        .routes(routes!(service_keys::read, service_keys::update, service_keys::revoke))
        .routes(routes!(service_keys::rotate))
        .routes(routes!(organization::read, organization::update))
        .routes(routes!(audit::list))
        .routes(routes!(audit::security_events))
        .routes(routes!(audit::export))
        .with_state(identity)
}

/// Method and path of each route of a document, for the tests that say who may call what.
#[must_use]
pub fn routes(document: &utoipa::openapi::OpenApi) -> Vec<(String, String)> {
    let of_path = |(path, item): (&String, &utoipa::openapi::PathItem)| {
        let methods = [
            ("GET", item.get.is_some()),
            ("POST", item.post.is_some()),
            ("PUT", item.put.is_some()),
            ("PATCH", item.patch.is_some()),
            ("DELETE", item.delete.is_some()),
        ];
        let path = path.clone();
        methods.into_iter().filter(|(_, offered)| *offered).map(move |(method, _)| (method.to_owned(), path.clone()))
    };
    document.paths.paths.iter().flat_map(of_path).collect()
}

/// An account in JSON: our names, and those of the former system beside them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = UserAccount)]
pub struct UserBody {
    id: UserId,
    /// The same as `id`.
    user_id: UserId,
    username: String,
    email: String,
    role: Role,
    is_active: bool,
    is_admin: bool,
    created_at: Timestamp,
    last_login: Option<Timestamp>,
    /// The same as `last_login`.
    last_login_at: Option<Timestamp>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            user_id: user.id,
            username: user.username,
            email: user.email,
            role: user.role,
            is_active: user.is_active,
            is_admin: user.role == Role::Admin,
            created_at: user.created_at,
            last_login: user.last_login_at,
            last_login_at: user.last_login_at,
        }
    }
}

/// `status` is `success`; errors have another form (`Problem`).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Done {
    status: &'static str,
    message: String,
}

impl Done {
    fn new(message: impl Into<String>) -> Self {
        Self { status: "success", message: message.into() }
    }
}

/// An account, after something was done to it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UserDone {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    user: UserBody,
}

impl UserDone {
    fn new(message: Option<String>, user: User) -> Self {
        Self { status: "success", message, user: user.into() }
    }
}
