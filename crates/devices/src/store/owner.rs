//! A person's devices, for when he is deleted.

use portico_model::{DeviceId, OrganizationId, UserId};
use portico_platform::{Result, Tx, on_db};

/// The devices of a user, with their names.
pub async fn list(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<Vec<(DeviceId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from device where organization_id = $1 and owner_id = $2 and deleted_at is null order by id",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}

/// Who sent commands, uploaded firmware and rolled it out is named by a pseudonym from now on.
pub async fn rename_person(tx: &mut Tx, organization: OrganizationId, label: &str, pseudonym: &str) -> Result<()> {
    for update in [
        "update command set issued_by = $3 where organization_id = $1 and issued_by = $2",
        "update publisher_key set created_by = $3 where organization_id = $1 and created_by = $2",
        "update firmware set created_by = $3 where organization_id = $1 and created_by = $2",
        "update rollout set created_by = $3 where organization_id = $1 and created_by = $2",
    ] {
        on_db!(tx, conn => sqlx::query(update).bind(organization).bind(label).bind(pseudonym)
            .execute(conn).await.map(drop))?;
    }
    Ok(())
}
