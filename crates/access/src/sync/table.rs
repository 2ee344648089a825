//! Writes the table that a reader decides by: the same people, credentials, policies, hours and codes that the decision here
//! reads. PINs are not in it: four digits could be tried out by whoever takes the reader from the wall.

use std::collections::{BTreeMap, HashMap};

use portico_lock_core::decide::Rule;
use portico_lock_core::offline::{Entry, LOOKUP_BYTES, MAGIC, NONE};
use portico_lock_core::schedule::Window;
use portico_model::access::{DoorMode, Level};
use portico_model::{OrganizationId, Timestamp};
use portico_platform::{Error, Platform, Result, Tx};

use super::store::{self, Place};
use crate::{codes, policies};
use portico_identity::local_time;

/// Most schedules, rules and sets: their numbers have two bytes.
const MOST: usize = 60_000;

const DAY_MS: i64 = 86_400_000;

/// What a table is of.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub version: i64,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The parts that entries point to, each once.
#[derive(Default)]
struct Parts {
    windows: Vec<Window>,
    schedules: HashMap<Vec<(u8, u16, u16)>, u16>,
    schedule_ranges: Vec<(u16, u16)>,
    rules: HashMap<Vec<u8>, u16>,
    rule_bytes: Vec<u8>,
    sets: HashMap<Vec<u16>, u16>,
    set_ranges: Vec<(u32, u32)>,
    members: Vec<u16>,
}

fn too_large() -> Error {
    Error::conflict("table_too_large", "There are more policies than a reader can hold.")
}

fn number(count: usize) -> Result<u16> {
    u16::try_from(count).ok().filter(|_| count < MOST).ok_or_else(too_large)
}

impl Parts {
    fn schedule(&mut self, windows: &[Window]) -> Result<u16> {
        let key: Vec<_> = windows.iter().map(|one| (one.days, one.from_minute, one.until_minute)).collect();
        if let Some(known) = self.schedules.get(&key) {
            return Ok(*known);
        }
        let new = number(self.schedule_ranges.len())?;
        self.schedule_ranges.push((number(self.windows.len())?, number(windows.len())?));
        self.windows.extend_from_slice(windows);
        self.schedules.insert(key, new);
        Ok(new)
    }

    fn rule(&mut self, rule: Rule<'_>) -> Result<u16> {
        let schedule = rule.hours.map(|hours| self.schedule(hours)).transpose()?.unwrap_or(NONE);
        let mut bytes = Vec::from(schedule.to_be_bytes());
        bytes.extend([rule.levels, u8::from(rule.in_lockdown)]);
        bytes.extend(rule.valid_from_ms.unwrap_or(i64::MIN).to_be_bytes());
        bytes.extend(rule.valid_until_ms.unwrap_or(i64::MAX).to_be_bytes());
        if let Some(known) = self.rules.get(&bytes) {
            return Ok(*known);
        }
        let new = number(self.rules.len())?;
        self.rule_bytes.extend_from_slice(&bytes);
        self.rules.insert(bytes, new);
        Ok(new)
    }

    fn set(&mut self, rules: Vec<u16>) -> Result<u16> {
        if let Some(known) = self.sets.get(&rules) {
            return Ok(*known);
        }
        let new = number(self.set_ranges.len())?;
        let count = |length: usize| u32::try_from(length).map_err(|_| too_large());
        self.set_ranges.push((count(self.members.len())?, count(rules.len())?));
        self.members.extend_from_slice(&rules);
        self.sets.insert(rules, new);
        Ok(new)
    }
}

/// The table of a reader, without its signature.
pub async fn build(
    tx: &mut Tx,
    platform: &Platform,
    organization: OrganizationId,
    place: &Place,
    key: &[u8; 32],
    span: Span,
) -> Result<Vec<u8>> {
    let mut parts = Parts::default();
    let mut entries = people(tx, organization, place, key, &mut parts).await?;
    for row in codes::of_door(tx, organization, place.door).await? {
        let digits = codes::open(platform, row.id, &row.sealed)?;
        let (number, is_active) = (row.person_number.unwrap_or_default(), row.person_is_active.unwrap_or(true));
        let found = codes::found(row)?;
        let (holder, rule) = (found.holder(), parts.rule(found.rule())?);
        let lookup = super::lookup(key, "code", &digits);
        entries.entry(lookup).or_insert(Entry {
            lookup,
            person: u32::try_from(number).unwrap_or_default(),
            level: holder.level,
            is_active,
            set: parts.set(vec![rule])?,
            valid_from_ms: holder.valid_from_ms.unwrap_or(i64::MIN),
            valid_until_ms: holder.valid_until_ms.unwrap_or(i64::MAX),
            uses: holder.uses_left.map_or(NONE, |left| u16::try_from(left).unwrap_or(NONE - 1).min(NONE - 1)),
        });
    }
    let offsets = offsets(tx, organization, span).await?;
    let holidays = store::holidays(tx, organization).await?;
    let days = (span.issued_at.millis() / DAY_MS - 2)..=(span.expires_at.millis() / DAY_MS + 2);
    let holidays: Vec<i32> = holidays
        .iter()
        .filter_map(|date| Timestamp::parse_iso(&format!("{date}T00:00:00Z")))
        .map(|at| at.millis().div_euclid(DAY_MS))
        .filter(|day| days.contains(day))
        .filter_map(|day| i32::try_from(day).ok())
        .collect();
    write(place, span, &parts, &offsets, &holidays, &entries)
}

