//! Rate limits, by address, user, device and class of route. Buckets (GCRA): so many requests at once, then evenly.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use portico_model::{DeviceId, UserId};

use super::config::RateConfig;
use super::scope::Scope;
use crate::actor::{Actor, Principal};
use crate::error::{Error, Result};

/// Which limit of an address a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    SignIn,
    SignUp,
    Api,
    Telemetry,
    Page,
    /// Health, metrics, files: nothing to guess and nothing to wear out.
    Free,
}

/// Tells the class from method and path (after the rewrite to `/api/v1`).
pub type Classify = fn(&Method, &str) -> RouteClass;

/// By where the path begins; the server knows better which routes sign in.
#[must_use]
pub fn classify_by_path(_method: &Method, path: &str) -> RouteClass {
    if path.starts_with("/api/") || path.starts_with("/sfn/") || path == "/ws" {
        RouteClass::Api
    } else if path.starts_with("/health") || path == "/metrics" || path.starts_with("/pkg/") || path.starts_with("/assets/") {
        RouteClass::Free
    } else {
        RouteClass::Page
    }
}

/// Keys held by one limiter; above it, fresh ones share a bucket until old ones have run out.
const MOST_KEYS: usize = 100_000;
/// How many checks may pass between two looks at the number of keys.
const LOOK_EVERY: u32 = 256;

/// All limits of a server. Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    sign_in: Option<Limiter<IpAddr>>,
    sign_up: Option<Limiter<IpAddr>>,
    api: Option<Limiter<IpAddr>>,
    telemetry: Option<Limiter<IpAddr>>,
    page: Option<Limiter<IpAddr>>,
    user: Option<Limiter<UserId>>,
    device: Option<Limiter<DeviceId>>,
}

/// What is left of a limit, for the headers of the answer.
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

    pub(super) fn write(&self, headers: &mut HeaderMap, is_refusal: bool) {
        // The bucket is full again after a minute at most.
        let missing = u64::from(self.limit.saturating_sub(self.remaining));
        let reset_s = (missing * 60).div_ceil(u64::from(self.limit.max(1)));
        headers.insert("x-ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("x-ratelimit-reset", HeaderValue::from(reset_s));
        if let Some(wait) = self.retry_after.filter(|_| is_refusal) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
    }
}

impl Limits {
    #[must_use]
    pub fn new(config: &RateConfig) -> Self {
        Self(Arc::new(Inner {
            sign_in: Limiter::new(config.sign_in_per_min),
            sign_up: Limiter::new(config.sign_up_per_min),
            api: Limiter::new(config.api_per_min),
            telemetry: Limiter::new(config.telemetry_per_min),
            page: Limiter::new(config.page_per_min),
            user: Limiter::new(config.user_per_min),
            device: Limiter::new(config.device_per_min),
        }))
    }

    /// Counts a request of this class against its address.
    ///
    /// # Errors
    /// Rate limited, when the address has used up its limit.
    pub(super) fn check_address(&self, class: RouteClass, scope: &Scope) -> Result<()> {
        let limiter = match class {
            RouteClass::SignIn => &self.0.sign_in,
            RouteClass::SignUp => &self.0.sign_up,
            RouteClass::Api => &self.0.api,
            RouteClass::Telemetry => &self.0.telemetry,
            RouteClass::Page => &self.0.page,
            RouteClass::Free => &None,
        };
        check(limiter.as_ref(), network_of(scope.address()), Some(scope))
    }

    /// Counts a request against its user or device.
    ///
    /// # Errors
    /// Rate limited, when the actor has used up his limit.
    pub fn check_actor(&self, actor: &Actor) -> Result<()> {
        let scope = Scope::current();
        match &actor.principal {
            Principal::User { id, .. } => check(self.0.user.as_ref(), *id, scope.as_ref()),
            Principal::Device { id } => check(self.0.device.as_ref(), *id, scope.as_ref()),
            Principal::AdminToken | Principal::System => Ok(()),
        }
    }
}

fn check<K: Hash + Eq + Clone>(limiter: Option<&Limiter<K>>, key: K, scope: Option<&Scope>) -> Result<()> {
    let Some(limiter) = limiter else { return Ok(()) };
    let allowance = limiter.take(key);
    let refused = allowance.retry_after;
    if let Some(scope) = scope {
        scope.set_allowance(allowance);
    }
    match refused {
        None => Ok(()),
        Some(wait) => Err(Error::rate_limited(
            "rate_limited",
            format!("Too many requests. Try again in {} s.", whole_seconds(wait)),
        )),
    }
}

/// At least one: "try again in 0 s" would be an invitation.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

/// One subscriber of a provider has a /64 of IPv6 for himself; counting single addresses would be no limit at all.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

type Buckets<K> =
    RateLimiter<Option<K>, DefaultKeyedStateStore<Option<K>>, DefaultClock, StateInformationMiddleware>;

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
    fn new(per_min: u32) -> Option<Self> {
        Self::with_most_keys(per_min, MOST_KEYS)
    }

    fn with_most_keys(per_min: u32, most_keys: usize) -> Option<Self> {
        let limit = NonZeroU32::new(per_min)?;
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
                Allowance { limit, remaining: 0, retry_after: Some(refusal.wait_time_from(self.clock.now())) }
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
        refused.write(&mut headers, true);
        assert_eq!(headers["x-ratelimit-limit"], "3");
        assert_eq!(headers["x-ratelimit-remaining"], "0");
        assert_eq!(headers["x-ratelimit-reset"], "60");
        assert_eq!(headers[header::RETRY_AFTER], "20");
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
}
