//! Identity: organisations, users, sessions and roles. Who someone is, and what that allows.
//!
//! [`Identity`] has the use cases; [`rest::router`] offers them under `/api/v1`, [`browser::session_layer`] turns
//! cookies into an [`Actor`](portico_platform::Actor) and renews them silently, [`extract::Auth`] hands that actor to a
//! handler. A password is verified in one place, [`Identity::sign_in`]; an access token is believed only while its
//! session lives in the database, so that ending a session works at once.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod browser;
pub mod context;
pub mod cookies;
pub mod extract;
mod input;
mod jobs;
mod live;
pub mod local_time;
mod password;
pub mod rest;
mod service;
mod store;
mod token;

pub use context::RequestContext;
pub use extract::{Auth, MaybeAuth};
pub use service::organization::{OrganizationUpdate, time_zones};
pub use service::second_factor::{Proof, SecondFactorChallenge, SignIn};
pub use service::service_keys::{NewServiceKey, ServiceKeyChange};
pub use service::trail::AuditQuery;
pub use service::users::{AfterCommit, ErasedLabels, NewUser, UserChange, UserDependents};
pub use service::{Identity, SessionKind, SignedIn};
