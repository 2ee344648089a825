//! Old events go.

use std::time::Duration;

use portico_platform::{Result, jobs};

use super::store::{self, BATCH};
use crate::Access;

const CLEAN_EVERY: Duration = Duration::from_secs(600);

const DAY_MS: i64 = 86_400_000;

pub fn spawn(access: &Access) {
    let cleaned = access.clone();
    access.0.platform.tasks.spawn("access log clean-up", move |cancel| {
        let access = cleaned.clone();
        async move {
            let platform = access.0.platform.clone();
            let work = || access.clean_up_log();
            jobs::run_every("access log clean-up", CLEAN_EVERY, platform.db, platform.clock, cancel, work).await;
        }
    });
}

impl Access {
    /// Removes what is older than is kept, in small transactions.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clean_up_log(&self) -> Result<()> {
        let platform = &self.0.platform;
        let days = platform.config.access.log_retention_days.max(1);
        let before = platform.clock.now().plus_millis(-days.saturating_mul(DAY_MS));
        loop {
            let mut tx = platform.db.begin().await?;
            let events = store::delete_before(&mut tx, before).await?;
            let of_locks = store::delete_lock_events_before(&mut tx, before).await?;
            tx.commit().await?;
            if events.max(of_locks) < BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
