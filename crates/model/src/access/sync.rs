//! What readers know without network, and how far their own events have come.

use serde::{Deserialize, Serialize};

use super::words;
use crate::devices::Connection;
use crate::{DeviceId, DoorId, Timestamp};

words! {
    /// Whether a reader could decide by itself.
    SyncState {
        /// It knows what is in force now.
        Current = "current",
        /// It knows an older state.
        Behind = "behind",
        /// What it knows has run out: without network it keeps the door shut.
        Expired = "expired",
        /// It has never asked: its firmware cannot, or it is new.
        Never = "never",
    }
}

/// A reader, as the page of readers shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(example = json!({
    "reader_id": "0199a0000000700080000000000000ab", "reader_name": "Reader 1",
    "door_id": "0199a0000000700080000000000000d1", "door_name": "Main entrance", "leaving": false,
    "connection": "online", "state": "current", "version": 42, "synced_version": 42,
    "synced_at": "2026-11-21T02:00:00.000+00:00", "expires_at": "2026-11-22T02:00:00.000+00:00", "last_seq": 17, "lost": 0
})))]
pub struct ReaderSync {
    pub reader_id: DeviceId,
    pub reader_name: String,
    pub door_id: DoorId,
    pub door_name: String,
    /// At the inside of the door.
    pub leaving: bool,
    pub connection: Connection,
    pub state: SyncState,
    /// What is in force now.
    pub version: i64,
    /// What the reader has said that it knows; 0: nothing.
    pub synced_version: i64,
    pub synced_at: Option<Timestamp>,
    /// From then on it decides nothing without network.
    pub expires_at: Option<Timestamp>,
    /// Its own events up to this number are in the access log.
    pub last_seq: i64,
    /// How many of its events were lost at the reader.
    pub lost: i64,
}

/// How much of it there is to say.
#[must_use]
pub fn sync_state(synced: Option<(i64, Timestamp)>, version: i64, now: Timestamp) -> SyncState {
    match synced {
        None => SyncState::Never,
        Some((_, expires_at)) if expires_at <= now => SyncState::Expired,
        Some((known, _)) if known < version => SyncState::Behind,
        Some(_) => SyncState::Current,
    }
}

/// How far a reader's events have come without a gap: `last` is the number up to which all are there, `there` the numbers
/// beyond it in ascending order, `oldest` the lowest number that the reader still has, when it says so: what is missing
/// below that is lost. The new number, and how many are lost for good.
#[must_use]
pub fn advance(last: i64, there: &[i64], oldest: Option<i64>) -> (i64, i64) {
    let (mut reached, mut lost) = (last, 0);
    for seq in there.iter().copied().filter(|seq| *seq > last) {
        if seq > reached + 1 {
            let given_up = oldest.map_or(reached, |oldest| (oldest - 1).min(seq - 1)).max(reached);
            lost += given_up - reached;
            reached = given_up;
            if seq > reached + 1 {
                return (reached, lost);
            }
        }
        reached = seq;
    }
    if let Some(oldest) = oldest.filter(|oldest| *oldest - 1 > reached) {
        lost += oldest - 1 - reached;
        reached = oldest - 1;
    }
    (reached, lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_is_current_behind_or_expired() {
        let at = Timestamp::from_millis;
        assert_eq!(sync_state(None, 1, at(0)), SyncState::Never);
        assert_eq!(sync_state(Some((3, at(10))), 3, at(9)), SyncState::Current);
        assert_eq!(sync_state(Some((2, at(10))), 3, at(9)), SyncState::Behind);
        assert_eq!(sync_state(Some((3, at(10))), 3, at(10)), SyncState::Expired);
    }

    #[test]
    fn events_are_acknowledged_up_to_the_first_gap() {
        /// The last one taken, those there, the oldest the reader has, what comes of it.
        type Case = (i64, &'static [i64], Option<i64>, (i64, i64));
        let table: [Case; 9] = [
            (0, &[], None, (0, 0)),
            (0, &[1, 2, 3], None, (3, 0)),
            (0, &[1, 3], None, (1, 0)),
            (1, &[3, 4], None, (1, 0)),
            // The reader no longer has 2.
            (1, &[3, 4], Some(3), (4, 1)),
            (1, &[3, 4, 6], Some(3), (4, 1)),
            (4, &[9], Some(7), (6, 2)),
            // It is empty and goes on at 10.
            (4, &[], Some(10), (9, 5)),
            (4, &[5], Some(2), (5, 0)),
        ];
        for (last, there, oldest, expected) in table {
            assert_eq!(advance(last, there, oldest), expected, "{last} {there:?} {oldest:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_acknowledged_that_is_neither_there_nor_lost(last in 0_i64..20, there in proptest::collection::btree_set(1_i64..40, 0..30), oldest in proptest::option::of(1_i64..45)) {
            let there: Vec<i64> = there.into_iter().filter(|seq| *seq > last).collect();
            let (reached, lost) = advance(last, &there, oldest);
            let absent = (last + 1..=reached).filter(|seq| !there.contains(seq)).count();
            proptest::prop_assert_eq!(i64::try_from(absent).unwrap(), lost);
            proptest::prop_assert!(reached >= last && oldest.is_none_or(|oldest| reached >= oldest - 1));
        }
    }
}
