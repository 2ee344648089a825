//! Publishers' keys and firmware images (their bytes lie in files).

use portico_model::firmware::{Firmware, PublisherKey};
use portico_model::{FirmwareId, OrganizationId, PublisherKeyId, Timestamp};
use portico_platform::secrets::hex;
use portico_platform::{Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: PublisherKeyId,
    name: String,
    public_key: Vec<u8>,
    created_by: String,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl From<KeyRow> for PublisherKey {
    fn from(row: KeyRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            public_key: hex(&row.public_key),
            created_by: row.created_by,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// Every key of the organisation, the newest first; there are few.
pub async fn keys(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<PublisherKey>> {
    let rows: Vec<KeyRow> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, public_key, created_by, created_at, revoked_at from publisher_key
         where organization_id = $1 order by id desc",
    ).bind(organization).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(PublisherKey::from).collect())
}

/// Those whose signature is good: id and public half.
pub async fn good_keys(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<(PublisherKeyId, Vec<u8>)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, public_key from publisher_key where organization_id = $1 and revoked_at is null order by id",
    ).bind(organization).fetch_all(conn).await)?)
}

/// `false` when the organisation trusts this key already.
pub async fn insert_key(
    tx: &mut Tx,
    organization: OrganizationId,
    key: &PublisherKey,
    public_key: &[u8; 32],
) -> Result<bool> {
    let inserted = on_db!(tx, conn => sqlx::query(
        "insert into publisher_key (id, organization_id, name, public_key, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(key.id).bind(organization).bind(&key.name).bind(public_key.to_vec()).bind(&key.created_by)
    .bind(key.created_at).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// The name of the key that was revoked; `None` when there is no such key or it was revoked before.
pub async fn revoke_key(
    tx: &mut Tx,
    organization: OrganizationId,
    id: PublisherKeyId,
    now: Timestamp,
) -> Result<Option<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "update publisher_key set revoked_at = $3 where id = $1 and organization_id = $2 and revoked_at is null
         returning name",
    ).bind(id).bind(organization).bind(now).fetch_optional(conn).await)?)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: FirmwareId,
    device_type: String,
    version: String,
    notes: String,
    size_bytes: i64,
    sha256: Vec<u8>,
    signature: Vec<u8>,
    key_id: PublisherKeyId,
    key_name: String,
    created_by: String,
    created_at: Timestamp,
}

impl From<Row> for Firmware {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            device_type: row.device_type,
            version: row.version,
            notes: row.notes,
            size_bytes: row.size_bytes,
            sha256: hex(&row.sha256),
            signature: hex(&row.signature),
            key_id: row.key_id,
            key_name: row.key_name,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

macro_rules! select_firmware {
    ($rest:literal) => {
        concat!(
            "select f.id, f.device_type, f.version, f.notes, f.size_bytes, f.sha256, f.signature, f.key_id,
                    k.name as key_name, f.created_by, f.created_at
             from firmware f join publisher_key k on k.id = f.key_id
             where f.organization_id = $1 and f.deleted_at is null ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: FirmwareId) -> Result<Option<Firmware>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_firmware!("and f.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    Ok(row.map(Firmware::from))
}

/// The newest first.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    device_type: Option<&str>,
    before: Option<FirmwareId>,
    limit: i64,
) -> Result<Vec<Firmware>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_firmware!(
        "and ($2 is null or f.device_type = $2) and ($3 is null or f.id < $3) order by f.id desc limit $4"
    )).bind(organization).bind(device_type).bind(before).bind(limit).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Firmware::from).collect())
}

/// `false` when there is one of this type and version already.
pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    firmware: &Firmware,
    sha256: &[u8; 32],
    signature: &[u8; 64],
) -> Result<bool> {
    let inserted = on_db!(tx, conn => sqlx::query(
        "insert into firmware (id, organization_id, device_type, version, notes, size_bytes, sha256, signature, key_id,
             created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
    )
    .bind(firmware.id).bind(organization).bind(&firmware.device_type).bind(&firmware.version).bind(&firmware.notes)
    .bind(firmware.size_bytes).bind(sha256.to_vec()).bind(signature.to_vec()).bind(firmware.key_id)
    .bind(&firmware.created_by).bind(firmware.created_at).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

pub async fn mark_deleted(tx: &mut Tx, organization: OrganizationId, id: FirmwareId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update firmware set deleted_at = $3 where id = $1 and organization_id = $2",
    ).bind(id).bind(organization).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether the image, of whichever organisation, is to be kept: for the job that looks through the files.
pub async fn is_kept(tx: &mut Tx, id: FirmwareId) -> Result<bool> {
    let found: Option<FirmwareId> = on_db!(tx, conn => sqlx::query_scalar(
        "select id from firmware where id = $1 and deleted_at is null",
    ).bind(id).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Types of devices that there are, for whom images can be made.
pub async fn device_types(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<(String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select device_type, count(*) from device where organization_id = $1 and deleted_at is null
         group by device_type order by 2 desc, 1 limit 200",
    ).bind(organization).fetch_all(conn).await)?)
}
