//! What a reader knows without network: a table that Portico wrote and signed, read where it lies, and the decision made
//! from it. The rules are [`crate::decide`]'s own.
//!
//! The table, all numbers with the highest byte first: the head of [`HEAD_BYTES`], then offsets, holidays, windows,
//! schedules, rules, sets, members of sets, and the entries in the order of their lookups. `docs/firmware.md` has the layout.

use crate::decide::{Decision, DoorMode, Holder, Passback, Reason, Rule, decide};
use crate::schedule::{LocalTime, Window};

/// What every table begins with.
pub const MAGIC: [u8; 8] = *b"PORTSYN1";

pub const HEAD_BYTES: usize = 64;
pub const OFFSET_BYTES: usize = 12;
pub const HOLIDAY_BYTES: usize = 4;
pub const WINDOW_BYTES: usize = 5;
pub const SCHEDULE_BYTES: usize = 4;
pub const RULE_BYTES: usize = 20;
pub const SET_BYTES: usize = 8;
pub const MEMBER_BYTES: usize = 2;
pub const ENTRY_BYTES: usize = 42;

/// Bytes of what an entry is found by: the keyed hash of what was shown.
pub const LOOKUP_BYTES: usize = 16;

/// In the place of a schedule: at any time. In the place of uses: as often as one likes.
pub const NONE: u16 = u16::MAX;

/// A reader's clock may be so much behind when a table comes, milliseconds.
const CLOCK_SLACK_MS: i64 = 300_000;

const DAY_MS: i64 = 86_400_000;

/// What is wrong with a table or a change of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTable {
    Magic,
    Length,
    /// A number points to something that is not there.
    Reference,
    /// Entries are not in the order of their lookups.
    Order,
    /// The buffer for the result is too small.
    Space,
}

/// Why a reader cannot decide by itself: then the door stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unable {
    /// Portico has not been heard of for too long.
    Expired,
    /// The table is of a later time than the reader's clock shows: the clock is wrong.
    ClockBehind,
}

/// What a reader decided by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offline {
    pub decision: Decision,
    /// Which entry it was, for counting its uses.
    pub entry: Option<u32>,
    /// The number of the person; 0 for a code that is nobody's.
    pub person: Option<u32>,
}

/// Who shows this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub lookup: [u8; LOOKUP_BYTES],
    pub person: u32,
    /// As [`Holder::level`].
    pub level: u8,
    pub is_active: bool,
    /// Which set of rules.
    pub set: u16,
    /// `i64::MIN`: always was.
    pub valid_from_ms: i64,
    /// `i64::MAX`: always will be.
    pub valid_until_ms: i64,
    pub uses: u16,
}

impl Entry {
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&self.lookup);
        bytes[16..20].copy_from_slice(&self.person.to_be_bytes());
        bytes[20] = self.level;
        bytes[21] = u8::from(self.is_active);
        bytes[22..24].copy_from_slice(&self.set.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.valid_from_ms.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.valid_until_ms.to_be_bytes());
        bytes[40..42].copy_from_slice(&self.uses.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Self {
        let mut lookup = [0; LOOKUP_BYTES];
        lookup.copy_from_slice(&bytes[..16]);
        Self {
            lookup,
            person: u32_at(bytes, 16),
            level: bytes[20],
            is_active: bytes[21] & 1 != 0,
            set: u16_at(bytes, 22),
            valid_from_ms: i64_at(bytes, 24),
            valid_until_ms: i64_at(bytes, 32),
            uses: u16_at(bytes, 40),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    i64::from_be_bytes(number)
}

/// A table that holds together. That it is Portico's own is for the signature to say, before.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    head: &'a [u8],
    offsets: &'a [u8],
    holidays: &'a [u8],
    windows: &'a [u8],
    schedules: &'a [u8],
    rules: &'a [u8],
    sets: &'a [u8],
    members: &'a [u8],
    entries: &'a [u8],
}

/// Takes so many things of one size from the front.
fn take<'a>(rest: &mut &'a [u8], count: u64, size: usize) -> Result<&'a [u8], BadTable> {
    let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(size)).ok_or(BadTable::Length)?;
    let (part, after) = rest.split_at_checked(bytes).ok_or(BadTable::Length)?;
    *rest = after;
    Ok(part)
}

