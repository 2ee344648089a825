//! All SQL of the identity domain, by table.

pub mod account_link;
pub mod challenge;
pub mod invitation;
pub mod known_device;
pub mod organization;
pub mod passkey;
pub mod recovery_code;
pub mod service_key;
pub mod session;
pub mod setup_token;
pub mod throttle;
pub mod totp;
pub mod user;
