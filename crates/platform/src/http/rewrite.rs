//! A path of the former systems without version, `/api/x`, is the same as `/api/v1/x`.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};

/// How the keys of services begin.
const SERVICE_KEY_PREFIX: &str = "svc_";

pub(super) fn compat(mut request: Request) -> Request {
    let by_device = *request.method() == Method::GET && is_device_key(request.headers());
    if let Some(uri) = with_version(request.uri(), by_device) {
        *request.uri_mut() = uri;
    }
    request
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
}
