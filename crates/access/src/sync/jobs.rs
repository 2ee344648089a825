//! Readers that are behind are told to fetch.

use std::time::Duration;

use portico_model::{DeviceId, ErrorKind, OrganizationId};
use portico_platform::{Result, jobs};

use super::{TABLE_S, TELL_EVERY_S, store};
use crate::{Access, version};

const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Readers that one round tells.
const ROUND: i64 = 200;

/// Begins to tell them.
pub(crate) fn spawn(access: &Access) {
    let access = access.clone();
    access.0.platform.tasks.clone().spawn("reader sync", move |cancel| {
        let access = access.clone();
        async move {
            let platform = access.0.platform.clone();
            jobs::run_every("reader sync", LOOK_EVERY, platform.db, platform.clock, cancel, || access.tell_readers())
                .await;
        }
    });
}

impl Access {
    /// Tells readers that are behind. Called by a task; tests call it themselves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tell_readers(&self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let (told_before, half_over) = (now.plus_secs(-TELL_EVERY_S), now.plus_secs(TABLE_S / 2));
        let behind = store::behind(&mut tx, told_before, half_over, ROUND).await?;
        drop(tx);
        for (organization, reader) in behind {
            self.tell_reader(organization, reader).await?;
        }
        Ok(())
    }

    async fn tell_reader(&self, organization: OrganizationId, reader: DeviceId) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.begin().await?;
        let version = version::current(&mut tx, organization).await?;
        let step = match self.tell_to_sync(&mut tx, organization, reader, version, now).await {
            Ok(step) => Some(step),
            // It takes no commands now: asked again later.
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                store::set_told(&mut tx, organization, reader, now).await?;
                None
            }
            Err(error) => return Err(error),
        };
        tx.commit().await?;
        if let Some(step) = step {
            self.0.devices.announce_command(organization, step);
        }
        Ok(())
    }
}
