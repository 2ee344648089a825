//! Groups of doors, which policies and modes name together, and zones, which anti-passback watches.

use portico_devices::Check;
use portico_model::access::door::{
    DoorGroup, DoorGroupSettings, MAX_ZONE_DEPTH, PassbackRule, Zone, ZonePlace, ZoneSettings, zones_around,
};
use portico_model::identity::Permission;
use portico_model::{DoorGroupId, DoorId, ZoneId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use super::areas as store;
use super::input::{WEEK_S, within};
use super::passback;
use crate::{Access, version};

/// Most groups, and most zones, of an organisation.
const MAX_AREAS: i64 = 500;

/// Most doors of a group.
const MAX_MEMBERS: usize = 2_000;

fn no_group() -> Error {
    Error::not_found("door_group_not_found", "There is no such group of doors")
}

fn no_zone() -> Error {
    Error::not_found("zone_not_found", "There is no such zone")
}

fn name_taken() -> Error {
    Error::conflict("name_taken", "There is one of this name already.")
}

impl Access {
    /// All groups of doors, by name. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn door_groups(&self, actor: &Actor) -> Result<Vec<DoorGroup>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::groups(&mut tx, actor.organization, None).await
    }

    /// Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn door_group(&self, actor: &Actor, id: DoorGroupId) -> Result<DoorGroup> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::groups(&mut tx, actor.organization, Some(id)).await?.into_iter().next().ok_or_else(no_group)
    }

    /// Makes a group, or gives one (`id`) these settings. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn save_door_group(
        &self,
        actor: &Actor,
        id: Option<DoorGroupId>,
        settings: DoorGroupSettings,
    ) -> Result<DoorGroup> {
        actor.require(Permission::ManageAccess)?;
        let mut check = Check::default();
        let name = check.required("name", &settings.name, 100);
        let description = check.text("description", &settings.description, 1_000);
        let mut doors = settings.door_ids;
        doors.sort_unstable();
        doors.dedup();
        if doors.len() > MAX_MEMBERS {
            check.problem("door_ids", format!("at most {MAX_MEMBERS} doors"));
        }
        check.done(())?;
        let platform = &self.0.platform;
        let organization = actor.organization;
        let mut tx = platform.db.begin().await?;
        let known = store::groups(&mut tx, organization, None).await?;
        if id.is_some_and(|id| known.iter().all(|group| group.id != id)) {
            return Err(no_group());
        }
        if known.iter().any(|group| group.name == name && Some(group.id) != id) {
            return Err(name_taken());
        }
        if id.is_none() && i64::try_from(known.len()).is_ok_and(|count| count >= MAX_AREAS) {
            return Err(Error::conflict("too_many_groups", format!("There may be at most {MAX_AREAS} groups.")));
        }
        let known_doors = store::door_ids(&mut tx, organization).await?;
        if doors.iter().any(|door| known_doors.binary_search(door).is_err()) {
            return Err(Error::field("door_ids", "There is no such door"));
        }
        let (group, entry) = match id {
            Some(id) => (id, Entry::success("door_group.changed")),
            None => (DoorGroupId::generate(), Entry::success("door_group.created")),
        };
        let now = platform.clock.now();
        store::save_group(&mut tx, organization, group, &name, &description, now).await?;
        store::set_members(&mut tx, organization, group, &doors).await?;
        version::bump(&mut tx, organization).await?;
        let details = json!({"name": name, "doors": doors.len()});
        let found = store::groups(&mut tx, organization, Some(group)).await?.into_iter().next().ok_or_else(no_group)?;
        self.area_changed(tx, actor, entry.target("door_group", group).details(details)).await?;
        Ok(found)
    }

    /// Dissolves a group; the policies that name it go with it. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn delete_door_group(&self, actor: &Actor, id: DoorGroupId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let organization = actor.organization;
        let mut tx = self.0.platform.db.begin().await?;
        if !store::delete_group(&mut tx, organization, id).await? {
            return Err(no_group());
        }
        version::bump(&mut tx, organization).await?;
        self.area_changed(tx, actor, Entry::success("door_group.deleted").target("door_group", id)).await?;
        self.announce_policies_only(organization);
        Ok(())
    }

    /// All zones, by name, with how many people seem to be inside. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn zones(&self, actor: &Actor) -> Result<Vec<Zone>> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::zones(&mut tx, actor.organization).await
    }

    /// Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn zone(&self, actor: &Actor, id: ZoneId) -> Result<Zone> {
        let zones = self.zones(actor).await?;
        zones.into_iter().find(|zone| zone.id == id).ok_or_else(no_zone)
    }

    /// Makes a zone, or gives one (`id`) these settings. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn save_zone(&self, actor: &Actor, id: Option<ZoneId>, settings: ZoneSettings) -> Result<Zone> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let organization = actor.organization;
        let mut check = Check::default();
        let name = check.required("name", &settings.name, 100);
        let reset_after_s = settings.reset_after_s.map(|seconds| within(&mut check, "reset_after_s", seconds, WEEK_S));
        check.done(())?;
        let mut tx = platform.db.begin().await?;
        let known = store::zones(&mut tx, organization).await?;
        let before = known.iter().find(|zone| Some(zone.id) == id);
        if id.is_some() && before.is_none() {
            return Err(no_zone());
        }
        if known.iter().any(|zone| zone.name == name && Some(zone.id) != id) {
            return Err(name_taken());
        }
        if id.is_none() && i64::try_from(known.len()).is_ok_and(|count| count >= MAX_AREAS) {
            return Err(Error::conflict("too_many_zones", format!("There may be at most {MAX_AREAS} zones.")));
        }
        let zone = Zone {
            id: id.unwrap_or_else(ZoneId::generate),
            parent_id: settings.parent_id,
            name,
            passback: settings.passback.unwrap_or(PassbackRule::Off),
            reset_after_s,
            people: before.map_or(0, |zone| zone.people),
            created_at: before.map_or_else(|| platform.clock.now(), |zone| zone.created_at),
        };
        check_parent(&known, &zone)?;
        store::save_zone(&mut tx, organization, &zone).await?;
        let action = if before.is_some() { "zone.changed" } else { "zone.created" };
        let entry = Entry::success(action).target("zone", zone.id).details(json!({"name": zone.name}));
        self.area_changed(tx, actor, entry).await?;
        Ok(zone)
    }

    /// Removes a zone; those in it lie in what it lay in, and its doors lead nowhere. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn delete_zone(&self, actor: &Actor, id: ZoneId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let organization = actor.organization;
        let mut tx = self.0.platform.db.begin().await?;
        if !store::delete_zone(&mut tx, organization, id).await? {
            return Err(no_zone());
        }
        self.area_changed(tx, actor, Entry::success("zone.deleted").target("zone", id)).await
    }

    /// Forgets who is inside. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn reset_zone(&self, actor: &Actor, id: ZoneId) -> Result<u64> {
        actor.require(Permission::ManageAccess)?;
        let organization = actor.organization;
        let mut tx = self.0.platform.db.begin().await?;
        if store::zones(&mut tx, organization).await?.iter().all(|zone| zone.id != id) {
            return Err(no_zone());
        }
        let people = passback::forget_zone(&mut tx, organization, id).await?;
        let entry = Entry::success("zone.passback_reset").target("zone", id).details(json!({"people": people}));
        self.area_changed(tx, actor, entry).await?;
        Ok(people)
    }

    /// Audit, commit and news of a change of groups, zones or plans.
    pub(super) async fn area_changed(&self, mut tx: Tx, actor: &Actor, entry: Entry) -> Result<()> {
        let record = self.0.platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.announce_audit(actor.organization, record);
        self.announce_areas(actor.organization);
        Ok(())
    }
}

/// A zone lies in no zone that lies in it, and not too deep.
fn check_parent(known: &[Zone], zone: &Zone) -> Result<()> {
    let Some(parent) = zone.parent_id else { return Ok(()) };
    if known.iter().all(|other| other.id != parent) {
        return Err(Error::field("parent_id", "There is no such zone"));
    }
    let places: Vec<ZonePlace> = known.iter().map(|zone| ZonePlace { id: zone.id, parent: zone.parent_id }).collect();
    let around = zones_around(&places, Some(parent));
    if parent == zone.id || around.contains(&zone.id) {
        return Err(Error::field("parent_id", "A zone cannot lie in itself."));
    }
    if around.len() + 1 >= MAX_ZONE_DEPTH {
        return Err(Error::field("parent_id", format!("Zones lie at most {MAX_ZONE_DEPTH} deep in each other.")));
    }
    Ok(())
}

/// The doors in their order, for looking up.
pub(super) fn sorted(mut doors: Vec<DoorId>) -> Vec<DoorId> {
    doors.sort_unstable();
    doors
}
