//! Who comes when, and for how long: several crowds, each a Poisson process whose rate goes by hour and weekday, with
//! log-normal stays. Which cars come on a day is a pure function of the seed and that day.

use portico_model::Timestamp;

use super::dice::Dice;
use crate::noise;

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Shortest and longest stay, minutes.
const SHORTEST_MIN: f64 = 2.0;
const LONGEST_MIN: f64 = 20.0 * 60.0;

/// How much a whole day is busier or quieter than usual: deviation of the logarithm.
const DAY_SPREAD: f64 = 0.07;

/// Cars that come for the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    pub name: &'static str,
    /// Cars an hour for each hundred spots, at the full hours of an ordinary day; between them it goes straight.
    pub by_hour: [f64; 24],
    /// What a day makes of it, from Monday on.
    pub by_day: [f64; 7],
    /// How long they stay, by the hour of their arrival: from that hour on.
    pub stays: Vec<(f64, Stay)>,
    /// Share of them that reserve.
    pub reserving: f64,
}

/// A log-normal distribution of stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stay {
    pub median_min: f64,
    /// Deviation of the logarithm.
    pub sigma: f64,
}

/// What a driver needs of a spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vehicle {
    Ordinary,
    /// It wants to charge.
    Electric,
    /// Its driver has a disability badge.
    Badge,
}

/// Somebody comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Unique; by it ties are broken and dice are thrown.
    pub id: i64,
    pub at_ms: i64,
    pub stay_ms: i64,
    pub vehicle: Vehicle,
    pub reserves: bool,
}

/// The crowds of a car park.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    pub seed: u64,
    pub crowds: Vec<Crowd>,
    /// Hundreds of spots.
    pub scale: f64,
}

