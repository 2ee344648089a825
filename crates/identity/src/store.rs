//! All SQL of the identity domain, by table.

pub mod known_device;
pub mod organization;
pub mod service_key;
pub mod session;
pub mod setup_token;
pub mod throttle;
pub mod user;
