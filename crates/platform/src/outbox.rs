//! MQTT messages written in the same transaction as the state they tell of, and published after the commit.

use std::sync::Arc;
use std::time::Duration;

use portico_model::{OutboxId, Timestamp};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::jobs::Lease;
use crate::{BoxFuture, on_db};

/// A message for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttMessage {
    pub topic: String,
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    pub retain: bool,
    /// Not published from then on: a command that comes late is worse than none.
    pub expires_at: Option<Timestamp>,
}

/// Gives a message to the broker; done when the broker has it.
pub trait Publisher: Send + Sync {
    fn publish(&self, message: MqttMessage) -> BoxFuture<'_, Result<()>>;
}

/// Most messages that wait without a record; one more is dropped, because late it would help nobody.
const MOST_UNRECORDED: usize = 1_000;

#[derive(Clone)]
pub struct Outbox {
    clock: Clock,
    written: Arc<Notify>,
    unrecorded: (mpsc::Sender<MqttMessage>, Arc<Mutex<mpsc::Receiver<MqttMessage>>>),
}

#[derive(sqlx::FromRow)]
struct Row {
    id: OutboxId,
    topic: String,
    payload: Vec<u8>,
    qos: i32,
    retain: bool,
    expires_at: Option<Timestamp>,
}

impl Outbox {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let (say, said) = mpsc::channel(MOST_UNRECORDED);
        Self { clock, written: Arc::default(), unrecorded: (say, Arc::new(Mutex::new(said))) }
    }

    /// Puts a message into the caller's transaction.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enqueue(&self, tx: &mut Tx, message: &MqttMessage) -> Result<()> {
        on_db!(tx, conn => sqlx::query(
            "insert into outbox (id, topic, payload, qos, retain, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(OutboxId::generate()).bind(&message.topic).bind(&message.payload)
        .bind(i32::from(message.qos)).bind(message.retain).bind(self.clock.now()).bind(message.expires_at)
        .execute(conn).await.map(drop))?;
        Ok(())
    }

    /// Says that a transaction with messages was committed, so that they leave at once.
    pub fn wake(&self) {
        self.written.notify_one();
    }

    /// Publishes a message of which nothing is written down: for what must be said although the database is away, and
    /// does no harm when it is lost. Everything else goes through [`Outbox::enqueue`].
    pub fn publish_unrecorded(&self, message: MqttMessage) {
        if self.unrecorded.0.try_send(message).is_err() {
            metrics::counter!("portico_outbox_unrecorded_dropped_total").increment(1);
        }
    }

    /// The next message without a record that is not too late.
    pub async fn next_unrecorded(&self) -> Option<MqttMessage> {
        let mut said = self.unrecorded.1.lock().await;
        loop {
            let message = said.recv().await?;
            if message.expires_at.is_none_or(|expires_at| self.clock.now() < expires_at) {
                return Some(message);
            }
        }
    }

    /// Publishes messages without a record until cancelled; needs no database.
    pub async fn run_unrecorded(&self, publisher: &dyn Publisher, cancel: &CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.next_unrecorded() => next,
                () = cancel.cancelled() => return,
            };
            let Some(message) = next else { return };
            if let Err(error) = publisher.publish(message).await {
                tracing::warn!(error = %error, "a message without a record is lost");
            }
        }
    }

    /// Publishes, oldest first, until cancelled. One server at a time does it, so that the order holds.
    pub async fn run(&self, db: &Db, publisher: &dyn Publisher, cancel: &CancellationToken) {
        let lease = Lease::new("outbox", Duration::from_secs(15));
        while !cancel.is_cancelled() {
            match self.publish_batch(db, publisher, &lease).await {
                Ok(0) => {
                    tokio::select! {
                        () = self.written.notified() => {}
                        // Messages written by another server, or left from before a restart.
                        () = tokio::time::sleep(Duration::from_secs(2)) => {}
                        () = cancel.cancelled() => {}
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "outbox is waiting for the database or the broker");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                        () = cancel.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn publish_batch(&self, db: &Db, publisher: &dyn Publisher, lease: &Lease) -> Result<usize> {
        let mut tx = db.read().await?;
        let rows: Vec<Row> = on_db!(&mut tx, conn => sqlx::query_as(
            "select id, topic, payload, qos, retain, expires_at from outbox order by id limit 100",
        ).fetch_all(conn).await)?;
        drop(tx);
        if rows.is_empty() || !lease.take(db, self.clock.now()).await? {
            return Ok(0);
        }
        let count = rows.len();
        for row in rows {
            let message = MqttMessage {
                topic: row.topic,
                payload: row.payload,
                qos: u8::try_from(row.qos).unwrap_or(1).min(2),
                retain: row.retain,
                expires_at: row.expires_at,
            };
            if message.expires_at.is_none_or(|expires_at| self.clock.now() < expires_at) {
                publisher.publish(message).await?;
            } else {
                metrics::counter!("portico_outbox_expired_total").increment(1);
            }
            let mut tx = db.begin().await?;
            on_db!(&mut tx, conn => sqlx::query("delete from outbox where id = $1").bind(row.id).execute(conn).await.map(drop))?;
            tx.commit().await?;
        }
        Ok(count)
    }

    /// How many messages wait, and since when the oldest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backlog(&self, db: &Db) -> Result<(i64, Option<Timestamp>)> {
        let mut tx = db.read().await?;
        Ok(
            on_db!(&mut tx, conn => sqlx::query_as("select count(id), min(created_at) from outbox").fetch_one(conn).await)?,
        )
    }
}
