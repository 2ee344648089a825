//! One simulated device while it runs: it measures, beats, suffers its faults, and reconnects.

mod link;
mod outbox;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portico_model::Timestamp;
use rumqttc::QoS;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::building::Sensor;
use crate::faults::Fate;
use crate::history;
use crate::noise;
use crate::signal::{self, Reading};
use crate::simulator::Context;
use crate::state::KnownDevice;
use crate::stats::Stats;

use link::{Link, LinkEvent, LinkOptions};
use outbox::{Message, Outbox, Topic};

/// Why a session ended.
enum End {
    Stopped,
    /// The broker refuses the key.
    Refused,
}

/// Runs a device until it is cancelled; a key that no longer works is replaced.
pub(crate) async fn run(context: Arc<Context>, sensor: Sensor, mut device: KnownDevice, stop: CancellationToken) {
    loop {
        let end = Session::new(&context, &sensor, &device).run(&stop).await;
        match end {
            End::Stopped => return,
            End::Refused => {
                tracing::info!(
                    hardware_id = sensor.hardware_id,
                    "the broker refuses the simulated device; asking for a new key"
                );
                let renewed = tokio::select! {
                    () = stop.cancelled() => return,
                    renewed = context.renew(&sensor) => renewed,
                };
                match renewed {
                    Ok(renewed) => device = renewed,
                    Err(error) => tracing::warn!(hardware_id = sensor.hardware_id, %error, "no new key yet"),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(5)) => {}
                }
            }
        }
    }
}

struct Session<'a> {
    context: &'a Context,
    sensor: &'a Sensor,
    device: &'a KnownDevice,
    outbox: Outbox,
    up: bool,
    /// Readings of the past still to be sent.
    past: Option<Box<dyn Iterator<Item = (usize, Vec<u8>)> + Send>>,
    past_until: Timestamp,
    began: Timestamp,
    messages: i64,
    held_back: Option<Message>,
    spoken: Option<Reading>,
}

impl<'a> Session<'a> {
    fn new(context: &'a Context, sensor: &'a Sensor, device: &'a KnownDevice) -> Self {
        let now = context.now();
        let earliest = now.plus_millis(-context.history_ms());
        let from = device.history_until.map_or(earliest, |until| until.max(earliest));
        let clock = context.building_clock();
        let past = (context.history_ms() > 0).then(|| {
            let messages = history::messages(sensor.clone(), from, now, move |at| clock.building_time(at));
            Box::new(messages) as Box<dyn Iterator<Item = (usize, Vec<u8>)> + Send>
        });
        Self {
            context,
            sensor,
            device,
            outbox: Outbox::default(),
            up: false,
            past,
            past_until: now,
            began: now,
            messages: 0,
            held_back: None,
            spoken: None,
        }
    }

