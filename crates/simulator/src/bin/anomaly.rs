//! `portico-anomaly`: how well unusual access is found. Makes the log of an office with habits and, among it, attacks that
//! are known to be attacks; learns from the first eight weeks as Portico does (not knowing which are attacks) and judges
//! the four that follow. Writes the table of `docs/anomaly.md`. The same seeds give the same figures.

use portico_model::access::Method;
use portico_model::access::anomaly::detector::{Detector, Shares, ZScore};
use portico_model::access::anomaly::features::{Building, Features, History, Sighting};
use portico_model::access::anomaly::forest::Draw;
use portico_model::{DoorId, PersonId, Timestamp};

const PEOPLE: usize = 60;
const DOORS: usize = 8;
const DAYS: i64 = 84;
const LEARN_DAYS: i64 = 56;
const SEEDS: u64 = 10;

/// What is known of an event, besides the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Usual,
    Attack(&'static str),
}

const KINDS: [&str; 6] =
    ["stolen card at night", "somebody else's door", "weekend visit", "copied card", "guessing", "unknown cards"];

type Labelled = (Sighting, Label);

fn person(number: usize) -> PersonId {
    format!("{:032x}", number + 1).parse().unwrap_or_else(|_| PersonId::nil())
}

fn door(number: usize) -> DoorId {
    format!("{:032x}", number + 1).parse().unwrap_or_else(|_| DoorId::nil())
}

/// About a bell curve around 0 with this deviation.
fn bell(draw: &mut Draw, deviation: f64) -> f64 {
    ((0..12).map(|_| draw.unit()).sum::<f64>() - 6.0) * deviation
}

/// An event at a minute of a day; day 0 is a Monday.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // minutes of a day
fn at(day: i64, minute: f64, who: Option<usize>, place: usize, granted: bool) -> Sighting {
    let minute = minute.clamp(0.0, 1_439.9);
    Sighting {
        at: Timestamp::from_millis(1_767_571_200_000 + day * 86_400_000 + (minute * 60_000.0) as i64),
        weekday: u8::try_from(day.rem_euclid(7)).unwrap_or_default(),
        minute: minute as u16,
        person: who.map(person),
        door: Some(door(place)),
        method: Method::Rfid,
        granted,
        is_anomaly: false,
        is_false_alarm: false,
    }
}

struct Habit {
    starts: f64,
    ends: f64,
    own: usize,
    also: usize,
    works_saturday: bool,
    by_finger: bool,
}

/// Three of four come at about eight, some late, the night watch at ten in the evening.
#[allow(clippy::cast_precision_loss)] // sixty people
fn habits(draw: &mut Draw) -> Vec<Habit> {
    (0..PEOPLE)
        .map(|number| {
            let starts = match number % 12 {
                0 | 1 => 780.0 + bell(draw, 20.0),
                2 => 1_290.0,
                _ => 480.0 + bell(draw, 35.0),
            };
            Habit {
                starts,
                ends: (starts + 500.0 + bell(draw, 20.0)).min(1_435.0),
                own: 1 + draw.below(DOORS - 1),
                also: 1 + draw.below(DOORS - 1),
                works_saturday: number % 10 == 3,
                by_finger: number % 5 == 4,
            }
        })
        .collect()
}

/// A day of somebody: in, to the own door, lunch, sometimes elsewhere, sometimes the wrong finger first.
fn ordinary_day(day: i64, number: usize, habit: &Habit, draw: &mut Draw, log: &mut Vec<Labelled>) {
    let weekday = day.rem_euclid(7);
    let comes = match weekday {
        0..=4 => draw.unit() < 0.92,
        5 => habit.works_saturday && draw.unit() < 0.8,
        _ => draw.unit() < 0.004,
    };
    if !comes {
        return;
    }
    let mut usual = |minute: f64, place: usize, granted: bool| {
        let method = if habit.by_finger && place == 0 { Method::Fingerprint } else { Method::Rfid };
        log.push((Sighting { method, ..at(day, minute, Some(number), place, granted) }, Label::Usual));
    };
    let starts = habit.starts + bell(draw, 12.0);
    if draw.unit() < 0.03 {
        usual(starts - 0.3, 0, false);
    }
    usual(starts, 0, true);
    usual(starts + 1.5 + draw.unit() * 2.0, habit.own, true);
    if draw.unit() < 0.7 {
        usual(starts + 240.0 + bell(draw, 15.0), 0, true);
        usual(starts + 242.0 + draw.unit() * 20.0 + 15.0, habit.own, true);
    }
    if draw.unit() < 0.3 {
        usual(starts + 60.0 + draw.unit() * 300.0, habit.also, true);
    }
    // Overtime and the odd late evening are no attacks.
    let ends = if draw.unit() < 0.04 { habit.ends + 60.0 + draw.unit() * 120.0 } else { habit.ends + bell(draw, 15.0) };
    usual(ends, 0, true);
}

