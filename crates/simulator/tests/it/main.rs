//! The simulator against a stand-in for the server that keeps what it hears. The real one is tried in `server/tests`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod building;
mod car_parks;
mod parking;
mod stand_in;
