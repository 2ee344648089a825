//! SQL of codes.

use portico_model::access::code::{AccessCode, CodeState, Course, NewCode};
use portico_model::{
    AccessCodeId, CommandId, DeviceId, DoorId, OrganizationId, PersonId, ScheduleId, Timestamp, UserId,
};
use portico_platform::{Error, Result, Tx, on_db};

use super::{CodeQuery, input};

/// A code with what pages do not see of it.
pub struct Row {
    pub code: AccessCode,
    pub course: Course,
    /// The owner of its lock.
    pub owner: Option<UserId>,
    pub command: Option<CommandId>,
    pub sealed: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct RawRow {
    id: AccessCodeId,
    name: String,
    door_id: Option<DoorId>,
    door_name: Option<String>,
    lock_id: Option<DeviceId>,
    lock_name: Option<String>,
    owner_id: Option<UserId>,
    person_id: Option<PersonId>,
    person_name: Option<String>,
    digits: i64,
    schedule_id: Option<ScheduleId>,
    schedule_name: Option<String>,
    valid_from: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    max_uses: Option<i64>,
    uses: i64,
    wanted: bool,
    state: String,
    is_absent: bool,
    command_id: Option<CommandId>,
    attempts: i64,
    next_attempt_at: Option<Timestamp>,
    reason: String,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    sealed: Vec<u8>,
}

impl TryFrom<RawRow> for Row {
    type Error = Error;

    fn try_from(row: RawRow) -> Result<Self> {
        let state = CodeState::parse(&row.state)
            .ok_or_else(|| Error::internal(format!("access_code.state holds {:?}", row.state)))?;
        Ok(Self {
            course: Course { wanted: row.wanted, state, attempts: row.attempts, is_absent: row.is_absent },
            owner: row.owner_id,
            command: row.command_id,
            sealed: row.sealed,
            code: AccessCode {
                id: row.id,
                name: row.name,
                door_id: row.door_id,
                door_name: row.door_name.unwrap_or_default(),
                lock_id: row.lock_id,
                lock_name: row.lock_name.unwrap_or_default(),
                person_id: row.person_id,
                person_name: row.person_name.unwrap_or_default(),
                digits: row.digits,
                schedule_id: row.schedule_id,
                schedule_name: row.schedule_name.unwrap_or_default(),
                valid_from: row.valid_from,
                valid_until: row.valid_until,
                max_uses: row.max_uses,
                uses: row.uses,
                wanted: row.wanted,
                state,
                attempts: row.attempts,
                next_attempt_at: row.next_attempt_at,
                reason: row.reason,
                created_by: row.created_by,
                created_at: row.created_at,
                updated_at: row.updated_at,
            },
        })
    }
}

macro_rules! select_code {
    ($rest:literal) => {
        concat!(
            "select c.id, c.name, c.door_id, d.name as door_name, c.lock_id, v.name as lock_name, l.owner_id, c.person_id,
                    p.name as person_name, c.digits, c.schedule_id, s.name as schedule_name, c.valid_from, c.valid_until,
                    c.max_uses, c.uses, c.wanted, c.state, c.is_absent, c.command_id, c.attempts, c.next_attempt_at,
                    c.reason, c.created_by, c.created_at, c.updated_at, c.sealed
             from access_code c
             left join access_door d on d.id = c.door_id
             left join access_lock l on l.device_id = c.lock_id
             left join device v on v.id = c.lock_id
             left join access_person p on p.id = c.person_id
             left join access_schedule s on s.id = c.schedule_id
             where c.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: AccessCodeId) -> Result<Option<Row>> {
    let row: Option<RawRow> = on_db!(tx, conn => sqlx::query_as(select_code!("and c.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Row::try_from).transpose()
}

/// As [`find`], locked until the end of the transaction.
pub async fn lock(tx: &mut Tx, organization: OrganizationId, id: AccessCodeId) -> Result<Option<Row>> {
    // On SQLite the transaction is the only writer.
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from access_code where id = $1 and organization_id = $2 for update")
            .bind(id)
            .bind(organization)
            .execute(&mut **transaction)
            .await?;
    }
    find(tx, organization, id).await
}

/// Newest first. `viewer`: only codes of this person's locks.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    viewer: Option<UserId>,
    query: &CodeQuery,
    before: Option<AccessCodeId>,
    limit: i64,
) -> Result<Vec<AccessCode>> {
    let rows: Vec<RawRow> = on_db!(tx, conn => sqlx::query_as(select_code!(
        "and ($2 is null or l.owner_id = $2) and ($3 is null or c.door_id = $3) and ($4 is null or c.lock_id = $4)
         and ($5 is null or c.state = $5) and ($6 is null or c.wanted = $6) and ($7 is null or c.id < $7)
         order by c.id desc limit $8"
    ))
    .bind(organization).bind(viewer).bind(query.door).bind(query.lock).bind(query.state.map(CodeState::as_str))
    .bind(query.wanted).bind(before).bind(limit).fetch_all(conn).await)?;
    rows.into_iter().map(|row| Row::try_from(row).map(|row| row.code)).collect()
}

/// That the door or the lock it is for is there. Of a lock, its owner.
pub async fn find_place(tx: &mut Tx, organization: OrganizationId, given: &NewCode) -> Result<Option<UserId>> {
    if let Some(lock) = given.lock_id {
        let owner: Option<UserId> = on_db!(tx, conn => sqlx::query_scalar(
            "select l.owner_id from access_lock l join device v on v.id = l.device_id
             where l.organization_id = $1 and l.device_id = $2 and v.deleted_at is null",
        ).bind(organization).bind(lock).fetch_optional(conn).await)?;
        return owner.map(Some).ok_or_else(|| input::unknown("lock_id", "lock"));
    }
    let doors: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_door where organization_id = $1 and id = $2",
    ).bind(organization).bind(given.door_id).fetch_one(conn).await)?;
    if doors == 0 { Err(input::unknown("door_id", "door")) } else { Ok(None) }
}

/// That the person and the schedule are there.
pub async fn check_references(tx: &mut Tx, organization: OrganizationId, given: &NewCode) -> Result<()> {
    if let Some(person) = given.person_id {
        let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
            "select count(*) from access_person where organization_id = $1 and id = $2",
        ).bind(organization).bind(person).fetch_one(conn).await)?;
        if found == 0 {
            return Err(input::unknown("person_id", "person"));
        }
    }
    if let Some(schedule) = given.schedule_id {
        let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
            "select count(*) from access_schedule where organization_id = $1 and id = $2",
        ).bind(organization).bind(schedule).fetch_one(conn).await)?;
        if found == 0 {
            return Err(input::unknown("schedule_id", "schedule"));
        }
    }
    Ok(())
}

