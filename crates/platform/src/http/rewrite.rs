//! A path of the former systems without version, `/api/x`, is the same as `/api/v1/x`. The former smart lock's paths
//! outside `/api` are served at `/api/v1/smart-lock/…`.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, header};

/// How the keys of services begin.
const SERVICE_KEY_PREFIX: &str = "svc_";

pub(super) fn compat(mut request: Request) -> Request {
    let by_device = *request.method() == Method::GET && is_device_key(request.headers());
    // A browser that asks for the page of the locks has no such header.
    let is_program = request.headers().contains_key(header::AUTHORIZATION);
    let rewritten = smart_lock(request.method(), request.uri(), is_program);
    if let Some(uri) = rewritten.or_else(|| with_version(request.uri(), by_device)) {
        *request.uri_mut() = uri;
    }
    request
}

fn smart_lock(method: &Method, uri: &Uri, is_program: bool) -> Option<Uri> {
    let path = uri.path();
    let mut segments = path.split('/').skip(1);
    let is_its = match (segments.next(), segments.next(), segments.next(), segments.next()) {
        (Some("auth"), Some("login" | "register" | "signup"), None, None)
        | (Some("locks"), Some("register"), None, None) => method == Method::POST,
        (Some("locks"), None, None, None) => method == Method::GET && is_program,
        (Some("locks"), Some(_), Some("status"), None) => method == Method::GET,
        (Some("locks"), Some(_), Some("reassign"), None) => method == Method::PUT,
        _ => false,
    };
    if !is_its {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("/api/v1/smart-lock{path}{query}").parse().ok()
}

/// A key, and no service's.
fn is_device_key(headers: &HeaderMap) -> bool {
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    key.is_some_and(|key| !key.trim_start().starts_with(SERVICE_KEY_PREFIX))
}

fn with_version(uri: &Uri, by_device: bool) -> Option<Uri> {
    // Two former systems had this path: readers of doors ask with their keys, people with their tokens.
    if by_device && uri.path() == "/api/users" {
        return Some(Uri::from_static("/api/v1/readers/users"));
    }
    let rest = uri.path().strip_prefix("/api/")?;
    let first = rest.split('/').next().unwrap_or(rest);
    if first == "v1" {
        return None;
    }
    let path = match uri.query() {
        Some(query) => format!("/api/v1/{rest}?{query}"),
        None => format!("/api/v1/{rest}"),
    };
    path.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_added_once_and_the_query_kept() {
        let rewritten = |text: &str| with_version(&text.parse().unwrap(), false).map(|uri| uri.to_string());
        assert_eq!(rewritten("/api/devices?limit=2").as_deref(), Some("/api/v1/devices?limit=2"));
        assert_eq!(rewritten("/api/v1/devices"), None);
        assert_eq!(rewritten("/apis/devices"), None);
        assert_eq!(rewritten("/devices"), None);
    }

    #[test]
    fn readers_ask_for_users_of_their_own() {
        let uri: Uri = "/api/users?limit=2".parse().unwrap();
        assert_eq!(with_version(&uri, true).unwrap(), "/api/v1/readers/users");
        assert_eq!(with_version(&uri, false).unwrap(), "/api/v1/users?limit=2");
    }

    #[test]
    fn former_smart_lock_is_told_from_pages() {
        let rewritten = |method: Method, text: &str, is_program: bool| {
            smart_lock(&method, &text.parse().unwrap(), is_program).map(|uri| uri.to_string())
        };
        let reassign = rewritten(Method::PUT, "/locks/device-1/reassign?new_owner=bob", false);
        assert_eq!(reassign.as_deref(), Some("/api/v1/smart-lock/locks/device-1/reassign?new_owner=bob"));
        assert_eq!(rewritten(Method::POST, "/auth/login", false).as_deref(), Some("/api/v1/smart-lock/auth/login"));
        assert_eq!(rewritten(Method::GET, "/locks", true).as_deref(), Some("/api/v1/smart-lock/locks"));
        for (method, path) in [(Method::GET, "/locks"), (Method::GET, "/locks/1"), (Method::GET, "/auth/login")] {
            assert_eq!(rewritten(method, path, false), None, "{path}");
        }
        assert_eq!(rewritten(Method::GET, "/locks/1", true), None);
    }
}
