//! A virtual building that speaks to Portico as real devices do: it registers its sensors over REST and sends their
//! readings over MQTT. What a sensor measures at a moment is a pure function of the seed and that moment
//! ([`building`], [`signal`], [`faults`]); only [`session`] and [`api`] do I/O. It is what `portico serve --demo`
//! starts, what tests use and what `make bench` measures with.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod access;
pub mod api;
pub mod building;
pub mod faults;
pub mod firmware;
pub mod history;
mod link;
pub mod noise;
pub mod parking;
mod session;
pub mod signal;
mod simulator;
pub mod state;
pub mod stats;

pub use api::{Api, ApiError, Credentials};
pub use building::{Building, Sensor};
pub use faults::Faults;
pub use signal::Kind;
pub use simulator::{Error, Options, Simulator};
pub use stats::Summary;
