//! Some car parks together: sets them up and keeps them going.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portico_model::Timestamp;
use portico_model::devices::NewDevice;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gateway::{Gateway, SENSORS};
use super::lot::{LiveLot, Seen};
use super::plan::LotPlan;
use super::{SensorFaults, local, setup};
use crate::api::{Api, ApiError};
use crate::simulator::{BuildingClock, now};
use crate::state::{KnownDevice, StateFile};
use crate::stats::{Stats, Summary};

/// What to simulate and where.
#[derive(Clone)]
pub struct ParkingOptions {
    pub api: Arc<Api>,
    pub broker: (String, u16),
    /// First levels of every topic, without a slash at the end; empty: none.
    pub topic_prefix: String,
    pub seed: u64,
    pub lots: Vec<LotPlan>,
    /// 24 lets a day pass in an hour. Time stamps stay those of the wall clock.
    pub time_acceleration: f64,
    /// How often a sensor measures, in the time of the car park; the existing firmware every 30 seconds.
    pub measure_every: Duration,
    /// A sensor that sees the same says so again after that, in the time of the wall clock.
    pub report_every: Duration,
    pub heartbeat: Duration,
    pub faults: SensorFaults,
    /// How far the local time of the lots is ahead of UTC.
    pub utc_offset_s: i64,
    /// Where gateways and keys are kept between runs.
    pub state_file: Option<PathBuf>,
}

impl ParkingOptions {
    /// As the existing firmware measures, in real time.
    #[must_use]
    pub fn new(api: Arc<Api>, host: impl Into<String>, port: u16, lots: Vec<LotPlan>) -> Self {
        Self {
            api,
            broker: (host.into(), port),
            topic_prefix: String::new(),
            seed: 1,
            lots,
            time_acceleration: 1.0,
            measure_every: Duration::from_secs(30),
            report_every: Duration::from_secs(30),
            heartbeat: Duration::from_secs(30),
            faults: SensorFaults::OCCASIONAL,
            utc_offset_s: 0,
            state_file: None,
        }
    }
}

/// What is the same for all lots of a run.
pub(crate) struct Context {
    pub options: ParkingOptions,
    pub stats: Stats,
    /// Reservations that Portico took.
    pub reserved: AtomicU64,
    state: Mutex<StateFile>,
    clock: BuildingClock,
}

impl Context {
    /// What the clock of the lots shows.
    pub fn local_now(&self) -> Timestamp {
        local(self.clock.building_time(now()), self.options.utc_offset_s)
    }

    /// When their clock shows that.
    pub fn wall_time(&self, here: Timestamp) -> Timestamp {
        self.clock.wall_time(local(here, -self.options.utc_offset_s))
    }

    pub fn measure_ms(&self) -> i64 {
        i64::try_from(self.options.measure_every.as_millis()).unwrap_or(i64::MAX).max(1)
    }

    pub fn topic_prefix(&self) -> String {
        match self.options.topic_prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    /// A working key for a gateway: registered now, or its lost key replaced.
    pub async fn renew(&self, new: &NewDevice) -> Result<KnownDevice, ApiError> {
        let (id, api_key) = self.options.api.register(new).await?;
        let known = KnownDevice { id, api_key, history_until: None };
        let mut state = self.state.lock().await;
        state.insert(new.hardware_id.as_deref().unwrap_or_default(), known.clone());
        if let Err(error) = state.save().await {
            tracing::warn!(%error, "the simulator's state cannot be written");
        }
        Ok(known)
    }

    async fn known_or_registered(&self, new: &NewDevice) -> Result<KnownDevice, ApiError> {
        let known = self.state.lock().await.get(new.hardware_id.as_deref().unwrap_or_default()).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.renew(new).await,
        }
    }
}

/// Running car parks.
pub struct Park {
    context: Arc<Context>,
    lots: Vec<(String, watch::Receiver<Seen>)>,
    tasks: JoinSet<()>,
}

impl Park {
    /// Sets up what is missing (waiting for a server that is not there yet) and lets them live until `stop`. Sensors get
    /// their spots in the background, as they are heard.
    ///
    /// # Errors
    /// When the server refuses the account, or something that is set up.
    pub async fn start(options: ParkingOptions, stop: &CancellationToken) -> Result<Self, ApiError> {
        let context = Arc::new(Context {
            state: Mutex::new(StateFile::load(options.state_file.clone()).await),
            clock: BuildingClock::new(now(), options.time_acceleration),
            stats: Stats::default(),
            reserved: AtomicU64::new(0),
            options,
        });
        let (api, seed) = (&context.options.api, context.options.seed);
        let mut park = Self { context: Arc::clone(&context), lots: Vec::new(), tasks: JoinSet::new() };
        let heard: BTreeSet<String> = when_there(api, stop).await?;
        for (index, plan) in (0..).zip(&context.options.lots) {
            let id = setup::lot(api, plan).await?;
            let mut gateways = Vec::new();
            for number in 1..=plan.spots().len().div_ceil(SENSORS) {
                let new = setup::gateway(plan, seed, number, context.options.heartbeat);
                let known = context.known_or_registered(&new).await?;
                gateways.push(Gateway::start(Arc::clone(&context), new, known, stop.clone()));
            }
            let (tell, seen) = watch::channel(Seen::default());
            let lot = LiveLot::new(Arc::clone(&context), (plan.clone(), index), id, gateways, &heard, tell);
            park.lots.push((plan.name.clone(), seen));
            park.tasks.spawn(lot.run(stop.clone()));
        }
        Ok(park)
    }

    /// What has happened until now.
    #[must_use]
    pub fn summary(&self) -> ParkSummary {
        ParkSummary {
            lots: self.lots.iter().map(|(name, seen)| (name.clone(), *seen.borrow())).collect(),
            reserved: self.context.reserved.load(Ordering::Relaxed),
            network: self.context.stats.summary(),
        }
    }

    /// Runs until cancelled, then ends in order.
    pub async fn wait(mut self) -> ParkSummary {
        while self.tasks.join_next().await.is_some() {}
        self.summary()
    }
}

/// The names of the sensors that the server knows, once it answers.
async fn when_there(api: &Api, stop: &CancellationToken) -> Result<BTreeSet<String>, ApiError> {
    let mut pause = Duration::from_millis(200);
    loop {
        match setup::sensors(api).await {
            Ok(sensors) => return Ok(sensors.into_keys().collect()),
            Err(error) if error.is_temporary() && !stop.is_cancelled() => {
                tracing::info!(%error, "waiting for the server")
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
        }
    }
}

/// What some car parks have done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkSummary {
    pub lots: Vec<(String, Seen)>,
    /// Reservations that Portico took.
    pub reserved: u64,
    pub network: Summary,
}

impl fmt::Display for ParkSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Seen { occupied, capacity, tally }) in &self.lots {
            write!(
                f,
                "{name}: {occupied} of {capacity}, {} came, {} left, {} found no spot, {} did not come; ",
                tally.arrived, tally.left, tally.turned_away, tally.not_come
            )?;
        }
        let Summary { published, acknowledged, connections, disconnections, overflowed, .. } = &self.network;
        write!(
            f,
            "{} reserved; {published} messages sent, {acknowledged} acknowledged; {connections} connections, \
             {disconnections} lost; {overflowed} given up",
            self.reserved
        )
    }
}
