//! From samples to rows: a bounded queue, one writer, one transaction for many devices, and an answer to each sender
//! after the commit.

mod batch;
mod index;
mod late;

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use portico_model::live::Event;
use portico_model::telemetry::{Sample, TelemetryEvent};
use portico_model::{DeviceId, Timestamp};
use portico_platform::hub::{Delivery, Publication};
use portico_platform::{Error, Platform, Result};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::Known;
use crate::alarm_rules::Judge;
use crate::channel;
use crate::presence::Presence;
use batch::Stored;
use index::SeriesIndex;

/// Most values that wait or are being written at a time, some 150 bytes each. When it is reached, senders wait: the
/// broker then acknowledges no more, and devices keep their messages.
const ROOM_VALUES: u32 = 200_000;

/// A frame to browsers holds at most this many samples of a device, the newest; charts load older ones by themselves.
const EVENT_SAMPLES: usize = 500;

/// How long a batch waits for as many messages as the one before it had. Their senders have just been answered and most
/// send the next at once; a commit for a few of them costs as much as one for all.
const GATHER: Duration = Duration::from_millis(2);

/// Of fewer senders nobody waits for another.
const COMPANY: usize = 4;

/// The longest pause between two attempts while the database is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a submission; a closed channel means that it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// The database will never take it.
    Refused,
}

/// Samples of one device on their way into the database.
struct Submission {
    device: Arc<Known>,
    samples: Vec<Sample>,
    received_at: Timestamp,
    done: Option<oneshot::Sender<Outcome>>,
    values: usize,
    _room: OwnedSemaphorePermit,
}

/// The way in.
#[derive(Clone)]
pub struct Ingest {
    queue: mpsc::Sender<Submission>,
    room: Arc<Semaphore>,
    writer: Arc<Mutex<Writer>>,
}

struct Writer {
    platform: Platform,
    presence: Presence,
    judge: Judge,
    queue: mpsc::Receiver<Submission>,
    index: SeriesIndex,
    /// Messages in the batch before.
    before: usize,
}

impl Ingest {
    pub fn new(platform: Platform, presence: Presence, judge: Judge) -> Self {
        let (queue, receiver) = mpsc::channel(platform.config.devices.ingest_queue_messages.max(1));
        let writer = Writer { platform, presence, judge, queue: receiver, index: SeriesIndex::default(), before: 0 };
        Self { queue, room: Arc::new(Semaphore::new(ROOM_VALUES as usize)), writer: Arc::new(Mutex::new(writer)) }
    }

    /// Hands samples over and waits until they are committed.
    ///
    /// # Errors
    /// Unavailable, when the server ends before.
    pub async fn store(&self, device: Arc<Known>, samples: Vec<Sample>, received_at: Timestamp) -> Result<Outcome> {
        let (done, outcome) = oneshot::channel();
        self.enqueue(device, samples, received_at, Some(done)).await?;
        outcome.await.map_err(|_| ending())
    }

    /// Hands samples over; waits only for room in the queue.
    ///
    /// # Errors
    /// Unavailable, when the server ends.
    pub async fn queue(&self, device: Arc<Known>, samples: Vec<Sample>, received_at: Timestamp) -> Result<()> {
        self.enqueue(device, samples, received_at, None).await
    }

    async fn enqueue(
        &self,
        device: Arc<Known>,
        samples: Vec<Sample>,
        received_at: Timestamp,
        done: Option<oneshot::Sender<Outcome>>,
    ) -> Result<()> {
        let values: usize = samples.iter().map(|sample| sample.data.len()).sum();
        // A single message larger than the whole room still gets in, alone.
        let wanted = u32::try_from(values).unwrap_or(ROOM_VALUES).clamp(1, ROOM_VALUES);
        let room = Arc::clone(&self.room).acquire_many_owned(wanted).await.map_err(|_| ending())?;
        let submission = Submission { device, samples, received_at, done, values, _room: room };
        self.queue.send(submission).await.map_err(|_| ending())
    }

    /// The writer's life; there is one, whoever calls.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut writer = self.writer.lock().await;
        while let Some(batch) = writer.next_batch(&cancel).await {
            writer.store(batch, &cancel).await;
        }
    }
}

fn ending() -> Error {
    Error::unavailable("shutting_down", "The server is ending; send again.")
}

