//! Periodic work: how full lots are is noted, forecasts are made anew.

use std::time::Duration;

use portico_model::parking::spot::SpotState;
use portico_platform::Result;

use super::store::{self, Slot, slot_of};
use crate::Parking;
use crate::jobs::periodic;

const LOOK_EVERY: Duration = Duration::from_secs(60);
const FORECAST_EVERY: Duration = Duration::from_secs(300);

/// A forecast reaches a day ahead; it is made anew as often as its steps pass. What it learned from the weeks before changes
/// little in between, and making one takes a moment.
const FRESH_S: i64 = 900;

pub(crate) fn spawn(parking: &Parking) {
    periodic(parking, "parking occupancy", LOOK_EVERY, Parking::note_occupancy);
    periodic(parking, "parking forecasts", FORECAST_EVERY, Parking::renew_forecasts);
}

impl Parking {
    /// Notes how full each lot is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_occupancy(self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let mut slots = Vec::new();
        for (organization, lot) in store::lots(&mut tx).await? {
            let held = self.held_in(&mut tx, organization).await?;
            let spots = held.spots.iter().filter(|spot| spot.lot_id == lot && !spot.is_disabled);
            let (mut occupied, mut known, mut all) = (0, 0, 0);
            for spot in spots {
                all += 1;
                known += i64::from(spot.state != SpotState::Unknown);
                occupied += i64::from(spot.state == SpotState::Occupied);
            }
            // Of a lot whose sensors are mostly silent nothing is known.
            if known * 2 > all {
                let slot = Slot { at: slot_of(now), occupied, capacity: known, samples: 1, ..Slot::default() };
                slots.push((organization, lot, slot));
            }
        }
        drop(tx);
        let mut tx = self.0.platform.db.begin().await?;
        for (organization, lot, slot) in &slots {
            store::add(&mut tx, *organization, *lot, slot).await?;
        }
        tx.commit().await
    }

    /// Makes forecasts that are no longer fresh anew.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew_forecasts(self) -> Result<()> {
        let since = self.0.platform.clock.now().plus_secs(-FRESH_S);
        let mut tx = self.0.platform.db.read().await?;
        let lots = store::without_forecast_since(&mut tx, since).await?;
        drop(tx);
        for (organization, lot) in lots {
            self.make_forecast(organization, lot).await?;
        }
        Ok(())
    }
}
