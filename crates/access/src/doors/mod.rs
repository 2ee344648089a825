//! Doors with their readers: who is let in, whether they stand open, how they work at the moment.

mod announce;
mod areas;
mod asked;
mod check;
mod compat;
mod contact;
mod groups;
mod input;
mod jobs;
mod mode;
mod passback;
mod picture;
mod plans;
pub(crate) mod rest;
mod rest_areas;
mod rest_plans;
mod rights;
mod store;
mod wire;

use portico_model::access::DoorMode;
use portico_model::access::door::{Door, DoorCounts, DoorSettings, DoorState};
use portico_model::identity::Permission;
use portico_model::{DeviceId, DoorGroupId, DoorId, OrganizationId, Page, PlanId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{Access, version};

pub(crate) use announce::{door as door_channel, doors as doors_channel};
pub(crate) use asked::Asked;
pub use check::{Ask, AskedBy};
pub(crate) use jobs::spawn;
pub use rights::{DoorRight, DoorRights};

/// Most doors of an organisation.
pub const MAX_DOORS: i64 = 5_000;

/// Most doors on a page.
pub const MAX_PAGE: i64 = 500;

/// Longest text of a search, characters.
const MAX_SEARCH_CHARS: usize = 100;

/// Which doors to list.
#[derive(Debug, Clone, Default)]
pub struct DoorQuery {
    /// Part of the name or location.
    pub search: Option<String>,
    pub mode: Option<DoorMode>,
    pub group: Option<DoorGroupId>,
    pub plan: Option<PlanId>,
    pub cursor: Option<String>,
    /// 1 to 500; absent: 100.
    pub limit: Option<i64>,
}

fn not_found() -> Error {
    Error::not_found("door_not_found", "There is no such door")
}

/// The routes of this part.
pub(crate) fn routes() -> OpenApiRouter<Access> {
    OpenApiRouter::new()
        .routes(routes!(rest::list, rest::create))
        .routes(routes!(rest::counts))
        .routes(routes!(rest::order))
        .routes(routes!(rest::get, rest::update, rest::delete))
        .routes(routes!(rest::open))
        .routes(routes!(rest::mode))
        .routes(routes!(rest::place))
        .routes(routes!(rest::reset_passback))
        .routes(routes!(rest::check))
        .routes(routes!(compat::check_access))
        .routes(routes!(compat::door_state))
        .routes(routes!(compat::users))
        .merge(rest_areas::routes())
        .merge(rest_plans::routes())
}

impl Access {
    /// Doors by name. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden; a cursor that is none of ours.
    pub async fn doors(&self, actor: &Actor, query: DoorQuery) -> Result<Page<Door>> {
        actor.require(Permission::ReadAccess)?;
        let bad_cursor = || Error::invalid("bad_cursor", "The cursor is none of this list.");
        let after = query.cursor.as_deref().map(str::parse::<DoorId>).transpose().map_err(|_| bad_cursor())?;
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_PAGE);
        let mut tx = self.0.platform.db.read().await?;
        if let Some(door) = after {
            store::find(&mut tx, actor.organization, door).await?.ok_or_else(bad_cursor)?;
        }
        let search = query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let filter = store::Filter {
            search: search.map(|text| text.chars().filter(|c| *c != '\0').take(MAX_SEARCH_CHARS).collect()),
            mode: query.mode,
            group: query.group,
            plan: query.plan,
            after,
            limit: limit + 1,
        };
        let items = store::list(&mut tx, actor.organization, &filter).await?;
        Ok(Page::cut(items, limit, |door| door.id.to_string()))
    }

    /// How many doors there are in each mode and state. Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn door_counts(&self, actor: &Actor) -> Result<DoorCounts> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        let mut counts = DoorCounts::default();
        for (mode, state, alarmed, count) in store::counts(&mut tx, actor.organization).await? {
            counts.doors += count;
            match DoorMode::parse(&mode) {
                Some(DoorMode::Lockdown) => counts.lockdown += count,
                Some(DoorMode::Evacuation) => counts.evacuation += count,
                Some(DoorMode::Unlocked) => counts.unlocked += count,
                Some(DoorMode::Normal) | None => {}
            }
            if state == DoorState::Open.as_str() {
                counts.open += count;
            }
            if alarmed {
                counts.alarmed += count;
            }
        }
        Ok(counts)
    }

    /// Permission: `ReadAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn door(&self, actor: &Actor, id: DoorId) -> Result<Door> {
        actor.require(Permission::ReadAccess)?;
        let mut tx = self.0.platform.db.read().await?;
        store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)
    }

    /// For domains above this one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_door(&self, tx: &mut Tx, organization: OrganizationId, id: DoorId) -> Result<bool> {
        Ok(store::find(tx, organization, id).await?.is_some())
    }

    /// Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, invalid fields; conflict when the name or a reader is in use.
    pub async fn create_door(&self, actor: &Actor, settings: DoorSettings) -> Result<Door> {
        actor.require(Permission::ManageAccess)?;
        let door = input::new_door(settings, self.0.platform.clock.now())?;
        let mut tx = self.0.platform.db.begin().await?;
        if store::counts(&mut tx, actor.organization).await?.iter().map(|(_, _, _, count)| count).sum::<i64>()
            >= MAX_DOORS
        {
            return Err(Error::conflict("too_many_doors", format!("There may be at most {MAX_DOORS} doors.")));
        }
        self.check_parts(&mut tx, actor.organization, &door).await?;
        store::insert(&mut tx, actor.organization, &door).await?;
        self.door_changed(tx, actor, door.id, Entry::success("door.created").details(json!({"name": door.name}))).await
    }

    /// Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name or a reader is in use.
    pub async fn update_door(&self, actor: &Actor, id: DoorId, settings: DoorSettings) -> Result<Door> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.begin().await?;
        store::lock(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let before = store::find(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let door = input::changed(before, settings, self.0.platform.clock.now())?;
        self.check_parts(&mut tx, actor.organization, &door).await?;
        store::update_settings(&mut tx, actor.organization, &door).await?;
        self.door_changed(tx, actor, id, Entry::success("door.changed").details(json!({"name": door.name}))).await
    }

    /// With its policies; its devices and what happened at it stay. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn delete_door(&self, actor: &Actor, id: DoorId) -> Result<()> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        let gate = store::lock(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let note = "The door was removed.";
        let subject = id.to_string();
        let cleared = self.0.alarms.clear_subject(&mut tx, actor.organization, "door", &subject, note).await?;
        store::delete(&mut tx, actor.organization, id).await?;
        version::bump(&mut tx, actor.organization).await?;
        let entry = Entry::success("door.deleted").target("door", id).details(json!({"name": gate.name}));
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        tx.commit().await?;
        self.0.alarms.announce(cleared);
        self.announce_audit(actor.organization, record);
        self.announce_door_deleted(actor.organization, id);
        Ok(())
    }

    /// Where a door is on a plan; `None` takes it off. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields.
    pub async fn place_door(&self, actor: &Actor, id: DoorId, place: Option<(PlanId, f64, f64)>) -> Result<Door> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.begin().await?;
        store::lock(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        if let Some((plan, x, y)) = place {
            if !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y) {
                return Err(Error::field("x", "Both x and y are between 0 and 1."));
            }
            if !store::plan_exists(&mut tx, actor.organization, plan).await? {
                return Err(Error::field("plan_id", "There is no such plan"));
            }
        }
        store::set_place(&mut tx, actor.organization, id, place).await?;
        self.door_changed(tx, actor, id, Entry::success("door.placed")).await
    }

    /// Forgets who came in here, so that anti-passback begins anew. Permission: `ManageAccess`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn reset_door_passback(&self, actor: &Actor, id: DoorId) -> Result<u64> {
        actor.require(Permission::ManageAccess)?;
        let mut tx = self.0.platform.db.begin().await?;
        store::lock(&mut tx, actor.organization, id).await?.ok_or_else(not_found)?;
        let people = passback::forget_door(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("door.passback_reset").details(json!({"people": people}));
        self.door_changed(tx, actor, id, entry).await?;
        Ok(people)
    }

    /// Audit, version, commit and news of a change of the door's settings.
    async fn door_changed(&self, mut tx: Tx, actor: &Actor, id: DoorId, entry: Entry) -> Result<Door> {
        let organization = actor.organization;
        version::bump(&mut tx, organization).await?;
        let record = self.0.platform.audit.append(&mut tx, actor, entry.target("door", id)).await?;
        let door = store::find(&mut tx, organization, id).await?.ok_or_else(not_found)?;
        tx.commit().await?;
        self.announce_audit(organization, record);
        self.announce_door(organization, door.clone());
        Ok(door)
    }

    /// That what the door names exists, and is no other door's.
    async fn check_parts(&self, tx: &mut Tx, organization: OrganizationId, door: &Door) -> Result<()> {
        if store::name_is_taken(tx, organization, &door.name, door.id).await? {
            return Err(Error::conflict("door_name_taken", "There is a door of this name already."));
        }
        let devices: [(&str, Option<DeviceId>); 4] = [
            ("reader_id", door.reader_id),
            ("exit_reader_id", door.exit_reader_id),
            ("lock_id", door.lock_id),
            ("contact_id", door.contact_id),
        ];
        for (field, device) in devices {
            let Some(device) = device else { continue };
            self.0
                .devices
                .find_in(tx, organization, device)
                .await
                .map_err(|_| Error::field(field, "There is no such device"))?;
        }
        for reader in [door.reader_id, door.exit_reader_id].into_iter().flatten() {
            if store::reader_is_taken(tx, organization, reader, door.id).await? {
                return Err(Error::conflict("reader_taken", "This reader belongs to another door."));
            }
        }
        for (field, zone) in [("into_zone_id", door.into_zone_id), ("from_zone_id", door.from_zone_id)] {
            if let Some(zone) = zone
                && !store::zone_exists(tx, organization, zone).await?
            {
                return Err(Error::field(field, "There is no such zone"));
            }
        }
        Ok(())
    }
}
