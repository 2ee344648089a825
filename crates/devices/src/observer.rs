//! What domains above this one do with what devices say.

use portico_model::commands::Command;
use portico_model::devices::{Connection, Device};
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Actor, BoxFuture, Result, Tx};
use serde_json::Value;

use crate::{Devices, Known};

/// What is told once the transaction is committed.
pub type AfterCommit = Box<dyn FnOnce() + Send>;

/// Whether an event was for this observer; a problem with its payload is counted for the device.
pub type Taken = Result<bool, PayloadProblem>;

/// Implemented by a domain that gives devices a meaning.
pub trait DeviceObserver: Send + Sync {
    /// A command has come to its end, in the transaction that says so.
    fn command_finished<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _organization: OrganizationId,
        _command: &'a Command,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        let nothing: AfterCommit = Box::new(|| {});
        Box::pin(std::future::ready(Ok(nothing)))
    }

    /// A command is on its way to its device; committed. May come several times. Must not wait.
    fn command_sent(&self, _command: &Command) {}

    /// A device published JSON on its `event` topic; done after the commit. The same event may come several times.
    fn event<'a>(&'a self, device: &'a Known, body: &'a Value, at: Timestamp) -> BoxFuture<'a, Result<Taken>>;

    /// An event cannot be taken now, because the database is away or does not answer in time; it is tried again. Here
    /// whoever waits at the device can be told so, without the database. May come several times. Must not wait.
    fn event_not_taken(&self, _device: DeviceId, _payload: &[u8], _at: Timestamp) {}

    /// A heartbeat, with whatever else it says; done after the commit. Called for every one: cheap when it is of no concern.
    fn heartbeat<'a>(&'a self, _device: &'a Known, _payload: &'a [u8], _at: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A device came or went; committed. Must not wait.
    fn connection_changed(&self, _organization: OrganizationId, _device: DeviceId, _connection: Connection) {}

    /// What a device says of itself (issue, battery, signal) or its connection has changed; committed. Must not wait.
    fn diagnostics_changed(&self, _organization: OrganizationId, _device: DeviceId) {}

    /// Whether somebody may send this command to the device as any other; an error when a domain has a way of its own
    /// for it, with rules of its own.
    fn may_command<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _device: &'a Device,
        _organization: OrganizationId,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The device is being given to another person (`device.owner_id`); an error refuses it.
    fn transferred<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _actor: &'a Actor,
        _device: &'a Device,
        _from: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        let nothing: AfterCommit = Box::new(|| {});
        Box::pin(std::future::ready(Ok(nothing)))
    }

    /// People have changed what they decide about the device.
    fn changed(&self, _organization: OrganizationId, _device: DeviceId) {}

    /// The device is being removed.
    fn deleted<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _actor: &'a Actor,
        _device: DeviceId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        let nothing: AfterCommit = Box::new(|| {});
        Box::pin(std::future::ready(Ok(nothing)))
    }
}

impl Devices {
    /// Adds one who hears what devices say. Call before the server listens.
    pub fn observe(&self, observer: std::sync::Arc<dyn DeviceObserver>) {
        self.0.observers.add(observer);
    }
}

/// Those who listen; also handed to the parts that write.
#[derive(Clone, Default)]
pub(crate) struct Observers(std::sync::Arc<std::sync::RwLock<Vec<std::sync::Arc<dyn DeviceObserver>>>>);

impl Observers {
    fn add(&self, observer: std::sync::Arc<dyn DeviceObserver>) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(observer);
    }

    fn all(&self) -> Vec<std::sync::Arc<dyn DeviceObserver>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub async fn command_finished(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        command: &Command,
    ) -> Result<Vec<AfterCommit>> {
        let mut after = Vec::new();
        for observer in self.all() {
            after.push(observer.command_finished(tx, organization, command).await?);
        }
        Ok(after)
    }

    pub fn command_sent(&self, command: &Command) {
        for observer in self.all() {
            observer.command_sent(command);
        }
    }

    /// Whether anyone took it.
    pub async fn event(&self, device: &Known, payload: &[u8], at: Timestamp) -> Result<Taken> {
        let Ok(body) = serde_json::from_slice(payload) else { return Ok(Ok(false)) };
        for observer in self.all() {
            match observer.event(device, &body, at).await? {
                Ok(false) => {}
                taken => return Ok(taken),
            }
        }
        Ok(Ok(false))
    }

    pub fn event_not_taken(&self, device: DeviceId, payload: &[u8], at: Timestamp) {
        for observer in self.all() {
            observer.event_not_taken(device, payload, at);
        }
    }

    pub async fn heartbeat(&self, device: &Known, payload: &[u8], at: Timestamp) -> Result<()> {
        for observer in self.all() {
            observer.heartbeat(device, payload, at).await?;
        }
        Ok(())
    }

    pub fn connection_changed(&self, organization: OrganizationId, device: DeviceId, connection: Connection) {
        for observer in self.all() {
            observer.connection_changed(organization, device, connection);
        }
    }

    pub fn diagnostics_changed(&self, organization: OrganizationId, device: DeviceId) {
        for observer in self.all() {
            observer.diagnostics_changed(organization, device);
        }
    }

    pub fn changed(&self, organization: OrganizationId, device: DeviceId) {
        for observer in self.all() {
            observer.changed(organization, device);
        }
    }

    pub async fn may_command(
        &self,
        tx: &mut Tx,
        device: &Device,
        organization: OrganizationId,
        name: &str,
    ) -> Result<()> {
        for observer in self.all() {
            observer.may_command(tx, device, organization, name).await?;
        }
        Ok(())
    }

    pub async fn transferred(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: &Device,
        from: UserId,
    ) -> Result<Vec<AfterCommit>> {
        let mut after = Vec::new();
        for observer in self.all() {
            after.push(observer.transferred(tx, actor, device, from).await?);
        }
        Ok(after)
    }

    pub async fn deleted(&self, tx: &mut Tx, actor: &Actor, device: DeviceId) -> Result<Vec<AfterCommit>> {
        let mut after = Vec::new();
        for observer in self.all() {
            after.push(observer.deleted(tx, actor, device).await?);
        }
        Ok(after)
    }
}
