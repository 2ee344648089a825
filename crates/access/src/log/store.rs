//! SQL of the access log.

use std::fmt::Write as _;

use portico_model::access::log::{EventCursor, EventSearch};
use portico_model::access::{AccessEvent, AccessKind, AccessReason, Method};
use portico_model::{AccessEventId, CredentialId, DeviceId, DoorId, OrganizationId, PersonId, PolicyId, Timestamp};
use portico_platform::{Error, Result, Tx, on_db};
use sqlx::AssertSqlSafe;

/// Most people that a part of a name stands for.
const MOST_PEOPLE: i64 = 50;

/// Rows that one transaction of the clean-up takes.
pub const BATCH: i64 = 1_000;

macro_rules! columns {
    () => {
        "id, at, received_at, kind, door_id, door_name, reader_id, person_id, person_name, credential_id, credential_hint,
         method, granted, reason, policy_id, policy_name, leaving, is_offline, is_untrusted, note, score, score_reasons,
         is_anomaly, is_false_alarm"
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: AccessEventId,
    at: Timestamp,
    received_at: Timestamp,
    kind: String,
    door_id: Option<DoorId>,
    door_name: String,
    reader_id: Option<DeviceId>,
    person_id: Option<PersonId>,
    person_name: String,
    credential_id: Option<CredentialId>,
    credential_hint: String,
    method: String,
    granted: Option<bool>,
    reason: String,
    policy_id: Option<PolicyId>,
    policy_name: String,
    leaving: bool,
    is_offline: bool,
    is_untrusted: bool,
    note: String,
    score: Option<f64>,
    score_reasons: Option<String>,
    is_anomaly: bool,
    is_false_alarm: bool,
}

impl TryFrom<Row> for AccessEvent {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let unknown = |column: &str, value: &str| Error::internal(format!("access_event.{column} holds {value:?}"));
        let score_reasons = match &row.score_reasons {
            Some(text) => serde_json::from_str(text).map_err(Error::internal)?,
            None => Vec::new(),
        };
        Ok(Self {
            id: row.id,
            at: row.at,
            received_at: row.received_at,
            kind: AccessKind::parse(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?,
            door_id: row.door_id,
            door_name: row.door_name,
            reader_id: row.reader_id,
            person_id: row.person_id,
            person_name: row.person_name,
            credential_id: row.credential_id,
            credential_hint: row.credential_hint,
            method: Method::parse(&row.method).ok_or_else(|| unknown("method", &row.method))?,
            granted: row.granted,
            reason: row.reason,
            policy_id: row.policy_id,
            policy_name: row.policy_name,
            leaving: row.leaving,
            is_offline: row.is_offline,
            is_untrusted: row.is_untrusted,
            note: row.note,
            score: row.score,
            score_reasons,
            is_anomaly: row.is_anomaly,
            is_false_alarm: row.is_false_alarm,
        })
    }
}

/// False when the reader's event of this number is there already.
pub async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    event: &AccessEvent,
    address: &str,
    seq: Option<i64>,
) -> Result<bool> {
    let reasons = match event.score {
        Some(_) => Some(serde_json::to_string(&event.score_reasons).map_err(Error::internal)?),
        None => None,
    };
    let rows = on_db!(tx, conn => sqlx::query(
        "insert into access_event (id, organization_id, at, received_at, kind, door_id, door_name, reader_id, person_id,
             person_name, credential_id, credential_hint, method, granted, reason, policy_id, policy_name, leaving,
             is_offline, is_untrusted, seq, address, note, score, score_reasons, is_anomaly, is_false_alarm)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
             $24, $25, $26, $27)
         on conflict do nothing",
    )
    .bind(event.id).bind(organization).bind(event.at).bind(event.received_at).bind(event.kind.as_str())
    .bind(event.door_id).bind(&event.door_name).bind(event.reader_id).bind(event.person_id).bind(&event.person_name)
    .bind(event.credential_id).bind(&event.credential_hint).bind(event.method.as_str()).bind(event.granted)
    .bind(&event.reason).bind(event.policy_id).bind(&event.policy_name).bind(event.leaving).bind(event.is_offline)
    .bind(event.is_untrusted).bind(seq).bind(address).bind(&event.note).bind(event.score).bind(reasons)
    .bind(event.is_anomaly).bind(event.is_false_alarm)
    .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// What a condition compares with.
