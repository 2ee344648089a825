//! Doors, who comes through them, and what happened there.

pub mod log;
