//! Periodic work: number plates are forgotten.

use std::time::Duration;

use portico_platform::Result;

use super::store;
use crate::Parking;
use crate::jobs::periodic;

const FORGET_EVERY: Duration = Duration::from_secs(3_600);

pub(crate) fn spawn(parking: &Parking) {
    periodic(parking, "parking plates", FORGET_EVERY, Parking::forget_plates);
}

impl Parking {
    /// Forgets the plates of vehicles that have left long enough ago (`parking.plate_retention_days`).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_plates(self) -> Result<()> {
        let platform = &self.0.platform;
        let before = platform.clock.now().plus_secs(-platform.config.parking.plate_retention_days * 86_400);
        let mut tx = platform.db.begin().await?;
        let gone = store::forget_plates(&mut tx, before).await?;
        tx.commit().await?;
        if gone > 0 {
            tracing::info!(plates = gone, "old number plates forgotten");
        }
        Ok(())
    }
}
