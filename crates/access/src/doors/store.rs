//! SQL of doors.

use portico_lock_core::decide::DoorMode as CoreMode;
use portico_model::access::DoorMode;
use portico_model::access::door::{Door, DoorState, PassbackRule};
use portico_model::{DeviceId, DoorGroupId, DoorId, OrganizationId, PlanId, Timestamp, ZoneId};
use portico_platform::{Error, Result, Tx, on_db};

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("access_door.{column} holds {value:?}"))
}

/// A door as those see it who decide about it and write to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    pub id: DoorId,
    pub organization: OrganizationId,
    pub name: String,
    pub reader_id: Option<DeviceId>,
    pub exit_reader_id: Option<DeviceId>,
    pub lock_id: Option<DeviceId>,
    pub contact_id: Option<DeviceId>,
    pub into_zone_id: Option<ZoneId>,
    pub from_zone_id: Option<ZoneId>,
    /// As stored: see [`Gate::mode_at`].
    pub mode: DoorMode,
    pub mode_until: Option<Timestamp>,
    pub passback: PassbackRule,
    pub passback_s: Option<i64>,
    pub state: DoorState,
    pub state_at: Option<Timestamp>,
    pub granted_at: Option<Timestamp>,
    pub forced_at: Option<Timestamp>,
    pub held_at: Option<Timestamp>,
    pub held_after_s: i64,
    pub unlock_s: i64,
}

impl Gate {
    /// How it works at a moment: a mode ends by itself, also before the job has seen it.
    pub fn mode_at(&self, now: Timestamp) -> DoorMode {
        if self.mode_until.is_some_and(|until| until <= now) { DoorMode::Normal } else { self.mode }
    }

    pub fn core_mode(&self, now: Timestamp) -> CoreMode {
        self.mode_at(now).into()
    }
}

#[derive(sqlx::FromRow)]
struct GateRow {
    id: DoorId,
    organization_id: OrganizationId,
    name: String,
    reader_id: Option<DeviceId>,
    exit_reader_id: Option<DeviceId>,
    lock_id: Option<DeviceId>,
    contact_id: Option<DeviceId>,
    into_zone_id: Option<ZoneId>,
    from_zone_id: Option<ZoneId>,
    mode: String,
    mode_until: Option<Timestamp>,
    passback: String,
    passback_s: Option<i64>,
    state: String,
    state_at: Option<Timestamp>,
    granted_at: Option<Timestamp>,
    forced_at: Option<Timestamp>,
    held_at: Option<Timestamp>,
    held_after_s: i64,
    unlock_s: i64,
}

impl TryFrom<GateRow> for Gate {
    type Error = Error;

    fn try_from(row: GateRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            organization: row.organization_id,
            name: row.name,
            reader_id: row.reader_id,
            exit_reader_id: row.exit_reader_id,
            lock_id: row.lock_id,
            contact_id: row.contact_id,
            into_zone_id: row.into_zone_id,
            from_zone_id: row.from_zone_id,
            mode: DoorMode::parse(&row.mode).ok_or_else(|| unknown("mode", &row.mode))?,
            mode_until: row.mode_until,
            passback: PassbackRule::parse(&row.passback).ok_or_else(|| unknown("passback", &row.passback))?,
            passback_s: row.passback_s,
            state: DoorState::parse(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            state_at: row.state_at,
            granted_at: row.granted_at,
            forced_at: row.forced_at,
            held_at: row.held_at,
            held_after_s: row.held_after_s,
            unlock_s: row.unlock_s,
        })
    }
}

/// The doors of a condition, locked for writing: on SQLite a writer is alone anyway.
macro_rules! locked_gates {
    ($tx:expr, $rest:literal $(, $bound:expr)*) => {{
        macro_rules! text {
            ($end:literal) => {
                concat!(
                    "select id, organization_id, name, reader_id, exit_reader_id, lock_id, contact_id, into_zone_id,
                            from_zone_id, mode, mode_until, passback, passback_s, state, state_at, granted_at, forced_at,
                            held_at, held_after_s, unlock_s
                     from access_door where ", $rest, " order by id ", $end
                )
            };
        }
        let rows: Vec<GateRow> = match $tx {
            Tx::Sqlite(transaction) => {
                sqlx::query_as(text!(""))$(.bind($bound))*.fetch_all(&mut **transaction).await?
            }
            Tx::Postgres(transaction) => {
                sqlx::query_as(text!("for update"))$(.bind($bound))*.fetch_all(&mut **transaction).await?
            }
        };
        rows.into_iter().map(Gate::try_from).collect::<Result<Vec<Gate>>>()
    }};
}

