//! What devices say, handed to the part that it concerns.

use portico_devices::{AfterCommit, DeviceObserver, Known, Taken};
use portico_model::commands::Command;
use portico_model::devices::Connection;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{BoxFuture, Result, Tx};

use crate::Access;

impl DeviceObserver for Access {
    fn command_finished<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _organization: OrganizationId,
        _command: &'a Command,
    ) -> BoxFuture<'a, Result<AfterCommit>> {
        Box::pin(async move {
            let after: AfterCommit = Box::new(|| {});
            Ok(after)
        })
    }

    fn event<'a>(&'a self, _device: &'a Known, _payload: &'a [u8], _at: Timestamp) -> BoxFuture<'a, Result<Taken>> {
        Box::pin(async move { Ok(Ok(false)) })
    }

    fn heartbeat<'a>(&'a self, _device: &'a Known, _payload: &'a [u8], _at: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { Ok(()) })
    }

    fn connection_changed(&self, _organization: OrganizationId, _device: DeviceId, _connection: Connection) {}
}
