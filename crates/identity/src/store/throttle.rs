use portico_model::Timestamp;
use portico_model::lockout::FailureCount;
use portico_platform::{Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    failures: i64,
    window_ends_at: Timestamp,
    locked_until: Timestamp,
}

impl From<Row> for FailureCount {
    fn from(row: Row) -> Self {
        Self { failures: row.failures, window_ends_at: row.window_ends_at, locked_until: row.locked_until }
    }
}

pub async fn find(tx: &mut Tx, key: &[u8]) -> Result<FailureCount> {
    let row: Option<Row> = on_db!(tx, conn =>
        sqlx::query_as("select failures, window_ends_at, locked_until from sign_in_throttle where key = $1")
            .bind(key).fetch_optional(conn).await)?;
    Ok(row.map_or(FailureCount::NONE, FailureCount::from))
}

/// The count, locked until the end of the transaction, so that two servers cannot both count from the same number.
pub async fn lock(tx: &mut Tx, key: &[u8]) -> Result<FailureCount> {
    let row: Row = on_db!(tx, conn => sqlx::query_as(
        "insert into sign_in_throttle (key, failures, window_ends_at, locked_until) values ($1, 0, 0, 0)
         on conflict (key) do update set failures = sign_in_throttle.failures
         returning failures, window_ends_at, locked_until",
    ).bind(key).fetch_one(conn).await)?;
    Ok(row.into())
}

pub async fn update(tx: &mut Tx, key: &[u8], count: FailureCount) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update sign_in_throttle set failures = $2, window_ends_at = $3, locked_until = $4 where key = $1",
    ).bind(key).bind(count.failures).bind(count.window_ends_at).bind(count.locked_until)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, key: &[u8]) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from sign_in_throttle where key = $1")
        .bind(key).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes the counts that no longer matter.
pub async fn delete_stale(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from sign_in_throttle where window_ends_at < $1 and locked_until < $1")
        .bind(now).execute(conn).await.map(|result| result.rows_affected()))?)
}
