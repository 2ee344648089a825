//! API keys, by their hash.

use portico_model::{ApiKeyId, DeviceId, OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// A key that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    pub id: ApiKeyId,
    pub device_id: DeviceId,
    pub expires_at: Option<Timestamp>,
}

pub async fn find(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<Found>> {
    Ok(on_db!(tx, conn => sqlx::query_as("select id, device_id, expires_at from device_key where key_hash = $1")
        .bind(hash.to_vec()).fetch_optional(conn).await)?)
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into device_key (id, organization_id, device_id, key_hash, created_at) values ($1, $2, $3, $4, $5)",
    ).bind(ApiKeyId::generate()).bind(organization).bind(device).bind(hash.to_vec()).bind(now)
        .execute(conn).await.map(drop))?;
    Ok(())
}

/// Lets the device's keys expire then, unless they expire sooner anyway.
pub async fn expire_all(tx: &mut Tx, organization: OrganizationId, device: DeviceId, at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device_key set expires_at = $3
         where organization_id = $1 and device_id = $2 and (expires_at is null or expires_at > $3)",
    ).bind(organization).bind(device).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_all(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from device_key where organization_id = $1 and device_id = $2")
        .bind(organization).bind(device).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes what has expired, of all organisations; the devices whose keys they were.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<Vec<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "delete from device_key where expires_at is not null and expires_at <= $1 returning device_id",
    ).bind(now).fetch_all(conn).await)?)
}

pub async fn touch(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update device_key set last_used_at = $2 where id = $1")
        .bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether there is anything for [`delete_expired`].
pub async fn any_expired(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<ApiKeyId> = on_db!(tx, conn => sqlx::query_scalar(
        "select id from device_key where expires_at is not null and expires_at <= $1 limit 1",
    ).bind(now).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// The key by which the device is signed to: the newest that it has used, else the newest.
pub async fn find_current(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    now: Timestamp,
) -> Result<Option<ApiKeyId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from device_key
         where organization_id = $1 and device_id = $2 and (expires_at is null or expires_at > $3)
         order by last_used_at is null, created_at desc, id desc limit 1",
    ).bind(organization).bind(device).bind(now).fetch_optional(conn).await)?)
}
