//! Figures about devices and their measurements.

use portico_model::devices::Connection;
use portico_model::identity::Permission;
use portico_model::statistics::DeviceStatistics;
use portico_platform::{Actor, Result};

use crate::Devices;
use crate::store::{device, read};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Over how many whole minutes the rate is taken.
const RATE_MINUTES: i64 = 5;

impl Devices {
    /// The organisation's devices and measurements in numbers. Needs `ManageOrganization`.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn statistics(&self, actor: &Actor) -> Result<DeviceStatistics> {
        actor.require(Permission::ManageOrganization)?;
        let organization = actor.organization;
        let now = self.now();
        let whole = |unit_ms: i64| now.millis().div_euclid(unit_ms) * unit_ms;
        let (minute, hour) = (whole(MINUTE_MS), whole(HOUR_MS));
        let mut tx = self.0.platform.db.read().await?;
        let recent = read::count_minutes(&mut tx, organization, minute - RATE_MINUTES * MINUTE_MS, minute).await?;
        let mut statistics = DeviceStatistics {
            series: read::count_series(&mut tx, organization).await?,
            #[allow(clippy::cast_precision_loss)] // a rate is shown with three digits
            points_per_s: recent as f64 / (RATE_MINUTES * 60) as f64,
            points_last_hour: read::count_minutes(&mut tx, organization, minute - HOUR_MS, minute).await?,
            points_last_day: read::count_hours(&mut tx, organization, hour - 23 * HOUR_MS, hour + HOUR_MS).await?,
            ..DeviceStatistics::default()
        };
        for (status, connection, count) in device::counts(&mut tx, organization, None).await? {
            statistics.total += count;
            *statistics.by_status.entry(status).or_default() += count;
            match Connection::parse(&connection) {
                Some(Connection::Online) => statistics.online += count,
                Some(Connection::Offline) => statistics.offline += count,
                Some(Connection::Never) | None => statistics.never += count,
            }
        }
        Ok(statistics)
    }
}