enum Bind {
    Organization(OrganizationId),
    Person(PersonId),
    Door(DoorId),
    Event(AccessEventId),
    At(Timestamp),
    Word(&'static str),
    Number(i64),
}

/// A query of only those conditions that are asked for: with all of them and "or is absent", no index would serve.
struct Conditions {
    sql: String,
    binds: Vec<Bind>,
    is_sqlite: bool,
    /// There is one whose index leads to few events.
    is_led: bool,
}

impl Conditions {
    fn add(&mut self, sql: &str, bind: Bind) {
        self.binds.push(bind);
        // A string takes everything.
        let _ = write!(self.sql, " and {}", sql.replace('?', &format!("${}", self.binds.len())));
    }

    /// A column that has an index; those that lead to fewer events come first. SQLite, which keeps no statistics, takes all
    /// indexes with as many columns for equally good, and would look for a person through all events with cards: the plus
    /// keeps it from the index of every column but the first.
    fn equal(&mut self, column: &str, bind: Bind) {
        let plus = if self.is_led && self.is_sqlite { "+" } else { "" };
        self.is_led = true;
        self.add(&format!("{plus}{column} = ?"), bind);
    }

    fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!("${}", self.binds.len())
    }
}

/// The conditions of a search, but for the part of a name. Literal ones are those of the partial indexes.
fn conditions(organization: OrganizationId, search: &EventSearch, is_sqlite: bool) -> Conditions {
    let mut all = Conditions {
        sql: "organization_id = $1".to_owned(),
        binds: vec![Bind::Organization(organization)],
        is_sqlite,
        is_led: !search.who.trim().is_empty(),
    };
    if let Some(person) = search.person {
        all.equal("person_id", Bind::Person(person));
    }
    match search.kind {
        Some(AccessKind::Request) => all.add("kind = ?", Bind::Word(AccessKind::Request.as_str())),
        Some(kind) => {
            all.equal("kind", Bind::Word(kind.as_str()));
            all.sql.push_str(" and kind <> 'request'");
        }
        None => {}
    }
    if let Some(door) = search.door {
        all.equal("door_id", Bind::Door(door));
    }
    // The conditions of SQLite's partial indexes are written with numbers.
    match (search.granted, is_sqlite) {
        (Some(true), true) => all.sql.push_str(" and granted = 1"),
        (Some(true), false) => all.sql.push_str(" and granted = true"),
        (Some(false), true) => all.sql.push_str(" and granted = 0"),
        (Some(false), false) => all.sql.push_str(" and granted = false"),
        (None, _) => {}
    }
    if let Some(reason) = search.reason {
        all.equal("reason", Bind::Word(reason.as_str()));
        if reason != AccessReason::Granted {
            all.sql.push_str(" and reason <> 'granted'");
        }
    }
    match search.anomaly {
        Some(true) => {
            all.sql.push_str(" and is_anomaly");
            all.is_led = true;
        }
        Some(false) => all.sql.push_str(" and not is_anomaly"),
        None => {}
    }
    match search.offline {
        Some(true) => {
            all.sql.push_str(" and is_offline");
            all.is_led = true;
        }
        Some(false) => all.sql.push_str(" and not is_offline"),
        None => {}
    }
    // There are only a few methods: the last choice.
    if let Some(method) = search.method {
        all.equal("method", Bind::Word(method.as_str()));
    }
    if let Some(from) = search.from {
        all.add("at >= ?", Bind::At(from));
    }
    if let Some(to) = search.to {
        all.add("at <= ?", Bind::At(to));
    }
    all
}

