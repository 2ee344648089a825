//! Models are made from the organisation's own log: when somebody asks, and every night.

use portico_model::access::anomaly::detector::{Detector, FEWEST_EVENTS, Shares, seed_of};
use portico_model::access::anomaly::{AnomalyModel, ModelState, ModelStatus};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{AnomalyModelId, OrganizationId};
use portico_platform::audit::Entry;
use portico_platform::hub::{Channel, Delivery, Publication};
use portico_platform::{Actor, Error, Result};
use serde_json::json;

use super::sighting;
use super::store::{self, Report};
use crate::{Access, topics};
use portico_identity::local_time::zone_of;

/// What is older tells little of today's habits.
const DAYS: i64 = 90;

/// Most events that a model is made from.
const MOST_EVENTS: i64 = 50_000;

/// A training that takes longer than this has died with its server.
const ABANDONED_MS: i64 = 15 * 60_000;

/// Events are counted up to here.
const COUNTED: i64 = 1_000;

/// The schedule asks for a new model a day after the last.
const EVERY_MS: i64 = 24 * 3_600_000;

const DAY_MS: i64 = 86_400_000;

fn too_few(have: i64) -> Error {
    Error::conflict(
        "too_few_events",
        format!("Failed to train ML models - insufficient data: {have} of at least {FEWEST_EVENTS} events."),
    )
}

fn needed() -> i64 {
    i64::try_from(FEWEST_EVENTS).unwrap_or(i64::MAX)
}

impl Access {
    /// The model that judges, the newest request, and whether there is enough to learn from. Permission:
    /// [`Permission::ReadAccessLog`].
    ///
    /// # Errors
    /// Forbidden.
    pub async fn model_status(&self, actor: &Actor) -> Result<ModelStatus> {
        actor.require(Permission::ReadAccessLog)?;
        let mut tx = self.0.platform.db.read().await?;
        let current = store::current(&mut tx, actor.organization).await?;
        let latest = store::latest(&mut tx, actor.organization).await?;
        let events = store::count_requests(&mut tx, actor.organization, COUNTED).await?;
        let is_other = |latest: &AnomalyModel| current.as_ref().is_none_or(|current| current.id != latest.id);
        Ok(ModelStatus { latest: latest.filter(is_other), current, events, events_needed: needed() })
    }