/// How many codes of the place are in use.
pub async fn count_wanted(
    tx: &mut Tx,
    organization: OrganizationId,
    door: Option<DoorId>,
    lock: Option<DeviceId>,
) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_code where organization_id = $1 and wanted and (door_id = $2 or lock_id = $3)",
    ).bind(organization).bind(door).bind(lock).fetch_one(conn).await)?)
}

/// A code to be stored.
pub struct New<'a> {
    pub id: AccessCodeId,
    pub given: &'a NewCode,
    pub course: Course,
    pub digits: i64,
    pub lookup: String,
    pub sealed: Vec<u8>,
    pub created_by: String,
    pub now: Timestamp,
}

/// False when another code of the place has these digits.
pub async fn insert(tx: &mut Tx, organization: OrganizationId, new: New<'_>) -> Result<bool> {
    let given = new.given;
    let rows = on_db!(tx, conn => sqlx::query(
        "insert into access_code (id, organization_id, lock_id, door_id, person_id, name, sealed, lookup, digits,
             schedule_id, valid_from, valid_until, max_uses, uses, wanted, state, is_absent, command_id, attempts,
             next_attempt_at, reason, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16, null, 0, null, '', $17, $18, $18)
         on conflict do nothing",
    )
    .bind(new.id).bind(organization).bind(given.lock_id).bind(given.door_id).bind(given.person_id).bind(&given.name)
    .bind(new.sealed).bind(new.lookup).bind(new.digits).bind(given.schedule_id).bind(given.valid_from)
    .bind(given.valid_until).bind(given.max_uses).bind(new.course.wanted).bind(new.course.state.as_str())
    .bind(new.course.is_absent).bind(new.created_by).bind(new.now)
    .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Stores how far it has come.
pub async fn update(tx: &mut Tx, organization: OrganizationId, row: &Row) -> Result<()> {
    let (code, course) = (&row.code, row.course);
    on_db!(tx, conn => sqlx::query(
        "update access_code set wanted = $3, state = $4, is_absent = $5, command_id = $6, attempts = $7,
             next_attempt_at = $8, reason = $9, updated_at = $10 where id = $1 and organization_id = $2",
    )
    .bind(code.id).bind(organization).bind(course.wanted).bind(course.state.as_str()).bind(course.is_absent)
    .bind(row.command).bind(course.attempts).bind(code.next_attempt_at).bind(&code.reason).bind(code.updated_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// The code that a command is about.
pub async fn of_command(tx: &mut Tx, organization: OrganizationId, command: CommandId) -> Result<Option<AccessCodeId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from access_code where organization_id = $1 and command_id = $2",
    ).bind(organization).bind(command).fetch_optional(conn).await)?)
}

