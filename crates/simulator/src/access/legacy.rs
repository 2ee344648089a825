//! The firmware that was there before Portico, exactly as it speaks (`contracts.md` 1.5 and 3.4): shared topics,
//! nothing signed, its own names and passwords.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer packets are dropped by its MQTT library, whole packet, bytes.
const PACKET_LIMIT: usize = 256;

/// The fixed part of a packet before its payload: header, lengths, topic.
fn packet_length(topic: &str, payload: usize) -> usize {
    4 + topic.len() + payload
}

/// Where the old firmware connects.
#[derive(Debug, Clone)]
pub struct LegacyOptions {
    pub host: String,
    pub port: u16,
    pub username: String,
    pub password: String,
    /// Such as `device-1` or `ESP32_Door_001`.
    pub device: String,
    /// 9 seconds for a lock, 30 for a door.
    pub heartbeat: Duration,
}

/// What one sees of it.
#[derive(Debug, Clone, Default)]
pub struct LegacySeen {
    pub connected: bool,
    /// `Unknown` until it is told something, as the firmware has it.
    pub state: String,
    /// The answers of the server that were meant for it.
    pub answers: Vec<Value>,
    /// Packets that were too long.
    pub dropped: u32,
}

/// A running old device.
pub struct Legacy {
    seen: Arc<Mutex<LegacySeen>>,
    shows: mpsc::Sender<Value>,
}

pub(crate) fn connect(client_id: &str, options: &LegacyOptions) -> (AsyncClient, EventLoop) {
    let mut mqtt = MqttOptions::new(client_id, &options.host, options.port);
    mqtt.set_credentials(&options.username, &options.password);
    mqtt.set_keep_alive(Duration::from_secs(15));
    mqtt.set_clean_session(true);
    AsyncClient::new(mqtt, 16)
}

impl Legacy {
    /// The smart lock: obeys every command, whomever it names; says where its bolt is every nine seconds, retained.
    #[must_use]
    pub fn smart_lock(options: LegacyOptions, stop: CancellationToken) -> Self {
        let client = connect("ESP32Client-24:0A:C4:00:01:10", &options);
        Self::start(client, options, stop, Kind::SmartLock)
    }

    /// The door with a reader: asks for each card, acts on the answer that names it.
    #[must_use]
    pub fn door(options: LegacyOptions, stop: CancellationToken) -> Self {
        let client = connect(&options.device.clone(), &options);
        Self::start(client, options, stop, Kind::Door)
    }

    fn start(
        (client, events): (AsyncClient, EventLoop),
        options: LegacyOptions,
        stop: CancellationToken,
        kind: Kind,
    ) -> Self {
        let state = if kind == Kind::SmartLock { "Unknown" } else { "locked" };
        let seen = Arc::new(Mutex::new(LegacySeen { state: state.to_owned(), ..LegacySeen::default() }));
        let (shows, shown) = mpsc::channel(16);
        let running = Running { client, options, kind, seen: Arc::clone(&seen), uptime_ms: 4_000 };
        tokio::spawn(running.run(events, shown, stop));
        Self { seen, shows }
    }

    #[must_use]
    pub fn seen(&self) -> LegacySeen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A card before the door's reader.
    pub async fn show_card(&self, uid: &str) {
        let _ = self.shows.send(json!({ "method": "rfid", "rfid_uid": uid })).await;
    }

    /// A finger; the firmware sends its slot as text.
    pub async fn show_finger(&self, slot: u8) {
        let _ = self.shows.send(json!({ "method": "fingerprint", "fingerprint_id": slot.to_string() })).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    SmartLock,
    Door,
}

struct Running {
    client: AsyncClient,
    options: LegacyOptions,
    kind: Kind,
    seen: Arc<Mutex<LegacySeen>>,
    uptime_ms: u64,
}

impl Running {
    async fn run(mut self, mut events: EventLoop, mut shown: mpsc::Receiver<Value>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(self.options.heartbeat);
        beat.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => self.connected(),
                    Ok(Event::Incoming(Packet::Publish(publish))) => self.told(&publish.topic, &publish.payload),
                    Ok(_) => {}
                    Err(_) => {
                        self.see(|seen| seen.connected = false);
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
                _ = beat.tick() => self.beat("Online", "online"),
                Some(mut question) = shown.recv() => {
                    question["device_id"] = json!(self.options.device);
                    self.publish("door/access/request", &question, false);
                }
            }
        }
    }

    fn see<T>(&self, change: impl FnOnce(&mut LegacySeen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, topic: &str, message: &Value, retain: bool) {
        let _ = self.client.try_publish(topic, QoS::AtMostOnce, retain, message.to_string());
    }

    fn connected(&mut self) {
        let topics: &[&str] = match self.kind {
            Kind::SmartLock => &["smartlock/commands"],
            Kind::Door => &["door/access/response", "door/alerts", "door/users/sync"],
        };
        for topic in topics {
            let _ = self.client.try_subscribe(*topic, QoS::AtMostOnce);
        }
        self.see(|seen| seen.connected = true);
        // The lock's first word is built before its connection exists, and is never sent.
        if self.kind == Kind::Door {
            self.beat("", "connected");
        }
    }

    fn beat(&mut self, lock_says: &str, door_says: &str) {
        self.uptime_ms += 1_000;
        let device = &self.options.device;
        match self.kind {
            Kind::SmartLock => {
                let state = self.see(|seen| seen.state.clone());
                let message = json!({ "device": device, "status": lock_says, "state": state });
                self.publish("smartlock/status", &message, true);
            }
            Kind::Door => {
                let message = json!({ "device_id": device, "status": door_says, "timestamp": self.uptime_ms,
                                      "wifi_rssi": -61, "free_heap": 210_000 });
                self.publish("door/system/status", &message, false);
            }
        }
    }

    fn told(&mut self, topic: &str, payload: &[u8]) {
        if packet_length(topic, payload.len()) > PACKET_LIMIT {
            self.see(|seen| seen.dropped += 1);
            return;
        }
        let Ok(message) = serde_json::from_slice::<Value>(payload) else { return };
        match self.kind {
            Kind::SmartLock => {
                // It does not look at `device`.
                let state = match message["command"].as_str() {
                    Some("LOCK") => "Locked",
                    Some("UNLOCK") => "Unlocked",
                    _ => return,
                };
                self.see(|seen| {
                    state.clone_into(&mut seen.state);
                    seen.answers.push(message.clone());
                });
                let said = json!({ "device": self.options.device, "status": state, "state": state });
                self.publish("smartlock/status", &said, true);
            }
            Kind::Door if topic == "door/access/response" => {
                if message["device_id"] != self.options.device {
                    return;
                }
                let granted = message["access_granted"] == true;
                self.see(|seen| seen.answers.push(message.clone()));
                if granted {
                    self.uptime_ms += 10;
                    self.see(|seen| "unlocked".clone_into(&mut seen.state));
                    let said = json!({ "state": "unlocked", "device_id": self.options.device,
                                       "timestamp": self.uptime_ms });
                    self.publish("door/state", &said, false);
                }
            }
            Kind::Door => self.see(|seen| seen.answers.push(message.clone())),
        }
    }
}
