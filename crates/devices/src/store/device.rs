//! The registry. Deleted devices are invisible to everything here but the sweep.

use portico_model::devices::{Connection, Device, DeviceStatus};
use portico_model::{DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};
use serde_json::Value;

use crate::Known;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: DeviceId,
    name: String,
    hardware_id: Option<String>,
    device_type: String,
    description: String,
    location: String,
    firmware_version: String,
    hardware_version: String,
    metadata: String,
    status: String,
    connection: String,
    issue: String,
    battery_percent: Option<f64>,
    rssi_dbm: Option<f64>,
    heartbeat_interval_s: i64,
    last_seen_at: Option<Timestamp>,
    owner_id: UserId,
    owner_name: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for Device {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            hardware_id: row.hardware_id,
            device_type: row.device_type,
            description: row.description,
            location: row.location,
            firmware_version: row.firmware_version,
            hardware_version: row.hardware_version,
            metadata: serde_json::from_str(&row.metadata).map_err(Error::internal)?,
            status: DeviceStatus::parse(&row.status).ok_or_else(|| unknown("status", &row.status))?,
            connection: Connection::parse(&row.connection).ok_or_else(|| unknown("connection", &row.connection))?,
            issue: row.issue,
            battery_percent: row.battery_percent,
            rssi_dbm: row.rssi_dbm,
            heartbeat_interval_s: row.heartbeat_interval_s,
            last_seen_at: row.last_seen_at,
            owner_id: row.owner_id,
            owner_name: row.owner_name.unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("device.{column} holds {value:?}"))
}

/// The columns of [`Row`], of `device d left join user_account u`. The owner's name is identity's: read in this module's
/// queries and nowhere else in this domain, so that a list of devices is one query.
macro_rules! device_columns {
    () => {
        "d.id, d.name, d.hardware_id, d.device_type, d.description, d.location, d.firmware_version, d.hardware_version,
         d.metadata, d.status, d.connection, d.issue, d.battery_percent, d.rssi_dbm, d.heartbeat_interval_s,
         d.last_seen_at, d.owner_id, u.username as owner_name, d.created_at, d.updated_at"
    };
}
pub(super) use device_columns;

macro_rules! select_device {
    ($rest:literal) => {
        concat!(
            "select ",
            device_columns!(),
            " from device d left join user_account u on u.id = d.owner_id and u.organization_id = d.organization_id
             where d.deleted_at is null and d.organization_id = $1 ",
            $rest
        )
    };
}

/// How a list of devices is sorted; the id decides between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Name,
    /// Newest first.
    Created,
}

/// Which devices to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub owner: Option<UserId>,
    /// Part of the name, the hardware id, the type, the location or the id, whatever the case.
    pub search: Option<String>,
    pub status: Option<DeviceStatus>,
    pub connection: Option<Connection>,
    pub sort: Sort,
    pub after: Option<After>,
    pub limit: i64,
    pub offset: i64,
}

/// The last device of the page before.
#[derive(Debug, Clone)]
pub enum After {
    Name(String, DeviceId),
    Created(Timestamp, DeviceId),
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Option<Device>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_device!("and d.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Device::try_from).transpose()
}

pub async fn find_id_by_hardware_id(
    tx: &mut Tx,
    organization: OrganizationId,
    hardware_id: &str,
) -> Result<Option<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from device where organization_id = $1 and hardware_id = $2 and deleted_at is null",
    ).bind(organization).bind(hardware_id).fetch_optional(conn).await)?)
}

pub async fn find_id_by_name(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: UserId,
    name: &str,
) -> Result<Option<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from device where organization_id = $1 and owner_id = $2 and name = $3 and deleted_at is null",
    )
    .bind(organization)
    .bind(owner)
    .bind(name)
    .fetch_optional(conn)
    .await)?)
}

pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Device>> {
    let search = filter.search.as_deref().map(like_pattern);
    let status = filter.status.map(DeviceStatus::as_str);
    let connection = filter.connection.map(Connection::as_str);
    let rows: Vec<Row> = match filter.sort {
        Sort::Name => {
            let (name, id) = match &filter.after {
                Some(After::Name(name, id)) => (Some(name.as_str()), Some(*id)),
                _ => (None, None),
            };
            on_db!(tx, conn => sqlx::query_as(select_device!(
                "and ($2 is null or d.owner_id = $2)
                 and ($3 is null or d.search_text like $3 escape '!')
                 and ($4 is null or d.status = $4) and ($5 is null or d.connection = $5)
                 and ($6 is null or d.name > $6 or (d.name = $6 and d.id > $7))
                 order by d.name, d.id limit $8 offset $9"
            ))
            .bind(organization).bind(filter.owner).bind(&search).bind(status).bind(connection)
            .bind(name).bind(id).bind(filter.limit).bind(filter.offset).fetch_all(conn).await)?
        }
        Sort::Created => {
            let (at, id) = match &filter.after {
                Some(After::Created(at, id)) => (Some(*at), Some(*id)),
                _ => (None, None),
            };
            on_db!(tx, conn => sqlx::query_as(select_device!(
                "and ($2 is null or d.owner_id = $2)
                 and ($3 is null or d.search_text like $3 escape '!')
                 and ($4 is null or d.status = $4) and ($5 is null or d.connection = $5)
                 and ($6 is null or d.created_at < $6 or (d.created_at = $6 and d.id < $7))
                 order by d.created_at desc, d.id desc limit $8 offset $9"
            ))
            .bind(organization).bind(filter.owner).bind(&search).bind(status).bind(connection)
            .bind(at).bind(id).bind(filter.limit).bind(filter.offset).fetch_all(conn).await)?
        }
    };
    rows.into_iter().map(Device::try_from).collect()
}

/// `like` with the user's wildcards taken literally.
pub(super) fn like_pattern(text: &str) -> String {
    let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

/// How many devices are in each state: (status, connection, count).
pub async fn counts(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: Option<UserId>,
) -> Result<Vec<(String, String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select status, connection, count(*) from device
         where organization_id = $1 and deleted_at is null and ($2 is null or owner_id = $2)
         group by status, connection",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}

/// How many devices the user owns, with the row lock or write lock that makes the limit hold among racing requests.
pub async fn count_of_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<i64> {
    // On SQLite the transaction is the only writer. On PostgreSQL registrations of one owner queue up here.
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from user_account where id = $1 for update")
            .bind(owner)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from device where organization_id = $1 and owner_id = $2 and deleted_at is null",
    ).bind(organization).bind(owner).fetch_one(conn).await)?)
}

/// The owner's name and e-mail address, as identity has them.
pub async fn find_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<Option<(String, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select username, email from user_account where organization_id = $1 and id = $2",
    ).bind(organization).bind(owner).fetch_optional(conn).await)?)
}

/// The person of this user name, whatever the case.
pub async fn find_owner_by_name(tx: &mut Tx, organization: OrganizationId, name: &str) -> Result<Option<UserId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from user_account where organization_id = $1 and username_key = $2",
    ).bind(organization).bind(name.to_lowercase()).fetch_optional(conn).await)?)
}

pub async fn owner_is_active(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<bool> {
    let active: Option<bool> = on_db!(tx, conn => sqlx::query_scalar(
        "select is_active from user_account where organization_id = $1 and id = $2",
    ).bind(organization).bind(owner).fetch_optional(conn).await)?;
    Ok(active.unwrap_or(false))
}

pub async fn set_owner(
    tx: &mut Tx,
    organization: OrganizationId,
    id: DeviceId,
    owner: UserId,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device set owner_id = $3, updated_at = $4 where id = $1 and organization_id = $2 and deleted_at is null",
    ).bind(id).bind(organization).bind(owner).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// Another device of the same owner with this name, or of the organisation with this hardware id.
pub async fn find_clash(tx: &mut Tx, organization: OrganizationId, device: &Device) -> Result<Option<&'static str>> {
    let name: Option<DeviceId> = on_db!(&mut *tx, conn => sqlx::query_scalar(
        "select id from device where organization_id = $1 and owner_id = $2 and name = $3 and id <> $4 and deleted_at is null",
    ).bind(organization).bind(device.owner_id).bind(&device.name).bind(device.id).fetch_optional(conn).await)?;
    if name.is_some() {
        return Ok(Some("name"));
    }
    let Some(hardware_id) = &device.hardware_id else { return Ok(None) };
    let other = find_id_by_hardware_id(tx, organization, hardware_id).await?;
    Ok(other.is_some_and(|other| other != device.id).then_some("hardware_id"))
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, device: &Device) -> Result<()> {
    super::alarm_rule::scope_changed(tx, organization).await?;
    on_db!(tx, conn => sqlx::query(
        "insert into device (id, organization_id, owner_id, name, hardware_id, device_type, description, location,
             firmware_version, hardware_version, metadata, status, connection, issue, heartbeat_interval_s, created_at,
             updated_at, search_text)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(device.id).bind(organization).bind(device.owner_id).bind(&device.name).bind(&device.hardware_id)
    .bind(&device.device_type).bind(&device.description).bind(&device.location).bind(&device.firmware_version)
    .bind(&device.hardware_version).bind(text_of(&device.metadata)).bind(device.status.as_str())
    .bind(device.connection.as_str()).bind(&device.issue).bind(device.heartbeat_interval_s).bind(device.created_at)
    .bind(device.updated_at).bind(search_text(device)).execute(conn).await.map(drop))?;
    Ok(())
}

