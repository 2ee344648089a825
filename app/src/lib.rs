//! Portico's web app: every page as it is rendered on the server and comes alive in the browser, and the server
//! functions behind them (`/sfn/…`), each of which calls one service method. Components hold no rules: what a live
//! event does to what is shown is a plain function with tests (`live/fold.rs`).

#![recursion_limit = "512"]
// The arguments of a server function are the fields of its form.
#![allow(clippy::too_many_arguments)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod access;
pub mod alarms;
pub mod audit;
pub mod browser;
pub mod devices;
pub mod errors;
pub mod explore;
pub mod failure;
pub mod firmware;
pub mod form;
pub mod groups;
pub mod identity;
pub mod layout;
pub mod live;
pub mod load;
pub mod notifications;
pub mod overview;
pub mod palette;
pub mod parking;
pub mod policy;
pub mod root;
#[cfg(feature = "ssr")]
pub mod server;
pub mod shell;
pub mod time;
pub mod ui;
pub mod viewer;

pub use root::App;
pub use shell::shell;
