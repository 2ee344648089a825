//! What a simulated reader keeps in its flash: the table that Portico signed for it, taken and asked as firmware does
//! (`portico_lock_core::reader`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portico_lock_core::command::Key;
use portico_lock_core::decide::DoorMode;
use portico_lock_core::hex;
use portico_lock_core::offline::{ENTRY_BYTES, Table, merge, word};
use portico_lock_core::reader::{Alone, decide_alone, lookup, open};
use serde_json::{Value, json};

/// Nobody could decide.
pub(super) const UNAVAILABLE: &str = "unavailable";

/// A table and what belongs to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Empty: none.
    table: Vec<u8>,
    lookup_key: Key,
    /// How often an entry has let in since the table came.
    used: BTreeMap<u32, u16>,
}

/// What it decided, and what it will tell of it.
pub(super) struct Decided {
    pub granted: bool,
    pub reason: &'static str,
    /// Seconds; absent: as the door is made.
    pub unlock_s: Option<u64>,
    /// For `offline-events`, without its number.
    pub event: Value,
}

fn bytes(answer: &Value, member: &str) -> Result<Option<Vec<u8>>, String> {
    let text = answer[member].as_str();
    text.map(|text| STANDARD.decode(text).map_err(|error| format!("{member}: {error}"))).transpose()
}

impl Known {
    fn table(&self) -> Option<Table<'_>> {
        Table::read(&self.table).ok()
    }

    pub fn version(&self) -> i64 {
        self.table().map_or(0, |table| table.version())
    }

    /// How its door works by the table, also one that is too old to let anybody in by.
    pub fn mode(&self, now_ms: i64) -> DoorMode {
        self.table().map_or(DoorMode::Normal, |table| table.mode(now_ms))
    }

    /// When half of the table's time is over, epoch milliseconds.
    pub fn half_over_ms(&self) -> Option<u64> {
        let table = self.table()?;
        let half = table.issued_at_ms().midpoint(table.expires_at_ms());
        u64::try_from(half).ok()
    }

    /// Takes a table or a change of the one it has, when Portico signed it for this reader.
    pub fn take(&mut self, answer: &Value, key: &Key) -> Result<i64, String> {
        let hex = |member: &str| -> Result<Key, String> {
            let text = answer[member].as_str().unwrap_or_default();
            hex::parse(text.as_bytes()).ok_or_else(|| format!("no {member}"))
        };
        let new = match (bytes(answer, "table")?, bytes(answer, "head")?, bytes(answer, "changes")?) {
            (Some(table), ..) => table,
            (None, Some(head), Some(changes)) => {
                let old = self.table().ok_or("there is nothing to change")?;
                let most = head.len() + changes.len() + self.table.len() + ENTRY_BYTES;
                let mut out = vec![0; most];
                let length = merge(&old, &head, &changes, &mut out).map_err(|bad| format!("{bad:?}"))?;
                out.truncate(length);
                out
            }
            _ => return Err("neither a table nor changes".to_owned()),
        };
        let version = open(key, &new, &hex("signature")?).map_err(|not| format!("{not:?}"))?.version();
        *self = Self { table: new, lookup_key: hex("lookup_key")?, used: BTreeMap::new() };
        Ok(version)
    }

    /// Decides when nobody answers.
    pub fn decide(
        &mut self,
        method: &str,
        value: &str,
        ordered: Option<DoorMode>,
        leaving: bool,
        now_ms: u64,
    ) -> Decided {
        let hash = self.table().is_some().then(|| {
            // A keypad cannot know whether digits are a PIN or a code; only codes are in a table.
            let kind = if method == "pin" { "code" } else { method };
            lookup(&self.lookup_key, kind, spelled(kind, value).as_bytes())
        });
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let table = self.table();
        let entry = hash.and_then(|hash| table?.find(&hash));
        let used = entry.and_then(|entry| self.used.get(&entry).copied()).unwrap_or_default();
        let Alone { granted, reason, entry, person } =
            decide_alone(table.as_ref(), ordered, leaving, hash.as_ref(), used, now);
        let unlock_s = table.map(|table| u64::from(table.unlock_s()));
        if let (true, Some(entry)) = (granted, entry) {
            let used = self.used.entry(entry).or_default();
            *used = used.saturating_add(1);
        }
        let reason = reason.map_or(UNAVAILABLE, word);
        let mut event = json!({ "ts": now_ms, "method": method, "granted": granted, "reason": reason });
        match hash {
            Some(hash) => {
                let mut text = [0; 32];
                event["lookup"] = json!(hex::write(&hash, &mut text));
                event["person"] = json!(person);
            }
            // Without its key it cannot hide what it was shown; a PIN it does not tell.
            None if method == "rfid" => event["rfid_uid"] = json!(value),
            None if method == "fingerprint" => event["fingerprint_id"] = json!(value.parse::<i64>().ok()),
            None => {}
        }
        Decided { granted, reason, unlock_s, event }
    }
}

