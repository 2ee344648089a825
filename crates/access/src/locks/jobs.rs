//! Periodic work: locks that lock themselves, locks that fell silent, history that is too old.

use std::time::Duration;

use portico_model::access::lock::{Bolt, How, LOST_AFTER_MS};
use portico_model::{DeviceId, ErrorKind, OrganizationId};
use portico_platform::{Actor, Result, jobs};
use tokio_util::sync::CancellationToken;

use super::{Operation, store, store_event};
use crate::Access;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const CLEAN_EVERY: Duration = Duration::from_secs(3_600);

/// How long history is kept, milliseconds: two years.
const KEEP_MS: i64 = 730 * 86_400_000;

/// Locks that one round takes.
const ROUND: i64 = 200;

/// How long a command to lock itself waits for a lock that is away, seconds.
const RELOCK_EXPIRES_IN_S: i64 = 120;

/// Until a lock that cannot be told is tried again, seconds.
const RELOCK_AGAIN_S: i64 = 60;

impl Access {
    pub(crate) fn spawn_lock_jobs(&self) {
        let tasks = &self.0.platform.tasks;
        let looked = self.clone();
        // Without a lease: each lock is taken by the server that holds its row.
        tasks.spawn("locks watch", move |cancel| look(looked.clone(), cancel));
        let cleaned = self.clone();
        tasks.spawn("lock history clean-up", move |cancel| {
            let access = cleaned.clone();
            async move {
                let platform = access.0.platform.clone();
                let (db, clock) = (platform.db.clone(), platform.clock.clone());
                jobs::run_every("lock history clean-up", CLEAN_EVERY, db, clock, cancel, || {
                    access.clean_lock_history()
                })
                .await;
            }
        });
    }

    /// Locks what is due to be locked, and says of locks that are silent for too long that nobody knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn watch_locks(&self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let silent_since = now.plus_millis(-LOST_AFTER_MS);
        let mut tx = self.0.platform.db.read().await?;
        let due = store::to_relock(&mut tx, now, ROUND).await?;
        let silent = store::silent(&mut tx, silent_since, ROUND).await?;
        drop(tx);
        for (organization, id) in due {
            self.relock(organization, id).await?;
        }
        for (organization, id) in silent {
            self.lose_lock(organization, id, silent_since).await?;
        }
        Ok(())
    }

    async fn relock(&self, organization: OrganizationId, id: DeviceId) -> Result<()> {
        let actor = Actor::system(organization);
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.begin().await?;
        store::hold_device(&mut tx, id).await?;
        let Some(mut found) = store::find_held(&mut tx, organization, id).await? else { return Ok(()) };
        if found.lock.relock_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let operation =
            Operation { expires_in_s: Some(RELOCK_EXPIRES_IN_S), ..Operation::new(Bolt::Locked, How::Relock) };
        match self.operate_in(&mut tx, &actor, organization, id, operation).await {
            Ok(step) => {
                tx.commit().await?;
                self.announce_lock(step);
                Ok(())
            }
            // Not in use, or too many commands wait: later.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                tx.rollback().await?;
                let mut tx = self.0.platform.db.begin().await?;
                found.lock.relock_at = Some(now.plus_secs(RELOCK_AGAIN_S));
                store::update_settings(&mut tx, organization, &found.lock, now).await?;
                tx.commit().await
            }
            Err(error) => Err(error),
        }
    }

    async fn clean_lock_history(&self) -> Result<()> {
        let before = self.0.platform.clock.now().plus_millis(-KEEP_MS);
        loop {
            let mut tx = self.0.platform.db.begin().await?;
            let removed = store_event::delete_older(&mut tx, before, 1_000).await?;
            tx.commit().await?;
            if removed == 0 {
                return Ok(());
            }
        }
    }
}

async fn look(access: Access, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = access.watch_locks().await {
            tracing::warn!(error = %error, "locks not looked at; trying again");
        }
    }
}
