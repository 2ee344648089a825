//! Lots and their levels.

mod input;
pub(crate) mod rest;
pub(crate) mod store;

use portico_model::identity::Permission;
use portico_model::parking::lot::{Level, LevelSettings, Lot, LotSettings, distance_m};
use portico_model::{LotId, ParkingLevelId};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::memory::Held;
use crate::reservations::store::{Active, count_active};
use crate::{Parking, version};

/// Most lots of an organisation.
pub const MAX_LOTS: usize = 200;

/// Most levels of a lot.
pub const MAX_LEVELS: usize = 50;

/// Which lots to list.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LotQuery {
    /// Nearest first, from here: degrees north and east.
    pub near: Option<(f64, f64)>,
    /// Not further away, metres.
    pub within_m: Option<f64>,
}

pub(crate) fn lot_not_found() -> Error {
    Error::not_found("lot_not_found", "There is no such lot")
}

pub(crate) fn level_not_found() -> Error {
    Error::not_found("level_not_found", "There is no such level")
}

/// Nobody has a spot there any more.
pub(crate) async fn nobody_has(tx: &mut Tx, actor: &Actor, spots: Active) -> Result<()> {
    let count = count_active(tx, actor.organization, spots).await?;
    if count == 0 {
        return Ok(());
    }
    let text = format!("{count} reservations are still to come or under way here: cancel or move them first.");
    Err(Error::conflict("in_use", text))
}

/// A level that is not stored yet.
pub(crate) fn new_level(lot: LotId, settings: LevelSettings) -> Result<Level> {
    input::level(ParkingLevelId::generate(), lot, settings)
}

impl Held {
    /// With its counts.
    fn shown_lot(&self, lot: &Lot, now: portico_model::Timestamp) -> Lot {
        let spots = self.spots.iter().filter(|spot| spot.lot_id == lot.id);
        Lot { counts: self.count(spots, now), ..lot.clone() }
    }
}

