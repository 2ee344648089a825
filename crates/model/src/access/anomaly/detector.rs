//! Learning what is usual from a log, and judging an event by it, in words.

use serde::{Deserialize, Serialize};

use super::features::{
    BURST, Building, DAY_COS, DAY_ODDS, DAY_SIN, DOOR_ODDS, FAILURES, FEATURES, Features, HOUR_COS, HOUR_ODDS,
    HOUR_SIN, History, METHOD_ODDS, REFUSED, ROOM, SINCE, Sighting, TRAVEL, UNKNOWN,
};
use super::forest::{Draw, Forest};

/// Fewest events that tell what is usual (as in the former system).
pub const FEWEST_EVENTS: usize = 50;

/// How often an event that somebody called a false alarm stands among those that a model is made from.
const FALSE_ALARM_TIMES: usize = 20;

/// At most this part of them are false alarms, however many there are: one in so many.
const FALSE_ALARM_PART: usize = 5;

/// Most reasons that are said of an event.
const MOST_REASONS: usize = 3;

/// Too few events to say what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFew {
    pub have: usize,
}

/// How many of a hundred usual events a model may find unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    pub anomaly_percent: f64,
    /// 0: none raises an alarm.
    pub alarm_percent: f64,
}

/// What was learned from a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    forest: Forest,
    building: Building,
    /// Of each feature: what half and what 98 of 100 events lie below.
    usual: Vec<(f64, f64)>,
    /// From this score on an event is unusual.
    pub threshold: f64,
    /// From this score on somebody should look.
    pub alarm_threshold: Option<f64>,
}

/// What is thought of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// 0 to 1.
    pub score: f64,
    /// What stands out, in words, the strongest first; empty when nothing does.
    pub reasons: Vec<String>,
    pub is_anomaly: bool,
    pub is_alarm: bool,
}

impl Detector {
    /// Learns from events in the order of time.
    ///
    /// # Errors
    /// When they are fewer than [`FEWEST_EVENTS`].
    pub fn train(events: &[Sighting], shares: Shares, seed: u64) -> Result<Self, TooFew> {
        if events.len() < FEWEST_EVENTS {
            return Err(TooFew { have: events.len() });
        }
        let building = Building::of(events);
        let mut history = History::default();
        let (mut usual, mut false_alarms) = (Vec::with_capacity(events.len()), Vec::new());
        for seen in events {
            let row = history.features(&building, seen);
            history.observe(seen);
            match (seen.is_anomaly, seen.is_false_alarm) {
                (_, true) => false_alarms.push(row),
                (false, false) => usual.push(row),
                // What nobody excused is no example of the usual.
                (true, false) => {}
            }
        }
        // A log in which almost all was unusual tells nothing: then all of it is the usual.
        if usual.len() < FEWEST_EVENTS {
            return Self::train(
                &events.iter().map(|seen| Sighting { is_anomaly: false, ..*seen }).collect::<Vec<_>>(),
                shares,
                seed,
            );
        }
        let ranges = (0..FEATURES).map(|feature| usual_range(&usual, feature)).collect();
        let mut rows = usual.clone();
        let room = usual.len() / FALSE_ALARM_PART;
        rows.extend(false_alarms.iter().cycle().take((false_alarms.len() * FALSE_ALARM_TIMES).min(room)));
        let forest = Forest::grow(&rows, &ROOM, seed);
        let mut scores: Vec<f64> = rows.iter().map(|row| forest.score(row)).collect();
        scores.sort_by(f64::total_cmp);
        let alarm = (shares.alarm_percent > 0.0).then(|| quantile(&scores, 1.0 - shares.alarm_percent / 100.0));
        Ok(Self {
            forest,
            building,
            usual: ranges,
            threshold: quantile(&scores, 1.0 - shares.anomaly_percent / 100.0),
            alarm_threshold: alarm,
        })
    }

    /// The numbers that describe an event.
    #[must_use]
    pub fn features(&self, history: &History, seen: &Sighting) -> Features {
        history.features(&self.building, seen)
    }

    /// What is thought of an event, from what happened before it.
    #[must_use]
    pub fn judge(&self, history: &History, seen: &Sighting) -> Verdict {
        let row = self.features(history, seen);
        let score = self.forest.score(&row);
        let is_anomaly = score > self.threshold;
        Verdict {
            score,
            reasons: self.reasons(&row, seen, is_anomaly),
            is_anomaly,
            is_alarm: is_anomaly && self.alarm_threshold.is_some_and(|threshold| score > threshold),
        }
    }

