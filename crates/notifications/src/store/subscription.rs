use portico_model::notifications::PushSubscription;
use portico_model::{OrganizationId, PushSubscriptionId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

/// A browser with what pushes to it need, encrypted.
#[derive(sqlx::FromRow)]
pub struct Sealed {
    pub id: PushSubscriptionId,
    pub sealed: Vec<u8>,
}

pub struct New<'a> {
    pub id: PushSubscriptionId,
    pub organization: OrganizationId,
    pub user: UserId,
    pub endpoint_hash: &'a [u8],
    pub name: &'a str,
    pub service: &'a str,
    pub sealed: &'a [u8],
    pub now: Timestamp,
}

pub async fn insert(tx: &mut Tx, new: New<'_>) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into push_subscription (id, organization_id, user_id, endpoint_hash, name, service, sealed, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.id).bind(new.organization).bind(new.user).bind(new.endpoint_hash).bind(new.name).bind(new.service)
    .bind(new.sealed).bind(new.now)
    .execute(conn).await.map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PushSubscriptionId,
    name: String,
    service: String,
    created_at: Timestamp,
}

/// The person's browsers, the newest first.
pub async fn list(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Vec<PushSubscription>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, service, created_at from push_subscription
         where organization_id = $1 and user_id = $2 order by id desc",
    ).bind(organization).bind(user).fetch_all(conn).await)?;
    let subscription =
        |row: Row| PushSubscription { id: row.id, name: row.name, service: row.service, created_at: row.created_at };
    Ok(rows.into_iter().map(subscription).collect())
}

pub async fn sealed_of(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Vec<Sealed>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, sealed from push_subscription where organization_id = $1 and user_id = $2 order by id desc",
    ).bind(organization).bind(user).fetch_all(conn).await)?)
}

/// False when the person has none such.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, user: UserId, id: PushSubscriptionId) -> Result<bool> {
    let row: Option<(PushSubscriptionId,)> = on_db!(tx, conn => sqlx::query_as(
        "delete from push_subscription where organization_id = $1 and user_id = $2 and id = $3 returning id",
    ).bind(organization).bind(user).bind(id).fetch_optional(conn).await)?;
    Ok(row.is_some())
}

/// Whosever it is: the endpoint itself is the proof that it is this browser.
pub async fn delete_endpoint(tx: &mut Tx, endpoint_hash: &[u8]) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from push_subscription where endpoint_hash = $1")
        .bind(endpoint_hash).execute(conn).await.map(drop))?;
    Ok(())
}
