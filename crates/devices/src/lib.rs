//! portico devices
