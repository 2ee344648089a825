//! The hub: committed events, to every connection that may see them.
//!
//! A client asks for a topic (`devices`, `device:ID`); the domain that owns it resolves the topic, for the one who asks,
//! to a [`Channel`] that includes the audience. What somebody may not read never enters a channel of his. An event is
//! serialised once and shared by all its receivers; not at all when nobody listens.

mod connection;
mod mailbox;
mod relay;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::extract::ws::Utf8Bytes;
use portico_model::live::Event;
use portico_model::{DeviceId, OrganizationId, ServiceKeyId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use connection::{Connection, Snapshot};
pub use mailbox::{CloseReason, Mailbox, Outgoing, SlotId};
pub use relay::{Relay, RelayQueue, Relayed, relay_queue};

use crate::BoxFuture;
use crate::actor::Actor;
use crate::error::{Error, Result};
use mailbox::Frame;

/// An audience and what it follows: `ORG/devices`, `ORG/devices/owner/USER`, `ORG/device/ID`, …
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Channel(String);

impl Channel {
    /// A channel of an organisation; `path` is the domain's own.
    #[must_use]
    pub fn new(organization: OrganizationId, path: &str) -> Self {
        Self(format!("{organization}/{path}"))
    }

    /// All of a list.
    #[must_use]
    pub fn all(organization: OrganizationId, list: &str) -> Self {
        Self::new(organization, list)
    }

    /// The part of a list that belongs to one person.
    #[must_use]
    pub fn owned(organization: OrganizationId, list: &str, owner: UserId) -> Self {
        Self::new(organization, &format!("{list}/owner/{owner}"))
    }

    /// One device, or one aspect of it.
    #[must_use]
    pub fn device(organization: OrganizationId, aspect: &str, device: DeviceId) -> Self {
        Self::new(organization, &format!("{aspect}/{device}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a slow client may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing: a client that misses one is told to fetch a snapshot.
    Every,
    /// All but the newest of the channel.
    Latest,
}

/// An event on its way to its channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    pub channels: Vec<Channel>,
    pub event: Event,
    pub delivery: Delivery,
}

/// A domain's answer to "may this one follow this topic, and what is its state now".
pub trait TopicSource: Send + Sync {
    /// Whether the topic is of this domain, by its form alone.
    fn owns(&self, topic: &str) -> bool;

    /// The channel that the topic means for this actor.
    ///
    /// # Errors
    /// Not found, when the actor may not know of it; forbidden, when he may not read it.
    fn resolve<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Channel>>;

    /// The state to which the following events apply.
    ///
    /// # Errors
    /// As [`TopicSource::resolve`].
    fn snapshot<'a>(&'a self, actor: &'a Actor, topic: &'a str) -> BoxFuture<'a, Result<Value>>;
}

/// Cheap to clone; all clones are one hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Only channels that somebody follows. The outer lock is held for a look-up, or to enter and leave; never while
    /// frames are made or handed out.
    channels: RwLock<HashMap<Channel, Arc<Mutex<Followed>>>>,
    connections: Mutex<Connections>,
    sources: RwLock<Vec<Arc<dyn TopicSource>>>,
    relay: RwLock<Option<Relay>>,
}

/// A channel with followers. Its sequence begins with the first follower and is forgotten with the last: it orders what
/// one subscription gets, and every subscription begins with a snapshot that names its starting point. A channel
/// nobody follows therefore costs nothing, however many devices there are.
#[derive(Default)]
struct Followed {
    seq: u64,
    /// By the text of the topic: two spellings of one id lead to one channel, and each client hears its own.
    groups: Vec<Group>,
}

struct Group {
    topic: Arc<str>,
    members: HashMap<(u64, SlotId), Arc<Mailbox>>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Connected>,
}

struct Connected {
    user: Option<UserId>,
    session: Option<SessionId>,
    service: Option<ServiceKeyId>,
    /// Organisation and who: what the limit of connections counts by.
    who: (OrganizationId, String),
    mailbox: Arc<Mailbox>,
}

impl Hub {
    /// Adds a domain's topics.
    pub fn register(&self, source: Arc<dyn TopicSource>) {
        write(&self.0.sources).push(source);
    }

    /// Hands what the other servers must know to `relay` too.
    pub fn set_relay(&self, relay: Relay) {
        *write(&self.0.relay) = Some(relay);
    }

    /// Sends a committed event to everyone who follows one of its channels, here and on the other servers. Never waits.
    pub fn publish(&self, publication: Publication) {
        self.publish_local(&publication);
        self.tell_others(|| Relayed::Publication(publication));
    }

    /// Sends an event to everyone who follows one of its channels on this server.
    pub fn publish_local(&self, publication: &Publication) {
        let mut data: Option<String> = None;
        let mut deliveries = 0;
        for channel in &publication.channels {
            let Some(followed) = read(&self.0.channels).get(channel).cloned() else { continue };
            if data.is_none() {
                match serde_json::to_string(&publication.event) {
                    Ok(text) => data = Some(text),
                    Err(error) => return tracing::error!(%error, "event cannot be serialised"),
                }
            }
            let Some(data) = &data else { return };
            // Numbering and handing out are one step under the channel's lock, so that no receiver sees a later
            // number first. The mailboxes are bounded and never wait.
            let mut followed = lock(&followed);
            followed.seq += 1;
            let seq = followed.seq;
            for group in &followed.groups {
                let text = event_frame(&group.topic, seq, data);
                for ((_, slot), mailbox) in &group.members {
                    mailbox.push(*slot, Frame { seq, text: text.clone(), delivery: publication.delivery });
                }
                deliveries += group.members.len() as u64;
            }
        }
        if deliveries > 0 {
            metrics::counter!("portico_live_deliveries_total").increment(deliveries);
        }
    }

    /// What another server relayed.
    pub fn receive(&self, relayed: Relayed) {
        match relayed {
            Relayed::Publication(publication) => self.publish_local(&publication),
            Relayed::CloseSession { session } => self.close_session_local(session),
            Relayed::CloseUser { user } => self.close_user_local(user),
            Relayed::ReconnectUser { user } => self.reconnect_user_local(user),
            Relayed::CloseService { service } => self.close_service_local(service),
            Relayed::Missed => self.resync_all(),
        }
    }

    /// A new connection of this actor.
    ///
    /// # Errors
    /// Rate limited, when the actor has `most` connections already.
    pub fn connect(&self, actor: &Actor, most: usize) -> Result<Connection> {
        let who = (actor.organization, actor.id_label());
        let mailbox = Arc::new(Mailbox::default());
        let mut connections = lock(&self.0.connections);
        if connections.open.values().filter(|connected| connected.who == who).count() >= most {
            return Err(Error::rate_limited(
                "too_many_connections",
                format!("You have {most} live connections already; close one first."),
            ));
        }
        let id = connections.next;
        connections.next += 1;
        let connected = Connected {
            user: actor.user_id(),
            session: actor.session_id(),
            service: actor.service_id(),
            who,
            mailbox: Arc::clone(&mailbox),
        };
        connections.open.insert(id, connected);
        connections.measure();
        drop(connections);
        Ok(Connection::new(self.clone(), id, mailbox))
    }

    /// How many connections this person has on this server.
    #[must_use]
    pub fn connections_of(&self, user: UserId) -> usize {
        lock(&self.0.connections).open.values().filter(|connected| connected.user == Some(user)).count()
    }

    /// How many connections this server holds open for the organisation.
    #[must_use]
    pub fn connections_in(&self, organization: OrganizationId) -> usize {
        lock(&self.0.connections).open.values().filter(|connected| connected.who.0 == organization).count()
    }

    /// Ends the connections of a session that is no longer good, on every server.
    pub fn close_session(&self, session: SessionId) {
        self.close_session_local(session);
        self.tell_others(|| Relayed::CloseSession { session });
    }

    /// Ends the connections of a person whose sessions are no longer good, on every server.
    pub fn close_user(&self, user: UserId) {
        self.close_user_local(user);
        self.tell_others(|| Relayed::CloseUser { user });
    }

    /// Lets the browsers of a person who may see less than before connect again, on every server: what they follow is
    /// decided anew.
    pub fn reconnect_user(&self, user: UserId) {
        self.reconnect_user_local(user);
        self.tell_others(|| Relayed::ReconnectUser { user });
    }

    /// Ends the connections of a service whose key is no longer good, or has other scopes now, on every server.
    pub fn close_service(&self, service: ServiceKeyId) {
        self.close_service_local(service);
        self.tell_others(|| Relayed::CloseService { service });
    }

    /// Tells every client to fetch snapshots: events of other servers may have been missed.
    pub fn resync_all(&self) {
        for connected in lock(&self.0.connections).open.values() {
            connected.mailbox.resync_all();
        }
    }

    /// Tells everyone who follows the channel on this server to subscribe again: whether he still may is decided anew.
    pub fn resync_channel(&self, channel: &Channel) {
        let Some(followed) = read(&self.0.channels).get(channel).cloned() else { return };
        for group in &lock(&followed).groups {
            for ((_, slot), mailbox) in &group.members {
                mailbox.resync(*slot);
            }
        }
    }

    /// Whether anybody follows the channel on this server.
    #[must_use]
    pub fn is_followed(&self, channel: &Channel) -> bool {
        read(&self.0.channels).contains_key(channel)
    }

    fn close_session_local(&self, session: SessionId) {
        self.close(CloseReason::SessionEnded, |connected| connected.session == Some(session));
    }

    fn close_user_local(&self, user: UserId) {
        self.close(CloseReason::SessionEnded, |connected| connected.user == Some(user));
    }

    fn reconnect_user_local(&self, user: UserId) {
        self.close(CloseReason::RightsChanged, |connected| connected.user == Some(user));
    }

    fn close_service_local(&self, service: ServiceKeyId) {
        self.close(CloseReason::SessionEnded, |connected| connected.service == Some(service));
    }

    fn close(&self, reason: CloseReason, which: impl Fn(&Connected) -> bool) {
        for connected in lock(&self.0.connections).open.values().filter(|connected| which(connected)) {
            connected.mailbox.close(reason);
        }
    }

    fn tell_others(&self, what: impl FnOnce() -> Relayed) {
        if let Some(relay) = read(&self.0.relay).as_ref() {
            relay(what());
        }
    }

    fn source_of(&self, topic: &str) -> Result<Arc<dyn TopicSource>> {
        read(&self.0.sources)
            .iter()
            .find(|source| source.owns(topic))
            .cloned()
            .ok_or_else(|| Error::not_found("unknown_topic", "There is no such topic, or you may not follow it."))
    }

    /// Returns the channel's present sequence number: the last event the new member does not get.
    fn join(&self, channel: &Channel, topic: &Arc<str>, member: (u64, SlotId), mailbox: &Arc<Mailbox>) -> u64 {
        let mut channels = write(&self.0.channels);
        let followed = Arc::clone(channels.entry(channel.clone()).or_default());
        let mut followed = lock(&followed);
        match followed.groups.iter_mut().find(|group| group.topic == *topic) {
            Some(group) => {
                group.members.insert(member, Arc::clone(mailbox));
            }
            None => followed
                .groups
                .push(Group { topic: Arc::clone(topic), members: HashMap::from([(member, Arc::clone(mailbox))]) }),
        }
        followed.seq
    }

    fn leave(&self, channel: &Channel, member: (u64, SlotId)) {
        let mut channels = write(&self.0.channels);
        let Some(shared) = channels.get(channel).cloned() else { return };
        let mut followed = lock(&shared);
        for group in &mut followed.groups {
            group.members.remove(&member);
        }
        followed.groups.retain(|group| !group.members.is_empty());
        if followed.groups.is_empty() {
            channels.remove(channel);
        }
    }

    fn disconnect(&self, id: u64) {
        let mut connections = lock(&self.0.connections);
        connections.open.remove(&id);
        connections.measure();
    }
}

impl Connections {
    #[allow(clippy::cast_precision_loss)] // connections are counted in thousands
    fn measure(&self) {
        metrics::gauge!("portico_live_connections").set(self.open.len() as f64);
    }
}

/// As `ServerMessage::Event` of the model serialises; by hand, because the event is serialised already.
fn event_frame(topic: &str, seq: u64, data: &str) -> Utf8Bytes {
    let mut text = String::with_capacity(data.len() + topic.len() + 64);
    text.push_str(r#"{"op":"event","topic":"#);
    text.push_str(&Value::from(topic).to_string());
    let _ = write!(text, r#","seq":{seq},"data":{data}}}"#);
    Utf8Bytes::from(text)
}

// What is under these locks stays whole when a holder panics: every change is a single insert, remove or addition.

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
