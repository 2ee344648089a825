//! SQL of offline grants.

use portico_model::{DeviceId, LockEventId, OfflineGrantId, OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

use super::Issued;

/// A grant that a lock is to be told about.
#[derive(sqlx::FromRow)]
pub struct Revoked {
    pub id: OfflineGrantId,
    pub organization_id: OrganizationId,
    pub device_id: DeviceId,
    pub expires_at: Timestamp,
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    holder: &[u8; 32],
    grant: &Issued,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_offline_grant (id, organization_id, device_id, user_id, holder, issued_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(grant.id).bind(organization).bind(grant.lock).bind(user).bind(holder.as_slice()).bind(grant.issued_at)
    .bind(grant.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// In how many other browsers a person has grants for a lock.
pub async fn count_others(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    user: UserId,
    holder: &[u8; 32],
    now: Timestamp,
) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(distinct holder) from access_offline_grant
         where organization_id = $1 and device_id = $2 and user_id = $3 and holder <> $4 and revoked_at is null
           and expires_at > $5",
    ).bind(organization).bind(lock).bind(user).bind(holder.as_slice()).bind(now).fetch_one(conn).await)?)
}

pub async fn revoke(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_offline_grant set revoked_at = $4
         where organization_id = $1 and device_id = $2 and ($3 is null or user_id = $3) and revoked_at is null
           and expires_at > $4",
    ).bind(organization).bind(lock).bind(user).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Taken back, still good by its date, and the lock does not know, of all organisations.
pub async fn to_tell(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Revoked>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, device_id, expires_at from access_offline_grant
         where revoked_at is not null and told_at is null and expires_at > $1 order by revoked_at, id limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

pub async fn mark_told(tx: &mut Tx, id: OfflineGrantId, now: Timestamp) -> Result<bool> {
    let marked = on_db!(tx, conn => sqlx::query(
        "update access_offline_grant set told_at = $2 where id = $1 and told_at is null",
    ).bind(id).bind(now).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(marked > 0)
}

pub async fn user_of(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    id: OfflineGrantId,
) -> Result<Option<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select u.username from access_offline_grant g
         join user_account u on u.id = g.user_id and u.organization_id = g.organization_id
         where g.organization_id = $1 and g.device_id = $2 and g.id = $3",
    ).bind(organization).bind(lock).bind(id).fetch_optional(conn).await)?)
}

pub async fn is_noted(tx: &mut Tx, organization: OrganizationId, lock: DeviceId, note: &str) -> Result<bool> {
    let found: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select 1 from access_lock_event
         where organization_id = $1 and device_id = $2 and how = 'bluetooth' and note = $3 limit 1",
    ).bind(organization).bind(lock).bind(note).fetch_optional(conn).await.map(|one: Option<i32>| one.map(i64::from)))?;
    Ok(found.is_some())
}

/// A line of a lock's history: done over Bluetooth.
pub struct Line {
    pub at: Timestamp,
    /// `lock` or `unlock`.
    pub kind: &'static str,
    pub actor: String,
    pub result: &'static str,
    pub note: String,
}

pub async fn insert_line(tx: &mut Tx, organization: OrganizationId, lock: DeviceId, line: &Line) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_lock_event (id, organization_id, device_id, at, kind, actor, how, result, note)
         values ($1, $2, $3, $4, $5, $6, 'bluetooth', $7, $8)",
    )
    .bind(LockEventId::generate()).bind(organization).bind(lock).bind(line.at).bind(line.kind).bind(&line.actor)
    .bind(line.result).bind(&line.note).execute(conn).await.map(drop))?;
    Ok(())
}
