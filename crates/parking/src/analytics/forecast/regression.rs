//! How much of a deviation from the usual lasts, for each step ahead: least squares with a ridge.

use super::season::{DAY, Season};

/// Numbers that tell by how much it will differ from the usual.
const FEATURES: usize = 3;

pub type Row = [f64; FEATURES];

/// Rows that each weight is pulled towards 0 by. It matters only while little was seen.
const RIDGE: f64 = 20.0;

/// Horizons on each side that are fitted together: neighbours differ by chance only.
const AROUND: usize = 3;

/// A deviation counts as no more than so many spreads, lest one odd day rule the rest.
const MOST: f64 = 4.0;

/// Days whose mean at the same time is looked at.
const DAYS: usize = 7;

/// What is known at `now` about a later step, in spreads of that step: by how much the last value differs from the
/// usual, by how much it differed at the same time yesterday, and the mean at this time of the last seven days.
/// `None` where nothing is usual yet.
pub fn features(season: &Season, now: usize, last: usize, step: usize) -> Option<Row> {
    let usual = season.profile[step]?;
    let deviation = |at: usize| if at < now { season.deviation.get(at).copied().flatten() } else { None };
    let yesterday = step.checked_sub(DAY).map_or(0.0, |at| {
        let around = at.saturating_sub(1)..=at + 1;
        around.filter_map(deviation).sum::<f64>() / 3.0
    });
    let days = (1..=DAYS).filter_map(|day| step.checked_sub(day * DAY));
    let known = days.filter_map(|at| season.values[at]);
    let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    let by_day = if count > 0.0 { (sum / count - usual) / season.spread[step] } else { 0.0 };
    Some([deviation(last).unwrap_or(0.0), yesterday, by_day].map(|it| it.clamp(-MOST, MOST)))
}

/// Sums of products, from which the weights follow.
#[derive(Clone, Copy, Default)]
struct Sums {
    squares: [[f64; FEATURES]; FEATURES],
    products: Row,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (row, more) in self.squares.iter_mut().zip(&other.squares) {
            row.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        self.products.iter_mut().zip(&other.products).for_each(|(sum, more)| *sum += more);
    }
}

/// What was learned so far.
pub struct Regression {
    by_horizon: Vec<Sums>,
}

impl Regression {
    pub fn new() -> Self {
        Self { by_horizon: vec![Sums::default(); DAY] }
    }

    /// So many steps after these features it differed from the usual by so many spreads.
    pub fn learn(&mut self, horizon: usize, row: &Row, deviation: f64) {
        let deviation = deviation.clamp(-MOST, MOST);
        let products = row.map(|feature| feature * deviation);
        let squares = row.map(|feature| row.map(|other| feature * other));
        if let Some(sums) = self.by_horizon.get_mut(horizon) {
            sums.add(&Sums { squares, products });
        }
    }

    /// The weights of the features, for each step ahead.
    pub fn weights(&self) -> Vec<Row> {
        (0..DAY)
            .map(|horizon| {
                let mut sums = Sums::default();
                let around = horizon.saturating_sub(AROUND)..(horizon + AROUND + 1).min(DAY);
                self.by_horizon[around].iter().for_each(|other| sums.add(other));
                solve(sums)
            })
            .collect()
    }
}

/// Gauss and Jordan without exchange of rows: squares and a ridge make a positive definite matrix.
fn solve(Sums { mut squares, mut products }: Sums) -> Row {
    for (place, row) in squares.iter_mut().enumerate() {
        row[place] += RIDGE;
    }
    for pivot in 0..FEATURES {
        let head = squares[pivot];
        let head_product = products[pivot];
        for other in (0..FEATURES).filter(|other| *other != pivot) {
            let factor = squares[other][pivot] / head[pivot];
            squares[other].iter_mut().zip(&head).for_each(|(cell, above)| *cell -= factor * above);
            products[other] -= factor * head_product;
        }
    }
    std::array::from_fn(|place| products[place] / squares[place][place])
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::Draw;
    use super::*;

    #[test]
    fn weights_that_made_the_rows_are_found_again() {
        let mut draw = Draw::new(1);
        let mut regression = Regression::new();
        for _ in 0..4_000 {
            let row = [draw.normal(), draw.normal(), draw.normal()];
            regression.learn(40, &row, 0.6 * row[0] - 0.2 * row[1] + 0.1 * draw.normal());
        }
        let weights = regression.weights();
        for (found, made) in weights[40].iter().zip([0.6, -0.2, 0.0]) {
            assert!((found - made).abs() < 0.02, "{weights:?}");
        }
        assert_eq!(weights[43], weights[40]);
        assert_eq!(weights[44], [0.0; 3]);
    }

    #[test]
    fn features_see_nothing_from_now_on() {
        let mut values: Vec<Option<f64>> = super::super::synthetic::lot(5, 21, 100.0).into_iter().map(Some).collect();
        let (now, last) = (1_900, 1_899);
        let before: Vec<_> =
            (now..now + DAY).map(|step| features(&Season::of(values.clone(), 100.0), now, last, step)).collect();
        assert!(before.iter().all(Option::is_some));
        values[now..].fill(Some(3.0));
        let season = Season::of(values, 100.0);
        let after: Vec<_> = (now..now + DAY).map(|step| features(&season, now, last, step)).collect();
        assert_eq!(before, after);
    }
}
