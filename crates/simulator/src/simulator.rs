//! The whole building at work: registers its devices, runs a session for each, ends them together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portico_model::{DeviceId, Timestamp};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, ApiError, Credentials};
use crate::building::{Building, Sensor};
use crate::faults::Faults;
use crate::firmware::Flash;
use crate::session;
use crate::signal::Kind;
use crate::state::{KnownDevice, StateFile};
use crate::stats::{Stats, Summary};

/// What to simulate and where.
#[derive(Clone)]
pub struct Options {
    /// Such as `http://127.0.0.1:3000`.
    pub http_url: String,
    /// `host:port`.
    pub mqtt_addr: String,
    pub credentials: Credentials,
    pub seed: u64,
    pub sensors: usize,
    /// 2 measures twice as often.
    pub rate: f64,
    /// 24 lets a day of the building pass in an hour. Time stamps stay those of the wall clock.
    pub time_acceleration: f64,
    /// How much of the past to send first, a reading a minute; zero: none.
    pub history: Duration,
    pub heartbeat_interval: Duration,
    pub faults: Faults,
    /// Where devices and keys are kept between runs.
    pub state_file: Option<PathBuf>,
    /// Publishers whose firmware the devices trust: raw Ed25519 public keys.
    pub publishers: Vec<[u8; 32]>,
    /// Cut each device's power once, when so many bytes of an image have come.
    pub power_cut_at: Option<usize>,
    /// First levels of every topic, without a slash at the end; empty: none.
    pub topic_prefix: String,
}

impl Options {
    /// Two dozen sensors at their own pace, without faults, history or memory.
    #[must_use]
    pub fn new(http_url: impl Into<String>, mqtt_addr: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            http_url: http_url.into(),
            mqtt_addr: mqtt_addr.into(),
            credentials,
            seed: 1,
            sensors: 24,
            rate: 1.0,
            time_acceleration: 1.0,
            history: Duration::ZERO,
            heartbeat_interval: Duration::from_secs(30),
            faults: Faults::NONE,
            state_file: None,
            publishers: Vec::new(),
            power_cut_at: None,
            topic_prefix: String::new(),
        }
    }
}

/// Why a simulation could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no broker address: host:port expected")]
    BrokerAddress(String),
    #[error("rate and time acceleration must be greater than 0")]
    Rate,
    #[error("stopped before all devices were registered")]
    Cancelled,
    #[error("a device could not be registered")]
    Register(#[from] ApiError),
}

/// What is the same for all devices of a run.
pub(crate) struct Context {
    options: Options,
    broker: (String, u16),
    api: Arc<Api>,
    state: Mutex<StateFile>,
    /// History positions noted by sessions; written to the state file at the end.
    history: std::sync::Mutex<Vec<(String, Timestamp)>>,
    clock: BuildingClock,
    pub(crate) stats: Stats,
}

/// Wall-clock time → time in the building, which may run faster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildingClock {
    anchor: Timestamp,
    acceleration: f64,
}

impl BuildingClock {
    pub const fn new(anchor: Timestamp, acceleration: f64) -> Self {
        Self { anchor, acceleration }
    }

    /// When it will be, or was, that time in the building.
    pub fn wall_time(&self, building: Timestamp) -> Timestamp {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // far below 2^53 ms
        let elapsed = (building.millis_since(self.anchor) as f64 / self.acceleration) as i64;
        self.anchor.plus_millis(elapsed)
    }

    pub fn building_time(&self, at: Timestamp) -> Timestamp {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // far below 2^53 ms
        let elapsed = (at.millis_since(self.anchor) as f64 * self.acceleration) as i64;
        self.anchor.plus_millis(elapsed)
    }
}

impl Context {
    #[allow(clippy::unused_self)] // the one place that reads a clock
    pub fn now(&self) -> Timestamp {
        now()
    }

    pub fn building_clock(&self) -> BuildingClock {
        self.clock
    }

    pub fn broker(&self) -> (String, u16) {
        self.broker.clone()
    }

    pub fn faults(&self) -> &Faults {
        &self.options.faults
    }

