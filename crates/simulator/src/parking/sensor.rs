//! An ultrasonic sensor at a spot, as the existing firmware measures: nearer than two metres is a car, and nothing is
//! said that was not measured three times in a row. Pure: what it measures follows from its seed and the number of the
//! measurement.

use portico_model::Timestamp;

use super::demand::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::noise;

/// Nearer than this is a car, centimetres.
pub const CAR_WITHIN_CM: f64 = 200.0;
/// So many equal measurements in a row are said.
pub const AGREEING: u8 = 3;

/// To a car and to the floor, centimetres.
const TO_CAR_CM: f64 = 40.0;
const TO_FLOOR_CM: f64 = 250.0;
/// Largest error of a measurement, centimetres.
const NOISE_CM: f64 = 9.0;

/// A battery's charge when it is replaced, percent, and how long it lasts until then.
const REPLACED_AT: f64 = 18.0;
const BATTERY_MS: i64 = 900 * DAY_MS;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorFaults {
    /// Share of measurements that are of something else: an echo that got lost, somebody who walks by.
    pub false_readings: f64,
    /// How often a sensor is not heard for a while.
    pub drop_outs_per_day: f64,
}

impl SensorFaults {
    pub const NONE: Self = Self { false_readings: 0.0, drop_outs_per_day: 0.0 };
    /// A garage with radio holes.
    pub const OCCASIONAL: Self = Self { false_readings: 0.01, drop_outs_per_day: 0.05 };
    /// For tests.
    pub const HEAVY: Self = Self { false_readings: 0.2, drop_outs_per_day: 6.0 };
}

/// A sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ultrasonic {
    pub seed: u64,
}

impl Ultrasonic {
    /// What its measurement of that number says, centimetres; `car`: which one stands there.
    #[must_use]
    pub fn distance_cm(self, number: i64, car: Option<i64>, faults: &SensorFaults) -> f64 {
        // Even sums are bell-shaped, and bounded.
        let error = (1..=3).map(|channel| noise::white(self.seed, channel, number)).sum::<f64>() / 3.0;
        let spread = noise::unit(self.seed, 5, number);
        let true_cm = match (car, self.is_false(number, faults)) {
            (Some(car), false) => TO_CAR_CM + 12.0 * noise::white(self.seed, 6, car),
            (None, false) => TO_FLOOR_CM + 6.0 * noise::white(self.seed, 7, 0),
            (Some(_), true) => 220.0 + 150.0 * spread,
            (None, true) => 60.0 + 110.0 * spread,
        };
        ((true_cm + NOISE_CM * error) * 100.0).round() / 100.0
    }

    /// Never three in a row: what is in the way moves on.
    fn is_false(self, number: i64, faults: &SensorFaults) -> bool {
        let may_be = |number| noise::unit(self.seed, 4, number) < faults.false_readings;
        may_be(number) && !(may_be(number - 1) && may_be(number - 2))
    }

    /// Whether nobody hears it: for a while of 20 minutes to an hour and a half.
    #[must_use]
    pub fn is_silent(self, at: Timestamp, faults: &SensorFaults) -> bool {
        let hour = at.millis().div_euclid(HOUR_MS);
        [hour, hour - 1, hour - 2].into_iter().any(|begun| {
            if noise::unit(self.seed, 10, begun) >= faults.drop_outs_per_day / 24.0 {
                return false;
            }
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // some hours
            let part = |channel: u64, unit_ms: i64| (noise::unit(self.seed, channel, begun) * unit_ms as f64) as i64;
            let from_ms = begun * HOUR_MS + part(11, HOUR_MS);
            (from_ms..from_ms + 20 * MINUTE_MS + part(12, 70 * MINUTE_MS)).contains(&at.millis())
        })
    }

    /// Percent: it runs down for two and a half years and is replaced then.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // fraction of a life
    pub fn battery_percent(self, at: Timestamp) -> f64 {
        let life = (at.millis() as f64 / BATTERY_MS as f64 + noise::unit(self.seed, 13, 0)).fract();
        (100.0 - life * (100.0 - REPLACED_AT)).round()
    }

    /// dBm.
    #[must_use]
    pub fn rssi_dbm(self, at: Timestamp) -> f64 {
        let here = -55.0 - 25.0 * noise::unit(self.seed, 14, 0);
        (here + 4.0 * noise::smooth(self.seed, 15, at.millis(), 90_000)).round()
    }
}

