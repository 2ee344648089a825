//! The platform over real databases, sockets and brokers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod database;
mod delivery;
mod delivery_web;
mod http;
mod mqtt;
mod outbox;
mod ws;
