//! Fills the access log by SQL, as if a building had been used for most of a year. The indexes are taken away meanwhile
//! and made again from their own definitions: one after the other they are sorted in minutes, where adding to all of
//! them event by event would take an hour.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use tokio::process::Command;

use crate::server::{Prepared, psql};

pub const PEOPLE: i64 = 10_000;
pub const DOORS: i64 = 200;

/// Below the 400 days for which the log is kept.
const DAYS: u64 = 300;

/// Events of one statement.
const BATCH: u64 = 1_000_000;

/// What an event needs at most while the log is filled: its row, its place in ten indexes, and sorting the largest of
/// those; bytes.
const BYTES_EACH: u64 = 700;

/// What the log holds now.
pub struct Filled {
    pub first_ms: i64,
    pub span_ms: i64,
    pub megabytes: f64,
}

/// The id of a person of the log, as REST writes it.
pub fn person(number: i64) -> String {
    id(Kind::Person, number)
}

/// The id of a door of the log.
pub fn door(number: i64) -> String {
    id(Kind::Door, number)
}

#[derive(Clone, Copy)]
enum Kind {
    Person = 1,
    Door,
    Reader,
    Card,
    Policy,
}

/// UUIDs of version 7, whose time says what they are of.
fn id(kind: Kind, number: i64) -> String {
    format!("{}{number:015x}", prefix(kind))
}

fn prefix(kind: Kind) -> String {
    format!("0193a000000{}7000a", kind as u8)
}

#[derive(Clone, Copy)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// An id from the expression of its number.
    fn id(self, kind: Kind, number: &str) -> String {
        let prefix = prefix(kind);
        match self {
            Self::Sqlite => format!("unhex('{prefix}' || format('%015x', {number}))"),
            Self::Postgres => format!("cast('{prefix}' || lpad(to_hex({number}), 15, '0') as uuid)"),
        }
    }

    /// The id of an event, in the order of time as the server's are.
    fn event_id(self) -> &'static str {
        match self {
            Self::Sqlite => "unhex(format('%012x7%03xa%015x', at, i & 4095, i))",
            Self::Postgres => {
                "cast(lpad(to_hex(at), 12, '0') || '7' || lpad(to_hex(i & 4095), 3, '0') || 'a'
                     || lpad(to_hex(i), 15, '0') as uuid)"
            }
        }
    }

    /// A number with zeros in front.
    fn digits(self, number: &str, width: usize) -> String {
        match self {
            Self::Sqlite => format!("format('%0{width}d', {number})"),
            Self::Postgres => format!("lpad(cast({number} as text), {width}, '0')"),
        }
    }

    /// A table `n` with the numbers from `first` up to before `end` as `i`.
    fn numbers(self, first: u64, end: u64) -> String {
        match self {
            Self::Sqlite => {
                format!("with recursive n (i) as (select {first} union all select i + 1 from n where i + 1 < {end})")
            }
            Self::Postgres => {
                format!("with n (i) as (select generate_series(cast({first} as bigint), {end} - 1))")
            }
        }
    }

    fn people(self) -> String {
        let name = format!("'Bench person ' || {}", self.digits("i", 4));
        format!(
            "insert into access_person (id, organization_id, number, name, search_text, level, is_active, created_at, updated_at)
             {} select {}, o.id, 1000000 + i, {name}, lower({name}), 'basic', true, 0, 0
             from n, (select id from organization order by id limit 1) o",
            self.numbers(0, PEOPLE.unsigned_abs()),
            self.id(Kind::Person, "i"),
        )
    }

    /// Events of a range. `h` is drawn from the event's number by multiplication (Knuth, TAOCP 3, 6.4). One in 13 is
    /// refused, one in 39 with a card of nobody, one in 1,000 was unusual; a model has judged all of them.
    fn events(self, first: u64, end: u64, first_ms: i64, step_ms: u64) -> String {
        let known = "h % 39 <> 0";
        let granted = "h % 13 <> 0";
        let person = format!("case when {known} then {} end", self.id(Kind::Person, "person"));
        let name = format!("case when {known} then 'Bench person ' || {} else '' end", self.digits("person", 4));
        let card = format!("case when {known} then {} end", self.id(Kind::Card, "person"));
        let hint = format!("'…' || {}", self.digits("person", 4));
        let policy = format!("case when {granted} then {} end", self.id(Kind::Policy, "door % 20"));
        let (event, numbers) = (self.event_id(), self.numbers(first, end));
        let (door, reader) = (self.id(Kind::Door, "door"), self.id(Kind::Reader, "door"));
        let door_name = self.digits("door", 3);
        format!(
            "insert into access_event (id, organization_id, at, received_at, kind, door_id, door_name, reader_id, person_id,
                 person_name, credential_id, credential_hint, method, granted, reason, policy_id, policy_name, leaving,
                 is_offline, is_untrusted, seq, address, note, score, score_reasons, is_anomaly, is_false_alarm)
             {numbers},
             drawn (i, at, h) as (
                 select i, {first_ms} + i * {step_ms}, ((i * 2654435761) & 4294967295) >> 7 from n),
             visits (i, at, h, door, person) as (
                 select i, at, h, (h / 64) % {DOORS}, (h / 12800) % 50 + 50 * (i % {}) from drawn)
             select {event}, o.id, at, at + 2, 'request', {door}, 'Bench door ' || {door_name}, {reader}, {person}, {name},
                 {card}, {hint}, 'rfid', {granted},
                 case when {granted} then 'granted' when {known} then 'no_policy' else 'unknown_credential' end,
                 {policy}, case when {granted} then 'Staff at any time' else '' end, i % 2 = 1, false, false, null,
                 '127.0.0.1', '', 0.4, '[]', i % 1000 = 999, false
             from visits, (select id from organization order by id limit 1) o",
            PEOPLE / 50,
        )
    }
}

