//! Points in time.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since 1970-01-01 UTC. In JSON an ISO 8601 text with `+00:00`; in both databases a
/// `bigint`, because SQLite has no time type and a number compares and sorts the same on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "server", derive(sqlx::Type), sqlx(transparent))]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus_millis(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    #[must_use]
    pub const fn plus_secs(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads ISO 8601 (RFC 3339, also with a blank for the `T`, without seconds or without offset); without an offset
    /// the time is taken as UTC. Written by hand: the browser's part would grow by a calendar library.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let mut rest = Digits(text.as_bytes());
        let year = rest.number(4)?;
        let month = rest.after(b"-")?.number(2)?;
        let day = rest.after(b"-")?.number(2)?;
        let hour = rest.after(b"Tt ")?.number(2)?;
        let minute = rest.after(b":")?.number(2)?;
        let second = if rest.starts_with(b':') { rest.after(b":")?.number(2)? } else { 0 };
        let milliseconds = if rest.starts_with(b'.') { rest.after(b".")?.fraction()? } else { 0 };
        let offset_minutes = rest.offset()?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            // A leap second counts as the first of the next minute.
            && second <= 60;
        let seconds =
            days_from_civil(year, month, day) * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
        in_range.then_some(Self(seconds * 1_000 + milliseconds))
    }

    /// ISO 8601 in UTC with milliseconds and `+00:00`.
    #[must_use]
    pub fn to_iso(self) -> String {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400_000));
        let of_day = self.0.rem_euclid(86_400_000);
        let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}+00:00", of_day % 1_000)
    }
}

impl Timestamp {
    /// As in HTTP headers: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    #[must_use]
    pub fn to_http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let days = self.0.div_euclid(86_400_000);
        let (year, month, day) = civil_from_days(days);
        let named = |names: &'static [&'static str], at: i64| {
            usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
        };
        // 1970-01-01 was a Thursday.
        let (weekday, month) = (named(&DAYS, days.rem_euclid(7)), named(&MONTHS, month - 1));
        let of_day = self.0.rem_euclid(86_400_000);
        let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// What is left to read.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn starts_with(&self, byte: u8) -> bool {
        self.0.first() == Some(&byte)
    }

    /// Goes past one of these bytes.
    fn after(&mut self, any: &[u8]) -> Option<&mut Self> {
        let (first, rest) = self.0.split_first()?;
        if !any.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(self)
    }

    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    }

    /// A fraction of a second in milliseconds; finer digits are dropped.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let digit = |position| fraction.get(position).map_or(0, |byte| i64::from(byte - b'0'));
        (digits > 0).then(|| digit(0) * 100 + digit(1) * 10 + digit(2))
    }

    /// `Z`, `+02:00`, or nothing, in minutes; then nothing may follow.
    fn offset(mut self) -> Option<i64> {
        let sign = match self.0 {
            [] | [b'Z' | b'z'] => return Some(0),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => return None,
        };
        let hours = self.after(b"+-")?.number(2)?;
        let minutes = self.after(b":")?.number(2)?;
        (self.0.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_iso(&text).ok_or_else(|| serde::de::Error::custom("not an ISO 8601 time"))
    }
}

#[cfg(feature = "server")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .into()
    }
}

#[cfg(feature = "server")]
impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_date_is_as_in_the_rfc() {
        let at = Timestamp::parse_iso("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(at.to_http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Timestamp::from_millis(0).to_http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn iso_times_survive_a_round_trip() {
        let time = Timestamp::from_millis(1_795_226_850_153);
        assert_eq!(time.to_iso(), "2026-11-21T02:07:30.153+00:00");
        assert_eq!(Timestamp::parse_iso(&time.to_iso()), Some(time));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_calendar_library(milliseconds in -62_135_596_800_000_i64..253_402_300_799_999) {
            let theirs = chrono::DateTime::from_timestamp_millis(milliseconds).unwrap();
            let text = theirs.to_rfc3339_opts(chrono::SecondsFormat::Millis, false);
            let time = Timestamp::from_millis(milliseconds);
            proptest::prop_assert_eq!(time.to_iso(), text.clone());
            proptest::prop_assert_eq!(Timestamp::parse_iso(&text), Some(time));
        }

        #[test]
        fn what_it_reads_the_calendar_library_reads_alike(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])") {
            let theirs = chrono::DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis());
            proptest::prop_assert_eq!(Timestamp::parse_iso(&text).map(Timestamp::millis), theirs);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Timestamp::parse_iso(&text);
        }
    }

    #[test]
    fn offset_and_missing_offset_are_understood() {
        let expected = Timestamp::parse_iso("2026-11-21T02:00:00Z");
        assert!(expected.is_some());
        assert_eq!(Timestamp::parse_iso("2026-11-21T04:00:00+02:00"), expected);
        assert_eq!(Timestamp::parse_iso("2026-11-21T02:00:00"), expected);
        assert_eq!(Timestamp::parse_iso("2026-11-21 02:00"), expected);
        for wrong in
            ["yesterday", "2026-02-29T00:00:00Z", "2026-13-01T00:00", "2026-11-21T24:00", "2026-11-21T02:00:00+2", ""]
        {
            assert_eq!(Timestamp::parse_iso(wrong), None, "{wrong}");
        }
    }
}
