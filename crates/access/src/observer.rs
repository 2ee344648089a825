//! What devices say, handed to the part that it concerns.

use portico_devices::{AfterCommit, DeviceObserver, Known, Taken};
use portico_model::commands::Command;
use portico_model::devices::Connection;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{BoxFuture, Result, Tx};
use serde_json::Value;

use crate::Access;

impl DeviceObserver for Access {
    fn command_finished<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let code = self.code_command_finished(tx, organization, command).await?;
            let synced = self.sync_command_finished(tx, organization, command).await?;
            let enrolment = self.enrol_command_finished(tx, organization, command).await?;
            let access = self.clone();
            let after: AfterCommit = Box::new(move || {
                if let Some(changed) = code {
                    access.announce_code_and_go_on(changed);
                }
                if synced {
                    access.announce_readers(organization);
                }
                if let Some(tell) = enrolment {
                    tell();
                }
            });
            Ok(after)
        })
    }

    fn command_sent(&self, command: &Command) {
        self.bridge_command(command);
    }

    fn event<'a>(&'a self, device: &'a Known, payload: &'a [u8], at: Timestamp) -> BoxFuture<'a, Result<Taken>> {
        Box::pin(async move {
            let Ok(body) = serde_json::from_slice::<Value>(payload) else { return Ok(Ok(false)) };
            match body.get("type").and_then(Value::as_str).unwrap_or_default() {
                "access_request" => self.take_access_request(device, &body, at).await,
                "door" => self.take_door_state(device, &body).await,
                "sync_request" => self.take_sync_request(device, &body).await,
                "offline_events" => self.take_offline_message(device, body).await,
                "code_used" => self.take_code_used(device, &body, at).await,
                "enrolled" | "enrol_failed" => self.take_enrolled(device, &body).await,
                _ => Ok(Ok(false)),
            }
        })
    }

    fn heartbeat<'a>(&'a self, device: &'a Known, payload: &'a [u8], _at: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.take_door_heartbeat(device, payload).await })
    }

    fn connection_changed(&self, organization: OrganizationId, device: DeviceId, _connection: Connection) {
        self.door_source_changed(organization, device);
    }
}
