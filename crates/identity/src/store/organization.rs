use portico_model::{OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// The oldest organisation: where the admin token acts and people who sign up go.
pub async fn find_first(tx: &mut Tx) -> Result<Option<OrganizationId>> {
    let row: Option<(OrganizationId,)> = on_db!(tx, conn =>
        sqlx::query_as("select id from organization order by created_at, id limit 1").fetch_optional(conn).await)?;
    Ok(row.map(|(id,)| id))
}

pub async fn find_by_name(tx: &mut Tx, name: &str) -> Result<Option<OrganizationId>> {
    let row: Option<(OrganizationId,)> = on_db!(tx, conn =>
        sqlx::query_as("select id from organization where name = $1 order by created_at, id limit 1")
            .bind(name).fetch_optional(conn).await)?;
    Ok(row.map(|(id,)| id))
}

pub async fn find_name(tx: &mut Tx, id: OrganizationId) -> Result<Option<String>> {
    let row: Option<(String,)> = on_db!(tx, conn => sqlx::query_as("select name from organization where id = $1")
        .bind(id).fetch_optional(conn).await)?;
    Ok(row.map(|(name,)| name))
}

pub async fn insert(tx: &mut Tx, id: OrganizationId, name: &str, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("insert into organization (id, name, created_at) values ($1, $2, $3)")
        .bind(id).bind(name).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn rename(tx: &mut Tx, id: OrganizationId, name: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update organization set name = $2 where id = $1")
        .bind(id).bind(name).execute(conn).await.map(drop))?;
    Ok(())
}

/// Makes changes to the organisation's roles happen one after the other: an update takes the row's lock.
pub async fn lock(tx: &mut Tx, id: OrganizationId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update organization set name = name where id = $1")
        .bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub struct Settings {
    pub name: String,
    pub created_at: Timestamp,
    pub time_zone: Option<String>,
    pub signup: Option<String>,
}

pub async fn find_settings(tx: &mut Tx, id: OrganizationId) -> Result<Option<Settings>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select o.name, o.created_at, s.time_zone, s.signup
         from organization o left join organization_settings s on s.organization_id = o.id where o.id = $1",
    ).bind(id).fetch_optional(conn).await)?)
}

pub async fn set_settings(
    tx: &mut Tx,
    id: OrganizationId,
    time_zone: &str,
    signup: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into organization_settings (organization_id, time_zone, signup, updated_at) values ($1, $2, $3, $4)
         on conflict (organization_id) do update set time_zone = excluded.time_zone, signup = excluded.signup,
           updated_at = excluded.updated_at",
    ).bind(id).bind(time_zone).bind(signup).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}
