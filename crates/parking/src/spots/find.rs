//! Which spots are asked for.

use std::sync::Arc;

use portico_model::parking::SpotCounts;
use portico_model::parking::spot::{Spot, SpotSize, SpotStatus};
use portico_model::{LotId, ParkingLevelId, Timestamp};

use crate::memory::Held;

/// All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpotQuery {
    pub lot: Option<LotId>,
    pub level_id: Option<ParkingLevelId>,
    /// Name of the level.
    pub level: Option<String>,
    pub zone: Option<String>,
    pub is_accessible: Option<bool>,
    pub is_ev: Option<bool>,
    pub size: Option<SpotSize>,
    /// The vehicle is so high, centimetres: only spots that are known to be higher, or have no limit.
    pub height_cm: Option<i64>,
    pub status: Option<SpotStatus>,
    /// Part of the id, the location or the zone.
    pub search: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Absent: all.
    pub limit: Option<usize>,
}

impl SpotQuery {
    /// Whatever its status.
    pub fn fits(&self, spot: &Spot, held: &Held) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        self.lot.is_none_or(|lot| spot.lot_id == lot)
            && self.level_id.is_none_or(|level| spot.level_id == level)
            && is(&self.level, &spot.level)
            && is(&self.zone, &spot.zone)
            && self.is_accessible.is_none_or(|wanted| spot.is_accessible == wanted)
            && self.is_ev.is_none_or(|wanted| spot.is_ev == wanted)
            && self.size.is_none_or(|wanted| spot.size == wanted)
            && self.height_cm.is_none_or(|height| {
                let clearance = spot.clearance_cm.or_else(|| held.level(spot.level_id)?.clearance_cm);
                clearance.is_none_or(|clearance| clearance >= height)
            })
            && self.search.as_deref().is_none_or(|text| {
                let text = text.to_lowercase();
                [&spot.id, &spot.location, &spot.zone].iter().any(|part| part.to_lowercase().contains(&text))
            })
    }

    /// Those that fit, how all of these are (whatever `status` asks for), and the next page.
    pub fn run(&self, held: &Held, now: Timestamp) -> (Vec<Spot>, SpotCounts, Option<String>) {
        let fitting: Vec<&Arc<Spot>> = held.spots.iter().filter(|spot| self.fits(spot, held)).collect();
        let counts = held.count(fitting.iter().copied(), now);
        let after = self.cursor.as_deref().unwrap_or_default();
        let mut wanted = fitting.into_iter().filter(|spot| {
            spot.id.as_str() > after
                && self.status.is_none_or(|status| spot.status_at(now, held.lead_ms(spot.lot_id)) == status)
        });
        let limit = self.limit.unwrap_or(usize::MAX);
        let spots: Vec<Spot> = wanted.by_ref().take(limit).map(|spot| held.shown(spot, now)).collect();
        let next = spots.last().filter(|_| wanted.next().is_some()).map(|spot| spot.id.clone());
        (spots, counts, next)
    }
}