/// The people whose name has the part that is looked for; absent when none is.
async fn people_named(
    tx: &mut Tx,
    organization: OrganizationId,
    search: &EventSearch,
) -> Result<Option<Vec<PersonId>>> {
    let part = search.who.trim().to_lowercase();
    if part.is_empty() {
        return Ok(None);
    }
    let escaped = part.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    Ok(Some(on_db!(tx, conn => sqlx::query_scalar(
        "select id from access_person where organization_id = $1 and lower(name) like $2 escape '!' order by id limit $3",
    ).bind(organization).bind(format!("%{escaped}%")).bind(MOST_PEOPLE).fetch_all(conn).await)?))
}

/// The text of a page's query and what it compares with. Of several people each one's newest are read by his own part of
/// the index, and the newest of those are the page: no index holds the events of several in order, and looking through
/// all events for those of people who seldom come would take longer the longer the log is.
fn page_query(
    organization: OrganizationId,
    search: &EventSearch,
    people: Option<Vec<PersonId>>,
    before: Option<EventCursor>,
    limit: i64,
    is_sqlite: bool,
) -> (String, Vec<Bind>) {
    let mut all = conditions(organization, search, is_sqlite);
    if let Some(before) = before {
        let at = all.bind(Bind::At(before.at));
        let id = all.bind(Bind::Event(before.id));
        let _ = write!(all.sql, " and (at, id) < ({at}, {id})");
    }
    let places: Option<Vec<String>> =
        people.map(|people| people.into_iter().map(|person| all.bind(Bind::Person(person))).collect());
    let limit = all.bind(Bind::Number(limit));
    let newest = |more: &str| {
        format!(
            concat!("select ", columns!(), " from access_event where {}{} order by at desc, id desc limit {}"),
            all.sql, more, limit
        )
    };
    let sql = match places.as_deref() {
        None => newest(""),
        Some([]) => newest(" and 1 = 0"),
        Some([one]) => newest(&format!(" and person_id = {one}")),
        Some(many) => {
            let of_each = many.iter().map(|place| {
                let newest = newest(&format!(" and person_id = {place}"));
                format!(concat!("select ", columns!(), " from ({}) as newest"), newest)
            });
            let all_of_them: Vec<String> = of_each.collect();
            format!("{} order by at desc, id desc limit {limit}", all_of_them.join(" union all "))
        }
    };
    (sql, all.binds)
}

macro_rules! bound {
    ($query:expr, $binds:expr) => {{
        let mut query = $query;
        for bind in $binds {
            query = match bind {
                Bind::Organization(id) => query.bind(id),
                Bind::Person(id) => query.bind(id),
                Bind::Door(id) => query.bind(id),
                Bind::Event(id) => query.bind(id),
                Bind::At(at) => query.bind(at),
                Bind::Word(word) => query.bind(word),
                Bind::Number(number) => query.bind(number),
            };
        }
        query
    }};
}

/// Events that match, from the newest, or from the one before the cursor.
pub async fn list(
    tx: &mut Tx,
    organization: OrganizationId,
    search: &EventSearch,
    before: Option<EventCursor>,
    limit: i64,
) -> Result<Vec<AccessEvent>> {
    let people = people_named(tx, organization, search).await?;
    let (sql, binds) = page_query(organization, search, people, before, limit, matches!(tx, Tx::Sqlite(_)));
    let rows: Vec<Row> = on_db!(tx, conn => {
        bound!(sqlx::query_as::<_, Row>(AssertSqlSafe(sql)), binds).fetch_all(conn).await
    })?;
    rows.into_iter().map(AccessEvent::try_from).collect()
}

