//! Writes that come at the same moment are committed as one: the disk is waited for once, and not once for each.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use super::{Db, Tx};
use crate::error::{Error, Result};

/// Most that are committed as one: who comes first waits for all of them.
const MOST: usize = 64;

/// What a piece of work does in a transaction that it may share.
pub type Working<'t, T> = BoxFuture<'t, Result<T>>;

impl Db {
    /// Does `work` in a transaction and commits it, on SQLite together with other work that waits. Each piece stands for itself: one
    /// that fails leaves nothing behind and does not hurt the others. Work whose caller has gone is not kept.
    ///
    /// # Errors
    /// Those of the work; unavailable when the database does not take it.
    pub async fn together<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'t> FnOnce(&'t mut Tx) -> Working<'t, T> + Send + 'static,
    {
        match self {
            Self::Sqlite { together, .. } => {
                let (tell, told) = oneshot::channel();
                let job = Waiting { work: Some(work), span: Span::current(), done: None, tell };
                together.send(Box::new(job)).await.map_err(|_| unavailable())?;
                told.await.map_err(|_| unavailable())?
            }
            // Its sessions write beside each other, and it waits for the disk once for several by itself.
            Self::Postgres(_) => {
                let mut tx = self.begin().await?;
                let value = work(&mut tx).await?;
                tx.commit().await?;
                Ok(value)
            }
        }
    }
}

fn unavailable() -> Error {
    sqlx::Error::PoolClosed.into()
}

/// Work that waits for its turn, whatever comes of it.
pub trait Job: Send {
    /// True: keep what it wrote.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Tells who waits what came of it.
    fn tell(self: Box<Self>, is_stored: bool);
}

struct Waiting<T, W> {
    work: Option<W>,
    /// Of the caller, for what is logged.
    span: Span,
    done: Option<Result<T>>,
    tell: oneshot::Sender<Result<T>>,
}

impl<T, W> Job for Waiting<T, W>
where
    T: Send + 'static,
    W: for<'t> FnOnce(&'t mut Tx) -> Working<'t, T> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take().filter(|_| !self.tell.is_closed()) else { return false };
            let done = AssertUnwindSafe(work(tx).instrument(self.span.clone())).catch_unwind().await;
            let done = done.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            let keep = done.is_ok() && !self.tell.is_closed();
            self.done = Some(done);
            keep
        })
    }

    fn tell(self: Box<Self>, is_stored: bool) {
        let told = match self.done {
            Some(Ok(value)) if is_stored => Ok(value),
            Some(Err(error)) => Err(error),
            _ => Err(unavailable()),
        };
        // Nobody may wait any more.
        let _ = self.tell.send(told);
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(format!("panicked: {}", text.unwrap_or_default()))
}

/// Commits what waits, for as long as there is a [`Db`] to ask for it.
pub fn start(write: SqlitePool) -> mpsc::Sender<Box<dyn Job>> {
    let (send, mut jobs) = mpsc::channel(MOST);
    tokio::spawn(async move {
        let mut waiting = Vec::with_capacity(MOST);
        while jobs.recv_many(&mut waiting, MOST).await > 0 {
            let stored = commit(&write, &mut waiting).await;
            if let Err(error) = &stored {
                tracing::warn!(%error, pieces = waiting.len(), "what was written together is not stored");
            }
            for job in waiting.drain(..) {
                job.tell(stored.is_ok());
            }
        }
    });
    send
}

/// Does all of it in one transaction. On an error nothing of it is stored.
async fn commit(write: &SqlitePool, waiting: &mut [Box<dyn Job>]) -> Result<()> {
    let mut tx = Tx::Sqlite(write.begin_with("begin immediate").await?);
    if let [only] = waiting {
        return if only.run(&mut tx).await { tx.commit().await } else { tx.rollback().await };
    }
    for job in waiting.iter_mut() {
        mark(&mut tx, "savepoint one").await?;
        if !job.run(&mut tx).await {
            mark(&mut tx, "rollback to one").await?;
        }
        mark(&mut tx, "release one").await?;
    }
    tx.commit().await
}

async fn mark(tx: &mut Tx, sql: &'static str) -> Result<()> {
    crate::on_db!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop))?;
    Ok(())
}
