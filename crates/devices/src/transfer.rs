//! A device gets another owner.

use portico_model::devices::Device;
use portico_model::live::Event;
use portico_model::{DeviceId, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use crate::service::clash;
use crate::store::{device as store, group};
use crate::{Devices, channel};

impl Devices {
    /// Gives the device to another person of the organisation. Needs to be its owner or `ManageAllDevices`. It leaves the groups
    /// of its former owner. Its key stays good: rotate it when the former owner knows it and should not.
    ///
    /// # Errors
    /// Not found, forbidden, no such person or a deactivated one, a device of the same name there, or as many devices as one
    /// person may have.
    pub async fn transfer(&self, actor: &Actor, id: DeviceId, to: UserId) -> Result<Device> {
        self.transfer_as(actor, id, to, false).await
    }

    /// As [`Devices::transfer`]. `permitted`: the caller, a domain above, has made sure that the actor may.
    ///
    /// # Errors
    /// As [`Devices::transfer`].
    pub async fn transfer_as(&self, actor: &Actor, id: DeviceId, to: UserId, permitted: bool) -> Result<Device> {
        let platform = &self.0.platform;
        let organization = actor.organization;
        let mut tx = platform.db.begin().await?;
        let mut device = if permitted {
            self.find_in(&mut tx, organization, id).await?
        } else {
            self.find_changeable(&mut tx, actor, id).await?
        };
        let from = device.owner_id;
        if from == to {
            return Ok(device);
        }
        let no_such_person = || Error::not_found("user_not_found", "There is no such person");
        let (owner_name, _) = store::find_owner(&mut tx, organization, to).await?.ok_or_else(no_such_person)?;
        if !store::owner_is_active(&mut tx, organization, to).await? {
            return Err(Error::conflict("owner_deactivated", "This person is deactivated"));
        }
        let most = platform.config.devices.max_devices_per_user;
        if store::count_of_owner(&mut tx, organization, to).await? >= most {
            return Err(Error::conflict("too_many_devices", format!("A person may have at most {most} devices")));
        }
        device.owner_id = to;
        device.owner_name = owner_name;
        device.updated_at = platform.clock.now();
        if let Some(what) = store::find_clash(&mut tx, organization, &device).await? {
            return Err(clash(what));
        }
        store::set_owner(&mut tx, organization, id, to, device.updated_at).await?;
        let left = group::remove_from_groups_of(&mut tx, organization, id, from).await?;
        let subject = id.to_string();
        let alarms = self.0.alarms.change_owner(&mut tx, organization, "device", &subject, to).await?;
        let details = json!({"name": device.name, "from": from.to_string(), "to": to.to_string()});
        let entry = Entry::success("device.transferred").target("device", id).details(details);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let after = self.0.observers.transferred(&mut tx, actor, &device, from).await?;
        tx.commit().await?;
        after.into_iter().for_each(|tell| tell());
        self.0.directory.forget(id).await;
        platform.hub.publish(Publication {
            channels: vec![channel::owned(organization, from)],
            event: Event::DeviceDeleted { id },
            delivery: Delivery::Every,
        });
        // What he follows of the device is decided anew: his browser comes back by itself.
        platform.hub.close_user(from);
        let channels = vec![channel::all_groups(organization), channel::owned_groups(organization, from)];
        for id in left {
            let event = Event::GroupChanged { id };
            platform.hub.publish(Publication { channels: channels.clone(), event, delivery: Delivery::Every });
        }
        self.0.alarms.announce(alarms);
        self.announce_change(organization, &device, record);
        Ok(device)
    }

    /// As [`Devices::transfer`], to the person of this user name or id.
    ///
    /// # Errors
    /// As [`Devices::transfer`].
    pub async fn transfer_to_named(&self, actor: &Actor, id: DeviceId, to: &str) -> Result<Device> {
        let to = to.trim();
        let person = match to.parse() {
            Ok(person) => Some(person),
            Err(_) => {
                let mut tx = self.0.platform.db.read().await?;
                // Whoever may not change the device is not told who there is.
                self.find_changeable(&mut tx, actor, id).await?;
                store::find_owner_by_name(&mut tx, actor.organization, to).await?
            }
        };
        let person = person.ok_or_else(|| Error::field("owner", "There is no person of this name"))?;
        self.transfer(actor, id, person).await
    }
}
