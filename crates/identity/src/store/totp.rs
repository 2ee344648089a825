use portico_model::{OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// An app's one-time codes, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct TotpFactor {
    /// Encrypted.
    pub secret: Vec<u8>,
    pub confirmed_at: Option<Timestamp>,
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Option<TotpFactor>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select secret, confirmed_at from totp_factor where organization_id = $1 and user_id = $2",
    ).bind(organization).bind(user).fetch_optional(conn).await)?)
}

/// Begins an enrolment anew. False when there is a confirmed factor already: that one stays.
pub async fn begin(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    secret: &[u8],
    now: Timestamp,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "insert into totp_factor (user_id, organization_id, secret, last_step, created_at) values ($2, $1, $3, 0, $4)
         on conflict (user_id) do update set secret = excluded.secret, last_step = 0, created_at = excluded.created_at
         where totp_factor.confirmed_at is null",
    ).bind(organization).bind(user).bind(secret).bind(now)
    .execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn confirm(tx: &mut Tx, organization: OrganizationId, user: UserId, now: Timestamp) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update totp_factor set confirmed_at = $3
         where organization_id = $1 and user_id = $2 and confirmed_at is null",
    ).bind(organization).bind(user).bind(now).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

/// Uses the time step up. False when it, or a later one, was used before: of two requests with one code, one gets through.
pub async fn use_step(tx: &mut Tx, organization: OrganizationId, user: UserId, step: i64) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update totp_factor set last_step = $3 where organization_id = $1 and user_id = $2 and last_step < $3",
    ).bind(organization).bind(user).bind(step).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query("delete from totp_factor where organization_id = $1 and user_id = $2")
        .bind(organization).bind(user).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

/// Removes enrolments that were never finished.
pub async fn delete_unconfirmed(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from totp_factor where confirmed_at is null and created_at < $1")
        .bind(before).execute(conn).await.map(|result| result.rows_affected()))?)
}
