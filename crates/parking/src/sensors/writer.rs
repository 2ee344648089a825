//! From messages to what is known of spots: a bounded queue, one writer, one transaction for many sensors, and an answer to
//! each sender after the commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portico_alarms::Change;
use portico_model::parking::sensor::{Belief, Reading};
use portico_model::telemetry::PayloadProblem;
use portico_model::{DeviceId, OrganizationId, ParkingSensorId, ReservationId, SpotId, Timestamp};
use portico_platform::{Error, Result, Tx};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::store::{self, Known};
use super::trouble;
use crate::memory::Held;
use crate::{Parking, spots};

/// Messages that wait; when it is full, senders wait, and devices keep theirs.
const ROOM: usize = 4_096;

/// Most messages of a transaction.
const MOST: usize = 1_024;

/// Sensors without a spot that an organisation may have: anybody with a device can name new ones.
const MAX_NEW: i64 = 1_000;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is written on the sign of its spot; absent: it has none yet.
    pub spot_id: Option<String>,
    /// As believed now.
    pub occupied: bool,
    pub status_changed: bool,
}

struct Submission {
    organization: OrganizationId,
    sensor_id: String,
    /// Absent: a program that speaks for all sensors.
    device: Option<DeviceId>,
    message: Message,
    received_at: Timestamp,
    done: oneshot::Sender<Result<Result<Told, PayloadProblem>>>,
}

/// The way in.
pub struct Writer {
    queue: mpsc::Sender<Submission>,
    waiting: Arc<Mutex<mpsc::Receiver<Submission>>>,
}

impl Default for Writer {
    fn default() -> Self {
        let (queue, waiting) = mpsc::channel(ROOM);
        Self { queue, waiting: Arc::new(Mutex::new(waiting)) }
    }
}

/// What a transaction of an organisation has changed.
#[derive(Default)]
pub(super) struct Changed {
    pub spots: Vec<SpotId>,
    pub alarms: Vec<Change>,
    /// Sensors came, or are heard again.
    pub sensors: bool,
    /// Reservations whose vehicle has come.
    pub arrived: Vec<ReservationId>,
}

impl Parking {
    /// Takes a measurement; done after the commit. A problem with it is the inner error.
    ///
    /// # Errors
    /// Unavailable, when the database does not take it; it may be sent again then.
    pub(crate) async fn take_reading(
        &self,
        organization: OrganizationId,
        device: Option<DeviceId>,
        message: Message,
        received_at: Timestamp,
    ) -> Result<Result<Told, PayloadProblem>> {
        let sensor_id = match (&message.sensor_id, device) {
            (Some(name), _) => name.clone(),
            (None, Some(device)) => device.to_string(),
            (None, None) => return Ok(Err(PayloadProblem::new("missing_sensor_id", "sensor_id is missing"))),
        };
        let (done, told) = oneshot::channel();
        let ending = || Error::unavailable("shutting_down", "The server is ending.");
        let submission = Submission { organization, sensor_id, device, message, received_at, done };
        self.0.writer.queue.send(submission).await.map_err(|_| ending())?;
        told.await.map_err(|_| ending())?
    }

    /// Writes what waits until cancelled.
    pub(super) async fn write_readings(self, cancel: CancellationToken) {
        let waiting = Arc::clone(&self.0.writer.waiting);
        let mut waiting = waiting.lock().await;
        let mut batch = Vec::with_capacity(MOST);
        loop {
            tokio::select! {
                count = waiting.recv_many(&mut batch, MOST) => if count == 0 { return },
                () = cancel.cancelled() => return,
            }
            let mut organizations: BTreeMap<OrganizationId, Vec<Submission>> = BTreeMap::new();
            for submission in batch.drain(..) {
                organizations.entry(submission.organization).or_default().push(submission);
            }
            for (organization, submissions) in organizations {
                self.write_batch(organization, submissions).await;
            }
        }
    }

