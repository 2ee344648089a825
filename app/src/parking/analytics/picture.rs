//! A forecast as SVG paths, in thousandths of the chart's width and height: the day before on its left half, the day ahead
//! on its right.

use std::fmt::Write as _;

use portico_model::Timestamp;
use portico_model::parking::analytics::ForecastStep;

use super::{ForecastView, Measured};

const SIDE: f64 = 1_000.0;
const DAY_MS: i64 = 86_400_000;

/// A value of a quarter of an hour is drawn in its middle.
const HALF_STEP_MS: i64 = 450_000;

/// Room above the highest value.
const HEADROOM: f64 = 1.05;

type Point = (f64, f64);

/// What is drawn.
#[derive(Debug, Default, PartialEq)]
pub struct Picture {
    pub measured: String,
    pub expected: String,
    pub band_80: String,
    pub band_95: String,
    /// All spots.
    pub capacity: String,
    /// Lines of the scale.
    pub grid: String,
    /// Numbers of spots beside the lines, and how far from the top, percent.
    pub levels: Vec<(i64, f64)>,
    /// Where each mark of time stands, percent from the left.
    pub marks: Vec<f64>,
}

#[allow(clippy::cast_precision_loss)] // a picture needs no more
fn across(begin: Timestamp, at: Timestamp) -> f64 {
    (at.millis_since(begin) + DAY_MS) as f64 / (2 * DAY_MS) as f64
}

/// A round distance between the lines of a scale: at most five of them are above zero.
#[allow(clippy::cast_precision_loss)] // spots are counted in thousands
fn distance(most: f64) -> i64 {
    let round = (0..9).flat_map(|power| [1, 2, 5].map(|factor| factor * 10_i64.pow(power)));
    let mut enough = round.filter(|distance| (distance * 5) as f64 >= most);
    enough.next().unwrap_or(i64::from(u32::MAX))
}

fn line(points: &[Point]) -> String {
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
    }
    // One alone is drawn as a dot.
    if points.len() == 1 {
        path.push_str("h0");
    }
    path
}

fn band(high: &[Point], low: &[Point]) -> String {
    let around: Vec<Point> = high.iter().chain(low.iter().rev()).copied().collect();
    if around.is_empty() { String::new() } else { line(&around) + "Z" }
}

impl Picture {
    #[allow(clippy::cast_precision_loss)] // spots are counted in thousands
    pub fn of(view: &ForecastView) -> Self {
        let steps = &view.forecast.steps;
        let capacity = view.forecast.capacity as f64;
        let highest = steps.iter().map(|step| step.high_95).chain(view.past.iter().filter_map(|hour| hour.occupied));
        let most = highest.fold(capacity.max(1.0), f64::max);
        let top = most * HEADROOM;
        let y = |value: f64| SIDE - value / top * SIDE;
        let x = |at: Timestamp| across(view.begin, at) * SIDE;
        let of_steps = |read: fn(&ForecastStep) -> f64| -> Vec<Point> {
            steps.iter().map(|step| (x(step.at.plus_millis(HALF_STEP_MS)), y(read(step)))).collect()
        };
        let is_run = |before: &Measured, after: &Measured| before.occupied.is_some() && after.occupied.is_some();
        let measured = view.past.chunk_by(is_run).map(|run| {
            let known = run.iter().filter_map(|hour| Some((x(hour.at), y(hour.occupied?))));
            line(&known.collect::<Vec<_>>())
        });
        let step = distance(most);
        let levels: Vec<(i64, f64)> = (0..)
            .map(|number| number * step)
            .take_while(|level| *level as f64 <= most)
            .map(|level| (level, y(level as f64) / SIDE * 100.0))
            .collect();
        let grid = levels.iter().fold(String::new(), |mut path, (_, from_top)| {
            let _ = write!(path, "M0 {:.1}H{SIDE}", from_top / 100.0 * SIDE);
            path
        });
        Self {
            measured: measured.collect(),
            expected: line(&of_steps(|step| step.expected)),
            band_80: band(&of_steps(|step| step.high_80), &of_steps(|step| step.low_80)),
            band_95: band(&of_steps(|step| step.high_95), &of_steps(|step| step.low_95)),
            capacity: format!("M0 {:.1}H{SIDE}", y(capacity)),
            grid,
            levels,
            marks: view.marks.iter().map(|mark| across(view.begin, mark.at) * 100.0).collect(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use portico_model::parking::analytics::{ForecastMethod, ForecastReason, LotForecast};

    use super::*;

    /// A day of a lot of 100 spots: 20 are expected, in the third quarter of an hour 60.
    pub(crate) fn view(method: ForecastMethod, reason: ForecastReason) -> ForecastView {
        let begin = Timestamp::from_millis(1_795_226_400_000);
        let step = |number: i64| {
            let expected = if number == 2 { 60.0 } else { 20.0 };
            ForecastStep {
                at: begin.plus_millis(number * 2 * HALF_STEP_MS),
                expected,
                low_80: expected - 5.0,
                high_80: expected + 5.0,
                low_95: expected - 10.0,
                high_95: expected + 10.0,
            }
        };
        let past = [Some(50.0), None, Some(30.0), Some(25.0)];
        let hour = |(number, occupied): (i64, Option<f64>)| Measured {
            at: begin.plus_millis((number - 4) * 3_600_000),
            time: format!("hour {number}"),
            occupied,
        };
        let forecast = LotForecast {
            lot_id: portico_model::LotId::nil(),
            made_at: begin,
            capacity: 100,
            method,
            reason,
            steps: (0..96).map(step).collect(),
            scores: Vec::new(),
        };
        ForecastView {
            begin,
            is_stale: false,
            times: (0..96).map(|number| format!("time {number}")).collect(),
            past: (0..).zip(past).map(hour).collect(),
            marks: Vec::new(),
            forecast,
        }
    }

    #[test]
    fn past_is_on_the_left_with_its_gaps_and_the_bands_on_the_right() {
        let view = view(ForecastMethod::Model, ForecastReason::ModelBetter);
        let picture = Picture::of(&view);
        // Half of 105 spots' height; a value alone is a dot.
        assert!(picture.measured.starts_with("M416.7 523.8h0M458.3 "), "{}", picture.measured);
        assert_eq!(picture.measured.matches('M').count(), 2);
        assert!(picture.expected.starts_with("M502.6 809.5L"), "{}", picture.expected);
        assert_eq!(picture.band_80.matches('L').count(), 2 * 96 - 1);
        assert!(picture.band_80.ends_with('Z') && picture.band_95.ends_with('Z'));
        assert_eq!(picture.capacity, "M0 47.6H1000");
    }

    #[test]
    fn scale_has_round_numbers_and_few_lines() {
        for (most, step) in [(1.0, 1), (5.0, 1), (8.0, 2), (100.0, 20), (101.0, 50), (480.0, 100), (501.0, 200)] {
            assert_eq!(distance(most), step, "{most}");
        }
        let view = view(ForecastMethod::Model, ForecastReason::ModelBetter);
        let levels: Vec<_> = Picture::of(&view).levels.into_iter().map(|(level, _)| level).collect();
        assert_eq!(levels, [0, 20, 40, 60, 80, 100]);
    }

    #[test]
    fn nothing_known_is_drawn_as_nothing() {
        let mut view = view(ForecastMethod::LastValue, ForecastReason::TooFewData);
        view.forecast.steps.clear();
        view.past.clear();
        let picture = Picture::of(&view);
        assert_eq!((picture.measured.as_str(), picture.expected.as_str(), picture.band_95.as_str()), ("", "", ""));
        assert!(!picture.capacity.contains("NaN"));
    }
}
