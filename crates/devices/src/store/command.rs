//! Commands to devices.

use portico_model::commands::{Command, CommandState};
use portico_model::devices::Connection;
use portico_model::{CommandId, DeviceId, OrganizationId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: CommandId,
    device_id: DeviceId,
    name: String,
    args: String,
    state: String,
    counter: i64,
    issued_by: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    attempts: i64,
    error: String,
    response: String,
}

impl TryFrom<Row> for Command {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let state = CommandState::parse(&row.state)
            .ok_or_else(|| Error::internal(format!("command.state holds {:?}", row.state)))?;
        Ok(Self {
            id: row.id,
            device_id: row.device_id,
            name: row.name,
            args: serde_json::from_str(&row.args).map_err(Error::internal)?,
            state,
            counter: row.counter,
            issued_by: row.issued_by,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            sent_at: row.sent_at,
            delivered_at: row.delivered_at,
            finished_at: row.finished_at,
            attempts: row.attempts,
            error: row.error,
            response: serde_json::from_str(&row.response).map_err(Error::internal)?,
        })
    }
}

macro_rules! select_command {
    ($rest:literal) => {
        concat!(
            "select id, device_id, name, args, state, counter, issued_by, issued_at, expires_at, sent_at, delivered_at,
                    finished_at, attempts, error, response
             from command where organization_id = $1 and device_id = $2 ",
            $rest
        )
    };
}

/// Whether the device is there, with its row locked: it neither comes nor goes until the end of the transaction.
pub async fn lock_connection(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
) -> Result<Option<Connection>> {
    const SELECT: &str = "select connection from device where id = $1 and organization_id = $2 and deleted_at is null";
    const FOR_UPDATE: &str =
        "select connection from device where id = $1 and organization_id = $2 and deleted_at is null for update";
    let connection: Option<String> = match tx {
        // The only writer.
        Tx::Sqlite(transaction) => {
            sqlx::query_scalar(SELECT).bind(device).bind(organization).fetch_optional(&mut **transaction).await?
        }
        Tx::Postgres(transaction) => {
            sqlx::query_scalar(FOR_UPDATE).bind(device).bind(organization).fetch_optional(&mut **transaction).await?
        }
    };
    Ok(connection.and_then(|text| Connection::parse(&text)))
}

/// The number of the device's next command.
pub async fn next_counter(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "insert into command_counter (device_id, organization_id, last) values ($1, $2, 1)
         on conflict (device_id) do update set last = command_counter.last + 1 returning last",
    ).bind(device).bind(organization).fetch_one(conn).await)?)
}

/// How many commands of the device are not finished.
pub async fn count_open(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from command where organization_id = $1 and device_id = $2 and finished_at is null",
    ).bind(organization).bind(device).fetch_one(conn).await)?)
}

pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    command: &Command,
    next_attempt_at: Option<Timestamp>,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into command (id, organization_id, device_id, name, args, state, counter, issued_by, issued_at,
             expires_at, sent_at, attempts, next_attempt_at, error, response)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', '{}')",
    )
    .bind(command.id).bind(organization).bind(command.device_id).bind(&command.name).bind(command.args.to_string())
    .bind(command.state.as_str()).bind(command.counter).bind(&command.issued_by).bind(command.issued_at)
    .bind(command.expires_at).bind(command.sent_at).bind(command.attempts).bind(next_attempt_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn find(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    id: CommandId,
) -> Result<Option<Command>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_command!("and id = $3"))
        .bind(organization).bind(device).bind(id).fetch_optional(conn).await)?;
    row.map(Command::try_from).transpose()
}

/// As [`find`], locked until the end of the transaction: two answers to one command are taken one after the other.
pub async fn lock(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    id: CommandId,
) -> Result<Option<Command>> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from command where id = $1 and organization_id = $2 for update")
            .bind(id)
            .bind(organization)
            .execute(&mut **transaction)
            .await?;
    }
    find(tx, organization, device, id).await
}

/// A device's commands, the newest first.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    state: Option<CommandState>,
    before: Option<CommandId>,
    limit: i64,
) -> Result<Vec<Command>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_command!(
        "and ($3 is null or state = $3) and ($4 is null or id < $4) order by id desc limit $5"
    ))
    .bind(organization).bind(device).bind(state.map(CommandState::as_str)).bind(before).bind(limit)
    .fetch_all(conn).await)?;
    rows.into_iter().map(Command::try_from).collect()
}

/// What the device has still to be told, the oldest first.
pub async fn list_to_send(
    tx: &mut Tx,
    organization: OrganizationId,
    device: DeviceId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Command>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_command!(
        "and state in ('queued', 'sent') and expires_at > $3 order by id limit $4"
    ))
    .bind(organization).bind(device).bind(now).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(Command::try_from).collect()
}

/// Writes everything of it that moves.
pub async fn update(
    tx: &mut Tx,
    organization: OrganizationId,
    command: &Command,
    next_attempt_at: Option<Timestamp>,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update command set state = $3, sent_at = $4, delivered_at = $5, finished_at = $6, attempts = $7,
             next_attempt_at = $8, error = $9, response = $10
         where id = $1 and organization_id = $2",
    )
    .bind(command.id).bind(organization).bind(command.state.as_str()).bind(command.sent_at)
    .bind(command.delivered_at).bind(command.finished_at).bind(command.attempts).bind(next_attempt_at)
    .bind(&command.error).bind(command.response.to_string()).execute(conn).await.map(drop))?;
    Ok(())
}

/// The device is back: what waits for it is to be sent now.
pub async fn wake(tx: &mut Tx, organization: OrganizationId, device: DeviceId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update command set next_attempt_at = $3
         where device_id = $1 and organization_id = $2 and finished_at is null and state in ('queued', 'sent')",
    ).bind(device).bind(organization).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// A command that something is to happen to, of whichever organisation: for the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub id: CommandId,
    pub organization_id: OrganizationId,
    pub device_id: DeviceId,
}

pub async fn to_send(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, device_id from command
         where next_attempt_at is not null and next_attempt_at <= $1 order by next_attempt_at, id limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

pub async fn to_expire(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, device_id from command
         where finished_at is null and expires_at <= $1 order by expires_at, id limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

/// Takes the command out of the queue when it is (still) due: the server that gets `true` sends it.
pub async fn claim(tx: &mut Tx, due: Due, now: Timestamp) -> Result<bool> {
    let taken = on_db!(tx, conn => sqlx::query(
        "update command set next_attempt_at = null
         where id = $1 and organization_id = $2 and next_attempt_at is not null and next_attempt_at <= $3",
    ).bind(due.id).bind(due.organization_id).bind(now).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(taken > 0)
}

/// Removes some that were finished before the time, of all organisations; how many.
pub async fn delete_older(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from command where finished_at is not null and id in (
             select id from command where finished_at is not null and finished_at < $1 order by finished_at limit $2)",
    ).bind(before).bind(limit).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The highest counter that the device is done with: below its first open command, else the last that was given.
pub async fn settled_counter(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<i64> {
    let open: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select min(counter) from command where organization_id = $1 and device_id = $2 and finished_at is null",
    ).bind(organization).bind(device).fetch_one(conn).await)?;
    if let Some(first) = open {
        return Ok(first - 1);
    }
    let last: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select last from command_counter where organization_id = $1 and device_id = $2",
    ).bind(organization).bind(device).fetch_optional(conn).await)?;
    Ok(last.unwrap_or(0))
}
