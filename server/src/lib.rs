//! Joins the domains into one program: opens the platform, starts the broker, mounts the routes, runs the jobs.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
// The types of the whole web app meet here.
#![recursion_limit = "512"]

pub mod api;
mod backup;
pub mod cli;
pub mod commands;
mod demo;
mod domains;
mod live;
mod mqtt;
mod mqtt_hooks;
pub mod serve;
mod socket_io;
mod status;
mod web;

pub use domains::Domains;
pub use serve::{Portico, start};
