//! Devices over MQTT: who may connect, and what their messages do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portico_model::devices::parse_status;
use portico_model::telemetry::{PayloadLimits, PayloadProblem, Sample, parse_payload};
use portico_model::{DeviceId, Timestamp};
use portico_platform::mqtt::{Inbound, MessageHandler, MqttAuthenticator, MqttPrincipal, TopicKind, Topics};
use portico_platform::{BoxFuture, Error, Result};

use crate::{Devices, Known, Outcome};

/// Gives samples without a time of their own distinct ones: two messages of a device within a millisecond are two
/// measurements, not one delivered twice.
#[derive(Default)]
pub struct UntimedClock(Mutex<HashMap<DeviceId, i64>>);

/// How long a request waits for the database; MQTT messages wait as long as it takes.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long an event may take before its device is told that it cannot be taken now: a reader gives up after 3 s.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

pub(crate) fn database_away() -> Error {
    Error::unavailable("database_unavailable", "The database cannot be reached at the moment. Try again shortly.")
}

/// Devices remembered before those of the past are forgotten.
const MAX_UNTIMED: usize = 50_000;

impl UntimedClock {
    /// The first of `count` milliseconds, not before `now`, that no other sample of the device has been given.
    fn reserve(&self, device: DeviceId, now: Timestamp, count: usize) -> Timestamp {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= MAX_UNTIMED {
            next.retain(|_, free_from| *free_from > now.millis());
        }
        let free_from = next.entry(device).or_insert(0);
        let first = now.millis().max(*free_from);
        *free_from = first.saturating_add(count);
        Timestamp::from_millis(first)
    }
}

impl Devices {
    /// Reads a telemetry message of a device and counts what is wrong with it.
    ///
    /// # Errors
    /// When nothing of it can be used; that is counted too.
    pub(crate) fn read_payload(
        &self,
        device: &Known,
        payload: &[u8],
        received_at: Timestamp,
    ) -> Result<Vec<Sample>, PayloadProblem> {
        let max_bytes = u32::try_from(self.0.platform.config.devices.payload_limit_bytes).unwrap_or(u32::MAX);
        let limits = PayloadLimits { max_bytes, ..PayloadLimits::DEFAULT };
        let parsed = parse_payload(payload, received_at, &limits).inspect_err(|problem| {
            self.0.presence.problem(device, received_at, problem.code, &problem.message, payload);
        })?;
        for problem in &parsed.problems {
            self.0.presence.problem(device, received_at, problem.code, &problem.message, payload);
        }
        let mut samples = parsed.samples;
        if !parsed.untimed.is_empty() {
            let first = self.0.untimed.reserve(device.id, received_at, parsed.untimed.len());
            for (offset, index) in (0_i64..).zip(parsed.untimed) {
                samples[index].ts = first.plus_millis(offset);
            }
        }
        Ok(samples)
    }

    /// Stores samples of a device that has proved itself; done after the commit.
    ///
    /// # Errors
    /// Unavailable, when the database is away for longer than a request should wait, or the server ends before: whether
    /// they are stored is not known then, and sending them again changes nothing. Invalid, when the database will never
    /// take them.
    pub async fn submit(&self, device: &Arc<Known>, samples: Vec<Sample>) -> Result<()> {
        let now = self.0.platform.clock.now();
        let stored = self.0.ingest.store(Arc::clone(device), samples, now);
        match tokio::time::timeout(LONGEST_WAIT, stored).await.map_err(|_| database_away())?? {
            Outcome::Stored => Ok(()),
            Outcome::Refused => Err(Error::invalid("not_storable", "The database cannot store this message")),
        }
    }

    /// What takes the devices' MQTT messages.
    #[must_use]
    pub fn message_handler(&self, topics: Topics) -> Arc<dyn MessageHandler> {
        Arc::new(Handler { devices: self.clone(), topics })
    }

    /// What checks the devices' MQTT credentials.
    #[must_use]
    pub fn mqtt_authenticator(&self) -> Arc<dyn MqttAuthenticator> {
        Arc::new(Authenticator(self.clone()))
    }

    /// An event whose device may wait for an answer: when the database does not give it in time, observers can say so.
    async fn take_answered(&self, id: DeviceId, message: Inbound) -> Result<()> {
        let (payload, at) = (message.payload.clone(), message.received_at);
        let not_taken = || self.0.observers.event_not_taken(id, &payload, at);
        let taking = self.take(TopicKind::Event, id, message);
        tokio::pin!(taking);
        let taken = match tokio::time::timeout(ANSWER_WITHIN, &mut taking).await {
            Ok(taken) => taken,
            Err(_) => {
                not_taken();
                taking.await
            }
        };
        taken.inspect_err(|_| not_taken())
    }

