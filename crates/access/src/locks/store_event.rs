//! SQL of the history of locks.

use portico_model::access::lock::{How, LockEvent, LockEventKind, LockResult};
use portico_model::{CommandId, DeviceId, LockEventId, OrganizationId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: LockEventId,
    device_id: DeviceId,
    at: Timestamp,
    kind: String,
    actor: String,
    how: String,
    result: String,
    delay_ms: Option<i64>,
    command_id: Option<CommandId>,
    note: String,
}

impl TryFrom<Row> for LockEvent {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let unknown =
            |column: &str, value: &str| Error::internal(format!("access_lock_event.{column} holds {value:?}"));
        Ok(Self {
            id: row.id,
            lock_id: row.device_id,
            at: row.at,
            kind: LockEventKind::parse(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?,
            actor: row.actor,
            how: How::parse(&row.how).ok_or_else(|| unknown("how", &row.how))?,
            result: LockResult::parse(&row.result).ok_or_else(|| unknown("result", &row.result))?,
            delay_ms: row.delay_ms,
            command_id: row.command_id,
            note: row.note,
        })
    }
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, event: &LockEvent) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_lock_event (id, organization_id, device_id, at, kind, actor, how, result, delay_ms,
             command_id, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(event.id).bind(organization).bind(event.lock_id).bind(event.at).bind(event.kind.as_str()).bind(&event.actor)
    .bind(event.how.as_str()).bind(event.result.as_str()).bind(event.delay_ms).bind(event.command_id).bind(&event.note)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// The line of a command.
pub async fn find_of_command(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    command: CommandId,
) -> Result<Option<LockEvent>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, device_id, at, kind, actor, how, result, delay_ms, command_id, note from access_lock_event
         where organization_id = $1 and device_id = $2 and command_id = $3 and result = 'pending'
         order by id desc limit 1",
    ).bind(organization).bind(lock).bind(command).fetch_optional(conn).await)?;
    row.map(LockEvent::try_from).transpose()
}

pub async fn update(tx: &mut Tx, organization: OrganizationId, event: &LockEvent) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_lock_event set result = $3, delay_ms = $4, note = $5 where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(event.id).bind(event.result.as_str()).bind(event.delay_ms).bind(&event.note)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// Of a lock, the newest first.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    lock: DeviceId,
    before: Option<LockEventId>,
    limit: i64,
) -> Result<Vec<LockEvent>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select id, device_id, at, kind, actor, how, result, delay_ms, command_id, note from access_lock_event
         where organization_id = $1 and device_id = $2 and ($3 is null or id < $3) order by id desc limit $4",
    ).bind(organization).bind(lock).bind(before).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(LockEvent::try_from).collect()
}

/// Of all locks of a person, the newest first, with the hardware id by which the former interface knows each.
pub async fn list_of_owner(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: UserId,
    limit: i64,
) -> Result<Vec<LockEvent>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(
        "select e.id, e.device_id, e.at, e.kind, e.actor, e.how, e.result, e.delay_ms, e.command_id, e.note
         from access_lock_event e join access_lock l on l.device_id = e.device_id
         where e.organization_id = $1 and l.owner_id = $2 order by e.id desc limit $3",
    ).bind(organization).bind(owner).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(LockEvent::try_from).collect()
}

/// So many that are older; how many went.
pub async fn delete_older(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from access_lock_event where id in (select id from access_lock_event where at < $1 limit $2)",
    ).bind(before).bind(limit).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// A person's name becomes his pseudonym.
pub async fn rename_person(tx: &mut Tx, organization: OrganizationId, from: &str, to: &str) -> Result<()> {
    for statement in [
        "update access_lock_event set actor = $3 where organization_id = $1 and actor = $2",
        "update access_lock set changed_by = $3 where organization_id = $1 and changed_by = $2",
        "update access_lock_grant set granted_by = $3 where organization_id = $1 and granted_by = $2",
    ] {
        on_db!(&mut *tx, conn => sqlx::query(statement).bind(organization).bind(from).bind(to).execute(conn).await.map(drop))?;
    }
    Ok(())
}
