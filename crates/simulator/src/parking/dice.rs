//! A row of random numbers that is the same for the same seed.

use std::f64::consts::TAU;

use crate::noise;

/// Throws one number after another.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    thrown: i64,
}

impl Dice {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, thrown: 0 }
    }

    /// Even in 0 ≤ x < 1.
    pub fn unit(&mut self) -> f64 {
        self.thrown += 1;
        noise::unit(self.seed, 1, self.thrown)
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Time until the next of events that come at random, `rate` of them in a unit of time.
    pub fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }

    /// Normal with mean 0 and deviation 1 (Box, Muller: "A Note on the Generation of Random Normal Deviates", 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Gumbel: whoever takes the greatest of some values with it chooses each with the odds of a logit.
    pub fn gumbel(&mut self) -> f64 {
        -(-(1.0 - self.unit()).ln()).max(f64::MIN_POSITIVE).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_mean_and_deviation_that_they_should_have() {
        let mut dice = Dice::new(3);
        let count = 20_000;
        let normal: Vec<f64> = (0..count).map(|_| dice.normal()).collect();
        let mean = |of: &[f64]| of.iter().sum::<f64>() / f64::from(count);
        let squares: Vec<f64> = normal.iter().map(|value| value * value).collect();
        assert!(mean(&normal).abs() < 0.03 && (mean(&squares) - 1.0).abs() < 0.05);
        let gaps: Vec<f64> = (0..count).map(|_| dice.exponential(4.0)).collect();
        assert!((mean(&gaps) - 0.25).abs() < 0.01);
        // Its mean is Euler's constant.
        let gumbel: Vec<f64> = (0..count).map(|_| dice.gumbel()).collect();
        assert!((mean(&gumbel) - 0.577).abs() < 0.04);
    }
}