impl<'a> Table<'a> {
    /// Reads a table and makes sure that nothing in it points outside of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, BadTable> {
        let (table, rest) = Self::read_head(bytes)?;
        let mut rest = rest;
        let entries = take(&mut rest, u64::from(table.entry_count()), ENTRY_BYTES)?;
        if !rest.is_empty() {
            return Err(BadTable::Length);
        }
        let table = Self { entries, ..table };
        table.check()?;
        Ok(table)
    }

    /// All but the entries, and what follows it.
    fn read_head(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), BadTable> {
        let (head, mut rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(BadTable::Length)?;
        if head[..8] != MAGIC {
            return Err(BadTable::Magic);
        }
        let count = |at| u64::from(u16_at(head, at));
        let table = Self {
            head,
            offsets: take(&mut rest, count(44), OFFSET_BYTES)?,
            holidays: take(&mut rest, count(46), HOLIDAY_BYTES)?,
            windows: take(&mut rest, count(48), WINDOW_BYTES)?,
            schedules: take(&mut rest, count(50), SCHEDULE_BYTES)?,
            rules: take(&mut rest, count(52), RULE_BYTES)?,
            sets: take(&mut rest, count(54), SET_BYTES)?,
            members: take(&mut rest, u64::from(u32_at(head, 56)), MEMBER_BYTES)?,
            entries: &[],
        };
        Ok((table, rest))
    }

    fn check(&self) -> Result<(), BadTable> {
        let windows = self.windows.len() / WINDOW_BYTES;
        let is_range = |first: u64, count: u64, most: usize| first + count <= most as u64;
        let schedules_hold = self
            .schedules
            .chunks_exact(SCHEDULE_BYTES)
            .all(|one| is_range(u64::from(u16_at(one, 0)), u64::from(u16_at(one, 2)), windows));
        let schedules = self.schedules.len() / SCHEDULE_BYTES;
        let rules_hold = self.rules.chunks_exact(RULE_BYTES).all(|one| {
            let schedule = u16_at(one, 0);
            schedule == NONE || usize::from(schedule) < schedules
        });
        let members = self.members.len() / MEMBER_BYTES;
        let sets_hold = self
            .sets
            .chunks_exact(SET_BYTES)
            .all(|one| is_range(u64::from(u32_at(one, 0)), u64::from(u32_at(one, 4)), members));
        let rules = self.rules.len() / RULE_BYTES;
        let members_hold = self.members.chunks_exact(MEMBER_BYTES).all(|one| usize::from(u16_at(one, 0)) < rules);
        let sets = self.sets.len() / SET_BYTES;
        let mut entries = self.entries.chunks_exact(ENTRY_BYTES);
        let entries_hold = entries.clone().all(|one| usize::from(u16_at(one, 22)) < sets);
        if !(schedules_hold && rules_hold && sets_hold && members_hold && entries_hold && self.head[32] < 4) {
            return Err(BadTable::Reference);
        }
        let in_order = |pair: (&[u8], &[u8])| pair.0[..LOOKUP_BYTES] < pair.1[..LOOKUP_BYTES];
        let next = entries.clone().skip(1);
        if entries.by_ref().zip(next).all(in_order) { Ok(()) } else { Err(BadTable::Order) }
    }

    /// Grows with every change of who may go where.
    #[must_use]
    pub fn version(&self) -> i64 {
        i64_at(self.head, 8)
    }

    #[must_use]
    pub fn issued_at_ms(&self) -> i64 {
        i64_at(self.head, 16)
    }

    /// From then on nothing is decided by this table.
    #[must_use]
    pub fn expires_at_ms(&self) -> i64 {
        i64_at(self.head, 24)
    }

    /// It is for a reader on the inside.
    #[must_use]
    pub fn leaving(&self) -> bool {
        self.head[33] & 1 != 0
    }

    /// How long the door stays unlocked for somebody who is let in, seconds.
    #[must_use]
    pub fn unlock_s(&self) -> u16 {
        u16_at(self.head, 34)
    }

    #[must_use]
    pub fn entry_count(&self) -> u32 {
        u32_at(self.head, 60)
    }

    /// How the door works then.
    #[must_use]
    pub fn mode(&self, now_ms: i64) -> DoorMode {
        if now_ms >= i64_at(self.head, 36) {
            return DoorMode::Normal;
        }
        match self.head[32] {
            1 => DoorMode::Lockdown,
            2 => DoorMode::Evacuation,
            3 => DoorMode::Unlocked,
            _ => DoorMode::Normal,
        }
    }

    /// What the clock on the wall of the building shows then.
    #[must_use]
    pub fn local(&self, now_ms: i64) -> LocalTime {
        let mut offset_s = 0;
        for one in self.offsets.chunks_exact(OFFSET_BYTES) {
            if i64_at(one, 0) <= now_ms {
                offset_s = i64::from(u32_at(one, 8).cast_signed());
            }
        }
        let local_ms = now_ms.saturating_add(offset_s * 1_000);
        let day = local_ms.div_euclid(DAY_MS);
        let holiday =
            self.holidays.chunks_exact(HOLIDAY_BYTES).any(|one| i64::from(u32_at(one, 0).cast_signed()) == day);
        // 1970-01-01 was a Thursday.
        let weekday = u8::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        let minute = u16::try_from(local_ms.rem_euclid(DAY_MS) / 60_000).unwrap_or_default();
        LocalTime { weekday, minute, holiday }
    }

    /// The entry at a place.
    #[must_use]
    pub fn entry(&self, index: u32) -> Option<Entry> {
        let at = usize::try_from(index).ok()?.checked_mul(ENTRY_BYTES)?;
        self.entries.get(at..at + ENTRY_BYTES).map(Entry::read)
    }

    /// Where the entry of this lookup stands.
    #[must_use]
    pub fn find(&self, lookup: &[u8; LOOKUP_BYTES]) -> Option<u32> {
        let (mut low, mut high) = (0, self.entries.len() / ENTRY_BYTES);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = middle * ENTRY_BYTES;
            match self.entries[at..at + LOOKUP_BYTES].cmp(lookup.as_slice()) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return u32::try_from(middle).ok(),
            }
        }
        None
    }

    fn is_open(&self, schedule: u16, local: LocalTime) -> bool {
        let at = usize::from(schedule) * SCHEDULE_BYTES;
        let (first, count) = (u16_at(self.schedules, at), u16_at(self.schedules, at + 2));
        let windows = self.windows.chunks_exact(WINDOW_BYTES).skip(usize::from(first)).take(usize::from(count));
        let mut windows =
            windows.map(|one| Window { days: one[0], from_minute: u16_at(one, 1), until_minute: u16_at(one, 3) });
        windows.any(|window| window.contains(local))
    }

    /// The rules of a set, their hours answered already: at any time, or never.
    fn rules(&self, set: u16, local: LocalTime) -> impl Iterator<Item = Rule<'static>> + use<'a> {
        const NEVER: &[Window] = &[];
        let table = *self;
        let at = usize::from(set) * SET_BYTES;
        let first = usize::try_from(u32_at(table.sets, at)).unwrap_or(usize::MAX);
        let count = usize::try_from(u32_at(table.sets, at + 4)).unwrap_or_default();
        table.members.chunks_exact(MEMBER_BYTES).skip(first).take(count).map(move |member| {
            let rule = &table.rules[usize::from(u16_at(member, 0)) * RULE_BYTES..][..RULE_BYTES];
            let schedule = u16_at(rule, 0);
            let is_open = schedule == NONE || table.is_open(schedule, local);
            let (from, until) = (i64_at(rule, 4), i64_at(rule, 12));
            Rule {
                hours: if is_open { None } else { Some(NEVER) },
                valid_from_ms: (from != i64::MIN).then_some(from),
                valid_until_ms: (until != i64::MAX).then_some(until),
                levels: rule[2],
                in_lockdown: rule[3] & 1 != 0,
            }
        })
    }
}

