//! portico app
