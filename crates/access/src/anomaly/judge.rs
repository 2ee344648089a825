//! Events are judged after they are written, by a task of their own: nobody waits at a door for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use portico_alarms::{Reach, Report as AlarmReport, Subject};
use portico_model::access::anomaly::detector::{Detector, Verdict};
use portico_model::access::anomaly::features::History;
use portico_model::access::{AccessEvent, AccessKind};
use portico_model::alarms::Severity;
use portico_model::{AccessEventId, AnomalyModelId, OrganizationId};
use portico_platform::{Result, Tx};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::sighting;
use super::store::{self, Seen};
use crate::Access;
use portico_identity::local_time::zone_of;

/// Events that wait to be judged. What does not fit is found in the log later.
const QUEUE: usize = 4_096;

/// Events judged in one transaction.
pub const BATCH: usize = 64;

/// How long others may join the first: each transaction is a write to the disk that somebody at a door may have to wait
/// for, and nobody waits for a judgement.
const GATHER: Duration = Duration::from_millis(50);

/// What a person did so far is looked at so far back.
const PAST: i64 = 300;

/// Refusals at a door that are looked at, and for how long.
const REFUSALS: i64 = 100;
const REFUSALS_MS: i64 = 600_000;

type Waiting = (OrganizationId, AccessEventId);

/// The queue to the task that judges, and what it knows.
pub struct Judging {
    send: mpsc::Sender<Waiting>,
    receive: tokio::sync::Mutex<mpsc::Receiver<Waiting>>,
    models: Mutex<BTreeMap<OrganizationId, (AnomalyModelId, Arc<Detector>)>>,
    training: Notify,
}

impl Judging {
    pub fn new() -> Self {
        let (send, receive) = mpsc::channel(QUEUE);
        Self { send, receive: tokio::sync::Mutex::new(receive), models: Mutex::default(), training: Notify::new() }
    }

    /// An event was written.
    pub fn offer(&self, organization: OrganizationId, event: &AccessEvent) {
        if event.kind == AccessKind::Request
            && event.score.is_none()
            && self.send.try_send((organization, event.id)).is_err()
        {
            metrics::counter!("portico_access_judging_postponed_total").increment(1);
        }
    }

    pub fn wake_training(&self) {
        self.training.notify_one();
    }

    pub async fn training_wanted(&self) {
        self.training.notified().await;
    }

