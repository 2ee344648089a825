//! The server's side of pages and server functions: who asks, the services, cookies, headers.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use portico_access::Access;
use portico_alarms::Alarms;
use portico_devices::Devices;
use portico_identity::{Identity, RequestContext, SecondFactorChallenge, SignedIn, cookies};
use portico_model::Timestamp;
use portico_notifications::Notifications;
use portico_parking::Parking;
use portico_platform::{Actor, Clock, Config, Error, Principal};

pub use crate::browser::local_path;
use crate::devices::examples::Endpoints;
use crate::failure::Failure;
use crate::form::Sent;
use crate::policy;
use crate::viewer::{TimeZone, Viewer};

/// What a plain post leaves for the next page.
const FORM_COOKIE: &str = "portico_form";
/// Browsers keep a cookie of 4,096 bytes, name and attributes included.
const FORM_COOKIE_MAX_BYTES: usize = 3_800;

fn missing(what: &str) -> Failure {
    tracing::error!("the server has not provided {what} to the page");
    Failure::new(500, "internal", "Something went wrong on our side. It has been logged.")
}

/// # Errors
/// When the server has not provided it.
pub fn identity() -> Result<Identity, Failure> {
    use_context::<Identity>().ok_or_else(|| missing("Identity"))
}

/// # Errors
/// When the server has not provided it.
pub fn devices() -> Result<Devices, Failure> {
    use_context::<Devices>().ok_or_else(|| missing("Devices"))
}

/// # Errors
/// When the server has not provided it.
pub fn access() -> Result<Access, Failure> {
    use_context::<Access>().ok_or_else(|| missing("Access"))
}

/// # Errors
/// When the server has not provided it.
pub fn parking() -> Result<Parking, Failure> {
    use_context::<Parking>().ok_or_else(|| missing("Parking"))
}

/// # Errors
/// When the server has not provided it.
pub fn notifications() -> Result<Notifications, Failure> {
    use_context::<Notifications>().ok_or_else(|| missing("Notifications"))
}

/// # Errors
/// When the server has not provided it.
pub fn alarms() -> Result<Alarms, Failure> {
    use_context::<Alarms>().ok_or_else(|| missing("Alarms"))
}

/// # Errors
/// When the server has not provided it.
pub fn request_context() -> Result<RequestContext, Failure> {
    use_context::<RequestContext>().ok_or_else(|| missing("RequestContext"))
}

/// The server's clock.
pub fn now() -> Timestamp {
    use_context::<Clock>().unwrap_or_else(Clock::system).now()
}

/// Who asks.
///
/// # Errors
/// When nobody is signed in.
pub fn actor() -> Result<Actor, Failure> {
    use_context::<Option<Actor>>().flatten().ok_or_else(|| {
        set_status(401);
        Failure::unauthenticated()
    })
}

/// The signed-in person, for rendering.
pub fn viewer() -> Option<Viewer> {
    match use_context::<Option<Actor>>().flatten()?.principal {
        Principal::User { id, name, role, .. } => {
            let time_zone = use_context::<TimeZone>().unwrap_or_default().0;
            Some(Viewer { id, name, role, time_zone })
        }
        Principal::Device { .. }
        | Principal::Service { .. }
        | Principal::AdminToken
        | Principal::Guest
        | Principal::System => None,
    }
}

/// The error as a page shows it. Our own faults are logged here, at the boundary.
pub fn failed(error: Error) -> Failure {
    let status = error.kind().status();
    if status >= 500 {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(code = error.code(), source, "{error}");
    }
    set_status(status);
    let request_id = use_context::<Option<Actor>>().flatten().map(|actor| actor.request_id).unwrap_or_default();
    Failure {
        status,
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        fields: error.field_errors().to_vec(),
        request_id,
    }
}

/// The error of a form: a plain post is sent back to `page` with what was typed (`values`, never a password).
pub fn form_failed(form: &str, page: &str, values: &[(&str, &str)], failure: Failure) -> Failure {
    if is_plain_post() {
        remember(&Sent {
            form: form.to_owned(),
            failure: Some(failure.clone()),
            values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        });
        if failure.code == "step_up_required" {
            leptos_axum::redirect(&format!("/step-up?next={}", percent_encode(page)));
        } else {
            leptos_axum::redirect(page);
        }
    } else {
        set_status(failure.status);
    }
    failure
}

/// After a plain post that succeeded: on to `page`, with what it shows once.
pub fn form_done(form: &str, page: &str, values: &[(&str, &str)]) {
    if is_plain_post() {
        if !values.is_empty() {
            remember(&Sent {
                form: form.to_owned(),
                failure: None,
                values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            });
        }
        leptos_axum::redirect(page);
    }
}

/// Whether a `<form>` was posted without JavaScript.
fn is_plain_post() -> bool {
    use_context::<Parts>().is_some_and(|parts| parts.method == Method::POST && accepts_html(&parts))
}

