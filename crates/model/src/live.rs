//! The live protocol over `/ws`: what the browser asks for and what it gets (`docs/asyncapi.yaml`).

use serde::{Deserialize, Serialize};

use crate::devices::{Connection, Device};
use crate::telemetry::TelemetryEvent;
use crate::{DeviceId, GroupId, Timestamp};

/// From the browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Begin to follow these topics: `devices`, `device:ID`, `telemetry:ID`, `audit`, `alarms`.
    Subscribe {
        topics: Vec<String>,
    },
    Unsubscribe {
        topics: Vec<String>,
    },
    Ping,
}

/// To the browser. `data` is the topic's own snapshot or [`Event`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ServerMessage<D> {
    /// The state as of `seq`; events that follow have `seq + 1`, `seq + 2`, …
    Snapshot {
        topic: String,
        seq: u64,
        data: D,
    },
    Event {
        topic: String,
        seq: u64,
        data: D,
    },
    /// Telemetry came faster than this client reads: `dropped` older values of the topic were left out.
    Lagged {
        topic: String,
        dropped: u64,
        seq: u64,
    },
    /// Too much was missed: subscribe again for a snapshot.
    Resync {
        topic: String,
    },
    Error {
        topic: Option<String>,
        code: String,
        message: String,
    },
    Pong,
}

/// Something that happened, as subscribers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // sent at once, never kept in numbers
pub enum Event {
    /// Registered or changed.
    DeviceChanged {
        device: Device,
    },
    DeviceDeleted {
        id: DeviceId,
    },
    /// Only the connection, last seen or diagnostics changed.
    DeviceConnection {
        id: DeviceId,
        connection: Connection,
        last_seen_at: Option<Timestamp>,
        issue: String,
        battery_percent: Option<f64>,
        rssi_dbm: Option<f64>,
    },
    Telemetry(TelemetryEvent),
    AuditAppended {
        record: crate::audit::AuditRecord,
    },
    /// A group was made or changed, or a device came into it or left it.
    GroupChanged {
        id: GroupId,
    },
    GroupDeleted {
        id: GroupId,
    },
    /// A command was made, or came further.
    CommandChanged {
        command: crate::commands::Command,
    },
    /// What is wanted of a device, or what it reports, has changed.
    ShadowChanged {
        shadow: crate::shadow::Shadow,
    },
    /// A roll-out began, or came further.
    RolloutChanged {
        rollout: crate::firmware::Rollout,
    },
    /// A device of a roll-out came further.
    DeviceUpdateChanged {
        rollout_id: crate::RolloutId,
        update: crate::firmware::DeviceUpdate,
    },
    /// Raised, or changed since: acknowledged, escalated, cleared.
    AlarmChanged {
        alarm: crate::alarms::Alarm,
    },
    /// A door was added, or its settings, mode or state have changed.
    DoorChanged {
        door: crate::access::door::Door,
    },
    DoorDeleted {
        id: crate::DoorId,
    },
    /// A lock was registered, moved, told to move, came, went or was changed.
    LockChanged {
        lock: crate::access::lock::Lock,
    },
    /// Removed, or no longer shared with those who hear of it.
    LockRemoved {
        id: DeviceId,
    },
    /// A line of a lock's history, new or as it ended.
    LockLogged {
        event: crate::access::lock::LockEvent,
    },
    /// Something happened at a door, or what is thought of it has changed.
    AccessLogged {
        event: crate::access::AccessEvent,
    },
    /// A model of what is unusual at doors was asked for, or came further.
    AccessModelChanged {
        model: crate::access::anomaly::AnomalyModel,
    },
    /// Groups of doors, zones or plans have changed.
    DoorAreasChanged,
    /// What readers know without network, or how far their own events have come, has changed.
    AccessReadersChanged,
    /// A code was made, used or withdrawn, or its lock has said something of it.
    AccessCodeChanged {
        code: crate::access::code::AccessCode,
    },
    /// A person who comes through doors, his credentials, groups or enrolments have changed, or he is gone.
    PersonChanged {
        id: crate::PersonId,
    },
    /// Policies, schedules, holidays or groups of people have changed.
    PoliciesChanged,
    /// Lots, levels or many spots have changed.
    ParkingChanged,
    /// A spot is taken or free now, or nothing is known of it any more.
    SpotStatusChanged {
        /// What is written on its sign.
        spot_id: String,
        key: crate::SpotId,
        lot_id: crate::LotId,
        /// Absent: unknown.
        occupied: Option<bool>,
        status: crate::parking::spot::SpotStatus,
        /// Since when.
        timestamp: Timestamp,
    },
    /// Somebody has reserved a spot.
    SpotReserved {
        /// What is written on its sign.
        spot_id: String,
        key: crate::SpotId,
        lot_id: crate::LotId,
        reservation_id: crate::ReservationId,
    },
    /// A spot was added, or its settings or reservations have changed.
    SpotChanged {
        spot: crate::parking::spot::Spot,
    },
    /// A reservation was made, or came further.
    ReservationChanged {
        reservation: crate::parking::reservation::Reservation,
    },
    /// Sensors of spots came, were given a spot or taken from it, or fell silent.
    ParkingSensorsChanged,
    /// Vehicles came or left, their sessions were paid for, or permits have changed.
    ParkingSessionsChanged,
}