    async fn write_batch(&self, organization: OrganizationId, submissions: Vec<Submission>) {
        match self.store_batch(organization, &submissions).await {
            Ok((answers, changed)) => {
                self.announce_changed(organization, changed).await;
                for (submission, answer) in submissions.into_iter().zip(answers) {
                    let _ = submission.done.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::warn!(%error, messages = submissions.len(), "measurements are not stored");
                for submission in submissions {
                    let _ = submission.done.send(Err(Error::new(error.kind(), error.code(), error.message())));
                }
            }
        }
    }

    async fn store_batch(
        &self,
        organization: OrganizationId,
        batch: &[Submission],
    ) -> Result<(Vec<Result<Told, PayloadProblem>>, Changed)> {
        let (mut tx, version, held) = self.begin_spots(organization).await?;
        let mut sensors = Sensors::find(&mut tx, organization, batch).await?;
        let answers: Vec<_> = batch.iter().map(|submission| sensors.take(submission, &held)).collect();
        store::save(&mut tx, organization, &sensors.touched().collect::<Vec<_>>()).await?;
        store::add_readings(&mut tx, &sensors.readings()).await?;
        let mut changed = Changed { sensors: sensors.has_news, ..Changed::default() };
        for (spot, belief) in &sensors.changed {
            let since = belief.since.unwrap_or_default();
            spots::store::set_state(&mut tx, *spot, belief.state(), since, version).await?;
            changed.spots.push(*spot);
            if belief.occupied == Some(true) {
                let lead_ms = held.spot(*spot).map_or(0, |spot| held.lead_ms(spot.lot_id));
                changed.arrived.extend(self.note_arrival(&mut tx, organization, *spot, lead_ms, since).await?);
            }
        }
        for sensor in sensors.touched() {
            let before = sensors.before.get(&sensor.id);
            let change = trouble::of_message(&self.0.alarms, &mut tx, organization, before, sensor, &held).await?;
            changed.alarms.extend(change);
        }
        tx.commit().await?;
        metrics::counter!("portico_parking_readings_total").increment(batch.len() as u64);
        Ok((answers, changed))
    }

    /// Tells what a commit has changed.
    pub(super) async fn announce_changed(&self, organization: OrganizationId, changed: Changed) {
        self.0.alarms.announce(changed.alarms);
        if changed.sensors {
            self.announce_sensors(organization);
        }
        for reservation in changed.arrived {
            if let Err(error) = self.announce_reservation(organization, reservation, &[]).await {
                tracing::warn!(%error, %reservation, "somebody has come and nobody is told");
            }
        }
        if changed.spots.is_empty() {
            return;
        }
        match self.held(organization).await {
            Ok(held) => {
                let now = self.0.platform.clock.now();
                for spot in changed.spots.iter().filter_map(|key| held.spot(*key)) {
                    self.announce_status(organization, &held.shown(spot, now));
                }
            }
            // It is committed: pages fetch it when they come back.
            Err(error) => tracing::warn!(%error, "spots have changed and nobody is told"),
        }
    }
}

/// The sensors of a batch, before and after it.
struct Sensors {
    by_name: HashMap<String, Known>,
    /// As stored before, of those that were.
    before: HashMap<ParkingSensorId, Known>,
    readings: BTreeMap<(ParkingSensorId, Timestamp), Reading>,
    /// What is believed of spots now, where it is something else.
    changed: BTreeMap<SpotId, Belief>,
    /// More new ones that may come.
    room: i64,
    touched: Vec<String>,
    has_news: bool,
}

impl Sensors {
    async fn find(tx: &mut Tx, organization: OrganizationId, batch: &[Submission]) -> Result<Self> {
        let mut names: Vec<&str> = batch.iter().map(|submission| submission.sensor_id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let found = store::find(tx, organization, &names).await?;
        let room = if found.len() < names.len() { MAX_NEW - store::count_new(tx, organization).await? } else { 0 };
        Ok(Self {
            before: found.iter().map(|known| (known.id, known.clone())).collect(),
            by_name: found.into_iter().map(|known| (known.sensor_id.clone(), known)).collect(),
            readings: BTreeMap::new(),
            changed: BTreeMap::new(),
            room,
            touched: Vec::new(),
            has_news: false,
        })
    }

    fn take(&mut self, submission: &Submission, held: &Held) -> Result<Told, PayloadProblem> {
        let Submission { sensor_id, device, message, received_at, .. } = submission;
        if !self.by_name.contains_key(sensor_id) {
            if self.room <= 0 {
                let text = format!("{MAX_NEW} sensors without a spot wait already; give them spots or remove them");
                return Err(PayloadProblem::new("too_many_new_sensors", text));
            }
            self.room -= 1;
            self.has_news = true;
            self.by_name.insert(sensor_id.clone(), unheard(sensor_id, *device, *received_at));
        }
        let Some(sensor) = self.by_name.get_mut(sensor_id) else { return Err(PayloadProblem::new("lost", "lost")) };
        // A device speaks for its own sensors alone; whoever named one first keeps it.
        if device.is_some() && sensor.device_id != *device {
            return Err(PayloadProblem::new("sensor_of_another", "This sensor is reported by somebody else."));
        }
        let spot = sensor.spot_id.and_then(|spot| held.spot(spot));
        let debounce_ms = held.debounce_ms(spot);
        let reading = message.reading;
        let is_newest = sensor.belief.newest.is_none_or(|newest| reading.at > newest);
        let status_changed = sensor.belief.take(reading.at, reading.occupied, debounce_ms);
        let is_back = std::mem::take(&mut sensor.is_silent);
        self.has_news |= is_back;
        if let Some(spot) = sensor.spot_id.filter(|_| status_changed || is_back) {
            self.changed.insert(spot, sensor.belief);
        }
        sensor.heard_at = sensor.heard_at.max(*received_at);
        sensor.messages += 1;
        sensor.is_bridged = message.is_bridged;
        if is_newest {
            sensor.distance_cm = reading.distance_cm.or(sensor.distance_cm);
            sensor.battery_percent = reading.battery_percent.or(sensor.battery_percent);
            sensor.rssi_dbm = reading.rssi_dbm.or(sensor.rssi_dbm);
            if let Some(version) = &message.firmware_version {
                sensor.firmware_version.clone_from(version);
            }
            if let Some(location) = &message.location {
                sensor.location.clone_from(location);
            }
        }
        self.readings.entry((sensor.id, reading.at)).or_insert(reading);
        self.touched.push(sensor_id.clone());
        if let Some(lot) = spot.and_then(|spot| held.lot(spot.lot_id)) {
            sensor.has_low_battery = trouble::has_low_battery(sensor, lot.low_battery_percent);
        }
        Ok(Told {
            spot_id: spot.map(|spot| spot.id.clone()),
            occupied: sensor.belief.occupied.unwrap_or_default(),
            status_changed,
        })
    }

    /// Those that a message was taken of, each once.
    fn touched(&self) -> impl Iterator<Item = &Known> {
        let mut names: Vec<&str> = self.touched.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.by_name.get(name))
    }

    fn readings(&self) -> Vec<(ParkingSensorId, Reading)> {
        self.readings.iter().map(|((sensor, _), reading)| (*sensor, *reading)).collect()
    }
}

fn unheard(sensor_id: &str, device_id: Option<DeviceId>, now: Timestamp) -> Known {
    Known {
        id: ParkingSensorId::generate(),
        sensor_id: sensor_id.to_owned(),
        device_id,
        spot_id: None,
        is_silent: false,
        is_bridged: false,
        has_low_battery: false,
        belief: Belief::default(),
        heard_at: now,
        distance_cm: None,
        battery_percent: None,
        rssi_dbm: None,
        firmware_version: String::new(),
        location: String::new(),
        messages: 0,
        first_seen_at: now,
    }
}
