//! How often one address, one credential and one kind of route may be used.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};

use super::{ClientAddress, RateLimitConfig};
use crate::error::Error;

/// Kinds of routes with limits of their own, each per address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// Where passwords are tried.
    SignIn,
    /// Where accounts and devices are made.
    Register,
    Other,
}

impl RouteClass {
    /// By method and path.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        if *method != Method::POST {
            return Self::Other;
        }
        match path {
            "/api/v1/auth/login" | "/api/v1/setup" | "/api/v1/account/password" => Self::SignIn,
            _ if path.starts_with("/sfn/identity/sign_in") || path.starts_with("/sfn/identity/setup") => Self::SignIn,
            "/api/v1/auth/register" | "/api/v1/devices/register" => Self::Register,
            _ => Self::Other,
        }
    }
}

/// Forgotten keys are swept out after so many checks, so that the memory stays bounded.
const SWEEP_EVERY: u64 = 10_000;

type Limiter<K> = DefaultKeyedRateLimiter<K>;

/// The limiters of one server.
pub struct RateLimits {
    enabled: bool,
    sign_in: Limiter<IpAddr>,
    register: Limiter<IpAddr>,
    address: Limiter<IpAddr>,
    credential: Limiter<[u8; 8]>,
    checks: AtomicU64,
}

fn per_minute(requests: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN))
}

impl RateLimits {
    #[must_use]
    pub fn new(config: &RateLimitConfig) -> Self {
        Self {
            enabled: config.enabled,
            sign_in: RateLimiter::keyed(per_minute(config.sign_in_per_minute)),
            register: RateLimiter::keyed(per_minute(config.register_per_minute)),
            address: RateLimiter::keyed(per_minute(config.address_per_minute)),
            credential: RateLimiter::keyed(per_minute(config.credential_per_minute)),
            checks: AtomicU64::new(0),
        }
    }

    fn check(&self, class: RouteClass, address: IpAddr, credential: Option<[u8; 8]>) -> Result<(), Error> {
        if !self.enabled {
            return Ok(());
        }
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep();
        }
        match class {
            RouteClass::SignIn => one(&self.sign_in, &address)?,
            RouteClass::Register => one(&self.register, &address)?,
            RouteClass::Other => {}
        }
        // Who has a credential is counted by it, so that a building behind one address is not one caller.
        match credential {
            Some(credential) => one(&self.credential, &credential),
            None => one(&self.address, &address),
        }
    }

    fn sweep(&self) {
        self.sign_in.retain_recent();
        self.register.retain_recent();
        self.address.retain_recent();
        self.credential.retain_recent();
    }
}

fn one<K: Clone + std::hash::Hash + Eq>(limiter: &Limiter<K>, key: &K) -> Result<(), Error> {
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        let seconds = wait.as_secs() + 1;
        Error::rate_limited("rate_limited", format!("Too many requests. Try again in {seconds} s.")).retry_after(seconds)
    })
}

/// A short hash of what the caller presents: session cookie, token or key. A wrong one has a bucket of its own, which
/// is why failures count against the address where it matters (sign-in).
fn credential(headers: &HeaderMap) -> Option<[u8; 8]> {
    let presented = headers
        .get(header::AUTHORIZATION)
        .or_else(|| headers.get("x-api-key"))
        .map(HeaderValue::as_bytes)
        .or_else(|| headers.get(header::COOKIE).map(HeaderValue::as_bytes).and_then(session_cookie))?;
    let mut short = [0; 8];
    short.copy_from_slice(&Sha256::digest(presented)[..8]);
    Some(short)
}

fn session_cookie(cookies: &[u8]) -> Option<&[u8]> {
    std::str::from_utf8(cookies)
        .ok()?
        .split(';')
        .find_map(|cookie| cookie.trim().strip_prefix("portico_access="))
        .map(str::as_bytes)
}

pub(super) async fn limit(limits: &Arc<RateLimits>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/pkg/") || path.starts_with("/health") {
        return next.run(request).await;
    }
    let class = RouteClass::of(request.method(), path);
    let address = request.extensions().get::<ClientAddress>().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.0);
    match limits.check(class, address, credential(request.headers())) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            metrics::counter!("portico_http_rate_limited_total").increment(1);
            error.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_is_limited_by_address_even_with_changing_credentials() {
        let limits = RateLimits::new(&RateLimitConfig { sign_in_per_minute: 3, ..RateLimitConfig::default() });
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for attempt in 0..3 {
            assert!(limits.check(RouteClass::SignIn, one, Some([attempt; 8])).is_ok());
        }
        let error = limits.check(RouteClass::SignIn, one, Some([9; 8])).unwrap_err();
        assert_eq!(error.kind(), portico_model::ErrorKind::RateLimited);
        assert!(limits.check(RouteClass::SignIn, two, None).is_ok());
    }

    #[test]
    fn paths_have_their_class() {
        assert_eq!(RouteClass::of(&Method::POST, "/api/v1/auth/login"), RouteClass::SignIn);
        assert_eq!(RouteClass::of(&Method::GET, "/api/v1/auth/login"), RouteClass::Other);
        assert_eq!(RouteClass::of(&Method::POST, "/api/v1/devices/register"), RouteClass::Register);
    }
}