/// Which day of the calendar a moment is in, counted from 1970-01-01.
#[must_use]
pub const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// From Monday, 0: 1970-01-01 was a Thursday.
#[must_use]
pub const fn weekday_of(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Midnight before the Monday of the week before.
#[must_use]
pub fn week_before(at: Timestamp) -> Timestamp {
    let day = day_of(at.millis());
    Timestamp::from_millis((day - weekday_of(day) - 7) * DAY_MS)
}

impl Crowd {
    /// Cars an hour for each hundred spots at an hour of the day, 0 to 24, of a weekday.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an hour of the day
    pub fn rate(&self, weekday: i64, hour: f64) -> f64 {
        let index = (hour.max(0.0) as usize).min(23);
        let part = (hour - hour.floor()).clamp(0.0, 1.0);
        let by_hour = self.by_hour[index] * (1.0 - part) + self.by_hour[(index + 1) % 24] * part;
        by_hour * self.by_day[usize::try_from(weekday).unwrap_or(0) % 7]
    }

    /// How long those stay who come at that hour.
    #[must_use]
    pub fn stay(&self, hour: f64) -> Stay {
        let found = self.stays.iter().rev().find(|(from, _)| *from <= hour).or(self.stays.first());
        found.map_or(Stay { median_min: 60.0, sigma: 0.5 }, |(_, stay)| *stay)
    }
}

impl Demand {
    /// Cars of a crowd an hour, at a moment.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // milliseconds of a day
    pub fn intensity(&self, crowd: &Crowd, at_ms: i64) -> f64 {
        let day = day_of(at_ms);
        let hour = at_ms.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
        crowd.rate(weekday_of(day), hour) * self.scale * self.day_factor(day)
    }

    fn day_factor(&self, day: i64) -> f64 {
        (DAY_SPREAD * Dice::new(noise::mix(self.seed, 900, day)).normal()).exp()
    }

    /// All cars of a day, in order (thinning: Lewis, Shedler: "Simulation of nonhomogeneous Poisson processes by
    /// thinning", 1979).
    #[must_use]
    pub fn arrivals(&self, day: i64) -> Vec<Arrival> {
        let mut all = Vec::new();
        for (index, crowd) in (0_i64..).zip(&self.crowds) {
            let highest = crowd.by_hour.iter().copied().fold(0.0, f64::max);
            let highest = highest * crowd.rate_factor(day) * self.scale * self.day_factor(day);
            if highest <= 0.0 {
                continue;
            }
            let mut dice = Dice::new(noise::mix(self.seed, 910 + index.unsigned_abs(), day));
            let mut hours = 0.0;
            for number in 0.. {
                hours += dice.exponential(highest);
                if hours >= 24.0 {
                    break;
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // within a day
                let at_ms = day * DAY_MS + (hours * HOUR_MS as f64) as i64;
                if !dice.chance(self.intensity(crowd, at_ms) / highest) {
                    continue;
                }
                let id = day * 1_000_000 + index * 100_000 + number;
                all.push(arrival(id, at_ms, crowd, hours, &mut dice));
            }
        }
        all.sort_by_key(|arrival| (arrival.at_ms, arrival.id));
        all
    }
}

impl Crowd {
    fn rate_factor(&self, day: i64) -> f64 {
        self.by_day[usize::try_from(weekday_of(day)).unwrap_or(0) % 7]
    }
}

/// Shares of drivers who want to charge, and who have a badge.
const ELECTRIC: f64 = 0.12;
const BADGES: f64 = 0.03;

fn arrival(id: i64, at_ms: i64, crowd: &Crowd, hour: f64, dice: &mut Dice) -> Arrival {
    let Stay { median_min, sigma } = crowd.stay(hour);
    let minutes = (median_min * (sigma * dice.normal()).exp()).clamp(SHORTEST_MIN, LONGEST_MIN);
    let who = dice.unit();
    let vehicle = if who < BADGES {
        Vehicle::Badge
    } else if who < BADGES + ELECTRIC {
        Vehicle::Electric
    } else {
        Vehicle::Ordinary
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // below a day
    let stay_ms = (minutes * MINUTE_MS as f64) as i64;
    Arrival { id, at_ms, stay_ms, vehicle, reserves: dice.chance(crowd.reserving) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parking::crowds::{office_crowds, station_crowds};

    fn demand(crowds: Vec<Crowd>) -> Demand {
        Demand { seed: 11, crowds, scale: 1.36 }
    }

    #[test]
    fn same_seed_gives_the_same_day_and_another_seed_another() {
        let one = demand(office_crowds());
        assert_eq!(one.arrivals(20_000), one.arrivals(20_000));
        assert_ne!(one.arrivals(20_000), one.arrivals(20_001));
        assert_ne!(one.arrivals(20_000), Demand { seed: 12, ..one.clone() }.arrivals(20_000));
    }

    #[test]
    #[allow(clippy::cast_precision_loss)] // counted in thousands
    fn as_many_come_in_each_hour_of_the_week_as_the_rate_says() {
        let weeks = 30;
        for crowd in office_crowds().into_iter().chain(station_crowds()) {
            let demand = demand(vec![crowd.clone()]);
            let mut counted = [[0_u32; 24]; 7];
            let mut expected = [[0.0_f64; 24]; 7];
            for day in 20_000..20_000 + 7 * weeks {
                let weekday = usize::try_from(weekday_of(day)).unwrap();
                for arrival in demand.arrivals(day) {
                    assert_eq!(day_of(arrival.at_ms), day);
                    counted[weekday][usize::try_from(arrival.at_ms.rem_euclid(DAY_MS) / HOUR_MS).unwrap()] += 1;
                }
                for (hour, expected) in (0_i64..).zip(&mut expected[weekday]) {
                    // Straight within an hour: its middle is its mean.
                    *expected += demand.intensity(&crowd, day * DAY_MS + hour * HOUR_MS + HOUR_MS / 2);
                }
            }
            let (mut deviation, mut cells) = (0.0, 0.0);
            for (counted, expected) in counted.as_flattened().iter().zip(expected.as_flattened()) {
                let off = f64::from(*counted) - expected;
                // Poisson: its variance is its mean. 4.5 deviations: one of 150,000.
                assert!(off.abs() <= 4.5 * expected.sqrt() + 1.5, "{}: {counted}, not {expected}", crowd.name);
                if *expected > 5.0 {
                    deviation += off * off / expected;
                    cells += 1.0;
                }
            }
            // Chi-squared: not too far off as a whole, and not suspiciously near.
            let bound = 4.0 * f64::sqrt(2.0 * cells);
            assert!((deviation - cells).abs() < bound, "{}: {deviation} of {cells}", crowd.name);
        }
    }

    #[test]
    #[allow(clippy::cast_precision_loss)] // minutes
    fn who_comes_in_the_morning_stays_the_working_day_and_stays_are_log_normal() {
        let demand = demand(office_crowds()[..1].to_vec());
        let mut logs: Vec<f64> = (20_000..20_060)
            .flat_map(|day| demand.arrivals(day))
            .filter(|arrival| (7..9).contains(&(arrival.at_ms.rem_euclid(DAY_MS) / HOUR_MS)))
            .map(|arrival| (arrival.stay_ms as f64 / MINUTE_MS as f64).ln())
            .collect();
        logs.sort_by(f64::total_cmp);
        let Stay { median_min, sigma } = demand.crowds[0].stay(8.0);
        let quantile = |share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let index = (logs.len() as f64 * share) as usize;
            logs[index]
        };
        assert!(logs.len() > 800, "{}", logs.len());
        assert!((quantile(0.5) - median_min.ln()).abs() < 0.03);
        // One deviation to either side of the median.
        assert!((quantile(0.841_3) - quantile(0.158_7) - 2.0 * sigma).abs() < 0.05);
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2026-11-18, a Wednesday.
        let at = Timestamp::parse_iso("2026-11-18T15:20:00Z").unwrap();
        assert_eq!(week_before(at), Timestamp::parse_iso("2026-11-09T00:00:00Z").unwrap());
        assert_eq!(weekday_of(day_of(at.millis())), 2);
    }
}
