//! Connection and diagnostics: the columns of `device` that the device itself moves.

use std::sync::LazyLock;

use portico_model::{DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Result, Tx, on_db};
use sqlx::AssertSqlSafe;

/// Devices a statement takes.
pub const CHUNK: usize = 200;

/// What a device last told of itself.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Row {
    pub id: DeviceId,
    pub organization_id: OrganizationId,
    pub owner_id: UserId,
    pub connection: String,
    pub issue: String,
    pub battery_percent: Option<f64>,
    pub rssi_dbm: Option<f64>,
    pub firmware_version: String,
    pub last_seen_at: Option<Timestamp>,
    pub deadline_at: Option<Timestamp>,
}

/// Statements of 1 and of [`CHUNK`] ids; missing ids are filled up with the last one.
fn lock_statements(parameter: fn(usize) -> String, after: &str) -> [String; 2] {
    [1, CHUNK].map(|count| {
        let parameters: Vec<String> = (1..=count).map(parameter).collect();
        format!(
            "select id, organization_id, owner_id, connection, issue, battery_percent, rssi_dbm, firmware_version,
                    last_seen_at, deadline_at
             from device where deleted_at is null and id in ({}) order by id{after}",
            parameters.join(",")
        )
    })
}

/// On SQLite with bare `?`, as in [`portico_platform::db::Statements`].
static LOCK: LazyLock<[String; 2]> = LazyLock::new(|| lock_statements(|_| "?".to_owned(), ""));

static LOCK_FOR_UPDATE: LazyLock<[String; 2]> =
    LazyLock::new(|| lock_statements(|number| format!("${number}"), " for update"));

/// The rows of these devices (at most [`CHUNK`]), locked. The ids come from our own directory.
pub async fn lock(tx: &mut Tx, ids: &[DeviceId]) -> Result<Vec<Row>> {
    let Some(last) = ids.last() else { return Ok(Vec::new()) };
    let single = ids.len() == 1;
    let filled = ids.iter().chain(std::iter::repeat(last)).take(if single { 1 } else { CHUNK });
    // The statements hold only what is written above.
    let which = usize::from(!single);
    match tx {
        Tx::Sqlite(transaction) => {
            let query = sqlx::query_as(AssertSqlSafe(LOCK[which].as_str()));
            Ok(filled.fold(query, |query, id| query.bind(*id)).fetch_all(&mut **transaction).await?)
        }
        Tx::Postgres(transaction) => {
            let query = sqlx::query_as(AssertSqlSafe(LOCK_FOR_UPDATE[which].as_str()));
            Ok(filled.fold(query, |query, id| query.bind(*id)).fetch_all(&mut **transaction).await?)
        }
    }
}

/// Writes rows (now, before). Most often only the time changed: those take the short statement.
pub async fn update(tx: &mut Tx, rows: &[(Row, Row)]) -> Result<()> {
    for (after, before) in rows {
        let only_time = before.connection == after.connection
            && before.issue == after.issue
            && before.battery_percent == after.battery_percent
            && before.rssi_dbm == after.rssi_dbm
            && before.firmware_version == after.firmware_version;
        if only_time {
            on_db!(&mut *tx, conn => sqlx::query(
                "update device set last_seen_at = $3, deadline_at = $4 where id = $1 and organization_id = $2",
            ).bind(after.id).bind(after.organization_id).bind(after.last_seen_at).bind(after.deadline_at)
                .execute(conn).await.map(drop))?;
        } else {
            on_db!(&mut *tx, conn => sqlx::query(
                "update device set last_seen_at = $3, deadline_at = $4, connection = $5, issue = $6,
                     battery_percent = $7, rssi_dbm = $8, firmware_version = $9
                 where id = $1 and organization_id = $2",
            ).bind(after.id).bind(after.organization_id).bind(after.last_seen_at).bind(after.deadline_at)
                .bind(&after.connection).bind(&after.issue).bind(after.battery_percent).bind(after.rssi_dbm)
                .bind(&after.firmware_version).execute(conn).await.map(drop))?;
        }
    }
    Ok(())
}

/// Whether any device, of any organisation, has missed its deadline: one look into the index.
pub async fn any_overdue(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<DeviceId> = on_db!(tx, conn => sqlx::query_scalar(
        "select id from device where deadline_at is not null and deadline_at < $1 limit 1",
    ).bind(now).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Marks some of them offline. Servers that do this at the same time get different ones.
pub async fn mark_overdue_offline(tx: &mut Tx, now: Timestamp) -> Result<Vec<Row>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "update device set connection = 'offline', deadline_at = null
         where deadline_at is not null and deadline_at < $1 and id in (
             select id from device where deadline_at is not null and deadline_at < $1 order by deadline_at limit 500)
         returning id, organization_id, owner_id, connection, issue, battery_percent, rssi_dbm, firmware_version,
             last_seen_at, deadline_at",
    ).bind(now).fetch_all(conn).await)?)
}
