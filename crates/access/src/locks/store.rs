//! SQL of locks. What a lock shares with every device (name, connection, battery) is read from the device's row, and the
//! owner's name from his account: in this module and nowhere else in this domain, so that a list of locks is one query.

use portico_model::access::Position;
use portico_model::access::lock::{Bolt, How, LOW_BATTERY_PERCENT, Lock, LockNotice, LockRole, LockState};
use portico_model::devices::Connection;
use portico_model::{CommandId, DeviceId, OrganizationId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

/// A lock with what its state machine needs.
#[derive(Debug, Clone)]
pub struct Found {
    pub lock: Lock,
    pub state: LockState,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DeviceId,
    hardware_id: Option<String>,
    name: String,
    location: String,
    owner_id: UserId,
    owner_name: Option<String>,
    position: String,
    position_at: Option<Timestamp>,
    last_known: Option<String>,
    last_known_at: Option<Timestamp>,
    is_sure: bool,
    wanted: Option<String>,
    wanted_command_id: Option<CommandId>,
    wanted_until: Option<Timestamp>,
    changed_by: String,
    changed_how: String,
    connection: String,
    last_seen_at: Option<Timestamp>,
    issue: String,
    battery_percent: Option<f64>,
    rssi_dbm: Option<f64>,
    firmware_version: String,
    heartbeat_interval_s: i64,
    relock_after_s: Option<i64>,
    relock_at: Option<Timestamp>,
    require_step_up: bool,
    is_bridged: bool,
    notify_on: String,
    created_at: Timestamp,
}

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("access_lock.{column} holds {value:?}"))
}

impl TryFrom<Row> for Found {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let bolt = |text: &Option<String>| match text {
            Some(text) => Bolt::parse(text).map(Some).ok_or_else(|| unknown("last_known or wanted", text)),
            None => Ok(None),
        };
        let position = Position::parse(&row.position).ok_or_else(|| unknown("position", &row.position))?;
        let (last_known, wanted) = (bolt(&row.last_known)?, bolt(&row.wanted)?);
        let state = LockState {
            position,
            position_at: row.position_at,
            known: last_known.zip(row.last_known_at),
            is_sure: row.is_sure,
            wanted: wanted.zip(row.wanted_command_id),
        };
        let is_low = row.battery_percent.is_some_and(|percent| percent <= LOW_BATTERY_PERCENT);
        let lock = Lock {
            id: row.id,
            hardware_id: row.hardware_id,
            name: row.name,
            location: row.location,
            owner_id: row.owner_id,
            owner_name: row.owner_name.unwrap_or_default(),
            position,
            position_at: row.position_at,
            last_known,
            last_known_at: row.last_known_at,
            wanted,
            wanted_until: row.wanted_until.filter(|_| wanted.is_some()),
            changed_by: row.changed_by,
            changed_how: How::parse(&row.changed_how).ok_or_else(|| unknown("changed_how", &row.changed_how))?,
            connection: Connection::parse(&row.connection).ok_or_else(|| unknown("connection", &row.connection))?,
            last_seen_at: row.last_seen_at,
            issue: if row.issue.is_empty() && is_low { "low battery".to_owned() } else { row.issue },
            battery_percent: row.battery_percent,
            rssi_dbm: row.rssi_dbm,
            firmware_version: row.firmware_version,
            heartbeat_interval_s: row.heartbeat_interval_s,
            relock_after_s: row.relock_after_s,
            relock_at: row.relock_at,
            require_step_up: row.require_step_up,
            is_bridged: row.is_bridged,
            notify_on: row.notify_on.split(',').filter_map(LockNotice::parse).collect(),
            created_at: row.created_at,
        };
        Ok(Self { lock, state })
    }
}

