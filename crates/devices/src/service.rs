//! The registry's use cases. Whoever may not know of a device gets "not found"; whoever sees it but may not change it
//! gets "forbidden".

use std::sync::Arc;

use portico_model::audit::AuditRecord;
use portico_model::devices::{Connection, Device, DeviceChange, DeviceProblem, DeviceStatus, DeviceWithKey, NewDevice};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{DeviceId, OrganizationId, Page, Timestamp, UserId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Principal, Result, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::directory::{Grant, Known, generate_key, hash_key};
use crate::mqtt::{LONGEST_WAIT, database_away};
use crate::store::device::{self as store, After, Filter, Sort};
use crate::store::{alarm_rule, key, problem};
use crate::{Devices, channel, input};

/// Most devices on a page.
pub const MAX_PAGE: i64 = 200;

/// Most problems shown of a device.
const SHOWN_PROBLEMS: i64 = 200;

/// Which devices to list.
#[derive(Debug, Clone, Default)]
pub struct DeviceQuery {
    /// Part of name, hardware id, type, location or id.
    pub search: Option<String>,
    pub status: Option<DeviceStatus>,
    pub connection: Option<Connection>,
    /// Only this person's; of no effect for those who see only their own.
    pub owner: Option<UserId>,
    pub sort: Sort,
    pub cursor: Option<String>,
    pub limit: Option<i64>,
}

/// How many devices the actor sees, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceCounts {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    pub never: i64,
    pub active: i64,
    pub inactive: i64,
    pub maintenance: i64,
}

/// A device that proved itself with its key.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    pub device: Arc<Known>,
    pub grant: Grant,
}

/// A device registered in a transaction, to be told after the commit.
#[must_use = "announce it after the commit"]
pub struct RegisteredDevice {
    pub made: DeviceWithKey,
    record: AuditRecord,
}

fn not_found() -> Error {
    Error::not_found("device_not_found", "Device not found")
}

pub(crate) fn clash(what: &str) -> Error {
    match what {
        "hardware_id" => {
            Error::conflict("hardware_id_taken", "Another device of the organisation has this hardware id")
        }
        _ => Error::conflict("device_name_taken", "Device name already exists"),
    }
}

impl Devices {
    /// Registers a device of the actor's own. Needs `RegisterDevices`.
    ///
    /// # Errors
    /// Invalid fields, a name or hardware id in use, or as many devices as one person may have.
    pub async fn register(&self, actor: &Actor, new: NewDevice) -> Result<DeviceWithKey> {
        actor.require(Permission::RegisterDevices)?;
        let owner = actor.user_id().ok_or_else(|| {
            Error::forbidden("needs_a_person", "A device belongs to a person: sign in to register it.")
        })?;
        self.register_for(actor, owner, new).await
    }

    /// As [`Devices::register`], for another person of the organisation. Needs `ManageAllDevices` unless it is oneself.
    ///
    /// # Errors
    /// As [`Devices::register`], and when there is no such person.
    pub async fn register_for(&self, actor: &Actor, owner: UserId, new: NewDevice) -> Result<DeviceWithKey> {
        let mut tx = self.0.platform.db.begin().await?;
        let registered = self.register_in(&mut tx, actor, owner, new).await?;
        tx.commit().await?;
        Ok(self.announce_registered(actor, registered).await)
    }

