//! Keys of services, by the hash of the secret.

use portico_model::identity::{Permission, ServiceKey};
use portico_model::{OrganizationId, ServiceKeyId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

use crate::input::name_key;
use crate::service::users::ErasedLabels;

#[derive(sqlx::FromRow)]
struct Row {
    id: ServiceKeyId,
    name: String,
    scopes: String,
    hint: String,
    created_by: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    old_key_until: Option<Timestamp>,
}

impl Row {
    fn into_key(self) -> Result<ServiceKey> {
        Ok(ServiceKey {
            id: self.id,
            name: self.name,
            scopes: parse_scopes(&self.scopes)?,
            hint: self.hint,
            created_by: self.created_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            old_key_until: self.old_key_until,
            revoked_at: self.revoked_at,
        })
    }
}

fn parse_scopes(text: &str) -> Result<Vec<Permission>> {
    text.split_whitespace()
        .map(|scope| Permission::parse(scope).ok_or_else(|| Error::internal(format!("unknown scope {scope}"))))
        .collect()
}

fn write_scopes(scopes: &[Permission]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// A good secret and what it opens.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: ServiceKeyId,
    pub organization: OrganizationId,
    pub name: String,
    pub scopes: Vec<Permission>,
    pub last_used_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    id: ServiceKeyId,
    organization_id: OrganizationId,
    name: String,
    scopes: String,
    last_used_at: Option<Timestamp>,
}

impl FoundRow {
    fn into_found(self) -> Result<Found> {
        Ok(Found {
            id: self.id,
            organization: self.organization_id,
            name: self.name,
            scopes: parse_scopes(&self.scopes)?,
            last_used_at: self.last_used_at,
        })
    }
}

/// The service whose secret has this hash, unless that or the key has expired or been revoked. In whatever organisation:
/// the key is how it is found.
pub async fn find_by_secret(tx: &mut Tx, hash: &[u8], now: Timestamp) -> Result<Option<Found>> {
    let row: Option<FoundRow> = on_db!(tx, conn => sqlx::query_as(
        "select k.id, k.organization_id, k.name, k.scopes, k.last_used_at
         from service_key_secret s join service_key k on k.id = s.service_key_id and k.organization_id = s.organization_id
         where s.key_hash = $1 and (s.expires_at is null or s.expires_at > $2)
           and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)",
    ).bind(hash).bind(now).fetch_optional(conn).await)?;
    row.map(FoundRow::into_found).transpose()
}

/// The scopes of a key that is still good.
pub async fn find_live_scopes(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceKeyId,
    now: Timestamp,
) -> Result<Option<Vec<Permission>>> {
    let scopes: Option<String> = on_db!(tx, conn => sqlx::query_scalar(
        "select scopes from service_key where organization_id = $1 and id = $2 and revoked_at is null
           and (expires_at is null or expires_at > $3)",
    ).bind(organization).bind(id).bind(now).fetch_optional(conn).await)?;
    scopes.as_deref().map(parse_scopes).transpose()
}

pub async fn find(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceKeyId,
    now: Timestamp,
) -> Result<Option<ServiceKey>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select k.id, k.name, k.scopes, k.hint, k.created_by, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
           (select max(s.expires_at) from service_key_secret s where s.service_key_id = k.id and s.expires_at > $3)
             as old_key_until
         from service_key k where k.organization_id = $1 and k.id = $2",
    ).bind(organization).bind(id).bind(now).fetch_optional(conn).await)?;
    row.map(Row::into_key).transpose()
}

/// All that are not revoked, or all of the last while, by name.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    with_revoked: bool,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ServiceKey>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select k.id, k.name, k.scopes, k.hint, k.created_by, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
           (select max(s.expires_at) from service_key_secret s where s.service_key_id = k.id and s.expires_at > $3)
             as old_key_until
         from service_key k where k.organization_id = $1 and (k.revoked_at is null or $2)
         order by k.name_key, k.id limit $4",
    ).bind(organization).bind(with_revoked).bind(now).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(Row::into_key).collect()
}

