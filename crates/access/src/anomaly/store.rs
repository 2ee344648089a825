//! SQL of models, and of what they are made from and judge.

use portico_model::access::anomaly::{AnomalyModel, ModelState};
use portico_model::access::{AccessEvent, Method};
use portico_model::{AccessEventId, AnomalyModelId, DeviceId, DoorId, OrganizationId, PersonId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};
use serde::{Deserialize, Serialize};

/// What a model says of itself beside its content.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub threshold: Option<f64>,
    pub alarm_threshold: Option<f64>,
    pub false_alarms: i64,
}

#[derive(sqlx::FromRow)]
struct ModelRow {
    id: AnomalyModelId,
    version: i64,
    state: String,
    requested_by: String,
    requested_at: Timestamp,
    trained_at: Option<Timestamp>,
    trained_on: i64,
    report: String,
    error: String,
}

impl TryFrom<ModelRow> for AnomalyModel {
    type Error = Error;

    fn try_from(row: ModelRow) -> Result<Self> {
        let report: Report = serde_json::from_str(&row.report).map_err(Error::internal)?;
        Ok(Self {
            id: row.id,
            version: row.version,
            state: ModelState::parse(&row.state)
                .ok_or_else(|| Error::internal(format!("access_model.state holds {:?}", row.state)))?,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            trained_at: row.trained_at,
            trained_on: row.trained_on,
            threshold: report.threshold,
            alarm_threshold: report.alarm_threshold,
            false_alarms: report.false_alarms,
            error: row.error,
        })
    }
}

macro_rules! select_model {
    ($rest:literal) => {
        concat!(
            "select id, version, state, requested_by, requested_at, trained_at, trained_on, report, error
             from access_model ",
            $rest
        )
    };
}

/// The newest model that is done.
pub async fn current(tx: &mut Tx, organization: OrganizationId) -> Result<Option<AnomalyModel>> {
    let row: Option<ModelRow> = on_db!(tx, conn => sqlx::query_as(select_model!(
        "where organization_id = $1 and state = 'done' order by version desc limit 1"
    )).bind(organization).fetch_optional(conn).await)?;
    row.map(AnomalyModel::try_from).transpose()
}

/// The newest request, whatever became of it.
pub async fn latest(tx: &mut Tx, organization: OrganizationId) -> Result<Option<AnomalyModel>> {
    let row: Option<ModelRow> = on_db!(tx, conn => sqlx::query_as(select_model!(
        "where organization_id = $1 order by version desc limit 1"
    )).bind(organization).fetch_optional(conn).await)?;
    row.map(AnomalyModel::try_from).transpose()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: AnomalyModelId) -> Result<Option<AnomalyModel>> {
    let row: Option<ModelRow> = on_db!(tx, conn => sqlx::query_as(select_model!(
        "where organization_id = $1 and id = $2"
    )).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(AnomalyModel::try_from).transpose()
}

/// Id and version of the model that judges.
pub async fn current_version(tx: &mut Tx, organization: OrganizationId) -> Result<Option<(AnomalyModelId, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, version from access_model where organization_id = $1 and state = 'done'
         order by version desc limit 1",
    ).bind(organization).fetch_optional(conn).await)?)
}

pub async fn content(tx: &mut Tx, organization: OrganizationId, id: AnomalyModelId) -> Result<Option<Vec<u8>>> {
    let content: Option<Option<Vec<u8>>> = on_db!(tx, conn => sqlx::query_scalar(
        "select content from access_model where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    Ok(content.flatten())
}

/// A new request. False: somebody else asked at the same moment.
pub async fn insert_request(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AnomalyModelId,
    by: &str,
    at: Timestamp,
) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "insert into access_model (id, organization_id, version, state, requested_by, requested_at, trained_on, report,
             error)
         select $1, $2, coalesce(max(version), 0) + 1, 'waiting', $3, $4, 0, '{}', '' from access_model
         where organization_id = $2
         on conflict do nothing",
    ).bind(id).bind(organization).bind(by).bind(at).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Some request that waits.
pub async fn waiting(tx: &mut Tx) -> Result<Option<(AnomalyModelId, OrganizationId, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, organization_id, version from access_model where state = 'waiting' order by id limit 1",
    ).fetch_optional(conn).await)?)
}

/// Takes a request; false when another server was faster.
pub async fn claim(tx: &mut Tx, id: AnomalyModelId) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "update access_model set state = 'training' where id = $1 and state = 'waiting'",
    ).bind(id).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Requests of a server that ended in the middle.
