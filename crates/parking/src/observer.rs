//! What devices say about spots.

use portico_devices::{AfterCommit, DeviceObserver, Known, Taken};
use portico_model::{DeviceId, Timestamp};
use portico_platform::{Actor, BoxFuture, Result, Tx};
use serde_json::Value;

use crate::{Parking, sensors};

impl DeviceObserver for Parking {
    /// `{"type": "spot", "occupied": true, …}`: of the device itself, or of the sensor that it names.
    fn event<'a>(&'a self, device: &'a Known, body: &'a Value, at: Timestamp) -> BoxFuture<'a, Result<Taken>> {
        Box::pin(async move {
            if body.get("type").and_then(Value::as_str) != Some("spot") {
                return Ok(Ok(false));
            }
            let message = match sensors::read_message(body, at) {
                Ok(message) => message,
                Err(problem) => return Ok(Err(problem)),
            };
            let told = self.take_reading(device.organization, Some(device.id), message, at).await?;
            Ok(told.map(|_| true))
        })
    }

    fn deleted<'a>(&'a self, tx: &'a mut Tx, actor: &'a Actor, device: DeviceId) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            self.sensors_of_deleted_device(tx, actor.organization, device).await?;
            let (parking, organization) = (self.clone(), actor.organization);
            let after: AfterCommit = Box::new(move || parking.announce_sensors(organization));
            Ok(after)
        })
    }
}
