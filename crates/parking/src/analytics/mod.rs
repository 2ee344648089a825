//! How full lots are, were, and will probably be.

mod forecast;
mod jobs;
mod predict;
pub(crate) mod rest;
pub(crate) mod store;
mod trends;

use std::collections::BTreeMap;
use std::sync::Arc;

use portico_model::identity::Permission;
use portico_model::parking::SpotCounts;
use portico_model::parking::analytics::{Fill, Occupancy, PartFill};
use portico_model::parking::spot::Spot;
use portico_platform::{Actor, Result};

use crate::Parking;

pub(crate) use jobs::spawn;
pub use predict::ImportedHistory;

fn fill(counts: &SpotCounts) -> Fill {
    Fill {
        total_spots: counts.total,
        occupied_spots: counts.occupied,
        reserved_spots: counts.reserved,
        available_spots: counts.available,
        unknown_spots: counts.unknown,
        occupancy_rate: two_decimals(counts.occupancy_percent()),
    }
}

pub(crate) fn two_decimals(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Parking {
    /// How full everything is now. Permission: `UseParking`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn occupancy(&self, actor: &Actor) -> Result<Occupancy> {
        actor.require(Permission::UseParking)?;
        let (held, now) = (self.held(actor.organization).await?, self.0.platform.clock.now());
        let part = |lot, level: Option<&str>, zone: Option<&str>, spots: &[&Arc<Spot>]| PartFill {
            lot_id: lot,
            lot: held.lot(lot).map(|lot| lot.name.clone()).unwrap_or_default(),
            level: level.map(str::to_owned),
            zone: zone.map(str::to_owned),
            fill: fill(&held.count(spots.iter().copied(), now)),
        };
        let (mut by_lot, mut by_level, mut by_zone) = (Vec::new(), Vec::new(), Vec::new());
        for lot in &held.lots {
            let of_lot: Vec<&Arc<Spot>> = held.spots.iter().filter(|spot| spot.lot_id == lot.id).collect();
            by_lot.push(part(lot.id, None, None, &of_lot));
            for level in held.levels.iter().filter(|level| level.lot_id == lot.id) {
                let of_level: Vec<&Arc<Spot>> =
                    of_lot.iter().copied().filter(|spot| spot.level_id == level.id).collect();
                by_level.push(part(lot.id, Some(&level.name), None, &of_level));
                let mut zones: BTreeMap<&str, Vec<&Arc<Spot>>> = BTreeMap::new();
                for spot in of_level.iter().filter(|spot| !spot.zone.is_empty()) {
                    zones.entry(&spot.zone).or_default().push(spot);
                }
                by_zone.extend(zones.iter().map(|(zone, spots)| part(lot.id, Some(&level.name), Some(zone), spots)));
            }
        }
        Ok(Occupancy { overall: fill(&held.count(&held.spots, now)), by_lot, by_level, by_zone, timestamp: now })
    }
}