fn accepts_html(parts: &Parts) -> bool {
    parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

/// Status of the answer, unless it will be a redirect.
pub fn set_status(status: u16) {
    if let (Some(options), Ok(status), false) =
        (use_context::<ResponseOptions>(), StatusCode::from_u16(status), is_plain_post())
    {
        options.set_status(status);
    }
}

/// What every page carries: its policy, and that no cache may keep it.
pub fn set_page_headers() {
    let Some(options) = use_context::<ResponseOptions>() else { return };
    let path = use_context::<Parts>().map(|parts| parts.uri.path().to_owned()).unwrap_or_default();
    let parking = use_context::<Parking>().filter(|_| policy::is_loaded_anew(&path));
    let stripe = parking.as_ref().and_then(Parking::card_script);
    let nonce = leptos::nonce::use_nonce().map(|nonce| nonce.to_string());
    if let Ok(policy) = HeaderValue::from_str(&policy::of_page(nonce.as_deref(), stripe)) {
        options.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
    let mut cache = "private, no-cache";
    if let Some(stripe) = stripe {
        // Stripe leads back to an address with a secret in it: neither is for the service worker's cache.
        cache = "no-store";
        // For wallets such as Apple Pay; all else stays forbidden.
        let permissions = format!("camera=(), microphone=(), geolocation=(), payment=(self \"{stripe}\"), usb=()");
        if let Ok(permissions) = HeaderValue::from_str(&permissions) {
            options.insert_header(HeaderName::from_static("permissions-policy"), permissions);
        }
    }
    options.insert_header(CACHE_CONTROL, HeaderValue::from_static(cache));
}

/// To the sign-in page, and back afterwards.
pub fn send_to_sign_in() {
    let path = use_context::<Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(|path| path.as_str().to_owned()))
        .unwrap_or_default();
    let next = match local_path(&path) {
        "/" => String::new(),
        path => format!("?next={}", percent_encode(path)),
    };
    leptos_axum::redirect(&format!("/login{next}"));
}

/// Where devices reach us: as the server says, or else where this page was asked for.
pub fn endpoints() -> Endpoints {
    if let Some(endpoints) = use_context::<Endpoints>() {
        return endpoints;
    }
    let header = |name: &str| {
        use_context::<Parts>().and_then(|parts| parts.headers.get(name)?.to_str().ok().map(ToOwned::to_owned))
    };
    let host = header("host").unwrap_or_else(|| "localhost:3000".to_owned());
    let scheme = header("x-forwarded-proto").unwrap_or_else(|| "http".to_owned());
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_owned();
    Endpoints { http: format!("{scheme}://{host}"), mqtt_host: name, mqtt_port: 1883 }
}

/// The value of a cookie of this request.
pub fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Adds a `Set-Cookie` header.
pub fn append_cookie(cookie: &str) {
    if let (Some(options), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        options.append_header(SET_COOKIE, value);
    }
}

/// Keeps the session in the browser's cookies.
pub fn sign_in_browser(signed_in: &SignedIn) {
    append_cookies(cookies::sign_in(signed_in, is_secure()));
}

/// Between the two steps of signing in: proves that the first was taken.
const CHALLENGE_COOKIE: &str = "portico_challenge";

/// Keeps the challenge of the second step out of reach of scripts and addresses.
pub fn remember_challenge(challenge: &SecondFactorChallenge) {
    let secure = if is_secure() { "; Secure" } else { "" };
    append_cookie(&format!(
        "{CHALLENGE_COOKIE}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        challenge.token, challenge.expires_in_s
    ));
}

/// The challenge of the second step; empty when there is none.
pub fn challenge() -> String {
    cookie(CHALLENGE_COOKIE).unwrap_or_default()
}

/// The second step was taken.
pub fn forget_challenge() {
    append_cookie(&format!("{CHALLENGE_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"));
}

/// Forgets the session.
pub fn sign_out_browser() {
    append_cookies(cookies::sign_out(is_secure()));
}

fn append_cookies(cookies: Vec<HeaderValue>) {
    if let Some(options) = use_context::<ResponseOptions>() {
        cookies.into_iter().for_each(|cookie| options.append_header(SET_COOKIE, cookie));
    }
}

/// Whether cookies are for https alone.
fn is_secure() -> bool {
    use_context::<Arc<Config>>().is_some_and(|config| cookies::secure(&config))
}

fn remember(sent: &Sent) {
    let mut sent = sent.clone();
    loop {
        let value = percent_encode(&serde_json::to_string(&sent).unwrap_or_default());
        if value.len() <= FORM_COOKIE_MAX_BYTES {
            append_cookie(&format!("{FORM_COOKIE}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"));
            return;
        }
        // Too much was typed for a cookie: the longest text is left out.
        let Some(longest) = sent.values.iter().max_by_key(|(_, text)| text.len()).map(|(name, _)| name.clone()) else {
            return;
        };
        sent.values.remove(&longest);
    }
}

/// What a plain post to `form` left for this page; read once.
pub fn take_sent(form: &str) -> Option<Sent> {
    let sent: Sent = serde_json::from_str(&percent_decode(&cookie(FORM_COOKIE)?)).ok()?;
    if sent.form != form {
        return None;
    }
    append_cookie(&format!("{FORM_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"));
    if let Some(options) = use_context::<ResponseOptions>() {
        // May hold a key that is shown this once: not for the service worker's cache either.
        options.insert_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Some(sent)
}

/// For a cookie or a query (RFC 3986 unreserved characters stay).
pub fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let value = std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                if value.is_some() {
                    rest = after;
                }
                value
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_survives_the_cookie() {
        let text = "Käfig; 100% \"a=b\", 25 °C\n";
        assert_eq!(percent_decode(&percent_encode(text)), text);
        assert!(percent_encode(text).is_ascii());
        assert_eq!(percent_decode("50%"), "50%");
        assert_eq!(percent_decode("%zz"), "%zz");
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (next, path) in [
            ("/devices?search=a", "/devices?search=a"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nSet-Cookie: b", "/"),
            ("", "/"),
        ] {
            assert_eq!(local_path(next), path, "{next}");
        }
    }
}
