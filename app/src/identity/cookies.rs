//! The browser's credentials: HttpOnly cookies that no script reads.

use axum::http::request::Parts;
use leptos::prelude::use_context;
use portico_identity::SignedIn;

use crate::server::append_cookie;

const ACCESS: &str = "portico_access";
const REFRESH: &str = "portico_refresh";

/// Whether the browser came over TLS, here or at the proxy in front.
fn secure() -> &'static str {
    let https = use_context::<Parts>().is_some_and(|parts| {
        parts.uri.scheme_str() == Some("https")
            || parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
    });
    if https { "; Secure" } else { "" }
}

fn set_one(name: &str, value: &str, max_age_s: i64) {
    append_cookie(&format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{}", secure()));
}

/// Keeps the session.
pub fn set(signed_in: &SignedIn) {
    set_one(ACCESS, &signed_in.access_token, signed_in.access_expires_in_s);
    set_one(REFRESH, &signed_in.refresh_token, signed_in.refresh_expires_in_s);
}

/// Forgets the session.
pub fn clear() {
    set_one(ACCESS, "", 0);
    set_one(REFRESH, "", 0);
}
