//! Parking: lots with levels and spots, the sensors that say which spot is taken, reservations and what they cost, vehicles
//! that come and leave.

pub mod analytics;
pub mod lot;
pub mod permit;
pub mod receipt;
pub mod reservation;
pub mod sensor;
pub mod session;
pub mod spot;
pub mod tariff;
pub mod walk_up;

use serde::{Deserialize, Serialize};

/// How many spots there are, and how they are now. A spot that is occupied and reserved counts as both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "total": 120, "available": 31, "occupied": 80, "reserved": 6, "unknown": 2, "disabled": 1
})))]
pub struct SpotCounts {
    pub total: i64,
    /// Free, not reserved at the moment, in use.
    pub available: i64,
    pub occupied: i64,
    pub reserved: i64,
    /// Nothing is known of them: no sensor, or it is silent.
    pub unknown: i64,
    /// Taken out of use.
    pub disabled: i64,
}

impl SpotCounts {
    /// Counts one more spot.
    pub const fn add(&mut self, status: spot::SpotStatus, is_occupied: bool, is_reserved: bool) {
        self.total += 1;
        match status {
            spot::SpotStatus::Available => self.available += 1,
            spot::SpotStatus::Unknown => self.unknown += 1,
            spot::SpotStatus::Disabled => self.disabled += 1,
            spot::SpotStatus::Occupied | spot::SpotStatus::Reserved => {}
        }
        if is_occupied {
            self.occupied += 1;
        }
        if is_reserved {
            self.reserved += 1;
        }
    }

    /// Occupied spots of a hundred that are in use; 0 when there are none.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // spots are counted in thousands
    pub fn occupancy_percent(&self) -> f64 {
        let usable = self.total - self.disabled;
        if usable <= 0 { 0.0 } else { self.occupied as f64 * 100.0 / usable as f64 }
    }
}
