//! What is usual at a time, and by how much it differs: for each step from values at least a day older, so that a
//! forecast made at any earlier moment of that day would have known the same.

/// Steps of a day.
pub const DAY: usize = 96;

/// Steps of a week.
pub const WEEK: usize = 7 * DAY;

/// What is usual is made from so many weeks before.
const PROFILE_WEEKS: usize = 8;

/// A week counts so much less than the week after it.
const WEEK_WEIGHT: f64 = 0.85;

/// From so many weeks on the highest and the lowest are left out: one of them was a holiday.
const FEWEST_TO_TRIM: usize = 4;

/// Weeks of the plain mean.
const MEAN_WEEKS: usize = 3;

/// The spread at a time of day is that of so many days.
const SPREAD_DAYS: usize = 28;

/// And of so many steps before and after it.
const SPREAD_AROUND: usize = 4;

/// For so many values the spread over all times counts, beside those at the time of day.
const SPREAD_PRIOR: f64 = 12.0;

/// The spread before anything is known about it: this part of the capacity.
const FIRST_SPREAD: f64 = 0.1;

/// Least spread, in spots: what is counted is whole cars.
const LEAST_SPREAD: f64 = 0.5;

/// A history and what is usual in it. The usual reaches one day beyond the history.
pub struct Season {
    /// Occupied spots.
    pub values: Vec<Option<f64>>,
    /// Mean of the same quarter hour in the three weeks before.
    pub week_mean: Vec<Option<f64>>,
    /// What is usual at this time of the week.
    pub profile: Vec<Option<f64>>,
    /// By how many spots it usually differs from that, at this time of day.
    pub spread: Vec<f64>,
    /// By how many spreads each value differs from what is usual.
    pub deviation: Vec<Option<f64>>,
}

impl Season {
    /// Of occupied spots in a lot with so many.
    pub fn of(values: Vec<Option<f64>>, capacity: f64) -> Self {
        let ends = values.len() + DAY;
        let profile: Vec<Option<f64>> = (0..ends).map(|step| usual(&values, step)).collect();
        let week_mean =
            (0..ends).map(|step| mean(weeks_before(step, MEAN_WEEKS).filter_map(|at| values[at]))).collect();
        let difference: Vec<Option<f64>> =
            values.iter().zip(&profile).map(|(value, usual)| Some((*value)? - (*usual)?)).collect();
        let spread = spread(&difference, ends, capacity);
        let deviation = difference.iter().zip(&spread).map(|(spots, spread)| spots.map(|it| it / spread)).collect();
        Self { values, week_mean, profile, spread, deviation }
    }

    /// Steps of the history.
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// The newest known step before this one, at most `within` steps before.
    pub fn last_known(&self, before: usize, within: usize) -> Option<usize> {
        (before.saturating_sub(within)..before).rev().find(|at| self.values.get(*at).is_some_and(Option::is_some))
    }
}

