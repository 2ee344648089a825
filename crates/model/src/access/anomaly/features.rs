//! What is looked at in an event: twelve and some numbers, from the event, the person's own past, and the building's.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::access::Method;
use crate::{DoorId, PersonId, Timestamp};

/// How many numbers describe an event.
pub const FEATURES: usize = 14;

pub const HOUR_SIN: usize = 0;
pub const HOUR_COS: usize = 1;
pub const DAY_SIN: usize = 2;
pub const DAY_COS: usize = 3;
/// How rare this hour is for the person: natural logarithm, 0 when every hour is as frequent.
pub const HOUR_ODDS: usize = 4;
pub const DAY_ODDS: usize = 5;
pub const DOOR_ODDS: usize = 6;
pub const METHOD_ODDS: usize = 7;
/// Refusals in the last ten minutes, of this person or at this door, whichever are more; logarithm.
pub const FAILURES: usize = 8;
/// Time since the person was seen last; logarithm of seconds.
pub const SINCE: usize = 9;
/// How much faster than usual the person came from the door before; logarithm, 0 when not faster.
pub const TRAVEL: usize = 10;
pub const REFUSED: usize = 11;
/// Nobody has what was shown.
pub const UNKNOWN: usize = 12;
/// How often the person came in the last hour; logarithm.
pub const BURST: usize = 13;

/// How far above everything seen a cut may fall. The circle has no above; times since last have no meaning there.
pub const ROOM: [f64; FEATURES] = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0, 0.5, 0.5, 0.5];

pub type Features = [f64; FEATURES];

const FAILURE_WINDOW_MS: i64 = 600_000;
const HOUR_MS: i64 = 3_600_000;

/// A way between doors that took longer than this was no way.
const LONGEST_WAY_MS: i64 = 1_800_000;

/// So many ways between two doors before it is known how long it takes.
const FEWEST_WAYS: usize = 5;

/// How many events the building's habits count for, beside a person's own.
const PRIOR: f64 = 5.0;

/// Time since last, when nobody was seen before: a week.
const NEVER_S: f64 = 604_800.0;

/// An event, as far as habits go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    pub at: Timestamp,
    /// 0 Monday, in the building's time.
    pub weekday: u8,
    /// Of the day, in the building's time.
    pub minute: u16,
    pub person: Option<PersonId>,
    pub door: Option<DoorId>,
    pub method: Method,
    pub granted: bool,
    /// Found unusual before.
    pub is_anomaly: bool,
    /// A person said that there was nothing to it.
    pub is_false_alarm: bool,
}

impl Sighting {
    /// How much is learned from it. A refusal makes no habit, and what was unusual makes one only slowly, unless
    /// somebody said that there was nothing to it.
    fn weight(&self) -> f64 {
        match (self.is_false_alarm, self.granted, self.is_anomaly) {
            (true, _, _) => 4.0,
            (false, true, false) => 1.0,
            (false, true, true) => 0.25,
            (false, false, _) => 0.0,
        }
    }
}

/// Who comes when, where and how: counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    total: f64,
    hours: [f64; 24],
    days: [f64; 7],
    doors: BTreeMap<DoorId, f64>,
    methods: BTreeMap<Method, f64>,
}

impl Habits {
    fn learn(&mut self, seen: &Sighting, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        self.total += weight;
        // Half past eight is as near to eight as to nine.
        let (hour, part) = (usize::from(seen.minute / 60) % 24, f64::from(seen.minute % 60) / 60.0);
        self.hours[hour] += weight * (1.0 - part);
        self.hours[(hour + 1) % 24] += weight * part;
        self.days[usize::from(seen.weekday) % 7] += weight;
        if let Some(door) = seen.door {
            *self.doors.entry(door).or_default() += weight;
        }
        *self.methods.entry(seen.method).or_default() += weight;
    }

    /// Events around this time of day.
    fn around(&self, minute: u16) -> f64 {
        let (hour, part) = (usize::from(minute / 60) % 24, f64::from(minute % 60) / 60.0);
        let at = |offset: usize| self.hours[(hour + offset) % 24];
        // A triangle two hours wide around the minute.
        at(23) * 0.25 * (1.0 - part)
            + at(0) * (0.5 * (1.0 - part) + 0.25 * part)
            + at(1) * (0.25 * (1.0 - part) + 0.5 * part)
            + at(2) * 0.25 * part
    }
}

