//! What reaches the browsers, and when.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{Bench, Meter, Past, WINDOW, number};
use crate::report::{Goal, Report};

impl Bench<'_> {
    /// A sample whose first value is the time it was sent, microseconds since `epoch`.
    fn stamped(past: &Past, device: usize, epoch: Instant) -> Vec<u8> {
        let at = past.reserve(device, 1);
        let sent = epoch.elapsed().as_micros();
        format!(r#"{{"ts":{at},"data":{{"humidity":41.5,"sent_us":{sent},"temperature":21.25}}}}"#).into_bytes()
    }

    /// 200 messages a second of 3 points each, from 20 devices, to every watcher: publish → frame.
    pub(super) async fn latency(&self, report: &mut Report) -> Result<()> {
        const PER_SECOND: u32 = 200;
        const DEVICES: usize = 20;
        let epoch = Instant::now();
        let watchers = self.watchers(self.arguments.watchers, DEVICES, epoch).await?;
        watchers.measure();
        let publishers = self.publishers(DEVICES).await?;
        let count = publishers.len();
        let total = u64::from(PER_SECOND) * self.arguments.seconds;
        let began = Instant::now() + Duration::from_millis(20);
        let meter = Meter::begin(self.server.process());
        let mut workers = JoinSet::new();
        for (index, mut publisher) in publishers.into_iter().enumerate() {
            let past = self.past.clone();
            workers.spawn(async move {
                for message in (index as u64..total).step_by(count) {
                    let due = began + Duration::from_secs_f64(number(message) / f64::from(PER_SECOND));
                    tokio::time::sleep_until(due.into()).await;
                    publisher.send(Self::stamped(&past, index, epoch)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = workers.join_next().await {
            done??;
        }
        let (_, server_cpu, _) = meter.end();
        watchers.settle().await;
        let seen = watchers.seen();
        let mut latencies = watchers.close().await;
        let expected = number(total) * number(self.arguments.watchers);
        self.add(report, "publish → browsers at 200/s: p50", "ms", None, latencies.percentile_ms(50.0));
        self.add(
            report,
            "publish → browsers at 200/s: p99",
            "ms",
            Some(Goal::AtMost(9.0)),
            latencies.percentile_ms(99.0),
        );
        self.add(report, "  messages expected but not seen", "", None, (expected - number(seen.samples)).max(0.0));
        self.add(report, "  server CPU per message", "µs", None, server_cpu / number(total));
        Ok(())
    }

    /// As many 3-point messages as the server takes, every one pushed to every watcher.
    pub(super) async fn fan_out(&self, report: &mut Report) -> Result<()> {
        const DEVICES: usize = 20;
        let epoch = Instant::now();
        let watchers = self.watchers(self.arguments.watchers, DEVICES, epoch).await?;
        let publishers = self.publishers(DEVICES).await?;
        let past = self.past.clone();
        let meter = Meter::begin(self.server.process());
        let published = self.flood(publishers, WINDOW, move |device| Self::stamped(&past, device, epoch)).await?;
        let acknowledged_after = meter.began.elapsed().as_secs_f64();
        let at_end = watchers.seen();
        watchers.settle().await;
        let seen = watchers.seen();
        let (_, server_cpu, own_cpu) = meter.end();
        watchers.close().await;
        self.add(
            report,
            "fan-out: messages committed",
            "/s",
            Some(Goal::AtLeast(10_000.0)),
            number(published.messages) / acknowledged_after,
        );
        let delivered = number(at_end.samples) / acknowledged_after;
        self.add(report, "fan-out: messages × browsers delivered", "/s", Some(Goal::AtLeast(50_000.0)), delivered);
        self.add(report, "fan-out: frames written", "/s", None, number(at_end.events) / acknowledged_after);
        let due = number(published.messages) * number(self.arguments.watchers);
        self.add(report, "fan-out: left out for slow browsers", "%", None, 100.0 - number(seen.samples) / due * 100.0);
        self.add(report, "fan-out: frames told as left out", "", None, number(seen.left_out));
        self.add(report, "fan-out: resyncs", "", None, number(seen.resyncs));
        self.add(report, "fan-out: server CPU per delivery", "µs", None, server_cpu / number(seen.samples.max(1)));
        self.add(report, "fan-out: load CPU per delivery", "µs", None, own_cpu / number(seen.samples.max(1)));
        Ok(())
    }
}