/// Writes what people decide; connection and diagnostics are the device's own (see [`super::super::presence`]).
pub async fn update(tx: &mut Tx, organization: OrganizationId, device: &Device) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update device set name = $3, device_type = $4, description = $5, location = $6, firmware_version = $7,
             hardware_version = $8, metadata = $9, status = $10, heartbeat_interval_s = $11, updated_at = $12, search_text = $14,
             deadline_at = case when deadline_at is null then null else last_seen_at + $13 end
         where id = $1 and organization_id = $2 and deleted_at is null",
    )
    .bind(device.id).bind(organization).bind(&device.name).bind(&device.device_type).bind(&device.description)
    .bind(&device.location).bind(&device.firmware_version).bind(&device.hardware_version)
    .bind(text_of(&device.metadata)).bind(device.status.as_str()).bind(device.heartbeat_interval_s)
    .bind(device.updated_at).bind(crate::presence::silence_allowed_ms(device.heartbeat_interval_s))
    .bind(search_text(device)).execute(conn).await.map(drop))?;
    Ok(())
}

/// What a search looks through.
fn search_text(device: &Device) -> String {
    let hardware_id = device.hardware_id.as_deref().unwrap_or_default();
    [&device.name, hardware_id, &device.device_type, &device.location, &device.id.to_string()].join("\n").to_lowercase()
}

pub async fn mark_deleted(tx: &mut Tx, organization: OrganizationId, id: DeviceId, now: Timestamp) -> Result<()> {
    super::alarm_rule::delete_of_device(tx, organization, id).await?;
    super::alarm_rule::scope_changed(tx, organization).await?;
    on_db!(&mut *tx, conn => sqlx::query(
        "update device set deleted_at = $3, deadline_at = null where id = $1 and organization_id = $2",
    ).bind(id).bind(organization).bind(now).execute(conn).await.map(drop))?;
    on_db!(&mut *tx, conn => sqlx::query("delete from device_key where device_id = $1 and organization_id = $2")
        .bind(id).bind(organization).execute(conn).await.map(drop))?;
    on_db!(tx, conn => sqlx::query("delete from device_group_member where device_id = $1 and organization_id = $2")
        .bind(id).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    organization_id: OrganizationId,
    owner_id: UserId,
    owner_is_active: Option<bool>,
    name: String,
    status: String,
    heartbeat_interval_s: i64,
}

/// What ingest and authentication need of a device, by its id alone: the caller has no organisation yet, the device names it.
pub async fn find_known(tx: &mut Tx, id: DeviceId) -> Result<Option<Known>> {
    let row: Option<KnownRow> = on_db!(tx, conn => sqlx::query_as(
        "select d.organization_id, d.owner_id, u.is_active as owner_is_active, d.name, d.status, d.heartbeat_interval_s
         from device d left join user_account u on u.id = d.owner_id where d.id = $1 and d.deleted_at is null",
    ).bind(id).fetch_optional(conn).await)?;
    row.map(|row| {
        Ok(Known {
            id,
            organization: row.organization_id,
            owner: row.owner_id,
            owner_is_active: row.owner_is_active.unwrap_or(false),
            name: row.name,
            status: DeviceStatus::parse(&row.status).ok_or_else(|| unknown("status", &row.status))?,
            heartbeat_interval_s: row.heartbeat_interval_s,
        })
    })
    .transpose()
}

fn text_of(json: &Value) -> String {
    json.to_string()
}
