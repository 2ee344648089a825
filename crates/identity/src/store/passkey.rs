use portico_model::identity::Passkey;
use portico_model::{OrganizationId, PasskeyId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// A passkey with what only the server may see.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredPasskey {
    pub id: PasskeyId,
    /// The public key with its counter, as JSON.
    pub credential: String,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl From<StoredPasskey> for Passkey {
    fn from(stored: StoredPasskey) -> Self {
        Self { id: stored.id, name: stored.name, created_at: stored.created_at, last_used_at: stored.last_used_at }
    }
}

pub async fn list(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Vec<StoredPasskey>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, credential, name, created_at, last_used_at from passkey
         where organization_id = $1 and user_id = $2 order by id limit 100",
    ).bind(organization).bind(user).fetch_all(conn).await)?)
}

pub async fn count(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<i64> {
    let (count,): (i64,) = on_db!(tx, conn => sqlx::query_as(
        "select count(*) from passkey where organization_id = $1 and user_id = $2",
    ).bind(organization).bind(user).fetch_one(conn).await)?;
    Ok(count)
}

/// By what the authenticator calls it, in whatever organisation: signing in is how the organisation is found. The row
/// stays locked on PostgreSQL, so that two uses at once cannot both go from the same counter.
pub async fn lock_by_credential(
    tx: &mut Tx,
    credential_id: &[u8],
) -> Result<Option<(OrganizationId, UserId, StoredPasskey)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        organization_id: OrganizationId,
        user_id: UserId,
        #[sqlx(flatten)]
        passkey: StoredPasskey,
    }
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "update passkey set name = name where credential_id = $1
         returning organization_id, user_id, id, credential, name, created_at, last_used_at",
    ).bind(credential_id).fetch_optional(conn).await)?;
    Ok(row.map(|row| (row.organization_id, row.user_id, row.passkey)))
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    id: PasskeyId,
    (credential_id, credential): (&[u8], &str),
    name: &str,
    now: Timestamp,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "insert into passkey (id, organization_id, user_id, credential_id, credential, name, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (credential_id) do nothing",
    ).bind(id).bind(organization).bind(user).bind(credential_id).bind(credential).bind(name).bind(now)
    .execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn set_used(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PasskeyId,
    credential: &str,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update passkey set credential = $3, last_used_at = $4 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(credential).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn rename(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
    id: PasskeyId,
    name: &str,
) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update passkey set name = $4 where organization_id = $1 and user_id = $2 and id = $3",
    ).bind(organization).bind(user).bind(id).bind(name).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, user: UserId, id: PasskeyId) -> Result<bool> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from passkey where organization_id = $1 and user_id = $2 and id = $3",
    ).bind(organization).bind(user).bind(id).execute(conn).await.map(|result| result.rows_affected() == 1))?)
}
