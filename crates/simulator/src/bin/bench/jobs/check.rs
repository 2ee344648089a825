//! Cards at readers: may this one in? Each answer is looked at, whether it is the right one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portico_simulator::Api;
use portico_simulator::access::people::people;
use portico_simulator::noise;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, Meter, number};
use crate::load::{self, Questions};
use crate::report::{Goal, Report};
use crate::server::TestDevice;
use crate::{http, jobs};

const PEOPLE: usize = 10_000;
const DOORS: usize = 200;
/// Person `n` is in group `n % PERSON_GROUPS`, door `n` in group `n % DOOR_GROUPS`.
const PERSON_GROUPS: usize = 50;
const DOOR_GROUPS: usize = 20;

const PER_SECOND: u32 = 500;
/// Readers that ask at once when as many checks as possible are asked for.
const AT_ONCE: usize = 64;
/// The load on plan takes so many times the seconds of the other jobs: with the usual 5 these are 20 s.
const LONGER: u64 = 4;

/// The policies of each group of people, three: into these groups of doors, counted from its own number, they may at any
/// time; into the last one at no time.
const OPEN_TO: [usize; 2] = [0, 1];
const SHUT_TO: usize = 2;
/// No policy leads from a group of people there.
const UNNAMED: usize = 5;

/// Somebody comes to a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Visit {
    door: usize,
    /// Absent: a card that nobody has.
    person: Option<usize>,
    granted: bool,
}

impl Visit {
    /// Of 100 visits 80 end inside; 7 have no policy for the door, 7 come at the wrong time, 6 have a foreign card.
    fn numbered(number: u64) -> Self {
        let pick = |channel: u64, of: usize| {
            let drawn = noise::mix(7, channel, number.cast_signed());
            usize::try_from(drawn % of.max(1) as u64).unwrap_or(0)
        };
        let door = pick(1, DOORS);
        let (distance, granted) = match pick(2, 100) {
            0..80 => (OPEN_TO[pick(3, OPEN_TO.len())], true),
            80..87 => (UNNAMED, false),
            87..94 => (SHUT_TO, false),
            _ => return Self { door, person: None, granted: false },
        };
        // A group of people from which the door's group lies at that distance, and one of its people.
        let first = (door % DOOR_GROUPS + DOOR_GROUPS - distance) % DOOR_GROUPS;
        let groups = (PERSON_GROUPS - first).div_ceil(DOOR_GROUPS);
        let group = first + DOOR_GROUPS * pick(4, groups);
        let person = group + PERSON_GROUPS * pick(5, PEOPLE / PERSON_GROUPS);
        Self { door, person: Some(person), granted }
    }
}

/// A building with people.
struct Site {
    host: String,
    /// By the number of the door.
    readers: Vec<TestDevice>,
    /// By the number of the person.
    cards: Vec<String>,
}

/// Visits from a number on.
#[derive(Clone)]
struct Visits {
    site: Arc<Site>,
    first: u64,
}

impl Questions for Visits {
    fn request(&self, number: u64, _due: Instant) -> Vec<u8> {
        let number = self.first + number;
        let Visit { door, person, .. } = Visit::numbered(number);
        let foreign = || format!("DE{number:012X}");
        let card = person.map_or_else(foreign, |person| self.site.cards[person].clone());
        let body = format!(r#"{{"method":"rfid","rfid_uid":"{card}"}}"#);
        let key = ("X-API-Key", self.site.readers[door].api_key.as_str());
        http::request("POST", "/api/v1/check_access", &self.site.host, key, &body)
    }

    /// On plan each reader has a connection of its own, which it keeps.
    fn connection(&self, number: u64, connections: usize) -> usize {
        Visit::numbered(self.first + number).door % connections
    }

    fn check(&self, number: u64, answer: &[u8]) -> Result<()> {
        let told: Value = serde_json::from_slice(answer)?;
        let visit = Visit::numbered(self.first + number);
        ensure!(told["access_granted"] == visit.granted, "{visit:?} was answered {told}");
        Ok(())
    }
}

impl Bench<'_> {
    /// 500 checks a second over the readers' own connections, then as many as it takes. A model that judges each event
    /// is in force, as it is in every building after its first night.
    pub(super) async fn check(&self, report: &mut Report) -> Result<()> {
        let api = self.server.api()?;
        let site = Arc::new(self.people_and_doors(&api).await?);
        let mut first = 0;
        let mut visits = |count: u64| {
            let visits = Visits { site: site.clone(), first };
            first += count;
            visits
        };
        let addr = &self.server.http;
        let warm = Duration::from_secs(3);
        load::planned(addr, 100, warm, DOORS, visits(1_000)).await.context("warming up")?;
        jobs::train(&api).await?;

        for _ in 0..self.arguments.runs {
            let length = Duration::from_secs(self.arguments.seconds * LONGER);
            let planned = visits(u64::from(PER_SECOND) * length.as_secs());
            let meter = Meter::begin(self.server.process());
            let mut latencies = load::planned(addr, PER_SECOND, length, DOORS, planned).await?;
            let (_, server_cpu, _) = meter.end();
            let goal = Some(Goal::AtMost(10.0));
            report.percentiles(self.database, "check_access at 500/s", goal, &mut latencies);
            self.add(report, "check_access: server CPU each", "µs", None, server_cpu / number(latencies.len()));
        }
        for _ in 0..self.arguments.runs {
            // Numbers that no run before has used: more than any server answers.
            let meter = Meter::begin(self.server.process());
            let unplanned = visits(10_000_000);
            let mut latencies = load::unplanned(addr, self.arguments.length(), AT_ONCE, unplanned).await?;
            let (seconds, _, _) = meter.end();
            let answered = number(latencies.len());
            self.add(report, "check_access, at most (64 at once)", "/s", None, answered / seconds);
            report.percentiles(self.database, "check_access, at most", None, &mut latencies);
        }
        Ok(())
    }

