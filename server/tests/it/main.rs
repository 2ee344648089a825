//! The whole program over real HTTP, MQTT and websockets, on SQLite and PostgreSQL, with the embedded broker and with
//! Mosquitto.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod contract;
mod crash;
mod external;
mod harness;
mod iotflow;
mod isolation;
mod matrix;
mod ota;
mod outage;
mod path;
mod readers;
mod rotation;
mod smart_lock;
mod storm;
mod wire;
