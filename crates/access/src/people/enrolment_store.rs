//! SQL of enrolments.

use portico_model::access::people::{Enrolment, EnrolmentMode, EnrolmentState, ReaderName};
use portico_model::{CredentialId, DeviceId, DoorId, EnrolmentId, OrganizationId, PersonId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};

#[derive(sqlx::FromRow)]
struct Row {
    id: EnrolmentId,
    reader_id: DeviceId,
    reader_name: Option<String>,
    person_id: PersonId,
    person_name: String,
    number: i64,
    mode: String,
    state: String,
    started_by: String,
    started_at: Timestamp,
    expires_at: Timestamp,
    finished_at: Option<Timestamp>,
    credential_id: Option<CredentialId>,
    error: String,
}

/// An enrolment, and the number that readers know its person by.
#[derive(Debug, Clone)]
pub struct Found {
    pub enrolment: Enrolment,
    pub number: i64,
}

impl TryFrom<Row> for Found {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let unknown = || Error::internal("an enrolment in the database has an unknown mode or state");
        let enrolment = Enrolment {
            id: row.id,
            reader_id: row.reader_id,
            reader_name: row.reader_name.unwrap_or_default(),
            person_id: row.person_id,
            person_name: row.person_name,
            mode: EnrolmentMode::parse(&row.mode).ok_or_else(unknown)?,
            state: EnrolmentState::parse(&row.state).ok_or_else(unknown)?,
            started_by: row.started_by,
            started_at: row.started_at,
            expires_at: row.expires_at,
            finished_at: row.finished_at,
            credential_id: row.credential_id,
            error: row.error,
        };
        Ok(Self { enrolment, number: row.number })
    }
}

/// `$1` the organisation.
macro_rules! select_enrolment {
    ($rest:literal) => {
        concat!(
            "select e.id, e.reader_id, d.name as reader_name, e.person_id, p.name as person_name, p.number, e.mode, e.state,
                    e.started_by, e.started_at, e.expires_at, e.finished_at, e.credential_id, e.error
             from access_enrolment e join access_person p on p.id = e.person_id
             left join device d on d.id = e.reader_id and d.organization_id = e.organization_id
             where e.organization_id = $1 ",
            $rest
        )
    };
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: EnrolmentId) -> Result<Option<Found>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_enrolment!("and e.id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(Found::try_from).transpose()
}

/// The newest at a reader, in whatever state.
pub async fn latest_at(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Option<Found>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(select_enrolment!(
        "and e.reader_id = $2 order by e.id desc limit 1"
    )).bind(organization).bind(reader).fetch_optional(conn).await)?;
    row.map(Found::try_from).transpose()
}

/// The newest first.
pub async fn of_person(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Vec<Enrolment>> {
    let rows: Vec<Row> = on_db!(tx, conn => sqlx::query_as(select_enrolment!(
        "and e.person_id = $2 order by e.id desc limit 5"
    )).bind(organization).bind(person).fetch_all(conn).await)?;
    rows.into_iter().map(|row| Ok(Found::try_from(row)?.enrolment)).collect()
}

pub async fn insert(tx: &mut Tx, organization: OrganizationId, enrolment: &Enrolment) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into access_enrolment (id, organization_id, reader_id, person_id, mode, state, started_by, started_at,
             expires_at, error)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')",
    )
    .bind(enrolment.id).bind(organization).bind(enrolment.reader_id).bind(enrolment.person_id)
    .bind(enrolment.mode.as_str()).bind(enrolment.state.as_str()).bind(&enrolment.started_by)
    .bind(enrolment.started_at).bind(enrolment.expires_at).execute(conn).await.map(drop))?;
    Ok(())
}

/// Ends one that still waits; false when it has ended already.
pub async fn finish(
    tx: &mut Tx,
    organization: OrganizationId,
    id: EnrolmentId,
    state: EnrolmentState,
    credential: Option<CredentialId>,
    error: &str,
    now: Timestamp,
) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "update access_enrolment set state = $3, credential_id = $4, error = $5, finished_at = $6
         where organization_id = $1 and id = $2 and state = 'waiting'",
    )
    .bind(organization).bind(id).bind(state.as_str()).bind(credential).bind(error).bind(now).execute(conn).await
    .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Those that were not finished in time, of all organisations.
pub async fn overdue(tx: &mut Tx, now: Timestamp) -> Result<Vec<(OrganizationId, EnrolmentId)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select organization_id, id from access_enrolment where state = 'waiting' and expires_at <= $1 limit 200",
    ).bind(now).fetch_all(conn).await)?)
}

/// The door that a reader belongs to.
pub async fn door_of(tx: &mut Tx, organization: OrganizationId, reader: DeviceId) -> Result<Option<(DoorId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from access_door
         where organization_id = $1 and (reader_id = $2 or exit_reader_id = $2) limit 1",
    ).bind(organization).bind(reader).fetch_optional(conn).await)?)
}

/// Devices that can enrol: the doors' readers, and what calls itself one.
pub async fn readers(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<ReaderName>> {
    let rows: Vec<(DeviceId, String, Option<String>)> = on_db!(tx, conn => sqlx::query_as(
        "select d.id, d.name, min(o.name) from device d
         left join access_door o on o.organization_id = d.organization_id and (o.reader_id = d.id or o.exit_reader_id = d.id)
         where d.organization_id = $1 and d.deleted_at is null and (o.id is not null or d.device_type like '%reader%')
         group by d.id, d.name order by d.name, d.id limit 500",
    ).bind(organization).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id, name, door_name)| ReaderName { id, name, door_name }).collect())
}
