//! Both databases hold the same tables, and a copy made while running is whole.

use std::collections::BTreeSet;

use portico_model::ErrorKind;
use portico_platform::testing::{create_postgres_database, drop_postgres_database, each_database, postgres_url};
use portico_platform::{Clock, Config, Db, Error, Platform, Result, Tx, on_db};

/// `table.column null|not null`, with the type's family where both databases can tell it apart.
async fn columns(db: &Db) -> BTreeSet<String> {
    let mut tx = db.read().await.unwrap();
    let rows: Vec<(String, String, String, bool)> = match &mut tx {
        portico_platform::Tx::Sqlite(conn) => sqlx::query_as(
            "select m.name, c.name, lower(c.type), c.\"notnull\" <> 0 from sqlite_master m, pragma_table_info(m.name) c
             where m.type = 'table' and m.name not like 'sqlite%' and m.name not like '\\_sqlx%' escape '\\'",
        )
        .fetch_all(&mut **conn)
        .await
        .unwrap(),
        portico_platform::Tx::Postgres(conn) => sqlx::query_as(
            "select c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'NO'
             from information_schema.columns c
             join pg_class p on p.relname = c.table_name and p.relnamespace = 'public'::regnamespace and not p.relispartition
             where c.table_schema = 'public' and c.table_name not like '\\_sqlx%'",
        )
        .fetch_all(&mut **conn)
        .await
        .unwrap(),
    };
    rows.into_iter()
        .map(|(table, column, kind, required)| {
            let family = match kind.as_str() {
                "uuid" | "bytea" | "blob" => "bytes",
                "bigint" | "integer" | "smallint" => "integer",
                "double precision" | "real" => "real",
                "text" | "character varying" => "text",
                other => other,
            };
            format!("{table}.{column} {family}{}", if required { " not null" } else { "" })
        })
        .collect()
}

#[tokio::test]
async fn both_schemas_are_the_same() {
    let Some(server) = postgres_url() else { return };
    let url = create_postgres_database(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Db::open(&Config { data_dir: dir.path().to_owned(), ..Config::default() }).await.unwrap();
    let postgres = Db::open(&Config { database_url: Some(url.clone().into()), ..Config::default() }).await.unwrap();
    sqlite.migrate().await.unwrap();
    postgres.migrate().await.unwrap();
    let (left, right) = (columns(&sqlite).await, columns(&postgres).await);
    assert!(left.len() > 30, "{left:?}");
    assert_eq!(left.difference(&right).collect::<Vec<_>>(), Vec::<&String>::new(), "only in SQLite");
    assert_eq!(right.difference(&left).collect::<Vec<_>>(), Vec::<&String>::new(), "only in PostgreSQL");
    postgres.close().await;
    drop_postgres_database(&server, &url).await;
}

#[tokio::test]
async fn migrations_can_be_applied_again() {
    each_database(|test| async move { test.platform.db.migrate().await.unwrap() }).await;
}

#[tokio::test]
async fn copy_made_while_writing_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
    let platform = Platform::open(config, Clock::system()).await.unwrap();
    let mut writing = platform.db.begin().await.unwrap();
    on_db!(&mut writing, conn => sqlx::query("insert into job_lease (name, holder, expires_at) values ('half', $1, 0)")
        .bind(vec![0_u8; 16]).execute(conn).await.map(drop))
    .unwrap();
    let copy = dir.path().join("copy.db");
    platform.db.backup_to(&copy).await.unwrap();
    writing.commit().await.unwrap();
    assert!(platform.db.backup_to(&copy).await.is_err(), "an existing file is not overwritten");

    let url = format!("sqlite://{}", copy.display());
    let copied = Db::open(&Config { database_url: Some(url.into()), ..Config::default() }).await.unwrap();
    let mut tx = copied.read().await.unwrap();
    let (leases,): (i64,) =
        on_db!(&mut tx, conn => sqlx::query_as("select count(*) from job_lease").fetch_one(conn).await).unwrap();
    assert_eq!(leases, 0, "what was not committed is not in the copy");
}

#[tokio::test]
async fn readers_cannot_write_by_accident_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let platform = Platform::open(config, Clock::system()).await.unwrap();
    let mut tx = platform.db.read().await.unwrap();
    let written = on_db!(&mut tx, conn => sqlx::query("delete from outbox").execute(conn).await.map(drop));
    assert!(written.is_err());
}

async fn lease(tx: &mut Tx, name: &str) -> Result<()> {
    on_db!(tx, conn => sqlx::query("insert into job_lease (name, holder, expires_at) values ($1, $2, 0)")
        .bind(name).bind(uuid::Uuid::nil()).execute(conn).await.map(drop))?;
    Ok(())
}

async fn leases(db: &Db) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query_scalar("select name from job_lease order by name").fetch_all(conn).await)
        .unwrap()
}

#[tokio::test]
async fn what_waits_is_committed_together_and_each_piece_stands_for_itself() {
    each_database(|test| async move {
        let db = test.platform.db.clone();
        let held = db.begin().await.unwrap();
        let mut all = Vec::new();
        for n in 0..20 {
            let (db, seen) = (db.clone(), db.clone());
            all.push(tokio::spawn(async move {
                db.together(move |tx| {
                    Box::pin(async move {
                        lease(tx, &format!("{n:02}")).await?;
                        match n % 5 {
                            0 => lease(tx, &format!("{n:02}")).await?,
                            1 => panic!("piece {n}"),
                            2 => return Err(Error::invalid("mine", format!("{n}"))),
                            _ => {}
                        }
                        // A connection beside its own would be one too many for PostgreSQL's few.
                        Ok((n, if seen.is_postgres() { 0 } else { leases(&seen).await.len() }))
                    })
                })
                .await
            }));
            tokio::task::yield_now().await;
        }
        // Gone before its turn.
        all[18].abort();
        held.rollback().await.unwrap();
        let mut seen = BTreeSet::new();
        for (n, piece) in all.into_iter().enumerate() {
            match (n, n % 5, piece.await) {
                (18, _, ended) => assert!(ended.is_err_and(|error| error.is_cancelled())),
                (_, 0, Ok(Err(error))) => assert_eq!(error.code(), "already_exists", "{error:?}"),
                // Whose caller it is.
                (_, 1, Err(error)) => assert!(db.is_postgres() && error.is_panic()),
                (_, 1, Ok(Err(error))) => assert!(!db.is_postgres() && error.code() == "internal"),
                (_, 2, Ok(Err(error))) => assert_eq!((error.code(), error.message()), ("mine", n.to_string().as_str())),
                (_, 3 | 4, Ok(Ok((own, others)))) => {
                    assert_eq!(own, n);
                    seen.insert(others);
                }
                (_, _, other) => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(leases(&db).await, ["03", "04", "08", "09", "13", "14", "19"]);
        assert_eq!(seen, BTreeSet::from([0]), "none was committed before the others");
        db.close().await;
        let error = db.together(|tx| Box::pin(async move { lease(tx, "late").await })).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "database_unavailable"));
    })
    .await;
}
