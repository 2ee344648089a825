//! A number that grows with every change of a spot: by it, what is held in memory is brought up to date.

use portico_model::OrganizationId;
use portico_platform::{Result, Tx, on_db};

/// The newest change, and the newest that touched more than single spots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub newest: i64,
    pub whole: i64,
}

/// Nobody else changes spots until this transaction ends: so the order of numbers is that of commits, and two writers do not
/// wait for each other. SQLite has one writer in any case.
pub async fn lock(tx: &mut Tx, organization: OrganizationId) -> Result<()> {
    if !tx.is_postgres() {
        return Ok(());
    }
    on_db!(tx, conn => sqlx::query(
        "insert into parking_version (organization_id, version, whole) values ($1, 0, 0)
         on conflict (organization_id) do update set version = parking_version.version",
    ).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// The number for the changes of this transaction; comes before them.
pub async fn next(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "insert into parking_version (organization_id, version, whole) values ($1, 1, 0)
         on conflict (organization_id) do update set version = parking_version.version + 1 returning version",
    ).bind(organization).fetch_one(conn).await)?)
}

/// As [`next`], for what touches more than single spots: lots, levels, spots that are removed.
pub async fn next_whole(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "insert into parking_version (organization_id, version, whole) values ($1, 1, 1)
         on conflict (organization_id) do update set version = parking_version.version + 1,
             whole = parking_version.version + 1 returning version",
    ).bind(organization).fetch_one(conn).await)?)
}

/// With the time zone of the organisation, by which lots go that have none of their own; empty: it has none.
pub async fn current(tx: &mut Tx, organization: OrganizationId) -> Result<(Version, String)> {
    let found: Option<(i64, i64, Option<String>)> = on_db!(tx, conn => sqlx::query_as(
        "select version, whole,
             (select o.time_zone from organization_settings o where o.organization_id = v.organization_id)
         from parking_version v where organization_id = $1",
    ).bind(organization).fetch_optional(conn).await)?;
    Ok(found.map(|(newest, whole, zone)| (Version { newest, whole }, zone.unwrap_or_default())).unwrap_or_default())
}
