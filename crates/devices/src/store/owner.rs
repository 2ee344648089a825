//! A person's devices, for when he is deleted.

use portico_model::{DeviceId, OrganizationId, UserId};
use portico_platform::{Result, Tx, on_db};

/// The devices of a user, with their names.
pub async fn list(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<Vec<(DeviceId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from device where organization_id = $1 and owner_id = $2 and deleted_at is null order by id",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}