/// The door of a reader, on whichever side.
pub async fn lock_by_reader(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Option<Gate>> {
    let gates =
        locked_gates!(tx, "organization_id = $1 and (reader_id = $2 or exit_reader_id = $2)", organization, reader)?;
    Ok(gates.into_iter().next())
}

/// The doors whose state a device tells: its contact, or, at a door without one, its reader.
pub async fn lock_by_contact(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<Vec<Gate>> {
    locked_gates!(
        tx,
        "organization_id = $1 and (contact_id = $2 or (contact_id is null and (reader_id = $2 or exit_reader_id = $2)))",
        organization,
        device
    )
}

pub async fn lock(tx: &mut Tx, organization: OrganizationId, id: DoorId) -> Result<Option<Gate>> {
    Ok(locked_gates!(tx, "organization_id = $1 and id = $2", organization, id)?.into_iter().next())
}

/// All doors, or those of a group.
pub async fn lock_all(tx: &mut Tx, organization: OrganizationId, group: Option<DoorGroupId>) -> Result<Vec<Gate>> {
    locked_gates!(
        tx,
        "organization_id = $1 and ($2 is null or exists (
             select 1 from access_door_group_member m where m.group_id = $2 and m.door_id = access_door.id))",
        organization,
        group
    )
}

/// Whose mode has run out, of all organisations.
pub async fn lock_ended(tx: &mut Tx, now: Timestamp) -> Result<Vec<Gate>> {
    locked_gates!(tx, "mode_until is not null and mode_until <= $1", now)
}

/// Open for too long and not yet told of, of all organisations.
pub async fn lock_held(tx: &mut Tx, now: Timestamp) -> Result<Vec<Gate>> {
    locked_gates!(
        tx,
        "state = 'open' and held_at is null and mode not in ('evacuation', 'unlocked')
         and state_at + held_after_s * 1000 <= $1",
        now
    )
}

/// Whether a job has anything to do, so that it need not write.
pub async fn any_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select cast(1 as bigint) from access_door
         where (mode_until is not null and mode_until <= $1)
            or (state = 'open' and held_at is null and mode not in ('evacuation', 'unlocked')
                and state_at + held_after_s * 1000 <= $1)
         limit 1",
    ).bind(now).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Writes what happens to a door: state, mode and marks.
