//! The list of devices as CSV, read page by page while it is sent.

use futures::Stream;
use portico_model::Timestamp;
use portico_platform::{Actor, Result};

use crate::service::MAX_PAGE;
use crate::telemetry::quoted;
use crate::{DeviceQuery, Devices};

const HEAD: &str =
    "id,name,hardware_id,type,location,status,connection,issue,last_seen_at,firmware_version,owner,created_at\r\n";

/// Where an export has got to.
struct Export {
    devices: Devices,
    actor: Actor,
    /// Absent after the last page.
    next: Option<DeviceQuery>,
    head: &'static str,
}

impl Devices {
    /// All devices of [`Devices::list`], on whichever page.
    ///
    /// # Errors
    /// As [`Devices::list`]; what goes wrong after the first page breaks the file off.
    pub async fn list_csv(
        &self,
        actor: &Actor,
        query: DeviceQuery,
    ) -> Result<impl Stream<Item = Result<String>> + Send + 'static> {
        let query = DeviceQuery { cursor: None, limit: Some(MAX_PAGE), ..query };
        // What is wrong with the request is answered before the file begins.
        self.list(actor, DeviceQuery { limit: Some(1), ..query.clone() }).await?;
        let export = Export { devices: self.clone(), actor: actor.clone(), next: Some(query), head: HEAD };
        Ok(futures::stream::try_unfold(export, Export::step))
    }
}

impl Export {
    async fn step(mut self) -> Result<Option<(String, Self)>> {
        let Some(query) = self.next.take() else { return Ok(None) };
        let page = self.devices.list(&self.actor, query.clone()).await?;
        let mut text = std::mem::take(&mut self.head).to_owned();
        for device in page.items {
            let cells = [
                device.id.to_string(),
                quoted(&device.name),
                device.hardware_id.map(|id| quoted(&id)).unwrap_or_default(),
                quoted(&device.device_type),
                quoted(&device.location),
                device.status.as_str().to_owned(),
                device.connection.as_str().to_owned(),
                quoted(&device.issue),
                device.last_seen_at.map(Timestamp::to_iso).unwrap_or_default(),
                quoted(&device.firmware_version),
                quoted(&device.owner_name),
                device.created_at.to_iso(),
            ];
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        self.next = page.next.map(|cursor| DeviceQuery { cursor: Some(cursor), ..query });
        Ok(Some((text, self)))
    }
}
