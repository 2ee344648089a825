use portico_model::{OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// Whether this user has signed in from the device before.
pub async fn is_known(tx: &mut Tx, token_hash: &[u8], user: UserId) -> Result<bool> {
    let row: Option<(i64,)> = on_db!(tx, conn =>
        sqlx::query_as("select last_used_at from known_device where token_hash = $1 and user_id = $2")
            .bind(token_hash).bind(user).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Whether anyone has: a device is shared by those who use it, but a token we never gave out is not taken.
pub async fn exists(tx: &mut Tx, token_hash: &[u8]) -> Result<bool> {
    let row: Option<(i64,)> = on_db!(tx, conn =>
        sqlx::query_as("select last_used_at from known_device where token_hash = $1 limit 1")
            .bind(token_hash).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

pub async fn upsert(
    tx: &mut Tx,
    token_hash: &[u8],
    user: UserId,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into known_device (token_hash, user_id, organization_id, last_used_at) values ($1, $2, $3, $4)
         on conflict (token_hash, user_id) do update set last_used_at = excluded.last_used_at",
    ).bind(token_hash).bind(user).bind(organization).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_unused_since(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from known_device where last_used_at < $1")
        .bind(before).execute(conn).await.map(|result| result.rows_affected()))?)
}
