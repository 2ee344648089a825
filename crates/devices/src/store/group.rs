//! Groups of devices and their members. `viewer` restricts what is counted and listed to the devices of one person; `None`
//! sees all of the organisation.

use portico_model::devices::{Device, DeviceStatus};
use portico_model::groups::{Group, GroupOfDevice, Membership};
use portico_model::{DeviceId, GroupId, OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};

use super::device::{self, device_columns};

#[derive(sqlx::FromRow)]
struct Row {
    id: GroupId,
    name: String,
    description: Option<String>,
    color: Option<String>,
    owner_id: UserId,
    owner_name: Option<String>,
    device_count: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Row> for Group {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            color: row.color,
            owner_id: row.owner_id,
            owner_name: row.owner_name.unwrap_or_default(),
            device_count: row.device_count,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    device: device::Row,
    added_at: Timestamp,
}

/// `$1` the organisation, `$2` the viewer.
macro_rules! select_group {
    ($rest:literal) => {
        concat!(
            "select g.id, g.name, g.description, g.color, g.owner_id, u.username as owner_name, g.created_at, g.updated_at,
                    (select count(*) from device_group_member m join device d on d.id = m.device_id
                     where m.group_id = g.id and d.deleted_at is null and ($2 is null or d.owner_id = $2)) as device_count
             from device_group g left join user_account u on u.id = g.owner_id and u.organization_id = g.organization_id
             where g.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(
    tx: &mut Tx,
    organization: OrganizationId,
    viewer: Option<UserId>,
    id: GroupId,
) -> Result<Option<Group>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_group!("and g.id = $3"))
        .bind(organization).bind(viewer).bind(id).fetch_optional(conn).await)?;
    Ok(row.map(Group::from))
}

/// By name. `owner`: only this person's.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    viewer: Option<UserId>,
    owner: Option<UserId>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Group>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_group!(
        "and ($3 is null or g.owner_id = $3) order by g.name, g.id limit $4 offset $5"
    )).bind(organization).bind(viewer).bind(owner).bind(limit).bind(offset).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Group::from).collect())
}

pub async fn count(tx: &mut Tx, organization: OrganizationId, owner: Option<UserId>) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device_group where organization_id = $1 and ($2 is null or owner_id = $2)",
    ).bind(organization).bind(owner).fetch_one(conn).await)?)
}

