//! How many spots of a car park will be occupied in the next 24 hours, and how sure that is.
//!
//! Three ways are tried on the last days of the history, each origin seeing only what came before it (`replay`): the
//! last value, the mean of the same quarter hour of the last three weeks, and a model. The model (`season`,
//! `regression`) is what is usual at this time of the week, corrected by how far from usual it is now, was yesterday,
//! and was in the last seven days; how much each of them counts is fitted for each step ahead. It is used only where
//! it was better than both others. Intervals are what the errors of the last four weeks were (`residuals`).
//!
//! Written here because the kept crate (`augurs`: MSTL with an ETS trend) was worse on public data of German car parks
//! and takes more than a hundred times as long: a decomposition has no term for "fuller than usual today".

mod regression;
mod replay;
mod residuals;
mod score;
mod season;
#[cfg(test)]
mod synthetic;

pub use score::Score;

use replay::replay;
use season::{DAY, Season, WEEK};

/// Steps of 15 minutes that are forecast: 24 hours.
pub const STEPS_AHEAD: usize = DAY;

/// Fewest known values for any forecast: as many as a day has.
const FEWEST_VALUES: usize = DAY;

/// From so much on the model is tried: a week to know what is usual, a week of deviations from that to fit the
/// correction and the intervals, and a week to prove it.
const FEWEST_STEPS: usize = 3 * WEEK;

/// Fewest origins that prove anything.
const FEWEST_ORIGINS: u32 = 10;

/// Older history is not looked at. It bounds the time that a forecast takes.
const MOST_STEPS: usize = 12 * WEEK;

/// How a forecast was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It stays as it is.
    LastValue,
    /// Mean of the same quarter hour of the last three weeks.
    WeekMean,
    /// The usual course of a week, corrected by today's deviation from it.
    Model,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::LastValue, Self::WeekMean, Self::Model];
}

/// Why a forecast was made in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The model was better than both baselines in the backtest.
    ModelBetter,
    /// A baseline was at least as good as the model in the backtest.
    BaselineBetter,
    /// Less than three weeks of history, or gaps that leave too little to test the model on.
    TooFewData,
}

/// Occupied spots, from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// What is expected of one step of 15 minutes: mean numbers of occupied spots, all within 0 and the capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The median: as likely to be more as to be fewer. Lies within both intervals.
    pub expected: f64,
    /// Holds the value in 80 of 100 cases.
    pub interval_80: Interval,
    /// Holds the value in 95 of 100 cases, and the other interval always.
    pub interval_95: Interval,
}

/// The next 24 hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// [`STEPS_AHEAD`] of them; the first is the step after the last of the history.
    pub steps: Vec<Step>,
    pub method: Method,
    pub reason: Reason,
    /// How good each method was in the backtest, over the same origins and points; without the model where it was not
    /// tried, and empty where the history is too short to test anything.
    pub scores: Vec<Score>,
}