/// Puts that many events into the log of a server that does not run.
///
/// # Errors
/// When there is too little room, or a statement fails.
pub async fn fill(prepared: &Prepared, events: u64) -> Result<Filled> {
    let span_ms = DAYS * 86_400_000;
    let step_ms = (span_ms / events).max(1);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let span_ms = i64::try_from(step_ms * events)?;
    let first_ms = now - span_ms;
    let batches = (0..events).step_by(usize::try_from(BATCH)?).map(|first| (first, (first + BATCH).min(events)));
    let megabytes = match &prepared.database_url {
        None => {
            let room = free_bytes(&prepared.data).await?;
            ensure!(
                room > events * BYTES_EACH,
                "{events} events need {} GB of room",
                events * BYTES_EACH / 1_000_000_000
            );
            let file = prepared.data.join("portico.db");
            let mut database = open(&file).await?;
            let indexes = take_indexes(&mut database).await?;
            run(&mut database, Dialect::Sqlite.people()).await?;
            for (first, end) in batches {
                run(&mut database, Dialect::Sqlite.events(first, end, first_ms, step_ms)).await?;
                eprintln!("  {end} events");
            }
            for index in indexes {
                eprintln!("  {}", index.split(" on ").next().unwrap_or_default());
                run(&mut database, index).await?;
            }
            database.close().await?;
            bytes_to_mb(std::fs::metadata(&file)?.len())
        }
        Some(url) => {
            let made = "select indexdef || ';' from pg_indexes where tablename = 'access_event'
                 and indexname <> 'access_event_pkey' order by 1";
            let again = psql(url, made).await?;
            let drop = "do $$ declare name text; begin
                 for name in select indexname from pg_indexes where tablename = 'access_event'
                     and indexname <> 'access_event_pkey'
                 loop execute 'drop index ' || name; end loop; end $$";
            psql(url, drop).await?;
            psql(url, &Dialect::Postgres.people()).await?;
            for (first, end) in batches {
                psql(url, &Dialect::Postgres.events(first, end, first_ms, step_ms)).await?;
                eprintln!("  {end} events");
            }
            psql(url, &again).await?;
            // Its own housekeeping would do so within the minute.
            psql(url, "vacuum (analyze) access_event").await?;
            psql(url, "analyze access_person").await?;
            let size = psql(url, "select pg_database_size(current_database())").await?;
            bytes_to_mb(size.trim().parse()?)
        }
    };
    Ok(Filled { first_ms, span_ms, megabytes })
}

