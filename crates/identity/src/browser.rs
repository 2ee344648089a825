//! The browser's session: cookies become an actor, an expired access token is renewed unseen, and a foreign page cannot
//! act with the cookies.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use portico_model::ErrorKind;
use portico_platform::{Actor, Error};

use crate::extract::{CookieActor, request_context};
use crate::{Identity, cookies};

/// What is the same for everyone and needs no session.
const PUBLIC_PREFIXES: [&str; 7] = ["/pkg/", "/assets/", "/health", "/metrics", "/internal/", "/p/", "/api/v1/public/"];

/// Wraps the whole application: pages, server functions, `/ws` and `/api`.
pub fn session_layer<S: Clone + Send + Sync + 'static>(router: Router<S>, identity: Identity) -> Router<S> {
    router.layer(from_fn_with_state(identity, session))
}

/// The middleware of [`session_layer`].
pub async fn session(State(identity): State<Identity>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(identity.clone());
    let path = request.uri().path();
    // Who brings an `Authorization` header is judged by it alone; cookies then count for nothing.
    if request.headers().contains_key(header::AUTHORIZATION)
        || PUBLIC_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
    {
        return next.run(request).await;
    }
    let has_session =
        [cookies::ACCESS, cookies::REFRESH].iter().any(|name| cookies::get(request.headers(), name).is_some());
    let acts = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if acts && (has_session || path.starts_with("/sfn/")) && is_cross_site(request.headers()) {
        return Error::forbidden("cross_site", "This request came from another site and was refused.").into_response();
    }
    if !has_session {
        return next.run(request).await;
    }
    let secure = cookies::secure(&identity.platform.config);
    match resume(&identity, request.headers(), request.extensions()).await {
        Ok((actor, renewed)) => {
            request.extensions_mut().insert(CookieActor(actor));
            let mut response = next.run(request).await;
            // A handler that signs in or out has the last word on the cookies.
            if !renewed.is_empty() && !sets_session(response.headers()) {
                cookies::append(response.headers_mut(), renewed);
            }
            response
        }
        Err(error) if error.kind() == ErrorKind::Unauthenticated => {
            let mut response = next.run(request).await;
            if !sets_session(response.headers()) {
                cookies::append(response.headers_mut(), cookies::sign_out(secure));
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

/// The actor of the cookies, and new cookies when the access token had to be renewed.
async fn resume(
    identity: &Identity,
    headers: &HeaderMap,
    extensions: &axum::http::Extensions,
) -> Result<(Actor, Vec<HeaderValue>), Error> {
    let ctx = request_context(headers, extensions);
    let access = match cookies::get(headers, cookies::ACCESS) {
        Some(token) => identity.authenticate(token, &ctx).await,
        None => Err(Error::unauthenticated("sign_in_required", "Sign in first.")),
    };
    let error = match access {
        Ok(actor) => return Ok((actor, Vec::new())),
        Err(error) if error.kind() != ErrorKind::Unauthenticated => return Err(error),
        Err(error) => error,
    };
    let Some(refresh) = cookies::get(headers, cookies::REFRESH) else { return Err(error) };
    let signed_in = identity.refresh(refresh, &ctx).await?;
    let actor = identity.authenticate(&signed_in.access_token, &ctx).await?;
    Ok((actor, cookies::sign_in(&signed_in, cookies::secure(&identity.platform.config))))
}

fn sets_session(headers: &HeaderMap) -> bool {
    headers.get_all(header::SET_COOKIE).iter().any(|value| value.as_bytes().starts_with(cookies::ACCESS.as_bytes()))
}

/// Whether a browser says that another site's page sent this. `Sec-Fetch-Site` cannot be forged by a page; browsers
/// leave it out over plain http, and then `Origin` must name the host that was asked. What neither says comes from no
/// browser's foreign page: those always send `Origin` with a POST.
#[must_use]
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    origin_host.is_none() || origin_host != text("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn own_pages_and_programs_may_act() {
        assert!(!is_cross_site(&headers(&[])));
        assert!(!is_cross_site(&headers(&[("sec-fetch-site", "same-origin"), ("origin", "https://proxied.example")])));
        assert!(!is_cross_site(&headers(&[("origin", "http://10.0.0.5:3000"), ("host", "10.0.0.5:3000")])));
    }

    #[test]
    fn foreign_pages_may_not() {
        assert!(is_cross_site(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_cross_site(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(is_cross_site(&headers(&[("origin", "http://evil.example"), ("host", "10.0.0.5:3000")])));
        assert!(is_cross_site(&headers(&[("origin", "http://10.0.0.5:4000"), ("host", "10.0.0.5:3000")])));
        assert!(is_cross_site(&headers(&[("origin", "null"), ("host", "10.0.0.5:3000")])));
    }
}