/// How many are not revoked.
pub async fn count(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from service_key where organization_id = $1 and revoked_at is null",
    ).bind(organization).fetch_one(conn).await)?)
}

/// Whether another key in force has the name.
pub async fn is_name_taken(
    tx: &mut Tx,
    organization: OrganizationId,
    name: &str,
    except: Option<ServiceKeyId>,
) -> Result<bool> {
    let found: Option<ServiceKeyId> = on_db!(tx, conn => sqlx::query_scalar(
        "select id from service_key where organization_id = $1 and name_key = $2 and revoked_at is null",
    ).bind(organization).bind(name_key(name)).fetch_optional(conn).await)?;
    Ok(found.is_some_and(|id| Some(id) != except))
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, key: &ServiceKey) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into service_key (id, organization_id, name, name_key, scopes, hint, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(key.id).bind(organization).bind(&key.name).bind(name_key(&key.name)).bind(write_scopes(&key.scopes))
    .bind(&key.hint).bind(&key.created_by).bind(key.created_at).bind(key.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// Name, scopes, hint and expiry.
pub async fn update(tx: &mut Tx, organization: OrganizationId, key: &ServiceKey) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update service_key set name = $3, name_key = $4, scopes = $5, hint = $6, expires_at = $7
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(key.id).bind(&key.name).bind(name_key(&key.name)).bind(write_scopes(&key.scopes))
    .bind(&key.hint).bind(key.expires_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// Revokes the key and forgets its secrets.
pub async fn revoke(tx: &mut Tx, organization: OrganizationId, id: ServiceKeyId, now: Timestamp) -> Result<()> {
    delete_secrets(tx, organization, id).await?;
    on_db!(tx, conn => sqlx::query("update service_key set revoked_at = $3 where organization_id = $1 and id = $2")
        .bind(organization).bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn insert_secret(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceKeyId,
    hash: &[u8],
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into service_key_secret (key_hash, organization_id, service_key_id, created_at) values ($1, $2, $3, $4)",
    ).bind(hash).bind(organization).bind(id).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Lets the key's secrets expire then, unless they expire sooner anyway.
pub async fn expire_secrets(tx: &mut Tx, organization: OrganizationId, id: ServiceKeyId, at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update service_key_secret set expires_at = $3
         where organization_id = $1 and service_key_id = $2 and (expires_at is null or expires_at > $3)",
    ).bind(organization).bind(id).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete_secrets(tx: &mut Tx, organization: OrganizationId, id: ServiceKeyId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from service_key_secret where organization_id = $1 and service_key_id = $2")
        .bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn touch(tx: &mut Tx, organization: OrganizationId, id: ServiceKeyId, at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update service_key set last_used_at = $3 where organization_id = $1 and id = $2
           and (last_used_at is null or last_used_at < $3)",
    ).bind(organization).bind(id).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes secrets that have expired, and keys revoked before `revoked_before`, of all organisations.
pub async fn delete_stale(tx: &mut Tx, now: Timestamp, revoked_before: Timestamp) -> Result<u64> {
    let secrets = on_db!(&mut *tx, conn =>
        sqlx::query("delete from service_key_secret where expires_at is not null and expires_at <= $1")
            .bind(now).execute(conn).await.map(|done| done.rows_affected()))?;
    let keys = on_db!(tx, conn =>
        sqlx::query("delete from service_key where revoked_at is not null and revoked_at < $1")
            .bind(revoked_before).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(secrets + keys)
}

/// Who made the keys is named by a pseudonym from now on.
pub async fn rename_maker(tx: &mut Tx, organization: OrganizationId, erased: &ErasedLabels) -> Result<()> {
    for label in &erased.labels {
        on_db!(tx, conn => sqlx::query(
            "update service_key set created_by = $3 where organization_id = $1 and created_by = $2",
        ).bind(organization).bind(label).bind(&erased.pseudonym).execute(conn).await.map(drop))?;
    }
    Ok(())
}
