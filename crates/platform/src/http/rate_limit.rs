//! How often one address, one user, one device, one service and one kind of route may be used. Buckets (GCRA): so many requests at
//! once, then evenly.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use portico_model::{DeviceId, ServiceKeyId, UserId};

use super::config::RateLimitConfig;
use super::scope::Scope;
use crate::actor::{Actor, Principal};
use crate::error::{Error, Result};

/// Kinds of routes with limits of their own, each per address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// Where passwords are tried.
    SignIn,
    /// Where accounts, devices, locks and stays without an account are made, and readers hand in the cards and fingers they were shown.
    Register,
    /// Health, metrics, files, and the external broker's questions, which carry a token too long to guess.
    Free,
    Other,
}

impl RouteClass {
    /// By method and path.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        const FREE: [&str; 5] = ["/pkg/", "/assets/", "/health", "/metrics", "/internal/mqtt/"];
        if FREE.iter().any(|prefix| path.starts_with(prefix)) {
            return Self::Free;
        }
        if *method != Method::POST {
            return Self::Other;
        }
        match path {
            "/api/v1/setup" | "/api/v1/account/password" | "/api/v1/smart-lock/auth/login" => Self::SignIn,
            "/api/v1/auth/register"
            | "/api/v1/devices/register"
            | "/api/v1/locks"
            | "/api/v1/register_rfid"
            | "/api/v1/register_fingerprint"
            | "/api/v1/smart-lock/auth/register"
            | "/api/v1/smart-lock/auth/signup"
            | "/api/v1/smart-lock/locks/register"
            | "/sfn/identity/sign_up"
            | "/sfn/parking/begin_stay" => Self::Register,
            path if path.starts_with("/api/v1/public/spots/") && path.ends_with("/stays") => Self::Register,
            _ => {
                const PATHS: [&str; 6] =
                    ["login", "step-up", "passkey", "password-reset", "verify-email", "invitation"];
                if let Some(path) = path.strip_prefix("/api/v1/auth/") {
                    let first = path.split('/').next().unwrap_or_default();
                    return if PATHS.contains(&first) { Self::SignIn } else { Self::Other };
                }
                const SIGN_IN: [&str; 9] = [
                    "sign_in",
                    "setup",
                    "set_up",
                    "change_password",
                    "step_up",
                    "second_factor",
                    "reset_password",
                    "verify_email",
                    "accept_invitation",
                ];
                let function = path.strip_prefix("/sfn/identity/").unwrap_or_default();
                let is_sign_in = SIGN_IN.iter().any(|name| function.starts_with(name));
                if is_sign_in { Self::SignIn } else { Self::Other }
            }
        }
    }
}

/// Keys held by one limiter; above it, new ones share a bucket until old ones have run out.
const MOST_KEYS: usize = 100_000;
/// How many checks may pass between two looks at the number of keys.
const LOOK_EVERY: u32 = 256;

/// The limiters of one server. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits(Arc<Limiters>);

#[derive(Default)]
struct Limiters {
    sign_in: Option<Limiter<IpAddr>>,
    register: Option<Limiter<IpAddr>>,
    address: Option<Limiter<IpAddr>>,
    user: Option<Limiter<UserId>>,
    device: Option<Limiter<DeviceId>>,
    service: Option<Limiter<ServiceKeyId>>,
}

impl RateLimits {
    #[must_use]
    pub fn new(config: &RateLimitConfig) -> Self {
        if !config.enabled {
            return Self(Arc::default());
        }
        Self(Arc::new(Limiters {
            sign_in: Limiter::new(config.sign_in_per_minute),
            register: Limiter::new(config.register_per_minute),
            address: Limiter::new(config.address_per_minute),
            user: Limiter::new(config.user_per_minute),
            device: Limiter::new(config.device_per_minute),
            service: Limiter::new(config.service_per_minute),
        }))
    }

    fn check_address(&self, class: RouteClass, scope: &Scope) -> Result<()> {
        let network = network_of(scope.address());
        match class {
            RouteClass::Free => Ok(()),
            RouteClass::SignIn => check(self.0.sign_in.as_ref(), network, scope),
            RouteClass::Register => check(self.0.register.as_ref(), network, scope),
            RouteClass::Other => check(self.0.address.as_ref(), network, scope),
        }
    }

