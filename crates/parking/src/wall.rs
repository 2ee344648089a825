//! Times as the clock on the wall of a lot shows them. Made on the server alone, so that the browser shows the same text.

use jiff::Zoned;
use jiff::tz::TimeZone;
use portico_model::Timestamp;

/// The clock of a lot.
pub struct Wall(TimeZone);

impl Wall {
    /// By its IANA name; an unknown one is UTC.
    pub fn of(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    fn at(&self, at: Timestamp) -> Zoned {
        let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.to_zoned(self.0.clone())
    }

    /// As a `datetime-local` field wants it: `2026-11-23T08:30`.
    pub fn input(&self, at: Timestamp) -> String {
        self.at(at).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    /// `Mon 23 Nov 2026, 08:30`.
    pub fn text(&self, at: Timestamp) -> String {
        self.at(at).strftime("%a %-d %b %Y, %H:%M").to_string()
    }

    /// `Mon 23 Nov, 08:30`.
    pub fn short(&self, at: Timestamp) -> String {
        self.at(at).strftime("%a %-d %b, %H:%M").to_string()
    }

    /// Day of the week, 0 for Monday, and minute of the day.
    pub fn of_week(&self, at: Timestamp) -> (usize, i64) {
        let at = self.at(at);
        let weekday = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or_default();
        (weekday, i64::from(at.hour()) * 60 + i64::from(at.minute()))
    }

    /// `Mon 23 Nov 2026`.
    pub fn day(&self, at: Timestamp) -> String {
        self.at(at).strftime("%a %-d %b %Y").to_string()
    }

    /// `Mon 23 Nov 2026, 08:30 – 10:30`; over midnight with both days, over a change of the hour with both names of the zone.
    pub fn span(&self, from: Timestamp, until: Timestamp) -> String {
        let (begin, end) = (self.at(from), self.at(until));
        if begin.offset() != end.offset() {
            let text = |at: &Zoned| at.strftime("%a %-d %b %Y, %H:%M %Z").to_string();
            return format!("{} – {}", text(&begin), text(&end));
        }
        if begin.date() == end.date() {
            // Kept on one line.
            return format!("{}\u{a0}–\u{a0}{}", self.text(from), end.strftime("%H:%M"));
        }
        format!("{} – {}", self.text(from), self.text(until))
    }

    /// As [`Wall::span`], without the day where it is the day of `on`.
    pub fn span_on(&self, on: Timestamp, from: Timestamp, until: Timestamp) -> String {
        format!("{} – {}", self.text_on(on, from), self.text_on(on, until))
    }

    /// `08:30`; with its day where that is not the day of `on`.
    pub fn text_on(&self, on: Timestamp, at: Timestamp) -> String {
        let (day, at) = (self.at(on).date(), self.at(at));
        let form = if at.date() == day { "%H:%M" } else { "%a %-d %b, %H:%M" };
        at.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso(text).unwrap()
    }

    #[test]
    fn times_are_told_by_the_clock_of_the_lot() {
        let berlin = Wall::of("Europe/Berlin");
        let from = at("2026-11-23T07:30:00Z");
        assert_eq!(berlin.input(from), "2026-11-23T08:30");
        assert_eq!((berlin.short(from).as_str(), berlin.of_week(from)), ("Mon 23 Nov, 08:30", (0, 510)));
        assert_eq!(berlin.span(from, at("2026-11-23T09:30:00Z")), "Mon 23 Nov 2026, 08:30\u{a0}–\u{a0}10:30");
        assert_eq!(berlin.span(from, at("2026-11-24T07:00:00Z")), "Mon 23 Nov 2026, 08:30 – Tue 24 Nov 2026, 08:00");
        assert_eq!(Wall::of("Nowhere/Land").input(from), "2026-11-23T07:30");
    }

    #[test]
    fn hour_that_comes_twice_is_told_apart() {
        let span = Wall::of("Europe/Berlin").span(at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"));
        assert_eq!(span, "Sun 25 Oct 2026, 02:30 CEST – Sun 25 Oct 2026, 02:30 CET");
    }

    #[test]
    fn receipt_tells_the_day_only_where_it_is_another() {
        let berlin = Wall::of("Europe/Berlin");
        let from = at("2026-11-23T21:00:00Z");
        assert_eq!(berlin.span_on(from, from, at("2026-11-23T23:30:00Z")), "22:00 – Tue 24 Nov, 00:30");
    }
}
