//! A number that grows with every change of who may go where: readers see by it that they must be told anew.

use portico_model::OrganizationId;
use portico_platform::{Result, Tx, on_db};

/// Makes it grow, in the transaction of the change; the new number.
pub async fn bump(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "insert into access_version (organization_id, version) values ($1, 1)
         on conflict (organization_id) do update set version = access_version.version + 1 returning version",
    ).bind(organization).fetch_one(conn).await)?)
}

/// The number now; 0 while nothing has been said.
pub async fn current(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    let found: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select version from access_version where organization_id = $1",
    ).bind(organization).fetch_optional(conn).await)?;
    Ok(found.unwrap_or_default())
}
