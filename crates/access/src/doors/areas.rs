//! SQL of groups of doors and of zones.

use portico_model::access::door::{DoorGroup, PassbackRule, Zone};
use portico_model::{DoorGroupId, DoorId, OrganizationId, Timestamp, ZoneId};
use portico_platform::{Error, Result, Tx, on_db};

use super::groups::sorted;

/// By name, with their doors.
pub async fn groups(tx: &mut Tx, organization: OrganizationId, only: Option<DoorGroupId>) -> Result<Vec<DoorGroup>> {
    let rows: Vec<(DoorGroupId, String, String, Timestamp)> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, description, created_at from access_door_group
         where organization_id = $1 and ($2 is null or id = $2) order by name, id",
    ).bind(organization).bind(only).fetch_all(conn).await)?;
    let members: Vec<(DoorGroupId, DoorId)> = on_db!(tx, conn => sqlx::query_as(
        "select group_id, door_id from access_door_group_member
         where organization_id = $1 and ($2 is null or group_id = $2) order by group_id, door_id",
    ).bind(organization).bind(only).fetch_all(conn).await)?;
    let of = |group| members.iter().filter(|(of, _)| *of == group).map(|(_, door)| *door).collect();
    Ok(rows
        .into_iter()
        .map(|(id, name, description, created_at)| DoorGroup { id, name, description, door_ids: of(id), created_at })
        .collect())
}

pub async fn save_group(
    tx: &mut Tx,
    organization: OrganizationId,
    id: DoorGroupId,
    name: &str,
    description: &str,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_door_group (id, organization_id, name, description, created_at) values ($1, $2, $3, $4, $5)
         on conflict (id) do update set name = excluded.name, description = excluded.description",
    ).bind(id).bind(organization).bind(name).bind(description).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Exactly these doors.
pub async fn set_members(
    tx: &mut Tx,
    organization: OrganizationId,
    group: DoorGroupId,
    doors: &[DoorId],
) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_door_group_member where organization_id = $1 and group_id = $2")
        .bind(organization).bind(group).execute(conn).await.map(drop))?;
    for door in doors {
        on_db!(tx, conn => sqlx::query(
            "insert into access_door_group_member (group_id, door_id, organization_id) values ($1, $2, $3)",
        ).bind(group).bind(door).bind(organization).execute(conn).await.map(drop))?;
    }
    Ok(())
}

/// False when there is none.
pub async fn delete_group(tx: &mut Tx, organization: OrganizationId, id: DoorGroupId) -> Result<bool> {
    let gone = on_db!(tx, conn => sqlx::query("delete from access_door_group where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}

/// All doors, in the order of their ids.
pub async fn door_ids(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<DoorId>> {
    let ids = on_db!(tx, conn => sqlx::query_scalar("select id from access_door where organization_id = $1")
        .bind(organization).fetch_all(conn).await)?;
    Ok(sorted(ids))
}

#[derive(sqlx::FromRow)]
struct ZoneRow {
    id: ZoneId,
    parent_id: Option<ZoneId>,
    name: String,
    passback: String,
    reset_after_s: Option<i64>,
    people: i64,
    created_at: Timestamp,
}

/// By name.
pub async fn zones(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Zone>> {
    let rows: Vec<ZoneRow> = on_db!(tx, conn => sqlx::query_as(
        "select z.id, z.parent_id, z.name, z.passback, z.reset_after_s, z.created_at,
                (select count(*) from access_presence p where p.zone_id = z.id) as people
         from access_zone z where z.organization_id = $1 order by z.name, z.id",
    ).bind(organization).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|row| {
            let passback = PassbackRule::parse(&row.passback)
                .ok_or_else(|| Error::internal(format!("access_zone.passback holds {:?}", row.passback)))?;
            Ok(Zone {
                id: row.id,
                parent_id: row.parent_id,
                name: row.name,
                passback,
                reset_after_s: row.reset_after_s,
                people: row.people,
                created_at: row.created_at,
            })
        })
        .collect()
}

pub async fn save_zone(tx: &mut Tx, organization: OrganizationId, zone: &Zone) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_zone (id, organization_id, parent_id, name, passback, reset_after_s, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (id) do update set parent_id = excluded.parent_id, name = excluded.name,
             passback = excluded.passback, reset_after_s = excluded.reset_after_s",
    )
    .bind(zone.id).bind(organization).bind(zone.parent_id).bind(&zone.name).bind(zone.passback.as_str())
    .bind(zone.reset_after_s).bind(zone.created_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// False when there is none.
pub async fn delete_zone(tx: &mut Tx, organization: OrganizationId, id: ZoneId) -> Result<bool> {
    for text in [
        "update access_zone set parent_id = (select z.parent_id from access_zone z where z.id = $2)
         where organization_id = $1 and parent_id = $2",
        "update access_door set into_zone_id = null where organization_id = $1 and into_zone_id = $2",
        "update access_door set from_zone_id = null where organization_id = $1 and from_zone_id = $2",
    ] {
        on_db!(tx, conn => sqlx::query(text).bind(organization).bind(id).execute(conn).await.map(drop))?;
    }
    let gone = on_db!(tx, conn => sqlx::query("delete from access_zone where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(gone > 0)
}
