//! Alarms of every domain: raised, acknowledged, escalated, cleared. What raises them is for the domains to say; this
//! keeps one alarm for one cause, however often it is reported, and sees that people are told.
//!
//! A domain reports in its own transaction ([`Alarms::raise`], [`Alarms::clear`]) and hands the [`Change`]s to
//! [`Alarms::announce`] after the commit. People list, acknowledge and clear through REST ([`rest`]) and the pages.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod engine;
mod jobs;
mod owner;
pub mod rest;
mod service;
mod store;
mod topics;

use std::sync::Arc;

use portico_notifications::Notifications;
use portico_platform::Platform;

pub use engine::{Change, Reach, Report, Subject};
pub use service::{AlarmQuery, StateFilter};

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Alarms(Arc<Inner>);

struct Inner {
    platform: Platform,
    notifications: Notifications,
}

impl Alarms {
    #[must_use]
    pub fn new(platform: Platform, notifications: Notifications) -> Self {
        Self(Arc::new(Inner { platform, notifications }))
    }

    /// Begins the background work and offers the live topic. Call once.
    pub fn start(&self) {
        self.0.platform.hub.register(Arc::new(topics::AlarmTopic(self.clone())));
        jobs::spawn(self);
    }
}
