//! Who comes to the doors: people with habits, and now and then somebody who has no business there. The same seed
//! always gives the same visits, and each says whether it is an attack, so that what finds attacks can be judged.

use serde::{Deserialize, Serialize};

use crate::noise;

/// Somebody with a card.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub name: String,
    pub card: String,
    /// When he usually comes and goes, minutes of the day.
    pub arrives: i64,
    pub leaves: i64,
    /// His own door, of those that there are.
    pub door: usize,
    /// One who also works on a Saturday.
    pub saturdays: bool,
    seed: u64,
}

/// What is wrong with a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// Somebody's card, at night.
    StolenCard,
    /// Card after card that nobody has.
    Guessing,
    /// The same card at two doors within seconds.
    Cloned,
    /// A door where its holder never goes, at a strange hour.
    Wandering,
}

/// Somebody stands before a reader.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// Minutes since the first midnight.
    pub minute: i64,
    pub second: i64,
    pub door: usize,
    pub card: String,
    pub leaving: bool,
    pub attack: Option<Attack>,
}

const NAMES: &[&str] = &[
    "Ann Archer",
    "Ben Brook",
    "Cleo Carter",
    "Dan Dyer",
    "Eva Ellis",
    "Finn Foster",
    "Gus Grant",
    "Hana Hill",
    "Ivo Irwin",
    "June Jordan",
    "Kai Kent",
    "Lea Lowe",
    "Max Mason",
    "Nora North",
    "Otto Owens",
    "Pia Porter",
];

/// The people of a building with that many doors.
#[must_use]
pub fn people(seed: u64, count: usize, doors: usize) -> Vec<Person> {
    let doors = doors.max(1);
    let one = |index: usize| {
        let own = noise::mix(seed, 700, i64::try_from(index).unwrap_or(0));
        let name = NAMES[index % NAMES.len()];
        let name = if index < NAMES.len() { name.to_owned() } else { format!("{name} {}", index / NAMES.len() + 1) };
        Person {
            name,
            card: format!("04{:012X}", own & 0xffff_ffff_ffff),
            arrives: 450 + within(own, 1, 120),
            leaves: 960 + within(own, 2, 150),
            door: usize::try_from(within(own, 3, i64::try_from(doors).unwrap_or(1))).unwrap_or(0),
            saturdays: within(own, 4, 10) == 0,
            seed: own,
        }
    };
    (0..count).map(one).collect()
}

/// A whole number below `limit`.
fn within(seed: u64, stream: u64, limit: i64) -> i64 {
    (noise::mix(seed, stream, 0) % limit.max(1).unsigned_abs()).cast_signed()
}

/// All visits of some days, the first being a Monday, in order.
#[must_use]
pub fn visits(seed: u64, people: &[Person], doors: usize, days: i64) -> Vec<Visit> {
    let mut all = Vec::new();
    for day in 0..days {
        for person in people {
            ordinary(person, day, &mut all);
        }
        attacks(seed, people, doors.max(1), day, &mut all);
    }
    all.sort_by_key(|visit| (visit.minute, visit.second));
    all
}

fn ordinary(person: &Person, day: i64, all: &mut Vec<Visit>) {
    let weekday = day % 7;
    let works = weekday < 5 || (weekday == 5 && person.saturdays);
    let roll = |stream: u64| noise::unit(person.seed, stream, day);
    // Ill, on holiday, at a customer's.
    if !works || roll(10) < 0.08 {
        return;
    }
    #[allow(clippy::cast_possible_truncation)] // minutes
    let about = |minute: i64, spread: f64, stream: u64| minute + ((roll(stream) - 0.5) * spread) as i64;
    #[allow(clippy::cast_possible_truncation)] // below 60
    let second = |stream: u64| (roll(stream) * 60.0) as i64;
    let mut visit = |minute: i64, stream: u64, leaving: bool| {
        let (door, card) = (person.door, person.card.clone());
        all.push(Visit { minute: day * 1_440 + minute, second: second(stream), door, card, leaving, attack: None });
    };
    visit(about(person.arrives, 40.0, 11), 21, false);
    if roll(12) < 0.7 {
        let lunch = about(735, 60.0, 13);
        visit(lunch, 22, true);
        visit(lunch + about(35, 20.0, 14), 23, false);
    }
    visit(about(person.leaves, 60.0, 15), 24, true);
}

fn attacks(seed: u64, people: &[Person], doors: usize, day: i64, all: &mut Vec<Visit>) {
    let own = noise::mix(seed, 800, day);
    // Two weeks of peace first: what is usual must be learned.
    if people.is_empty() || day < 14 || noise::unit(own, 1, 0) > 0.3 {
        return;
    }
    let victim = &people[usize::try_from(within(own, 2, i64::try_from(people.len()).unwrap_or(1))).unwrap_or(0)];
    let night = day * 1_440 + 60 + within(own, 3, 200);
    let other_door = (victim.door + 1) % doors;
    let mut visit = |minute: i64, second: i64, door: usize, card: String, attack: Attack| {
        all.push(Visit { minute, second, door, card, leaving: false, attack: Some(attack) });
    };
    match within(own, 4, 4) {
        0 => visit(night, 7, victim.door, victim.card.clone(), Attack::StolenCard),
        1 => {
            for attempt in 0..8 {
                let card = format!("DE{:012X}", noise::mix(own, 5, attempt) & 0xffff_ffff_ffff);
                visit(night, attempt * 5, victim.door, card, Attack::Guessing);
            }
        }
        2 => {
            let noon = day * 1_440 + 660 + within(own, 6, 120);
            visit(noon, 5, victim.door, victim.card.clone(), Attack::Cloned);
            visit(noon, 15, other_door, victim.card.clone(), Attack::Cloned);
        }
        _ => visit(night, 30, other_door, victim.card.clone(), Attack::Wandering),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_people_and_visits() {
        let crowd = people(1, 20, 4);
        assert_eq!(crowd, people(1, 20, 4));
        assert_ne!(crowd, people(2, 20, 4));
        assert_eq!(visits(1, &crowd, 4, 30), visits(1, &crowd, 4, 30));
        let cards: std::collections::BTreeSet<_> = people(1, 500, 9).into_iter().map(|person| person.card).collect();
        assert_eq!(cards.len(), 500);
    }

    #[test]
    fn people_keep_their_hours_and_attackers_do_not_come_before_there_is_something_to_learn() {
        let crowd = people(1, 20, 4);
        let all = visits(1, &crowd, 4, 60);
        assert!(all.is_sorted_by_key(|visit| (visit.minute, visit.second)));
        let (bad, good): (Vec<_>, Vec<_>) = all.iter().partition(|visit| visit.attack.is_some());
        assert!(good.len() > 2_000, "{}", good.len());
        assert!(good.iter().all(|visit| (400..1_200).contains(&(visit.minute % 1_440))));
        assert!(good.iter().filter(|visit| visit.minute / 1_440 % 7 == 6).count() == 0, "nobody on Sunday");
        assert!(!bad.is_empty() && bad.iter().all(|visit| visit.minute >= 14 * 1_440));
        let kinds: std::collections::BTreeSet<_> = bad.iter().map(|visit| format!("{:?}", visit.attack)).collect();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
    }
}
