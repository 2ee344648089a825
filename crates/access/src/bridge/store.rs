//! SQL of the bridge.

use portico_model::{DeviceId, OrganizationId};
use portico_platform::{Result, Tx, on_db};

/// The organisation, when there is one alone.
pub async fn only_organization(tx: &mut Tx) -> Result<Option<OrganizationId>> {
    let found: Vec<OrganizationId> = on_db!(tx, conn => sqlx::query_scalar("select id from organization order by id limit 2").fetch_all(conn).await)?;
    Ok(if let [only] = found[..] { Some(only) } else { None })
}

/// From now on the lock is shown as one that proves nothing.
pub async fn mark_lock(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_lock set is_bridged = true where device_id = $1 and organization_id = $2 and not is_bridged",
    ).bind(device).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}