/// Decides without network. `shown` is the keyed hash of what was shown; `used` how often the entry has let in since the
/// table came. Anti-passback is for Portico alone: a reader does not know what happened at the others.
///
/// # Errors
/// When it cannot be decided by this table; the door stays shut, and whoever leaves is free by the reader's own rule.
pub fn decide_offline(
    table: &Table<'_>,
    shown: Option<&[u8; LOOKUP_BYTES]>,
    used: u16,
    now_ms: i64,
) -> Result<Offline, Unable> {
    usable(table, now_ms)?;
    Ok(decide_in(table, table.mode(now_ms), shown, used, now_ms))
}

/// Whether anything is decided by this table now.
pub(crate) fn usable(table: &Table<'_>, now_ms: i64) -> Result<(), Unable> {
    if now_ms >= table.expires_at_ms() {
        return Err(Unable::Expired);
    }
    if now_ms < table.issued_at_ms().saturating_sub(CLOCK_SLACK_MS) {
        return Err(Unable::ClockBehind);
    }
    Ok(())
}

/// As [`decide_offline`], for a door that works so, by a table that is [`usable`].
pub(crate) fn decide_in(
    table: &Table<'_>,
    mode: DoorMode,
    shown: Option<&[u8; LOOKUP_BYTES]>,
    used: u16,
    now_ms: i64,
) -> Offline {
    let local = table.local(now_ms);
    let index = shown.and_then(|lookup| table.find(lookup));
    let entry = index.and_then(|index| table.entry(index));
    let holder = entry.map(|entry| Holder {
        is_active: entry.is_active,
        level: entry.level,
        valid_from_ms: (entry.valid_from_ms != i64::MIN).then_some(entry.valid_from_ms),
        valid_until_ms: (entry.valid_until_ms != i64::MAX).then_some(entry.valid_until_ms),
        uses_left: (entry.uses != NONE).then(|| u32::from(entry.uses.saturating_sub(used))),
    });
    let rules = entry.into_iter().flat_map(|entry| table.rules(entry.set, local));
    let decision = decide(now_ms, local, mode, table.leaving(), holder, rules, Passback::Clear);
    Offline { decision, entry: index, person: entry.map(|entry| entry.person) }
}

