//! `portico-simulator`: a virtual building on the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use portico_simulator::{Credentials, Faults, Options, Simulator};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Plays a building full of sensors to a Portico server, over REST and MQTT as real devices do.
#[derive(Parser)]
#[command(
    version,
    after_help = "Needs an account that may register devices: --username with PORTICO_PASSWORD, or PORTICO_TOKEN."
)]
struct Arguments {
    /// The server's web address
    #[arg(long, default_value = "http://127.0.0.1:3000", env = "PORTICO_URL")]
    http: String,
    /// The MQTT broker, host:port
    #[arg(long, default_value = "127.0.0.1:1883", env = "PORTICO_MQTT_ADDR")]
    mqtt: String,
    /// User name or e-mail address of an account
    #[arg(long, env = "PORTICO_USERNAME")]
    username: Option<String>,
    /// Its password (better in the environment)
    #[arg(long, env = "PORTICO_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// An access token instead of an account
    #[arg(long, env = "PORTICO_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Which building: the same seed gives the same sensors and readings
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many sensors
    #[arg(long, default_value_t = 24)]
    sensors: usize,
    /// How often they measure: 2 is twice as often as real ones
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// How fast the building's day passes: 24 lets a day pass in an hour
    #[arg(long, default_value_t = 1.0)]
    time_acceleration: f64,
    /// How many hours of the past to send first
    #[arg(long, default_value_t = 0.0)]
    history_hours: f64,
    /// Seconds between heartbeats
    #[arg(long, default_value_t = 30)]
    heartbeat: u64,
    /// How much goes wrong: drop-outs, duplicates, disorder, garbage, lost connections, wrong clocks
    #[arg(long, value_enum, default_value_t = FaultLevel::Occasional)]
    faults: FaultLevel,
    /// File that keeps the devices and their keys between runs
    #[arg(long, default_value = "simulator-state.json")]
    state: PathBuf,
    /// First levels of every topic, as configured in the server
    #[arg(long, default_value = "")]
    topic_prefix: String,
    /// Stop after that many seconds; 0: at Ctrl-C
    #[arg(long, default_value_t = 0)]
    duration: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum FaultLevel {
    None,
    Occasional,
    Heavy,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let credentials = match (arguments.token, arguments.username, arguments.password) {
        (Some(token), _, _) => Credentials::Bearer(token),
        (None, Some(username), Some(password)) => Credentials::Password { username, password },
        _ => bail!("an account is needed: --username with PORTICO_PASSWORD, or PORTICO_TOKEN"),
    };
    let history = Duration::try_from_secs_f64(arguments.history_hours * 3600.0).context("--history-hours")?;
    let options = Options {
        seed: arguments.seed,
        sensors: arguments.sensors,
        rate: arguments.rate,
        time_acceleration: arguments.time_acceleration,
        history,
        heartbeat_interval: Duration::from_secs(arguments.heartbeat),
        faults: match arguments.faults {
            FaultLevel::None => Faults::NONE,
            FaultLevel::Occasional => Faults::OCCASIONAL,
            FaultLevel::Heavy => Faults::HEAVY,
        },
        state_file: Some(arguments.state),
        topic_prefix: arguments.topic_prefix,
        ..Options::new(arguments.http, arguments.mqtt, credentials)
    };

    let stop = CancellationToken::new();
    let ending = stop.clone();
    let duration = arguments.duration;
    tokio::spawn(async move {
        wait_for_the_end(duration).await;
        ending.cancel();
    });
    let simulator = Simulator::start(options, stop.clone()).await?;
    println!("{} sensors are running; Ctrl-C ends", simulator.devices().len());
    let mut every_ten_seconds = tokio::time::interval(Duration::from_secs(10));
    every_ten_seconds.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = every_ten_seconds.tick() => tracing::info!("{}", simulator.summary()),
        }
    }
    println!("{}", simulator.stop().await);
    Ok(())
}

async fn wait_for_the_end(duration_s: u64) {
    let limit = async {
        match duration_s {
            0 => std::future::pending().await,
            seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        () = limit => {}
    }
}