/// As it stands in the table: a card in capitals without separators.
fn spelled(kind: &str, value: &str) -> String {
    if kind != "rfid" {
        return value.trim().to_owned();
    }
    value.chars().filter(|letter| !matches!(letter, ':' | '-' | '.' | ' ')).collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
pub(super) mod tests {
    use portico_lock_core::offline::{Entry, MAGIC, NONE};
    use ring::hmac;

    use super::*;

    pub const KEY: Key = [7; 32];
    pub const START: u64 = 1_795_219_200_000;
    const LOOKUPS: Key = [8; 32];
    const TABLE_MS: u64 = 86_400_000;

    fn signature(table: &[u8]) -> String {
        let mut text = Vec::new();
        for part in [b"portico-sync-1".as_slice(), table] {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part);
        }
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), &text);
        let mut out = [0; 64];
        hex::write(tag.as_ref(), &mut out).to_owned()
    }

    /// `GOOD` is let in by person 7, `NIGHT` by person 8 from 0 to 5 o'clock, the code 4711 once.
    pub fn answer(version: i64, next_seq: u64) -> Value {
        let mut table = Vec::from(MAGIC);
        for number in [version, START.cast_signed(), (START + TABLE_MS).cast_signed()] {
            table.extend(number.to_be_bytes());
        }
        table.extend([0, 0, 0, 9]);
        table.extend(i64::MAX.to_be_bytes());
        // One window of one schedule; two rules, two sets of one each.
        for count in [0_u16, 0, 1, 1, 2, 2] {
            table.extend(count.to_be_bytes());
        }
        for count in [2_u32, 3] {
            table.extend(count.to_be_bytes());
        }
        table.push(0x7f);
        for number in [0_u16, 300, 0, 1] {
            table.extend(number.to_be_bytes());
        }
        for schedule in [NONE, 0] {
            table.extend(schedule.to_be_bytes());
            table.extend([7, 0]);
            table.extend(i64::MIN.to_be_bytes());
            table.extend(i64::MAX.to_be_bytes());
        }
        for number in [0_u32, 1, 1, 1] {
            table.extend(number.to_be_bytes());
        }
        for rule in [0_u16, 1] {
            table.extend(rule.to_be_bytes());
        }
        let mut entries: Vec<Entry> =
            [("rfid", "GOOD", 7, 0, NONE), ("rfid", "NIGHT", 8, 1, NONE), ("code", "4711", 0, 0, 1)]
                .into_iter()
                .map(|(kind, shown, person, set, uses)| Entry {
                    lookup: lookup(&LOOKUPS, kind, shown.as_bytes()),
                    person,
                    level: 1,
                    is_active: true,
                    set,
                    valid_from_ms: i64::MIN,
                    valid_until_ms: i64::MAX,
                    uses,
                })
                .collect();
        entries.sort_by_key(|entry| entry.lookup);
        table.extend(entries.iter().flat_map(Entry::to_bytes));
        let mut key = [0; 64];
        json!({ "version": version, "table": STANDARD.encode(&table), "signature": signature(&table),
                "lookup_key": hex::write(&LOOKUPS, &mut key), "next_seq": next_seq })
    }

    #[test]
    fn it_decides_as_the_table_says_until_that_is_too_old() {
        let mut known = Known::default();
        assert_eq!(known.take(&answer(3, 1), &KEY), Ok(3));
        let noon = START + TABLE_MS / 2;
        let mut ask = |method: &str, value: &str, now| {
            let decided = known.decide(method, value, None, false, now);
            (decided.granted, decided.reason, decided.event["person"].clone())
        };
        assert_eq!(ask("rfid", "go:od", noon), (true, "granted", json!(7)));
        assert_eq!(ask("rfid", "NIGHT", noon), (false, "out_of_hours", json!(8)));
        assert_eq!(ask("rfid", "NIGHT", START), (true, "granted", json!(8)));
        assert_eq!(ask("rfid", "BAD", noon), (false, "unknown_credential", Value::Null));
        assert_eq!(ask("fingerprint", "GOOD", noon).1, "unknown_credential");
        assert_eq!(ask("pin", "4711", noon), (true, "granted", json!(0)));
        assert_eq!(ask("code", "4711", noon).1, "used_up");
        assert_eq!(ask("rfid", "GOOD", START + TABLE_MS), (false, "unavailable", Value::Null));
    }

    #[test]
    fn forged_table_leaves_what_it_has() {
        let mut known = Known::default();
        known.take(&answer(3, 1), &KEY).unwrap();
        assert!(known.take(&answer(4, 1), &[9; 32]).is_err());
        let mut forged = answer(4, 1);
        forged["signature"] = answer(5, 1)["signature"].clone();
        assert!(known.take(&forged, &KEY).is_err());
        assert!(known.take(&json!({}), &KEY).is_err());
        assert_eq!(known.version(), 3);
    }
}
