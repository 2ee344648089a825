//! What the browser and the server both speak: ids, times, the types of each domain, live events, and the rules
//! that need neither a clock nor I/O. Nothing here waits, stores or sends.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod access;
pub mod alarms;
pub mod audit;
pub mod commands;
pub mod devices;
pub mod explore;
pub mod firmware;
pub mod groups;
pub mod id;
pub mod identity;
pub mod live;
pub mod lockout;
pub mod notifications;
pub mod page;
pub mod parking;
pub mod problem;
pub mod shadow;
pub mod statistics;
pub mod telemetry;
pub mod time;
mod words;

pub use id::{
    AccessCodeId, AccessEventId, AlarmId, AlarmRuleId, AnomalyModelId, ApiKeyId, AuditId, CommandId, CredentialId,
    DeliveryId, DeviceId, DoorGroupId, DoorId, EnrolmentId, FirmwareId, GroupId, GroupMemberId, HolidayId,
    InvitationId, LockEventId, LockGrantId, LotId, OfflineGrantId, OrganizationId, OutboxId, ParkingLevelId,
    ParkingSensorId, ParkingSessionId, PasskeyId, PaymentId, PermitId, PersonGroupId, PersonId, PlanId, PolicyId,
    ProblemId, PublisherKeyId, PushSubscriptionId, RefundId, ReservationId, RolloutId, SavedViewId, ScheduleId,
    ServiceKeyId, SessionId, SpotId, TariffId, UserId, WebhookId, ZoneId,
};
pub use page::Page;
pub use problem::{ErrorKind, FieldError, Problem};
pub use time::Timestamp;
