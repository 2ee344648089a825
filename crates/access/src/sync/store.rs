//! SQL of what readers know.

use portico_model::access::DoorMode;
use portico_model::devices::Connection;
use portico_model::{DeviceId, DoorId, OrganizationId, PersonGroupId, PersonId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

/// Where a reader is.
#[derive(Debug, Clone)]
pub struct Place {
    pub reader: DeviceId,
    pub door: DoorId,
    pub door_name: String,
    /// On the inside.
    pub leaving: bool,
    pub mode: DoorMode,
    pub mode_until: Option<Timestamp>,
    pub unlock_s: i64,
}

/// The door of a reader; one that serves both sides counts as outside.
pub async fn place_of(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Option<Place>> {
    let row: Option<(DoorId, String, bool, String, Option<Timestamp>, i64)> = on_db!(tx, conn => sqlx::query_as(
        "select id, name, (reader_id is null or reader_id <> $2) as leaving, mode, mode_until, unlock_s from access_door
         where organization_id = $1 and (reader_id = $2 or exit_reader_id = $2) order by id limit 1",
    ).bind(organization).bind(reader).fetch_optional(conn).await)?;
    row.map(|(door, door_name, leaving, mode, mode_until, unlock_s)| {
        let mode = DoorMode::parse(&mode).ok_or_else(|| Error::internal(format!("access_door.mode holds {mode:?}")))?;
        Ok(Place { reader, door, door_name, leaving, mode, mode_until, unlock_s })
    })
    .transpose()
}

/// How far a reader is.
#[derive(Debug, Default, sqlx::FromRow)]
pub struct Reader {
    pub last_seq: i64,
    pub sent_version: i64,
    pub lost: i64,
    pub content: Option<Vec<u8>>,
}

/// The reader's row, made when it is not there, and locked until the end of the transaction.
pub async fn lock_reader(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Reader> {
    // The update that changes nothing takes the lock.
    Ok(on_db!(tx, conn => sqlx::query_as(
        "insert into access_reader (device_id, organization_id, last_seq, synced_version, sent_version, lost)
         values ($1, $2, 0, 0, 0, 0)
         on conflict (device_id) do update set last_seq = access_reader.last_seq
         returning last_seq, sent_version, lost, content",
    ).bind(reader).bind(organization).fetch_one(conn).await)?)
}

pub async fn set_synced(
    tx: &mut Tx,
    organization: OrganizationId,
    reader: DeviceId,
    version: i64,
    now: Timestamp,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_reader set synced_version = $3, synced_at = $4, expires_at = sent_at + $5
         where device_id = $1 and organization_id = $2",
    ).bind(reader).bind(organization).bind(version).bind(now).bind(super::TABLE_S * 1_000)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_sent(
    tx: &mut Tx,
    organization: OrganizationId,
    reader: DeviceId,
    version: i64,
    now: Timestamp,
    content: &[u8],
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_reader set sent_version = $3, sent_at = $4, content = $5
         where device_id = $1 and organization_id = $2",
    ).bind(reader).bind(organization).bind(version).bind(now).bind(content).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_told(tx: &mut Tx, organization: OrganizationId, reader: DeviceId, now: Timestamp) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_reader set told_at = $3 where device_id = $1 and organization_id = $2",
    ).bind(reader).bind(organization).bind(now).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn set_reached(
    tx: &mut Tx,
    organization: OrganizationId,
    reader: DeviceId,
    last_seq: i64,
    lost: i64,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_reader set last_seq = $3, lost = $4 where device_id = $1 and organization_id = $2",
    ).bind(reader).bind(organization).bind(last_seq).bind(lost).execute(conn).await.map(drop))?;
    Ok(())
}

/// Readers that are there and behind, or whose table has but half its time left, and that were not told lately; those
/// that have never asked are not told either.
pub async fn behind(
    tx: &mut Tx,
    told_before: Timestamp,
    half_over: Timestamp,
    limit: i64,
) -> Result<Vec<(OrganizationId, DeviceId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select r.organization_id, r.device_id from access_reader r join device d on d.id = r.device_id
         left join access_version v on v.organization_id = r.organization_id
         where r.sent_at is not null and d.connection = 'online' and d.status = 'active' and d.deleted_at is null
           and (r.told_at is null or r.told_at < $1)
           and (r.synced_version < coalesce(v.version, 0) or r.expires_at is null or r.expires_at < $2)
           and exists (select 1 from access_door o where o.reader_id = r.device_id or o.exit_reader_id = r.device_id)
         order by r.told_at limit $3",
    ).bind(told_before).bind(half_over).bind(limit).fetch_all(conn).await)?)
}

