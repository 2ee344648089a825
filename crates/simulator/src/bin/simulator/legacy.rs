//! One device with the firmware from before Portico, for the bridge: `portico-simulator --legacy door`.

use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use portico_simulator::access::legacy::{Legacy, LegacyOptions};
use portico_simulator::parking::legacy::LegacySensor;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Which of the former devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The lock with its button: obeys LOCK and UNLOCK on `smartlock/commands`
    SmartLock,
    /// The door with its reader: asks on `door/access/request`
    Door,
    /// The sensor over a parking spot: tells on `parking/sensor/NAME/status`
    ParkingSensor,
}

/// What somebody does before a door.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Card(String),
    Finger(u8),
}

/// A line such as `A1B2C3D4` or `finger 3`.
fn shown(line: &str) -> Option<Shown> {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["finger", slot] => slot.parse().ok().map(Shown::Finger),
        ["card", card] | [card] => Some(Shown::Card(card.to_owned())),
        _ => None,
    }
}

/// As the firmware has them: its own name, and how often it says that it is there.
pub fn options(
    kind: Kind,
    broker: &str,
    username: Option<String>,
    password: Option<String>,
    device: Option<String>,
) -> anyhow::Result<LegacyOptions> {
    let (host, port) = broker.rsplit_once(':').context("--mqtt: host:port of the bridge")?;
    let (name, beat_s) = match kind {
        Kind::SmartLock => ("device-1", 9),
        Kind::Door => ("ESP32_Door_001", 30),
        Kind::ParkingSensor => ("PARK_001", 30),
    };
    let need = "--legacy: the bridge's login is needed: --username with PORTICO_PASSWORD";
    Ok(LegacyOptions {
        host: host.to_owned(),
        port: port.parse().context("--mqtt: host:port of the bridge")?,
        username: username.context(need)?,
        password: password.context(need)?,
        device: device.unwrap_or_else(|| name.to_owned()),
        heartbeat: Duration::from_secs(beat_s),
    })
}

/// Plays it until `stop`, and says what becomes of it.
pub async fn run(kind: Kind, options: LegacyOptions, stop: CancellationToken) {
    let name = options.device.clone();
    println!("{name} is plugged in; Ctrl-C ends");
    let device = match kind {
        Kind::SmartLock => Legacy::smart_lock(options, stop.clone()),
        Kind::Door => Legacy::door(options, stop.clone()),
        Kind::ParkingSensor => return run_sensor(LegacySensor::start(options, stop.clone()), stop).await,
    };
    let (line_in, mut lines) = mpsc::channel(16);
    if kind == Kind::Door {
        println!("A line is a card (A1B2C3D4) or a finger (finger 3)");
        read_lines(line_in);
    }
    let mut look = tokio::time::interval(Duration::from_millis(200));
    let mut said = String::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            // The end of the input ends nothing.
            Some(line) = lines.recv() => match shown(&line) {
                Some(Shown::Card(card)) => device.show_card(&card).await,
                Some(Shown::Finger(slot)) => device.show_finger(slot).await,
                None => println!("a card (A1B2C3D4) or a finger (finger 3)"),
            },
            _ = look.tick() => {
                let seen = device.seen();
                let line = if seen.connected { "connected" } else { "not connected" };
                let answer = seen.answers.last().map(|answer| format!(", told {answer}")).unwrap_or_default();
                let (count, dropped) = (seen.answers.len(), seen.dropped);
                let now = format!("{line}, {}, {count} answers, {dropped} too long{answer}", seen.state);
                if now != said {
                    println!("{now}");
                    said = now;
                }
            }
        }
    }
}

/// Lines of the input; a thread of its own, as reading a terminal cannot be cancelled.
fn read_lines(line_in: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if line_in.blocking_send(line).is_err() {
                return;
            }
        }
    });
}

async fn run_sensor(sensor: LegacySensor, stop: CancellationToken) {
    println!("A line is car or empty");
    let (line_in, mut lines) = mpsc::channel(16);
    read_lines(line_in);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(line) = lines.recv() => match line.trim() {
                "car" => sensor.set_car(true),
                "empty" => sensor.set_car(false),
                _ => println!("car or empty"),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cards_and_fingers() {
        let card = |card: &str| Some(Shown::Card(card.to_owned()));
        let table = [
            ("A1B2C3D4", card("A1B2C3D4")),
            (" card A1B2C3D4 ", card("A1B2C3D4")),
            ("finger 3", Some(Shown::Finger(3))),
            ("finger 300", None),
            ("", None),
            ("what is this", None),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn device_is_as_its_firmware_was_built() {
        let of = |kind, device: Option<&str>| {
            let login = (Some("esp32".to_owned()), Some("pssword".to_owned()));
            options(kind, "[::1]:1884", login.0, login.1, device.map(ToOwned::to_owned)).unwrap()
        };
        let lock = of(Kind::SmartLock, None);
        assert_eq!((lock.host.as_str(), lock.port, lock.device.as_str()), ("[::1]", 1884, "device-1"));
        assert_eq!(lock.heartbeat, Duration::from_secs(9));
        let door = of(Kind::Door, Some("ESP32_Door_002"));
        assert_eq!((door.device.as_str(), door.heartbeat), ("ESP32_Door_002", Duration::from_secs(30)));
        let nobody = options(Kind::Door, "127.0.0.1:1884", None, None, None).unwrap_err();
        assert!(nobody.to_string().contains("login"), "{nobody}");
        assert!(options(Kind::Door, "127.0.0.1", None, None, None).is_err());
    }
}
