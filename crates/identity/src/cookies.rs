//! The browser's cookies. `HttpOnly`, so that no script reads them; `SameSite=Lax`, so that no foreign page sends them with a
//! POST; `Secure` wherever Portico is reached over https.

use axum::http::{HeaderMap, HeaderValue, header};
use portico_platform::Config;
use portico_platform::http::Scope;

use crate::SignedIn;

/// The access token of a browser.
pub const ACCESS: &str = "portico_access";
/// The refresh token of a browser.
pub const REFRESH: &str = "portico_refresh";
/// Proves that someone signed in from this browser before; outlives sessions.
pub const DEVICE: &str = "portico_device";

/// A year; browsers cap it at 400 days.
const DEVICE_MAX_AGE_S: i64 = 365 * 86_400;

/// Whether cookies are marked `Secure`: when browsers reach us by https, ourselves or through a proxy, as configured
/// or as the request being answered says.
#[must_use]
pub fn secure(config: &Config) -> bool {
    config.http.tls_cert.is_some()
        || config.public_url().starts_with("https://")
        || Scope::current().is_some_and(|scope| scope.is_https())
}

/// The `Set-Cookie` values that sign a browser in, or renew it.
#[must_use]
pub fn sign_in(signed_in: &SignedIn, secure: bool) -> Vec<HeaderValue> {
    // The access cookie stays as long as the session: once its token has expired it is renewed, not missed.
    [
        set(ACCESS, &signed_in.access_token, signed_in.refresh_expires_in_s, secure),
        set(REFRESH, &signed_in.refresh_token, signed_in.refresh_expires_in_s, secure),
        device(signed_in, secure),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The cookie that makes this device known, after a sign-in.
#[must_use]
pub fn device(signed_in: &SignedIn, secure: bool) -> Option<HeaderValue> {
    set(DEVICE, signed_in.device_token.as_deref()?, DEVICE_MAX_AGE_S, secure)
}

/// The `Set-Cookie` values that sign a browser out. It stays a known device.
#[must_use]
pub fn sign_out(secure: bool) -> Vec<HeaderValue> {
    [set(ACCESS, "", 0, secure), set(REFRESH, "", 0, secure)].into_iter().flatten().collect()
}

/// Adds cookies to an answer.
pub fn append(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// The value of a cookie of the request.
#[must_use]
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

/// Our tokens are hexadecimal or base64url with dots: nothing in them needs quoting, and nothing else is set.
fn set(name: &str, value: &str, max_age_s: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; portico_access=x.y.z; b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("portico_refresh=; xportico_device=no"));
        assert_eq!(get(&headers, ACCESS), Some("x.y.z"));
        assert_eq!(get(&headers, REFRESH), None);
        assert_eq!(get(&headers, DEVICE), None);
    }

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_foreign_pages() {
        for secure in [false, true] {
            let text = set(ACCESS, "t", 60, secure).unwrap().to_str().unwrap().to_owned();
            assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax") && text.contains("Path=/"));
            assert_eq!(text.contains("Secure"), secure);
        }
    }
}