    pub(super) fn check_actor(&self, actor: &Actor, scope: &Scope) -> Result<()> {
        match &actor.principal {
            Principal::User { id, .. } => check(self.0.user.as_ref(), *id, scope),
            Principal::Device { id } => check(self.0.device.as_ref(), *id, scope),
            Principal::Service { id, .. } => check(self.0.service.as_ref(), *id, scope),
            Principal::AdminToken | Principal::Guest | Principal::System => Ok(()),
        }
    }
}

/// Counts the request against its address, before anything is known of its sender, and writes what is left of the
/// tightest limit into the answer.
pub(super) async fn limit(
    limits: RateLimits,
    Extension(scope): Extension<Scope>,
    request: Request,
    next: Next,
) -> Response {
    let class = RouteClass::of(request.method(), request.uri().path());
    let mut response = match limits.check_address(class, &scope) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(allowance) = scope.allowance() {
        allowance.write(response.headers_mut());
    }
    response
}

fn check<K: Hash + Eq + Clone>(limiter: Option<&Limiter<K>>, key: K, scope: &Scope) -> Result<()> {
    let Some(limiter) = limiter else { return Ok(()) };
    let allowance = limiter.take(key);
    let refused = allowance.retry_after;
    scope.set_allowance(allowance);
    let Some(wait) = refused else { return Ok(()) };
    metrics::counter!("portico_http_rate_limited_total").increment(1);
    // At least one: "try again in 0 s" would be an invitation.
    let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
    Err(Error::rate_limited("rate_limited", format!("Too many requests. Try again in {seconds} s."))
        .retry_after(seconds))
}

/// One subscriber of a provider has a /64 of IPv6 for himself; counting single addresses would be no limit at all.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// What is left of a limit.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
    limit: u32,
    remaining: u32,
    /// Until the next request may come; none: now.
    retry_after: Option<Duration>,
}

impl Allowance {
    pub(super) const fn is_tighter_than(&self, other: &Self) -> bool {
        match (self.retry_after.is_some(), other.retry_after.is_some()) {
            (true, false) => true,
            (false, true) => false,
            _ => self.remaining < other.remaining,
        }
    }

    fn write(&self, headers: &mut HeaderMap) {
        // An empty bucket is full again after a minute.
        let missing = u64::from(self.limit.saturating_sub(self.remaining));
        let reset_s = (missing * 60).div_ceil(u64::from(self.limit.max(1)));
        headers.insert("x-ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("x-ratelimit-reset", HeaderValue::from(reset_s));
    }
}

type Buckets<K> = RateLimiter<Option<K>, DefaultKeyedStateStore<Option<K>>, DefaultClock, StateInformationMiddleware>;

/// A bucket per key; the key `None` is shared by all for whom there was no room.
struct Limiter<K: Hash + Eq + Clone> {
    buckets: Buckets<K>,
    clock: DefaultClock,
    limit: NonZeroU32,
    most_keys: usize,
    checks: AtomicU32,
    is_full: AtomicBool,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(per_minute: u32) -> Option<Self> {
        Self::with_most_keys(per_minute, MOST_KEYS)
    }

    fn with_most_keys(per_minute: u32, most_keys: usize) -> Option<Self> {
        let limit = NonZeroU32::new(per_minute)?;
        Some(Self {
            buckets: RateLimiter::keyed(Quota::per_minute(limit)).with_middleware(),
            clock: DefaultClock::default(),
            limit,
            most_keys,
            checks: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
        })
    }

    fn take(&self, key: K) -> Allowance {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) {
            self.make_room();
        }
        let key = if self.is_full.load(Ordering::Relaxed) { None } else { Some(key) };
        let limit = self.limit.get();
        match self.buckets.check_key(&key) {
            Ok(state) => Allowance { limit, remaining: state.remaining_burst_capacity(), retry_after: None },
            Err(refusal) => {
                let retry_after = Some(refusal.wait_time_from(self.clock.now()));
                Allowance { limit, remaining: 0, retry_after }
            }
        }
    }