#[allow(clippy::cast_precision_loss)] // a few tries
fn attack(day: i64, draw: &mut Draw, habits: &[Habit], log: &mut Vec<Labelled>) {
    let kind = KINDS[draw.below(KINDS.len())];
    let who = draw.below(PEOPLE);
    let own = habits[who].own;
    let workday = day - day.rem_euclid(7) + day.rem_euclid(5);
    let mut bad = |seen: Sighting| log.push((seen, Label::Attack(kind)));
    match kind {
        "stolen card at night" => {
            let minute = 90.0 + draw.unit() * 180.0;
            bad(at(workday, minute, Some(who), 0, true));
            bad(at(workday, minute + 3.0, Some(who), 1 + draw.below(DOORS - 1), draw.unit() < 0.5));
        }
        "somebody else's door" => {
            let place = 1 + (own + draw.below(DOORS - 2)) % (DOORS - 1);
            bad(at(workday, habits[who].starts.min(1_000.0) + 30.0 + draw.unit() * 300.0, Some(who), place, false));
        }
        "weekend visit" => {
            let saturday = day - day.rem_euclid(7) + 5 + i64::from(draw.unit() < 0.5);
            bad(at(saturday, 600.0 + draw.unit() * 400.0, Some(who), own, true));
        }
        "copied card" => {
            // Seconds after the person was elsewhere: the copy is at another door.
            let last = log_of(log, workday, who).unwrap_or_else(|| at(workday, 600.0, Some(who), 0, true));
            let mut copy = at(workday, f64::from(last.minute), Some(who), if own == 1 { 2 } else { own - 1 }, true);
            copy.at = last.at.plus_secs(3 + i64::try_from(draw.below(5)).unwrap_or_default());
            log.push((copy, Label::Attack(kind)));
        }
        "guessing" => {
            let (place, minute) = (1 + draw.below(DOORS - 1), 500.0 + draw.unit() * 700.0);
            for step in 0..6 {
                let seen = at(workday, minute + f64::from(step) * 0.4, None, place, false);
                bad(Sighting { method: Method::Pin, ..seen });
            }
        }
        _ => {
            let (place, minute) = (draw.below(DOORS), draw.unit() * 1_400.0);
            for step in 0..2 {
                bad(at(day, minute + f64::from(step), None, place, false));
            }
        }
    }
}

fn log_of(log: &[Labelled], day: i64, who: usize) -> Option<Sighting> {
    let begin = at(day, 0.0, None, 0, true).at;
    let of_day = |seen: &Sighting| (0..86_400_000).contains(&seen.at.millis_since(begin));
    log.iter().map(|(seen, _)| *seen).find(|seen| seen.person == Some(person(who)) && of_day(seen))
}

/// Twelve weeks; about one event in a hundred is part of an attack.
fn office(seed: u64) -> Vec<Labelled> {
    let mut draw = Draw::new(seed);
    let habits = habits(&mut draw);
    let mut log = Vec::new();
    for day in 0..DAYS {
        for (number, habit) in habits.iter().enumerate() {
            ordinary_day(day, number, habit, &mut draw, &mut log);
        }
        let attacks = usize::from(draw.unit() < 0.75) + usize::from(draw.unit() < 0.25);
        for _ in 0..attacks {
            attack(day, &mut draw, &habits, &mut log);
        }
    }
    log.sort_by_key(|(seen, _)| seen.at);
    log
}

