//! portico simulator
