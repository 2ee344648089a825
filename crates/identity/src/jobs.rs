//! Periodic work: what has expired is removed, and when sessions were last used is written down.

use std::sync::Arc;
use std::time::Duration;

use portico_platform::Result;
use portico_platform::jobs::run_every;

use crate::live::AuditTopic;
use crate::{Identity, store};

/// Ended sessions are kept so long beyond their end, milliseconds: a used-up token that comes again is still known.
const KEEP_ENDED_MS: i64 = 30 * 86_400_000;

/// A device nobody signed in from for so long is forgotten, milliseconds. The cookie lives as long.
const KEEP_DEVICE_MS: i64 = 365 * 86_400_000;

/// A revoked key is shown so long, milliseconds; the audit trail knows of it for ever.
const KEEP_REVOKED_MS: i64 = 90 * 86_400_000;
const KEEP_LINK_MS: i64 = 3_600_000;

/// An authenticator app whose set-up was not finished by then is forgotten, milliseconds.
const KEEP_ENROLMENT_MS: i64 = 86_400_000;

/// What became of an invitation is shown so long, milliseconds.
const KEEP_INVITATION_MS: i64 = 90 * 86_400_000;

const CLEAN_UP_EVERY: Duration = Duration::from_secs(600);
const WRITE_TOUCHED_EVERY: Duration = Duration::from_secs(30);

impl Identity {
    /// Starts the periodic work and offers the topic `audit`. Called once, when the server starts.
    pub fn start(&self) {
        self.platform.hub.register(Arc::new(AuditTopic(self.clone())));
        let identity = self.clone();
        self.platform.tasks.spawn("identity clean-up", move |cancel| {
            let (identity, worker) = (identity.clone(), identity.clone());
            async move {
                run_every(
                    "identity clean-up",
                    CLEAN_UP_EVERY,
                    identity.platform.db.clone(),
                    identity.platform.clock.clone(),
                    cancel,
                    move || {
                        let worker = worker.clone();
                        async move { worker.clean_up().await }
                    },
                )
                .await;
            }
        });
        let identity = self.clone();
        // Each server writes what it has seen itself: no lease.
        self.platform.tasks.spawn("identity session uses", move |cancel| {
            let identity = identity.clone();
            async move {
                let mut ticks = tokio::time::interval(WRITE_TOUCHED_EVERY);
                loop {
                    tokio::select! {
                        _ = ticks.tick() => {}
                        () = cancel.cancelled() => return,
                    }
                    if let Err(error) = identity.write_touched().await {
                        tracing::warn!(%error, "could not write when sessions were last used");
                    }
                }
            }
        });
    }

    /// Removes what has expired: sessions and their tokens, sign-in counters, forgotten devices.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn clean_up(&self) -> Result<()> {
        let now = self.platform.clock.now();
        let mut tx = self.platform.db.begin().await?;
        let sessions = store::session::delete_stale(&mut tx, now.plus_millis(-KEEP_ENDED_MS), now).await?;
        let counters = store::throttle::delete_stale(&mut tx, now).await?;
        let devices = store::known_device::delete_unused_since(&mut tx, now.plus_millis(-KEEP_DEVICE_MS)).await?;
        let keys = store::service_key::delete_stale(&mut tx, now, now.plus_millis(-KEEP_REVOKED_MS)).await?;
        store::setup_token::delete_expired(&mut tx, now).await?;
        store::challenge::delete_expired(&mut tx, now).await?;
        // Links count against the hourly limit a little longer than they live.
        store::account_link::delete_expired(&mut tx, now.plus_millis(-KEEP_LINK_MS)).await?;
        store::totp::delete_unconfirmed(&mut tx, now.plus_millis(-KEEP_ENROLMENT_MS)).await?;
        store::invitation::delete_stale(&mut tx, now.plus_millis(-KEEP_INVITATION_MS)).await?;
        tx.commit().await?;
        if sessions + counters + devices + keys > 0 {
            tracing::debug!(sessions, counters, devices, keys, "removed what had expired");
        }
        Ok(())
    }

    /// Writes when the sessions and keys seen since were last used.
    ///
    /// # Errors
    /// When the database does not take it; those uses are then not shown.
    pub async fn write_touched(&self) -> Result<()> {
        let (touched, services) = (self.touched.take(), self.services_used.take());
        if touched.is_empty() && services.is_empty() {
            return Ok(());
        }
        let mut tx = self.platform.db.begin().await?;
        for (session, (organization, at)) in touched {
            store::session::touch(&mut tx, organization, session, at).await?;
        }
        for (service, (organization, at)) in services {
            store::service_key::touch(&mut tx, organization, service, at).await?;
        }
        tx.commit().await
    }
}
