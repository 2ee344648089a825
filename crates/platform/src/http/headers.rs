//! Security headers on every answer.

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::scope::Scope;

/// For everything that is no page: pages bring their own, with a nonce for the script that starts the app.
const CSP_DEFAULT: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// A page that brings no policy of its own may use files of this server, and nothing inline.
const CSP_PAGE: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; \
                        base-uri 'none'; form-action 'self'";

pub(super) async fn secure(hsts_s: u64, Extension(scope): Extension<Scope>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // `X-Frame-Options` has no word for a page that every site may show in a frame.
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    let may_be_framed = policy.is_some_and(|policy| policy.contains("frame-ancestors *"));
    let mut set = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    let constant = HeaderValue::from_static;
    set(header::CONTENT_SECURITY_POLICY, constant(if is_page { CSP_PAGE } else { CSP_DEFAULT }));
    set(header::X_CONTENT_TYPE_OPTIONS, constant("nosniff"));
    if !may_be_framed {
        set(header::X_FRAME_OPTIONS, constant("DENY"));
    }
    // Not `no-referrer`: with it browsers send `Origin: null` with a form, and the form would look like another site's.
    set(header::REFERRER_POLICY, constant("same-origin"));
    set(HeaderName::from_static("cross-origin-opener-policy"), constant("same-origin"));
    set(HeaderName::from_static("cross-origin-resource-policy"), constant("same-origin"));
    let permissions = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
    set(HeaderName::from_static("permissions-policy"), constant(permissions));
    if scope.is_https()
        && hsts_s > 0
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={hsts_s}"))
    {
        set(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
