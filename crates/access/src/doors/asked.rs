//! Questions that were asked lately, so that one which MQTT brings twice is answered once, and one that was refused
//! without the database stays refused when the database is back.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portico_model::{DeviceId, Timestamp};

/// How long a question is remembered, milliseconds: longer than any is answered.
const REMEMBERED_MS: i64 = 60_000;

/// Most questions in memory; the oldest are forgotten first.
const MOST: usize = 20_000;

/// What became of a question before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody has asked it.
    Nothing,
    /// It is answered, or about to be.
    Answered,
    /// The reader was told that nobody can decide; it is still to be written down.
    Refused,
}

#[derive(Debug)]
struct Question {
    reader: DeviceId,
    name: String,
    at: Timestamp,
    /// Somebody sees to it, or has.
    is_taken: bool,
    is_refused: bool,
}

#[derive(Debug, Default)]
pub struct Asked(Mutex<VecDeque<Question>>);

/// What a question is called that may have no name of its own: when it is tried again it has the same time.
pub fn name(request_id: Option<&str>, at: Timestamp) -> String {
    request_id.map_or_else(|| format!("\u{0}{}", at.millis()), ToOwned::to_owned)
}

impl Asked {
    fn held(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader asks: what became of this question before.
    pub fn take(&self, reader: DeviceId, name: &str, at: Timestamp) -> Before {
        let mut asked = self.held();
        let known = find(&mut asked, reader, name, at);
        let before = match (known.is_taken, known.is_refused) {
            (true, _) => Before::Answered,
            (false, true) => Before::Refused,
            (false, false) => Before::Nothing,
        };
        known.is_taken = true;
        before
    }

    /// It could not be answered: it may come again.
    pub fn give_back(&self, reader: DeviceId, name: &str) {
        let mut asked = self.held();
        for question in asked.iter_mut().filter(|question| question.reader == reader && question.name == name) {
            question.is_taken = false;
        }
    }

    /// Nobody can decide it now. False when that was said already.
    pub fn refuse(&self, reader: DeviceId, name: &str, at: Timestamp) -> bool {
        let mut asked = self.held();
        let known = find(&mut asked, reader, name, at);
        !std::mem::replace(&mut known.is_refused, true)
    }

    /// Whether the reader was told that nobody can decide it.
    pub fn is_refused(&self, reader: DeviceId, name: &str) -> bool {
        self.held().iter().rev().any(|known| known.reader == reader && known.name == name && known.is_refused)
    }
}

/// The question, made when it is not there.
fn find<'a>(asked: &'a mut VecDeque<Question>, reader: DeviceId, name: &str, at: Timestamp) -> &'a mut Question {
    while asked.len() >= MOST || asked.front().is_some_and(|oldest| at.millis_since(oldest.at) > REMEMBERED_MS) {
        asked.pop_front();
    }
    let index = asked.iter().rposition(|known| known.reader == reader && known.name == name);
    let index = index.unwrap_or_else(|| {
        asked.push_back(Question { reader, name: name.to_owned(), at, is_taken: false, is_refused: false });
        asked.len() - 1
    });
    &mut asked[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_is_new_for_each_reader_and_again_after_a_while() {
        let (asked, one, other) = (Asked::default(), DeviceId::nil(), DeviceId::generate());
        let now = Timestamp::from_millis(0);
        assert_eq!(asked.take(one, "a", now), Before::Nothing);
        assert_eq!(asked.take(one, "a", now), Before::Answered);
        assert_eq!((asked.take(other, "a", now), asked.take(one, "b", now)), (Before::Nothing, Before::Nothing));
        assert_eq!(asked.take(one, "a", now.plus_millis(REMEMBERED_MS + 1)), Before::Nothing);
        asked.give_back(one, "a");
        assert_eq!(asked.take(one, "a", now), Before::Nothing);
        assert_ne!(name(None, now), name(None, now.plus_millis(1)));
    }

    #[test]
    fn refused_question_stays_refused_and_is_said_once() {
        let (asked, reader, now) = (Asked::default(), DeviceId::nil(), Timestamp::from_millis(0));
        assert_eq!(asked.take(reader, "a", now), Before::Nothing);
        assert!(asked.refuse(reader, "a", now), "while it is being decided");
        assert!(!asked.refuse(reader, "a", now));
        asked.give_back(reader, "a");
        assert!(asked.is_refused(reader, "a") && !asked.is_refused(reader, "b"));
        assert_eq!(asked.take(reader, "a", now), Before::Refused);
        assert_eq!(asked.take(reader, "a", now), Before::Answered);
    }
}