#[derive(sqlx::FromRow)]
pub struct ReaderRow {
    pub reader_id: DeviceId,
    pub reader_name: String,
    connection: String,
    pub door_id: DoorId,
    pub door_name: String,
    pub leaving: bool,
    pub synced_version: i64,
    pub synced_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub last_seq: i64,
    pub lost: i64,
}

impl ReaderRow {
    pub fn connection(&self) -> Result<Connection> {
        Connection::parse(&self.connection).ok_or_else(|| Error::internal("device.connection holds an unknown word"))
    }
}

pub async fn readers(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<ReaderRow>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select d.id as reader_id, d.name as reader_name, d.connection, o.id as door_id, o.name as door_name,
                (o.reader_id is null or o.reader_id <> d.id) as leaving, coalesce(r.synced_version, 0) as synced_version,
                r.synced_at, r.expires_at, coalesce(r.last_seq, 0) as last_seq, coalesce(r.lost, 0) as lost
         from access_door o join device d on d.id = o.reader_id or d.id = o.exit_reader_id
         left join access_reader r on r.device_id = d.id
         where o.organization_id = $1 and d.organization_id = $1 and d.deleted_at is null
         order by o.name, leaving, d.name limit 2000",
    ).bind(organization).fetch_all(conn).await)?)
}

/// A policy that names this door, itself, by a group, or as one of all.
#[derive(sqlx::FromRow)]
pub struct Policy {
    pub person_id: Option<PersonId>,
    pub person_group_id: Option<PersonGroupId>,
    pub windows: Option<String>,
    pub levels: i64,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub in_lockdown: bool,
}

/// In the order in which they are asked.
pub async fn policies(tx: &mut Tx, organization: OrganizationId, door: DoorId) -> Result<Vec<Policy>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select p.person_id, p.person_group_id, s.windows, p.levels, p.valid_from, p.valid_until, p.in_lockdown
         from access_policy p left join access_schedule s on s.id = p.schedule_id
         where p.organization_id = $1 and p.is_active and (p.door_id is null or p.door_id = $2)
           and (p.door_group_id is null or exists (
               select 1 from access_door_group_member m where m.group_id = p.door_group_id and m.door_id = $2))
         order by p.id",
    ).bind(organization).bind(door).fetch_all(conn).await)?)
}

pub async fn memberships(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<(PersonId, PersonGroupId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select person_id, group_id from access_person_group_member where organization_id = $1",
    ).bind(organization).fetch_all(conn).await)?)
}

#[derive(sqlx::FromRow)]
pub struct Credential {
    pub kind: String,
    pub lookup: String,
    pub is_active: bool,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    pub person_id: PersonId,
    pub number: i64,
    pub level: String,
    pub person_is_active: bool,
}

/// Cards, and fingers of this reader or of all; those of this reader first.
pub async fn credentials(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Vec<Credential>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select c.kind, c.lookup, c.is_active, c.valid_from, c.valid_until, p.id as person_id, p.number, p.level,
                p.is_active as person_is_active
         from access_credential c join access_person p on p.id = c.person_id
         where c.organization_id = $1 and p.organization_id = $1 and c.kind in ('rfid', 'fingerprint')
           and (c.reader_id is null or c.reader_id = $2)
         order by case when c.reader_id is null then 1 else 0 end, c.id",
    ).bind(organization).bind(reader).fetch_all(conn).await)?)
}

pub async fn holidays(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select date from access_holiday where organization_id = $1 order by date",
    ).bind(organization).fetch_all(conn).await)?)
}

/// A person by number, with the credentials of one kind: id, lookup, hint.
pub async fn person_of(tx: &mut Tx, organization: OrganizationId, number: i64) -> Result<Option<(PersonId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from access_person where organization_id = $1 and number = $2",
    ).bind(organization).bind(number).fetch_optional(conn).await)?)
}

pub async fn credentials_of(
    tx: &mut Tx,
    organization: OrganizationId,
    person: PersonId,
    kind: &str,
) -> Result<Vec<(portico_model::CredentialId, String, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, lookup, hint from access_credential where organization_id = $1 and person_id = $2 and kind = $3",
    ).bind(organization).bind(person).bind(kind).fetch_all(conn).await)?)
}

/// When the event of this number happened and was heard of, if it is there.
pub async fn time_of_event(tx: &mut Tx, reader: DeviceId, seq: i64) -> Result<Option<(Timestamp, Timestamp)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select at, received_at from access_event where reader_id = $1 and seq = $2",
    ).bind(reader).bind(seq).fetch_optional(conn).await)?)
}

/// The numbers of the reader's events beyond this one that are there, ascending.
pub async fn numbers_after(tx: &mut Tx, reader: DeviceId, seq: i64, limit: i64) -> Result<Vec<i64>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select seq from access_event where reader_id = $1 and seq > $2 order by seq limit $3",
    ).bind(reader).bind(seq).bind(limit).fetch_all(conn).await)?)
}
