//! A browser sends its cookies along wherever a request comes from; so one that changes something and relies on cookies
//! must come from a page of this server.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Error;

pub(super) async fn guard(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || !relies_on_cookies(request.headers()) || is_same_origin(request.headers()) {
        return next.run(request).await;
    }
    Error::forbidden("cross_site_request", "This request came from another site. Use the page of this server.")
        .into_response()
}

/// Forms that sign in have no cookie yet, but must not be sent from elsewhere either: an Origin counts as a browser.
fn relies_on_cookies(headers: &HeaderMap) -> bool {
    let own_credentials = headers.contains_key(header::AUTHORIZATION) || headers.contains_key("x-api-key");
    !own_credentials && (headers.contains_key(header::COOKIE) || headers.contains_key(header::ORIGIN))
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return true,
        Some(_) => return false,
        None => {}
    }
    let source = text("origin").or_else(|| text("referer"));
    let authority = source.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    authority.is_some() && authority == text("host")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn another_site_cannot_use_the_cookies() {
        let host = ("host", "portico.example");
        assert!(is_same_origin(&headers(&[host, ("origin", "https://portico.example")])));
        assert!(is_same_origin(&headers(&[host, ("referer", "https://portico.example/devices")])));
        assert!(is_same_origin(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        assert!(!is_same_origin(&headers(&[host, ("origin", "https://evil.example")])));
        assert!(!is_same_origin(&headers(&[host, ("origin", "null")])));
        assert!(!is_same_origin(&headers(&[host])));
        let lying = headers(&[host, ("origin", "https://portico.example"), ("sec-fetch-site", "cross-site")]);
        assert!(!is_same_origin(&lying));
    }

    #[test]
    fn tokens_of_their_own_need_no_origin() {
        assert!(!relies_on_cookies(&headers(&[("authorization", "Bearer x"), ("cookie", "a=b")])));
        assert!(!relies_on_cookies(&headers(&[("x-api-key", "x")])));
        assert!(relies_on_cookies(&headers(&[("cookie", "portico_access=x")])));
    }
}
