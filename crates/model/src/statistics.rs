//! Figures for administrators: how much there is, and how the server fares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The server and its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct ServerStatistics {
    /// When this was so.
    pub at: Timestamp,
    pub version: String,
    pub started_at: Timestamp,
    /// `SQLite` or `PostgreSQL`.
    pub database: String,
    /// What the whole database takes on the disk.
    pub database_bytes: i64,
    /// MQTT messages that wait to be published.
    pub outbox_messages: i64,
    /// Messages to people and other systems, by state.
    pub deliveries: BTreeMap<String, i64>,
    /// Browsers and programs that follow live events, on this server.
    pub live_connections: i64,
}

/// People and programs of the organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct PeopleStatistics {
    pub total: i64,
    pub inactive: i64,
    /// Accounts by role.
    pub by_role: BTreeMap<String, i64>,
    /// Sessions that are good now.
    pub sessions: i64,
    /// Keys of services that are not revoked.
    pub service_keys: i64,
    /// Failed and refused sign-ins in the last 24 hours.
    pub failed_sign_ins_24h: i64,
}

/// Devices of the organisation and what they measure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct DeviceStatistics {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    /// Never heard from.
    pub never: i64,
    /// Devices by status.
    pub by_status: BTreeMap<String, i64>,
    /// Series: one key of one device.
    pub series: i64,
    /// Numbers and booleans measured in the last 5 whole minutes, per second.
    pub points_per_s: f64,
    /// Numbers and booleans measured in the last whole hour.
    pub points_last_hour: i64,
    /// Numbers and booleans measured in the last 24 hours.
    pub points_last_day: i64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
pub struct Statistics {
    pub server: ServerStatistics,
    pub people: PeopleStatistics,
    pub devices: DeviceStatistics,
}