/// Forecasts the 24 hours after `history`: mean numbers of occupied spots in steps of 15 minutes, oldest first, without
/// holes (`None`: no data). Values outside of 0 and `capacity` (spots) are taken as the nearer of the two.
///
/// The steps should follow the clock on the wall where the lot is: where it is set forward or back, what is usual would
/// else be an hour off for weeks.
///
/// `None` without any value in the last day, with fewer than 96 values, or without a capacity.
#[must_use]
pub fn forecast(history: &[Option<f64>], capacity: f64) -> Option<Forecast> {
    if !capacity.is_finite() || capacity <= 0.0 {
        return None;
    }
    let recent = &history[history.len().saturating_sub(MOST_STEPS)..];
    let clean = recent.iter().map(|value| value.filter(|it| it.is_finite()).map(|it| it.clamp(0.0, capacity)));
    let values: Vec<Option<f64>> = clean.skip_while(Option::is_none).collect();
    if values.iter().flatten().count() < FEWEST_VALUES {
        return None;
    }
    let season = Season::of(values, capacity);
    let now = season.len();
    let outcome = replay(&season, capacity, now, |_, _| {})?;
    let mut scores = outcome.scores;
    let is_tried = now >= FEWEST_STEPS && scores.iter().all(|score| score.origins >= FEWEST_ORIGINS);
    if !is_tried {
        scores.retain(|score| score.method != Method::Model);
    }
    scores.retain(|score| score.points > 0);
    let best = scores.iter().min_by(|a, b| a.pinball.total_cmp(&b.pinball));
    let method = best.map_or(Method::LastValue, |score| score.method);
    let reason = match (is_tried, method) {
        (false, _) => Reason::TooFewData,
        (true, Method::Model) => Reason::ModelBetter,
        (true, _) => Reason::BaselineBetter,
    };
    let [last_value, week_mean, model] = outcome.steps;
    let steps = match method {
        Method::LastValue => last_value,
        Method::WeekMean => week_mean,
        Method::Model => model,
    };
    Some(Forecast { steps, method, reason, scores })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::synthetic::{Draw, lot, with_gaps};
    use super::*;

    const CAPACITY: f64 = 200.0;

    fn known(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn of(forecast: &Forecast, method: Method) -> Score {
        *forecast.scores.iter().find(|score| score.method == method).unwrap()
    }

    /// Of each method, over some lots: scores of two weeks each.
    fn mean(forecasts: &[Forecast], method: Method, of_score: fn(&Score) -> f64) -> f64 {
        let (sum, count) = forecasts
            .iter()
            .map(|forecast| of_score(&of(forecast, method)))
            .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    }

    #[test]
    fn model_beats_both_baselines_on_lots_with_gaps_and_its_intervals_hold_what_they_say() {
        let lots: Vec<Forecast> =
            (1..=8).map(|seed| forecast(&with_gaps(&lot(seed, 56, CAPACITY), seed), CAPACITY).unwrap()).collect();
        for forecast in &lots {
            let [last_value, week_mean, model] = Method::ALL.map(|method| of(forecast, method));
            let is_better = model.pinball < last_value.pinball.min(week_mean.pinball);
            assert_eq!(is_better, forecast.method == Method::Model);
            assert_eq!(is_better, forecast.reason == Reason::ModelBetter);
            assert!(model.origins > 40 && model.points > 3_500, "{model:?}");
            assert_eq!((model.origins, model.points), (week_mean.origins, week_mean.points));
        }
        // In two weeks chance may favour a baseline (it did for two of forty seeds).
        assert!(lots.iter().filter(|forecast| forecast.method == Method::Model).count() >= 7);
        let error: fn(&Score) -> f64 = |score| score.mean_absolute_error;
        for baseline in [Method::LastValue, Method::WeekMean] {
            assert!(mean(&lots, Method::Model, error) < 0.9 * mean(&lots, baseline, error));
        }
        // Two weeks of one lot are few independent days; of all lots together they must be near.
        let inner = mean(&lots, Method::Model, |score| score.coverage_80);
        let outer = mean(&lots, Method::Model, |score| score.coverage_95);
        assert!((0.75..0.85).contains(&inner) && (0.92..0.98).contains(&outer), "{inner} {outer}");
        assert!(lots.iter().all(|it| (0.7..0.9).contains(&of(it, Method::Model).coverage_80)));
        assert!(lots.iter().all(|it| (0.9..0.99).contains(&of(it, Method::Model).coverage_95)));
    }

    #[test]
    fn what_is_delivered_holds_in_days_that_no_backtest_saw() {
        let (mut inside, mut points) = (0_u32, 0_u32);
        for (seed, now) in (20..34).zip((26 * DAY..).step_by(31)) {
            let values = lot(seed, 32, CAPACITY);
            let forecast = forecast(&known(&values[..now]), CAPACITY).unwrap();
            for (step, value) in forecast.steps.iter().zip(&values[now..]) {
                points += 1;
                inside += u32::from((step.interval_80.low..=step.interval_80.high).contains(value));
            }
        }
        let part = f64::from(inside) / f64::from(points);
        assert!((0.7..0.9).contains(&part), "{part}");
    }

    #[test]
    fn random_walk_stays_with_the_last_value_or_as_good() {
        for seed in 1..=4 {
            let mut draw = Draw::new(seed);
            let mut at = 500.0;
            let walk = |_| {
                at = (at + 3.0 * draw.normal()).clamp(0.0, 1_000.0);
                Some(at)
            };
            let forecast = forecast(&(0..8 * WEEK).map(walk).collect::<Vec<_>>(), 1_000.0).unwrap();
            let (last_value, chosen) = (of(&forecast, Method::LastValue), of(&forecast, forecast.method));
            assert!(chosen.pinball <= last_value.pinball);
            assert!(
                forecast.method == Method::LastValue || chosen.pinball > 0.8 * last_value.pinball,
                "{seed}: {:#?}",
                forecast.scores
            );
        }
    }

    #[test]
    fn model_is_not_tried_before_three_weeks() {
        let values = known(&lot(3, 22, CAPACITY));
        for steps in [DAY, 3 * DAY, WEEK, WEEK + 2 * DAY, 2 * WEEK, 3 * WEEK - 1] {
            let forecast = forecast(&values[..steps], CAPACITY).unwrap();
            assert_eq!(forecast.reason, Reason::TooFewData, "{steps}");
            assert_ne!(forecast.method, Method::Model);
            assert!(forecast.scores.iter().all(|score| score.method != Method::Model));
        }
        let forecast = forecast(&values[..3 * WEEK], CAPACITY).unwrap();
        assert_ne!(forecast.reason, Reason::TooFewData);
        assert_eq!(forecast.scores.len(), 3);
    }

    #[test]
    fn too_few_values_in_three_weeks_are_too_few_data() {
        let mut values = known(&lot(3, 28, CAPACITY));
        values[WEEK..4 * WEEK - 2 * DAY].fill(None);
        let forecast = forecast(&values, CAPACITY).unwrap();
        assert_eq!(forecast.reason, Reason::TooFewData);
        assert_ne!(forecast.method, Method::Model);
    }

    #[test]
    fn one_day_of_history_says_the_last_value_and_that_all_is_possible() {
        let forecast = forecast(&known(&lot(3, 1, CAPACITY)), CAPACITY).unwrap();
        assert_eq!((forecast.method, forecast.reason), (Method::LastValue, Reason::TooFewData));
        assert!(forecast.scores.is_empty());
        let all = Interval { low: 0.0, high: CAPACITY };
        assert!(forecast.steps.iter().all(|step| step.interval_95 == all));
    }

    #[test]
    fn hardly_any_data_is_no_forecast() {
        let values = known(&lot(3, 30, CAPACITY));
        assert_eq!(forecast(&[], CAPACITY), None);
        assert_eq!(forecast(&vec![None; 5_000], CAPACITY), None);
        assert_eq!(forecast(&values[..DAY - 1], CAPACITY), None);
        let mut silent = values.clone();
        silent.extend([None; DAY]);
        assert_eq!(forecast(&silent, CAPACITY), None);
        assert!(forecast(&silent[1..silent.len() - 1], CAPACITY).is_some());
        for capacity in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(forecast(&values, capacity), None);
        }
    }

    #[test]
    fn constant_lot_is_forecast_as_constant_and_sure() {
        let forecast = forecast(&vec![Some(17.0); 8 * WEEK], CAPACITY).unwrap();
        for step in &forecast.steps {
            assert!((step.expected - 17.0).abs() < 1e-6, "{step:?}");
            assert!(step.interval_95.high - step.interval_95.low < 1e-6, "{step:?}");
        }
        // Nothing is better than what is right.
        assert_eq!((forecast.method, forecast.reason), (Method::LastValue, Reason::BaselineBetter));
    }

    #[test]
    fn fuller_than_usual_now_is_fuller_than_usual_in_an_hour_and_hardly_tomorrow() {
        let mut values = lot(9, 56, CAPACITY);
        let now = 54 * DAY + 40;
        let usual = forecast(&known(&values[..now]), CAPACITY).unwrap();
        values[now - 8..now].iter_mut().for_each(|value| *value += 30.0);
        let fuller = forecast(&known(&values[..now]), CAPACITY).unwrap();
        let more = |step: usize| fuller.steps[step].expected - usual.steps[step].expected;
        assert!(more(4) > 12.0 && more(88) < 0.6 * more(4), "{} {}", more(4), more(88));
    }

    #[test]
    fn night_without_news_widens_the_intervals() {
        let values = known(&lot(4, 56, CAPACITY));
        let fresh = forecast(&values, CAPACITY).unwrap();
        let mut stale = values;
        let from = stale.len() - 40;
        stale[from..].fill(None);
        let stale = forecast(&stale, CAPACITY).unwrap();
        let width = |forecast: &Forecast| forecast.steps[0].interval_80.high - forecast.steps[0].interval_80.low;
        assert!(width(&stale) > 1.3 * width(&fresh), "{} {}", width(&stale), width(&fresh));
    }

    /// Histories as they must not be: gaps, jumps, values that are none.
    fn histories() -> impl Strategy<Value = Vec<Option<f64>>> {
        let value = prop_oneof![
            4 => (-50.0..300.0_f64).prop_map(Some),
            2 => Just(None),
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300)].prop_map(Some),
        ];
        // Runs make long histories cheap, and gaps and plateaus likely.
        prop::collection::vec((value, 1..200_usize), 0..40)
            .prop_map(|runs| runs.into_iter().flat_map(|(value, times)| std::iter::repeat_n(value, times)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn steps_are_within_the_lot_and_intervals_nested(history in histories(), capacity in 0.1..400.0_f64) {
            let Some(forecast) = forecast(&history, capacity) else { return Ok(()) };
            prop_assert_eq!(forecast.steps.len(), STEPS_AHEAD);
            for step in &forecast.steps {
                let (inner, outer) = (step.interval_80, step.interval_95);
                let line = [0.0, outer.low, inner.low, step.expected, inner.high, outer.high, capacity];
                prop_assert!(line.is_sorted() && line.iter().all(|value| value.is_finite()), "{:?}", step);
            }
            for score in &forecast.scores {
                prop_assert!(score.mean_absolute_error.is_finite() && score.pinball.is_finite() && score.points > 0);
                prop_assert!((0.0..=1.0).contains(&score.coverage_80) && score.coverage_80 <= score.coverage_95);
            }
        }
    }
}
