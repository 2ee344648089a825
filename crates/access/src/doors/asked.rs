//! Questions that were asked lately, so that one which MQTT brings twice is answered once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use portico_model::{DeviceId, Timestamp};

/// How long a question is remembered, milliseconds: longer than any is answered.
const REMEMBERED_MS: i64 = 60_000;

/// Most questions in memory; the oldest are forgotten first.
const MOST: usize = 20_000;

#[derive(Debug, Default)]
pub struct Asked(Mutex<VecDeque<(DeviceId, String, Timestamp)>>);

impl Asked {
    /// Whether this reader asks it for the first time.
    pub fn first(&self, reader: DeviceId, request: &str, at: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while asked.len() >= MOST || asked.front().is_some_and(|(_, _, then)| at.millis_since(*then) > REMEMBERED_MS) {
            asked.pop_front();
        }
        if asked.iter().rev().any(|(device, id, _)| *device == reader && id == request) {
            return false;
        }
        asked.push_back((reader, request.to_owned(), at));
        true
    }

    /// It could not be answered: it may come again.
    pub fn forget(&self, reader: DeviceId, request: &str) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|(device, id, _)| !(*device == reader && id == request));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_is_new_for_each_reader_and_again_after_a_while() {
        let (asked, one, other) = (Asked::default(), DeviceId::nil(), DeviceId::generate());
        let now = Timestamp::from_millis(0);
        assert!(asked.first(one, "a", now));
        assert!(!asked.first(one, "a", now));
        assert!(asked.first(other, "a", now) && asked.first(one, "b", now));
        assert!(asked.first(one, "a", now.plus_millis(REMEMBERED_MS + 1)));
        asked.forget(one, "a");
        assert!(asked.first(one, "a", now));
    }
}
