//! The building's time as those see it who decide about a door.

use portico_identity::local_time::{Wall, zone_of};
use portico_lock_core::schedule::LocalTime;
use portico_model::{OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// The building's time at a moment, and whether that day is a holiday there.
pub async fn local_time(tx: &mut Tx, organization: OrganizationId, at: Timestamp) -> Result<LocalTime> {
    let zone = zone_of(tx, organization).await?;
    let wall = Wall::of(&zone, at);
    let holidays: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_holiday where organization_id = $1 and date = $2",
    ).bind(organization).bind(wall.date()).fetch_one(conn).await)?;
    Ok(LocalTime { weekday: wall.weekday(), minute: wall.minute(), holiday: holidays > 0 })
}
