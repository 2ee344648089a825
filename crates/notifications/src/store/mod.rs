//! All SQL of this domain, by table.

pub mod preference;
pub mod subscription;
pub mod webhook;