impl Parking {
    /// Lots, by name or by distance. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields.
    pub async fn lots(&self, actor: &Actor, query: LotQuery) -> Result<Vec<Lot>> {
        actor.require(Permission::UseParking)?;
        if let Some((latitude, longitude)) = query.near
            && !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0)
        {
            return Err(Error::field("latitude", "-90 to 90, and -180 to 180 for the longitude."));
        }
        let (held, now) = (self.held(actor.organization).await?, self.0.platform.clock.now());
        let mut lots: Vec<Lot> = held.lots.iter().map(|lot| held.shown_lot(lot, now)).collect();
        if let Some(near) = query.near {
            for lot in &mut lots {
                lot.distance_m = lot.latitude.zip(lot.longitude).map(|place| distance_m(near, place).round());
            }
            lots.retain(|lot| query.within_m.is_none_or(|most| lot.distance_m.is_some_and(|far| far <= most)));
            // Whose place is not known comes last.
            let far = |lot: &Lot| lot.distance_m.unwrap_or(f64::INFINITY);
            lots.sort_by(|one, other| far(one).total_cmp(&far(other)));
        }
        Ok(lots)
    }

    /// Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn lot(&self, actor: &Actor, id: LotId) -> Result<Lot> {
        actor.require(Permission::UseParking)?;
        let held = self.held(actor.organization).await?;
        held.lot(id).map(|lot| held.shown_lot(lot, self.0.platform.clock.now())).ok_or_else(lot_not_found)
    }

    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields; conflict when the name is in use or there are too many.
    pub async fn create_lot(&self, actor: &Actor, settings: LotSettings) -> Result<Lot> {
        actor.require(Permission::ManageParking)?;
        let lot = input::new_lot(settings, self.0.platform.clock.now())?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let known = store::list(&mut tx, actor.organization).await?;
        if known.len() >= MAX_LOTS {
            return Err(Error::conflict("too_many_lots", format!("There may be at most {MAX_LOTS} lots.")));
        }
        let entry = Entry::success("parking_lot.created");
        self.save_lot(tx, actor, &known, &lot, entry).await
    }

    /// All its settings: what is absent goes back to its default. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn update_lot(&self, actor: &Actor, id: LotId, settings: LotSettings) -> Result<Lot> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let known = store::list(&mut tx, actor.organization).await?;
        let before = known.iter().find(|lot| lot.id == id).cloned().ok_or_else(lot_not_found)?;
        let lot = input::changed_lot(before, settings, self.0.platform.clock.now())?;
        self.save_lot(tx, actor, &known, &lot, Entry::success("parking_lot.changed")).await
    }

    async fn save_lot(&self, mut tx: Tx, actor: &Actor, known: &[Lot], lot: &Lot, entry: Entry) -> Result<Lot> {
        if known.iter().any(|other| other.name == lot.name && other.id != lot.id) {
            return Err(Error::conflict("name_taken", "There is a lot of this name already."));
        }
        self.check_tariff(&mut tx, actor, lot.tariff_id).await?;
        if let Some(gate) = lot.gate_door_id
            && !self.0.access.has_door(&mut tx, actor.organization, gate).await?
        {
            return Err(Error::field("gate_door_id", "There is no such door"));
        }
        store::save(&mut tx, actor.organization, lot).await?;
        let entry = entry.target("parking_lot", lot.id).details(json!({"name": lot.name}));
        self.commit_and_announce(tx, actor, entry).await?;
        self.lot(actor, lot.id).await
    }

    /// With its levels and spots; what was measured and reserved there stays in the records. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while somebody has a spot there.
    pub async fn delete_lot(&self, actor: &Actor, id: LotId) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let lot = store::find(&mut tx, actor.organization, id).await?.ok_or_else(lot_not_found)?;
        nobody_has(&mut tx, actor, Active::Lot(id)).await?;
        store::delete(&mut tx, actor.organization, id).await?;
        let entry = Entry::success("parking_lot.deleted").target("parking_lot", id).details(json!({"name": lot.name}));
        self.commit_and_announce(tx, actor, entry).await
    }

    /// The levels of a lot, by position. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn levels(&self, actor: &Actor, lot: LotId) -> Result<Vec<Level>> {
        actor.require(Permission::UseParking)?;
        let (held, now) = (self.held(actor.organization).await?, self.0.platform.clock.now());
        held.lot(lot).ok_or_else(lot_not_found)?;
        let shown = |level: &Level| {
            let spots = held.spots.iter().filter(|spot| spot.level_id == level.id);
            Level { counts: held.count(spots, now), ..level.clone() }
        };
        Ok(held.levels.iter().filter(|level| level.lot_id == lot).map(shown).collect())
    }

    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use or there are too many.
    pub async fn create_level(&self, actor: &Actor, lot: LotId, settings: LevelSettings) -> Result<Level> {
        actor.require(Permission::ManageParking)?;
        let level = new_level(lot, settings)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        store::find(&mut tx, actor.organization, lot).await?.ok_or_else(lot_not_found)?;
        self.save_level(tx, actor, level, Entry::success("parking_level.created")).await
    }

    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the name is in use.
    pub async fn update_level(&self, actor: &Actor, id: ParkingLevelId, settings: LevelSettings) -> Result<Level> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let known = store::levels(&mut tx, actor.organization).await?;
        let before = known.iter().find(|level| level.id == id).ok_or_else(level_not_found)?;
        let level = input::level(id, before.lot_id, settings)?;
        self.save_level(tx, actor, level, Entry::success("parking_level.changed")).await
    }

    async fn save_level(&self, mut tx: Tx, actor: &Actor, level: Level, entry: Entry) -> Result<Level> {
        let known = store::levels(&mut tx, actor.organization).await?;
        let of_lot: Vec<&Level> =
            known.iter().filter(|other| other.lot_id == level.lot_id && other.id != level.id).collect();
        if of_lot.iter().any(|other| other.name == level.name) {
            return Err(Error::conflict("name_taken", "The lot has a level of this name already."));
        }
        if of_lot.len() >= MAX_LEVELS {
            return Err(Error::conflict("too_many_levels", format!("A lot may have at most {MAX_LEVELS} levels.")));
        }
        store::save_level(&mut tx, actor.organization, &level).await?;
        let entry = entry.target("parking_level", level.id).details(json!({"name": level.name}));
        self.commit_and_announce(tx, actor, entry).await?;
        let levels = self.levels(actor, level.lot_id).await?;
        levels.into_iter().find(|shown| shown.id == level.id).ok_or_else(level_not_found)
    }

    /// With its spots. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found; conflict while somebody has a spot there.
    pub async fn delete_level(&self, actor: &Actor, id: ParkingLevelId) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let mut tx = self.0.platform.db.begin().await?;
        version::next_whole(&mut tx, actor.organization).await?;
        nobody_has(&mut tx, actor, Active::Level(id)).await?;
        if !store::delete_level(&mut tx, actor.organization, id).await? {
            return Err(level_not_found());
        }
        let entry = Entry::success("parking_level.deleted").target("parking_level", id);
        self.commit_and_announce(tx, actor, entry).await
    }
}
