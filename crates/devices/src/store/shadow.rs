//! Shadows: what people want of a device and what it says it is.

use portico_model::shadow::Shadow;
use portico_model::{DeviceId, OrganizationId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};
use serde_json::Value;

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    desired: String,
    reported: String,
    desired_at: Option<Timestamp>,
    reported_at: Option<Timestamp>,
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<Option<Shadow>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select version, desired, reported, desired_at, reported_at from device_shadow
         where device_id = $1 and organization_id = $2",
    ).bind(device).bind(organization).fetch_optional(conn).await)?;
    row.map(|row| {
        let shadow = Shadow {
            version: row.version,
            desired: serde_json::from_str(&row.desired).map_err(Error::internal)?,
            reported: serde_json::from_str(&row.reported).map_err(Error::internal)?,
            desired_at: row.desired_at,
            reported_at: row.reported_at,
            ..Shadow::empty(device)
        };
        Ok(shadow.compared())
    })
    .transpose()
}

/// The shadow, made if there is none, and locked until the end of the transaction.
pub async fn lock(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<Shadow> {
    // The update takes the row's lock: on PostgreSQL changes of one shadow happen one after the other.
    on_db!(&mut *tx, conn => sqlx::query(
        "insert into device_shadow (device_id, organization_id, version, desired, reported) values ($1, $2, 0, '{}', '{}')
         on conflict (device_id) do update set version = device_shadow.version",
    ).bind(device).bind(organization).execute(conn).await.map(drop))?;
    find(tx, organization, device).await?.ok_or_else(|| Error::internal("a shadow just made is not there"))
}

pub async fn update_desired(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    version: i64,
    desired: &Value,
    at: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device_shadow set version = $3, desired = $4, desired_at = $5
         where device_id = $1 and organization_id = $2",
    ).bind(device).bind(organization).bind(version).bind(desired.to_string()).bind(at)
        .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update_reported(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    reported: &Value,
    at: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device_shadow set reported = $3, reported_at = $4 where device_id = $1 and organization_id = $2",
    ).bind(device).bind(organization).bind(reported.to_string()).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}
