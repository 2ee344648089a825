//! Weekly hours. Whoever asks says what the clock on the wall of the building shows, so time zones are not known here.

/// Bit of a day in [`Window::days`]: Monday is 0.
pub const HOLIDAY_BIT: u8 = 7;

/// What the clock on the wall of the building shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Monday is 0.
    pub weekday: u8,
    /// Minutes since midnight, 0 to 1,439.
    pub minute: u16,
    /// A day of the building's holiday calendar: then only the holiday windows count.
    pub holiday: bool,
}

/// From one minute to another on some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bits 0 (Monday) to 6 (Sunday); bit 7: holidays.
    pub days: u8,
    /// The first minute of the day that counts.
    pub from_minute: u16,
    /// The first minute of the day that no longer counts, up to 1,440. Hours over midnight are two windows.
    pub until_minute: u16,
}

impl Window {
    /// Whether it is in force.
    #[must_use]
    pub const fn contains(&self, now: LocalTime) -> bool {
        let bit = if now.holiday { HOLIDAY_BIT } else { now.weekday };
        bit < 8 && self.days & (1 << bit) != 0 && self.from_minute <= now.minute && now.minute < self.until_minute
    }
}

/// Whether any window is in force; a schedule without windows never is.
#[must_use]
pub fn is_open(windows: &[Window], now: LocalTime) -> bool {
    windows.iter().any(|window| window.contains(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: Window = Window { days: 0b0001_1111, from_minute: 480, until_minute: 1_080 };

    fn at(weekday: u8, minute: u16) -> LocalTime {
        LocalTime { weekday, minute, holiday: false }
    }

    #[test]
    fn hours_begin_with_their_first_minute_and_end_before_their_last() {
        let table = [(479, false), (480, true), (1_079, true), (1_080, false)];
        for (minute, open) in table {
            assert_eq!(is_open(&[OFFICE], at(0, minute)), open, "{minute}");
        }
        assert!(!is_open(&[OFFICE], at(5, 600)), "Saturday");
        assert!(!is_open(&[], at(0, 600)));
    }

    #[test]
    fn on_a_holiday_only_its_own_windows_count() {
        let holiday = LocalTime { holiday: true, ..at(0, 600) };
        assert!(!is_open(&[OFFICE], holiday));
        assert!(is_open(&[Window { days: 1 << HOLIDAY_BIT, ..OFFICE }], holiday));
        assert!(!is_open(&[Window { days: 1 << HOLIDAY_BIT, ..OFFICE }], at(0, 600)));
    }
}
