//! What is known about one connection, shared by its socket, the broker's callbacks and the registry.
//!
//! The broker calls back from within the task that runs the connection, so a task-local names the connection. A map by
//! client id would not do: during a takeover the old and the new connection have the same one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::acknowledge::{Total, Unacknowledged};

tokio::task_local! {
    static CURRENT: Arc<Connection>;
}

/// MQTT 3.1.1, the protocol level in its CONNECT.
pub(super) const V3_1_1: u8 = 4;

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// Cancelled: the socket fails from now on, so nothing more is read and no acknowledgement leaves.
    closed: CancellationToken,
    /// Cancelled: the same client has connected again. The broker ends this one, but not while it waits for a message
    /// to be stored.
    superseded: CancellationToken,
    /// What it has sent and is not stored yet.
    pub(super) unacknowledged: Unacknowledged,
    authenticated: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    protocol_version: u8,
    /// One of the places for connections that have not authenticated; given back when they have.
    pending: Option<OwnedSemaphorePermit>,
    /// Kept for as long as the connection lives.
    registered: Option<Registered>,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, pending: OwnedSemaphorePermit, total: Total) -> Arc<Self> {
        Arc::new(Self {
            peer,
            closed: CancellationToken::new(),
            superseded: CancellationToken::new(),
            unacknowledged: Unacknowledged::new(total),
            authenticated: AtomicBool::new(false),
            state: Mutex::new(State { pending: Some(pending), ..State::default() }),
        })
    }

    /// The connection whose task this is; `None` in a task the broker has spawned itself (a delayed will).
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Runs the broker's work for this connection, so that [`Self::current`] finds it.
    pub(super) async fn scope<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    pub(super) fn set_protocol_version(&self, version: u8) {
        self.state().protocol_version = version;
    }

    pub(super) fn protocol_version(&self) -> u8 {
        self.state().protocol_version
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn authenticated_for_test(&self) {
        self.set_authenticated();
    }

    fn set_authenticated(&self) {
        self.authenticated.store(true, Ordering::Release);
        self.state().pending = None;
        metrics::gauge!("portico_mqtt_connections").increment(1.0);
    }

    /// Ends the connection without another byte to the client.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    pub(super) fn superseded(&self) -> &CancellationToken {
        &self.superseded
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if *self.authenticated.get_mut() {
            metrics::gauge!("portico_mqtt_connections").decrement(1.0);
        }
    }
}

/// The connections by client id.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<Mutex<HashMap<String, Vec<Entry>>>>);

struct Entry {
    id: u64,
    authenticated: bool,
    closed: CancellationToken,
    superseded: CancellationToken,
}

/// Takes the connection out of the registry when it ends.
struct Registered {
    registry: Registry,
    client_id: String,
    id: u64,
}

/// A device has one connection; a few more may be ending while it comes back.
const MAX_PER_CLIENT: usize = 4;

impl Registry {
    /// Enters a connection BEFORE its credentials are looked up: a key revoked after the look-up then finds it here.
    pub(super) fn enter(&self, connection: &Connection, client_id: &str) {
        let id = rand::random();
        self.clients().entry(client_id.to_owned()).or_default().push(Entry {
            id,
            authenticated: false,
            closed: connection.closed.clone(),
            superseded: connection.superseded.clone(),
        });
        connection.state().registered =
            Some(Registered { registry: self.clone(), client_id: client_id.to_owned(), id });
    }

    /// Marks a connection as authenticated; false when the client has too many, or it was closed meanwhile.
    pub(super) fn admit(&self, connection: &Connection) -> bool {
        let Some((client_id, id)) =
            connection.state().registered.as_ref().map(|registered| (registered.client_id.clone(), registered.id))
        else {
            return false;
        };
        let mut clients = self.clients();
        let Some(entries) = clients.get_mut(&client_id) else { return false };
        if connection.closed.is_cancelled()
            || entries.iter().filter(|entry| entry.authenticated).count() >= MAX_PER_CLIENT
        {
            return false;
        }
        for entry in entries {
            if entry.id == id {
                entry.authenticated = true;
            } else if entry.authenticated {
                entry.superseded.cancel();
            }
        }
        drop(clients);
        connection.set_authenticated();
        true
    }

    pub(super) fn close_client(&self, client_id: &str) {
        for entry in self.clients().get(client_id).into_iter().flatten() {
            entry.closed.cancel();
        }
    }

    pub(super) fn close_all(&self) {
        for entry in self.clients().values().flatten() {
            entry.closed.cancel();
        }
    }

    pub(super) fn authenticated(&self) -> usize {
        self.clients().values().flatten().filter(|entry| entry.authenticated).count()
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, Vec<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut clients = self.registry.clients();
        if let Some(entries) = clients.get_mut(&self.client_id) {
            entries.retain(|entry| entry.id != self.id);
            if entries.is_empty() {
                clients.remove(&self.client_id);
            }
        }
    }
}
