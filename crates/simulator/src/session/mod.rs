//! One simulated device while it runs: it measures, beats, suffers its faults, and reconnects.

mod commands;
pub(crate) mod outbox;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portico_model::{CommandId, Timestamp};
use rumqttc::QoS;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::building::Sensor;
use crate::faults::Fate;
use crate::firmware::{Memory, Offer, Step, after_start, fetch, refusal};
use crate::history;
use crate::link::{Link, LinkEvent, LinkOptions};
use crate::noise;
use crate::signal::{self, Reading};
use crate::simulator::Context;
use crate::state::KnownDevice;
use crate::stats::Stats;

use commands::{Answers, Order, apply_desired};
use outbox::{Message, Outbox, Topic};

/// How long a device takes to start.
const START_TIME: Duration = Duration::from_millis(300);

/// Why a session ended.
enum End {
    Stopped,
    /// The broker refuses the key.
    Refused,
    /// Its power was cut, or it restarts: what it had in mind is gone, what lies in its memory is not.
    Restart,
}

/// Runs a device until it is cancelled; a key that no longer works is replaced.
pub(crate) async fn run(context: Arc<Context>, sensor: Sensor, mut device: KnownDevice, stop: CancellationToken) {
    let memory = Memory::new(context.factory_state(&sensor));
    loop {
        let end = Session::new(&context, &sensor, &device, memory.clone()).run(&stop).await;
        match end {
            End::Stopped => return,
            End::Restart => {
                Stats::one(&context.stats.restarts);
                device.history_until = Some(context.now());
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(START_TIME) => {}
                }
            }
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
    memory: Memory,
    answers: Answers,
    /// What the update under way has to say.
    steps: mpsc::Receiver<Step>,
    steps_in: mpsc::Sender<Step>,
    update: Option<tokio::task::JoinHandle<()>>,
    restarting: bool,
    interval_ms: Option<i64>,
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

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(update) = self.update.take() {
            update.abort();
        }
    }
}

impl<'a> Session<'a> {
    fn new(context: &'a Context, sensor: &'a Sensor, device: &'a KnownDevice, memory: Memory) -> Self {
        let (steps_in, steps) = mpsc::channel(16);
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
            memory,
            answers: Answers::default(),
            steps,
            steps_in,
            update: None,
            restarting: false,
            interval_ms: None,
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
        if let Some(Step::Event(event)) = after_start(&self.memory) {
            self.push(Message { topic: Topic::Event, payload: Bytes::from(event.to_string()) });
        }
        self.fetch_if_offered();
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
                        for topic in [Topic::Command, Topic::Desired] {
                            // Room for two is always there right after a connection is made.
                            let _ = link.client.try_subscribe(self.topic(topic), QoS::AtLeastOnce);
                        }
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
                    Some(LinkEvent::Message(topic, payload)) => self.told(&topic, &payload),
                },
                step = self.steps.recv() => match step {
                    Some(Step::PowerCut) => return End::Restart,
                    Some(step) => self.take_step(step),
                    None => {}
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
            if self.restarting && self.outbox.is_empty() {
                return End::Restart;
            }
        }
    }

    /// Something came for the device.
    fn told(&mut self, topic: &str, payload: &[u8]) {
        if topic == self.topic(Topic::Desired) {
            if let Some((reported, interval_ms)) = apply_desired(payload) {
                self.interval_ms = interval_ms;
                self.push(Message { topic: Topic::Reported, payload: Bytes::from(reported.to_string()) });
            }
            return;
        }
        Stats::one(&self.context.stats.commands);
        let now = self.sensor.has_clock.then(|| self.context.now());
        match self.answers.take(payload, now) {
            Order::Ignore => {}
            Order::Answer(answer) => self.take_step(Step::Ack(answer)),
            Order::Restart(answer) => {
                self.take_step(Step::Ack(answer));
                self.restarting = true;
            }
            Order::Update(command, offer) => self.consider(command, *offer),
        }
    }

    fn consider(&mut self, command: CommandId, offer: Offer) {
        let device_type = self.sensor.kind.device_type();
        let refused = {
            let mut flash = self.memory.lock();
            let refused = match &flash.update {
                Some((known, _)) if *known == command => return,
                Some(_) => Some("another update is under way"),
                None => refusal(&flash, device_type, &offer),
            };
            if refused.is_none() {
                flash.image.clear();
                flash.update = Some((command, offer));
            }
            refused
        };
        match refused {
            Some(reason) => self.take_step(crate::firmware::failed(command, reason)),
            None => {
                self.take_step(Step::Ack(json!({ "command_id": command, "result": "received" })));
                self.fetch_if_offered();
            }
        }
    }

    /// Begins the download that the memory tells of, or goes on with it.
    fn fetch_if_offered(&mut self) {
        if self.memory.lock().update.is_some() {
            let (api, key) = (self.context.api(), self.device.api_key.clone());
            self.update = Some(tokio::spawn(fetch(api, key, self.memory.clone(), self.steps_in.clone())));
        }
    }

    fn take_step(&mut self, step: Step) {
        match step {
            Step::Event(event) => self.push(Message { topic: Topic::Event, payload: Bytes::from(event.to_string()) }),
            Step::Ack(answer) => {
                if answer["result"] != "received" {
                    self.answers.remember(&answer);
                }
                self.push(Message { topic: Topic::Ack, payload: Bytes::from(answer.to_string()) });
            }
            Step::Restart | Step::PowerCut => self.restarting = true,
        }
    }

    fn topic(&self, topic: Topic) -> String {
        let last = match topic {
            Topic::Telemetry => "telemetry",
            Topic::Status => "status",
            Topic::Ack => "ack",
            Topic::Event => "event",
            Topic::Reported => "reported",
            Topic::Command => "command",
            Topic::Desired => "desired",
        };
        format!("{}devices/{}/{last}", self.context.topic_prefix(), self.device.id)
    }

    /// The sensor's next time to measure: on its own beat, so that not all speak at once.
    fn due_after(&self, now: Timestamp) -> Timestamp {
        let interval = self.interval_ms.unwrap_or_else(|| self.context.interval_ms(self.sensor.kind));
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
            "firmware": self.memory.version(),
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
                        Some(LinkEvent::Up | LinkEvent::Message(..)) => {}
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
