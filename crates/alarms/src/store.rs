//! All SQL of this domain.

use portico_model::alarms::rule::Tell;
use portico_model::alarms::{Alarm, AlarmState, AlarmStep, AlarmStepKind, Severity};
use portico_model::{AlarmId, AlarmRuleId, OrganizationId, Timestamp, UserId};
use portico_platform::{Error, Result, Tx, on_db};

/// Rows that one transaction of a job takes.
pub const BATCH: i64 = 200;

/// Most steps of an alarm; one that flaps for days must not fill the database.
const MAX_STEPS: i64 = 500;

/// What people were last told of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Raised,
    Cleared,
}

impl Told {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
        }
    }
}

/// An alarm with what only this domain needs of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub organization_id: OrganizationId,
    pub owner_id: Option<UserId>,
    pub tell: Tell,
    pub escalate_after_s: Option<i64>,
    pub repeat_every_s: Option<i64>,
    pub told: Told,
    /// When people are to be told next.
    pub notify_at: Option<Timestamp>,
    pub escalate_at: Option<Timestamp>,
    pub alarm: Alarm,
}

#[derive(sqlx::FromRow)]
struct Record {
    id: AlarmId,
    organization_id: OrganizationId,
    kind: String,
    severity: String,
    state: String,
    title: String,
    message: String,
    subject_kind: String,
    subject_id: String,
    subject_name: String,
    owner_id: Option<UserId>,
    rule_id: Option<AlarmRuleId>,
    tell: String,
    escalate_after_s: Option<i64>,
    repeat_every_s: Option<i64>,
    began_at: Timestamp,
    raised_at: Timestamp,
    last_raised_at: Timestamp,
    times: i64,
    escalated_at: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<String>,
    cleared_at: Option<Timestamp>,
    cleared_by: Option<String>,
    told: String,
    notify_at: Option<Timestamp>,
    escalate_at: Option<Timestamp>,
}

fn unknown(column: &str, value: &str) -> Error {
    Error::internal(format!("alarm.{column} holds {value:?}"))
}

impl TryFrom<Record> for Row {
    type Error = Error;

