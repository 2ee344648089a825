//! A path of the former systems without version, `/api/x`, is the same as `/api/v1/x`.

use axum::extract::Request;
use axum::http::Uri;

pub(super) fn compat(mut request: Request) -> Request {
    if let Some(uri) = with_version(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn with_version(uri: &Uri) -> Option<Uri> {
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
        let rewritten = |text: &str| with_version(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(rewritten("/api/devices?limit=2").as_deref(), Some("/api/v1/devices?limit=2"));
        assert_eq!(rewritten("/api/v1/devices"), None);
        assert_eq!(rewritten("/apis/devices"), None);
        assert_eq!(rewritten("/devices"), None);
    }
}
