//! How many connections there may be: in all, from one address, and before they have authenticated.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::mqtt::config::MqttLimits;

pub(super) struct ConnectionLimits {
    connections: Arc<Semaphore>,
    pending: Arc<Semaphore>,
    per_address: usize,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The places of one connection, given back when dropped.
pub(super) struct Admission {
    _connection: OwnedSemaphorePermit,
    _address: AddressPlace,
}

struct AddressPlace {
    address: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl ConnectionLimits {
    pub(super) fn new(limits: &MqttLimits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.max_connections)),
            pending: Arc::new(Semaphore::new(limits.max_pending)),
            per_address: limits.max_connections_per_address,
            addresses: Arc::default(),
        }
    }

    /// A place for a connection from this address, and one among those that have not authenticated; or which limit
    /// is reached.
    pub(super) fn admit(&self, address: IpAddr) -> Result<(Admission, OwnedSemaphorePermit), &'static str> {
        let connection = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| "connections")?;
        let pending = Arc::clone(&self.pending).try_acquire_owned().map_err(|_| "connections before CONNECT")?;
        let address = network(address);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_insert(0);
        if *count >= self.per_address {
            return Err("connections from one address");
        }
        *count += 1;
        drop(addresses);
        let place = AddressPlace { address, addresses: Arc::clone(&self.addresses) };
        Ok((Admission { _connection: connection, _address: place }, pending))
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// One customer of an IPv6 provider has a whole /64 (RFC 6177), so that counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_connections: usize, per_address: usize, max_pending: usize) -> ConnectionLimits {
        ConnectionLimits::new(&MqttLimits {
            max_connections,
            max_connections_per_address: per_address,
            max_pending,
            ..MqttLimits::default()
        })
    }

    #[test]
    fn places_are_given_back() {
        let limits = limits(1, 1, 1);
        let held = limits.admit("10.0.0.1".parse().unwrap()).unwrap();
        assert!(limits.admit("10.0.0.2".parse().unwrap()).is_err());
        drop(held);
        assert!(limits.admit("10.0.0.1".parse().unwrap()).is_ok());
        assert!(limits.addresses.lock().unwrap().is_empty());
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let limits = limits(10, 2, 10);
        let first = limits.admit("2001:db8::1".parse().unwrap()).unwrap();
        let _second = limits.admit("2001:db8::2".parse().unwrap()).unwrap();
        assert_eq!(limits.admit("2001:db8::3".parse().unwrap()).err(), Some("connections from one address"));
        assert!(limits.admit("2001:db8:0:1::1".parse().unwrap()).is_ok());
        assert!(limits.admit("::ffff:10.0.0.1".parse().unwrap()).is_ok());
        drop(first);
        assert!(limits.admit("2001:db8::3".parse().unwrap()).is_ok());
    }

    #[test]
    fn place_before_authentication_is_separate() {
        let limits = limits(10, 10, 1);
        let (admission, pending) = limits.admit("10.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(limits.admit("10.0.0.2".parse().unwrap()).err(), Some("connections before CONNECT"));
        drop(pending);
        assert!(limits.admit("10.0.0.2".parse().unwrap()).is_ok());
        drop(admission);
    }
}
