//! What was written about a lock, to be told after the commit.

use portico_devices::CommandStep;
use portico_model::access::lock::{How, Lock, LockEvent, LockEventKind, LockResult};
use portico_model::audit::AuditRecord;
use portico_model::live::Event;
use portico_model::{DeviceId, LockEventId, OrganizationId, Timestamp, UserId};
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Result, Tx};

use super::store::Found;
use super::{not_found, store, store_event, store_grant};
use crate::Access;

/// A lock that came further.
#[must_use = "announce it after the commit"]
pub(crate) struct LockStep {
    organization: OrganizationId,
    pub lock: Lock,
    /// Everyone who sees it, beside those who see all.
    people: Vec<UserId>,
    events: Vec<LockEvent>,
    records: Vec<AuditRecord>,
    commands: Vec<CommandStep>,
}

impl LockStep {
    pub fn with_record(mut self, record: AuditRecord) -> Self {
        self.records.push(record);
        self
    }

    pub fn with_command(mut self, command: CommandStep) -> Self {
        self.commands.push(command);
        self
    }
}

/// Those who see all locks, in the list.
pub(super) fn all(organization: OrganizationId) -> Channel {
    Channel::all(organization, "locks")
}

/// A person, for the locks he sees.
pub(super) fn list_of(organization: OrganizationId, user: UserId) -> Channel {
    Channel::owned(organization, "locks", user)
}

/// One lock, for those who see all.
pub(super) fn one(organization: OrganizationId, lock: DeviceId) -> Channel {
    Channel::device(organization, "lock", lock)
}

/// One lock, for a person who sees it: nothing comes here any more once he does not.
pub(super) fn one_of(organization: OrganizationId, lock: DeviceId, user: UserId) -> Channel {
    Channel::owned(organization, &format!("lock/{lock}"), user)
}

/// A new line of history.
pub(super) fn line(lock: DeviceId, at: Timestamp, kind: LockEventKind, actor: String, how: How) -> LockEvent {
    LockEvent {
        id: LockEventId::generate(),
        lock_id: lock,
        at,
        kind,
        actor,
        how,
        result: LockResult::Done,
        delay_ms: None,
        command_id: None,
        note: String::new(),
    }
}

impl Access {
    /// Writes what is known of the bolt now, and what belongs into the history (`new`, and `ended` lines that were open).
    pub(super) async fn write_lock(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        found: &Found,
        new: Vec<LockEvent>,
        ended: Vec<LockEvent>,
    ) -> Result<LockStep> {
        let now = self.0.platform.clock.now();
        store::update_state(tx, organization, &found.lock, &found.state, now).await?;
        for event in &new {
            store_event::insert(tx, organization, event).await?;
        }
        for event in &ended {
            store_event::update(tx, organization, event).await?;
        }
        let mut step = self.lock_step(tx, organization, found.lock.id).await?;
        step.events = ended.into_iter().chain(new).collect();
        Ok(step)
    }

    /// The lock as it is now, and who is told.
    pub(super) async fn lock_step(&self, tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<LockStep> {
        let lock = store::find(tx, organization, id).await?.ok_or_else(not_found)?.lock;
        let people = self.people_of(tx, organization, &lock).await?;
        let (events, records, commands) = (Vec::new(), Vec::new(), Vec::new());
        Ok(LockStep { organization, lock, people, events, records, commands })
    }

    /// The owner and those the lock is shared with.
    pub(super) async fn people_of(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        lock: &Lock,
    ) -> Result<Vec<UserId>> {
        let mut people = store_grant::people(tx, organization, lock.id).await?;
        if !people.contains(&lock.owner_id) {
            people.push(lock.owner_id);
        }
        Ok(people)
    }

    /// Tells of a step that is committed; the lock as it is now.
    pub(crate) fn announce_lock(&self, step: LockStep) -> Lock {
        let LockStep { organization, lock, people, events, records, commands } = step;
        let hub = &self.0.platform.hub;
        let mut channels = vec![one(organization, lock.id)];
        channels.extend(people.iter().map(|user| one_of(organization, lock.id, *user)));
        for event in events {
            let event = Event::LockLogged { event };
            hub.publish(Publication { channels: channels.clone(), event, delivery: Delivery::Every });
        }
        channels.push(all(organization));
        channels.extend(people.iter().map(|user| list_of(organization, *user)));
        let event = Event::LockChanged { lock: lock.clone() };
        hub.publish(Publication { channels, event, delivery: Delivery::Every });
        for record in records {
            self.announce_record(organization, record);
        }
        for command in commands {
            self.0.devices.announce_command(organization, command);
        }
        self.0.platform.deliveries.wake();
        lock
    }

    /// Tells that a lock is gone: for all, or (`people`) for those who do not see it any more.
    pub(super) fn announce_lock_gone(
        &self,
        organization: OrganizationId,
        id: DeviceId,
        people: &[UserId],
        for_all: bool,
    ) {
        let mut channels: Vec<Channel> =
            people.iter().flat_map(|user| [list_of(organization, *user), one_of(organization, id, *user)]).collect();
        if for_all {
            channels.extend([all(organization), one(organization, id)]);
        }
        let event = Event::LockRemoved { id };
        self.0.platform.hub.publish(Publication { channels, event, delivery: Delivery::Every });
    }

    pub(crate) fn announce_record(&self, organization: OrganizationId, record: AuditRecord) {
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }
}
