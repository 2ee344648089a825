//! Which devices are in a group. A device comes into a group by those who may change both.

use portico_model::devices::{Device, DeviceStatus};
use portico_model::groups::{Group, GroupOfDevice, Membership};
use portico_model::live::Event;
use portico_model::{DeviceId, GroupId, GroupMemberId, OrganizationId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::{MAX_MEMBERS, MAX_PAGE};
use crate::Devices;
use crate::service::visible_owner;
use crate::store::group as store;

/// Most devices that one request adds.
pub const MAX_BULK: usize = 1_000;

/// Which members to list.
#[derive(Debug, Clone, Default)]
pub struct MemberQuery {
    pub status: Option<DeviceStatus>,
    pub device_type: Option<String>,
    /// 1 to 1,000; absent: 100.
    pub limit: Option<i64>,
    pub offset: Option<i64>,
}

/// What became of each device that was to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkAdded {
    pub added: Vec<DeviceId>,
    /// As they were named: unknown, another's, or in the group already.
    pub skipped: Vec<String>,
}

fn full() -> Error {
    Error::conflict("group_full", format!("A group may have at most {MAX_MEMBERS} devices"))
}

impl Devices {
    /// The members that the actor may see, by name, with the time they were added; and how many there are on all pages.
    ///
    /// # Errors
    /// Not found.
    pub async fn group_members(
        &self,
        actor: &Actor,
        id: GroupId,
        query: &MemberQuery,
    ) -> Result<(Group, Vec<(Device, Timestamp)>, i64)> {
        let filter = store::Members {
            viewer: visible_owner(actor, None)?,
            status: query.status,
            device_type: query.device_type.clone(),
            limit: query.limit.unwrap_or(100).clamp(1, MAX_PAGE),
            offset: query.offset.unwrap_or(0).max(0),
        };
        let mut tx = self.0.platform.db.read().await?;
        let group = self.find_visible_group(&mut tx, actor, id).await?;
        let members = store::members(&mut tx, actor.organization, id, &filter).await?;
        let total = store::count_members(&mut tx, actor.organization, id, &filter).await?;
        Ok((group, members, total))
    }

    /// Puts a device into a group. Needs to be allowed to change both.
    ///
    /// # Errors
    /// Not found, forbidden, already in the group, or a full group.
    pub async fn add_to_group(&self, actor: &Actor, group: GroupId, device: &str) -> Result<Membership> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let group = self.find_changeable_group(&mut tx, actor, group).await?;
        let device = self.find_for_group(&mut tx, actor, device).await?;
        let members = store::count_members_for_update(&mut tx, actor.organization, group.id).await?;
        let membership = membership(group.id, device, platform.clock.now());
        if !store::add_member(&mut tx, actor.organization, &membership).await? {
            return Err(Error::conflict("already_in_group", "Device already in group"));
        }
        if members >= MAX_MEMBERS {
            return Err(full());
        }
        let entry = Entry::success("group.device_added").target("group", group.id);
        let details = json!({"device": device.to_string(), "group": group.name});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupChanged { id: group.id }, record);
        Ok(membership)
    }

    /// Puts many devices into a group; those that cannot be are passed over. Needs to be allowed to change the group.
    ///
    /// # Errors
    /// Not found, forbidden, too many devices at once, or a full group.
    pub async fn add_many_to_group(&self, actor: &Actor, group: GroupId, devices: &[String]) -> Result<BulkAdded> {
        if devices.len() > MAX_BULK {
            return Err(Error::field("device_ids", format!("at most {MAX_BULK} at once")));
        }
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut done = BulkAdded::default();
        let mut tx = platform.db.begin().await?;
        let group = self.find_changeable_group(&mut tx, actor, group).await?;
        let members = store::count_members_for_update(&mut tx, actor.organization, group.id).await?;
        for named in devices {
            let device = match self.find_for_group(&mut tx, actor, named).await {
                Ok(device) => device,
                Err(error) if matches!(error.code(), "device_not_found" | "not_your_device") => {
                    done.skipped.push(named.clone());
                    continue;
                }
                Err(error) => return Err(error),
            };
            if store::add_member(&mut tx, actor.organization, &membership(group.id, device, now)).await? {
                done.added.push(device);
            } else {
                done.skipped.push(named.clone());
            }
        }
        if done.added.is_empty() {
            return Ok(done);
        }
        if members.saturating_add(i64::try_from(done.added.len()).unwrap_or(i64::MAX)) > MAX_MEMBERS {
            return Err(full());
        }
        let entry = Entry::success("group.devices_added").target("group", group.id);
        let details = json!({"devices": done.added.len(), "group": group.name});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupChanged { id: group.id }, record);
        Ok(done)
    }

    /// Takes a device out of a group. Needs to be allowed to change the group.
    ///
    /// # Errors
    /// Not found, forbidden, or not in the group.
    pub async fn remove_from_group(&self, actor: &Actor, group: GroupId, device: &str) -> Result<()> {
        let not_in_group = || Error::not_found("not_in_group", "Device not in group");
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let group = self.find_changeable_group(&mut tx, actor, group).await?;
        let device = resolve(&mut tx, actor.organization, device).await?.ok_or_else(not_in_group)?;
        if !store::remove_member(&mut tx, actor.organization, group.id, device).await? {
            return Err(not_in_group());
        }
        let entry = Entry::success("group.device_removed").target("group", group.id);
        let details = json!({"device": device.to_string(), "group": group.name});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.announce_group(actor.organization, group.owner_id, Event::GroupChanged { id: group.id }, record);
        Ok(())
    }

    /// The groups the device is in, as far as the actor may see them, with the device.
    ///
    /// # Errors
    /// Not found.
    pub async fn groups_of_device(&self, actor: &Actor, device: DeviceId) -> Result<(Device, Vec<GroupOfDevice>)> {
        let owner = visible_owner(actor, None)?;
        let mut tx = self.0.platform.db.read().await?;
        let device = self.find_visible(&mut tx, actor, device).await?;
        let groups = store::of_device(&mut tx, actor.organization, owner, device.id).await?;
        Ok((device, groups))
    }

    /// The device of a path or a list, if the actor may put it into groups.
    async fn find_for_group(&self, tx: &mut Tx, actor: &Actor, named: &str) -> Result<DeviceId> {
        let not_found = || Error::not_found("device_not_found", "Device not found");
        let id = resolve(tx, actor.organization, named).await?.ok_or_else(not_found)?;
        match self.find_changeable(tx, actor, id).await {
            Ok(device) => Ok(device.id),
            Err(error) if error.code() == "not_permitted" => {
                Err(Error::forbidden("not_your_device", "Forbidden: device doesn't belong to user"))
            }
            Err(error) => Err(error),
        }
    }
}

fn membership(group_id: GroupId, device_id: DeviceId, added_at: Timestamp) -> Membership {
    Membership { id: GroupMemberId::generate(), group_id, device_id, added_at }
}

/// Our id, or the device's own hardware id.
async fn resolve(tx: &mut Tx, organization: OrganizationId, named: &str) -> Result<Option<DeviceId>> {
    match named.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) => crate::store::device::find_id_by_hardware_id(tx, organization, named).await,
    }
}
