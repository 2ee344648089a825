//! What the errors of a method were, by how far ahead it looked: its intervals are made from them, so they are as
//! wide as it was wrong (split conformal prediction: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World,
//! 2005).

use std::array;

use super::season::DAY;

/// Parts of 100 that lie below: the 95 % interval, the 80 % interval and the median.
pub const QUANTILES: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

/// A correction at each of [`QUANTILES`].
pub type Row = [f64; QUANTILES.len()];

/// Horizons whose errors are kept; between them bounds lie on the line. Errors of neighbouring horizons are almost the
/// same, they grow fast at first and hardly after half a day.
const KNOTS: [usize; 16] = [0, 1, 2, 3, 5, 8, 12, 16, 22, 28, 36, 44, 54, 66, 80, DAY - 1];

/// Further than any car park is large: nothing is known about the bound.
const UNBOUNDED: f64 = 1e9;

/// Errors of one method, oldest first, at each of the knots.
pub struct Residuals {
    at_knots: [Vec<f64>; KNOTS.len()],
    /// So many origins are remembered.
    origins: usize,
}

impl Residuals {
    pub fn new(origins: usize) -> Self {
        Self { at_knots: array::from_fn(|_| Vec::new()), origins }
    }

    /// What came was more than expected by so much, in the unit of the method.
    pub fn learn(&mut self, horizon: usize, error: f64) {
        if let Ok(knot) = KNOTS.binary_search(&horizon) {
            self.at_knots[knot].push(error);
        }
    }

    /// What is to be added to a value expected so many steps ahead, for each of them.
    pub fn corrections(&self) -> Vec<Row> {
        let rows = self.at_knots.each_ref().map(|errors| {
            let newest = &errors[errors.len().saturating_sub(self.origins)..];
            quantiles(newest.to_vec())
        });
        (0..DAY).map(|horizon| between(&rows, horizon)).collect()
    }
}

/// On the line between the knots around this horizon.
#[allow(clippy::cast_precision_loss)] // less than a hundred
fn between(rows: &[Row; KNOTS.len()], horizon: usize) -> Row {
    let next = KNOTS.partition_point(|knot| *knot < horizon).min(KNOTS.len() - 1);
    let (from, to) = (KNOTS[next.saturating_sub(1)], KNOTS[next]);
    let part = if to > from { (horizon - from) as f64 / (to - from) as f64 } else { 1.0 };
    array::from_fn(|place| rows[next.saturating_sub(1)][place] * (1.0 - part) + rows[next][place] * part)
}

/// The errors' quantiles, on the safe side. Where they are too few for a bound there is none.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index
fn quantiles(mut errors: Vec<f64>) -> Row {
    let count = errors.len() as f64;
    let mut from = 0;
    QUANTILES.map(|part| {
        let rank = (count + 1.0) * part;
        let rank = if part < 0.5 { rank.floor() } else { rank.ceil() };
        if errors.is_empty() || rank < 1.0 || rank > count {
            return if part < 0.5 {
                -UNBOUNDED
            } else if part > 0.5 {
                UNBOUNDED
            } else {
                0.0
            };
        }
        let place = rank as usize - 1;
        // What lies before `from` is smaller already.
        let (_, value, _) = errors[from..].select_nth_unstable_by(place - from, f64::total_cmp);
        from = place;
        *value
    })
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::Draw;
    use super::*;

    #[test]
    fn corrections_are_the_quantiles_of_the_errors_and_grow_with_them() {
        let mut draw = Draw::new(2);
        let mut residuals = Residuals::new(1_000);
        for _ in 0..1_000 {
            for (horizon, scale) in (0..DAY).zip(1_u32..) {
                residuals.learn(horizon, draw.normal() * f64::from(scale));
            }
        }
        let rows = residuals.corrections();
        assert_eq!(rows.len(), DAY);
        // Of a normal distribution 80 % lie within 1.2816 and 95 % within 1.96 deviations.
        for (place, expected) in [-1.96, -1.2816, 0.0, 1.2816, 1.96].into_iter().enumerate() {
            assert!((rows[49][place] - 50.0 * expected).abs() < 5.0, "{:?}", rows[49]);
        }
        assert!(rows[95][4] > rows[40][4] && rows[40][4] > rows[3][4]);
        assert!(rows.iter().all(|row| row.is_sorted()));
    }

    #[test]
    fn few_origins_bound_nothing() {
        let mut residuals = Residuals::new(100);
        for _ in 0..20 {
            (80..DAY).for_each(|horizon| residuals.learn(horizon, 1.0));
        }
        let last = residuals.corrections()[90];
        assert_eq!(last, [-UNBOUNDED, 1.0, 1.0, 1.0, UNBOUNDED]);
        assert_eq!(residuals.corrections()[10], [-UNBOUNDED, -UNBOUNDED, 0.0, UNBOUNDED, UNBOUNDED]);
    }

    #[test]
    fn only_the_newest_origins_count() {
        let mut residuals = Residuals::new(50);
        for origin in 0..100 {
            (0..DAY).for_each(|horizon| residuals.learn(horizon, if origin < 50 { 99.0 } else { 1.0 }));
        }
        assert!(residuals.corrections().iter().all(|row| *row == [1.0; 5]));
    }
}
