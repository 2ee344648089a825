//! Alarms of every domain: raised, acknowledged, escalated, cleared. What raises them is for the domains to say; this
//! keeps one alarm for one cause, however often it is reported, and sees that people are told.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod rest;

use std::sync::Arc;

use portico_notifications::Notifications;
use portico_platform::Platform;

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

    /// Begins the background work. Call once.
    pub fn start(&self) {
        let _ = (&self.0.platform, &self.0.notifications);
    }
}