/// How rare: logarithm of how much rarer than if all `kinds` were as frequent. The person's own counts, and behind them
/// those of the building, and behind them that everything can happen.
#[allow(clippy::cast_precision_loss)] // a few doors
fn odds(own: f64, own_total: f64, common: f64, common_total: f64, kinds: usize) -> f64 {
    let kinds = kinds.max(1) as f64;
    let in_building = (common + 0.5) / (common_total + 0.5 * kinds);
    let for_person = (own + PRIOR * in_building) / (own_total + PRIOR);
    -(for_person * kinds).ln()
}

/// What a person did so far.
#[derive(Debug, Clone, Default)]
pub struct Past {
    habits: Habits,
    last: Option<(Timestamp, Option<DoorId>)>,
    /// Of the last hour: when, and whether it was a refusal.
    recent: VecDeque<(Timestamp, bool)>,
}

/// The ways of a whole building.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Building {
    habits: Habits,
    /// From door to door: the seconds that only one in ten needs less than. Sorted.
    ways: Vec<(DoorId, DoorId, f64)>,
}

impl Building {
    /// Learns from events in the order of time.
    #[must_use]
    pub fn of(events: &[Sighting]) -> Self {
        let mut building = Self::default();
        let mut last: BTreeMap<PersonId, (Timestamp, DoorId)> = BTreeMap::new();
        let mut ways: BTreeMap<(DoorId, DoorId), Vec<i64>> = BTreeMap::new();
        for seen in events {
            let weight = seen.weight();
            building.habits.learn(seen, weight);
            let (Some(person), Some(door)) = (seen.person, seen.door) else { continue };
            if weight < 1.0 {
                continue;
            }
            if let Some((at, from)) = last.insert(person, (seen.at, door)) {
                let took = seen.at.millis_since(at);
                if from != door && (0..LONGEST_WAY_MS).contains(&took) {
                    ways.entry((from, door)).or_default().push(took);
                }
            }
        }
        for ((from, to), mut took) in ways {
            if took.len() >= FEWEST_WAYS {
                took.sort_unstable();
                #[allow(clippy::cast_precision_loss)] // half an hour
                building.ways.push((from, to, took[took.len() / 10] as f64 / 1_000.0));
            }
        }
        building
    }

    /// Seconds that the way takes when one hurries.
    fn way_s(&self, from: DoorId, to: DoorId) -> Option<f64> {
        let index = self.ways.binary_search_by(|(a, b, _)| (*a, *b).cmp(&(from, to))).ok()?;
        self.ways.get(index).map(|(_, _, seconds)| *seconds)
    }
}

/// What happened before the events that are looked at, as it goes on.
#[derive(Debug, Clone, Default)]
pub struct History {
    people: BTreeMap<PersonId, Past>,
    /// Refusals of the last minutes.
    refusals: BTreeMap<Option<DoorId>, VecDeque<Timestamp>>,
}

