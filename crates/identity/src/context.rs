//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr};

/// What is known of a request before anyone is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// Network address of the client, without port.
    pub address: String,
    pub user_agent: String,
    pub request_id: String,
    /// The browser's `portico_device` cookie: proves that someone signed in from there before.
    pub device_token: Option<String>,
}

/// From where guesses are counted: one IPv4 address, or the /64 network that one IPv6 customer has.
#[must_use]
pub fn network_of(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_an_ipv6_network_count_as_one() {
        assert_eq!(network_of("2001:db8:1:2:3::4"), network_of("2001:db8:1:2:ffff::1"));
        assert_ne!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
        assert_eq!(network_of("::ffff:10.0.0.1"), "10.0.0.1");
        assert_ne!(network_of("10.0.0.1"), network_of("10.0.0.2"));
    }
}
