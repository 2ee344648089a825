//! Takes messages from the queue and sends them. Each channel has its own loop, so that a slow one holds up no other; on
//! several servers each takes its share, since a message is claimed by one of them at a time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use portico_model::DeliveryId;
use portico_model::notifications::DeliveryChannel;
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::mail::Mailer;
use super::push::PushKey;
use super::{Message, PURPOSE, guard, push, store, webhook};
use crate::error::{Error, Result};
use crate::{Platform, jobs};

/// After so many failed attempts it is a dead letter.
const MAX_ATTEMPTS: i64 = 10;

const FIRST_PAUSE_MS: i64 = 60_000;
const LONGEST_PAUSE_MS: i64 = 6 * 3_600_000;

/// Messages taken at once, and sent at the same time.
const BATCH: i64 = 16;
const AT_ONCE: usize = 8;

/// A message whose server died while sending is taken by another after so long: longer than any batch takes.
const CLAIM_MS: i64 = 600_000;

/// Messages of other servers, and those whose time has come.
const POLL: Duration = Duration::from_secs(2);

/// What is being sent at shutdown may end.
const LAST_WORDS: Duration = Duration::from_secs(5);

const SWEEP_EVERY: Duration = Duration::from_secs(600);
const KEEP_DELIVERED_MS: i64 = 7 * 86_400_000;
const KEEP_DEAD_MS: i64 = 30 * 86_400_000;

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    Delivered,
    /// Worth another attempt.
    Failed {
        why: String,
        /// The other side asked for at least so much time.
        not_before_s: Option<i64>,
    },
    /// Why; it will never be taken.
    Refused(String),
    /// The browser it is for no longer wants any.
    Gone,
}

impl Attempt {
    pub fn failed(why: impl Into<String>) -> Self {
        Self::failed_until(why, None)
    }

    pub fn failed_until(why: impl Into<String>, not_before_s: Option<i64>) -> Self {
        Self::Failed { why: why.into(), not_before_s }
    }

    const fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed { .. } => "failed",
            Self::Refused(_) => "refused",
            Self::Gone => "gone",
        }
    }
}

/// Milliseconds until the next attempt after `attempts` failed ones: one minute, doubling up to six hours, a tenth more
/// or less (`chance` from 0 to 1) so that many do not come back at the same moment.
#[must_use]
pub fn pause_before_next(attempts: i64, chance: f64) -> i64 {
    let doublings = (attempts.clamp(1, 20) - 1).unsigned_abs();
    let pause = FIRST_PAUSE_MS.saturating_mul(1_i64 << doublings).min(LONGEST_PAUSE_MS);
    let tenth = pause / 10;
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // far below 2^52
    let shift = ((chance * 2.0 - 1.0) * tenth as f64) as i64;
    pause + shift
}

/// Begins sending. Called once, when the server starts.
///
/// # Errors
/// When the configured certificates cannot be read.
pub fn start(platform: &Platform) -> Result<()> {
    describe_metrics();
    let sender = Arc::new(Sender {
        mailer: Mailer::new(&platform.config.mail)?,
        client: guard::client(&platform.config.webhooks)?,
        push_key: platform.deliveries.push_key()?,
    });
    spawn(platform, &sender, DeliveryChannel::Mail, "mail delivery");
    spawn(platform, &sender, DeliveryChannel::Push, "push delivery");
    spawn(platform, &sender, DeliveryChannel::Webhook, "webhook delivery");
    let swept = platform.clone();
    platform.tasks.spawn("delivery upkeep", move |cancel| {
        let platform = swept.clone();
        async move {
            let work = || sweep(&platform);
            let (db, clock) = (platform.db.clone(), platform.clock.clone());
            jobs::run_every("delivery upkeep", SWEEP_EVERY, db, clock, cancel, work).await;
        }
    });
    let watched = platform.clone();
    platform.tasks.spawn("delivery gauges", move |cancel| measure(watched.clone(), cancel));
    Ok(())
}

fn spawn(platform: &Platform, sender: &Arc<Sender>, channel: DeliveryChannel, name: &'static str) {
    let worker = Worker { platform: platform.clone(), sender: Arc::clone(sender), channel };
    platform.tasks.spawn(name, move |cancel| {
        let worker = worker.clone();
        async move { worker.run(&cancel).await }
    });
}

/// What messages leave by.
struct Sender {
    mailer: Option<Mailer>,
    client: reqwest::Client,
    push_key: PushKey,
}

#[derive(Clone)]
struct Worker {
    platform: Platform,
    sender: Arc<Sender>,
    channel: DeliveryChannel,
}