impl History {
    /// The numbers that describe an event, from what happened before it.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of minutes
    pub fn features(&self, building: &Building, seen: &Sighting) -> Features {
        let nothing = Past::default();
        let past = seen.person.and_then(|person| self.people.get(&person)).unwrap_or(&nothing);
        let (own, common) = (&past.habits, &building.habits);
        let hour = std::f64::consts::TAU * f64::from(seen.minute) / 1_440.0;
        let day = std::f64::consts::TAU * f64::from(seen.weekday) / 7.0;
        let own_refusals =
            past.recent.iter().filter(|(at, refused)| *refused && is_within(*at, seen.at, FAILURE_WINDOW_MS));
        let there = self
            .refusals
            .get(&seen.door)
            .map_or(0, |times| times.iter().filter(|at| is_within(**at, seen.at, FAILURE_WINDOW_MS)).count());
        let burst = past.recent.iter().filter(|(at, _)| is_within(*at, seen.at, HOUR_MS)).count();
        let since_s =
            past.last.map_or(NEVER_S, |(at, _)| (seen.at.millis_since(at).max(0) as f64 / 1_000.0).min(NEVER_S));
        let in_building =
            |door: Option<DoorId>, habits: &Habits| door.and_then(|door| habits.doors.get(&door).copied());
        let mut row = [0.0; FEATURES];
        row[HOUR_SIN] = hour.sin();
        row[HOUR_COS] = hour.cos();
        row[DAY_SIN] = day.sin();
        row[DAY_COS] = day.cos();
        row[HOUR_ODDS] = odds(own.around(seen.minute), own.total, common.around(seen.minute), common.total, 24);
        let weekday = usize::from(seen.weekday) % 7;
        row[DAY_ODDS] = odds(own.days[weekday], own.total, common.days[weekday], common.total, 7);
        row[DOOR_ODDS] = match seen.door {
            Some(_) => odds(
                in_building(seen.door, own).unwrap_or_default(),
                own.total,
                in_building(seen.door, common).unwrap_or_default(),
                common.total,
                common.doors.len(),
            ),
            None => 0.0,
        };
        let by_method = |habits: &Habits| habits.methods.get(&seen.method).copied().unwrap_or_default();
        row[METHOD_ODDS] = odds(by_method(own), own.total, by_method(common), common.total, common.methods.len());
        row[FAILURES] = (own_refusals.count().max(there) as f64).ln_1p();
        row[SINCE] = since_s.ln_1p();
        row[TRAVEL] = travel(building, past, seen, since_s);
        row[REFUSED] = f64::from(u8::from(!seen.granted));
        row[UNKNOWN] = f64::from(u8::from(seen.person.is_none()));
        row[BURST] = (burst as f64).ln_1p();
        row
    }

    /// The event is past now.
    pub fn observe(&mut self, seen: &Sighting) {
        if !seen.granted {
            let times = self.refusals.entry(seen.door).or_default();
            times.push_back(seen.at);
            while times.front().is_some_and(|at| !is_within(*at, seen.at, FAILURE_WINDOW_MS)) {
                times.pop_front();
            }
        }
        let Some(person) = seen.person else { return };
        let past = self.people.entry(person).or_default();
        past.habits.learn(seen, seen.weight());
        past.recent.push_back((seen.at, !seen.granted));
        while past.recent.front().is_some_and(|(at, _)| !is_within(*at, seen.at, HOUR_MS)) {
            past.recent.pop_front();
        }
        past.last = Some((seen.at, seen.door));
    }
}

fn is_within(at: Timestamp, now: Timestamp, window_ms: i64) -> bool {
    (0..=window_ms).contains(&now.millis_since(at))
}

