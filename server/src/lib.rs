//! portico server
