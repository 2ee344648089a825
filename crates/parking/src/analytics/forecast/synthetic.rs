//! Car parks that never were, for tests.

use std::f64::consts::TAU;

/// Numbers that look random and are the same for the same seed (`SplitMix64`: Steele, Lea, Flood, OOPSLA 2014).
pub struct Draw(u64);

impl Draw {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to below 1.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit
    pub const fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mean 0, deviation 1 (sum of twelve).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// So many days of a lot that fills on working days, less on Saturday, hardly on Sunday. It is fuller or emptier than
/// usual for hours and for days (two autoregressions), and there is noise.
#[allow(clippy::cast_precision_loss)] // steps of some weeks
pub fn lot(seed: u64, count: usize, capacity: f64) -> Vec<f64> {
    let mut draw = Draw::new(seed);
    let (mut hours, mut days) = (0.0, 0.0);
    (0..count * 96)
        .map(|step| {
            let week = [1.0, 1.05, 1.0, 0.95, 1.1, 0.6, 0.2][step / 96 % 7];
            let hour = (step % 96) as f64 / 4.0;
            let day = (0.5 - 0.5 * (TAU * (hour - 1.0) / 24.0).cos()).powi(2);
            // Half of the one is gone after three hours, of the other after three days.
            hours = 0.95 * hours + 0.05 * draw.normal();
            days = 0.9975 * days + 0.0125 * draw.normal();
            let share = 0.1 + 0.6 * week * day * (1.0 + hours + days) + 0.01 * draw.normal();
            (share * capacity).clamp(0.0, capacity)
        })
        .collect()
}

/// As it comes from sensors: one quarter hour in twenty is missing, and one half day a week.
pub fn with_gaps(values: &[f64], seed: u64) -> Vec<Option<f64>> {
    let mut draw = Draw::new(seed);
    let is_out = |step: usize| (300..348).contains(&(step % 672));
    values.iter().enumerate().map(|(step, value)| (draw.unit() >= 0.05 && !is_out(step)).then_some(*value)).collect()
}