impl Worker {
    async fn run(&self, cancel: &CancellationToken) {
        let written = &self.platform.deliveries.written[self.channel as usize];
        while !cancel.is_cancelled() {
            let pause = match self.send_batch(cancel).await {
                Ok(0) => POLL,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(channel = self.channel.as_str(), %error, "messages wait for the database");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = written.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// Sends what is due, at most [`BATCH`]; how many were taken.
    async fn send_batch(&self, cancel: &CancellationToken) -> Result<usize> {
        let platform = &self.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let next = store::next_due(&mut tx, self.channel).await?;
        drop(tx);
        if next.is_none_or(|next| next > now) {
            return Ok(0);
        }
        let mut tx = platform.db.begin().await?;
        let claimed = store::claim(&mut tx, self.channel, now, now.plus_millis(CLAIM_MS), BATCH).await?;
        tx.commit().await?;
        let count = claimed.len();
        let sending = stream::iter(claimed).for_each_concurrent(AT_ONCE, |claimed| self.deliver(claimed));
        tokio::pin!(sending);
        tokio::select! {
            () = &mut sending => {}
            () = cancel.cancelled() => {
                let _ = tokio::time::timeout(LAST_WORDS, sending).await;
            }
        }
        Ok(count)
    }

    async fn deliver(&self, claimed: store::Claimed) {
        let (id, attempts) = (claimed.id, claimed.attempts);
        let attempt = match self.open(id, &claimed.message) {
            Ok(message) => {
                let attempt = self.sender.send(&self.platform, id, &message).await;
                if let (Attempt::Gone, Message::Push(push)) = (&attempt, &message) {
                    self.platform.deliveries.push_gone(claimed.organization_id, push).await;
                }
                attempt
            }
            Err(error) => {
                tracing::error!(delivery = %id, %error, "a message cannot be read");
                Attempt::Refused("the message cannot be read: it was written with another instance key".to_owned())
            }
        };
        let (channel, outcome) = (self.channel.as_str(), attempt.outcome());
        metrics::counter!("portico_deliveries_total", "channel" => channel, "outcome" => outcome).increment(1);
        if let Err(error) = self.note(id, attempts, attempt).await {
            // It is sent once more when the claim runs out.
            tracing::warn!(delivery = %id, channel, outcome, %error, "how the delivery went could not be written");
        }
    }

    fn open(&self, id: DeliveryId, sealed: &[u8]) -> Result<Message> {
        let plain = self.platform.secrets.open(PURPOSE, id.uuid().as_bytes(), sealed)?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }

    async fn note(&self, id: DeliveryId, attempts: i64, attempt: Attempt) -> Result<()> {
        let (now, channel) = (self.platform.clock.now(), self.channel.as_str());
        let mut tx = self.platform.db.begin().await?;
        match attempt {
            Attempt::Delivered => store::set_delivered(&mut tx, id, now).await?,
            Attempt::Gone => store::delete(&mut tx, id).await?,
            Attempt::Failed { why, not_before_s } if attempts < MAX_ATTEMPTS => {
                let asked = not_before_s.unwrap_or(0).saturating_mul(1000).clamp(0, LONGEST_PAUSE_MS);
                let pause = pause_before_next(attempts, rand::rng().random()).max(asked);
                tracing::info!(delivery = %id, channel, attempts, why, pause_ms = pause, "not delivered; trying again");
                store::set_failed(&mut tx, id, &why, now.plus_millis(pause)).await?;
            }
            Attempt::Failed { why, .. } | Attempt::Refused(why) => {
                tracing::warn!(delivery = %id, channel, attempts, why, "not delivered; kept as a dead letter");
                store::set_dead(&mut tx, id, &why, now).await?;
            }
        }
        tx.commit().await
    }
}

impl Sender {
    async fn send(&self, platform: &Platform, id: DeliveryId, message: &Message) -> Attempt {
        let (config, now) = (&platform.config, platform.clock.now());
        match message {
            Message::Mail(mail) => match &self.mailer {
                Some(mailer) => mailer.send(id, mail, now).await,
                None => Attempt::Refused("no mail server is configured (mail.host)".to_owned()),
            },
            Message::Push(push) => push::send(&self.client, config, &self.push_key, id, push, now).await,
            Message::Webhook(webhook) => webhook::send(&self.client, &config.webhooks, id, webhook, now).await,
        }
    }
}

/// Forgets what was delivered a week ago, and what was given up a month ago.
///
/// # Errors
/// When the database does not take it.
pub async fn sweep(platform: &Platform) -> Result<()> {
    let now = platform.clock.now();
    let mut tx = platform.db.begin().await?;
    store::delete_finished(&mut tx, now.plus_millis(-KEEP_DELIVERED_MS), now.plus_millis(-KEEP_DEAD_MS)).await?;
    tx.commit().await
}

fn describe_metrics() {
    use metrics::Unit::Count;
    metrics::describe_counter!(
        "portico_deliveries_total",
        Count,
        "Attempts to send e-mails, pushes and webhooks, by outcome"
    );
    metrics::describe_gauge!("portico_deliveries_waiting", Count, "Messages that wait to be sent, by channel");
    metrics::describe_gauge!("portico_deliveries_dead", Count, "Messages that could not be delivered, by channel");
}

async fn measure(platform: Platform, cancel: CancellationToken) {
    loop {
        if let Err(error) = gauge(&platform).await {
            tracing::debug!(%error, "queue depths not measured");
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(15)) => {}
            () = cancel.cancelled() => return,
        }
    }
}

async fn gauge(platform: &Platform) -> Result<()> {
    let mut tx = platform.db.read().await?;
    let depths = store::depths(&mut tx).await?;
    for channel in DeliveryChannel::ALL {
        let count = |state: &str| {
            let depth = depths.iter().find(|(kind, is, _)| kind == channel.as_str() && is == state);
            #[allow(clippy::cast_precision_loss)] // a gauge
            let count = depth.map_or(0, |(_, _, count)| *count) as f64;
            count
        };
        metrics::gauge!("portico_deliveries_waiting", "channel" => channel.as_str()).set(count("queued"));
        metrics::gauge!("portico_deliveries_dead", "channel" => channel.as_str()).set(count("dead"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_minute_to_six_hours() {
        let minutes: Vec<i64> = (1..=11).map(|attempts| pause_before_next(attempts, 0.5) / 60_000).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        assert_eq!((pause_before_next(1, 0.0), pause_before_next(1, 1.0)), (54_000, 66_000));
        assert_eq!(pause_before_next(i64::MAX, 0.5), LONGEST_PAUSE_MS);
        assert_eq!(pause_before_next(0, 0.5), FIRST_PAUSE_MS);
    }
}