    /// Makes them over REST, as an administrator would.
    async fn people_and_doors(&self, api: &Api) -> Result<Site> {
        let readers = self.server.devices(api, DOORS, "reader").await?;
        let mut doors = Vec::with_capacity(DOORS);
        for (index, reader) in readers.iter().enumerate() {
            let door = json!({ "name": format!("Bench door {index:03}"), "reader_id": reader.id });
            doors.push(made(api, "/api/v1/doors", &door).await?);
        }
        let mut door_groups = Vec::with_capacity(DOOR_GROUPS);
        for group in 0..DOOR_GROUPS {
            let members: Vec<&String> = doors.iter().skip(group).step_by(DOOR_GROUPS).collect();
            let body = json!({ "name": format!("Bench doors {group:02}"), "door_ids": members });
            door_groups.push(made(api, "/api/v1/door-groups", &body).await?);
        }
        let mut person_groups = Vec::with_capacity(PERSON_GROUPS);
        for group in 0..PERSON_GROUPS {
            let body = json!({ "name": format!("Bench people {group:02}") });
            person_groups.push(made(api, "/api/v1/access/person-groups", &body).await?);
        }
        let schedules = "/api/v1/access/schedules";
        let all_week = json!([{ "days": [0, 1, 2, 3, 4, 5, 6, 7], "from": "00:00", "until": "24:00" }]);
        let always = made(api, schedules, &json!({ "name": "Bench: always", "windows": all_week })).await?;
        let never = made(api, schedules, &json!({ "name": "Bench: never", "windows": [] })).await?;
        for (group, people) in person_groups.iter().enumerate() {
            let places = OPEN_TO.map(|distance| (distance, &always)).into_iter().chain([(SHUT_TO, &never)]);
            for (distance, schedule) in places {
                let policy = json!({
                    "name": format!("Bench policy {group:02}+{distance}"), "person_group_id": people,
                    "door_group_id": door_groups[(group + distance) % DOOR_GROUPS], "schedule_id": schedule,
                });
                made(api, "/api/v1/access/policies", &policy).await?;
            }
        }
        let cards = self.people(api, &person_groups).await?;
        Ok(Site { host: self.server.http.clone(), readers, cards })
    }

    /// Makes the people, gives each a card and puts each into a group; the cards.
    async fn people(&self, api: &Api, groups: &[String]) -> Result<Vec<String>> {
        const CONNECTIONS: usize = 16;
        let (host, authorization) = (&self.server.http, api.authorization().await?);
        let request = |method, path: &str, body: &Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            http::request(method, path, host, ("Authorization", &authorization), &body)
        };
        let crowd = people(1, PEOPLE, DOORS);
        let new = |person: &_| {
            let portico_simulator::access::Person { name, .. } = person;
            request("POST", "/api/v1/access/people", &json!({ "name": name }))
        };
        let ids = load::all(host, CONNECTIONS, crowd.iter().map(new).collect()).await.context("making the people")?;
        let ids: Vec<String> =
            ids.iter().map(|answer| id_of(&serde_json::from_slice(answer)?)).collect::<Result<_>>()?;
        let credentials = ids.iter().zip(&crowd).map(|(id, person)| {
            let card = json!({ "kind": "rfid", "value": person.card });
            request("POST", &format!("/api/v1/access/people/{id}/credentials"), &card)
        });
        load::all(host, CONNECTIONS, credentials.collect()).await.context("giving them cards")?;
        let members = ids.iter().zip(groups.iter().cycle()).map(|(id, group)| {
            request("PUT", &format!("/api/v1/access/person-groups/{group}/people/{id}"), &Value::Null)
        });
        load::all(host, CONNECTIONS, members.collect()).await.context("putting them into groups")?;
        Ok(crowd.into_iter().map(|person| person.card).collect())
    }
}

async fn made(api: &Api, path: &str, body: &Value) -> Result<String> {
    id_of(&api.call(Method::POST, path, Some(body)).await?).with_context(|| path.to_owned())
}

fn id_of(made: &Value) -> Result<String> {
    made["id"].as_str().map(ToOwned::to_owned).with_context(|| format!("no id in {made}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_end_as_the_policies_say() {
        let (mut granted, mut foreign) = (0, 0);
        for number in 0..10_000 {
            let visit = Visit::numbered(number);
            assert!(visit.door < DOORS);
            let Some(person) = visit.person else {
                foreign += 1;
                assert!(!visit.granted);
                continue;
            };
            assert!(person < PEOPLE);
            let (people, doors) = (person % PERSON_GROUPS, visit.door % DOOR_GROUPS);
            assert_eq!(OPEN_TO.iter().any(|distance| (people + distance) % DOOR_GROUPS == doors), visit.granted);
            granted += usize::from(visit.granted);
        }
        assert!((7_800..8_200).contains(&granted) && (450..750).contains(&foreign), "{granted} {foreign}");
    }

    #[test]
    fn every_card_is_another() {
        let mut cards: Vec<String> = people(1, PEOPLE, DOORS).into_iter().map(|person| person.card).collect();
        cards.sort_unstable();
        cards.dedup();
        assert_eq!(cards.len(), PEOPLE);
    }
}
