//! Periodic work: who parked without an account is forgotten some days after the end of the stay.

use std::time::Duration;

use portico_platform::Result;

use super::store;
use crate::Parking;
use crate::jobs::periodic;

const FORGET_EVERY: Duration = Duration::from_secs(3_600);

pub(crate) fn spawn(parking: &Parking) {
    periodic(parking, "parking guests", FORGET_EVERY, Parking::forget_guests);
}

impl Parking {
    /// Blanks e-mail addresses and number plates of stays that ended long enough ago.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_guests(self) -> Result<()> {
        let platform = &self.0.platform;
        let before = platform.clock.now().plus_secs(-platform.config.parking.guest_retention_days * 86_400);
        let mut tx = platform.db.begin().await?;
        let gone = store::forget_guests(&mut tx, before).await?;
        tx.commit().await?;
        if gone > 0 {
            tracing::info!(stays = gone, "who parked without an account is forgotten");
        }
        Ok(())
    }
}