/// Codes whose lock is to be told by now.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<(OrganizationId, AccessCodeId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from access_code where next_attempt_at <= $1 order by next_attempt_at limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

/// Codes in use whose time is over, or that are used up.
pub async fn ended(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<(OrganizationId, AccessCodeId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from access_code
         where wanted and (valid_until <= $1 or (max_uses is not null and uses >= max_uses)) limit $2",
    ).bind(now).bind(limit).fetch_all(conn).await)?)
}

/// Removes those that were over before; how many.
pub async fn delete_over(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from access_code where not wanted and is_absent and state = 'unset' and updated_at < $1",
    ).bind(before).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// False when it was used up, or is no longer in use.
pub async fn count_use(tx: &mut Tx, organization: OrganizationId, id: AccessCodeId, now: Timestamp) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "update access_code set uses = uses + 1, updated_at = $3
         where id = $1 and organization_id = $2 and wanted and (max_uses is null or uses < max_uses)",
    ).bind(id).bind(organization).bind(now).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Counts what a lock let in by itself: also more often than it should have.
pub async fn count_use_by_lock(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AccessCodeId,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_code set uses = uses + 1, updated_at = $3 where id = $1 and organization_id = $2",
    ).bind(id).bind(organization).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

/// A door's code for a decision.
#[derive(sqlx::FromRow)]
pub struct DoorCode {
    pub id: AccessCodeId,
    pub name: String,
    pub person_id: Option<PersonId>,
    pub person_name: Option<String>,
    pub person_number: Option<i64>,
    pub person_is_active: Option<bool>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub max_uses: Option<i64>,
    pub uses: i64,
    pub has_schedule: bool,
    pub windows: Option<String>,
    pub sealed: Vec<u8>,
}

macro_rules! select_door_code {
    ($rest:literal) => {
        concat!(
            "select c.id, c.name, c.person_id, p.name as person_name, p.number as person_number,
                    p.is_active as person_is_active, c.valid_from, c.valid_until, c.max_uses, c.uses,
                    (c.schedule_id is not null) as has_schedule, s.windows, c.sealed
             from access_code c left join access_schedule s on s.id = c.schedule_id
             left join access_person p on p.id = c.person_id
             where c.organization_id = $1 and c.door_id = $2 and c.wanted ",
            $rest
        )
    };
}

pub async fn find_by_lookup(
    tx: &mut Tx,
    organization: OrganizationId,
    door: DoorId,
    lookup: &str,
) -> Result<Option<DoorCode>> {
    Ok(on_db!(tx, conn => sqlx::query_as(select_door_code!("and c.lookup = $3"))
        .bind(organization).bind(door).bind(lookup).fetch_optional(conn).await)?)
}

/// All codes of a door that are in use, for its readers.
pub async fn of_door(tx: &mut Tx, organization: OrganizationId, door: DoorId) -> Result<Vec<DoorCode>> {
    Ok(on_db!(tx, conn => sqlx::query_as(select_door_code!("order by c.id"))
        .bind(organization).bind(door).fetch_all(conn).await)?)
}
