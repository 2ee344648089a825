//! SQLite (embedded) or PostgreSQL behind one type. Each store function is written once; [`on_db!`] gives it to both.

mod rows;
mod together;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use tokio::sync::mpsc;

use crate::config::{Config, Synchronous};
use crate::error::{Error, Result};

pub use rows::Statements;
pub use together::Working;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// A connection pool to either database, cheap to clone.
#[derive(Clone)]
pub enum Db {
    /// One writer, because SQLite has one, and several readers beside it (WAL).
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        together: mpsc::Sender<Box<dyn together::Job>>,
    },
    Postgres(PgPool),
}

/// A transaction on either database; rolled back when dropped.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same body on either database: `on_db!(tx, conn => sqlx::query(..).execute(conn).await)`, `tx: &mut Tx`.
#[macro_export]
macro_rules! on_db {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Sqlite(transaction) => {
                let $conn = &mut **transaction;
                $body
            }
            $crate::db::Tx::Postgres(transaction) => {
                let $conn = &mut **transaction;
                $body
            }
        }
    };
}

impl Db {
    /// Connects; does not migrate.
    ///
    /// # Errors
    /// When the address is malformed or the database cannot be reached.
    pub async fn open(config: &Config) -> Result<Self> {
        let url = config.database_url();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(&url)?.application_name("portico");
            let pool = PgPoolOptions::new()
                .max_connections(config.database.max_connections)
                .acquire_timeout(Duration::from_millis(config.database.acquire_timeout_ms))
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(&url);
        Self::open_sqlite(Path::new(path), config).await
    }

    async fn open_sqlite(path: &Path, config: &Config) -> Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::internal)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match config.database.synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            })
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "memory")
            .statement_cache_capacity(256);
        let acquire_timeout = Duration::from_millis(config.database.acquire_timeout_ms);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(acquire_timeout)
            .connect_with(options.clone())
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(config.database.max_connections.min(8))
            .acquire_timeout(acquire_timeout)
            .connect_with(options.read_only(false).pragma("query_only", "on"))
            .await?;
        Ok(Self::Sqlite { read, together: together::start(write.clone()), write })
    }

    /// Applies what is missing of the embedded migrations.
    ///
    /// # Errors
    /// When a migration fails or one applied before has been changed since.
    pub async fn migrate(&self) -> Result<()> {
        match self {
            Self::Sqlite { write, .. } => SQLITE_MIGRATIONS.run(write).await,
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
        }
        .map_err(Error::internal)
    }

    /// A transaction that may write. On SQLite it holds the write lock from the start, so that it cannot fail halfway
    /// because another got there first.
    ///
    /// # Errors
    /// Unavailable, when no connection is to be had in time.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// A transaction that only reads; on SQLite it never waits for the writer.
    ///
    /// # Errors
    /// Unavailable, when no connection is to be had in time.
    pub async fn read(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether the database answers a query now.
    ///
    /// # Errors
    /// Unavailable, when it does not.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.read().await?;
        on_db!(&mut tx, conn => sqlx::query("select 1").execute(conn).await.map(drop))?;
        Ok(())
    }

    /// Writes a consistent copy of the SQLite database to a new file, while others read and write.
    ///
    /// # Errors
    /// Invalid on PostgreSQL (its own `pg_dump` does this) or when the file exists already.
    pub async fn backup_to(&self, path: &Path) -> Result<()> {
        let Self::Sqlite { read, .. } = self else {
            return Err(Error::invalid("use_pg_dump", "PostgreSQL is backed up with pg_dump; see README, Backup."));
        };
        if path.exists() {
            return Err(Error::conflict("file_exists", format!("{} exists already", path.display())));
        }
        // A reader of its own: the pool's are kept from writing, and that includes the copy.
        let mut connection = read.acquire().await?.detach();
        sqlx::query("pragma query_only = off").execute(&mut connection).await?;
        sqlx::query("vacuum into $1").bind(path.to_string_lossy().into_owned()).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// # Errors
    /// When the database did not take it; nothing of the transaction is stored then.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// # Errors
    /// When the connection is lost; the database rolls back by itself then.
    pub async fn rollback(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await?,
            Self::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }
}