impl Writer {
    /// Everything that waits, up to the configured number of points. A lone message is not kept waiting for company:
    /// while one batch is committed the next one gathers by itself. Under load it is worth a moment, see [`GATHER`].
    async fn next_batch(&mut self, cancel: &CancellationToken) -> Option<Vec<Submission>> {
        let first = tokio::select! {
            biased;
            submission = self.queue.recv() => submission?,
            () = cancel.cancelled() => return None,
        };
        let limit = self.platform.config.devices.batch_points.max(1);
        let began = tokio::time::Instant::now();
        let deadline = began + Duration::from_millis(self.platform.config.devices.batch_wait_ms);
        let gathered = deadline.min(began + GATHER);
        let mut values = first.values;
        let mut batch = vec![first];
        let mut yielded = false;
        while values < limit && tokio::time::Instant::now() <= deadline {
            match self.queue.try_recv() {
                Ok(submission) => {
                    values += submission.values;
                    batch.push(submission);
                }
                Err(_) if yielded => {
                    if self.before < COMPANY || batch.len() >= self.before {
                        break;
                    }
                    let Ok(Some(submission)) = tokio::time::timeout_at(gathered, self.queue.recv()).await else {
                        break;
                    };
                    values += submission.values;
                    batch.push(submission);
                }
                Err(_) => {
                    // Lets senders that were woken by the last commit put their next message in.
                    yielded = true;
                    tokio::task::yield_now().await;
                }
            }
        }
        self.before = batch.len();
        Some(batch)
    }

    /// Stores the batch, however long the database is away. A row that it refuses is found by halving, so that it
    /// takes nothing else with it.
    async fn store(&mut self, batch: Vec<Submission>, cancel: &CancellationToken) {
        let mut waiting = vec![batch];
        let mut pause = Duration::from_millis(50);
        while let Some(mut batch) = waiting.pop() {
            match batch::store(&self.platform, &mut self.index, &self.judge, &batch).await {
                Ok(mut stored) => {
                    self.judge.alarms.announce(std::mem::take(&mut stored.changes));
                    pause = Duration::from_millis(50);
                    self.finish(batch, &stored);
                }
                Err(error) if is_refusal(&error) => {
                    if batch.len() > 1 {
                        let second = batch.split_off(batch.len() / 2);
                        waiting.extend([second, batch]);
                    } else {
                        self.refuse(batch, &error);
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %error, source = ?error.source(), messages = batch.len(), "telemetry not stored; trying again");
                    metrics::counter!("portico_ingest_retries_total").increment(1);
                    waiting.push(batch);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        // Nobody has been told that these are stored: devices send them again.
                        () = cancel.cancelled() => return,
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// After the commit: answers, then events.
    fn finish(&self, batch: Vec<Submission>, stored: &Stored) {
        metrics::counter!("portico_ingest_points_total").increment(stored.new_values);
        metrics::counter!("portico_ingest_duplicates_total").increment(stored.duplicates);
        metrics::counter!("portico_ingest_batches_total").increment(1);
        for (device, received_at, code, message) in &stored.problems {
            self.presence.problem(device, *received_at, code, message, b"");
        }
        let mut events: HashMap<DeviceId, (Arc<Known>, Vec<Sample>)> = HashMap::new();
        for submission in batch {
            if let Some(done) = submission.done {
                let _ = done.send(Outcome::Stored);
            }
            self.presence.seen(&submission.device, submission.received_at);
            let id = submission.device.id;
            let (_, samples) = events.entry(id).or_insert_with(|| (submission.device, Vec::new()));
            samples.extend(submission.samples.into_iter().filter(|sample| self.index.is_new(stored, id, sample)));
        }
        for (device_id, (device, mut samples)) in events {
            if samples.is_empty() {
                continue;
            }
            samples.sort_by_key(|sample| sample.ts);
            let surplus = samples.len().saturating_sub(EVENT_SAMPLES);
            samples.drain(..surplus);
            self.platform.hub.publish(Publication {
                channels: vec![channel::telemetry(device.organization, device_id)],
                event: Event::Telemetry(TelemetryEvent { device_id, samples }),
                delivery: Delivery::Latest,
            });
        }
    }

    fn refuse(&self, batch: Vec<Submission>, error: &Error) {
        for submission in batch {
            tracing::warn!(device = %submission.device.id, source = ?error.source(), "telemetry refused by the database");
            let message = "the database cannot store this message";
            self.presence.problem(&submission.device, submission.received_at, "not_storable", message, b"");
            if let Some(done) = submission.done {
                let _ = done.send(Outcome::Refused);
            }
        }
    }
}

/// Whether the data is at fault: a violated constraint, or PostgreSQL's class 22 (data exception). Anything else may
/// pass, and must not cost a message.
fn is_refusal(error: &Error) -> bool {
    use sqlx::error::ErrorKind;
    let Some(sqlx::Error::Database(database)) = error.source().and_then(|source| source.downcast_ref::<sqlx::Error>())
    else {
        return false;
    };
    matches!(
        database.kind(),
        ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation
            | ErrorKind::UniqueViolation
    ) || database.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
}
