//! For the tests of the domains: a platform on a fresh database of each kind, with a clock that stands still.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot set up must fail

mod mail;
mod pdf;
mod web;

use std::time::Duration;

use portico_model::identity::Role;
use portico_model::{OrganizationId, SessionId, Timestamp, UserId};
use sqlx::{Connection, PgConnection};

use crate::config::{Config, Synchronous};
use crate::{Actor, Clock, Platform, Principal, on_db};

pub use mail::{CaughtMail, MailCatcher};
pub use pdf::pdf_pages;
pub use web::{CaughtPush, CaughtWebhook, PushService, Subscription, WebhookReceiver};

/// 2026-11-21 02:00 UTC: where every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_795_226_400_000);

/// A platform on a database of its own.
pub struct TestPlatform {
    pub platform: Platform,
    /// The platform's clock; move it with `advance_ms`.
    pub clock: Clock,
    /// An organisation that exists already.
    pub organization: OrganizationId,
}

impl TestPlatform {
    /// Another organisation, to prove that it sees nothing of the first.
    pub async fn other_organization(&self) -> OrganizationId {
        insert_organization(&self.platform, "Other").await
    }
}

/// An account, without the cost of a password.
pub async fn insert_user(platform: &Platform, organization: OrganizationId, name: &str, role: Role) -> Actor {
    let id = UserId::generate();
    let mut tx = platform.db.begin().await.unwrap();
    let key = format!("{name}-{id}");
    on_db!(&mut tx, conn => sqlx::query(
        "insert into user_account (id, organization_id, username, username_key, email, email_key, role, password_hash,
             is_active, created_at, updated_at) values ($1, $2, $3, $4, $5, $4, $6, 'none', true, 0, 0)")
        .bind(id).bind(organization).bind(name).bind(&key).bind(format!("{name}@example.org")).bind(role.as_str())
        .execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    Actor {
        organization,
        principal: Principal::User { id, name: name.into(), role, session: SessionId::generate() },
        address: "192.0.2.1".into(),
        request_id: "request-1".into(),
    }
}

/// A server for tests, where databases may be made: `PORTICO_TEST_POSTGRES_URL` (set by `scripts/with-postgres.sh`).
///
/// # Panics
/// When it is not set although the run claims to be complete (`CI` is set).
#[must_use]
pub fn postgres_url() -> Option<String> {
    let url = std::env::var("PORTICO_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    assert!(url.is_some() || std::env::var("CI").is_err(), "PORTICO_TEST_POSTGRES_URL is not set");
    url
}

/// Runs the test on SQLite and, where there is a server for it, on PostgreSQL.
///
/// # Panics
/// When the test does, or when no database can be made.
pub async fn each_database<F, Fut>(test: F)
where
    F: Fn(TestPlatform) -> Fut,
    Fut: Future<Output = ()>,
{
    each_database_with(|_| {}, test).await;
}

/// As [`each_database`], with other settings.
///
/// # Panics
/// When the test does, or when no database can be made.
pub async fn each_database_with<F, Fut>(configure: impl Fn(&mut Config), test: F)
where
    F: Fn(TestPlatform) -> Fut,
    Fut: Future<Output = ()>,
{
    eprintln!("on SQLite");
    // The directory is held here: a test that takes single fields of its platform would drop it too early.
    let dir = tempfile::tempdir().unwrap();
    test(open(&dir, None, &configure).await).await;
    if let Some(server) = postgres_url() {
        eprintln!("on PostgreSQL");
        let database = create_postgres_database(&server).await;
        let dir = tempfile::tempdir().unwrap();
        test(open(&dir, Some(database.clone()), &configure).await).await;
        drop_postgres_database(&server, &database).await;
    }
}

async fn open(dir: &tempfile::TempDir, database_url: Option<String>, configure: &impl Fn(&mut Config)) -> TestPlatform {
    let mut config = Config {
        data_dir: dir.path().to_owned(),
        database_url: database_url.map(Into::into),
        http_addr: "127.0.0.1:0".parse().unwrap(),
        mqtt_addr: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    config.database.max_connections = 5;
    config.database.synchronous = Synchronous::Normal;
    configure(&mut config);
    let clock = Clock::manual(START);
    let platform = Platform::open(config, clock.clone()).await.unwrap();
    let organization = insert_organization(&platform, "Test").await;
    TestPlatform { platform, clock, organization }
}

async fn insert_organization(platform: &Platform, name: &str) -> OrganizationId {
    let id = OrganizationId::generate();
    let mut tx = platform.db.begin().await.unwrap();
    on_db!(&mut tx, conn => sqlx::query("insert into organization (id, name, created_at) values ($1, $2, $3)")
        .bind(id).bind(name).bind(platform.clock.now()).execute(conn).await.map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    id
}

/// Makes a database on the server and returns its address.
///
/// # Panics
/// When the server cannot be reached.
pub async fn create_postgres_database(server: &str) -> String {
    let name = format!("portico_{}", uuid::Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(server).await.unwrap();
    let create = format!("create database {name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    let root = base.rfind('/').filter(|at| *at > "postgresql://".len()).map_or(base, |at| &base[..at]);
    query.map_or_else(|| format!("{root}/{name}"), |query| format!("{root}/{name}?{query}"))
}

/// Removes a database made by [`create_postgres_database`]; one still in use is left to the server's end.
///
/// # Panics
/// When the server cannot be reached.
pub async fn drop_postgres_database(server: &str, url: &str) {
    let name = url.split('?').next().and_then(|base| base.rsplit('/').next()).unwrap();
    let mut connection = PgConnection::connect(server).await.unwrap();
    let drop = format!("drop database if exists {name} with (force)");
    let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await;
}

/// Waits until the condition holds.
///
/// # Panics
/// When it does not within ten seconds.
pub async fn eventually<F, Fut>(what: &str, mut condition: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
