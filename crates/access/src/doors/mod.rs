//! Doors, readers, decisions, modes, anti-passback.
