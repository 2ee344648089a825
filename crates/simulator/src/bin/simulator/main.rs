//! `portico-simulator`: a virtual building on the command line.

mod legacy;
mod parking;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use portico_simulator::{Credentials, Faults, Options, Simulator};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Plays a building full of sensors to a Portico server, over REST and MQTT as real devices do.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Needs an account that may register devices: --username with PORTICO_PASSWORD, or PORTICO_TOKEN.\n\
        With --legacy: one device with the firmware from before Portico instead, for the bridge. --mqtt is the bridge's \
        address then, --username and PORTICO_PASSWORD one of its logins; nothing else is needed.\n\
        With --parking: a car park instead; --rate, --time-acceleration and --faults are those of its sensors and cars."
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
    /// Instead of a building: one device that behaves exactly as the existing firmware, over the bridge
    #[arg(long, value_enum, conflicts_with_all = ["sensors", "rate", "time_acceleration", "history_hours", "faults", "parking"])]
    legacy: Option<legacy::Kind>,
    /// What the existing device calls itself: device-1, or ESP32_Door_001
    #[arg(long, requires = "legacy")]
    legacy_device: Option<String>,
    #[command(flatten)]
    parking: parking::ParkingArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
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
    let stop = CancellationToken::new();
    let ending = stop.clone();
    let duration = arguments.duration;
    tokio::spawn(async move {
        wait_for_the_end(duration).await;
        ending.cancel();
    });
    if let Some(table) = arguments.parking.history(arguments.seed) {
        print!("{table}");
        return Ok(());
    }
    if let Some(kind) = arguments.legacy {
        let Arguments { mqtt, username, password, legacy_device, .. } = arguments;
        let options = legacy::options(kind, &mqtt, username, password, legacy_device)?;
        legacy::run(kind, options, stop).await;
        return Ok(());
    }
    let credentials = match (&arguments.token, &arguments.username, &arguments.password) {
        (Some(token), _, _) => Credentials::Bearer(token.clone()),
        (None, Some(username), Some(password)) => {
            Credentials::Password { username: username.clone(), password: password.clone() }
        }
        _ => bail!("an account is needed: --username with PORTICO_PASSWORD, or PORTICO_TOKEN"),
    };
    if arguments.parking.parking {
        return parking::run(arguments, credentials, stop).await;
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn command_line_is_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn legacy_is_one_device_and_no_building() {
        let line = "portico-simulator --legacy smart-lock --mqtt bridge:1884 --username esp32 --password pssword";
        let arguments = parse(line).unwrap();
        assert_eq!((arguments.legacy, arguments.mqtt.as_str()), (Some(legacy::Kind::SmartLock), "bridge:1884"));
        assert_eq!((arguments.username.as_deref(), arguments.legacy_device), (Some("esp32"), None));
        let named = parse("portico-simulator --legacy door --legacy-device ESP32_Door_002").unwrap();
        assert_eq!(named.legacy_device.as_deref(), Some("ESP32_Door_002"));
        assert_eq!(parse("portico-simulator --sensors 3").unwrap().legacy, None);
        for wrong in ["--legacy", "--legacy toaster", "--legacy door --sensors 3", "--legacy-device device-1"] {
            assert!(parse(&format!("portico-simulator {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parking_is_a_car_park_and_no_building() {
        let line = "portico-simulator --parking --parking-spots 60 --time-acceleration 24 --faults none --parking-utc-offset -60";
        let arguments = parse(line).unwrap();
        assert!(arguments.parking.parking);
        assert_eq!((arguments.parking.parking_spots, arguments.parking.parking_utc_offset), (60, -60));
        assert_eq!(arguments.parking.history(1), None);
        let weeks = parse("portico-simulator --parking --parking-history 1").unwrap().parking.history(1).unwrap();
        assert_eq!(weeks.lines().count(), 1 + 672);
        let wrong =
            ["--parking --sensors 3", "--parking --legacy door", "--parking-spots 9", "--parking --parking-spots 0"];
        for wrong in wrong {
            assert!(parse(&format!("portico-simulator {wrong}")).is_err(), "{wrong}");
        }
    }
}
