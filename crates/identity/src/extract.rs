//! From a request to the one who acts. Needs [`crate::browser::session_layer`] around the routes.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use portico_model::UserId;
use portico_platform::http::{ClientAddress, Scope, admit, current_request_id};
use portico_platform::{Actor, Error, Principal, Result};

use crate::service::service_keys::KEY_PREFIX;
use crate::{Identity, RequestContext, cookies};

const USER_ID: &str = "x-user-id";

/// The one who acts; without one the request is answered with 401.
#[derive(Debug, Clone)]
pub struct Auth(pub Actor);

/// The one who acts, if anyone does. Credentials that are wrong, not absent, are still refused.
#[derive(Debug, Clone)]
pub struct MaybeAuth(pub Option<Actor>);

/// The actor that the browser's cookies proved, put into the request by the session layer.
#[derive(Debug, Clone)]
pub(crate) struct CookieActor(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        actor(parts).await?.map(Self).ok_or_else(|| {
            Error::unauthenticated(
                "sign_in_required",
                "Sign in first: POST /api/v1/auth/login, then send the access token as `Authorization: Bearer`.",
            )
            .titled("Authentication required")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeAuth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        actor(parts).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(request_context(&parts.headers, &parts.extensions))
    }
}

/// What is known of a request before anyone is signed in.
#[must_use]
pub fn request_context(headers: &HeaderMap, extensions: &Extensions) -> RequestContext {
    let address = extensions
        .get::<ClientAddress>()
        .map(|ClientAddress(address)| *address)
        .or_else(|| extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip()));
    RequestContext {
        address: address.map(|address| address.to_string()).unwrap_or_default(),
        user_agent: header_text(headers, header::USER_AGENT.as_str()).unwrap_or_default().to_owned(),
        request_id: current_request_id(),
        device_token: cookies::get(headers, cookies::DEVICE).map(ToOwned::to_owned),
    }
}

/// Whether an `X-API-Key` is a service's, by its form; a device's has another.
#[must_use]
pub fn is_service_key(api_key: &str) -> bool {
    api_key.starts_with(KEY_PREFIX)
}

async fn actor(parts: &Parts) -> Result<Option<Actor>> {
    let api_key = header_text(&parts.headers, "x-api-key").map(str::trim).filter(|key| is_service_key(key));
    let actor = match (header_text(&parts.headers, header::AUTHORIZATION.as_str()), api_key) {
        (Some(authorization), _) => Some(by_authorization(parts, authorization).await?),
        (None, Some(api_key)) => {
            let ctx = request_context(&parts.headers, &parts.extensions);
            Some(identity_of(parts)?.authenticate_service(api_key, &ctx).await?)
        }
        (None, None) => match by_proxy(parts).await? {
            Some(actor) => Some(actor),
            None => parts.extensions.get::<CookieActor>().map(|CookieActor(actor)| actor.clone()),
        },
    };
    check_user_id_header(parts, actor.as_ref())?;
    if let Some(actor) = &actor {
        admit(actor)?;
    }
    Ok(actor)
}

fn identity_of(parts: &Parts) -> Result<&Identity> {
    parts.extensions.get::<Identity>().ok_or_else(|| Error::internal("the session layer is missing around this route"))
}

async fn by_authorization(parts: &Parts, authorization: &str) -> Result<Actor> {
    let identity = identity_of(parts)?;
    let ctx = request_context(&parts.headers, &parts.extensions);
    let (scheme, credential) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return identity.authenticate(credential.trim(), &ctx).await;
    }
    if scheme.eq_ignore_ascii_case("admin") {
        return identity.authenticate_admin_token(credential.trim(), &ctx).await;
    }
    Err(Error::unauthenticated("unknown_scheme", "`Authorization` must be `Bearer <access token>`."))
}

/// Whom a trusted proxy names, when it presents the shared secret.
async fn by_proxy(parts: &Parts) -> Result<Option<Actor>> {
    let (Some(user), Some(secret)) =
        (header_text(&parts.headers, USER_ID), header_text(&parts.headers, "x-proxy-secret"))
    else {
        return Ok(None);
    };
    if !parts.extensions.get::<Scope>().is_some_and(Scope::is_proxied) {
        return Err(Error::unauthenticated(
            "untrusted_proxy",
            "X-Proxy-Secret counts only from an address in http.trusted_proxies.",
        ));
    }
    let ctx = request_context(&parts.headers, &parts.extensions);
    identity_of(parts)?.authenticate_proxied(user, secret, &ctx).await.map(Some)
}

/// The former systems took this header for a credential. It proves nothing, so it counts only beside an access token of
/// the same user, or from a trusted proxy that presents the shared secret.
fn check_user_id_header(parts: &Parts, actor: Option<&Actor>) -> Result<()> {
    let Some(header) = parts.headers.get(USER_ID) else { return Ok(()) };
    let claimed: Option<UserId> = header.to_str().ok().and_then(|text| text.trim().parse().ok());
    match actor.map(|actor| &actor.principal) {
        Some(Principal::User { id, .. }) if claimed == Some(*id) => Ok(()),
        Some(Principal::AdminToken) => Ok(()),
        Some(Principal::User { .. }) => Err(Error::unauthenticated(
            "user_id_mismatch",
            "X-User-ID names another user than the access token. Leave the header out.",
        )),
        _ => Err(Error::unauthenticated(
            "user_id_is_no_credential",
            "X-User-ID alone is no credential. Sign in with POST /api/v1/auth/login and send the access token as \
             `Authorization: Bearer`.",
        )
        .titled("Authentication required")),
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
