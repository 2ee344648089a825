//! What is known of a request from its first moment to its last: its id and where it came from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::config::HttpConfig;
use super::rate_limit::{Allowance, RateLimits};
use crate::actor::Actor;
use crate::error::Result;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The client's network address; in every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// The header that carries the id of a request, both ways.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest id taken over from a caller.
const MAX_REQUEST_ID: usize = 64;

/// A request, as the log, the audit trail and the limits see it; cheap to clone; in every request's extensions.
#[derive(Clone)]
pub struct Scope(Arc<Inner>);

struct Inner {
    request_id: String,
    address: IpAddr,
    is_https: bool,
    is_proxied: bool,
    limits: RateLimits,
    actor: OnceLock<String>,
    allowance: Mutex<Option<Allowance>>,
}

impl Scope {
    fn of(headers: &HeaderMap, extensions: &Extensions, config: &HttpConfig, limits: RateLimits) -> Self {
        // Without a peer (a test that calls the router directly) nobody is believed and all count as one.
        let peer = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical());
        let is_proxied = config.trusts(peer);
        let forwarded_proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        Self(Arc::new(Inner {
            request_id: request_id(headers),
            address: if is_proxied { forwarded_for(headers, config).unwrap_or(peer) } else { peer },
            is_proxied,
            is_https: config.tls_cert.is_some() || (is_proxied && forwarded_proto == Some("https")),
            limits,
            actor: OnceLock::new(),
            allowance: Mutex::new(None),
        }))
    }

    /// The id that the answer, the log and the audit trail carry.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Who sent it: the peer, or whom a trusted proxy names.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Whether it came over TLS, to us or to a trusted proxy.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.is_https
    }

    /// Whether a trusted proxy handed it on.
    #[must_use]
    pub fn is_proxied(&self) -> bool {
        self.0.is_proxied
    }

    pub(super) fn actor(&self) -> Option<&str> {
        self.0.actor.get().map(String::as_str)
    }

    /// Keeps the tightest allowance for the headers of the answer.
    pub(super) fn set_allowance(&self, allowance: Allowance) {
        let mut held = self.0.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|earlier| allowance.is_tighter_than(earlier)) {
            *held = Some(allowance);
        }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        self.0.allowance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request that this task answers.
    #[must_use]
    pub fn current() -> Option<Self> {
        SCOPE.try_with(Clone::clone).ok()
    }

    /// Takes this task's request along into another task.
    pub(super) fn carry<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        let scope = Self::current();
        async move {
            match scope {
                Some(scope) => SCOPE.scope(scope, work).await,
                None => work.await,
            }
        }
    }
}

/// To be called once the caller is known: counts the request against the user or device, and names him in the log.
///
/// # Errors
/// Rate limited, when he has used up his limit.
pub fn admit(actor: &Actor) -> Result<()> {
    let Some(scope) = Scope::current() else { return Ok(()) };
    // By id: a log holds no names.
    if scope.0.actor.set(actor.id_label()).is_err() {
        // The second extractor of the same request.
        return Ok(());
    }
    scope.0.limits.check_actor(actor, &scope)
}

/// Around everything: the request gets its scope, the answer its id.
pub(super) async fn attach(config: Arc<HttpConfig>, limits: RateLimits, mut request: Request, next: Next) -> Response {
    let scope = Scope::of(request.headers(), request.extensions(), &config, limits);
    let extensions = request.extensions_mut();
    extensions.insert(ClientAddress(scope.address()));
    extensions.insert(scope.clone());
    let mut response = SCOPE.scope(scope.clone(), next.run(request)).await;
    if let Ok(id) = HeaderValue::from_str(scope.request_id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The id of the request that this task answers; empty outside of one.
#[must_use]
pub fn current_request_id() -> String {
    SCOPE.try_with(|scope| scope.request_id().to_owned()).unwrap_or_default()
}

fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_sane(id))
        .map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned)
}

/// Short, and of characters that can stand in any log or page.
fn is_sane(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The nearest address that is not a trusted proxy: what stands left of it may be made up by the client.
fn forwarded_for(headers: &HeaderMap, config: &HttpConfig) -> Option<IpAddr> {
    let chain: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let mut nearest = None;
    for text in chain.into_iter().rev() {
        // Some proxies write the port too.
        let parsed = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
        let Ok(address) = parsed else { break };
        nearest = Some(address.to_canonical());
        if !config.trusts(address) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(peer: &str, headers: &[(&'static str, &str)]) -> Scope {
        let config = HttpConfig { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..HttpConfig::default() };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        Scope::of(&map, &extensions, &config, RateLimits::new(&config.rate_limits))
    }

    #[test]
    fn sane_request_id_is_taken_over_and_another_is_made() {
        assert_eq!(scope("1.1.1.1", &[(REQUEST_ID, "abc-1.2_3")]).request_id(), "abc-1.2_3");
        let too_long = "x".repeat(65);
        for odd in ["", "a b", "<script>", "a\u{e9}", too_long.as_str()] {
            let made = scope("1.1.1.1", &[(REQUEST_ID, odd)]);
            assert_eq!(made.request_id().len(), 32, "{odd}");
        }
    }

    #[test]
    fn forwarded_address_counts_only_from_a_trusted_proxy() {
        let forged = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")];
        assert_eq!(scope("1.1.1.1", &forged).address().to_string(), "1.1.1.1");
        assert!(!scope("1.1.1.1", &forged).is_https());
        assert_eq!(scope("10.0.0.1", &forged).address().to_string(), "6.6.6.6");
        assert!(scope("10.0.0.1", &forged).is_https());
    }

    #[test]
    fn client_cannot_make_up_the_address_a_proxy_saw() {
        let chain = [("x-forwarded-for", "9.9.9.9, 6.6.6.6"), ("x-forwarded-for", "10.0.0.2")];
        assert_eq!(scope("10.0.0.1", &chain).address().to_string(), "6.6.6.6");
        assert_eq!(scope("10.0.0.1", &[("x-forwarded-for", "nonsense")]).address().to_string(), "10.0.0.1");
    }
}
