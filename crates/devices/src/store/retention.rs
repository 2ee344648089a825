//! How long measurements are kept.

use portico_model::{DeviceId, OrganizationId};
use portico_platform::{Result, Tx, on_db};

/// A rule as stored: the nil device and the empty key stand for all.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    pub organization_id: OrganizationId,
    pub device_id: DeviceId,
    pub key: String,
    pub raw_days: i64,
    pub minute_days: i64,
    pub hour_days: i64,
}

/// Stands for every device.
pub const fn every_device() -> DeviceId {
    DeviceId::from_uuid(uuid::Uuid::nil())
}

/// The rules of all organisations: for the job that applies them.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Row>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, device_id, key, raw_days, minute_days, hour_days from retention",
    ).fetch_all(conn).await)?)
}

pub async fn list(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Row>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, device_id, key, raw_days, minute_days, hour_days from retention
         where organization_id = $1 order by device_id, key",
    ).bind(organization).fetch_all(conn).await)?)
}

pub async fn set(tx: &mut Tx, row: &Row) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into retention (organization_id, device_id, key, raw_days, minute_days, hour_days)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (organization_id, device_id, key) do update set raw_days = excluded.raw_days,
             minute_days = excluded.minute_days, hour_days = excluded.hour_days",
    ).bind(row.organization_id).bind(row.device_id).bind(&row.key).bind(row.raw_days).bind(row.minute_days)
        .bind(row.hour_days).execute(conn).await.map(drop))?;
    Ok(())
}

/// False when there was none.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, device: DeviceId, key: &str) -> Result<bool> {
    let deleted = on_db!(tx, conn => sqlx::query(
        "delete from retention where organization_id = $1 and device_id = $2 and key = $3",
    ).bind(organization).bind(device).bind(key).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}