pub async fn fail_abandoned(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update access_model set state = 'failed', error = 'The server ended before it was done.'
         where state = 'training' and requested_at < $1",
    ).bind(before).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// It is done: the content of all but the newest few goes.
pub async fn finish(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AnomalyModelId,
    trained_on: i64,
    report: &Report,
    content: &[u8],
    at: Timestamp,
) -> Result<()> {
    let report = serde_json::to_string(report).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "update access_model set state = 'done', trained_at = $3, trained_on = $4, report = $5, content = $6
         where organization_id = $1 and id = $2",
    )
    .bind(organization).bind(id).bind(at).bind(trained_on).bind(report).bind(content)
    .execute(conn).await.map(drop))?;
    on_db!(tx, conn => sqlx::query(
        "update access_model set content = null where organization_id = $1 and content is not null and version <=
             (select version from access_model where organization_id = $1 and id = $2) - 3",
    ).bind(organization).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn fail(tx: &mut Tx, organization: OrganizationId, id: AnomalyModelId, error: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update access_model set state = 'failed', error = $3 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(error).execute(conn).await.map(drop))?;
    Ok(())
}

/// Requests in the log, counted up to `most`.
pub async fn count_requests(tx: &mut Tx, organization: OrganizationId, most: i64) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from (select 1 as one from access_event where organization_id = $1 and kind = 'request'
             limit $2) as counted",
    ).bind(organization).bind(most).fetch_one(conn).await)?)
}

/// Organisations, and when each last asked for a model, if ever.
pub async fn organizations(tx: &mut Tx) -> Result<Vec<(OrganizationId, Option<Timestamp>)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select o.id, (select max(m.requested_at) from access_model m where m.organization_id = o.id) from organization o
         order by o.id",
    ).fetch_all(conn).await)?)
}

/// An event as far as habits go.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    pub at: Timestamp,
    pub door_id: Option<DoorId>,
    pub reader_id: Option<DeviceId>,
    pub person_id: Option<PersonId>,
    pub method: String,
    pub granted: Option<bool>,
    pub is_anomaly: bool,
    pub is_false_alarm: bool,
}

impl Seen {
    pub fn method(&self) -> Method {
        Method::parse(&self.method).unwrap_or(Method::Other)
    }
}

impl From<&AccessEvent> for Seen {
    fn from(event: &AccessEvent) -> Self {
        Self {
            at: event.at,
            door_id: event.door_id,
            reader_id: event.reader_id,
            person_id: event.person_id,
            method: event.method.as_str().to_owned(),
            granted: event.granted,
            is_anomaly: event.is_anomaly,
            is_false_alarm: event.is_false_alarm,
        }
    }
}

macro_rules! select_seen {
    ($rest:literal) => {
        concat!(
            "select at, door_id, reader_id, person_id, method, granted, is_anomaly, is_false_alarm from access_event ",
            $rest
        )
    };
}

/// The newest requests since then, in the order of time.
pub async fn requests_since(
    tx: &mut Tx,
    organization: OrganizationId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<Seen>> {
    let mut rows: Vec<Seen> = on_db!(tx, conn => sqlx::query_as(select_seen!(
        "where organization_id = $1 and kind = 'request' and at >= $2 order by at desc, id desc limit $3"
    )).bind(organization).bind(since).bind(most).fetch_all(conn).await)?;
    rows.reverse();
    Ok(rows)
}

/// What a person did before an event, in the order of time.
pub async fn past_of(
    tx: &mut Tx,
    organization: OrganizationId,
    person: PersonId,
    before: (Timestamp, AccessEventId),
    most: i64,
) -> Result<Vec<Seen>> {
    let mut rows: Vec<Seen> = on_db!(tx, conn => sqlx::query_as(select_seen!(
        "where organization_id = $1 and person_id = $2 and (at, id) < ($3, $4) and kind = 'request'
         order by at desc, id desc limit $5"
    )).bind(organization).bind(person).bind(before.0).bind(before.1).bind(most).fetch_all(conn).await)?;
    rows.reverse();
    Ok(rows)
}

/// Refusals of others at a door shortly before an event, in the order of time.
pub async fn refusals_at(
    tx: &mut Tx,
    organization: OrganizationId,
    door: Option<DoorId>,
    person: Option<PersonId>,
    since: Timestamp,
    before: (Timestamp, AccessEventId),
    most: i64,
) -> Result<Vec<Seen>> {
    let Some(door) = door else { return Ok(Vec::new()) };
    let mut rows: Vec<Seen> = on_db!(tx, conn => sqlx::query_as(select_seen!(
        "where organization_id = $1 and door_id = $2 and at >= $3 and (at, id) < ($4, $5) and granted = $6
             and kind = 'request' and ($7 is null or person_id is null or person_id <> $7)
         order by at desc, id desc limit $8"
    ))
    .bind(organization).bind(door).bind(since).bind(before.0).bind(before.1).bind(false).bind(person).bind(most)
    .fetch_all(conn).await)?;
    rows.reverse();
    Ok(rows)
}

pub async fn set_score(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AccessEventId,
    score: f64,
    reasons: &[String],
    is_anomaly: bool,
) -> Result<()> {
    let reasons = serde_json::to_string(reasons).map_err(Error::internal)?;
    on_db!(tx, conn => sqlx::query(
        "update access_event set score = $3, score_reasons = $4, is_anomaly = $5 where organization_id = $1 and id = $2",
    ).bind(organization).bind(id).bind(score).bind(reasons).bind(is_anomaly).execute(conn).await.map(drop))?;
    Ok(())
}

/// Requests since then that nobody has judged, oldest first.
pub async fn unjudged(
    tx: &mut Tx,
    organization: OrganizationId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<AccessEventId>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select id from access_event where organization_id = $1 and at >= $2 and kind = 'request' and score is null
         order by at, id limit $3",
    ).bind(organization).bind(since).bind(most).fetch_all(conn).await)?)
}