/// Chance that an attack scores higher than a usual event: the area under the ROC curve.
#[allow(clippy::cast_precision_loss)] // counts
fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut rank) = (0.0, 0);
    while rank < sorted.len() {
        let same = sorted[rank..].iter().take_while(|one| one.0.total_cmp(&sorted[rank].0).is_eq()).count();
        let mean = rank as f64 + (same as f64 + 1.0) / 2.0;
        ranks += mean * sorted[rank..rank + same].iter().filter(|one| one.1).count() as f64;
        rank += same;
    }
    let attacks = scored.iter().filter(|one| one.1).count() as f64;
    let usual = scored.len() as f64 - attacks;
    (ranks - attacks * (attacks + 1.0) / 2.0) / (attacks * usual)
}

/// Of the highest one in a hundred, how many are attacks; and how many of all attacks these are.
#[allow(clippy::cast_precision_loss)] // counts
fn at_one_percent(scored: &[(f64, bool)]) -> (f64, f64) {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let alarms = (sorted.len() / 100).max(1);
    let hits = sorted[..alarms].iter().filter(|one| one.1).count() as f64;
    (hits / alarms as f64, hits / sorted.iter().filter(|one| one.1).count().max(1) as f64)
}

#[derive(Default)]
struct Figures {
    auc: Vec<f64>,
    precision: Vec<f64>,
    recall: Vec<f64>,
}

impl Figures {
    fn add(&mut self, scored: &[(f64, bool)]) {
        self.auc.push(auc(scored));
        let (precision, recall) = at_one_percent(scored);
        self.precision.push(precision);
        self.recall.push(recall);
    }

    fn line(&self, name: &str) -> String {
        format!("| {name} | {} | {} | {} |", spread(&self.auc), spread(&self.precision), spread(&self.recall))
    }
}

/// Mean, and from the lowest to the highest.
#[allow(clippy::cast_precision_loss)] // ten
fn spread(values: &[f64]) -> String {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{mean:.3} ({low:.3}–{high:.3})")
}

fn main() {
    let (mut forest, mut largest, mut together) = (Figures::default(), Figures::default(), Figures::default());
    let mut by_kind: Vec<(&str, usize, usize)> = KINDS.iter().map(|kind| (*kind, 0, 0)).collect();
    let (mut judged, mut attacks, mut flagged) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let log = office(seed);
        let begin = at(0, 0.0, None, 0, true).at.plus_millis(LEARN_DAYS * 86_400_000);
        let past: Vec<Sighting> = log.iter().map(|(seen, _)| *seen).filter(|seen| seen.at < begin).collect();
        let shares = Shares { anomaly_percent: 1.0, alarm_percent: 0.2 };
        let Ok(detector) = Detector::train(&past, shares, seed) else {
            eprintln!("too few events");
            std::process::exit(1);
        };
        let building = Building::of(&past);
        let mut history = History::default();
        let mut rows: Vec<Features> = Vec::new();
        let mut scored: [Vec<(f64, bool)>; 3] = Default::default();
        let mut plain = None;
        for (seen, label) in &log {
            if seen.at < begin {
                rows.push(history.features(&building, seen));
            } else {
                let plain = plain.get_or_insert_with(|| ZScore::of(&rows));
                let (row, verdict) = (history.features(&building, seen), detector.judge(&history, seen));
                let is_attack = *label != Label::Usual;
                scored[0].push((verdict.score, is_attack));
                scored[1].push((plain.largest(&row), is_attack));
                scored[2].push((plain.together(&row), is_attack));
                flagged += usize::from(verdict.is_anomaly);
                judged += 1;
                if let Label::Attack(kind) = label {
                    attacks += 1;
                    if let Some(found) = by_kind.iter_mut().find(|found| found.0 == *kind) {
                        found.1 += 1;
                        found.2 += usize::from(verdict.is_anomaly);
                    }
                }
            }
            history.observe(seen);
        }
        forest.add(&scored[0]);
        largest.add(&scored[1]);
        together.add(&scored[2]);
    }
    println!("{SEEDS} offices, {judged} events judged, {attacks} of attacks, {flagged} found unusual\n");
    println!("| | AUC | precision at 1 % alarms | attacks among them |\n|---|---|---|---|");
    println!("{}", forest.line("isolation forest"));
    println!("{}", largest.line("z-score, the largest"));
    println!("{}", together.line("z-score, root mean square"));
    println!("\n| attack | events | found unusual |\n|---|---|---|");
    for (kind, events, found) in by_kind {
        println!("| {kind} | {events} | {found} |");
    }
}
