//! What anybody may see of a lot that its operator has opened: how full it is and what it costs. Nothing of single spots,
//! of reservations or of people.

mod page;
pub(crate) mod rest;

use std::sync::Arc;

use portico_identity::local_time::Wall;
use portico_model::parking::lot::Lot;
use portico_model::parking::spot::{Spot, SpotStatus};
use portico_model::parking::tariff::words::summary;
use portico_model::{LotId, OrganizationId, Timestamp};
use portico_platform::{Result, on_db};
use serde::Serialize;

use crate::lots::lot_not_found;
use crate::memory::Held;
use crate::reservations::zone_of;
use crate::{Parking, tariffs};

/// How many spots of a kind are in use, and free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"total": 119, "available": 31, "unknown": 2}))]
pub struct PublicFill {
    /// In use.
    pub total: i64,
    /// Free, and not reserved at the moment.
    pub available: i64,
    /// Nothing is known of them: they may be free.
    pub unknown: i64,
}

/// A lot as anybody may see it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "0199a0000000700080000000000000a2", "name": "Main garage", "address": "1 Harbour Street", "latitude": 52.52,
    "longitude": 13.405, "time_zone": "Europe/Berlin", "spots": {"total": 119, "available": 31, "unknown": 2},
    "accessible": {"total": 4, "available": 1, "unknown": 0}, "ev": {"total": 8, "available": 3, "unknown": 0},
    "tariff": "1.50 EUR per started 30 min, at most 15.00 EUR a day",
    "updated_at": "2026-11-21T02:00:00.000+00:00", "updated_local": "2026-11-21 03:00"
}))]
pub struct PublicLot {
    pub id: LotId,
    pub name: String,
    pub address: String,
    /// Degrees north (WGS 84).
    pub latitude: Option<f64>,
    /// Degrees east (WGS 84).
    pub longitude: Option<f64>,
    pub time_zone: String,
    pub spots: PublicFill,
    /// For people with a disability badge; they are among `spots`.
    pub accessible: PublicFill,
    /// With a charger; they are among `spots`.
    pub ev: PublicFill,
    /// What it costs and when, in words; absent: it costs nothing.
    pub tariff: Option<String>,
    /// When one of the spots changed last.
    pub updated_at: Timestamp,
    /// The same by the clock of the lot.
    pub updated_local: String,
}

impl Held {
    fn public_fill(&self, spots: &[&Arc<Spot>], lot: LotId, now: Timestamp) -> PublicFill {
        let lead_ms = self.lead_ms(lot);
        let mut fill = PublicFill::default();
        for status in spots.iter().map(|spot| spot.status_at(now, lead_ms)) {
            fill.total += i64::from(status != SpotStatus::Disabled);
            fill.available += i64::from(status == SpotStatus::Available);
            fill.unknown += i64::from(status == SpotStatus::Unknown);
        }
        fill
    }
}

impl Parking {
    /// A lot that is open to the public, whosever it is. No permission.
    ///
    /// # Errors
    /// Not found, also when the lot is there and not open.
    pub async fn public_lot(&self, id: LotId) -> Result<PublicLot> {
        let mut tx = self.0.platform.db.read().await?;
        let found: Option<(OrganizationId, bool)> = on_db!(&mut tx, conn => sqlx::query_as(
            "select organization_id, is_public from parking_lot where id = $1",
        ).bind(id).fetch_optional(conn).await)?;
        let Some((organization, true)) = found else { return Err(lot_not_found()) };
        let held = self.held_in(&mut tx, organization).await?;
        // It may have been closed, or removed, meanwhile.
        let lot = held.lot(id).filter(|lot| lot.is_public).ok_or_else(lot_not_found)?;
        let tariff = match lot.tariff_id {
            Some(tariff) => tariffs::store::current(&mut tx, organization, tariff).await?,
            None => None,
        };
        Ok(shown(&held, lot, tariff.map(|(_, rules)| summary(&rules)), self.0.platform.clock.now()))
    }
}

fn shown(held: &Held, lot: &Lot, tariff: Option<String>, now: Timestamp) -> PublicLot {
    let spots: Vec<&Arc<Spot>> = held.spots.iter().filter(|spot| spot.lot_id == lot.id).collect();
    let only = |is: fn(&Spot) -> bool| {
        let some: Vec<&Arc<Spot>> = spots.iter().copied().filter(|spot| is(spot)).collect();
        held.public_fill(&some, lot.id, now)
    };
    let updated_at = spots.iter().filter_map(|spot| spot.last_updated).max().unwrap_or(lot.updated_at);
    PublicLot {
        id: lot.id,
        name: lot.name.clone(),
        address: lot.address.clone(),
        latitude: lot.latitude,
        longitude: lot.longitude,
        time_zone: lot.time_zone_in_force.clone(),
        spots: held.public_fill(&spots, lot.id, now),
        accessible: only(|spot| spot.is_accessible),
        ev: only(|spot| spot.is_ev),
        tariff,
        updated_at,
        updated_local: Wall::of(&zone_of(lot), updated_at).text(),
    }
}