/// What a sensor makes of its measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debounce {
    last: Option<bool>,
    times: u8,
}

impl Debounce {
    /// One that has seen it so for long.
    #[must_use]
    pub const fn settled(occupied: bool) -> Self {
        Self { last: Some(occupied), times: AGREEING }
    }

    /// Takes a measurement; what it may say now, if anything.
    pub fn take(&mut self, distance_cm: f64) -> Option<bool> {
        let occupied = distance_cm < CAR_WITHIN_CM;
        self.times = if self.last == Some(occupied) { (self.times + 1).min(AGREEING) } else { 1 };
        self.last = Some(occupied);
        (self.times == AGREEING).then_some(occupied)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever its noise and however often it reads falsely: it says nothing that is not so.
        #[test]
        fn noise_never_changes_what_it_says(seed: u64, share in 0.0_f64..1.0, cars in prop::collection::vec(any::<bool>(), 1..30)) {
            let (sensor, faults) = (Ultrasonic { seed }, SensorFaults { false_readings: share, drop_outs_per_day: 0.0 });
            let mut debounce = Debounce::default();
            let mut number = 0;
            for (id, there) in (0_i64..).zip(cars) {
                for measured in 0..50 {
                    number += 1;
                    let said = debounce.take(sensor.distance_cm(number, there.then_some(id), &faults));
                    // The first two may be left of what was there before.
                    prop_assert!(measured < 2 || said.is_none_or(|said| said == there));
                }
            }
        }

        #[test]
        fn without_false_readings_it_says_it_at_the_third(seed: u64, car in prop::option::of(0_i64..1_000_000)) {
            let mut debounce = Debounce::settled(car.is_none());
            let said: Vec<_> = (0..5)
                .map(|number| debounce.take(Ultrasonic { seed }.distance_cm(number, car, &SensorFaults::NONE)))
                .collect();
            let so = Some(car.is_some());
            prop_assert_eq!(said, [None, None, so, so, so]);
        }
    }

    #[test]
    fn false_readings_are_as_many_as_asked_and_distances_what_they_are() {
        let sensor = Ultrasonic { seed: 9 };
        let faults = SensorFaults { false_readings: 0.02, drop_outs_per_day: 0.0 };
        let wrong = (0..50_000).filter(|number| sensor.distance_cm(*number, None, &faults) < CAR_WITHIN_CM).count();
        assert!((850..1_150).contains(&wrong), "{wrong}");
        let mean = |car| (0..1_000).map(|n| sensor.distance_cm(n, car, &SensorFaults::NONE)).sum::<f64>() / 1_000.0;
        assert!((28.0..52.0).contains(&mean(Some(3))) && (244.0..256.0).contains(&mean(None)));
    }

    #[test]
    fn drop_outs_come_as_often_as_asked_and_end() {
        let faults = SensorFaults { false_readings: 0.0, drop_outs_per_day: 1.0 };
        let minute = |minute: i64| Timestamp::from_millis(1_794_873_600_000 + minute * MINUTE_MS);
        let (mut begun, mut longest) = (0, 0);
        for seed in 0..40 {
            let mut silent_for = 0;
            for index in 0..10 * 1_440 {
                if (Ultrasonic { seed }).is_silent(minute(index), &faults) {
                    begun += i32::from(silent_for == 0);
                    silent_for += 1;
                } else {
                    silent_for = 0;
                }
                longest = longest.max(silent_for);
            }
        }
        assert!((320..440).contains(&begun), "{begun} in 400 days");
        assert!((60..200).contains(&longest), "{longest} minutes");
    }

    #[test]
    fn battery_runs_down_and_few_are_low() {
        let now = Timestamp::from_millis(1_794_873_600_000);
        let sensor = Ultrasonic { seed: 4 };
        let levels: Vec<f64> = (0..900).map(|day| sensor.battery_percent(now.plus_millis(day * DAY_MS))).collect();
        assert_eq!(levels.windows(2).filter(|pair| pair[1] > pair[0]).count(), 1, "replaced once");
        assert!(levels.iter().all(|level| (REPLACED_AT..=100.0).contains(level)));
        let low = (0..1_000).filter(|seed| Ultrasonic { seed: *seed }.battery_percent(now) < 20.0).count();
        assert!((5..50).contains(&low), "{low}");
    }
}