macro_rules! select_lock {
    ($more:literal, $rest:literal) => {
        concat!(
            "select d.id, d.hardware_id, d.name, d.location, d.owner_id, u.username as owner_name, l.position,
                    l.position_at, l.last_known, l.last_known_at, l.is_sure, l.wanted, l.wanted_command_id,
                    c.expires_at as wanted_until, l.changed_by, l.changed_how, d.connection, d.last_seen_at, d.issue,
                    d.battery_percent, d.rssi_dbm, d.firmware_version, d.heartbeat_interval_s, l.relock_after_s,
                    l.relock_at, l.require_step_up, l.is_bridged, l.notify_on, l.created_at",
            $more,
            " from access_lock l join device d on d.id = l.device_id and d.deleted_at is null
              left join user_account u on u.id = d.owner_id and u.organization_id = d.organization_id
              left join command c on c.id = l.wanted_command_id
              where l.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Option<Found>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_lock!("", "and l.device_id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Found::try_from).transpose()
}

/// Holds the device's row until the end of the transaction. The order of rows is the same everywhere: device, command,
/// lock.
pub async fn hold_device(tx: &mut Tx, id: DeviceId) -> Result<()> {
    // On SQLite the transaction is the only writer.
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from device where id = $1 for update").bind(id).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// As [`find`], with the lock's row held until the end of the transaction.
pub async fn find_held(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Option<Found>> {
    if let Tx::Postgres(transaction) = tx {
        let sql = "select 1 from access_lock where device_id = $1 for update";
        sqlx::query(sql).bind(id).execute(&mut **transaction).await?;
    }
    find(tx, organization, id).await
}

/// Whether the device is a lock.
pub async fn is_lock(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_lock where organization_id = $1 and device_id = $2",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    id: DeviceId,
    owner: UserId,
    by: &str,
    now: Timestamp,
) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "insert into access_lock (device_id, organization_id, owner_id, position, is_sure, changed_by, changed_how,
             require_step_up, is_bridged, notify_on, created_at, updated_at)
         values ($1, $2, $3, 'unknown', false, $4, 'system', false, false, 'jammed,offline', $5, $5)
         on conflict (device_id) do nothing",
    )
    .bind(id).bind(organization).bind(owner).bind(by).bind(now).execute(conn).await
    .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// What is known of the bolt, who moved it, and when it locks itself.
pub async fn update_state(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: &Lock,
    state: &LockState,
    now: Timestamp,
) -> Result<()> {
    let (known, known_at) = state.known.map_or((None, None), |(bolt, at)| (Some(bolt.as_str()), Some(at)));
    let (wanted, command) = state.wanted.map_or((None, None), |(bolt, id)| (Some(bolt.as_str()), Some(id)));
    on_db!(tx, conn => sqlx::query(
        "update access_lock set position = $3, position_at = $4, last_known = $5, last_known_at = $6, is_sure = $7,
             wanted = $8, wanted_command_id = $9, changed_by = $10, changed_how = $11, relock_at = $12, updated_at = $13
         where organization_id = $1 and device_id = $2",
    )
    .bind(organization).bind(lock.id).bind(state.position.as_str()).bind(state.position_at).bind(known).bind(known_at)
    .bind(state.is_sure).bind(wanted).bind(command).bind(&lock.changed_by).bind(lock.changed_how.as_str())
    .bind(lock.relock_at).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update_settings(tx: &mut Tx, organization: OrganizationId, lock: &Lock, now: Timestamp) -> Result<()> {
    let notify_on: Vec<_> = lock.notify_on.iter().map(|notice| notice.as_str()).collect();
    on_db!(tx, conn => sqlx::query(
        "update access_lock set relock_after_s = $3, relock_at = $4, require_step_up = $5, notify_on = $6, updated_at = $7
         where organization_id = $1 and device_id = $2",
    )
    .bind(organization).bind(lock.id).bind(lock.relock_after_s).bind(lock.relock_at).bind(lock.require_step_up)
    .bind(notify_on.join(",")).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_owner(tx: &mut Tx, organization: OrganizationId, id: DeviceId, owner: UserId) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_lock set owner_id = $3 where organization_id = $1 and device_id = $2",
    ).bind(organization).bind(id).bind(owner).execute(conn).await.map(drop))?;
    Ok(())
}

/// With its grants and its history.
pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "delete from access_lock where organization_id = $1 and device_id = $2",
    ).bind(organization).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Which locks to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only what this person owns or is given; absent: all.
    pub viewer: Option<UserId>,
    /// Part of the name, the hardware id or the location.
    pub search: Option<String>,
    pub position: Option<Position>,
    pub connection: Option<Connection>,
    /// The last of the page before.
    pub after: Option<(String, DeviceId)>,
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct ShownRow {
    #[sqlx(flatten)]
    lock: Row,
    /// Of the grants to the viewer, the highest: 0 none, 1 viewer, 2 operator.
    granted: i64,
}

/// Locks by name, with what the viewer may by ownership or grant: `None` nothing.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    user: Option<UserId>,
    filter: &Filter,
) -> Result<Vec<(Lock, Option<LockRole>)>> {
    let (after_name, after_id) = filter.after.clone().unzip();
    let search = filter.search.as_deref().map(like_pattern);
    let rows: Vec<ShownRow> = on_db!(tx, conn => sqlx::query_as(select_lock!(
        ", cast(coalesce((select max(case g.role when 'operator' then 2 else 1 end) from access_lock_grant g
             where g.device_id = l.device_id and (g.user_id = $2 or g.person_group_id in (
                 select m.group_id from access_person_group_member m join access_person p on p.id = m.person_id
                 where p.user_id = $2 and p.is_active))), 0) as bigint) as granted",
        "and ($3 is null or d.owner_id = $3 or exists (select 1 from access_lock_grant g
             where g.device_id = l.device_id and (g.user_id = $3 or g.person_group_id in (
                 select m.group_id from access_person_group_member m join access_person p on p.id = m.person_id
                 where p.user_id = $3 and p.is_active))))
         and ($4 is null or d.search_text like $4 escape '!')
         and ($5 is null or l.position = $5) and ($6 is null or d.connection = $6)
         and ($7 is null or d.name > $7 or (d.name = $7 and d.id > $8))
         order by d.name, d.id limit $9"
    ))
    .bind(organization).bind(user).bind(filter.viewer).bind(&search).bind(filter.position.map(Position::as_str))
    .bind(filter.connection.map(Connection::as_str)).bind(&after_name).bind(after_id).bind(filter.limit)
    .fetch_all(conn).await)?;
    rows.into_iter()
        .map(|row| {
            let owner = row.lock.owner_id;
            let lock = Found::try_from(row.lock)?.lock;
            let role = if user == Some(owner) {
                Some(LockRole::Manager)
            } else {
                match row.granted {
                    2 => Some(LockRole::Operator),
                    1 => Some(LockRole::Viewer),
                    _ => None,
                }
            };
            Ok((lock, role))
        })
        .collect()
}

fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Locks that are silent for longer than since `before` and still thought to be where they were.
pub async fn silent(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<Vec<(OrganizationId, DeviceId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select l.organization_id, l.device_id from access_lock l join device d on d.id = l.device_id
         where (l.is_sure or (l.position = 'jammed' and l.wanted is null)) and d.deleted_at is null and d.connection <> 'online'
           and (d.last_seen_at is null or d.last_seen_at <= $1)
         limit $2",
    ).bind(before).bind(limit).fetch_all(conn).await)?)
}

/// Locks that are to be locked by now.
pub async fn to_relock(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<(OrganizationId, DeviceId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, device_id from access_lock where relock_at is not null and relock_at <= $1
         order by relock_at limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

/// The locks of a person.
pub async fn of_owner(tx: &mut Tx, organization: OrganizationId, owner: UserId) -> Result<Vec<DeviceId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select device_id from access_lock where organization_id = $1 and owner_id = $2",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}

pub async fn owner_of(tx: &mut Tx, organization: OrganizationId, id: DeviceId) -> Result<Option<UserId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select owner_id from access_lock where organization_id = $1 and device_id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?)
}
