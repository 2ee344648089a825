//! How the server itself fares: what it stores, what waits, how long it has run.

use portico_model::OrganizationId;
use portico_model::statistics::ServerStatistics;

use crate::error::Result;
use crate::{Db, Platform, Tx, on_db};

/// The figures. Size and outbox are of the whole installation, deliveries and connections of the organisation.
///
/// # Errors
/// When the database does not answer.
pub async fn collect(platform: &Platform, organization: OrganizationId) -> Result<ServerStatistics> {
    let mut tx = platform.db.read().await?;
    let outbox: i64 = on_db!(&mut tx, conn => sqlx::query_scalar("select count(*) from outbox").fetch_one(conn).await)?;
    let deliveries: Vec<(String, i64)> = on_db!(&mut tx, conn => sqlx::query_as(
        "select state, count(*) from delivery where organization_id = $1 group by state order by state",
    ).bind(organization).fetch_all(conn).await)?;
    let database_bytes: i64 = match &mut tx {
        Tx::Sqlite(conn) => {
            sqlx::query_scalar("select page_count * page_size from pragma_page_count(), pragma_page_size()")
                .fetch_one(&mut **conn)
                .await?
        }
        Tx::Postgres(conn) => {
            sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(&mut **conn).await?
        }
    };
    Ok(ServerStatistics {
        at: platform.clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: platform.started_at,
        database: if matches!(platform.db, Db::Postgres(_)) { "PostgreSQL" } else { "SQLite" }.to_owned(),
        database_bytes,
        outbox_messages: outbox,
        deliveries: deliveries.into_iter().collect(),
        live_connections: i64::try_from(platform.hub.connections_in(organization)).unwrap_or(i64::MAX),
    })
}
