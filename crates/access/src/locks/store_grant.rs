//! SQL of with whom locks are shared.

use portico_model::access::lock::{LockGrant, LockRole};
use portico_model::{DeviceId, LockGrantId, OrganizationId, PersonGroupId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: LockGrantId,
    user_id: Option<UserId>,
    person_group_id: Option<PersonGroupId>,
    name: Option<String>,
    role: String,
    granted_by: String,
    created_at: Timestamp,
}

impl TryFrom<Row> for LockGrant {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let role = LockRole::parse(&row.role)
            .ok_or_else(|| Error::internal(format!("access_lock_grant.role holds {:?}", row.role)))?;
        Ok(Self {
            id: row.id,
            user_id: row.user_id,
            person_group_id: row.person_group_id,
            name: row.name.unwrap_or_default(),
            role,
            granted_by: row.granted_by,
            created_at: row.created_at,
        })
    }
}

/// Of a lock, by name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, lock: DeviceId) -> Result<Vec<LockGrant>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select g.id, g.user_id, g.person_group_id, coalesce(u.username, p.name) as name, g.role, g.granted_by,
                g.created_at
         from access_lock_grant g
         left join user_account u on u.id = g.user_id and u.organization_id = g.organization_id
         left join access_person_group p on p.id = g.person_group_id and p.organization_id = g.organization_id
         where g.organization_id = $1 and g.device_id = $2 order by 4, g.id",
    ).bind(organization).bind(lock).fetch_all(conn).await)?;
    rows.into_iter().map(LockGrant::try_from).collect()
}

/// What a lock's grants give a person, himself or as a member of a group.
pub async fn role_of(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    user: UserId,
) -> Result<Option<LockRole>> {
    let roles: Vec<String> = on_db!(tx, conn => sqlx::query_scalar(
        "select role from access_lock_grant where organization_id = $1 and device_id = $2
         and (user_id = $3 or person_group_id in (
             select m.group_id from access_person_group_member m join access_person p on p.id = m.person_id
             where p.user_id = $3 and p.is_active))",
    ).bind(organization).bind(lock).bind(user).fetch_all(conn).await)?;
    Ok(roles.iter().filter_map(|role| LockRole::parse(role)).max())
}

/// Everyone who sees the lock by a grant.
pub async fn people(tx: &mut Tx, organization: OrganizationId, lock: DeviceId) -> Result<Vec<UserId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select user_id from access_lock_grant
         where organization_id = $1 and device_id = $2 and user_id is not null
         union
         select p.user_id from access_lock_grant g
         join access_person_group_member m on m.group_id = g.person_group_id
         join access_person p on p.id = m.person_id
         where g.organization_id = $1 and g.device_id = $2 and p.user_id is not null and p.is_active",
    ).bind(organization).bind(lock).fetch_all(conn).await)?)
}

/// Everyone who may operate the lock by a grant.
pub async fn operators(tx: &mut Tx, organization: OrganizationId, lock: DeviceId) -> Result<Vec<UserId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select user_id from access_lock_grant
         where organization_id = $1 and device_id = $2 and user_id is not null and role = 'operator'
         union
         select p.user_id from access_lock_grant g
         join access_person_group_member m on m.group_id = g.person_group_id
         join access_person p on p.id = m.person_id
         where g.organization_id = $1 and g.device_id = $2 and g.role = 'operator' and p.user_id is not null
           and p.is_active",
    ).bind(organization).bind(lock).fetch_all(conn).await)?)
}

pub async fn find(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    id: LockGrantId,
) -> Result<Option<LockGrant>> {
    Ok(list(tx, organization, lock).await?.into_iter().find(|grant| grant.id == id))
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, lock: DeviceId, grant: &LockGrant) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_lock_grant (id, organization_id, device_id, user_id, person_group_id, role, granted_by,
             created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(grant.id).bind(organization).bind(lock).bind(grant.user_id).bind(grant.person_group_id)
    .bind(grant.role.as_str()).bind(&grant.granted_by).bind(grant.created_at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: LockGrantId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_lock_grant where organization_id = $1 and id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_all(tx: &mut Tx, organization: OrganizationId, lock: DeviceId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_lock_grant where organization_id = $1 and device_id = $2")
        .bind(organization).bind(lock).execute(conn).await.map(drop))?;
    Ok(())
}

/// The locks that are shared with a person himself; the grants go with it.
pub async fn delete_of_user(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_lock_grant where organization_id = $1 and user_id = $2")
        .bind(organization).bind(user).execute(conn).await.map(drop))?;
    Ok(())
}

/// Offline grants for a lock, of one person or of all, are good no more.
pub async fn revoke_offline(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_offline_grant set revoked_at = $4
         where organization_id = $1 and device_id = $2 and ($3 is null or user_id = $3) and revoked_at is null",
    ).bind(organization).bind(lock).bind(user).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Offline grants for a lock of those who may not operate it any more, as members of a group.
pub async fn revoke_offline_of_strangers(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    keep: &[UserId],
    now: Timestamp,
) -> Result<()> {
    let holders: Vec<UserId> = on_db!(&mut *tx, conn => sqlx::query_scalar(
        "select distinct user_id from access_offline_grant
         where organization_id = $1 and device_id = $2 and revoked_at is null",
    ).bind(organization).bind(lock).fetch_all(conn).await)?;
    for holder in holders.into_iter().filter(|holder| !keep.contains(holder)) {
        revoke_offline(tx, organization, lock, Some(holder), now).await?;
    }
    Ok(())
}

/// The account of this user name, e-mail address or id.
pub async fn find_user(tx: &mut Tx, organization: OrganizationId, text: &str) -> Result<Option<(UserId, String)>> {
    let id: Option<UserId> = text.parse().ok();
    let key = text.to_lowercase();
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, username from user_account where organization_id = $1 and is_active
         and (id = $2 or username_key = $3 or email_key = $3) order by 1 limit 1",
    ).bind(organization).bind(id).bind(key).fetch_optional(conn).await)?)
}

pub async fn find_group(tx: &mut Tx, organization: OrganizationId, id: PersonGroupId) -> Result<Option<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select name from access_person_group where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?)
}