fn travel(building: &Building, past: &Past, seen: &Sighting, since_s: f64) -> f64 {
    /// Two doors are at least so far apart that nobody is at both within two seconds.
    const NEAREST_S: f64 = 2.0;
    let (Some((_, Some(from))), Some(to)) = (past.last, seen.door) else { return 0.0 };
    if from == to {
        return 0.0;
    }
    let usual = building.way_s(from, to).unwrap_or(NEAREST_S);
    (usual / since_s.max(0.5)).ln().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn door(number: u128) -> DoorId {
        DoorId::from_uuid(uuid::Uuid::from_u128(number))
    }

    /// On so many working days from Monday, at this minute.
    fn seen(day: i64, minute: u16, person: u128, at_door: u128) -> Sighting {
        Sighting {
            at: Timestamp::from_millis(day * DAY_MS + i64::from(minute) * 60_000),
            weekday: u8::try_from(day % 7).unwrap(),
            minute,
            person: Some(PersonId::from_uuid(uuid::Uuid::from_u128(person))),
            door: Some(door(at_door)),
            method: Method::Rfid,
            granted: true,
            is_anomaly: false,
            is_false_alarm: false,
        }
    }

    /// Four weeks of somebody who comes at nine on working days and walks on to door 2 after a minute.
    fn weeks() -> Vec<Sighting> {
        (0..28).filter(|day| day % 7 < 5).flat_map(|day| [seen(day, 540, 1, 1), seen(day, 541, 1, 2)]).collect()
    }

    fn after(events: &[Sighting], next: &Sighting) -> Features {
        let building = Building::of(events);
        let mut history = History::default();
        events.iter().for_each(|event| history.observe(event));
        history.features(&building, next)
    }

    #[test]
    fn midnight_and_sunday_are_near_to_what_follows_them() {
        let (late, early) = (after(&[], &seen(6, 1_439, 1, 1)), after(&[], &seen(7, 0, 1, 1)));
        let apart = |a: usize, b: usize| ((late[a] - early[a]).powi(2) + (late[b] - early[b]).powi(2)).sqrt();
        assert!(apart(HOUR_SIN, HOUR_COS) < 0.01);
        assert!(apart(DAY_SIN, DAY_COS) < 0.9);
    }

    #[test]
    fn habits_make_the_usual_likely_and_the_rest_rare() {
        let events = weeks();
        let (usual, odd) = (after(&events, &seen(28, 545, 1, 1)), after(&events, &seen(33, 180, 1, 9)));
        assert!(usual[HOUR_ODDS] < -1.0 && odd[HOUR_ODDS] > 2.0, "{usual:?} {odd:?}");
        assert!(usual[DAY_ODDS] < 0.0 && odd[DAY_ODDS] > 1.0);
        assert!(usual[DOOR_ODDS] < 0.5 && odd[DOOR_ODDS] > 2.0);
        let by_pin = Sighting { method: Method::Pin, ..seen(28, 545, 1, 1) };
        assert!(after(&events, &by_pin)[METHOD_ODDS] > usual[METHOD_ODDS] + 2.0);
    }

    #[test]
    fn nobody_is_at_two_doors_at_once() {
        let mut events = weeks();
        events.push(seen(28, 540, 1, 1));
        let (mut soon, usual) = (seen(28, 540, 1, 2), seen(28, 541, 1, 2));
        soon.at = soon.at.plus_secs(5);
        assert!(after(&events, &soon)[TRAVEL] > 2.0);
        assert!(after(&events, &usual)[TRAVEL] < 0.1);
        let same_door = Sighting { door: Some(door(1)), ..soon };
        assert!(after(&events, &same_door)[TRAVEL].abs() < 1e-9);
    }

    #[test]
    fn refusals_count_for_ten_minutes_at_the_door_and_with_the_person() {
        let refused = |minute| Sighting { granted: false, ..seen(0, minute, 1, 1) };
        let events = [refused(600), refused(601), refused(602)];
        assert!((after(&events, &seen(0, 603, 1, 2))[FAILURES] - 3_f64.ln_1p()).abs() < 1e-9, "the person's own");
        assert!((after(&events, &seen(0, 603, 2, 1))[FAILURES] - 3_f64.ln_1p()).abs() < 1e-9, "the door's");
        assert!(after(&events, &seen(0, 603, 2, 2))[FAILURES].abs() < 1e-9);
        assert!(after(&events, &seen(0, 620, 1, 1))[FAILURES].abs() < 1e-9, "long ago");
    }

    #[test]
    fn refusal_makes_no_habit_and_a_false_alarm_makes_one() {
        let night =
            |is_false_alarm| Sighting { granted: false, is_anomaly: true, is_false_alarm, ..seen(25, 180, 1, 9) };
        let next = seen(28, 180, 1, 9);
        let with = |is_false_alarm| {
            let mut events = weeks();
            events.extend([night(is_false_alarm); 3]);
            after(&events, &next)
        };
        assert!(with(true)[HOUR_ODDS] + 1.0 < with(false)[HOUR_ODDS]);
        assert!(with(true)[DOOR_ODDS] + 1.0 < with(false)[DOOR_ODDS]);
    }

    #[test]
    fn every_number_is_finite_whatever_comes() {
        let strange = Sighting {
            at: Timestamp::from_millis(-5),
            weekday: 200,
            minute: 65_000,
            door: None,
            person: None,
            ..seen(0, 0, 1, 1)
        };
        for events in [vec![], weeks(), vec![strange; 3]] {
            for next in [strange, seen(0, 0, 1, 1), seen(90, 1_439, 7, 7)] {
                assert!(after(&events, &next).iter().all(|number| number.is_finite()));
            }
        }
    }
}