/// The same quarter hour of the weeks before, the newest first.
fn weeks_before(step: usize, weeks: usize) -> impl Iterator<Item = usize> {
    (1..=weeks).map_while(move |week| step.checked_sub(week * WEEK))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Mean of the weeks before, the newer counting more, without the extremes.
fn usual(values: &[Option<f64>], step: usize) -> Option<f64> {
    let mut weight = 1.0;
    let mut weeks = Vec::with_capacity(PROFILE_WEEKS);
    for at in weeks_before(step, PROFILE_WEEKS) {
        if let Some(value) = smooth(values, at) {
            weeks.push((value, weight));
        }
        weight *= WEEK_WEIGHT;
    }
    weeks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let kept = if weeks.len() >= FEWEST_TO_TRIM { &weeks[1..weeks.len() - 1] } else { &weeks[..] };
    let (sum, total) =
        kept.iter().fold((0.0, 0.0), |(sum, total), (value, weight)| (sum + value * weight, total + weight));
    (total > 0.0).then(|| sum / total)
}

/// A value and its neighbours, which count half: a quarter hour more or less is no habit.
fn smooth(values: &[Option<f64>], at: usize) -> Option<f64> {
    let known = |at: Option<usize>| at.and_then(|at| values.get(at).copied().flatten());
    let parts = [(known(at.checked_sub(1)), 0.5), (known(Some(at)), 1.0), (known(Some(at + 1)), 0.5)];
    let (sum, total) = parts
        .iter()
        .filter_map(|(value, weight)| value.map(|it| (it, weight)))
        .fold((0.0, 0.0), |(sum, total), (value, weight)| (sum + value * weight, total + weight));
    (total > 0.0).then(|| sum / total)
}

/// Root mean square of the differences at the same time of day, on the days from two days before.
fn spread(difference: &[Option<f64>], ends: usize, capacity: f64) -> Vec<f64> {
    let squares = |from: usize, to: usize| {
        let known = difference[from.min(difference.len())..to.min(difference.len())].iter().flatten();
        known.fold((0.0, 0.0), |(sum, count), spots| (sum + spots * spots, count + 1.0))
    };
    let mut all = ((FIRST_SPREAD * capacity).powi(2), 1.0);
    (0..ends)
        .map(|step| {
            // Over all times: everything that is older than a day.
            if let Some(newest) = step.checked_sub(DAY + 1) {
                let (sum, count) = squares(newest, newest + 1);
                all = (all.0 + sum, all.1 + count);
            }
            let days = (2..=SPREAD_DAYS).map_while(|day| step.checked_sub(day * DAY));
            let (sum, count) = days.fold((0.0, 0.0), |(sum, count), at| {
                let (more, values) = squares(at.saturating_sub(SPREAD_AROUND), at + SPREAD_AROUND + 1);
                (sum + more, count + values)
            });
            ((sum + SPREAD_PRIOR * all.0 / all.1) / (count + SPREAD_PRIOR)).sqrt().max(LEAST_SPREAD)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holiday_does_not_change_what_is_usual() {
        let mut values = vec![Some(80.0); 6 * WEEK];
        values[4 * WEEK + 3 * DAY..4 * WEEK + 4 * DAY].fill(Some(2.0));
        let season = Season::of(values, 100.0);
        let step = 6 * WEEK + DAY / 2;
        assert!((season.profile[step].unwrap() - 80.0).abs() < 1e-9);
        let thursday = 5 * WEEK + 3 * DAY + DAY / 2;
        assert!((season.profile[thursday].unwrap() - 80.0).abs() < 1e-9);
        // The plain mean does not know better.
        assert!((season.week_mean[thursday].unwrap() - 54.0).abs() < 1e-9);
    }

    #[test]
    fn week_mean_takes_the_weeks_that_are_there() {
        let mut values: Vec<Option<f64>> = [10.0, 20.0, 60.0].into_iter().flat_map(|it| vec![Some(it); WEEK]).collect();
        values[WEEK + 5] = None;
        let season = Season::of(values, 100.0);
        assert_eq!(season.week_mean[3 * WEEK + 4], Some(30.0));
        assert_eq!(season.week_mean[3 * WEEK + 5], Some(35.0));
        assert_eq!(season.week_mean[WEEK + 4], Some(10.0));
        assert_eq!(season.week_mean[4], None);
        assert_eq!(season.week_mean.len(), 3 * WEEK + DAY);
    }

    #[test]
    fn spread_is_wide_where_days_differ() {
        let wild = |step: usize| (32..64).contains(&(step % DAY));
        let value = |step: usize| if wild(step) && (step / DAY).is_multiple_of(2) { 60.0 } else { 20.0 };
        let season = Season::of((0..6 * WEEK).map(|step| Some(value(step))).collect(), 100.0);
        let (noon, night) = (season.spread[5 * WEEK + 48], season.spread[5 * WEEK + 10]);
        assert!(noon > 20.0 && night < 10.0, "{noon} {night}");
    }
}
