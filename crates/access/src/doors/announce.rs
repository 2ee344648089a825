//! Who is told what of doors, after the commit, and what their devices are told within it.

use portico_devices::CommandStep;
use portico_model::access::door::Door;
use portico_model::audit::AuditRecord;
use portico_model::commands::NewCommand;
use portico_model::live::Event;
use portico_model::{DeviceId, DoorId, ErrorKind, OrganizationId};
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Result, Tx};
use serde_json::Value;

use super::store;
use crate::Access;
use crate::locks::{AtDoor, LockStep, Operation as LockOperation};

/// What a door's device was told.
#[must_use = "announce it after the commit"]
pub(crate) enum DoorStep {
    Device(Box<CommandStep>),
    Lock(Box<LockStep>),
}

/// A device that takes no commands keeps nobody out.
fn unless_it_takes_none(device: DeviceId, told: Result<DoorStep>) -> Result<Option<DoorStep>> {
    match told {
        Ok(step) => Ok(Some(step)),
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
            tracing::warn!(device = %device, code = error.code(), "a door's device takes no command");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub fn doors(organization: OrganizationId) -> Channel {
    Channel::all(organization, "doors")
}

pub fn door(organization: OrganizationId, id: DoorId) -> Channel {
    Channel::new(organization, &format!("door/{id}"))
}

impl Access {
    pub(crate) fn announce_door(&self, organization: OrganizationId, changed: Door) {
        self.0.platform.hub.publish(Publication {
            channels: vec![doors(organization), door(organization, changed.id)],
            event: Event::DoorChanged { door: changed },
            delivery: Delivery::Every,
        });
    }

    pub(crate) fn announce_door_deleted(&self, organization: OrganizationId, id: DoorId) {
        self.0.platform.hub.publish(Publication {
            channels: vec![doors(organization), door(organization, id)],
            event: Event::DoorDeleted { id },
            delivery: Delivery::Every,
        });
    }

    /// Groups of doors, zones or plans have changed.
    pub(crate) fn announce_areas(&self, organization: OrganizationId) {
        self.0.platform.hub.publish(Publication {
            channels: vec![doors(organization)],
            event: Event::DoorAreasChanged,
            delivery: Delivery::Every,
        });
    }

    pub(crate) fn announce_audit(&self, organization: OrganizationId, record: AuditRecord) {
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }

    /// Shows doors as they are now; what was decided stands, also when they cannot be read.
    pub(crate) async fn show_doors(&self, organization: OrganizationId, ids: impl IntoIterator<Item = DoorId>) {
        let shown: Result<()> = async {
            let mut tx = self.0.platform.db.read().await?;
            for id in ids {
                if let Some(door) = store::find(&mut tx, organization, id).await? {
                    self.announce_door(organization, door);
                }
            }
            Ok(())
        }
        .await;
        if let Err(error) = shown {
            tracing::warn!(error = %error, "changed doors are not shown");
        }
    }

    /// What says whether a door is open came or went: its state is known again, or no longer.
    pub(crate) fn door_source_changed(&self, organization: OrganizationId, device: DeviceId) {
        let access = self.clone();
        tokio::spawn(async move {
            let told: Result<()> = async {
                let mut tx = access.0.platform.db.read().await?;
                for door in store::list_by_device(&mut tx, organization, device).await? {
                    access.announce_door(organization, door);
                }
                Ok(())
            }
            .await;
            if let Err(error) = told {
                tracing::warn!(error = %error, "doors of a device that came or went are not shown");
            }
        });
    }

    /// Has a door's lock lock or unlock, in the caller's transaction, for `at.who`. A device that is no lock for Portico is told
    /// all the same, and has no history. As with [`Access::tell_device`], one that takes no commands keeps nobody out.
    pub(crate) async fn tell_lock(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        lock: DeviceId,
        operation: LockOperation,
        at: AtDoor<'_>,
    ) -> Result<Option<DoorStep>> {
        if !self.is_lock(tx, actor.organization, lock).await? {
            return self.tell(tx, actor, lock, operation.command(Some(at))).await;
        }
        let told = self.operate_at_door(tx, actor, lock, operation, at).await;
        unless_it_takes_none(lock, told.map(|step| DoorStep::Lock(Box::new(step))))
    }

    /// Tells of a step that is committed.
    pub(crate) fn announce_step(&self, organization: OrganizationId, step: DoorStep) {
        match step {
            DoorStep::Device(step) => drop(self.0.devices.announce_command(organization, *step)),
            DoorStep::Lock(step) => drop(self.announce_lock(*step)),
        }
    }

    /// Has a door's device do something, in the caller's transaction. A device that takes no commands (it is inactive,
    /// gone, or has too many waiting) must not keep a door from its mode, nor a person from coming in.
    pub(crate) async fn tell_device(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        device: DeviceId,
        name: &str,
        args: Value,
        expires_in_s: i64,
    ) -> Result<Option<DoorStep>> {
        let new = NewCommand { name: name.to_owned(), args: Some(args), expires_in_s: Some(expires_in_s) };
        self.tell(tx, actor, device, new).await
    }

    async fn tell(&self, tx: &mut Tx, actor: &Actor, device: DeviceId, new: NewCommand) -> Result<Option<DoorStep>> {
        let told = self.0.devices.issue_in(tx, actor, device, new).await;
        unless_it_takes_none(device, told.map(|step| DoorStep::Device(Box::new(step))))
    }
}
