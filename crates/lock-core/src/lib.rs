//! What a lock or a reader decides by itself, without network, clock or heap: the same code runs in the server, in the
//! simulator and in firmware, so that an offline reader and the server never disagree.

#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

#[cfg(feature = "crypto")]
pub mod command;
pub mod decide;
#[cfg(feature = "crypto")]
pub mod grant;
pub mod hex;
pub mod json;
pub mod offline;
pub mod queue;
#[cfg(feature = "crypto")]
pub mod reader;
pub mod schedule;
