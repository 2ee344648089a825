//! How good forecasts were.

use super::residuals::{QUANTILES, Row};
use super::{Interval, Method, Step};

/// How good a method was in the backtest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub method: Method,
    /// Mean absolute error of the expected value, in spots.
    pub mean_absolute_error: f64,
    /// Mean pinball loss over the quantiles 2.5, 10, 50, 90 and 97.5 %, in spots: it is small when the expected value
    /// is near and the intervals are as narrow as they may be (Koenker, Bassett, Econometrica 46, 1978). It decides.
    pub pinball: f64,
    /// Part of the values that lay within the 80 % interval, 0 to 1.
    pub coverage_80: f64,
    /// Part of the values that lay within the 95 % interval, 0 to 1.
    pub coverage_95: f64,
    /// Moments at which a forecast was made.
    pub origins: u32,
    /// Values that it was compared with.
    pub points: u32,
}

/// Bounds may be missed by so much, in spots: sums of floating point numbers.
const ROUNDING: f64 = 1e-9;

/// Sums of what becomes a [`Score`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    error: f64,
    pinball: f64,
    within_80: u32,
    within_95: u32,
    origins: u32,
    points: u32,
}

impl Tally {
    /// Compares what was forecast with what came.
    pub fn add(&mut self, steps: &[Step], came: &[Option<f64>]) {
        self.origins += u32::from(came.iter().take(steps.len()).any(Option::is_some));
        for (step, value) in steps.iter().zip(came) {
            let Some(value) = *value else { continue };
            self.points += 1;
            self.error += (value - step.expected).abs();
            self.within_80 += u32::from(step.interval_80.holds(value));
            self.within_95 += u32::from(step.interval_95.holds(value));
            let losses = step.quantiles().into_iter().zip(QUANTILES).map(|(bound, part)| {
                let more = value - bound;
                (part * more).max((part - 1.0) * more)
            });
            self.pinball += losses.sum::<f64>() / 5.0;
        }
    }

    pub fn score(&self, method: Method) -> Score {
        let points = f64::from(self.points.max(1));
        Score {
            method,
            mean_absolute_error: self.error / points,
            pinball: self.pinball / points,
            coverage_80: f64::from(self.within_80) / points,
            coverage_95: f64::from(self.within_95) / points,
            origins: self.origins,
            points: self.points,
        }
    }
}

impl Interval {
    fn holds(&self, value: f64) -> bool {
        (self.low - ROUNDING..=self.high + ROUNDING).contains(&value)
    }
}

impl Step {
    /// From a value at each of [`QUANTILES`].
    pub(super) fn of(quantiles: Row, capacity: f64) -> Self {
        let [low_95, low_80, expected, high_80, high_95] = quantiles.map(|value| value.clamp(0.0, capacity));
        Self {
            expected,
            interval_80: Interval { low: low_80, high: high_80 },
            interval_95: Interval { low: low_95, high: high_95 },
        }
    }

    const fn quantiles(&self) -> Row {
        [self.interval_95.low, self.interval_80.low, self.expected, self.interval_80.high, self.interval_95.high]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_is_that_of_the_hand_calculation() {
        let step = Step::of([10.0, 20.0, 30.0, 40.0, 50.0], 100.0);
        let mut tally = Tally::default();
        tally.add(&[step, step, step], &[Some(45.0), None, Some(30.0)]);
        let score = tally.score(Method::Model);
        assert_eq!((score.origins, score.points), (1, 2));
        assert!((score.mean_absolute_error - 7.5).abs() < 1e-12);
        assert!((score.coverage_80 - 0.5).abs() < 1e-12 && (score.coverage_95 - 1.0).abs() < 1e-12);
        // 45: 0.025·35 + 0.1·25 + 0.5·15 + 0.9·5 + 0.025·5 = 15.5; 30: 0.5 + 1 + 0 + 1 + 0.5 = 3.
        assert!((score.pinball - (15.5 + 3.0) / 10.0).abs() < 1e-12, "{score:?}");
    }

    #[test]
    fn bounds_end_at_nothing_and_at_the_capacity() {
        let step = Step::of([-1e9, -3.0, 5.0, 80.0, 1e9], 60.0);
        assert_eq!(step.quantiles(), [0.0, 0.0, 5.0, 60.0, 60.0]);
    }
}
