//! Readings of the past as array payloads, so that charts are not empty on the first day.

use portico_model::Timestamp;
use serde_json::json;

use crate::building::Sensor;
use crate::signal;

/// One reading a minute.
pub const STEP_MS: i64 = 60_000;

/// Samples in one message: with six keys about 60 KB.
const SAMPLES_PER_MESSAGE: usize = 400;

/// Messages with the sensor's readings from `from` (rounded up to the minute) until before `to`. `building_time` says
/// what time it was in the building at a wall-clock time. A door contact's minutes are left out: its changes matter,
/// and a sample a minute would not show them.
pub fn messages(
    sensor: Sensor,
    from: Timestamp,
    to: Timestamp,
    building_time: impl Fn(Timestamp) -> Timestamp + Send + 'static,
) -> impl Iterator<Item = (usize, Vec<u8>)> + Send + 'static {
    let (first, end) = (minute_from(from), minute_from(to));
    let end = if sensor.kind.speaks_on_change() { first } else { end };
    let mut minutes = (first..end).map(|minute| Timestamp::from_millis(minute * STEP_MS));
    std::iter::from_fn(move || {
        let samples: Vec<_> = minutes
            .by_ref()
            .take(SAMPLES_PER_MESSAGE)
            .map(|at| json!({ "ts": at.millis(), "data": signal::reading(&sensor, building_time(at)) }))
            .collect();
        (!samples.is_empty()).then(|| (samples.len(), serde_json::to_vec(&samples).unwrap_or_default()))
    })
}

/// The first whole minute that is not before that time.
fn minute_from(at: Timestamp) -> i64 {
    at.millis().div_euclid(STEP_MS) + i64::from(at.millis().rem_euclid(STEP_MS) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Building;

    #[test]
    fn a_day_is_1440_samples_in_order_in_payloads_below_the_servers_limit() {
        let to = Timestamp::from_millis(1_794_873_600_000);
        for sensor in Building::plan(1, 4).sensors {
            let messages: Vec<_> = messages(sensor, to.plus_secs(-86_400), to, |at| at).collect();
            assert_eq!(messages.iter().map(|(samples, _)| samples).sum::<usize>(), 1_440);
            let mut last = 0;
            for (_, payload) in messages {
                assert!(payload.len() < 256 * 1024, "{}", payload.len());
                let samples: Vec<serde_json::Value> = serde_json::from_slice(&payload).unwrap();
                for sample in samples {
                    assert!(sample["ts"].as_i64().unwrap() > last);
                    last = sample["ts"].as_i64().unwrap();
                }
            }
        }
    }
}
