//! Devices: who they are (registry, API keys), whether they are there (heartbeat, last will, deadline), and what they
//! measure (telemetry: ingest, storage, rollups, queries).
//!
//! [`Devices`] holds the use cases. REST ([`rest`]), MQTT ([`mqtt`]), the websocket ([`topics`]) and the pages call it.
//! [`Devices::start`] begins the background work: the one writer of telemetry, the sightings, the jobs.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod alarm_rules;
mod channel;
mod choices;
mod commands;
mod directory;
mod export;
mod firmware;
pub mod groups;
mod ingest;
mod input;
pub mod jobs;
mod mqtt;
mod observer;
mod own;
mod owner;
mod presence;
pub mod rest;
mod rollouts;
pub mod service;
mod shadow;
mod signing;
mod statistics;
mod store;
mod telemetry;
mod topics;
mod transfer;
mod views;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use portico_alarms::Alarms;
use portico_model::{DeviceId, Timestamp};
use portico_platform::Platform;
use portico_platform::mqtt::Topics;

pub use commands::Step as CommandStep;
pub use directory::Known;
pub use firmware::NewFirmware;
pub use groups::{GroupQuery, MemberQuery};
pub use ingest::Outcome;
pub use input::Check;
pub use mqtt::ANSWER_WITHIN;
pub use observer::{AfterCommit, DeviceObserver, Taken};
pub use rollouts::RolloutAction;
pub use service::{DeviceCounts, DeviceQuery, RegisteredDevice};
pub use signing::SigningKey;
pub use store::device::Sort;
pub use telemetry::{AggregatedBucket, RetentionRule, TelemetryKey, TelemetryQuery};

/// Ends the MQTT session of a device whose key or status has changed; the server gives it.
pub trait SessionEnder: Send + Sync {
    fn end_session(&self, device: DeviceId);
}

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Devices(Arc<Inner>);

struct Inner {
    platform: Platform,
    alarms: Alarms,
    judge: alarm_rules::Judge,
    started_at: Timestamp,
    directory: directory::Directory,
    presence: presence::Presence,
    ingest: ingest::Ingest,
    sessions: RwLock<Option<Arc<dyn SessionEnder>>>,
    observers: observer::Observers,
    /// The bytes of firmware images.
    files: firmware::Files,
    /// A roll-out may go further.
    rollouts_moved: tokio::sync::Notify,
    /// Where devices are written to.
    topics: Topics,
    untimed: mqtt::UntimedClock,
    /// Host and port.
    broker: OnceLock<(String, u16)>,
}

impl Devices {
    #[must_use]
    pub fn new(platform: Platform, alarms: Alarms) -> Self {
        let judge = alarm_rules::Judge { alarms: alarms.clone(), index: alarm_rules::Index::new(platform.db.clone()) };
        let observers = observer::Observers::default();
        let presence = presence::Presence::new(platform.clone(), judge.clone(), observers.clone());
        Self(Arc::new(Inner {
            directory: directory::Directory::new(platform.db.clone()),
            ingest: ingest::Ingest::new(platform.clone(), presence.clone(), judge.clone()),
            presence,
            sessions: RwLock::default(),
            observers,
            files: firmware::Files::new(platform.config.firmware_dir()),
            rollouts_moved: tokio::sync::Notify::new(),
            // The server has refused a bad prefix before.
            topics: Topics::new(&platform.config.mqtt.prefix).unwrap_or_default(),
            untimed: mqtt::UntimedClock::default(),
            broker: OnceLock::new(),
            started_at: platform.clock.now(),
            platform,
            alarms,
            judge,
        }))
    }

    /// Begins the background work and offers the live topics. Call once.
    pub fn start(&self) {
        self.0.platform.hub.register(Arc::new(topics::DeviceTopics(self.clone())));
        let tasks = &self.0.platform.tasks;
        let ingest = self.0.ingest.clone();
        tasks.spawn("telemetry writer", move |cancel| {
            let ingest = ingest.clone();
            async move { ingest.run(cancel).await }
        });
        let presence = self.0.presence.clone();
        tasks.spawn("device sightings", move |cancel| {
            let presence = presence.clone();
            async move { presence.run(cancel).await }
        });
        jobs::spawn(self);
        alarm_rules::spawn(self);
    }

    /// What ends MQTT sessions. Without it they last until the client goes.
    pub fn set_session_ender(&self, ender: Arc<dyn SessionEnder>) {
        *self.0.sessions.write().unwrap_or_else(PoisonError::into_inner) = Some(ender);
    }

    /// Where devices reach the broker, as they are told it. The first word counts.
    pub fn set_broker_address(&self, host: &str, port: u16) {
        let _ = self.0.broker.set((host.to_owned(), port));
    }

    fn end_session(&self, device: DeviceId) {
        let ender = self.0.sessions.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(ender) = ender {
            ender.end_session(device);
        }
    }
}
