//! Spots.

mod find;
mod import;
mod input;
mod place;
pub(crate) mod rest;
pub(crate) mod store;

use std::sync::Arc;

use portico_model::identity::Permission;
use portico_model::parking::SpotCounts;
use portico_model::parking::sensor::Reading;
use portico_model::parking::spot::{Grid, Placement, Spot, SpotSettings, SpotState};
use portico_model::{OrganizationId, ParkingLevelId, Timestamp};
use portico_platform::audit::Entry;
use portico_platform::{Actor, Error, Result, Tx};
use serde_json::json;

use crate::lots::level_not_found;
use crate::memory::Held;
use crate::reservations::store::Active;
use crate::{Parking, lots, version};

pub use find::SpotQuery;
pub(crate) use import::COLUMNS;
pub use import::Imported;

/// Most spots of an organisation.
pub const MAX_SPOTS: usize = 50_000;

/// Measurements shown with a spot.
const RECENT: i64 = 10;

/// Periods of a spot's history on a page.
const PERIODS: i64 = 100;

pub(crate) fn spot_not_found() -> Error {
    Error::not_found("spot_not_found", "Parking spot not found")
}

/// How a spot was, from when until when.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "from": "2026-11-21T02:00:00.000+00:00", "until": "2026-11-21T03:10:00.000+00:00", "state": "occupied"
}))]
pub struct Period {
    pub from: Timestamp,
    /// Absent: it is so now.
    pub until: Option<Timestamp>,
    pub state: SpotState,
}

impl Parking {
    /// The spots that fit, by what is written on them, and how all that fit are. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden; a cursor that is none of ours.
    pub async fn spots(&self, actor: &Actor, query: &SpotQuery) -> Result<(Vec<Spot>, SpotCounts, Option<String>)> {
        actor.require(Permission::UseParking)?;
        let held = self.held(actor.organization).await?;
        Ok(query.run(&held, self.0.platform.clock.now()))
    }

