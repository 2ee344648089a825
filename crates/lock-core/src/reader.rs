//! What a reader does with its table: takes none that Portico has not signed for it, finds what it is shown, decides when
//! nobody answers. See `docs/firmware.md`.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::command::{Key, mac};
use crate::decide::{DoorMode, Reason, is_free};
use crate::offline::{BadTable, LOOKUP_BYTES, Table, decide_in, usable};

/// What stands before the table in what is signed.
const SIGNED_AS: &[u8] = b"portico-sync-1";

/// Why a table is not taken: ask for all of it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It was not signed by Portico for this reader, or a change of it does not fit to what the reader had.
    Signature,
    Bad(BadTable),
}

/// What a reader does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alone {
    pub granted: bool,
    /// `None`: it could not be decided, and the reader's own rule was left.
    pub reason: Option<Reason>,
    /// Which entry it was, for counting its uses.
    pub entry: Option<u32>,
    /// The number of the person; 0 for a code that is nobody's.
    pub person: Option<u32>,
}

/// HMAC-SHA-256 of parts, each after its length as 8 bytes, the highest first.
fn keyed(key: &Key, parts: [&[u8]; 2]) -> Hmac<Sha256> {
    let mut mac = mac(key);
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// By what a table is searched for something that is shown: a card in capitals without separators, a code, a finger's slot.
/// `key` is the reader's own `lookup_key`.
#[must_use]
pub fn lookup(key: &Key, method: &str, shown: &[u8]) -> [u8; LOOKUP_BYTES] {
    let hash: [u8; 32] = keyed(key, [method.as_bytes(), shown]).finalize().into_bytes().into();
    let mut short = [0; LOOKUP_BYTES];
    short.copy_from_slice(&hash[..LOOKUP_BYTES]);
    short
}

/// Reads a table that Portico signed for this reader, under its signing key.
///
/// # Errors
/// When it did not, or when the table does not hold together.
pub fn open<'a>(key: &Key, table: &'a [u8], signature: &[u8; 32]) -> Result<Table<'a>, NotTaken> {
    // In constant time.
    keyed(key, [SIGNED_AS, table]).verify_slice(signature).map_err(|_| NotTaken::Signature)?;
    Table::read(table).map_err(NotTaken::Bad)
}

/// Decides when nobody answers. `ordered`: how the door was told to work since the table came. Without a table that counts,
/// the reader's own rule is left ([`is_free`]); `leaving` is for a reader that has never had one.
#[must_use]
pub fn decide_alone(
    table: Option<&Table<'_>>,
    ordered: Option<DoorMode>,
    leaving: bool,
    shown: Option<&[u8; LOOKUP_BYTES]>,
    used: u16,
    now_ms: i64,
) -> Alone {
    let mode = ordered.or_else(|| table.map(|table| table.mode(now_ms))).unwrap_or(DoorMode::Normal);
    match table.filter(|table| usable(table, now_ms).is_ok()) {
        Some(table) => {
            let offline = decide_in(table, mode, shown, used, now_ms);
            let (decision, entry, person) = (offline.decision, offline.entry, offline.person);
            Alone { granted: decision.granted, reason: Some(decision.reason), entry, person }
        }
        None => {
            let leaving = leaving || table.is_some_and(Table::leaving);
            Alone { granted: is_free(mode, leaving), reason: None, entry: None, person: None }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::offline::{Entry, MAGIC, NONE};

    const KEY: Key = [7; 32];
    const START: i64 = 1_000_000_000;
    const END: i64 = START + 86_400_000;

    /// One person, let in always; the reader may be on the inside.
    fn table(mode: u8, leaving: bool) -> Vec<u8> {
        let mut table = Vec::from(MAGIC);
        for number in [7_i64, START, END] {
            table.extend(number.to_be_bytes());
        }
        table.extend([mode, u8::from(leaving), 0, 5]);
        table.extend(i64::MAX.to_be_bytes());
        for count in [0_u16, 0, 0, 0, 1, 1] {
            table.extend(count.to_be_bytes());
        }
        table.extend([0, 0, 0, 1, 0, 0, 0, 1]);
        table.extend(NONE.to_be_bytes());
        table.extend([7, 0]);
        table.extend(i64::MIN.to_be_bytes());
        table.extend(i64::MAX.to_be_bytes());
        table.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
        let entry = Entry {
            lookup: lookup(&KEY, "rfid", b"04521A2B"),
            person: 7,
            level: 1,
            is_active: true,
            set: 0,
            valid_from_ms: i64::MIN,
            valid_until_ms: i64::MAX,
            uses: NONE,
        };
        table.extend(entry.to_bytes());
        table
    }

    fn signature(key: &Key, table: &[u8]) -> [u8; 32] {
        keyed(key, [SIGNED_AS, table]).finalize().into_bytes().into()
    }

    #[test]
    fn table_is_taken_only_as_it_was_signed_for_this_reader() {
        let table = table(0, false);
        let signed = signature(&KEY, &table);
        assert_eq!(open(&KEY, &table, &signed).map(|table| table.version()), Ok(7));
        assert_eq!(open(&[8; 32], &table, &signed).err(), Some(NotTaken::Signature));
        for at in 0..table.len() {
            let mut forged = table.clone();
            forged[at] ^= 1;
            assert_eq!(open(&KEY, &forged, &signed).err(), Some(NotTaken::Signature), "byte {at}");
        }
        let cut = &table[..table.len() - 1];
        assert_eq!(open(&KEY, cut, &signature(&KEY, cut)).err(), Some(NotTaken::Bad(BadTable::Length)));
    }

    #[test]
    fn without_a_table_that_counts_only_who_leaves_is_free() {
        use DoorMode::{Evacuation, Lockdown};
        let card = lookup(&KEY, "rfid", b"04521A2B");
        let (outside, inside, evacuated) = (table(0, false), table(0, true), table(2, false));
        let [outside, inside, evacuated] = [&outside, &inside, &evacuated].map(|bytes| Table::read(bytes).unwrap());
        let ask = |table: Option<&Table<'_>>, ordered, leaving, shown, now| {
            let alone = decide_alone(table, ordered, leaving, shown, 0, now);
            (alone.granted, alone.reason)
        };
        let (card, nobody, now) = (Some(&card), None, START + 1);
        assert_eq!(ask(Some(&outside), None, false, card, now), (true, Some(Reason::Granted)));
        assert_eq!(ask(Some(&outside), None, false, nobody, now), (false, Some(Reason::UnknownCredential)));
        assert_eq!(ask(Some(&outside), Some(Lockdown), false, card, now), (false, Some(Reason::Lockdown)));
        assert_eq!(ask(Some(&inside), Some(Lockdown), true, card, now), (true, Some(Reason::Granted)));
        assert_eq!(ask(Some(&outside), Some(Evacuation), false, nobody, now), (true, Some(Reason::Evacuation)));
        // Too old, or none at all.
        assert_eq!(ask(Some(&outside), None, false, card, END), (false, None));
        assert_eq!(ask(Some(&inside), None, false, nobody, END), (true, None));
        assert_eq!(ask(Some(&evacuated), None, false, nobody, END), (true, None));
        assert_eq!(ask(None, None, false, card, now), (false, None));
        assert_eq!(ask(None, None, true, card, now), (true, None));
    }
}
