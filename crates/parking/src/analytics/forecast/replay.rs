//! Goes through a history once, forecasting as it would have been done then, and learning from what came.

use std::collections::VecDeque;

use super::regression::{self, Regression, features};
use super::residuals::Residuals;
use super::score::{Score, Tally};
use super::season::{DAY, Season, WEEK};
use super::{Method, STEPS_AHEAD, Step};

/// A forecast is made every so many steps. It has no common divisor with the day: every time of day has its turn.
const EVERY: usize = 5;

/// One in so many of them is scored.
const SCORED: usize = 5;

/// The last third of a history is for the proof, and at most so much.
const MOST_SCORED: usize = 2 * WEEK;

/// Errors of so many origins make the intervals: four weeks.
const ORIGINS: usize = 4 * WEEK / EVERY;

/// In the past, forecasts are made only where the last value is at most so old: an hour.
const FRESH: usize = 4;

/// Of each method what it expects of the next steps, in spots.
type Expected = [Vec<f64>; 3];

/// An origin whose values have not all come yet.
struct Open {
    at: usize,
    /// The newest known step before it.
    last: usize,
    expected: Expected,
}

/// What came of it.
pub struct Outcome {
    /// Of each method the forecast after the end.
    pub steps: [Vec<Step>; 3],
    /// Of each method; all over the same points.
    pub scores: Vec<Score>,
}

struct Replay<'a> {
    season: &'a Season,
    capacity: f64,
    regression: Regression,
    residuals: [Residuals; 3],
}

/// Forecasts the steps from `now` on, after trying the methods on what was before. `tell` hears of each forecast that
/// is scored. `None` without any value in the day before `now`.
pub fn replay(
    season: &Season,
    capacity: f64,
    now: usize,
    mut tell: impl FnMut(usize, &[Vec<Step>; 3]),
) -> Option<Outcome> {
    let last = season.last_known(now, DAY)?;
    let mut replay = Replay {
        season,
        capacity,
        regression: Regression::new(),
        residuals: Method::ALL.map(|_| Residuals::new(ORIGINS)),
    };
    let proof = now - (now / 3).min(MOST_SCORED);
    let mut tallies = [Tally::default(); 3];
    let mut open: VecDeque<Open> = VecDeque::new();
    for at in (EVERY..now).step_by(EVERY) {
        replay.learn(&mut open, at);
        let Some(last) = season.last_known(at, FRESH) else { continue };
        let weights = replay.regression.weights();
        let expected = replay.expect(at, last, &weights);
        if at >= proof && at + STEPS_AHEAD <= now && at % (EVERY * SCORED) == 0 {
            let steps = replay.steps(at, last, &expected);
            for (tally, steps) in tallies.iter_mut().zip(&steps) {
                tally.add(steps, &season.values[at..]);
            }
            tell(at, &steps);
        }
        open.push_back(Open { at, last, expected });
    }
    replay.learn(&mut open, now);
    let expected = replay.expect(now, last, &replay.regression.weights());
    let scores = Method::ALL.into_iter().zip(&tallies).map(|(method, tally)| tally.score(method)).collect();
    Some(Outcome { steps: replay.steps(now, last, &expected), scores })
}

