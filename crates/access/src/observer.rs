//! What devices say, handed to the part that it concerns.

use portico_devices::{AfterCommit, DeviceObserver, Known, Taken};
use portico_model::commands::Command;
use portico_model::devices::{Connection, Device};
use portico_model::{DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Actor, BoxFuture, Error, Result, Tx};
use serde_json::Value;

use crate::Access;

fn nothing() -> AfterCommit {
    Box::new(|| {})
}

impl DeviceObserver for Access {
    fn command_finished<'a>(
        &'a self,
        tx: &'a mut Tx,
        organization: OrganizationId,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let lock = match command.name.as_str() {
                "lock" | "unlock" => self.lock_command_finished(tx, organization, command).await?,
                _ => None,
            };
            let code = self.code_command_finished(tx, organization, command).await?;
            let synced = self.sync_command_finished(tx, organization, command).await?;
            let enrolment = self.enrol_command_finished(tx, organization, command).await?;
            let access = self.clone();
            let after: AfterCommit = Box::new(move || {
                if let Some(tell) = lock {
                    tell();
                }
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

    fn event<'a>(&'a self, device: &'a Known, body: &'a Value, at: Timestamp) -> BoxFuture<'a, Result<Taken>> {
        Box::pin(async move {
            match body.get("type").and_then(Value::as_str).unwrap_or_default() {
                "access_request" => self.take_access_request(device, body, at).await,
                "door" => self.take_door_state(device, body).await,
                "sync_request" => self.take_sync_request(device, body).await,
                "offline_events" => self.take_offline_message(device, body).await,
                "code_used" => self.take_code_used(device, body, at).await,
                "enrolled" | "enrol_failed" => self.take_enrolled(device, body).await,
                "bluetooth_used" => self.take_bluetooth_used(device, body, at).await,
                "lock_state" => self.lock_event(device, body, at).await,
                _ => Ok(Ok(false)),
            }
        })
    }

    fn event_not_taken(&self, device: DeviceId, payload: &[u8], at: Timestamp) {
        let Ok(body) = serde_json::from_slice::<Value>(payload) else { return };
        if body.get("type").and_then(Value::as_str) == Some("access_request") {
            self.refuse_access_request(device, &body, at);
        }
    }

    fn heartbeat<'a>(&'a self, device: &'a Known, payload: &'a [u8], at: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.take_door_heartbeat(device, payload).await?;
            self.lock_heartbeat(device, payload, at).await
        })
    }

    fn connection_changed(&self, organization: OrganizationId, device: DeviceId, connection: Connection) {
        self.door_source_changed(organization, device);
        self.lock_connection_changed(organization, device, connection);
    }

    fn diagnostics_changed(&self, organization: OrganizationId, device: DeviceId) {
        self.lock_shown_changed(organization, device);
    }

    fn changed(&self, organization: OrganizationId, device: DeviceId) {
        self.lock_shown_changed(organization, device);
    }

    fn may_command<'a>(
        &'a self,
        tx: &'a mut Tx,
        device: &'a Device,
        organization: OrganizationId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // With rules of their own: who may use the lock, whether he must prove again who he is, the history.
            let is_reserved = matches!(name, "lock" | "unlock" | "set_code" | "remove_code");
            if is_reserved && self.is_lock(tx, organization, device.id).await? {
                let message = format!("A lock is told so by POST /api/v1/locks/{}/{name}.", device.id);
                return Err(Error::conflict("use_the_lock", message));
            }
            Ok(())
        })
    }

    fn transferred<'a>(
        &'a self,
        tx: &'a mut Tx,
        actor: &'a Actor,
        device: &'a Device,
        from: UserId,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move { Ok(self.lock_transferred(tx, actor, device, from).await?.unwrap_or_else(nothing)) })
    }

    fn deleted<'a>(&'a self, tx: &'a mut Tx, actor: &'a Actor, device: DeviceId) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move { Ok(self.lock_device_deleted(tx, actor, device).await?.unwrap_or_else(nothing)) })
    }
}