    /// What stands out, the strongest first. Of an unusual event something is always said.
    fn reasons(&self, row: &Features, seen: &Sighting, is_anomaly: bool) -> Vec<String> {
        let mut found: Vec<(f64, usize)> = (0..FEATURES)
            .filter(|feature| !matches!(*feature, HOUR_SIN | HOUR_COS | DAY_SIN | DAY_COS))
            .map(|feature| {
                let (half, high) = self.usual.get(feature).copied().unwrap_or_default();
                // Half a unit: what never moved before has no range of its own.
                ((row[feature] - half) / (high - half + 0.5), feature)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let stands_out = |(strength, feature): &&(f64, usize)| *strength > 1.0 && row[*feature] > least(*feature);
        let mut reasons: Vec<String> = found
            .iter()
            .filter(stands_out)
            .take(MOST_REASONS)
            .map(|(_, feature)| sentence(*feature, row, seen))
            .collect();
        if reasons.is_empty() && is_anomaly {
            reasons.push("Nothing alone, but time, door and person together are unusual".to_owned());
        }
        reasons
    }
}

/// What a feature must at least be to be worth a word.
const fn least(feature: usize) -> f64 {
    match feature {
        // Rarer than if everything were as frequent.
        HOUR_ODDS | DAY_ODDS | DOOR_ODDS | METHOD_ODDS => 0.7,
        // More than one refusal; twice as fast; more than three times an hour.
        FAILURES => 1.0,
        TRAVEL => 0.6,
        BURST => 1.5,
        // Longer than two days.
        SINCE => 12.0,
        _ => 0.5,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small counts
fn sentence(feature: usize, row: &Features, seen: &Sighting) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let who = if seen.person.is_some() { "this person" } else { "this building" };
    let count = |feature: usize| row[feature].exp_m1().round() as u32;
    match feature {
        HOUR_ODDS => {
            format!("{:02}:{:02} is an unusual time of day for {who}", seen.minute / 60 % 24, seen.minute % 60)
        }
        DAY_ODDS => format!("{} is an unusual day for {who}", DAYS[usize::from(seen.weekday) % 7]),
        DOOR_ODDS => format!("An unusual door for {who}"),
        METHOD_ODDS => format!("{who} does not usually come by {}", seen.method.as_str()).replacen("this", "This", 1),
        FAILURES => format!("{} refusals in the ten minutes before", count(FAILURES)),
        SINCE => "This person has not been seen for days".to_owned(),
        TRAVEL => "Faster from the door before than anybody walks".to_owned(),
        REFUSED => "Was refused".to_owned(),
        UNKNOWN => "Nobody has this card, code or finger".to_owned(),
        _ => format!("{} times within the hour before", count(BURST)),
    }
}

fn usual_range(rows: &[Features], feature: usize) -> (f64, f64) {
    let mut values: Vec<f64> = rows.iter().map(|row| row[feature]).collect();
    values.sort_by(f64::total_cmp);
    (quantile(&values, 0.5), quantile(&values, 0.98))
}

/// Of sorted values, what this part lies below.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let index = (part.clamp(0.0, 1.0) * sorted.len() as f64) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The plain way, to compare with: how many standard deviations the oddest number of an event lies from its mean.
#[derive(Debug, Clone)]
pub struct ZScore {
    of: Vec<(f64, f64)>,
}

impl ZScore {
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of events
    pub fn of(rows: &[Features]) -> Self {
        let count = rows.len().max(1) as f64;
        let of = (0..FEATURES)
            .map(|feature| {
                let mean = rows.iter().map(|row| row[feature]).sum::<f64>() / count;
                let variance = rows.iter().map(|row| (row[feature] - mean).powi(2)).sum::<f64>() / count;
                (mean, variance.sqrt().max(1e-6))
            })
            .collect();
        Self { of }
    }

    /// The largest of all.
    #[must_use]
    pub fn largest(&self, row: &Features) -> f64 {
        self.each(row).fold(0.0, f64::max)
    }

    /// The root of their mean square.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // fourteen
    pub fn together(&self, row: &Features) -> f64 {
        (self.each(row).map(|z| z * z).sum::<f64>() / FEATURES as f64).sqrt()
    }

    fn each<'a>(&'a self, row: &'a Features) -> impl Iterator<Item = f64> + 'a {
        self.of.iter().zip(row).map(|((mean, deviation), value)| ((value - mean) / deviation).abs())
    }
}

/// A seed that is the same for the same organisation and version, so that a model can be made again.
#[must_use]
pub fn seed_of(organization: crate::OrganizationId, version: i64) -> u64 {
    let (high, low) = organization.uuid().as_u64_pair();
    Draw::new(high ^ low.rotate_left(17) ^ version.unsigned_abs()).bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Method;
    use crate::{DoorId, PersonId, Timestamp};

    const SHARES: Shares = Shares { anomaly_percent: 1.0, alarm_percent: 0.2 };

    fn seen(day: i64, minute: u16, person: u128, door: u128) -> Sighting {
        Sighting {
            at: Timestamp::from_millis(day * 86_400_000 + i64::from(minute) * 60_000),
            weekday: u8::try_from(day % 7).unwrap(),
            minute,
            person: Some(PersonId::from_uuid(uuid::Uuid::from_u128(person))),
            door: Some(DoorId::from_uuid(uuid::Uuid::from_u128(door))),
            method: Method::Rfid,
            granted: true,
            is_anomaly: false,
            is_false_alarm: false,
        }
    }

    /// Ten people, eight weeks of working days, three doors.
    fn office() -> Vec<Sighting> {
        let mut draw = Draw::new(1);
        let mut events = Vec::new();
        for day in (0..56).filter(|day| day % 7 < 5) {
            for person in 1..=10_u16 {
                let late = u16::try_from(draw.below(40)).unwrap();
                let base = 480 + person * 10 + late;
                events.push(seen(day, base, u128::from(person), 1));
                events.push(seen(day, base + 2, u128::from(person), 2 + u128::from(person % 2)));
                events.push(seen(day, base + 240, u128::from(person), 1));
            }
        }
        events.sort_by_key(|event| event.at);
        events
    }

    fn history(events: &[Sighting]) -> History {
        let mut history = History::default();
        events.iter().for_each(|event| history.observe(event));
        history
    }

    #[test]
    fn too_few_events_are_said_to_be_too_few() {
        let events = office();
        assert_eq!(Detector::train(&events[..49], SHARES, 1).unwrap_err(), TooFew { have: 49 });
        assert!(Detector::train(&events[..50], SHARES, 1).is_ok());
    }

    #[test]
    fn night_visit_is_unusual_and_says_so_while_a_working_day_is_not() {
        let events = office();
        let (detector, history) = (Detector::train(&events, SHARES, 1).unwrap(), history(&events));
        let usual = detector.judge(&history, &seen(56, 510, 3, 1));
        assert!(!usual.is_anomaly && usual.reasons.is_empty(), "{usual:?}");
        let night = detector.judge(&history, &seen(61, 170, 3, 1));
        assert!(night.is_anomaly && night.score > usual.score, "{night:?} {usual:?}");
        let text = night.reasons.join("; ");
        assert!(text.contains("02:50 is an unusual time of day") && text.contains("Saturday"), "{text}");
    }

    #[test]
    fn what_was_called_a_false_alarm_is_less_unusual_after_the_next_training() {
        let mut events = office();
        let night = Sighting { is_anomaly: true, ..seen(54, 170, 3, 1) };
        events.push(night);
        events.sort_by_key(|event| event.at);
        let judged = |events: &[Sighting]| {
            let detector = Detector::train(events, SHARES, 1).unwrap();
            detector.judge(&history(events), &seen(61, 171, 3, 1)).score
        };
        let before = judged(&events);
        for event in &mut events {
            event.is_false_alarm = event.at == night.at && event.is_anomaly;
        }
        let after = judged(&events);
        assert!(after < before - 0.05, "{before} {after}");
    }

    #[test]
    fn same_log_and_seed_give_the_same_model_which_json_keeps() {
        let events = office();
        let detector = Detector::train(&events, SHARES, 5).unwrap();
        assert_eq!(detector, Detector::train(&events, SHARES, 5).unwrap());
        let kept: Detector = serde_json::from_slice(&serde_json::to_vec(&detector).unwrap()).unwrap();
        let (history, one) = (history(&events), seen(61, 170, 3, 1));
        assert_eq!(kept.judge(&history, &one), detector.judge(&history, &one));
    }

    #[test]
    fn log_of_nothing_but_anomalies_still_gives_a_model() {
        let events: Vec<_> = office().into_iter().map(|event| Sighting { is_anomaly: true, ..event }).collect();
        assert!(Detector::train(&events, SHARES, 1).is_ok());
    }
}
