//! portico frontend
