//! Periodic work: changes that lasted, sensors that fell silent, measurements that are too old.

use std::time::Duration;

use portico_model::OrganizationId;
use portico_model::parking::spot::SpotState;
use portico_platform::Result;

use super::writer::Changed;
use super::{store, trouble};
use crate::jobs::periodic;
use crate::{Parking, spots};

const SETTLE_EVERY: Duration = Duration::from_secs(1);
const SILENCE_EVERY: Duration = Duration::from_secs(15);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

pub fn spawn(parking: &Parking) {
    let tasks = &parking.0.platform.tasks;
    let one = parking.clone();
    tasks.spawn("parking readings", move |cancel| one.clone().write_readings(cancel));
    periodic(parking, "parking settling", SETTLE_EVERY, Parking::settle_doubts);
    periodic(parking, "parking silence", SILENCE_EVERY, Parking::find_silent);
    periodic(parking, "parking forgetting", FORGET_EVERY, Parking::forget_readings);
}

impl Parking {
    /// Believes changes that nothing has contradicted for long enough.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settle_doubts(self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let organizations = store::organizations_in_doubt(&mut tx, now).await?;
        drop(tx);
        for organization in organizations {
            let (mut tx, version, held) = self.begin_spots(organization).await?;
            let mut changed = Changed::default();
            let mut settled = Vec::new();
            for mut sensor in store::in_doubt(&mut tx, organization, now).await? {
                let spot = sensor.spot_id.and_then(|spot| held.spot(spot));
                if !sensor.belief.settle(now, held.debounce_ms(spot)) {
                    continue;
                }
                if let Some(spot) = sensor.spot_id.filter(|_| !sensor.is_silent) {
                    let since = sensor.belief.since.unwrap_or(now);
                    spots::store::set_state(&mut tx, spot, sensor.belief.state(), since, version).await?;
                    changed.spots.push(spot);
                    if sensor.belief.occupied == Some(true) {
                        let lead_ms = held.spot(spot).map_or(0, |spot| held.lead_ms(spot.lot_id));
                        changed.arrived.extend(self.note_arrival(&mut tx, organization, spot, lead_ms, since).await?);
                    }
                }
                settled.push(sensor);
            }
            store::save(&mut tx, organization, &settled.iter().collect::<Vec<_>>()).await?;
            tx.commit().await?;
            self.announce_changed(organization, changed).await;
        }
        Ok(())
    }

    /// Makes spots unknown whose sensors have fallen silent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_silent(self) -> Result<()> {
        let now = self.0.platform.clock.now();
        let mut tx = self.0.platform.db.read().await?;
        let silent = store::fallen_silent(&mut tx, now).await?;
        drop(tx);
        for of_one in silent.chunk_by(|one, other| one.0 == other.0) {
            let Some((organization, _)) = of_one.first() else { continue };
            self.silence(*organization, of_one.iter().map(|(_, sensor)| *sensor)).await?;
        }
        Ok(())
    }

    async fn silence(
        &self,
        organization: OrganizationId,
        sensors: impl Iterator<Item = portico_model::ParkingSensorId> + Send,
    ) -> Result<()> {
        let now = self.0.platform.clock.now();
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let mut changed = Changed { sensors: true, ..Changed::default() };
        for id in sensors {
            // Heard meanwhile, or without a spot: then it is not.
            let Some(mut sensor) = store::get(&mut tx, organization, id).await? else { continue };
            let Some(spot) = sensor.spot_id.and_then(|spot| held.spot(spot)) else { continue };
            let stale_ms = held.lot(spot.lot_id).map_or(i64::MAX, |lot| lot.stale_after_minutes * 60_000);
            if sensor.is_silent || now.millis_since(sensor.heard_at) <= stale_ms {
                continue;
            }
            sensor.is_silent = true;
            store::save(&mut tx, organization, &[&sensor]).await?;
            spots::store::set_state(&mut tx, spot.key, SpotState::Unknown, now, version).await?;
            changed.spots.push(spot.key);
            let alarm = trouble::of_silence(&self.0.alarms, &mut tx, organization, &sensor, &spot.id).await?;
            changed.alarms.extend(alarm);
        }
        tx.commit().await?;
        self.announce_changed(organization, changed).await;
        Ok(())
    }

    async fn forget_readings(self) -> Result<()> {
        let platform = &self.0.platform;
        let before = platform.clock.now().plus_secs(-platform.config.parking.reading_retention_days * 86_400);
        let mut tx = platform.db.begin().await?;
        let gone = store::forget_readings(&mut tx, before).await?;
        tx.commit().await?;
        if gone > 0 {
            tracing::info!(readings = gone, "old measurements of parking sensors removed");
        }
        Ok(())
    }
}
