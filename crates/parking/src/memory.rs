//! Lots, levels and spots in memory, for what is read often. Never behind a commit: each reading asks the database for the
//! number of the newest change, and takes in the rows that are newer than what is held.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use moka::future::Cache;
use portico_model::parking::SpotCounts;
use portico_model::parking::lot::{Level, Lot};
use portico_model::parking::spot::{Spot, SpotState};
use portico_model::{LotId, OrganizationId, ParkingLevelId, SpotId, Timestamp};
use portico_platform::{Result, Tx};
use tokio::sync::Mutex;

use crate::version::{self, Version};
use crate::{lots, spots};

/// Organisations that are held at a time; others are read again.
const MOST_ORGANIZATIONS: u64 = 256;

/// All of an organisation at one moment.
#[derive(Debug, Clone, Default)]
pub struct Held {
    version: Version,
    /// Of the organisation, as the lots have it.
    zone: String,
    /// By name; their counts are not filled in.
    pub lots: Vec<Lot>,
    /// By position.
    pub levels: Vec<Level>,
    /// By what is written on them. As stored: [`Spot::at`] gives what follows at a moment.
    pub spots: Vec<Arc<Spot>>,
    by_key: HashMap<SpotId, usize>,
}

#[derive(Default)]
struct Slot {
    held: RwLock<Arc<Held>>,
    /// Whoever brings it up to date; others wait for it.
    loading: Mutex<()>,
}

#[derive(Clone)]
pub struct Memory(Cache<OrganizationId, Arc<Slot>>);

impl Default for Memory {
    fn default() -> Self {
        Self(Cache::new(MOST_ORGANIZATIONS))
    }
}

impl Memory {
    /// What is so as of this transaction's reading, or later.
    pub async fn get(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Arc<Held>> {
        let slot = self.0.get_with(organization, async { Arc::default() }).await;
        let (version, zone) = version::current(tx, organization).await?;
        let is_current = |held: &Held| held.version >= version && held.zone == zone;
        let held = slot.current();
        if is_current(&held) {
            return Ok(held);
        }
        let _loading = slot.loading.lock().await;
        let held = slot.current();
        if is_current(&held) {
            return Ok(held);
        }
        let renewed = Arc::new(held.renewed(tx, organization, version, zone).await?);
        *slot.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&renewed);
        Ok(renewed)
    }
}

impl Slot {
    fn current(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    /// The version was read before the rows: what is committed meanwhile is taken in once more the next time.
    async fn renewed(&self, tx: &mut Tx, organization: OrganizationId, version: Version, zone: String) -> Result<Self> {
        if version.whole > self.version.newest || self.version.newest == 0 || zone != self.zone {
            let lots = lots::store::list(tx, organization).await?;
            let levels = lots::store::levels(tx, organization).await?;
            let spots = spots::store::changed_since(tx, organization, 0).await?;
            return Ok(Self { version, zone, lots, levels, ..Self::default() }.with_spots(spots));
        }
        let mut renewed = Self { version, ..self.clone() };
        let mut added = Vec::new();
        for spot in spots::store::changed_since(tx, organization, self.version.newest).await? {
            match renewed.by_key.get(&spot.key) {
                Some(at) => renewed.spots[*at] = Arc::new(spot),
                None => added.push(spot),
            }
        }
        Ok(if added.is_empty() { renewed } else { renewed.with_spots(added) })
    }

    fn with_spots(mut self, added: Vec<Spot>) -> Self {
        self.spots.extend(added.into_iter().map(Arc::new));
        self.spots.sort_by(|one, other| one.id.cmp(&other.id));
        self.by_key = self.spots.iter().enumerate().map(|(at, spot)| (spot.key, at)).collect();
        self
    }

    pub fn lot(&self, id: LotId) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.id == id)
    }

    pub fn level(&self, id: ParkingLevelId) -> Option<&Level> {
        self.levels.iter().find(|level| level.id == id)
    }

    pub fn spot(&self, key: SpotId) -> Option<&Arc<Spot>> {
        self.by_key.get(&key).and_then(|at| self.spots.get(*at))
    }

    /// By what is written on its sign, or its key.
    pub fn find_spot(&self, id: &str) -> Option<&Arc<Spot>> {
        let by_code =
            self.spots.binary_search_by(|spot| spot.id.as_str().cmp(id)).ok().and_then(|at| self.spots.get(at));
        by_code.or_else(|| self.spot(id.parse().ok()?))
    }

    /// How long a change at this spot must last to be believed, milliseconds.
    pub fn debounce_ms(&self, spot: Option<&Arc<Spot>>) -> i64 {
        spot.and_then(|spot| self.lot(spot.lot_id)).map_or(0, |lot| lot.debounce_s * 1_000)
    }

    /// How long before a reservation a spot of this lot is kept free, milliseconds.
    pub fn lead_ms(&self, lot: LotId) -> i64 {
        self.lot(lot).map_or(0, |lot| lot.booking.early_ms())
    }

    /// A spot as it is at a moment.
    pub fn shown(&self, spot: &Spot, now: Timestamp) -> Spot {
        spot.clone().at(now, self.lead_ms(spot.lot_id))
    }

    /// How many of these are in which state.
    pub fn count<'a>(&self, spots: impl IntoIterator<Item = &'a Arc<Spot>>, now: Timestamp) -> SpotCounts {
        let mut counts = SpotCounts::default();
        let mut lead = (LotId::nil(), 0);
        for spot in spots {
            if lead.0 != spot.lot_id {
                lead = (spot.lot_id, self.lead_ms(spot.lot_id));
            }
            let is_reserved = spot.is_reserved_at(now, lead.1);
            counts.add(spot.status_at(now, lead.1), spot.state == SpotState::Occupied, is_reserved);
        }
        counts
    }
}