/// Makes the new table from the one a reader has: `head` is the new table without its entries, `changes` what became of the
/// entries in the order of their lookups, each [`ENTRY_BYTES`] after a byte that is 1 (put) or 0 (removed). How many bytes of
/// `out` it takes. The signature is over the result, so a reader that had something else finds out, and asks for all of it.
///
/// # Errors
/// What does not hold together, or too small a buffer.
pub fn merge(old: &Table<'_>, head: &[u8], changes: &[u8], out: &mut [u8]) -> Result<usize, BadTable> {
    const CHANGE_BYTES: usize = ENTRY_BYTES + 1;
    let (_, rest) = Table::read_head(head)?;
    if !rest.is_empty() || !changes.len().is_multiple_of(CHANGE_BYTES) {
        return Err(BadTable::Length);
    }
    out.get_mut(..head.len()).ok_or(BadTable::Space)?.copy_from_slice(head);
    let mut length = head.len();
    let mut put = |entry: &[u8]| {
        out.get_mut(length..length + ENTRY_BYTES).ok_or(BadTable::Space)?.copy_from_slice(entry);
        length += ENTRY_BYTES;
        Ok(())
    };
    let mut kept = old.entries.chunks_exact(ENTRY_BYTES).peekable();
    for change in changes.chunks_exact(CHANGE_BYTES) {
        let (is_put, entry) = (change[0] == 1, &change[1..]);
        while let Some(before) = kept.next_if(|before| before[..LOOKUP_BYTES] < entry[..LOOKUP_BYTES]) {
            put(before)?;
        }
        kept.next_if(|same| same[..LOOKUP_BYTES] == entry[..LOOKUP_BYTES]);
        if is_put {
            put(entry)?;
        }
    }
    kept.try_for_each(put)?;
    Table::read(&out[..length])?;
    Ok(length)
}