    async fn take(&self, kind: TopicKind, id: DeviceId, message: Inbound) -> Result<()> {
        let Some(device) = self.0.directory.find(id).await? else {
            // Deleted while its messages were on their way, or unknown to us: nobody to tell.
            metrics::counter!("portico_unknown_device_messages_total").increment(1);
            return Ok(());
        };
        if let Some(reason) = device.refusal() {
            // Its session was ended: the last will of that is no message of its own, and true.
            if kind == TopicKind::Status && parse_status(&message.payload).is_ok_and(|report| !report.online) {
                return self.take_status(&device, message).await;
            }
            self.0.presence.problem(&device, message.received_at, "not_active", reason, &message.payload);
            return Ok(());
        }
        match kind {
            TopicKind::Telemetry => self.take_telemetry(&device, message).await,
            TopicKind::Status => self.take_status(&device, message).await,
            TopicKind::Ack => {
                self.0.presence.seen(&device, message.received_at);
                // A bad answer is counted, and will never be better.
                self.read_ack(&device, &message.payload, message.received_at).await.map(drop)
            }
            TopicKind::Reported => {
                self.0.presence.seen(&device, message.received_at);
                self.take_reported(&device, &message.payload, message.received_at).await.map(drop)
            }
            TopicKind::Event => {
                self.0.presence.seen(&device, message.received_at);
                match self.0.observers.event(&device, &message.payload, message.received_at).await? {
                    Ok(true) => Ok(()),
                    Ok(false) => self.take_event(&device, &message.payload, message.received_at).await,
                    Err(problem) => {
                        let (code, text) = (problem.code, &problem.message);
                        self.0.presence.problem(&device, message.received_at, code, text, &message.payload);
                        Ok(())
                    }
                }
            }
            // Ours to write: a broker that lets a device do so is not asked here.
            TopicKind::Command | TopicKind::Desired => Ok(()),
        }
    }

    async fn take_telemetry(&self, device: &Arc<Known>, message: Inbound) -> Result<()> {
        let Ok(samples) = self.read_payload(device, &message.payload, message.received_at) else {
            // It will never be better: counted, and acknowledged so that it does not come again.
            self.0.presence.seen(device, message.received_at);
            return Ok(());
        };
        if message.durable {
            self.0.ingest.store(Arc::clone(device), samples, message.received_at).await.map(drop)
        } else {
            self.0.ingest.queue(Arc::clone(device), samples, message.received_at).await
        }
    }

    async fn take_status(&self, device: &Arc<Known>, message: Inbound) -> Result<()> {
        match parse_status(&message.payload) {
            Ok(report) => {
                let stored = self.0.presence.reported(device, message.received_at, report);
                self.0.observers.heartbeat(device, &message.payload, message.received_at).await?;
                if message.durable {
                    stored.await.map_err(|_| Error::unavailable("shutting_down", "The server is ending."))?;
                }
            }
            Err(problem) => {
                self.0.presence.problem(device, message.received_at, problem.code, &problem.message, &message.payload);
                self.0.presence.seen(device, message.received_at);
            }
        }
        Ok(())
    }
}

struct Handler {
    devices: Devices,
    topics: Topics,
}

impl MessageHandler for Handler {
    fn handle(&self, message: Inbound) -> BoxFuture<'static, Result<()>> {
        let parsed = self.topics.parse(&message.topic);
        let devices = self.devices.clone();
        Box::pin(async move {
            match parsed {
                Some((device, TopicKind::Event)) => devices.take_answered(device, message).await,
                Some((device, kind)) => devices.take(kind, device, message).await,
                None => Ok(()),
            }
        })
    }
}

struct Authenticator(Devices);

impl MqttAuthenticator for Authenticator {
    fn authenticate<'a>(
        &'a self,
        client_id: &'a str,
        user_name: &'a str,
        password: &'a [u8],
        _address: SocketAddr,
    ) -> BoxFuture<'a, Result<Option<MqttPrincipal>>> {
        Box::pin(async move {
            let (Ok(id), Ok(api_key)) = (user_name.parse::<DeviceId>(), std::str::from_utf8(password)) else {
                return Ok(None);
            };
            if client_id != user_name || user_name != id.to_string() {
                return Ok(None);
            }
            let login = self.0.authenticate_key(api_key).await?;
            Ok(login.filter(|login| login.device.id == id && login.device.refusal().is_none()).map(|login| {
                MqttPrincipal::Device { organization: login.device.organization, device: login.device.id }
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_without_time_never_share_one() {
        let clock = UntimedClock::default();
        let device = DeviceId::generate();
        let now = Timestamp::from_millis(1_000);
        assert_eq!(clock.reserve(device, now, 3).millis(), 1_000);
        assert_eq!(clock.reserve(device, now, 1).millis(), 1_003);
        assert_eq!(clock.reserve(DeviceId::generate(), now, 1).millis(), 1_000);
        assert_eq!(clock.reserve(device, now.plus_millis(500), 1).millis(), 1_500);
    }
}
