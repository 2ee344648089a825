//! What the clock on the wall of the building shows, through changes of the hour.

use jiff::tz::TimeZone;
use portico_model::{OrganizationId, Timestamp};
use portico_platform::{Result, Tx, on_db};

/// The building's zone; UTC while none is chosen.
///
/// # Errors
/// When the database does not answer.
pub async fn zone_of(tx: &mut Tx, organization: OrganizationId) -> Result<TimeZone> {
    let name: Option<String> = on_db!(tx, conn => sqlx::query_scalar(
        "select time_zone from organization_settings where organization_id = $1",
    ).bind(organization).fetch_optional(conn).await)?;
    Ok(name.filter(|name| !name.is_empty()).and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC))
}

/// Date and time of day in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall(jiff::civil::DateTime);

impl Wall {
    /// What clocks show there at a moment; a moment outside of all calendars counts as 1970.
    #[must_use]
    pub fn of(zone: &TimeZone, at: Timestamp) -> Self {
        let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(zone.to_datetime(at))
    }

    /// As `2026-12-25`.
    #[must_use]
    pub fn date(self) -> String {
        self.0.date().to_string()
    }

    /// As `2026-12-25 08:30`.
    #[must_use]
    pub fn text(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// 0: Monday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        u8::try_from(self.0.weekday().to_monday_zero_offset()).unwrap_or_default()
    }

    /// Of the day, 0 to 1,439.
    #[must_use]
    pub fn minute(self) -> u16 {
        u16::try_from(i32::from(self.0.hour()) * 60 + i32::from(self.0.minute())).unwrap_or_default()
    }
}

/// Whether a text is a day of the calendar, written as `2026-12-25`.
#[must_use]
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == text)
}

/// The moment at which clocks there show this (`2026-11-23T08:30`); an hour that comes twice counts the first time, one
/// that is left out as if the clocks had not been changed yet.
#[must_use]
pub fn moment_of(zone: &TimeZone, text: &str) -> Option<Timestamp> {
    let wall: jiff::civil::DateTime = text.parse().ok()?;
    zone.to_timestamp(wall).ok().map(|at| Timestamp::from_millis(at.as_millisecond()))
}

/// Seconds to add to UTC in this zone at a moment.
#[must_use]
pub fn offset_s(zone: &TimeZone, at: Timestamp) -> i32 {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_offset(at).seconds()
}

/// The next moment after this one at which the zone changes its offset, and the offset from then on.
#[must_use]
pub fn next_change(zone: &TimeZone, after: Timestamp) -> Option<(Timestamp, i32)> {
    let after = jiff::Timestamp::from_millisecond(after.millis()).ok()?;
    let next = zone.following(after).next()?;
    Some((Timestamp::from_millis(next.timestamp().as_millisecond()), next.offset().seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_follow_the_zone_through_both_changes_of_the_hour() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let table = [
            // 2026-03-29, 02:00 becomes 03:00.
            ("2026-03-29T00:59:00Z", (6, 119)),
            ("2026-03-29T01:00:00Z", (6, 180)),
            // 2026-10-25, 03:00 becomes 02:00: that hour comes twice.
            ("2026-10-25T00:30:00Z", (6, 150)),
            ("2026-10-25T01:30:00Z", (6, 150)),
            ("2026-10-25T02:00:00Z", (6, 180)),
            ("2026-11-22T23:30:00Z", (0, 30)),
        ];
        for (text, expected) in table {
            let wall = Wall::of(&berlin, Timestamp::parse_iso(text).unwrap());
            assert_eq!((wall.weekday(), wall.minute()), expected, "{text}");
        }
        let summer = Timestamp::parse_iso("2026-07-01T00:00:00Z").unwrap();
        assert_eq!(offset_s(&berlin, summer), 7_200);
        let autumn = Timestamp::parse_iso("2026-10-25T01:00:00Z").unwrap();
        assert_eq!(next_change(&berlin, summer), Some((autumn, 3_600)));
    }

    #[test]
    fn what_a_form_says_is_read_by_the_buildings_clock() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let read = |text| moment_of(&berlin, text).map(Timestamp::to_iso);
        assert_eq!(read("2026-07-01T08:30").as_deref(), Some("2026-07-01T06:30:00.000+00:00"));
        assert_eq!(read("2026-10-25T02:30").as_deref(), Some("2026-10-25T00:30:00.000+00:00"));
        assert_eq!(read("2026-03-29T02:30").as_deref(), Some("2026-03-29T01:30:00.000+00:00"));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert!(is_date("2024-02-29") && !is_date("2026-02-29"));
        for wrong in ["2026-2-09", "20260209", "", "2026-02-09T00", "２026-02-0"] {
            assert!(!is_date(wrong), "{wrong}");
        }
        assert_eq!(Wall::of(&TimeZone::UTC, Timestamp::from_millis(i64::MAX)).date(), "1970-01-01");
    }
}