pub async fn set_false_alarm(tx: &mut Tx, organization: OrganizationId, id: AccessEventId, is: bool) -> Result<bool> {
    let rows = on_db!(tx, conn => sqlx::query(
        "update access_event set is_false_alarm = $3
         where organization_id = $1 and id = $2 and is_anomaly and is_false_alarm <> $3",
    ).bind(organization).bind(id).bind(is).execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Unusual events since then of a person (or, when nobody is known, at a door) that are no false alarms.
pub async fn count_unusual(
    tx: &mut Tx,
    organization: OrganizationId,
    event: &AccessEvent,
    since: Timestamp,
) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_event where organization_id = $1 and at >= $2 and is_anomaly and is_false_alarm = $3
             and ((cast($4 as text) is null and person_id is null and door_id = $6) or person_id = $5)",
    )
    .bind(organization).bind(since).bind(false).bind(event.person_id.map(|id| id.to_string())).bind(event.person_id)
    .bind(event.door_id).fetch_one(conn).await)?)
}

/// A request, as far as figures need.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Attempt {
    pub at: Timestamp,
    pub person_id: Option<PersonId>,
    pub person_name: String,
    pub granted: Option<bool>,
    pub is_anomaly: bool,
    pub is_false_alarm: bool,
}

/// Requests since then, newest first.
pub async fn attempts(tx: &mut Tx, organization: OrganizationId, since: Timestamp, most: i64) -> Result<Vec<Attempt>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select at, person_id, person_name, granted, is_anomaly, is_false_alarm from access_event
         where organization_id = $1 and at >= $2 and kind = 'request' order by at desc, id desc limit $3",
    ).bind(organization).bind(since).bind(most).fetch_all(conn).await)?)
}

/// Time and kind (for refusals the reason) of what security people count, newest first.
pub async fn incidents(
    tx: &mut Tx,
    organization: OrganizationId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<(Timestamp, String)>> {
    let mut found: Vec<(Timestamp, String)> = on_db!(tx, conn => sqlx::query_as(
        "select at, kind from access_event where organization_id = $1 and kind in ('forced_open', 'held_open')
             and kind <> 'request' and at >= $2 order by at desc, id desc limit $3",
    ).bind(organization).bind(since).bind(most).fetch_all(conn).await)?;
    let refusals: Vec<Timestamp> = on_db!(tx, conn => sqlx::query_scalar(
        "select at from access_event where organization_id = $1 and granted = $2 and at >= $3
         order by at desc, id desc limit $4",
    ).bind(organization).bind(false).bind(since).bind(most).fetch_all(conn).await)?;
    found.extend(refusals.into_iter().map(|at| (at, "access_denied".to_owned())));
    Ok(found)
}

/// What existing clients know people by.
pub async fn number_of(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Option<i64>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select number from access_person where organization_id = $1 and id = $2",
    ).bind(organization).bind(person).fetch_optional(conn).await)?)
}

pub async fn count_active_people(tx: &mut Tx, organization: OrganizationId) -> Result<i64> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select count(*) from access_person where organization_id = $1 and is_active",
    ).bind(organization).fetch_one(conn).await)?)
}
