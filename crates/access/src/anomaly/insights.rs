//! Figures of the last days at the doors, in the building's time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use portico_model::access::anomaly::{DayInsight, Insights, PersonInsight};
use portico_model::identity::Permission;
use portico_model::{PersonId, Timestamp};
use portico_platform::{Actor, Error, Result};

use super::store::{self, Attempt};
use crate::Access;
use portico_identity::local_time::{Wall, zone_of};

/// Most events that are counted.
pub const MOST: i64 = 200_000;

/// Longest period.
pub const MAX_DAYS: i64 = 90;

const DAY_MS: i64 = 86_400_000;

/// Most people in the answer.
const PEOPLE: usize = 5;

impl Access {
    /// What the last days were like. Permission: [`Permission::ReadAccessLog`].
    ///
    /// # Errors
    /// Forbidden; a period that is not 1 to 90 days.
    pub async fn insights(&self, actor: &Actor, days: i64) -> Result<Insights> {
        actor.require(Permission::ReadAccessLog)?;
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(Error::field("days", format!("1 to {MAX_DAYS}")));
        }
        let to = self.0.platform.clock.now();
        let from = to.plus_millis(-days * DAY_MS);
        let mut tx = self.0.platform.db.read().await?;
        let zone = zone_of(&mut tx, actor.organization).await?;
        let rows = store::attempts(&mut tx, actor.organization, from, MOST).await?;
        Ok(count(&zone, (from, to), &rows))
    }
}

#[derive(Default)]
struct Person {
    name: String,
    attempts: i64,
    refused: i64,
    unusual: i64,
    hours: BTreeMap<u8, i64>,
    days: BTreeMap<u8, i64>,
}

/// Counts attempts, the newest of which come first.
fn count(zone: &TimeZone, (from, to): (Timestamp, Timestamp), rows: &[Attempt]) -> Insights {
    let mut by_hour = vec![0; 24];
    let mut by_day: BTreeMap<String, DayInsight> = BTreeMap::new();
    let mut at = from;
    // Days on which nothing happened are days, too; half a day's steps do not miss one where the hour changes.
    while at <= to {
        let date = Wall::of(zone, at).date();
        by_day.entry(date.clone()).or_insert(DayInsight { date, attempts: 0, refused: 0, unusual: 0 });
        at = at.plus_millis(DAY_MS / 2);
    }
    let mut people: BTreeMap<PersonId, Person> = BTreeMap::new();
    let (mut refused, mut unusual) = (0, 0);
    for row in rows {
        let wall = Wall::of(zone, row.at);
        let hour = u8::try_from(wall.minute() / 60).unwrap_or_default();
        let is_refused = i64::from(row.granted == Some(false));
        let is_unusual = i64::from(row.is_anomaly && !row.is_false_alarm);
        refused += is_refused;
        unusual += is_unusual;
        if let Some(count) = by_hour.get_mut(usize::from(hour)) {
            *count += 1;
        }
        let date = wall.date();
        let day = by_day.entry(date.clone()).or_insert(DayInsight { date, attempts: 0, refused: 0, unusual: 0 });
        day.attempts += 1;
        day.refused += is_refused;
        day.unusual += is_unusual;
        let Some(id) = row.person_id else { continue };
        let person = people.entry(id).or_default();
        if person.name.is_empty() {
            // The newest.
            person.name.clone_from(&row.person_name);
        }
        person.attempts += 1;
        person.refused += is_refused;
        person.unusual += is_unusual;
        *person.hours.entry(hour).or_default() += 1;
        *person.days.entry(wall.weekday()).or_default() += 1;
    }
    let mut people: Vec<PersonInsight> = people
        .into_iter()
        .map(|(person_id, person)| PersonInsight {
            person_id,
            name: person.name,
            attempts: person.attempts,
            refused: person.refused,
            unusual: person.unusual,
            common_hours: most(&person.hours),
            common_days: most(&person.days),
        })
        .collect();
    people.sort_by(|a, b| b.attempts.cmp(&a.attempts).then_with(|| a.name.cmp(&b.name)));
    people.truncate(PEOPLE);
    Insights {
        from,
        to,
        attempts: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        refused,
        unusual,
        by_hour,
        by_day: by_day.into_values().collect(),
        people,
        is_cut: i64::try_from(rows.len()).is_ok_and(|rows| rows >= MOST),
    }
}

/// The three most frequent, the most frequent first.
fn most(counts: &BTreeMap<u8, i64>) -> Vec<u8> {
    let mut sorted: Vec<(u8, i64)> = counts.iter().map(|(value, count)| (*value, *count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    sorted.into_iter().take(3).map(|(value, _)| value).collect()
}

/// The hours with the most attempts, at most three.
pub fn peak_hours(by_hour: &[i64]) -> Vec<u8> {
    let counts = (0..24_u8).zip(by_hour.iter().copied()).filter(|(_, count)| *count > 0).collect();
    most(&counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(at: &str, person: u128, granted: bool) -> Attempt {
        Attempt {
            at: Timestamp::parse_iso(at).unwrap(),
            person_id: Some(PersonId::from_uuid(sqlx::types::Uuid::from_u128(person))),
            person_name: format!("Person {person}"),
            granted: Some(granted),
            is_anomaly: !granted,
            is_false_alarm: person == 2,
        }
    }

    #[test]
    fn figures_are_of_the_building_s_days_and_hours() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| Timestamp::parse_iso(text).unwrap();
        let rows = [
            attempt("2026-11-21T08:10:00Z", 2, false),
            attempt("2026-11-20T23:30:00Z", 1, false),
            attempt("2026-11-20T08:10:00Z", 1, true),
            attempt("2026-11-20T08:05:00Z", 1, true),
        ];
        let found = count(&zone, (at("2026-11-19T12:00:00Z"), at("2026-11-21T12:00:00Z")), &rows);
        assert_eq!((found.attempts, found.refused, found.unusual), (4, 2, 1), "a false alarm counts no more");
        assert_eq!((found.by_hour[9], found.by_hour[0]), (3, 1), "half past midnight there");
        let days: Vec<_> = found.by_day.iter().map(|day| (day.date.as_str(), day.attempts)).collect();
        assert_eq!(days, [("2026-11-19", 0), ("2026-11-20", 2), ("2026-11-21", 2)]);
        assert_eq!(peak_hours(&found.by_hour), [9, 0]);
        assert_eq!(found.people[0].name, "Person 1");
        assert_eq!(
            (found.people[0].common_hours.clone(), found.people[0].common_days.clone()),
            (vec![9, 0], vec![4, 5])
        );
    }
}