    /// Asks for a new model; one that is under way already is the answer. Permission: [`Permission::ManageAccess`].
    ///
    /// # Errors
    /// Forbidden; Conflict, when the log is too short.
    pub async fn request_training(&self, actor: &Actor) -> Result<AnomalyModel> {
        actor.require(Permission::ManageAccess)?;
        let platform = &self.0.platform;
        let mut tx = platform.db.begin().await?;
        if let Some(latest) = store::latest(&mut tx, actor.organization).await?
            && matches!(latest.state, ModelState::Waiting | ModelState::Training)
        {
            return Ok(latest);
        }
        let have = store::count_requests(&mut tx, actor.organization, needed()).await?;
        if have < needed() {
            return Err(too_few(have));
        }
        let id = AnomalyModelId::generate();
        let now = platform.clock.now();
        if !store::insert_request(&mut tx, actor.organization, id, &actor.label(), now).await? {
            return Err(Error::conflict("training_requested", "Somebody else asked at the same moment."));
        }
        let entry = Entry::success("access_model.requested").target("access_model", id);
        let record = platform.audit.append(&mut tx, actor, entry).await?;
        let model = store::latest(&mut tx, actor.organization).await?;
        tx.commit().await?;
        platform.hub.publish(Publication {
            channels: vec![Channel::all(actor.organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
        let model = model.ok_or_else(|| Error::internal("the request is gone"))?;
        self.announce_model(actor.organization, model.clone());
        self.0.judging.wake_training();
        Ok(model)
    }

    /// Makes the models that were asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn train_waiting(&self) -> Result<()> {
        let platform = &self.0.platform;
        loop {
            let mut tx = platform.db.begin().await?;
            store::fail_abandoned(&mut tx, platform.clock.now().plus_millis(-ABANDONED_MS)).await?;
            let Some((id, organization, version)) = store::waiting(&mut tx).await? else {
                tx.commit().await?;
                return Ok(());
            };
            let is_mine = store::claim(&mut tx, id).await?;
            tx.commit().await?;
            if is_mine {
                self.train(organization, id, version).await?;
            }
        }
    }

    async fn train(&self, organization: OrganizationId, id: AnomalyModelId, version: i64) -> Result<()> {
        let platform = &self.0.platform;
        let since = platform.clock.now().plus_millis(-DAYS * DAY_MS);
        let mut tx = platform.db.read().await?;
        let zone = zone_of(&mut tx, organization).await?;
        let rows = store::requests_since(&mut tx, organization, since, MOST_EVENTS).await?;
        drop(tx);
        let config = &platform.config.access;
        let shares = Shares {
            anomaly_percent: config.anomaly_percent.clamp(0.0, 50.0),
            alarm_percent: config.anomaly_alarm_percent.clamp(0.0, 50.0),
        };
        let seed = seed_of(organization, version);
        let false_alarms = i64::try_from(rows.iter().filter(|seen| seen.is_false_alarm).count()).unwrap_or(i64::MAX);
        let trained_on = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        // Some seconds of computing: not on the threads that answer requests.
        let made = tokio::task::spawn_blocking(move || {
            let events: Vec<_> = rows.iter().map(|seen| sighting(&zone, seen)).collect();
            Detector::train(&events, shares, seed).map(|detector| {
                let report = Report {
                    threshold: Some(detector.threshold),
                    alarm_threshold: detector.alarm_threshold,
                    false_alarms,
                };
                serde_json::to_vec(&detector).map(|content| (report, content))
            })
        })
        .await;
        let mut tx = platform.db.begin().await?;
        let actor = Actor::system(organization);
        let entry = match made {
            Ok(Ok(Ok((report, content)))) => {
                store::finish(&mut tx, organization, id, trained_on, &report, &content, platform.clock.now()).await?;
                Entry::success("access_model.trained").details(json!({ "version": version, "events": trained_on }))
            }
            Ok(Err(few)) => {
                let have = i64::try_from(few.have).unwrap_or(i64::MAX);
                store::fail(&mut tx, organization, id, too_few(have).message()).await?;
                Entry::failed("access_model.trained").details(json!({ "version": version, "events": have }))
            }
            Ok(Ok(Err(error))) => {
                tracing::error!(%error, "a model cannot be written");
                store::fail(&mut tx, organization, id, "The model could not be written.").await?;
                Entry::failed("access_model.trained").details(json!({ "version": version }))
            }
            Err(error) => {
                tracing::error!(%error, "training ended by itself");
                store::fail(&mut tx, organization, id, "The training ended by itself.").await?;
                Entry::failed("access_model.trained").details(json!({ "version": version }))
            }
        };
        let record = platform.audit.append(&mut tx, &actor, entry.target("access_model", id)).await?;
        let model = store::find(&mut tx, organization, id).await?;
        tx.commit().await?;
        platform.hub.publish(Publication {
            channels: vec![Channel::all(organization, "audit")],
            event: Event::AuditAppended { record },
            delivery: Delivery::Every,
        });
        if let Some(model) = model {
            self.announce_model(organization, model);
        }
        Ok(())
    }

    /// Asks for a model for each organisation whose last request is a day old and that has enough to learn from.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn request_due_training(&self) -> Result<()> {
        let platform = &self.0.platform;
        let now = platform.clock.now();
        let mut tx = platform.db.read().await?;
        let organizations = store::organizations(&mut tx).await?;
        drop(tx);
        for (organization, last) in organizations {
            if last.is_some_and(|last| now.millis_since(last) < EVERY_MS) {
                continue;
            }
            match self.request_training(&Actor::system(organization)).await {
                Ok(_) => {}
                Err(error) if error.status() == 409 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn announce_model(&self, organization: OrganizationId, model: AnomalyModel) {
        self.0.platform.hub.publish(Publication {
            channels: vec![topics::log_channel(organization)],
            event: Event::AccessModelChanged { model },
            delivery: Delivery::Every,
        });
    }
}