impl Replay<'_> {
    /// Learns from the origins that are at least a day old at `now`: all that they were about has come.
    fn learn(&mut self, open: &mut VecDeque<Open>, now: usize) {
        while let Some(origin) = open.pop_front_if(|origin| origin.at + STEPS_AHEAD <= now) {
            for (place, step) in (origin.at..origin.at + STEPS_AHEAD).enumerate() {
                let Some(value) = self.season.values[step] else { continue };
                let horizon = horizon(origin.last, step);
                for (method, residuals) in Method::ALL.into_iter().zip(&mut self.residuals) {
                    // Before there is a week to compare with, all methods say the same.
                    if method == Method::LastValue || self.season.profile[step].is_some() {
                        let expected = origin.expected[method as usize][place];
                        residuals.learn(horizon, (value - expected) / unit(self.season, method, step));
                    }
                }
                let row = features(self.season, origin.at, origin.last, step);
                if let (Some(row), Some(deviation)) = (row, self.season.deviation[step]) {
                    self.regression.learn(horizon, &row, deviation);
                }
            }
        }
    }

    fn expect(&self, now: usize, last: usize, weights: &[regression::Row]) -> Expected {
        let season = self.season;
        let last_value = season.values[last].unwrap_or_default();
        let steps = now..now + STEPS_AHEAD;
        let model = |step: usize| {
            let (usual, row) = (season.profile[step]?, features(season, now, last, step)?);
            let correction: f64 = row.iter().zip(&weights[horizon(last, step)]).map(|(feature, it)| feature * it).sum();
            Some((usual + correction * season.spread[step]).clamp(0.0, self.capacity))
        };
        [
            vec![last_value; STEPS_AHEAD],
            steps.clone().map(|step| season.week_mean[step].unwrap_or(last_value)).collect(),
            steps.map(|step| model(step).unwrap_or(last_value)).collect(),
        ]
    }

    /// With intervals, from the errors known now.
    fn steps(&self, now: usize, last: usize, expected: &Expected) -> [Vec<Step>; 3] {
        Method::ALL.map(|method| {
            let corrections = self.residuals[method as usize].corrections();
            (now..now + STEPS_AHEAD)
                .zip(&expected[method as usize])
                .map(|(step, expected)| {
                    let unit = unit(self.season, method, step);
                    let row = corrections[horizon(last, step)].map(|correction| expected + correction * unit);
                    Step::of(row, self.capacity)
                })
                .collect()
        })
    }
}

/// Steps between the last known value and this one; more than a day is as uncertain as a day.
fn horizon(last: usize, step: usize) -> usize {
    (step - last - 1).min(DAY - 1)
}

/// What the errors of a method are measured in, in spots. What is usual errs by more at noon than at night.
fn unit(season: &Season, method: Method, step: usize) -> f64 {
    match method {
        Method::LastValue => 1.0,
        Method::WeekMean | Method::Model => season.spread[step],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::synthetic::{lot, with_gaps};
    use super::*;

    const CAPACITY: f64 = 150.0;

    fn told(values: &[Option<f64>]) -> (BTreeMap<usize, [Vec<Step>; 3]>, Outcome) {
        let season = Season::of(values.to_vec(), CAPACITY);
        let mut told = BTreeMap::new();
        let tell = |at: usize, steps: &[Vec<Step>; 3]| {
            told.insert(at, steps.clone());
        };
        let outcome = replay(&season, CAPACITY, values.len(), tell).unwrap();
        (told, outcome)
    }

    #[test]
    fn values_after_an_origin_never_change_its_forecast() {
        let values = with_gaps(&lot(7, 35, CAPACITY), 7);
        let (before, _) = told(&values);
        assert!(before.len() > 30);
        let origins: Vec<usize> = before.keys().copied().step_by(6).collect();
        for now in origins {
            let mut other = values.clone();
            for (place, value) in other[now..].iter_mut().enumerate() {
                *value = (place % 3 > 0).then_some(if place % 2 == 0 { 0.0 } else { CAPACITY });
            }
            let (after, _) = told(&other);
            for (at, steps) in before.range(..=now) {
                assert_eq!(steps, &after[at], "{at} {now}");
            }
            assert!(before.range(now + 1..).any(|(at, steps)| after.get(at) != Some(steps)) || now + DAY > 34 * DAY);
        }
    }

    #[test]
    fn scored_forecast_is_the_one_that_was_made_at_that_moment() {
        let values = with_gaps(&lot(8, 35, CAPACITY), 8);
        let (all, _) = told(&values);
        for (at, steps) in all.iter().step_by(9) {
            let (_, then) = told(&values[..*at]);
            assert_eq!(steps, &then.steps, "{at}");
        }
    }

    #[test]
    fn origins_are_of_the_last_third_and_at_all_times_of_day() {
        let values: Vec<Option<f64>> = lot(1, 56, CAPACITY).into_iter().map(Some).collect();
        let (all, _) = told(&values);
        assert!(all.keys().all(|at| (42 * DAY..=55 * DAY).contains(at)));
        let hours: std::collections::BTreeSet<usize> = all.keys().map(|at| at % DAY / 4).collect();
        assert!(hours.len() >= 22, "{hours:?}");
        let (short, _) = told(&values[..21 * DAY]);
        assert!(short.keys().all(|at| *at >= 14 * DAY) && short.len() > 20);
    }
}