    async fn run(mut self, stop: &CancellationToken) -> End {
        let (host, port) = self.context.broker();
        let mut link = Link::open(LinkOptions {
            host,
            port,
            device: self.device.id.to_string(),
            api_key: self.device.api_key.clone(),
            will_topic: self.topic(Topic::Status),
            will: br#"{"status":"offline"}"#.to_vec(),
        });
        let mut next_reading = self.due_after(self.began);
        let mut next_beat = Timestamp::from_millis(i64::MAX);
        let mut outage_minute = 0;
        loop {
            let now = self.context.now();
            let mut wake = next_reading.min(next_beat);
            if self.sensor.kind.speaks_on_change() {
                wake = wake.min(now.plus_millis(self.context.change_check_ms()));
            }
            let wait = Duration::from_millis(wake.millis_since(now).max(0).cast_unsigned());
            tokio::select! {
                () = stop.cancelled() => {
                    self.say_good_bye(link).await;
                    return End::Stopped;
                }
                event = link.events.recv() => match event {
                    None | Some(LinkEvent::Refused) => return End::Refused,
                    Some(LinkEvent::Up) => {
                        Stats::one(&self.context.stats.connections);
                        self.up = true;
                        next_beat = self.context.now();
                    }
                    Some(LinkEvent::Down(noted)) => {
                        if self.up {
                            Stats::one(&self.context.stats.disconnections);
                        }
                        self.up = false;
                        self.outbox.lost();
                        next_beat = Timestamp::from_millis(i64::MAX);
                        let _ = noted.send(());
                    }
                    Some(LinkEvent::Numbered(packet)) => self.outbox.numbered(packet),
                    Some(LinkEvent::Acknowledged(packet)) => self.acknowledged(packet),
                },
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.context.now();
            if now >= next_reading {
                next_reading = self.due_after(now);
                self.measure(now);
            } else if self.sensor.kind.speaks_on_change() {
                self.speak_if_changed(now);
            }
            if now >= next_beat {
                next_beat = now.plus_secs(self.context.heartbeat_interval_s());
                self.beat(now);
            }
            let minute = now.millis_since(self.began) / 60_000;
            if minute > outage_minute {
                outage_minute = minute;
                if let Some(seconds) = self.context.faults().outage_s(self.sensor, minute) {
                    // Full only when a cut is already under way.
                    let _ = link.cuts.try_send(Duration::from_secs_f64(seconds));
                }
            }
            self.send(&link);
        }
    }

    fn topic(&self, topic: Topic) -> String {
        let last = match topic {
            Topic::Telemetry => "telemetry",
            Topic::Status => "status",
        };
        format!("{}devices/{}/{last}", self.context.topic_prefix(), self.device.id)
    }

    /// The sensor's next time to measure: on its own beat, so that not all speak at once.
    fn due_after(&self, now: Timestamp) -> Timestamp {
        let interval = self.context.interval_ms(self.sensor.kind);
        let phase = (noise::mix(self.sensor.seed, 300, 0) % interval.cast_unsigned()).cast_signed();
        let beat = (now.millis() - phase).div_euclid(interval) + 1;
        Timestamp::from_millis(beat * interval + phase)
    }

    fn measure(&mut self, now: Timestamp) {
        let reading = signal::reading(self.sensor, self.context.building_clock().building_time(now));
        self.messages += 1;
        let stats = &self.context.stats;
        let fate = self.context.faults().fate(self.sensor, self.messages);
        if fate == Fate::Dropped {
            Stats::one(&stats.dropped);
            return;
        }
        Stats::add(&stats.points, reading.len());
        let message = self.telemetry(now, &reading);
        self.spoken = Some(reading);
        match fate {
            Fate::Sent | Fate::Dropped => self.push(message),
            Fate::Twice => {
                Stats::one(&stats.duplicated);
                self.push(message.clone());
                self.push(message);
            }
            Fate::Garbage => {
                Stats::one(&stats.garbage);
                self.push(Message {
                    topic: Topic::Telemetry,
                    payload: Bytes::from_static(br#"{"data":{"temperature":nan,"#),
                });
                self.push(message);
            }
            Fate::Late => {
                Stats::one(&stats.reordered);
                if let Some(earlier) = self.held_back.replace(message) {
                    self.push(earlier);
                }
                return;
            }
        }
        if let Some(late) = self.held_back.take() {
            self.push(late);
        }
    }

    /// A door speaks when it moves, not only on its beat.
    fn speak_if_changed(&mut self, now: Timestamp) {
        let reading = signal::reading(self.sensor, self.context.building_clock().building_time(now));
        if self.spoken.as_ref() != Some(&reading) {
            self.measure(now);
        }
    }

    fn telemetry(&self, now: Timestamp, reading: &Reading) -> Message {
        let payload = if self.sensor.has_clock {
            let ahead = self.context.faults().clock_ahead_ms(self.sensor, now.millis_since(self.began));
            json!({ "ts": now.plus_millis(ahead).millis(), "data": reading })
        } else {
            json!({ "data": reading })
        };
        Message { topic: Topic::Telemetry, payload: Bytes::from(payload.to_string()) }
    }

    fn beat(&mut self, now: Timestamp) {
        let mut status = json!({
            "status": "online",
            "rssi": signal::rssi_dbm(self.sensor, now),
            "firmware": self.sensor.firmware,
            "uptime_s": now.millis_since(self.began) / 1000,
        });
        if let Some(battery) = signal::battery_percent(self.sensor, now) {
            status["battery"] = json!(battery);
            if battery < 15.0 {
                status["issue"] = json!("Battery low");
            }
        }
        Stats::one(&self.context.stats.heartbeats);
        self.push(Message { topic: Topic::Status, payload: Bytes::from(status.to_string()) });
    }

    fn push(&mut self, message: Message) {
        if !self.outbox.push(message) {
            Stats::one(&self.context.stats.overflowed);
        }
    }

    fn acknowledged(&mut self, packet: u16) {
        if self.outbox.acknowledged(packet) {
            Stats::one(&self.context.stats.acknowledged);
        }
        if self.past.is_none() && self.past_until > self.began.plus_millis(-1) && self.outbox.is_empty() {
            self.context.remember_history(self.sensor, self.past_until);
            self.past_until = Timestamp::default();
        }
    }

    /// Hands over what has room on the way; the past goes only when nothing new waits.
    fn send(&mut self, link: &Link) {
        if !self.up {
            return;
        }
        loop {
            while let Some(message) = self.outbox.next() {
                let topic = self.topic(message.topic);
                if link.client.try_publish(topic, QoS::AtLeastOnce, false, message.payload.clone()).is_err() {
                    return;
                }
                Stats::one(&self.context.stats.published);
                self.outbox.given();
            }
            if !self.outbox.is_idle() {
                return;
            }
            match self.past.as_mut().and_then(Iterator::next) {
                Some((samples, payload)) => {
                    Stats::add(&self.context.stats.points, samples * self.sensor.kind.units().len().max(1));
                    self.push(Message { topic: Topic::Telemetry, payload: Bytes::from(payload) });
                }
                None => {
                    self.past = None;
                    return;
                }
            }
        }
    }

    /// An orderly end: what is known goes out, then `offline`, then DISCONNECT (no last will).
    async fn say_good_bye(mut self, mut link: Link) {
        if let Some(late) = self.held_back.take() {
            self.push(late);
        }
        if self.up {
            let unfinished_past = self.past.take().is_some();
            self.push(Message { topic: Topic::Status, payload: Bytes::from_static(br#"{"status":"offline"}"#) });
            let deadline = tokio::time::sleep(Duration::from_secs(3));
            tokio::pin!(deadline);
            while self.up && !self.outbox.is_empty() {
                self.send(&link);
                tokio::select! {
                    () = &mut deadline => break,
                    event = link.events.recv() => match event {
                        Some(LinkEvent::Numbered(packet)) => self.outbox.numbered(packet),
                        Some(LinkEvent::Acknowledged(packet)) => self.acknowledged(packet),
                        Some(LinkEvent::Up) => {}
                        Some(LinkEvent::Down(_) | LinkEvent::Refused) | None => break,
                    }
                }
            }
            if !unfinished_past && self.outbox.is_empty() {
                self.context.remember_history(self.sensor, self.context.now());
            }
        }
        link.close().await;
    }
}