#[allow(clippy::cast_precision_loss)] // megabytes
fn bytes_to_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Without a journal: when this is broken off, the database is of no use, and it is for nothing else.
async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(5))
        .pragma("locking_mode", "exclusive")
        // Kibibytes; sorting takes as much before it writes to the disk.
        .pragma("cache_size", "-524288")
        .disable_statement_logging();
    SqliteConnection::connect_with(&options).await.context("opening the database")
}

/// Drops the log's indexes; the statements that make them again.
async fn take_indexes(database: &mut SqliteConnection) -> Result<Vec<String>> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "select name, sql from sqlite_master where type = 'index' and tbl_name = 'access_event' and sql is not null
         order by name",
    )
    .fetch_all(&mut *database)
    .await?;
    for (name, _) in &indexes {
        run(database, format!("drop index {name}")).await?;
    }
    Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
}

async fn run(database: &mut SqliteConnection, sql: String) -> Result<()> {
    let shown: String = sql.chars().take(60).collect();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(database).await.context(shown)?;
    Ok(())
}

async fn free_bytes(folder: &Path) -> Result<u64> {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output().await.context("running df")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).context("reading the output of df")
}

#[cfg(test)]
mod tests {
    use portico_model::{DoorId, PersonId};

    use super::*;

    #[test]
    fn ids_are_those_of_rest() {
        assert_eq!(person(255), "0193a00000017000a0000000000000ff");
        assert!(person(9_999).parse::<PersonId>().is_ok() && door(199).parse::<DoorId>().is_ok());
    }

    #[tokio::test]
    async fn statements_fill_the_tables_and_every_person_and_door_has_events() {
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        run(&mut database, include_str!("../../../../platform/migrations/sqlite/0001_platform.sql").to_owned())
            .await
            .unwrap();
        run(&mut database, include_str!("../../../../platform/migrations/sqlite/0012_access.sql").to_owned())
            .await
            .unwrap();
        run(&mut database, "insert into organization (id, name, created_at) values (x'00', 'o', 0)".to_owned())
            .await
            .unwrap();
        let indexes = take_indexes(&mut database).await.unwrap();
        assert!(indexes.len() >= 8, "{indexes:?}");
        run(&mut database, Dialect::Sqlite.people()).await.unwrap();
        let people: i64 =
            sqlx::query_scalar("select count(*) from access_person").fetch_one(&mut database).await.unwrap();
        assert_eq!(people, PEOPLE);
        run(&mut database, Dialect::Sqlite.events(0, 100_000, 1_790_000_000_000, 2_592)).await.unwrap();
        let counts: (i64, i64, i64, i64) = sqlx::query_as(
            "select count(*), count(distinct person_id), count(distinct door_id), sum(granted) from access_event",
        )
        .fetch_one(&mut database)
        .await
        .unwrap();
        assert_eq!((counts.0, counts.2), (100_000, DOORS));
        assert!(counts.1 > PEOPLE * 9 / 10 && (91_000..94_000).contains(&counts.3), "{counts:?}");
        let unnamed: i64 = sqlx::query_scalar(
            "select count(*) from access_event e left join access_person p on p.id = e.person_id
             where e.person_id is not null and (p.name is null or p.name <> e.person_name)",
        )
        .fetch_one(&mut database)
        .await
        .unwrap();
        assert_eq!(unnamed, 0);
        for index in indexes {
            run(&mut database, index).await.unwrap();
        }
    }
}
