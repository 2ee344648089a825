use portico_model::{OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// Whom a link was sent to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AccountLink {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    /// The address it went to.
    pub email: String,
}

/// As [`insert`] wants it.
pub struct NewLink<'a> {
    pub token_hash: &'a [u8],
    pub organization: OrganizationId,
    pub user: UserId,
    pub purpose: &'static str,
    pub email: &'a str,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

pub async fn insert(tx: &mut Tx, link: NewLink<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into account_link (token_hash, organization_id, user_id, purpose, email, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(link.token_hash).bind(link.organization).bind(link.user).bind(link.purpose).bind(link.email)
    .bind(link.now).bind(link.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// By its token alone: 256 random bits.
pub async fn find(tx: &mut Tx, token_hash: &[u8], purpose: &str, now: Timestamp) -> Result<Option<AccountLink>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, user_id, email from account_link
         where token_hash = $1 and purpose = $2 and expires_at > $3",
    ).bind(token_hash).bind(purpose).bind(now).fetch_optional(conn).await)?)
}

/// Takes it away. Of two who open it at once, one finds it.
pub async fn take(tx: &mut Tx, token_hash: &[u8], purpose: &str, now: Timestamp) -> Result<Option<AccountLink>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "delete from account_link where token_hash = $1 and purpose = $2 and expires_at > $3
         returning organization_id, user_id, email",
    ).bind(token_hash).bind(purpose).bind(now).fetch_optional(conn).await)?)
}

/// How many were sent since.
pub async fn count_since(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    purpose: &str,
    since: Timestamp,
) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from account_link
         where organization_id = $1 and user_id = $2 and purpose = $3 and created_at > $4",
    ).bind(organization).bind(user).bind(purpose).bind(since).fetch_one(conn).await)?;
    Ok(count)
}

pub async fn delete_of_user(tx: &mut Tx, organization: OrganizationId, user: UserId, purpose: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "delete from account_link where organization_id = $1 and user_id = $2 and purpose = $3",
    ).bind(organization).bind(user).bind(purpose).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_expired(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query("delete from account_link where expires_at < $1")
        .bind(before).execute(conn).await.map(|result| result.rows_affected()))?)
}