    /// As [`Devices::register_for`], in the caller's transaction; announce it after the commit.
    ///
    /// # Errors
    /// As [`Devices::register_for`].
    pub async fn register_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        owner: UserId,
        new: NewDevice,
    ) -> Result<RegisteredDevice> {
        if actor.user_id() != Some(owner) {
            actor.require(Permission::ManageAllDevices)?;
        }
        let platform = &self.0.platform;
        let new = input::new_device(new, platform.config.devices.heartbeat_interval_s)?;
        let now = platform.clock.now();
        let api_key = generate_key();
        let (owner_name, _) = store::find_owner(tx, actor.organization, owner)
            .await?
            .ok_or_else(|| Error::not_found("user_not_found", "There is no such person"))?;
        let most = platform.config.devices.max_devices_per_user;
        if store::count_of_owner(tx, actor.organization, owner).await? >= most {
            return Err(Error::conflict("too_many_devices", format!("A person may have at most {most} devices")));
        }
        let device = Device {
            id: DeviceId::generate(),
            name: new.name,
            hardware_id: new.hardware_id,
            device_type: new.device_type,
            description: new.description,
            location: new.location,
            firmware_version: new.firmware_version,
            hardware_version: new.hardware_version,
            metadata: new.metadata.unwrap_or_default(),
            status: DeviceStatus::Active,
            connection: Connection::Never,
            issue: String::new(),
            battery_percent: None,
            rssi_dbm: None,
            heartbeat_interval_s: new.heartbeat_interval_s.unwrap_or(platform.config.devices.heartbeat_interval_s),
            last_seen_at: None,
            owner_id: owner,
            owner_name,
            created_at: now,
            updated_at: now,
        };
        if let Some(what) = store::find_clash(tx, actor.organization, &device).await? {
            return Err(clash(what));
        }
        store::insert(tx, actor.organization, &device).await?;
        key::insert(tx, actor.organization, device.id, &hash_key(api_key.as_bytes()), now).await?;
        let entry = Entry::success("device.registered").target("device", device.id);
        let details = json!({"name": device.name, "device_type": device.device_type, "owner": owner.to_string()});
        let record = platform.audit.append(tx, actor, entry.details(details)).await?;
        Ok(RegisteredDevice { made: DeviceWithKey { device, api_key }, record })
    }

    /// Tells of a device whose registration is committed.
    pub async fn announce_registered(&self, actor: &Actor, registered: RegisteredDevice) -> DeviceWithKey {
        let RegisteredDevice { made, record } = registered;
        self.0.directory.forget(made.device.id).await;
        self.announce_change(actor.organization, &made.device, record);
        made
    }

    /// The devices the actor may see: all with `ReadAllDevices`, else his own.
    ///
    /// # Errors
    /// A cursor that is none of ours.
    pub async fn list(&self, actor: &Actor, query: DeviceQuery) -> Result<Page<Device>> {
        let limit = query.limit.unwrap_or(50).clamp(1, MAX_PAGE);
        let filter = Filter {
            owner: visible_owner(actor, query.owner)?,
            search: query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
            status: query.status,
            connection: query.connection,
            sort: query.sort,
            after: query.cursor.as_deref().map(|cursor| read_cursor(cursor, query.sort)).transpose()?,
            limit: limit + 1,
            offset: 0,
        };
        let mut tx = self.0.platform.db.read().await?;
        let items = store::list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |device| write_cursor(device, query.sort)))
    }

    /// As [`Devices::list`], by offset: how the old interface pages.
    pub(crate) async fn list_by_offset(
        &self,
        actor: &Actor,
        owner: Option<UserId>,
        status: Option<DeviceStatus>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Device>> {
        let owner = visible_owner(actor, owner)?;
        let filter = Filter { owner, status, limit, offset, sort: Sort::Created, ..Filter::default() };
        let mut tx = self.0.platform.db.read().await?;
        store::list(&mut tx, actor.organization, &filter).await
    }

    /// # Errors
    /// Not found, also when the actor may not know of it.
    pub async fn get(&self, actor: &Actor, id: DeviceId) -> Result<Device> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await
    }

    /// The id that a path names: ours, or the device's own hardware id.
    ///
    /// # Errors
    /// Not found.
    pub async fn resolve(&self, organization: OrganizationId, text: &str) -> Result<DeviceId> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let mut tx = self.0.platform.db.read().await?;
        store::find_id_by_hardware_id(&mut tx, organization, text).await?.ok_or_else(not_found)
    }

    /// Changes what people decide about a device. Needs to be its owner or `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, forbidden, invalid fields, or a name in use.
    pub async fn update(&self, actor: &Actor, id: DeviceId, change: DeviceChange) -> Result<Device> {
        self.update_as(actor, id, change, false).await
    }

    /// `by_itself`: the device may do so, because the caller lets it change only what is its own.
    pub(crate) async fn update_as(
        &self,
        actor: &Actor,
        id: DeviceId,
        change: DeviceChange,
        by_itself: bool,
    ) -> Result<Device> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let before = if by_itself {
            self.find_visible(&mut tx, actor, id).await?
        } else {
            self.find_changeable(&mut tx, actor, id).await?
        };
        let (status_before, type_before) = (before.status, before.device_type.clone());
        let changed_fields = names_of(&change);
        let mut device = input::changed(before, change)?;
        device.updated_at = platform.clock.now();
        if let Some(what) = store::find_clash(&mut tx, actor.organization, &device).await? {
            return Err(clash(what));
        }
        if device.status != status_before || device.device_type != type_before {
            alarm_rule::scope_changed(&mut tx, actor.organization).await?;
        }
        store::update(&mut tx, actor.organization, &device).await?;
        let entry = Entry::success("device.changed").target("device", id);
        let details = json!({"fields": changed_fields, "status": device.status, "status_before": status_before});
        let record = platform.audit.append(&mut tx, actor, entry.details(details)).await?;
        tx.commit().await?;
        self.0.directory.forget(id).await;
        if device.status != DeviceStatus::Active && status_before == DeviceStatus::Active {
            self.end_session(id);
        }
        self.announce_change(actor.organization, &device, record);
        self.0.observers.changed(actor.organization, id);
        Ok(device)
    }

    /// Gives the device a new key. The old one works on for the configured overlap. Needs to be its owner or
    /// `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn rotate_key(&self, actor: &Actor, id: DeviceId) -> Result<DeviceWithKey> {
        let overlap_s = self.0.platform.config.devices.key_overlap_s;
        self.rotate_key_with_overlap(actor, id, overlap_s).await
    }

    /// As [`Devices::rotate_key`]; the old key works on for `overlap_s` seconds (at most 30 days). With 0 it ends at
    /// once, and the device's MQTT session with it.
    ///
    /// # Errors
    /// Not found, forbidden, or an overlap out of range.
    pub async fn rotate_key_with_overlap(&self, actor: &Actor, id: DeviceId, overlap_s: i64) -> Result<DeviceWithKey> {
        if !(0..=30 * 86_400).contains(&overlap_s) {
            return Err(Error::field("overlap_s", "0 to 2592000 seconds"));
        }
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let api_key = generate_key();
        let mut tx = platform.db.begin().await?;
        let device = self.find_changeable(&mut tx, actor, id).await?;
        if overlap_s == 0 {
            key::delete_all(&mut tx, actor.organization, id).await?;
        } else {
            key::expire_all(&mut tx, actor.organization, id, now.plus_secs(overlap_s)).await?;
        }
        key::insert(&mut tx, actor.organization, id, &hash_key(api_key.as_bytes()), now).await?;
        let entry = Entry::success("device.key_rotated").target("device", id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"overlap_s": overlap_s}))).await?;
        tx.commit().await?;
        self.0.directory.forget(id).await;
        if overlap_s == 0 {
            self.end_session(id);
        }
        self.announce_audit(actor.organization, record);
        Ok(DeviceWithKey { device, api_key })
    }

    /// Takes all keys away: the device is refused, and its live session ends, until its key is rotated.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn revoke_keys(&self, actor: &Actor, id: DeviceId) -> Result<()> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        self.find_changeable(&mut tx, actor, id).await?;
        key::delete_all(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("device.keys_revoked").target("device", id);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.0.directory.forget(id).await;
        self.end_session(id);
        self.announce_audit(actor.organization, record);
        Ok(())
    }

    /// Removes the device and, in small batches afterwards, all that it measured. Needs to be its owner or
    /// `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found or forbidden.
    pub async fn delete(&self, actor: &Actor, id: DeviceId) -> Result<Device> {
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let device = self.find_changeable(&mut tx, actor, id).await?;
        store::mark_deleted(&mut tx, actor.organization, id, platform.clock.now()).await?;
        self.forget_desired(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("device.deleted").target("device", id);
        let record = platform.audit.append(&mut tx, actor, entry.details(json!({"name": device.name}))).await?;
        let after = self.0.observers.deleted(&mut tx, actor, id).await?;
        tx.commit().await?;
        after.into_iter().for_each(|tell| tell());
        self.0.directory.forget(id).await;
        self.0.presence.went_offline(id);
        self.end_session(id);
        let event = Event::DeviceDeleted { id };
        platform.hub.publish(channel::about(actor.organization, device.owner_id, id, event));
        self.announce_audit(actor.organization, record);
        Ok(device)
    }

    /// Its bad payloads, newest first.
    ///
    /// # Errors
    /// Not found.
    pub async fn problems(&self, actor: &Actor, id: DeviceId) -> Result<Vec<DeviceProblem>> {
        let mut tx = self.0.platform.db.read().await?;
        self.find_visible(&mut tx, actor, id).await?;
        problem::list(&mut tx, actor.organization, id, SHOWN_PROBLEMS).await
    }

    /// How many devices the actor sees, by state.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn counts(&self, actor: &Actor) -> Result<DeviceCounts> {
        let owner = visible_owner(actor, None)?;
        let mut tx = self.0.platform.db.read().await?;
        let mut counts = DeviceCounts::default();
        for (status, connection, count) in store::counts(&mut tx, actor.organization, owner).await? {
            counts.total += count;
            match Connection::parse(&connection) {
                Some(Connection::Online) => counts.online += count,
                Some(Connection::Offline) => counts.offline += count,
                Some(Connection::Never) | None => counts.never += count,
            }
            match DeviceStatus::parse(&status) {
                Some(DeviceStatus::Active) => counts.active += count,
                Some(DeviceStatus::Inactive) => counts.inactive += count,
                Some(DeviceStatus::Maintenance) | None => counts.maintenance += count,
            }
        }
        Ok(counts)
    }

    /// How many devices that the actor sees are in use and connected.
    pub(crate) async fn count_active_online(&self, actor: &Actor) -> Result<i64> {
        let owner = visible_owner(actor, None)?;
        let mut tx = self.0.platform.db.read().await?;
        let counts = store::counts(&mut tx, actor.organization, owner).await?;
        let online = counts.iter().filter(|(status, connection, _)| {
            status == DeviceStatus::Active.as_str() && connection == Connection::Online.as_str()
        });
        Ok(online.map(|(_, _, count)| count).sum())
    }

    /// The device that a key belongs to, whatever its status; `None` for a wrong, expired or revoked key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn authenticate_key(&self, api_key: &str) -> Result<Option<DeviceLogin>> {
        let now = self.0.platform.clock.now();
        let Some(grant) = self.0.directory.find_key(api_key.as_bytes(), now).await? else { return Ok(None) };
        let Some(device) = self.0.directory.find(grant.device).await? else { return Ok(None) };
        self.0.presence.key_used(grant.key, now);
        Ok(Some(DeviceLogin { device, grant }))
    }

    /// The device says that it is there; done when that is stored.
    ///
    /// # Errors
    /// Unavailable, when the database is away or the server ends before.
    pub async fn heartbeat(&self, device: &Arc<Known>) -> Result<Timestamp> {
        let now = self.0.platform.clock.now();
        let report = portico_model::devices::StatusReport { online: true, ..Default::default() };
        let stored = self.0.presence.reported(device, now, report);
        match tokio::time::timeout(LONGEST_WAIT, stored).await {
            Ok(Ok(())) => Ok(now),
            Ok(Err(_)) => Err(Error::unavailable("shutting_down", "The server is ending; send again.")),
            Err(_) => Err(database_away()),
        }
    }

    /// The owner's name and e-mail address, for those who see the device.
    pub(crate) async fn owner_of(
        &self,
        organization: OrganizationId,
        owner: UserId,
    ) -> Result<Option<(String, String)>> {
        let mut tx = self.0.platform.db.read().await?;
        store::find_owner(&mut tx, organization, owner).await
    }

    /// A device of the organisation, whoever asks: the caller, a domain above, has made sure that he may.
    ///
    /// # Errors
    /// Not found.
    pub async fn find_in(&self, tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Device> {
        store::find(tx, organization, id).await?.ok_or_else(not_found)
    }

    /// The device, if the actor may know of it.
    pub(crate) async fn find_visible(&self, tx: &mut Tx, actor: &Actor, id: DeviceId) -> Result<Device> {
        let device = store::find(tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let own = match &actor.principal {
            Principal::User { id, .. } => device.owner_id == *id,
            Principal::Device { id } => device.id == *id,
            Principal::Service { .. } | Principal::Guest => false,
            Principal::AdminToken | Principal::System => true,
        };
        if own || actor.may(Permission::ReadAllDevices) { Ok(device) } else { Err(not_found()) }
    }

    /// The device, if the actor may change it: its owner, or with `ManageAllDevices`.
    ///
    /// # Errors
    /// Not found, also when the actor may not know of it; forbidden.
    pub async fn find_changeable(&self, tx: &mut Tx, actor: &Actor, id: DeviceId) -> Result<Device> {
        let device = self.find_visible(tx, actor, id).await?;
        if actor.user_id() == Some(device.owner_id) || actor.may(Permission::ManageAllDevices) {
            Ok(device)
        } else {
            Err(Error::forbidden("not_permitted", "You may see this device but not change it."))
        }
    }

    pub(crate) fn announce_change(&self, organization: OrganizationId, device: &Device, record: AuditRecord) {
        let event = Event::DeviceChanged { device: device.clone() };
        self.0.platform.hub.publish(channel::about(organization, device.owner_id, device.id, event));
        self.announce_audit(organization, record);
    }

    pub(crate) fn announce_audit(&self, organization: OrganizationId, record: AuditRecord) {
        self.0.platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
    }
}

/// Whose devices a list shows: those asked for, but never more than the actor may see.
pub(crate) fn visible_owner(actor: &Actor, asked: Option<UserId>) -> Result<Option<UserId>> {
    if actor.may(Permission::ReadAllDevices) {
        return Ok(asked);
    }
    actor.user_id().map(Some).ok_or_else(|| Error::forbidden("not_permitted", "This key sees no list of devices."))
}

fn names_of(change: &DeviceChange) -> Vec<&'static str> {
    [
        ("name", change.name.is_some()),
        ("device_type", change.device_type.is_some()),
        ("description", change.description.is_some()),
        ("location", change.location.is_some()),
        ("firmware_version", change.firmware_version.is_some()),
        ("hardware_version", change.hardware_version.is_some()),
        ("metadata", change.metadata.is_some()),
        ("heartbeat_interval_s", change.heartbeat_interval_s.is_some()),
        ("status", change.status.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_changed)| is_changed.then_some(name))
    .collect()
}

/// A cursor names the last device of a page: its id, then what the list is sorted by.
fn write_cursor(device: &Device, sort: Sort) -> String {
    match sort {
        Sort::Name => {
            let hex: String = device.name.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("{}{hex}", device.id)
        }
        Sort::Created => format!("{}{}", device.id, device.created_at.millis()),
    }
}

fn read_cursor(cursor: &str, sort: Sort) -> Result<After> {
    let read = || {
        let (id, rest) = cursor.split_at_checked(32)?;
        let id: DeviceId = id.parse().ok()?;
        Some(match sort {
            Sort::Name => {
                let bytes: Option<Vec<u8>> = rest
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                    .collect();
                After::Name(String::from_utf8(bytes?).ok()?, id)
            }
            Sort::Created => After::Created(Timestamp::from_millis(rest.parse().ok()?), id),
        })
    };
    read().ok_or_else(|| Error::invalid("bad_cursor", "The cursor is none of this list."))
}
