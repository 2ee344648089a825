use portico_model::Timestamp;
use portico_platform::{Result, Tx, on_db};

pub async fn insert(tx: &mut Tx, token_hash: &[u8], expires_at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("insert into setup_token (token_hash, expires_at) values ($1, $2)")
        .bind(token_hash).bind(expires_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn is_valid(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = on_db!(tx, conn =>
        sqlx::query_as("select expires_at from setup_token where token_hash = $1 and expires_at > $2")
            .bind(token_hash).bind(now).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Deletes every token if this one is valid. Of two at once, one finds nothing left to delete: true for the other only.
pub async fn consume(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> Result<bool> {
    if !is_valid(tx, token_hash, now).await? {
        return Ok(false);
    }
    let deleted = on_db!(tx, conn => sqlx::query("delete from setup_token where token_hash = $1")
        .bind(token_hash).execute(conn).await.map(|result| result.rows_affected()))?;
    delete_all(tx).await?;
    Ok(deleted == 1)
}

pub async fn delete_all(tx: &mut Tx) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from setup_token").execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from setup_token where expires_at < $1").bind(now).execute(conn).await.map(drop))?;
    Ok(())
}
