//! A car park that lives a day. [`demand`] says who comes when, [`garage`] what becomes of them, [`sensor`] what is
//! measured of it: pure, and the same for the same seed. [`park`] plays it: sets up what is missing over REST and speaks
//! MQTT as gateways, each with up to a hundred sensors.

pub mod crowds;
pub mod demand;
mod desk;
pub mod dice;
pub mod garage;
mod gateway;
pub mod history;
pub mod legacy;
mod lot;
pub mod park;
pub mod plan;
pub mod sensor;
mod setup;

use portico_model::Timestamp;

use crate::noise;

pub use garage::{Garage, Tally};
pub use lot::Seen;
pub use park::{Park, ParkSummary, ParkingOptions};
pub use plan::LotPlan;
pub use sensor::SensorFaults;

/// Each lot has its own cars.
fn lot_seed(seed: u64, index: i64) -> u64 {
    noise::mix(seed, 500, index)
}

/// What the clock on its wall says, as if it were UTC.
const fn local(at: Timestamp, utc_offset_s: i64) -> Timestamp {
    at.plus_secs(utc_offset_s)
}
