use portico_model::{OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    code_hash: &[u8],
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into recovery_code (code_hash, organization_id, user_id, created_at) values ($1, $2, $3, $4)",
    ).bind(code_hash).bind(organization).bind(user).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Uses the code up. False when there is none such: of two requests with one code, one gets through.
pub async fn consume(tx: &mut Tx, organization: OrganizationId, user: UserId, code_hash: &[u8]) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from recovery_code where organization_id = $1 and user_id = $2 and code_hash = $3",
    ).bind(organization).bind(user).bind(code_hash).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn count(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from recovery_code where organization_id = $1 and user_id = $2",
    ).bind(organization).bind(user).fetch_one(conn).await)?;
    Ok(count)
}

pub async fn delete_all(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from recovery_code where organization_id = $1 and user_id = $2")
        .bind(organization).bind(user).execute(conn).await.map(drop))?;
    Ok(())
}