/// Whether the owner has another group of this name.
pub async fn name_is_taken(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: UserId,
    name: &str,
    except: GroupId,
) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device_group where organization_id = $1 and owner_id = $2 and name = $3 and id <> $4",
    ).bind(organization).bind(owner).bind(name).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, group: &Group) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into device_group (id, organization_id, owner_id, name, description, color, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(group.id).bind(organization).bind(group.owner_id).bind(&group.name).bind(&group.description)
    .bind(&group.color).bind(group.created_at).bind(group.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update(tx: &mut Tx, organization: OrganizationId, group: &Group) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device_group set name = $3, description = $4, color = $5, updated_at = $6
         where id = $1 and organization_id = $2",
    )
    .bind(group.id).bind(organization).bind(&group.name).bind(&group.description).bind(&group.color)
    .bind(group.updated_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// With its memberships; the devices stay.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: GroupId) -> Result<()> {
    super::alarm_rule::scope_changed(tx, organization).await?;
    on_db!(tx, conn => sqlx::query("delete from device_group where id = $1 and organization_id = $2")
        .bind(id).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// The groups of a person, with their names.
pub async fn of_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<Vec<(GroupId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from device_group where organization_id = $1 and owner_id = $2 order by id",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}

/// False when the device is in the group already.
pub async fn add_member(tx: &mut Tx, organization: OrganizationId, membership: &Membership) -> Result<bool> {
    super::alarm_rule::scope_changed(tx, organization).await?;
    let added = on_db!(tx, conn => sqlx::query(
        "insert into device_group_member (id, organization_id, group_id, device_id, added_at) values ($1, $2, $3, $4, $5)
         on conflict (group_id, device_id) do nothing",
    )
    .bind(membership.id).bind(organization).bind(membership.group_id).bind(membership.device_id)
    .bind(membership.added_at).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(added > 0)
}

/// False when the device was not in the group.
pub async fn remove_member(
    tx: &mut Tx,
    organization: OrganizationId,
    group: GroupId,
    device: DeviceId,
) -> Result<bool> {
    super::alarm_rule::scope_changed(tx, organization).await?;
    let removed = on_db!(tx, conn => sqlx::query(
        "delete from device_group_member where organization_id = $1 and group_id = $2 and device_id = $3",
    ).bind(organization).bind(group).bind(device).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(removed > 0)
}

/// Takes the device out of all groups of a person: these groups.
pub async fn remove_from_groups_of(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    owner: UserId,
) -> Result<Vec<GroupId>> {
    let groups: Vec<GroupId> =
        of_device(tx, organization, Some(owner), device).await?.into_iter().map(|group| group.id).collect();
    for group in &groups {
        remove_member(tx, organization, *group, device).await?;
    }
    Ok(groups)
}

/// All members, whoever owns them; with the lock that makes a limit hold among requests at the same time.
pub async fn count_members_for_update(tx: &mut Tx, organization: OrganizationId, group: GroupId) -> Result<i64> {
    // On SQLite the transaction is the only writer.
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from device_group where id = $1 for update")
            .bind(group)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device_group_member where organization_id = $1 and group_id = $2",
    ).bind(organization).bind(group).fetch_one(conn).await)?)
}

/// Which members of a group to list.
#[derive(Debug, Clone, Default)]
pub struct Members {
    pub viewer: Option<UserId>,
    pub status: Option<DeviceStatus>,
    pub device_type: Option<String>,
    pub limit: i64,
    pub offset: i64,
}

/// Members with the time they were added, by name.
pub async fn members(
    tx: &mut Tx,
    organization: OrganizationId,
    group: GroupId,
    filter: &Members,
) -> Result<Vec<(Device, Timestamp)>> {
    let status = filter.status.map(DeviceStatus::as_str);
    let rows: Vec<MemberRow> = on_db!(tx, conn => sqlx::query_as(concat!(
        "select ", device_columns!(), ", m.added_at from device_group_member m join device d on d.id = m.device_id
         left join user_account u on u.id = d.owner_id and u.organization_id = d.organization_id
         where m.organization_id = $1 and d.organization_id = $1 and m.group_id = $2 and d.deleted_at is null
           and ($3 is null or d.owner_id = $3) and ($4 is null or d.status = $4) and ($5 is null or d.device_type = $5)
         order by d.name, d.id limit $6 offset $7"
    ))
    .bind(organization).bind(group).bind(filter.viewer).bind(status).bind(&filter.device_type).bind(filter.limit)
    .bind(filter.offset).fetch_all(conn).await)?;
    rows.into_iter().map(|row| Ok((row.device.try_into()?, row.added_at))).collect()
}

/// The first devices by name that are not in the group. `owner`: only this person's.
pub async fn candidates(
    tx: &mut Tx,
    organization: OrganizationId,
    group: GroupId,
    owner: Option<UserId>,
    search: Option<&str>,
    limit: i64,
) -> Result<Vec<Device>> {
    let search = search.map(device::like_pattern);
    let rows: Vec<device::Row> = on_db!(tx, conn => sqlx::query_as(concat!(
        "select ", device_columns!(), " from device d
         left join user_account u on u.id = d.owner_id and u.organization_id = d.organization_id
         where d.organization_id = $1 and d.deleted_at is null and ($3 is null or d.owner_id = $3)
           and ($4 is null or d.search_text like $4 escape '!')
           and not exists (select 1 from device_group_member m where m.group_id = $2 and m.device_id = d.id)
         order by d.name, d.id limit $5"
    )).bind(organization).bind(group).bind(owner).bind(&search).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(Device::try_from).collect()
}

/// How many members fit the filter, on whichever page.
pub async fn count_members(tx: &mut Tx, organization: OrganizationId, group: GroupId, filter: &Members) -> Result<i64> {
    let status = filter.status.map(DeviceStatus::as_str);
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device_group_member m join device d on d.id = m.device_id
         where m.organization_id = $1 and m.group_id = $2 and d.deleted_at is null
           and ($3 is null or d.owner_id = $3) and ($4 is null or d.status = $4) and ($5 is null or d.device_type = $5)",
    )
    .bind(organization).bind(group).bind(filter.viewer).bind(status).bind(&filter.device_type).fetch_one(conn).await)?)
}

/// The groups a device is in, by name. `owner`: only this person's groups.
pub async fn of_device(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: Option<UserId>,
    device: DeviceId,
) -> Result<Vec<GroupOfDevice>> {
    let rows: Vec<(GroupId, String, Option<String>, Timestamp)> = on_db!(tx, conn => sqlx::query_as(
        "select g.id, g.name, g.color, m.added_at from device_group_member m join device_group g on g.id = m.group_id
         where m.organization_id = $1 and m.device_id = $2 and ($3 is null or g.owner_id = $3) order by g.name, g.id",
    ).bind(organization).bind(device).bind(owner).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id, name, color, added_at)| GroupOfDevice { id, name, color, added_at }).collect())
}
