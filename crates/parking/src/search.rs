//! Texts that lists are searched for, and cursors of lists by time.

use std::str::FromStr;

use portico_model::Timestamp;
use portico_platform::{Error, Result};

/// Longest text of a search, characters.
const MAX_CHARS: usize = 100;

/// What is looked for; nothing when there is nothing but spaces.
pub fn cleaned(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| *c != '\0').take(MAX_CHARS).collect();
    (!text.is_empty()).then_some(text)
}

/// For `like lower(…) escape '\'`: contains this, whatever characters it has. Lower case is made by the database, of columns and
/// of this alike: SQLite knows that of ASCII alone.
pub fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Time and id of the last one of the page before: `1795226400000-0199a0…`.
pub fn read_cursor<I: FromStr>(text: &str) -> Result<(Timestamp, I)> {
    let read = |(at, id): (&str, &str)| Some((Timestamp::from_millis(at.parse().ok()?), id.parse().ok()?));
    let bad = || Error::invalid("bad_cursor", "The cursor is none of this list.");
    text.split_once('-').and_then(read).ok_or_else(bad)
}