    fn try_from(record: Record) -> Result<Self> {
        Ok(Self {
            organization_id: record.organization_id,
            owner_id: record.owner_id,
            tell: Tell::parse(&record.tell).ok_or_else(|| unknown("tell", &record.tell))?,
            escalate_after_s: record.escalate_after_s,
            repeat_every_s: record.repeat_every_s,
            told: if record.told == Told::Cleared.as_str() { Told::Cleared } else { Told::Raised },
            notify_at: record.notify_at,
            escalate_at: record.escalate_at,
            alarm: Alarm {
                id: record.id,
                kind: record.kind,
                severity: Severity::parse(&record.severity).ok_or_else(|| unknown("severity", &record.severity))?,
                state: AlarmState::parse(&record.state).ok_or_else(|| unknown("state", &record.state))?,
                title: record.title,
                text: record.message,
                subject_kind: record.subject_kind,
                subject_id: record.subject_id,
                subject_name: record.subject_name,
                rule_id: record.rule_id,
                began_at: record.began_at,
                raised_at: record.raised_at,
                last_raised_at: record.last_raised_at,
                times: record.times,
                escalated_at: record.escalated_at,
                acknowledged_at: record.acknowledged_at,
                acknowledged_by: record.acknowledged_by,
                cleared_at: record.cleared_at,
                cleared_by: record.cleared_by,
            },
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<Row>> {
    records.into_iter().map(Row::try_from).collect()
}

macro_rules! select_alarm {
    ($($rest:literal),+) => {
        concat!(
            "select id, organization_id, kind, severity, state, title, message, subject_kind, subject_id, subject_name,
                    owner_id, rule_id, tell, escalate_after_s, repeat_every_s, began_at, raised_at, last_raised_at, times,
                    escalated_at, acknowledged_at, acknowledged_by, cleared_at, cleared_by, told, notify_at, escalate_at
             from alarm ",
            $($rest),+
        )
    };
}

/// The same query with the rows locked; on SQLite a writer is alone anyway.
macro_rules! locked {
    ($tx:expr, $conn:ident, $rest:literal, $query:ident => $body:expr) => {
        match $tx {
            Tx::Sqlite(transaction) => {
                let $conn = &mut **transaction;
                let $query = sqlx::query_as::<_, Record>(select_alarm!($rest));
                $body
            }
            Tx::Postgres(transaction) => {
                let $conn = &mut **transaction;
                let $query = sqlx::query_as::<_, Record>(select_alarm!($rest, " for update"));
                $body
            }
        }
    };
}

/// The newest alarm of the cause, open or not, locked.
pub async fn find_newest_of_cause(tx: &mut Tx, organization: OrganizationId, cause: &str) -> Result<Option<Row>> {
    let found = locked!(tx, conn, "where organization_id = $1 and cause = $2 order by id desc limit 1", query =>
        query.bind(organization).bind(cause).fetch_optional(conn).await)?;
    found.map(Row::try_from).transpose()
}

/// The open alarm of the cause, locked.
pub async fn find_open_of_cause(tx: &mut Tx, organization: OrganizationId, cause: &str) -> Result<Option<Row>> {
    let found = locked!(tx, conn, "where organization_id = $1 and cause = $2 and state <> 'cleared'", query =>
        query.bind(organization).bind(cause).fetch_optional(conn).await)?;
    found.map(Row::try_from).transpose()
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: AlarmId) -> Result<Option<Row>> {
    let found: Option<Record> = on_db!(tx, conn => sqlx::query_as(select_alarm!("where organization_id = $1 and id = $2"))
        .bind(organization).bind(id).fetch_optional(conn).await)?;
    found.map(Row::try_from).transpose()
}

/// As [`find`], locked.
pub async fn lock(tx: &mut Tx, organization: OrganizationId, id: AlarmId) -> Result<Option<Row>> {
    let found = locked!(tx, conn, "where organization_id = $1 and id = $2", query =>
        query.bind(organization).bind(id).fetch_optional(conn).await)?;
    found.map(Row::try_from).transpose()
}

pub async fn list_open_of_subject(tx: &mut Tx, organization: OrganizationId, kind: &str, id: &str) -> Result<Vec<Row>> {
    rows(locked!(
        tx, conn,
        "where organization_id = $1 and subject_kind = $2 and subject_id = $3 and state <> 'cleared' order by id",
        query => query.bind(organization).bind(kind).bind(id).fetch_all(conn).await)?)
}

pub async fn list_open_of_rule(tx: &mut Tx, organization: OrganizationId, rule: AlarmRuleId) -> Result<Vec<Row>> {
    rows(locked!(tx, conn, "where organization_id = $1 and rule_id = $2 and state <> 'cleared' order by id", query =>
        query.bind(organization).bind(rule).fetch_all(conn).await)?)
}

/// Whether anything is due, in any organisation: two looks into indexes.
pub async fn any_due(tx: &mut Tx, now: Timestamp) -> Result<bool> {
    let found: Option<i64> = on_db!(tx, conn => sqlx::query_scalar(
        "select cast(1 as bigint) where exists (select 1 from alarm where notify_at is not null and notify_at <= $1)
             or exists (select 1 from alarm where escalate_at is not null and escalate_at <= $1)",
    ).bind(now).fetch_optional(conn).await)?;
    Ok(found.is_some())
}

/// Some alarms of all organisations of which something is due, locked. A server that waited for another finds them no
/// longer due.
pub async fn lock_due(tx: &mut Tx, now: Timestamp) -> Result<Vec<Row>> {
    rows(locked!(
        tx, conn,
        "where (notify_at is not null and notify_at <= $1) or (escalate_at is not null and escalate_at <= $1)
         order by id limit 200",
        query => query.bind(now).fetch_all(conn).await)?)
}

/// False when the cause has an open alarm already.
pub async fn insert(tx: &mut Tx, row: &Row, cause: &str) -> Result<bool> {
    let alarm = &row.alarm;
    let inserted = on_db!(tx, conn => sqlx::query(
        "insert into alarm (id, organization_id, cause, kind, severity, state, title, message, search_text, subject_kind,
             subject_id, subject_name, owner_id, rule_id, tell, escalate_after_s, repeat_every_s, began_at, raised_at,
             last_raised_at, times, told, notify_at, escalate_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
         on conflict do nothing",
    )
    .bind(alarm.id).bind(row.organization_id).bind(cause).bind(&alarm.kind).bind(alarm.severity.as_str())
    .bind(alarm.state.as_str()).bind(&alarm.title).bind(&alarm.text).bind(search_text(alarm)).bind(&alarm.subject_kind)
    .bind(&alarm.subject_id).bind(&alarm.subject_name).bind(row.owner_id).bind(alarm.rule_id).bind(row.tell.as_str())
    .bind(row.escalate_after_s).bind(row.repeat_every_s).bind(alarm.began_at).bind(alarm.raised_at)
    .bind(alarm.last_raised_at).bind(alarm.times).bind(row.told.as_str()).bind(row.notify_at).bind(row.escalate_at)
    .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Lower case made by us: the databases differ in what they know of letters beyond ASCII.
fn search_text(alarm: &Alarm) -> String {
    [&alarm.title, &alarm.subject_name, &alarm.text].map(String::as_str).join("\n").to_lowercase()
}

/// Writes what changes in an alarm's life.
pub async fn update(tx: &mut Tx, row: &Row) -> Result<()> {
    let alarm = &row.alarm;
    on_db!(tx, conn => sqlx::query(
        "update alarm set severity = $3, state = $4, message = $5, search_text = $6, began_at = $7, last_raised_at = $8,
             times = $9, escalated_at = $10, acknowledged_at = $11, acknowledged_by = $12, cleared_at = $13,
             cleared_by = $14, told = $15, notify_at = $16, escalate_at = $17
         where id = $1 and organization_id = $2",
    )
    .bind(alarm.id).bind(row.organization_id).bind(alarm.severity.as_str()).bind(alarm.state.as_str()).bind(&alarm.text)
    .bind(search_text(alarm)).bind(alarm.began_at).bind(alarm.last_raised_at).bind(alarm.times).bind(alarm.escalated_at)
    .bind(alarm.acknowledged_at).bind(&alarm.acknowledged_by).bind(alarm.cleared_at).bind(&alarm.cleared_by)
    .bind(row.told.as_str()).bind(row.notify_at).bind(row.escalate_at)
    .execute(conn).await.map(drop))?;
    Ok(())
}

pub async fn change_owner(
    tx: &mut Tx,
    organization: OrganizationId,
    kind: &str,
    id: &str,
    owner: UserId,
) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "update alarm set owner_id = $4 where organization_id = $1 and subject_kind = $2 and subject_id = $3",
    ).bind(organization).bind(kind).bind(id).bind(owner).execute(conn).await.map(drop))?;
    Ok(())
}

/// Adds a step to the alarm's course, which the caller has locked; beyond [`MAX_STEPS`] only people's words are added.
pub async fn add_step(
    tx: &mut Tx,
    row: &Row,
    kind: AlarmStepKind,
    actor: &str,
    note: &str,
    at: Timestamp,
) -> Result<()> {
    let most = if actor == crate::engine::BY_ITSELF { MAX_STEPS } else { i64::MAX };
    on_db!(tx, conn => sqlx::query(
        "insert into alarm_step (alarm_id, number, organization_id, at, kind, actor, note)
         select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6 from alarm_step where alarm_id = $1
         having count(*) < $7",
    )
    .bind(row.alarm.id).bind(row.organization_id).bind(at).bind(kind.as_str()).bind(actor).bind(note).bind(most)
    .execute(conn).await.map(drop))?;
    Ok(())
}

/// The course of an alarm, oldest first.
pub async fn steps(tx: &mut Tx, organization: OrganizationId, id: AlarmId) -> Result<Vec<AlarmStep>> {
    let rows: Vec<(Timestamp, String, String, String)> = on_db!(tx, conn => sqlx::query_as(
        "select at, kind, actor, note from alarm_step where organization_id = $1 and alarm_id = $2 order by number",
    ).bind(organization).bind(id).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(at, kind, actor, note)| {
            let kind = AlarmStepKind::parse(&kind).ok_or_else(|| unknown("step kind", &kind))?;
            Ok(AlarmStep { at, kind, actor, note })
        })
        .collect()
}

/// Which alarms to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only what belongs to this person.
    pub owner: Option<UserId>,
    /// `Some(true)`: open ones. `Some(false)`: cleared ones.
    pub open: Option<bool>,
    pub state: Option<AlarmState>,
    pub severity: Option<Severity>,
    pub subject_id: Option<String>,
    pub rule: Option<AlarmRuleId>,
    /// Lower case.
    pub search: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub before: Option<AlarmId>,
    pub limit: i64,
}

pub async fn list(tx: &mut Tx, organization: OrganizationId, filter: &Filter) -> Result<Vec<Row>> {
    let pattern = filter.search.as_deref().map(|text| {
        let escaped = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        format!("%{escaped}%")
    });
    let state = filter.state.map(AlarmState::as_str);
    let severity = filter.severity.map(Severity::as_str);
    let records: Vec<Record> = on_db!(tx, conn => sqlx::query_as(select_alarm!(
        "where organization_id = $1 and ($2 is null or owner_id = $2)
         and ($3 is null or (state <> 'cleared') = $3) and ($4 is null or state = $4)
         and ($5 is null or severity = $5) and ($6 is null or subject_id = $6) and ($7 is null or rule_id = $7)
         and ($8 is null or search_text like $8 escape '!')
         and ($9 is null or raised_at >= $9) and ($10 is null or raised_at <= $10)
         and ($11 is null or id < $11)
         order by id desc limit $12"
    ))
    .bind(organization).bind(filter.owner).bind(filter.open).bind(state).bind(severity).bind(&filter.subject_id)
    .bind(filter.rule).bind(&pattern).bind(filter.from).bind(filter.to).bind(filter.before).bind(filter.limit)
    .fetch_all(conn).await)?;
    rows(records)
}

/// Open alarms: (severity, state, count).
pub async fn counts(
    tx: &mut Tx,
    organization: OrganizationId,
    owner: Option<UserId>,
) -> Result<Vec<(String, String, i64)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select severity, state, count(*) from alarm
         where organization_id = $1 and state <> 'cleared' and ($2 is null or owner_id = $2) group by severity, state",
    ).bind(organization).bind(owner).fetch_all(conn).await)?)
}

/// Removes some alarms of all organisations that cleared before then.
pub async fn delete_cleared_before(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from alarm where id in (
             select id from alarm where cleared_at is not null and cleared_at < $1 order by cleared_at limit $2)",
    ).bind(before).bind(BATCH).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// Who acknowledged, cleared or noted something is named by a pseudonym from now on.
pub async fn rename_person(tx: &mut Tx, organization: OrganizationId, label: &str, pseudonym: &str) -> Result<()> {
    for update in [
        "update alarm set acknowledged_by = $3 where organization_id = $1 and acknowledged_by = $2",
        "update alarm set cleared_by = $3 where organization_id = $1 and cleared_by = $2",
        "update alarm_step set actor = $3 where organization_id = $1 and actor = $2",
    ] {
        on_db!(tx, conn => sqlx::query(update).bind(organization).bind(label).bind(pseudonym)
            .execute(conn).await.map(drop))?;
    }
    Ok(())
}
