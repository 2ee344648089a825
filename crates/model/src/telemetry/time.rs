//! Times in queries: `-1h`, `now`, ISO 8601, seconds or milliseconds since 1970.

use std::fmt;

use crate::Timestamp;

/// The text is no time we know. Never guessed: a typing error in a deletion must not remove another range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTime;

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected now, -30m, -1h, -7d, -2w, -5s, ISO 8601, or seconds or milliseconds since 1970")
    }
}

impl std::error::Error for InvalidTime {}

/// Reads the time of a query, relative to `now`.
///
/// # Errors
/// [`InvalidTime`] for anything but the forms above.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, InvalidTime> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Ok(now.plus_millis(-parse_duration_ms(ago)?));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let number: f64 = text.parse().map_err(|_| InvalidTime)?;
        let milliseconds = if number < 1e11 { number * 1000.0 } else { number };
        if !(0.0..=MAX_MS).contains(&milliseconds) {
            return Err(InvalidTime);
        }
        #[allow(clippy::cast_possible_truncation)] // within MAX_MS
        return Ok(Timestamp::from_millis(milliseconds.round() as i64));
    }
    let date = text.len() == 10;
    let time = if date { Timestamp::parse_iso(&format!("{text}T00:00")) } else { Timestamp::parse_iso(text) };
    // A `+` that was not percent-encoded in a URL arrives as a space: `…T10:00:00 02:00`.
    let time = time
        .or_else(|| text.rsplit_once(' ').and_then(|(day, offset)| Timestamp::parse_iso(&format!("{day}+{offset}"))));
    time.ok_or(InvalidTime)
}

/// The end of the year 9999, which ISO 8601 can still write with four digits.
const MAX_MS: f64 = 253_402_300_799_999.0;

/// The longest duration, ten thousand days: keeps the arithmetic far from overflowing.
const MAX_DURATION_MS: i64 = 10_000 * 86_400_000;

/// Reads `5s`, `30m`, `1h`, `7d`, `2w`: a whole positive number and a unit.
///
/// # Errors
/// [`InvalidTime`] for anything else, for zero, and beyond 10,000 days.
pub fn parse_duration_ms(text: &str) -> Result<i64, InvalidTime> {
    let unit = text.chars().last().ok_or(InvalidTime)?;
    let unit_ms: i64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 7 * 86_400_000,
        _ => return Err(InvalidTime),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidTime);
    }
    let count: i64 = digits.parse().map_err(|_| InvalidTime)?;
    let milliseconds = count.checked_mul(unit_ms).ok_or(InvalidTime)?;
    if milliseconds == 0 || milliseconds > MAX_DURATION_MS { Err(InvalidTime) } else { Ok(milliseconds) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_226_850_153);

    #[test]
    fn times_of_queries_are_read() {
        for (text, expected_ms) in [
            ("now", NOW.millis()),
            ("-5s", NOW.millis() - 5_000),
            ("-30m", NOW.millis() - 1_800_000),
            ("-1h", NOW.millis() - 3_600_000),
            ("-7d", NOW.millis() - 7 * 86_400_000),
            ("-2w", NOW.millis() - 14 * 86_400_000),
            ("1795226850", 1_795_226_850_000),
            ("1795226850.5", 1_795_226_850_500),
            ("1795226850153", 1_795_226_850_153),
            ("0", 0),
            ("2026-11-21T02:07:30Z", 1_795_226_850_000),
            ("2026-11-21T04:07:30+02:00", 1_795_226_850_000),
            ("2026-11-21T04:07:30 02:00", 1_795_226_850_000),
            ("2026-11-21", 1_795_219_200_000),
        ] {
            assert_eq!(parse_time(text, NOW), Ok(Timestamp::from_millis(expected_ms)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_one_hour() {
        for text in [
            "",
            "-",
            "-h",
            "-xh",
            "-1",
            "-1y",
            "-1.5h",
            "--1h",
            "-0h",
            "1h",
            "yesterday",
            "-99999999999999999h",
            "1e400",
            ".",
            "+1h",
            "2026-13-01",
            "-ü",
        ] {
            assert_eq!(parse_time(text, NOW), Err(InvalidTime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC*") {
            let _ = parse_time(&text, NOW);
            let _ = parse_duration_ms(&text);
        }
    }
}
