//! portico platform