    pub fn topic_prefix(&self) -> String {
        match self.options.topic_prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    pub fn api(&self) -> Arc<Api> {
        Arc::clone(&self.api)
    }

    /// A device's memory as it leaves the factory.
    pub fn factory_state(&self, sensor: &Sensor) -> Flash {
        Flash {
            version: sensor.firmware.to_owned(),
            publishers: self.options.publishers.clone(),
            cut_at: self.options.power_cut_at,
            ..Flash::default()
        }
    }

    pub fn history_ms(&self) -> i64 {
        i64::try_from(self.options.history.as_millis()).unwrap_or(i64::MAX)
    }

    pub fn heartbeat_interval_s(&self) -> i64 {
        i64::try_from(self.options.heartbeat_interval.as_secs()).unwrap_or(60).clamp(1, 86_400)
    }

    pub fn interval_ms(&self, kind: Kind) -> i64 {
        scaled(kind.interval_ms(), self.options.rate)
    }

    /// How often a contact looks at its door.
    pub fn change_check_ms(&self) -> i64 {
        scaled(500, self.options.time_acceleration)
    }

    /// A working key for a device that the broker refuses: it was rotated or deleted meanwhile.
    pub async fn renew(&self, sensor: &Sensor) -> Result<KnownDevice, ApiError> {
        let (id, api_key) = self.api.register(&sensor.registration(self.heartbeat_interval_s())).await?;
        let mut state = self.state.lock().await;
        let history_until =
            state.get(&sensor.hardware_id).filter(|known| known.id == id).and_then(|known| known.history_until);
        let device = KnownDevice { id, api_key, history_until };
        state.insert(&sensor.hardware_id, device.clone());
        if let Err(error) = state.save().await {
            tracing::warn!(%error, "the simulator's state cannot be written");
        }
        Ok(device)
    }

    pub fn remember_history(&self, sensor: &Sensor, until: Timestamp) {
        if let Ok(mut history) = self.history.lock() {
            history.push((sensor.hardware_id.clone(), until));
        }
    }

    async fn save_history(&self) {
        let noted: Vec<_> = self.history.lock().map(|mut history| history.drain(..).collect()).unwrap_or_default();
        let mut state = self.state.lock().await;
        for (hardware_id, until) in noted {
            if let Some(mut device) = state.get(&hardware_id).cloned() {
                device.history_until = Some(until);
                state.insert(&hardware_id, device);
            }
        }
        if let Err(error) = state.save().await {
            tracing::warn!(%error, "the simulator's state cannot be written");
        }
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // minutes in milliseconds
fn scaled(interval_ms: i64, factor: f64) -> i64 {
    ((interval_ms as f64 / factor) as i64).max(2)
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A running building.
pub struct Simulator {
    context: Arc<Context>,
    devices: Vec<(DeviceId, Sensor)>,
    stop: CancellationToken,
    sessions: JoinSet<()>,
}

impl Simulator {
    /// Registers the devices (waiting for a server that is not there yet) and starts them. Ends when `stop` is
    /// cancelled or [`Simulator::stop`] is called.
    ///
    /// # Errors
    /// When an option makes no sense, or the server refuses the account or a device.
    pub async fn start(options: Options, stop: CancellationToken) -> Result<Self, Error> {
        let broker = options
            .mqtt_addr
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?)));
        let broker = broker.ok_or_else(|| Error::BrokerAddress(options.mqtt_addr.clone()))?;
        if !(options.rate > 0.0 && options.time_acceleration > 0.0) {
            return Err(Error::Rate);
        }
        let stop = stop.child_token();
        let building = Building::plan(options.seed, options.sensors);
        let context = Arc::new(Context {
            api: Arc::new(Api::new(&options.http_url, options.credentials.clone())?),
            state: Mutex::new(StateFile::load(options.state_file.clone()).await),
            history: std::sync::Mutex::default(),
            clock: BuildingClock::new(now(), options.time_acceleration),
            stats: Stats::default(),
            broker,
            options,
        });
        let mut devices = Vec::with_capacity(building.sensors.len());
        let mut sessions = JoinSet::new();
        for sensor in building.sensors {
            let device = known_or_registered(&context, &sensor, &stop).await?;
            devices.push((device.id, sensor.clone()));
            sessions.spawn(session::run(context.clone(), sensor, device, stop.clone()));
        }
        Ok(Self { context, devices, stop, sessions })
    }

    /// The devices and their sensors.
    #[must_use]
    pub fn devices(&self) -> &[(DeviceId, Sensor)] {
        &self.devices
    }

    /// What has happened until now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.context.stats.summary()
    }

    /// Runs until cancelled, then ends in order.
    pub async fn wait(mut self) -> Summary {
        while self.sessions.join_next().await.is_some() {}
        self.context.save_history().await;
        self.summary()
    }

    /// Every device says good-bye; what was sent is acknowledged or given up after 3 s.
    pub async fn stop(self) -> Summary {
        self.stop.cancel();
        self.wait().await
    }
}

async fn known_or_registered(
    context: &Context,
    sensor: &Sensor,
    stop: &CancellationToken,
) -> Result<KnownDevice, Error> {
    if let Some(known) = context.state.lock().await.get(&sensor.hardware_id) {
        return Ok(known.clone());
    }
    let mut pause = Duration::from_millis(200);
    loop {
        let registered = tokio::select! {
            () = stop.cancelled() => return Err(Error::Cancelled),
            registered = context.renew(sensor) => registered,
        };
        match registered {
            Ok(device) => return Ok(device),
            Err(error) if error.is_temporary() => {
                tracing::info!(%error, "waiting for the server");
                tokio::select! {
                    () = stop.cancelled() => return Err(Error::Cancelled),
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerated_building_lives_a_day_in_an_hour() {
        let anchor = Timestamp::from_millis(1_000_000);
        let clock = BuildingClock::new(anchor, 24.0);
        assert_eq!(clock.building_time(anchor), anchor);
        assert_eq!(clock.building_time(anchor.plus_secs(3_600)), anchor.plus_secs(86_400));
        assert_eq!(clock.building_time(anchor.plus_secs(-60)), anchor.plus_secs(-1_440));
        assert_eq!(clock.wall_time(anchor.plus_secs(86_400)), anchor.plus_secs(3_600));
    }

    #[tokio::test]
    async fn senseless_options_are_refused_before_anything_is_sent() {
        let credentials = Credentials::Bearer(String::new());
        let options = Options::new("http://127.0.0.1:9", "nowhere", credentials.clone());
        assert!(matches!(Simulator::start(options, CancellationToken::new()).await, Err(Error::BrokerAddress(_))));
        let options = Options { rate: 0.0, ..Options::new("http://127.0.0.1:9", "127.0.0.1:9", credentials) };
        assert!(matches!(Simulator::start(options, CancellationToken::new()).await, Err(Error::Rate)));
    }

    #[tokio::test]
    async fn waiting_for_a_server_can_be_cancelled() {
        let stop = CancellationToken::new();
        let options = Options::new("http://127.0.0.1:9", "127.0.0.1:9", Credentials::Bearer(String::new()));
        let start = tokio::spawn(Simulator::start(options, stop.clone()));
        stop.cancel();
        assert!(matches!(start.await.unwrap(), Err(Error::Cancelled)));
    }
}