/// What a reader says of a decision, in the words of the access log.
#[must_use]
pub const fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Evacuation => "evacuation",
        Reason::Unlocked => "unlocked",
        Reason::UnknownCredential => "unknown_credential",
        Reason::InactivePerson => "inactive_person",
        Reason::CredentialNotYetValid => "credential_not_yet_valid",
        Reason::CredentialExpired => "credential_expired",
        Reason::UsedUp => "used_up",
        Reason::Lockdown => "lockdown",
        Reason::NoPolicy => "no_policy",
        Reason::LevelTooLow => "level_too_low",
        Reason::PolicyNotValid => "policy_not_valid",
        Reason::OutOfHours => "out_of_hours",
        Reason::AntiPassback => "anti_passback",
        Reason::Granted => "granted",
        Reason::GrantedDespitePassback => "granted_despite_passback",
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn head(entries: u32) -> Vec<u8> {
        let mut head = Vec::from(MAGIC);
        for number in [7_i64, 1_000_000, 2_000_000] {
            head.extend(number.to_be_bytes());
        }
        head.extend([0, 0, 0, 5]);
        head.extend(i64::MAX.to_be_bytes());
        // No offsets, holidays, windows, schedules; one rule, one set of one member.
        for count in [0_u16, 0, 0, 0, 1, 1] {
            head.extend(count.to_be_bytes());
        }
        head.extend(1_u32.to_be_bytes());
        head.extend(entries.to_be_bytes());
        head.extend(NONE.to_be_bytes());
        head.extend([7, 0]);
        head.extend(i64::MIN.to_be_bytes());
        head.extend(i64::MAX.to_be_bytes());
        head.extend(0_u32.to_be_bytes());
        head.extend(1_u32.to_be_bytes());
        head.extend(0_u16.to_be_bytes());
        head
    }

    fn entry(first: u8) -> Entry {
        Entry {
            lookup: [first; LOOKUP_BYTES],
            person: u32::from(first),
            level: 1,
            is_active: true,
            set: 0,
            valid_from_ms: i64::MIN,
            valid_until_ms: i64::MAX,
            uses: NONE,
        }
    }

    fn table(entries: &[Entry]) -> Vec<u8> {
        let mut bytes = head(u32::try_from(entries.len()).unwrap());
        bytes.extend(entries.iter().flat_map(Entry::to_bytes));
        bytes
    }

    #[test]
    fn known_card_opens_until_the_table_expires() {
        let bytes = table(&[entry(1), Entry { uses: 2, ..entry(2) }, entry(9)]);
        let table = Table::read(&bytes).unwrap();
        assert_eq!((table.version(), table.unlock_s()), (7, 5));
        let ask = |first: u8, used, now| decide_offline(&table, Some(&[first; 16]), used, now);
        let reason = |first, used, now| ask(first, used, now).map(|offline| offline.decision.reason);
        assert_eq!(ask(9, 0, 1_000_000).map(|offline| (offline.entry, offline.person)), Ok((Some(2), Some(9))));
        assert_eq!(reason(1, 0, 1_999_999), Ok(Reason::Granted));
        assert_eq!(reason(1, 0, 2_000_000), Err(Unable::Expired));
        assert_eq!(reason(1, 0, 0), Err(Unable::ClockBehind));
        assert_eq!(reason(3, 0, 1_000_000), Ok(Reason::UnknownCredential));
        assert_eq!(reason(2, 1, 1_000_000), Ok(Reason::Granted));
        assert_eq!(reason(2, 2, 1_000_000), Ok(Reason::UsedUp));
    }

    #[test]
    fn table_that_does_not_hold_together_is_refused() {
        let good = table(&[entry(1), entry(2)]);
        for length in 0..good.len() {
            assert!(Table::read(&good[..length]).is_err(), "{length}");
        }
        assert_eq!(Table::read(&table(&[entry(2), entry(1)])).unwrap_err(), BadTable::Order);
        assert_eq!(Table::read(&table(&[Entry { set: 1, ..entry(1) }])).unwrap_err(), BadTable::Reference);
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(Table::read(&longer).unwrap_err(), BadTable::Length);
    }

    proptest::proptest! {
        #[test]
        fn changes_make_the_new_table(old in proptest::collection::btree_set(0_u8..40, 0..20), new in proptest::collection::btree_set(0_u8..40, 0..20)) {
            let entries = |set: &std::collections::BTreeSet<u8>| set.iter().map(|first| entry(*first)).collect::<Vec<_>>();
            let before = table(&entries(&old));
            let after = table(&entries(&new));
            let mut changes = Vec::new();
            for first in 0..40 {
                if old.contains(&first) != new.contains(&first) {
                    changes.push(u8::from(new.contains(&first)));
                    changes.extend(entry(first).to_bytes());
                }
            }
            let mut out = [0; 4_096];
            let length = merge(&Table::read(&before).unwrap(), &head(u32::try_from(new.len()).unwrap()), &changes, &mut out).unwrap();
            proptest::prop_assert_eq!(&out[..length], &after[..]);
        }

        #[test]
        fn any_bytes_are_read_without_harm(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), now in proptest::num::i64::ANY) {
            if bytes.len() > 8 { bytes[..8].copy_from_slice(&MAGIC); }
            if let Ok(table) = Table::read(&bytes) {
                let _ = decide_offline(&table, Some(&[1; 16]), 0, now);
            }
        }
    }
}
