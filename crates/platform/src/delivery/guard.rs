//! Requests to addresses that people typed in: never to this machine or a private network (unless allowed), never along a
//! redirect. What counts is the address connected to, not the name asked for: a name may resolve to something else later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, Url, redirect};

use super::config::WebhooksConfig;
use crate::error::{Error, Result};

const MAX_URL_CHARS: usize = 2_000;

/// Why nothing was asked.
#[derive(Debug, thiserror::Error)]
#[error("the address is not a public one")]
struct NotPublic;

struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// A client for addresses that are not ours.
///
/// # Errors
/// When the system has no certificates to believe.
pub(super) fn client(config: &WebhooksConfig) -> Result<Client> {
    // Set already in the server; a second time changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_millis(config.timeout_ms))
        .pool_max_idle_per_host(1)
        .user_agent(concat!("Portico/", env!("CARGO_PKG_VERSION")));
    if !config.allow_private_addresses {
        builder = builder.dns_resolver(Arc::new(PublicOnly));
    }
    builder.build().map_err(Error::internal)
}

/// The address, if messages may go there.
///
/// # Errors
/// In words for the person who gave it.
pub fn check_url(text: &str, config: &WebhooksConfig) -> Result<Url, String> {
    let allow_private = config.allow_private_addresses;
    if text.len() > MAX_URL_CHARS {
        return Err(format!("The address can have at most {MAX_URL_CHARS} characters."));
    }
    let url = Url::parse(text.trim())
        .map_err(|_| "This is not an address; it looks like https://example.org/hook.".to_owned())?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        _ => return Err("The address must begin with https://.".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The address must not have a name and password in it.".to_owned());
    }
    // A resolver is never asked about a host that is a number already.
    let host = url.host_str().unwrap_or_default();
    let number: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let local = host == "localhost" || host.ends_with(".localhost");
    if !allow_private && (local || number.is_some_and(|ip| !is_public(ip))) {
        return Err("The address belongs to this machine or a private network.".to_owned());
    }
    Ok(url)
}

/// Why there is no answer, in words for an administrator.
pub(super) fn why(error: &reqwest::Error) -> String {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.is::<NotPublic>() {
            return "the address belongs to this machine or a private network".to_owned();
        }
        source = cause.source();
    }
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
    .to_owned()
}

/// Seconds after which the other side wants to be asked again.
pub(super) fn retry_after_s(response: &Response) -> Option<i64> {
    response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the address is one of the open internet (IANA's special-purpose registries, RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        // Carrier-grade NAT (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544), relay anycast (RFC 7526).
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 88 && c == 99)
        // Multicast and reserved, broadcast included.
        || a >= 224)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // IPv4 in IPv6 (RFC 4291), and behind a translator (RFC 6052): what counts is the address inside.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments, Teredo among them (RFC 2928), and documentation (RFC 3849).
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast (RFC 4291).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_open_internet_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "100.63.0.1", "172.15.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn urls_are_judged_however_the_host_is_written() {
        let strict = WebhooksConfig::default();
        for good in ["https://example.org/hook", "https://example.org:8443/a?b=c", "https://1.1.1.1/", " https://a.b "]
        {
            assert!(check_url(good, &strict).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "http://example.org/",
            "ftp://example.org/",
            "https://",
            "https://localhost/",
            "https://a.localhost/",
            "https://LOCALHOST/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://user:password@example.org/",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert!(check_url(bad, &strict).is_err(), "{bad}");
        }
        let open = WebhooksConfig { allow_private_addresses: true, ..strict };
        assert!(check_url("http://127.0.0.1:9/", &open).is_ok());
        assert!(check_url("ftp://example.org/", &open).is_err());
        assert!(check_url(&format!("https://example.org/{}", "x".repeat(2_000)), &open).is_err());
    }
}