    /// A spot with its newest measurements. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn spot(&self, actor: &Actor, id: &str) -> Result<(Spot, Vec<Reading>)> {
        actor.require(Permission::UseParking)?;
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let spot = held.find_spot(id).ok_or_else(spot_not_found)?;
        let readings = store::readings(&mut tx, spot.key, RECENT).await?;
        Ok((held.shown(spot, self.0.platform.clock.now()), readings))
    }

    /// How a spot was, the newest first: at most 100 periods before a moment. Permission: `ReadParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn spot_history(&self, actor: &Actor, id: &str, before: Option<Timestamp>) -> Result<Vec<Period>> {
        actor.require(Permission::ReadParking)?;
        let mut tx = self.0.platform.db.read().await?;
        let held = self.held_in(&mut tx, actor.organization).await?;
        let spot = held.find_spot(id).ok_or_else(spot_not_found)?;
        let periods = store::stays(&mut tx, spot.key, before, PERIODS).await?;
        let period = |(from, until, state): (_, _, String)| Period {
            from,
            until,
            state: SpotState::parse(&state).unwrap_or(SpotState::Unknown),
        };
        Ok(periods.into_iter().map(period).collect())
    }

    /// Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields; conflict when the id is in use or there are too many.
    pub async fn create_spot(&self, actor: &Actor, settings: SpotSettings) -> Result<Spot> {
        actor.require(Permission::ManageParking)?;
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        if held.spots.len() >= MAX_SPOTS {
            return Err(too_many());
        }
        let level = input::level_of(&held, &settings)?;
        let standing = held.spots.iter().filter(|spot| spot.level_id == level.id);
        let (place, height_cm) = place::Places::of(level, standing).free(level);
        let spot = input::new_spot(settings, level, place)?;
        if height_cm > level.height_cm {
            let grown = portico_model::parking::lot::Level { height_cm, ..level.clone() };
            lots::store::save_level(&mut tx, actor.organization, &grown).await?;
            version::next_whole(&mut tx, actor.organization).await?;
        }
        self.save_spot(tx, actor, &held, spot, version, Entry::success("parking_spot.created")).await
    }

    /// All its settings: what is absent goes back to its default, but its place. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the id is in use.
    pub async fn update_spot(&self, actor: &Actor, id: &str, settings: SpotSettings) -> Result<Spot> {
        actor.require(Permission::ManageParking)?;
        let (tx, version, held) = self.begin_spots(actor.organization).await?;
        let before = Spot::clone(held.find_spot(id).ok_or_else(spot_not_found)?);
        let level = match (&settings.level_id, &settings.level) {
            (None, None) => held.level(before.level_id).ok_or_else(spot_not_found)?,
            _ => input::level_of(&held, &settings)?,
        };
        let spot = input::changed(before, settings, level)?;
        self.save_spot(tx, actor, &held, spot, version, Entry::success("parking_spot.changed")).await
    }

    async fn save_spot(
        &self,
        mut tx: Tx,
        actor: &Actor,
        held: &Held,
        spot: Spot,
        version: i64,
        entry: Entry,
    ) -> Result<Spot> {
        if held.find_spot(&spot.id).is_some_and(|other| other.key != spot.key) {
            return Err(Error::conflict("spot_id_taken", "There is a spot of this id already."));
        }
        let is_renamed = held.spot(spot.key).is_some_and(|before| before.id != spot.id);
        if is_renamed {
            // It stands in another place among the others.
            version::next_whole(&mut tx, actor.organization).await?;
        }
        self.check_tariff(&mut tx, actor, spot.tariff_id).await?;
        let platform = &self.0.platform;
        store::save(&mut tx, actor.organization, &spot, version, platform.clock.now()).await?;
        let entry = entry.target("parking_spot", spot.key).details(json!({"id": spot.id}));
        self.commit(tx, actor, entry).await?;
        let (shown, _) = self.spot(actor, &spot.key.to_string()).await?;
        self.announce_spot(actor.organization, shown.clone());
        Ok(shown)
    }

    /// With its history. Its sensor waits for another spot. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found.
    pub async fn delete_spot(&self, actor: &Actor, id: &str) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let (mut tx, _, held) = self.begin_spots(actor.organization).await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let spot = held.find_spot(id).ok_or_else(spot_not_found)?;
        lots::nobody_has(&mut tx, actor, Active::Spot(spot.key)).await?;
        if !store::delete(&mut tx, actor.organization, spot.key).await? {
            return Err(spot_not_found());
        }
        let entry = Entry::success("parking_spot.deleted").target("parking_spot", spot.key);
        self.commit_and_announce(tx, actor, entry.details(json!({"id": spot.id}))).await
    }

    /// Draws spots of a level elsewhere. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, invalid fields.
    pub async fn place_spots(&self, actor: &Actor, level: ParkingLevelId, places: &[Placement]) -> Result<()> {
        actor.require(Permission::ManageParking)?;
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        let level = held.level(level).ok_or_else(level_not_found)?;
        let now = self.0.platform.clock.now();
        for place in places {
            let spot = held.spot(place.key).filter(|spot| spot.level_id == level.id);
            let spot = spot.ok_or_else(|| Error::field("key", "There is no such spot on this level."))?;
            let outline = input::outline(place.outline, level)?;
            let spot = Spot { outline, ..Spot::clone(spot) };
            store::save(&mut tx, actor.organization, &spot, version, now).await?;
        }
        let entry = Entry::success("parking_spots.placed").target("parking_level", level.id);
        self.commit_and_announce(tx, actor, entry.details(json!({"spots": places.len()}))).await
    }

    /// Adds rows of spots to a level that has none. Permission: `ManageParking`.
    ///
    /// # Errors
    /// Forbidden, not found, invalid fields; conflict when the level has spots, an id is in use, or there are too many.
    pub async fn generate_spots(&self, actor: &Actor, level: ParkingLevelId, grid: Grid) -> Result<usize> {
        actor.require(Permission::ManageParking)?;
        let (mut tx, version, held) = self.begin_spots(actor.organization).await?;
        version::next_whole(&mut tx, actor.organization).await?;
        let level = held.level(level).ok_or_else(level_not_found)?;
        if held.spots.iter().any(|spot| spot.level_id == level.id) {
            return Err(Error::conflict("level_not_empty", "The level has spots already; add single ones."));
        }
        let (grown, spots) = place::generate(level, &grid)?;
        if held.spots.len() + spots.len() > MAX_SPOTS {
            return Err(too_many());
        }
        if let Some(taken) = spots.iter().find(|spot| held.find_spot(&spot.id).is_some()) {
            let message = format!("There is a spot {} already: choose another prefix or first number.", taken.id);
            return Err(Error::conflict("spot_id_taken", message));
        }
        lots::store::save_level(&mut tx, actor.organization, &grown).await?;
        let now = self.0.platform.clock.now();
        for spot in &spots {
            store::save(&mut tx, actor.organization, spot, version, now).await?;
        }
        let entry = Entry::success("parking_spots.generated").target("parking_level", level.id);
        self.commit_and_announce(tx, actor, entry.details(json!({"spots": spots.len()}))).await?;
        Ok(spots.len())
    }

    /// A transaction that changes spots: its number, and what is so before it.
    pub(crate) async fn begin_spots(&self, organization: OrganizationId) -> Result<(Tx, i64, Arc<Held>)> {
        let mut tx = self.0.platform.db.begin().await?;
        version::lock(&mut tx, organization).await?;
        // Before the number grows: nothing of this transaction may be remembered before its commit.
        let held = self.held_in(&mut tx, organization).await?;
        let version = version::next(&mut tx, organization).await?;
        Ok((tx, version, held))
    }
}

fn too_many() -> Error {
    Error::conflict("too_many_spots", format!("There may be at most {MAX_SPOTS} spots."))
}