/// Everyone's cards and fingers, with the rules that name the person and this door.
async fn people(
    tx: &mut Tx,
    organization: OrganizationId,
    place: &Place,
    key: &[u8; 32],
    parts: &mut Parts,
) -> Result<BTreeMap<[u8; LOOKUP_BYTES], Entry>> {
    let mut named = Vec::new();
    for policy in store::policies(tx, organization, place.door).await? {
        let hours = policy.windows.as_deref().map(policies::rules::stored_windows).transpose()?;
        let rule = parts.rule(Rule {
            hours: hours.as_deref(),
            valid_from_ms: policy.valid_from.map(Timestamp::millis),
            valid_until_ms: policy.valid_until.map(Timestamp::millis),
            levels: u8::try_from(policy.levels).unwrap_or_default(),
            in_lockdown: policy.in_lockdown,
        })?;
        named.push((policy.person_id, policy.person_group_id, rule));
    }
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for (person, group) in store::memberships(tx, organization).await? {
        groups.entry(person).or_default().push(group);
    }
    let mut entries = BTreeMap::new();
    for credential in store::credentials(tx, organization, place.reader).await? {
        let of = groups.get(&credential.person_id).map(Vec::as_slice).unwrap_or_default();
        let rules = named
            .iter()
            .filter(|(person, group, _)| {
                person.is_none_or(|person| person == credential.person_id)
                    && group.is_none_or(|group| of.contains(&group))
            })
            .map(|(_, _, rule)| *rule)
            .collect();
        let level = Level::parse(&credential.level)
            .ok_or_else(|| Error::internal("a person's level in the database is unknown"))?;
        let lookup = super::lookup(key, &credential.kind, credential.lookup.as_bytes());
        // A finger's slot at this reader comes before one that counts at all readers.
        let blocked = !credential.is_active;
        entries.entry(lookup).or_insert(Entry {
            lookup,
            person: u32::try_from(credential.number).unwrap_or_default(),
            level: level.bit(),
            is_active: credential.person_is_active,
            set: parts.set(rules)?,
            valid_from_ms: credential.valid_from.filter(|_| !blocked).map_or(i64::MIN, Timestamp::millis),
            valid_until_ms: if blocked { i64::MIN } else { credential.valid_until.map_or(i64::MAX, Timestamp::millis) },
            uses: NONE,
        });
    }
    Ok(entries)
}

/// From when the building's clocks are how far from UTC, for as long as the table counts.
async fn offsets(tx: &mut Tx, organization: OrganizationId, span: Span) -> Result<Vec<(i64, i32)>> {
    let zone = local_time::zone_of(tx, organization).await?;
    let mut at = span.issued_at.plus_millis(-DAY_MS);
    let mut offsets = vec![(i64::MIN, local_time::offset_s(&zone, at))];
    while let Some((change, offset)) =
        local_time::next_change(&zone, at).filter(|(change, _)| *change < span.expires_at)
    {
        offsets.push((change.millis(), offset));
        at = change;
    }
    Ok(offsets)
}

fn write(
    place: &Place,
    span: Span,
    parts: &Parts,
    offsets: &[(i64, i32)],
    holidays: &[i32],
    entries: &BTreeMap<[u8; LOOKUP_BYTES], Entry>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::from(MAGIC);
    for number in [span.version, span.issued_at.millis(), span.expires_at.millis()] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.push(match place.mode {
        DoorMode::Normal => 0,
        DoorMode::Lockdown => 1,
        DoorMode::Evacuation => 2,
        DoorMode::Unlocked => 3,
    });
    bytes.push(u8::from(place.leaving));
    bytes.extend(u16::try_from(place.unlock_s).unwrap_or(5).to_be_bytes());
    bytes.extend(place.mode_until.map_or(i64::MAX, Timestamp::millis).to_be_bytes());
    let counts = [
        offsets.len(),
        holidays.len(),
        parts.windows.len(),
        parts.schedule_ranges.len(),
        parts.rules.len(),
        parts.set_ranges.len(),
    ];
    for count in counts {
        bytes.extend(number(count)?.to_be_bytes());
    }
    let long = |count: usize| u32::try_from(count).map_err(|_| too_large());
    bytes.extend(long(parts.members.len())?.to_be_bytes());
    bytes.extend(long(entries.len())?.to_be_bytes());
    for (from, offset) in offsets {
        bytes.extend(from.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
    }
    bytes.extend(holidays.iter().flat_map(|day| day.to_be_bytes()));
    for window in &parts.windows {
        bytes.push(window.days);
        bytes.extend(window.from_minute.to_be_bytes());
        bytes.extend(window.until_minute.to_be_bytes());
    }
    bytes.extend(
        parts.schedule_ranges.iter().flat_map(|(first, count)| [first.to_be_bytes(), count.to_be_bytes()]).flatten(),
    );
    bytes.extend_from_slice(&parts.rule_bytes);
    bytes.extend(
        parts.set_ranges.iter().flat_map(|(first, count)| [first.to_be_bytes(), count.to_be_bytes()]).flatten(),
    );
    bytes.extend(parts.members.iter().flat_map(|rule| rule.to_be_bytes()));
    bytes.extend(entries.values().flat_map(Entry::to_bytes));
    Ok(bytes)
}
