//! What goes wrong, and when: decided by the sensor's seed and the number of the message, so that a run can be repeated.

use crate::building::Sensor;
use crate::noise;

/// How often things go wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Share of messages never sent.
    pub drop_out: f64,
    /// Share sent twice.
    pub duplicate: f64,
    /// Share sent after the one that follows.
    pub out_of_order: f64,
    /// Share that is no valid JSON.
    pub garbage: f64,
    /// Abrupt losses of the connection per device and hour; the broker then publishes the last will.
    pub disconnects_per_hour: f64,
    /// Largest error of a device's clock, milliseconds, to either side.
    pub clock_error_ms: f64,
    /// Largest drift of a device's clock, parts per million.
    pub clock_drift_ppm: f64,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        drop_out: 0.0,
        duplicate: 0.0,
        out_of_order: 0.0,
        garbage: 0.0,
        disconnects_per_hour: 0.0,
        clock_error_ms: 0.0,
        clock_drift_ppm: 0.0,
    };

    /// A building on ordinary Wi-Fi with cheap quartz (20 to 50 ppm by their data sheets).
    pub const OCCASIONAL: Self = Self {
        drop_out: 0.004,
        duplicate: 0.01,
        out_of_order: 0.01,
        garbage: 0.0005,
        disconnects_per_hour: 0.4,
        clock_error_ms: 900.0,
        clock_drift_ppm: 40.0,
    };

    /// Everything goes wrong often: for tests.
    pub const HEAVY: Self = Self {
        drop_out: 0.05,
        duplicate: 0.2,
        out_of_order: 0.2,
        garbage: 0.05,
        disconnects_per_hour: 60.0,
        clock_error_ms: 60_000.0,
        clock_drift_ppm: 500.0,
    };

    /// What becomes of the device's message of that number.
    #[must_use]
    pub fn fate(&self, sensor: &Sensor, message: i64) -> Fate {
        let chance = noise::unit(sensor.seed, 200, message);
        let mut limit = 0.0;
        for (share, fate) in [
            (self.drop_out, Fate::Dropped),
            (self.duplicate, Fate::Twice),
            (self.out_of_order, Fate::Late),
            (self.garbage, Fate::Garbage),
        ] {
            limit += share;
            if chance < limit {
                return fate;
            }
        }
        Fate::Sent
    }

    /// Whether the device loses its connection in that minute of its session, and for how many seconds.
    #[must_use]
    pub fn outage_s(&self, sensor: &Sensor, minute: i64) -> Option<f64> {
        (noise::unit(sensor.seed, 201, minute) < self.disconnects_per_hour / 60.0)
            .then(|| 3.0 + 30.0 * noise::unit(sensor.seed, 202, minute).powi(2))
    }

    /// How far the device's clock is ahead after it has run for that long; every connection sets it anew.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // small numbers
    pub fn clock_ahead_ms(&self, sensor: &Sensor, running_ms: i64) -> i64 {
        let offset = self.clock_error_ms * noise::white(sensor.seed, 203, 0);
        let drift = self.clock_drift_ppm * noise::white(sensor.seed, 204, 0);
        (offset + drift * running_ms as f64 / 1e6) as i64
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Sent,
    Dropped,
    Twice,
    /// After the one that follows it.
    Late,
    Garbage,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Building;

    #[test]
    fn faults_happen_as_often_as_asked_and_the_same_each_time() {
        let sensor = &Building::plan(5, 1).sensors[0];
        let fates: Vec<Fate> = (0..10_000).map(|message| Faults::HEAVY.fate(sensor, message)).collect();
        let twice = fates.iter().filter(|fate| **fate == Fate::Twice).count();
        assert!((1_800..2_200).contains(&twice), "{twice}");
        assert_eq!(fates[17], Faults::HEAVY.fate(sensor, 17));
    }

    #[test]
    fn without_faults_all_is_sent_and_the_clock_is_right() {
        let sensor = &Building::plan(5, 1).sensors[0];
        assert!((0..1_000).all(|message| Faults::NONE.fate(sensor, message) == Fate::Sent));
        assert!((0..1_000).all(|minute| Faults::NONE.outage_s(sensor, minute).is_none()));
        assert_eq!(Faults::NONE.clock_ahead_ms(sensor, 86_400_000), 0);
    }

    #[test]
    fn clock_error_stays_within_its_bounds() {
        for sensor in Building::plan(5, 50).sensors {
            assert!(Faults::OCCASIONAL.clock_ahead_ms(&sensor, 0).abs() <= 900);
            assert!(Faults::OCCASIONAL.clock_ahead_ms(&sensor, 86_400_000).abs() <= 900 + 3_456);
        }
    }
}
