//! Periodic work. A lease in the database lets one server at a time do it.

use std::time::Duration;

use portico_model::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::on_db;

/// The right to do one kind of work for a while.
pub struct Lease {
    name: &'static str,
    holder: Uuid,
    ttl: Duration,
}

impl Lease {
    #[must_use]
    pub fn new(name: &'static str, ttl: Duration) -> Self {
        Self { name, holder: Uuid::now_v7(), ttl }
    }

    /// Takes or prolongs the lease; false while another server holds it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take(&self, db: &Db, now: Timestamp) -> Result<bool> {
        let expires = now.plus_millis(i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX));
        let mut tx = db.begin().await?;
        let taken: Option<(String,)> = on_db!(&mut tx, conn => sqlx::query_as(
            "insert into job_lease (name, holder, expires_at) values ($1, $2, $3)
             on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
             where job_lease.expires_at < $4 or job_lease.holder = excluded.holder
             returning name",
        ).bind(self.name).bind(self.holder).bind(expires).bind(now).fetch_optional(conn).await)?;
        tx.commit().await?;
        Ok(taken.is_some())
    }
}

/// Runs `work` every `interval` on whichever server holds the lease, until cancelled. A failure is logged and the work
/// is tried again at the next interval.
pub async fn run_every<F, Fut>(
    name: &'static str,
    interval: Duration,
    db: Db,
    clock: Clock,
    cancel: CancellationToken,
    mut work: F,
) where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let lease = Lease::new(name, interval * 3 + Duration::from_secs(5));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = cancel.cancelled() => return,
        }
        let result = match lease.take(&db, clock.now()).await {
            Ok(true) => work().await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(job = name, error = %error, "job failed; it will be tried again");
        }
    }
}
