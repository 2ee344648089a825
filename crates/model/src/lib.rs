//! What the browser and the server both speak: ids, times, the types of each domain, live events, and the rules
//! that need neither a clock nor I/O. Nothing here waits, stores or sends.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod audit;
pub mod devices;
pub mod id;
pub mod identity;
pub mod live;
pub mod lockout;
pub mod page;
pub mod problem;
pub mod telemetry;
pub mod time;

pub use id::{ApiKeyId, AuditId, DeviceId, OrganizationId, OutboxId, ProblemId, SessionId, UserId};
pub use page::Page;
pub use problem::{ErrorKind, FieldError, Problem};
pub use time::Timestamp;