    /// Forgets buckets that are full again.
    fn make_room(&self) {
        if self.buckets.len() > self.most_keys / 2 {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        self.is_full.store(self.buckets.len() > self.most_keys, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_refuses_when_empty_and_says_when_to_come_back() {
        let limiter = Limiter::new(3).unwrap();
        for remaining in [2, 1, 0] {
            let allowance = limiter.take(1);
            assert_eq!((allowance.remaining, allowance.retry_after), (remaining, None));
        }
        let refused = limiter.take(1);
        assert!(refused.retry_after.unwrap() <= Duration::from_secs(20));
        assert_eq!(limiter.take(2).retry_after, None, "another key has its own bucket");
        let mut headers = HeaderMap::new();
        refused.write(&mut headers);
        assert_eq!(headers["x-ratelimit-limit"], "3");
        assert_eq!(headers["x-ratelimit-remaining"], "0");
        assert_eq!(headers["x-ratelimit-reset"], "60");
    }

    #[test]
    fn zero_means_no_limit() {
        assert!(Limiter::<u32>::new(0).is_none());
    }

    #[test]
    fn flood_of_keys_does_not_grow_without_bound() {
        let limiter = Limiter::with_most_keys(60, 1_000).unwrap();
        for key in 0..50_000 {
            limiter.take(key);
        }
        assert!(limiter.buckets.len() <= 1_000 + LOOK_EVERY as usize + 1, "{}", limiter.buckets.len());
        assert!(limiter.take(60_000).retry_after.is_some(), "the shared bucket is empty");
    }

    #[test]
    fn addresses_of_one_ipv6_subscriber_count_as_one() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("1.2.3.4"), network("1.2.3.5"));
    }

    #[test]
    fn paths_have_their_class() {
        let class = |method: Method, path: &str| RouteClass::of(&method, path);
        assert_eq!(class(Method::POST, "/api/v1/auth/login"), RouteClass::SignIn);
        assert_eq!(class(Method::POST, "/api/v1/auth/login/second-factor"), RouteClass::SignIn);
        assert_eq!(class(Method::POST, "/api/v1/auth/password-reset"), RouteClass::SignIn);
        assert_eq!(class(Method::POST, "/api/v1/auth/refresh"), RouteClass::Other);
        assert_eq!(class(Method::POST, "/sfn/identity/sign_up"), RouteClass::Register);
        assert_eq!(class(Method::POST, "/sfn/parking/begin_stay"), RouteClass::Register);
        assert_eq!(class(Method::POST, "/api/v1/public/spots/0199/stays"), RouteClass::Register);
        assert_eq!(class(Method::POST, "/api/v1/public/spots/0199/quote"), RouteClass::Other);
        assert_eq!(class(Method::POST, "/sfn/identity/sign_in"), RouteClass::SignIn);
        assert_eq!(class(Method::POST, "/sfn/identity/set_up"), RouteClass::SignIn);
        assert_eq!(class(Method::POST, "/sfn/identity/sign_out"), RouteClass::Other);
        assert_eq!(class(Method::GET, "/api/v1/auth/login"), RouteClass::Other);
        assert_eq!(class(Method::POST, "/api/v1/devices/register"), RouteClass::Register);
        assert_eq!(class(Method::GET, "/pkg/portico.js"), RouteClass::Free);
        // Of the former systems, as they are after the rewrite.
        assert_eq!(class(Method::POST, "/api/v1/smart-lock/auth/login"), RouteClass::SignIn);
        for path in ["smart-lock/auth/register", "smart-lock/auth/signup", "smart-lock/locks/register", "locks"] {
            assert_eq!(class(Method::POST, &format!("/api/v1/{path}")), RouteClass::Register, "{path}");
        }
        for path in ["register_rfid", "register_fingerprint"] {
            assert_eq!(class(Method::POST, &format!("/api/v1/{path}")), RouteClass::Register, "{path}");
        }
        for path in ["locks/0199a0000000700080000000000000ab/unlock", "check_access", "clear_registration"] {
            assert_eq!(class(Method::POST, &format!("/api/v1/{path}")), RouteClass::Other, "{path}");
        }
        assert_eq!(class(Method::GET, "/api/v1/locks"), RouteClass::Other);
    }
}
