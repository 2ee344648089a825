//! What a device does for itself, having proved itself with its key.

use std::sync::Arc;

use portico_model::devices::{Device, DeviceChange, DeviceStatus};
use portico_model::telemetry::Sample;
use portico_model::{DeviceId, Timestamp, UserId};
use portico_platform::mqtt::Topics;
use portico_platform::{Actor, Error, Principal, Result};

use crate::store::{device as store, read};
use crate::{Devices, Known};

impl Devices {
    pub(crate) fn now(&self) -> Timestamp {
        self.0.platform.clock.now()
    }

    /// The device was heard over HTTP.
    pub(crate) fn heard(&self, device: &Arc<Known>) {
        self.0.presence.seen(device, self.now());
    }

    fn actor(device: &Known) -> Actor {
        let principal = Principal::Device { id: device.id };
        Actor { principal, ..Actor::system(device.organization) }
    }

    pub(crate) async fn get_own(&self, device: &Known) -> Result<Device> {
        self.get(&Self::actor(device), device.id).await
    }

    /// The device's word on its place, its versions and whether it is in use. It cannot leave maintenance by itself:
    /// it is refused there.
    pub(crate) async fn update_own(&self, device: &Known, change: DeviceChange) -> Result<Device> {
        self.update_as(&Self::actor(device), device.id, change, true).await
    }

    /// As [`Devices::range`], of its own.
    pub(crate) async fn range_own(
        &self,
        device: &Known,
        from: Timestamp,
        to: Timestamp,
        keys: &[String],
        limit: i64,
    ) -> Result<Vec<Sample>> {
        self.range(&Self::actor(device), device.id, from, to, keys, limit).await
    }

    /// Host and port of the broker, for devices.
    pub(crate) fn broker_address(&self) -> (String, u16) {
        let listening = || {
            let address = self.0.platform.config.mqtt_addr;
            (address.ip().to_string(), address.port())
        };
        self.0.broker.get().cloned().unwrap_or_else(listening)
    }

    /// The names of the devices' topics.
    pub(crate) fn topics(&self) -> Result<Topics> {
        Topics::new(&self.0.platform.config.mqtt.prefix).map_err(|error| Error::internal(error.to_string()))
    }

    /// Numbers and booleans stored so far, by the hour rollups.
    pub(crate) async fn count_points(&self, device: &Known) -> Result<i64> {
        let mut tx = self.0.platform.db.read().await?;
        read::count_of_device(&mut tx, device.organization, device.id).await
    }

    /// The actor's own device of that name.
    pub(crate) async fn find_own_by_name(&self, actor: &Actor, name: &str) -> Result<Option<DeviceId>> {
        let Some(owner) = actor.user_id() else { return Ok(None) };
        let mut tx = self.0.platform.db.read().await?;
        store::find_id_by_name(&mut tx, actor.organization, owner, name.trim()).await
    }

    /// How many devices a person has.
    pub(crate) async fn count_of(&self, actor: &Actor, owner: UserId, status: Option<DeviceStatus>) -> Result<i64> {
        let mut tx = self.0.platform.db.read().await?;
        let counts = store::counts(&mut tx, actor.organization, Some(owner)).await?;
        let fits = |name: &str| status.is_none_or(|status| status.as_str() == name);
        Ok(counts.iter().filter(|(status, _, _)| fits(status)).map(|(_, _, count)| count).sum())
    }

    pub(crate) async fn database_answers(&self) -> bool {
        self.0.platform.db.ping().await.is_ok()
    }

    pub(crate) fn backend(&self) -> &'static str {
        if self.0.platform.db.is_postgres() { "PostgreSQL" } else { "SQLite" }
    }
}
