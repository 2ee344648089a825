//! The parking sensor that was there before Portico, exactly as it speaks (`contracts.md` 4.4): topics of its own name,
//! nothing signed, a clock that counts from its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Packet, QoS};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::legacy::{LegacyOptions, connect};

/// A running old sensor.
pub struct LegacySensor {
    connected: Arc<AtomicBool>,
    car: watch::Sender<bool>,
}

impl LegacySensor {
    /// Plugs it in over an empty spot. `options.heartbeat` is how often it measures, and says so.
    #[must_use]
    pub fn start(options: LegacyOptions, stop: CancellationToken) -> Self {
        let (car, watched) = watch::channel(false);
        let connected = Arc::new(AtomicBool::new(false));
        let (client, events) = connect(&options.device.clone(), &options);
        let running = Running { client, options, connected: Arc::clone(&connected), seconds: 4 };
        tokio::spawn(running.run(events, watched, stop));
        Self { connected, car }
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// A car comes (true) or leaves.
    pub fn set_car(&self, is_there: bool) {
        self.car.send_replace(is_there);
    }
}

struct Running {
    client: AsyncClient,
    options: LegacyOptions,
    connected: Arc<AtomicBool>,
    /// Since its start: it knows no other time.
    seconds: u64,
}

impl Running {
    async fn run(mut self, mut events: EventLoop, mut car: watch::Receiver<bool>, stop: CancellationToken) {
        let mut measure = tokio::time::interval(self.options.heartbeat);
        measure.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        self.connected.store(true, Ordering::Relaxed);
                        self.say("heartbeat", &json!({ "status": "online", "ip_address": "10.0.0.9" }), false);
                    }
                    Ok(_) => {}
                    Err(_) => {
                        self.connected.store(false, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
                _ = measure.tick() => {
                    let is_there = *car.borrow_and_update();
                    self.measured(is_there);
                }
                Ok(()) = car.changed() => {
                    let is_there = *car.borrow_and_update();
                    self.measured(is_there);
                }
            }
        }
    }

    /// Below two metres there is a car; the battery is a constant of the firmware.
    fn measured(&mut self, is_there: bool) {
        let distance = if is_there { 42.25 } else { 287.5 };
        let status = json!({
            "location": "Level_1_Spot_A1", "occupied": distance < 200.0, "distance_cm": distance, "battery_level": 85,
            "signal_strength": -60, "firmware_version": "1.0.0",
        });
        self.say("status", &status, true);
    }

    fn say(&mut self, kind: &str, message: &Value, retain: bool) {
        self.seconds += 1;
        let (name, mut message) = (&self.options.device, message.clone());
        message["sensor_id"] = json!(name);
        message["timestamp"] = json!(self.seconds);
        let topic = format!("parking/sensor/{name}/{kind}");
        let _ = self.client.try_publish(topic, QoS::AtMostOnce, retain, message.to_string());
    }
}