pub async fn update_state(tx: &mut Tx, gate: &Gate, mode_by: Option<&str>, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_door set mode = $3, mode_until = $4, mode_by = coalesce($5, mode_by), state = $6, state_at = $7,
             granted_at = $8, forced_at = $9, held_at = $10, updated_at = $11
         where id = $1 and organization_id = $2",
    )
    .bind(gate.id).bind(gate.organization).bind(gate.mode.as_str()).bind(gate.mode_until).bind(mode_by)
    .bind(gate.state.as_str()).bind(gate.state_at).bind(gate.granted_at).bind(gate.forced_at).bind(gate.held_at)
    .bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_granted(tx: &mut Tx, gate: &Gate, at: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query("update access_door set granted_at = $3 where id = $1 and organization_id = $2")
        .bind(gate.id).bind(gate.organization).bind(at).execute(conn).await.map(drop))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DoorRow {
    #[sqlx(flatten)]
    gate: GateRow,
    location: String,
    mode_by: String,
    reader_name: Option<String>,
    exit_reader_name: Option<String>,
    lock_name: Option<String>,
    contact_name: Option<String>,
    source_is_away: bool,
    plan_id: Option<PlanId>,
    plan_x: Option<f64>,
    plan_y: Option<f64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<DoorRow> for Door {
    type Error = Error;

    fn try_from(row: DoorRow) -> Result<Self> {
        let gate = Gate::try_from(row.gate)?;
        Ok(Self {
            id: gate.id,
            name: gate.name,
            location: row.location,
            reader_id: gate.reader_id,
            reader_name: row.reader_name,
            exit_reader_id: gate.exit_reader_id,
            exit_reader_name: row.exit_reader_name,
            lock_id: gate.lock_id,
            lock_name: row.lock_name,
            contact_id: gate.contact_id,
            contact_name: row.contact_name,
            into_zone_id: gate.into_zone_id,
            from_zone_id: gate.from_zone_id,
            mode: gate.mode,
            mode_until: gate.mode_until,
            mode_by: row.mode_by,
            passback: gate.passback,
            passback_s: gate.passback_s,
            state: if row.source_is_away { DoorState::Unknown } else { gate.state },
            last_state: gate.state,
            state_at: gate.state_at,
            granted_at: gate.granted_at,
            forced_at: gate.forced_at,
            held_at: gate.held_at,
            held_after_s: gate.held_after_s,
            unlock_s: gate.unlock_s,
            plan_id: row.plan_id,
            plan_x: row.plan_x,
            plan_y: row.plan_y,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select_door {
    ($rest:literal) => {
        concat!(
            "select d.id, d.organization_id, d.name, d.reader_id, d.exit_reader_id, d.lock_id, d.contact_id, d.into_zone_id,
                    d.from_zone_id, d.mode, d.mode_until, d.passback, d.passback_s, d.state, d.state_at, d.granted_at,
                    d.forced_at, d.held_at, d.held_after_s, d.unlock_s, d.location, d.mode_by, d.plan_id, d.plan_x, d.plan_y,
                    d.created_at, d.updated_at, r.name as reader_name, e.name as exit_reader_name, l.name as lock_name,
                    c.name as contact_name, coalesce(s.connection = 'offline', false) as source_is_away
             from access_door d
             left join device r on r.id = d.reader_id and r.deleted_at is null
             left join device e on e.id = d.exit_reader_id and e.deleted_at is null
             left join device l on l.id = d.lock_id and l.deleted_at is null
             left join device c on c.id = d.contact_id and c.deleted_at is null
             left join device s on s.id = coalesce(d.contact_id, d.reader_id, d.exit_reader_id)
             where d.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: DoorId) -> Result<Option<Door>> {
    let row: Option<DoorRow> = on_db!(tx, conn => sqlx::query_as(select_door!("and d.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Door::try_from).transpose()
}

/// Which doors to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Part of the name or location, in any case of letters that both databases know.
    pub search: Option<String>,
    pub mode: Option<DoorMode>,
    pub group: Option<DoorGroupId>,
    pub plan: Option<PlanId>,
    /// The door that the page before ended with.
    pub after: Option<DoorId>,
    pub limit: i64,
}

/// By name.
pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Door>> {
    let pattern = filter.search.as_deref().map(|text| {
        let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        format!("%{escaped}%")
    });
    let rows: Vec<DoorRow> = on_db!(tx, conn => sqlx::query_as(select_door!(
        "and ($2 is null or lower(d.name) like $2 escape '!' or lower(d.location) like $2 escape '!')
         and ($3 is null or d.mode = $3)
         and ($4 is null or exists (select 1 from access_door_group_member m where m.group_id = $4 and m.door_id = d.id))
         and ($5 is null or d.plan_id = $5)
         and ($6 is null or (d.name, d.id) > (select b.name, b.id from access_door b where b.id = $6 and b.organization_id = $1))
         order by d.name, d.id limit $7"
    ))
    .bind(organization).bind(&pattern).bind(filter.mode.map(DoorMode::as_str)).bind(filter.group).bind(filter.plan)
    .bind(filter.after).bind(filter.limit).fetch_all(conn).await)?;
    rows.into_iter().map(Door::try_from).collect()
}

/// Doors whose state a device tells, for those who watch.
pub async fn list_by_device(tx: &mut Tx, organization: OrganizationId, device: DeviceId) -> Result<Vec<Door>> {
    let rows: Vec<DoorRow> = on_db!(tx, conn => sqlx::query_as(select_door!(
        "and coalesce(d.contact_id, d.reader_id, d.exit_reader_id) = $2 order by d.id"
    )).bind(organization).bind(device).fetch_all(conn).await)?;
    rows.into_iter().map(Door::try_from).collect()
}

/// (mode, state, alarmed, count).
pub async fn counts(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<(String, String, bool, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select mode, state, (forced_at is not null or held_at is not null) as alarmed, count(*) from access_door
         where organization_id = $1 group by 1, 2, 3",
    ).bind(organization).fetch_all(conn).await)?)
}

pub async fn name_is_taken(tx: &mut Tx, organization: OrganizationId, name: &str, except: DoorId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_door where organization_id = $1 and name = $2 and id <> $3",
    ).bind(organization).bind(name).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Whether another door has this device as a reader.
pub async fn reader_is_taken(
    tx: &mut Tx,
    organization: OrganizationId,
    reader: DeviceId,
    except: DoorId,
) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_door
         where organization_id = $1 and (reader_id = $2 or exit_reader_id = $2) and id <> $3",
    ).bind(organization).bind(reader).bind(except).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, door: &Door) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_door (id, organization_id, name, location, reader_id, exit_reader_id, lock_id, contact_id,
             into_zone_id, from_zone_id, mode, mode_by, passback, passback_s, state, held_after_s, unlock_s, created_at,
             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'normal', '', $11, $12, 'unknown', $13, $14, $15, $15)",
    )
    .bind(door.id).bind(organization).bind(&door.name).bind(&door.location).bind(door.reader_id)
    .bind(door.exit_reader_id).bind(door.lock_id).bind(door.contact_id).bind(door.into_zone_id).bind(door.from_zone_id)
    .bind(door.passback.as_str()).bind(door.passback_s).bind(door.held_after_s).bind(door.unlock_s).bind(door.created_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn update_settings(tx: &mut Tx, organization: OrganizationId, door: &Door) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_door set name = $3, location = $4, reader_id = $5, exit_reader_id = $6, lock_id = $7,
             contact_id = $8, into_zone_id = $9, from_zone_id = $10, passback = $11, passback_s = $12, held_after_s = $13,
             unlock_s = $14, updated_at = $15
         where id = $1 and organization_id = $2",
    )
    .bind(door.id).bind(organization).bind(&door.name).bind(&door.location).bind(door.reader_id)
    .bind(door.exit_reader_id).bind(door.lock_id).bind(door.contact_id).bind(door.into_zone_id).bind(door.from_zone_id)
    .bind(door.passback.as_str()).bind(door.passback_s).bind(door.held_after_s).bind(door.unlock_s).bind(door.updated_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_place(
    tx: &mut Tx,
    organization: OrganizationId,
    id: DoorId,
    place: Option<(PlanId, f64, f64)>,
) -> Result<()> {
    let (plan, x, y) = place.map_or((None, None, None), |(plan, x, y)| (Some(plan), Some(x), Some(y)));
    on_db!(tx, conn => sqlx::query(
        "update access_door set plan_id = $3, plan_x = $4, plan_y = $5 where id = $1 and organization_id = $2",
    ).bind(id).bind(organization).bind(plan).bind(x).bind(y).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, organization: OrganizationId, id: DoorId) -> Result<()> {
    on_db!(tx, conn => sqlx::query("delete from access_door where id = $1 and organization_id = $2")
        .bind(id).bind(organization).execute(conn).await.map(drop))?;
    Ok(())
}

/// Wrong tries with something that can be guessed at this door's readers since a moment.
pub async fn count_wrong(tx: &mut Tx, organization: OrganizationId, door: DoorId, since: Timestamp) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_event
         where organization_id = $1 and door_id = $2 and at > $3 and method in ('pin', 'code')
           and reason = 'unknown_credential'",
    ).bind(organization).bind(door).bind(since).fetch_one(conn).await)?)
}

pub async fn zone_exists(tx: &mut Tx, organization: OrganizationId, id: ZoneId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_zone where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn plan_exists(tx: &mut Tx, organization: OrganizationId, id: PlanId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_plan where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}

pub async fn group_exists(tx: &mut Tx, organization: OrganizationId, id: DoorGroupId) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_door_group where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Whether any of these doors is locked down.
pub async fn any_in_lockdown(
    tx: &mut Tx,
    organization: OrganizationId,
    door: Option<DoorId>,
    group: Option<DoorGroupId>,
) -> Result<bool> {
    let found: i64 = on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_door d
         where d.organization_id = $1 and d.mode = 'lockdown' and ($2 is null or d.id = $2)
           and ($3 is null or exists (select 1 from access_door_group_member m where m.group_id = $3 and m.door_id = d.id))",
    ).bind(organization).bind(door).bind(group).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Active people whom a policy for the reader's door names, by number.
pub async fn people_of_reader(
    tx: &mut Tx,
    organization: OrganizationId,
    reader: DeviceId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<super::compat::ReaderUser>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select p.number as id, p.name, coalesce(p.employee_id, '') as employee_id, p.level as access_level,
                (select min(c.lookup) from access_credential c
                 where c.person_id = p.id and c.kind = 'rfid' and c.is_active
                   and (c.valid_from is null or c.valid_from <= $3)
                   and (c.valid_until is null or c.valid_until > $3)) as rfid_uid,
                (select min(cast(c.lookup as bigint)) from access_credential c
                 where c.person_id = p.id and c.kind = 'fingerprint' and c.is_active
                   and (c.reader_id is null or c.reader_id = $2)
                   and (c.valid_from is null or c.valid_from <= $3)
                   and (c.valid_until is null or c.valid_until > $3)) as fingerprint_id
         from access_person p
         where p.organization_id = $1 and p.is_active and exists (
             select 1 from access_door d join access_policy y on y.organization_id = d.organization_id
             where d.organization_id = $1 and (d.reader_id = $2 or d.exit_reader_id = $2) and y.is_active
               and (y.person_id is null or y.person_id = p.id)
               and (y.person_group_id is null or exists (select 1 from access_person_group_member m
                    where m.group_id = y.person_group_id and m.person_id = p.id))
               and (y.door_id is null or y.door_id = d.id)
               and (y.door_group_id is null or exists (select 1 from access_door_group_member m
                    where m.group_id = y.door_group_id and m.door_id = d.id)))
         order by p.number limit $4",
    ).bind(organization).bind(reader).bind(now).bind(limit).fetch_all(conn).await)?)
}
