//! MQTT QoS 1 → committed → pushed, as many as the server takes; afterwards the points in the database are counted.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use std::time::Instant;

use super::{Bench, Meter, PAST_MS, WINDOW, now_ms, number, payload};
use crate::report::{Goal, Report};

/// Values in a sample of most jobs.
const KEYS: usize = 3;

#[derive(Debug, Clone, Copy)]
pub(super) struct Ingest {
    rate: &'static str,
    messages: &'static str,
    lost: &'static str,
    cpu: &'static str,
    load_cpu: &'static str,
    acknowledged: &'static str,
    keys: usize,
    /// `None`: as many samples as the arguments say.
    samples: Option<usize>,
    goal: Option<Goal>,
}

impl Ingest {
    pub(super) const ARRAYS: Self = Self {
        rate: "MQTT arrays: points committed",
        messages: "MQTT arrays: messages",
        lost: "MQTT arrays: points lost",
        cpu: "MQTT arrays: server CPU per point",
        load_cpu: "MQTT arrays: load CPU per point",
        acknowledged: "MQTT arrays: publish → PUBACK p50",
        keys: KEYS,
        samples: None,
        goal: Some(Goal::AtLeast(30_000.0)),
    };
    pub(super) const THREE: Self = Self {
        rate: "MQTT 3-point messages: points committed",
        messages: "MQTT 3-point messages: messages",
        lost: "MQTT 3-point messages: points lost",
        cpu: "MQTT 3-point messages: server CPU per point",
        load_cpu: "MQTT 3-point messages: load CPU per point",
        acknowledged: "MQTT 3-point: publish → PUBACK p50",
        keys: KEYS,
        samples: Some(1),
        goal: None,
    };
    pub(super) const SINGLE: Self = Self {
        rate: "MQTT 1-point messages: points committed",
        messages: "MQTT 1-point messages: messages",
        lost: "MQTT 1-point messages: points lost",
        cpu: "MQTT 1-point messages: server CPU per point",
        load_cpu: "MQTT 1-point messages: load CPU per point",
        acknowledged: "MQTT 1-point: publish → PUBACK p50",
        keys: 1,
        samples: Some(1),
        goal: None,
    };
}

impl Bench<'_> {
    /// Points in the database, counted over REST for every device and key.
    async fn stored(&self, keys: usize) -> Result<u64> {
        let from = now_ms() - PAST_MS - 86_400_000;
        let mut total = 0;
        for device in self.devices {
            for key in ["temperature", "humidity", "co2"].iter().take(keys) {
                let path = format!(
                    "/api/v1/telemetry/{}/aggregated?field={key}&aggregation=count&window=1d&start_time={from}",
                    device.id
                );
                let answer = self.api.call(Method::GET, &path, None).await?;
                let buckets = answer["data"].as_array().context("no data in the aggregate")?;
                total += buckets.iter().filter_map(|bucket| bucket["count"].as_u64()).sum::<u64>();
            }
        }
        Ok(total)
    }

    /// MQTT QoS 1 → committed → pushed to one watcher; afterwards the points in the database are counted.
    pub(super) async fn ingest(&self, kind: Ingest, report: &mut Report) -> Result<()> {
        let samples = kind.samples.unwrap_or(self.arguments.samples);
        // One fewer in flight for large payloads, as devices that catch up do.
        let window = if samples > 1 { 4 } else { WINDOW };
        let watcher = self.watchers(1, self.devices.len(), Instant::now()).await?;
        let publishers = self.publishers(self.devices.len()).await?;
        let before = self.stored(kind.keys).await?;
        let (past, keys) = (self.past.clone(), kind.keys);
        let meter = Meter::begin(self.server.process());
        let mut published =
            self.flood(publishers, window, move |device| payload(past.reserve(device, samples), samples, keys)).await?;
        let (seconds, server_cpu, own_cpu) = meter.end();
        watcher.settle().await;
        let seen = watcher.seen();
        watcher.close().await;
        ensure!(seen.events > 0, "nothing reached the websocket");

        let points = number(published.messages) * number(samples) * number(keys);
        let stored = number(self.stored(keys).await? - before);
        self.add(report, kind.rate, "/s", kind.goal, points / seconds);
        self.add(report, kind.messages, "/s", None, number(published.messages) / seconds);
        self.add(report, kind.lost, "", Some(Goal::AtMost(0.0)), points - stored);
        self.add(report, kind.cpu, "µs", None, server_cpu / points);
        self.add(report, kind.load_cpu, "µs", None, own_cpu / points);
        self.add(report, kind.acknowledged, "ms", None, published.acknowledgements.percentile_ms(50.0));
        Ok(())
    }
}