/// How the database would find a page; for the test that looks whether an index serves it.
pub async fn explain(tx: &mut Tx, organization: OrganizationId, search: &EventSearch) -> Result<String> {
    let before = EventCursor { at: Timestamp::from_millis(i64::MAX), id: AccessEventId::nil() };
    let is_sqlite = matches!(tx, Tx::Sqlite(_));
    let people = people_named(tx, organization, search).await?;
    let (sql, binds) = page_query(organization, search, people, Some(before), 51, is_sqlite);
    let lines: Vec<String> = match tx {
        Tx::Sqlite(transaction) => {
            let rows: Vec<(i64, i64, i64, String)> =
                bound!(sqlx::query_as(AssertSqlSafe(format!("explain query plan {sql}"))), binds)
                    .fetch_all(&mut **transaction)
                    .await?;
            rows.into_iter().map(|row| row.3).collect()
        }
        Tx::Postgres(transaction) => {
            bound!(sqlx::query_scalar(AssertSqlSafe(format!("explain {sql}"))), binds)
                .fetch_all(&mut **transaction)
                .await?
        }
    };
    Ok(lines.join("\n"))
}

pub async fn find(tx: &mut Tx, organization: OrganizationId, id: AccessEventId) -> Result<Option<AccessEvent>> {
    let row: Option<Row> = on_db!(tx, conn => sqlx::query_as(
        concat!("select ", columns!(), " from access_event where organization_id = $1 and id = $2"),
    ).bind(organization).bind(id).fetch_optional(conn).await)?;
    row.map(AccessEvent::try_from).transpose()
}

/// Id and name of the doors, by name.
pub async fn doors(tx: &mut Tx, organization: OrganizationId, limit: i64) -> Result<Vec<(DoorId, String)>> {
    Ok(on_db!(tx, conn => sqlx::query_as(
        "select id, name from access_door where organization_id = $1 order by name limit $2",
    ).bind(organization).bind(limit).fetch_all(conn).await)?)
}

/// Removes some events of all organisations that happened before then.
pub async fn delete_before(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from access_event where id in (select id from access_event where at < $1 order by at limit $2)",
    ).bind(before).bind(BATCH).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The same for the history of locks.
pub async fn delete_lock_events_before(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "delete from access_lock_event where id in (select id from access_lock_event where at < $1 order by at limit $2)",
    ).bind(before).bind(BATCH).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// What a person is called in the log: names as they were then.
pub async fn names_of_person(tx: &mut Tx, organization: OrganizationId, person: PersonId) -> Result<Vec<String>> {
    Ok(on_db!(tx, conn => sqlx::query_scalar(
        "select distinct person_name from access_event where organization_id = $1 and person_id = $2 and person_name <> ''",
    ).bind(organization).bind(person).fetch_all(conn).await)?)
}

/// What a person did stays in the log, under a pseudonym and without what was shown at the reader.
pub async fn pseudonymise_person(
    tx: &mut Tx,
    organization: OrganizationId,
    person: PersonId,
    pseudonym: &str,
) -> Result<u64> {
    Ok(on_db!(tx, conn => sqlx::query(
        "update access_event set person_name = $3, credential_id = null, credential_hint = '', address = '', note = ''
         where organization_id = $1 and person_id = $2",
    ).bind(organization).bind(person).bind(pseudonym).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The same for what somebody did under the name of an account, on a page or over REST.
pub async fn rename_account(tx: &mut Tx, organization: OrganizationId, label: &str, pseudonym: &str) -> Result<()> {
    let name = label.split_once(':').map_or(label, |(_, name)| name);
    for method in [Method::Remote, Method::Bluetooth, Method::System] {
        on_db!(tx, conn => sqlx::query(
            "update access_event set person_name = case when person_name in ($3, $4) then $5 else person_name end,
                 note = replace(note, $3, $5), address = ''
             where organization_id = $1 and method = $2 and (person_name in ($3, $4) or note like $6 escape '!')",
        )
        .bind(organization).bind(method.as_str()).bind(label).bind(name).bind(pseudonym)
        .bind(format!("%{}%", label.replace('!', "!!").replace('%', "!%").replace('_', "!_")))
        .execute(conn).await.map(drop))?;
    }
    Ok(())
}