    /// Some that wait; waits for the first, and a moment for others.
    pub async fn next(&self) -> Vec<Waiting> {
        let mut batch = Vec::with_capacity(BATCH);
        let mut receive = self.receive.lock().await;
        receive.recv_many(&mut batch, BATCH).await;
        let end = Instant::now() + GATHER;
        while !batch.is_empty() && batch.len() < BATCH {
            let room = BATCH - batch.len();
            match tokio::time::timeout_at(end, receive.recv_many(&mut batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        batch
    }
}

/// Names the alarm about a person, or about a door where nobody is known.
pub fn cause_of(event: &AccessEvent) -> String {
    match (event.person_id, event.door_id, event.reader_id) {
        (Some(person), ..) => format!("unusual-access:person:{person}"),
        (None, Some(door), _) => format!("unusual-access:door:{door}"),
        (None, None, Some(reader)) => format!("unusual-access:reader:{reader}"),
        (None, None, None) => "unusual-access".to_owned(),
    }
}

impl Access {
    /// Judges events that are in the log: score, reasons, and an alarm where somebody should look.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn judge(&self, events: &[Waiting]) -> Result<()> {
        let platform = &self.0.platform;
        let mut judged: Vec<(OrganizationId, AccessEvent, Verdict)> = Vec::new();
        let mut known: BTreeMap<OrganizationId, Option<(Arc<Detector>, TimeZone)>> = BTreeMap::new();
        let mut tx = platform.db.read().await?;
        for (organization, id) in events {
            if let Entry::Vacant(new) = known.entry(*organization) {
                let found = match self.detector(&mut tx, *organization).await? {
                    Some(detector) => Some((detector, zone_of(&mut tx, *organization).await?)),
                    None => None,
                };
                new.insert(found);
            }
            let Some(Some((detector, zone))) = known.get(organization) else { continue };
            let Some(event) = store_event(&mut tx, *organization, *id).await? else { continue };
            if event.kind != AccessKind::Request || event.score.is_some() {
                continue;
            }
            let verdict = verdict(&mut tx, *organization, detector, zone, &event).await?;
            judged.push((*organization, event, verdict));
        }
        drop(tx);
        if judged.is_empty() {
            return Ok(());
        }
        let mut tx = platform.db.begin().await?;
        let mut alarms = Vec::new();
        for (organization, event, verdict) in &judged {
            let Verdict { score, reasons, is_anomaly, .. } = verdict;
            store::set_score(&mut tx, *organization, event.id, *score, reasons, *is_anomaly).await?;
            if verdict.is_alarm {
                alarms.extend(self.0.alarms.raise(&mut tx, *organization, &alarm(event, verdict)).await?);
            }
        }
        tx.commit().await?;
        self.0.alarms.announce(alarms);
        for (organization, event, verdict) in judged {
            metrics::counter!("portico_access_judged_total", "unusual" => if verdict.is_anomaly { "yes" } else { "no" })
                .increment(1);
            let event = AccessEvent {
                score: Some(verdict.score),
                score_reasons: verdict.reasons,
                is_anomaly: verdict.is_anomaly,
                ..event
            };
            self.publish_event(organization, event);
        }
        Ok(())
    }

    /// Judges what was not judged when it happened: the queue was full, or the server ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn judge_missed(&self) -> Result<()> {
        const LOOK_BACK_MS: i64 = 2 * 3_600_000;
        const MOST: i64 = 2_000;
        let platform = &self.0.platform;
        let mut tx = platform.db.read().await?;
        let organizations = store::organizations(&mut tx).await?;
        let since = platform.clock.now().plus_millis(-LOOK_BACK_MS);
        let mut missed = Vec::new();
        for (organization, _) in organizations {
            if self.detector(&mut tx, organization).await?.is_some() {
                let ids = store::unjudged(&mut tx, organization, since, MOST).await?;
                missed.extend(ids.into_iter().map(|id| (organization, id)));
            }
        }
        drop(tx);
        for batch in missed.chunks(BATCH) {
            self.judge(batch).await?;
        }
        Ok(())
    }

    /// The organisation's newest model, if it has one.
    async fn detector(&self, tx: &mut Tx, organization: OrganizationId) -> Result<Option<Arc<Detector>>> {
        let Some((id, _)) = store::current_version(tx, organization).await? else { return Ok(None) };
        let models = &self.0.judging.models;
        let known = models.lock().unwrap_or_else(PoisonError::into_inner).get(&organization).cloned();
        if let Some((_, detector)) = known.filter(|(known, _)| *known == id) {
            return Ok(Some(detector));
        }
        let Some(content) = store::content(tx, organization, id).await? else { return Ok(None) };
        match serde_json::from_slice::<Detector>(&content) {
            Ok(detector) => {
                let detector = Arc::new(detector);
                models.lock().unwrap_or_else(PoisonError::into_inner).insert(organization, (id, detector.clone()));
                Ok(Some(detector))
            }
            Err(error) => {
                // Of another version of Portico; the next training makes a new one.
                tracing::warn!(%error, model = %id, "a model cannot be read");
                Ok(None)
            }
        }
    }
}

async fn store_event(tx: &mut Tx, organization: OrganizationId, id: AccessEventId) -> Result<Option<AccessEvent>> {
    crate::log::store::find(tx, organization, id).await
}

/// What a model thinks of an event, from what the person did before and what happened at the door.
async fn verdict(
    tx: &mut Tx,
    organization: OrganizationId,
    detector: &Detector,
    zone: &TimeZone,
    event: &AccessEvent,
) -> Result<Verdict> {
    let before = (event.at, event.id);
    let mut past = match event.person_id {
        Some(person) => store::past_of(tx, organization, person, before, PAST).await?,
        None => Vec::new(),
    };
    let since = event.at.plus_millis(-REFUSALS_MS);
    let refusals =
        store::refusals_at(tx, organization, event.door_id, event.person_id, since, before, REFUSALS).await?;
    past.extend(refusals);
    past.sort_by_key(|seen| seen.at);
    let mut history = History::default();
    past.iter().for_each(|seen| history.observe(&sighting(zone, seen)));
    Ok(detector.judge(&history, &sighting(zone, &Seen::from(event))))
}

fn alarm(event: &AccessEvent, verdict: &Verdict) -> AlarmReport {
    let who = if event.person_name.is_empty() { "Somebody unknown" } else { &event.person_name };
    let place = if event.door_name.is_empty() { "a reader" } else { &event.door_name };
    AlarmReport {
        cause: cause_of(event),
        kind: "unusual_access",
        severity: Severity::Warning,
        title: "Unusual access".to_owned(),
        text: format!("{who} at {place}: {}.", verdict.reasons.join("; ")),
        subject: Subject { kind: "access_event", id: event.id.to_string(), name: place.to_owned() },
        began_at: event.at,
        reach: Reach::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_that_come_soon_are_judged_together_and_at_most_a_batch_at_once() {
        let judging = Judging::new();
        let send = |count: usize| {
            let one = (OrganizationId::nil(), AccessEventId::nil());
            (0..count).for_each(|_| judging.send.try_send(one).unwrap());
        };
        send(3);
        let (batch, ()) = tokio::join!(judging.next(), async { send(2) });
        assert_eq!(batch.len(), 5);
        send(BATCH + 1);
        assert_eq!(judging.next().await.len(), BATCH);
        assert_eq!(judging.next().await.len(), 1, "one that comes alone is judged too");
    }
}
