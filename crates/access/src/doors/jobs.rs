//! Periodic work: modes that end, doors that stand open for too long.

use std::time::Duration;

use portico_platform::Result;
use tokio_util::sync::CancellationToken;

use crate::Access;
use crate::doors::store;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn spawn(access: &Access) {
    let looked = access.clone();
    // Without a lease: rows that are due are locked, so one server takes each.
    access.0.platform.tasks.spawn("doors", move |cancel| look(looked.clone(), cancel));
}

async fn look(access: Access, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
        if let Err(error) = access.look_at_doors().await {
            tracing::warn!(error = %error, "doors not looked at; trying again");
        }
    }
}

impl Access {
    /// Ends modes whose time is over and reports doors that stand open for too long.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look_at_doors(&self) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let any = store::any_due(&mut tx, now).await?;
        drop(tx);
        if !any {
            return Ok(());
        }
        let mut tx = platform.db.begin().await?;
        let (ended, mut logged, steps) = self.end_modes(&mut tx, now).await?;
        let (held, held_logged, changes) = self.find_held(&mut tx, now).await?;
        tx.commit().await?;
        logged.extend(held_logged);
        for (organization, step) in steps {
            self.announce_step(organization, step);
        }
        self.0.alarms.announce(changes);
        for one in logged {
            self.announce_event(one);
        }
        for gate in ended.into_iter().chain(held) {
            self.show_doors(gate.organization, [gate.id]).await;
        }
        Ok(())
    }
}
