//! Weekly hours as people write them, and what a lock makes of them.

use portico_lock_core::schedule::{HOLIDAY_BIT, Window};
use serde::{Deserialize, Serialize};

/// Most windows of a schedule.
pub const MAX_WINDOWS: usize = 50;

const DAY_MINUTES: u16 = 1_440;

/// From one time of day to another, on some days. `until` before `from` goes over midnight into the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "server", schema(as = ScheduleHours,
    example = json!({"days": [0, 1, 2, 3, 4], "from": "08:00", "until": "18:00"})))]
pub struct Hours {
    /// 0 (Monday) to 6 (Sunday), 7: holidays. On a holiday only windows with 7 count.
    pub days: Vec<u8>,
    /// `HH:MM`, on the clock of the building.
    pub from: String,
    /// `HH:MM`, up to `24:00`; this minute no longer counts.
    pub until: String,
}

/// What is wrong with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHours {
    TooMany,
    NoDays,
    Days,
    Time,
    Empty,
    /// What comes after a holiday is not known, so its hours end with it.
    HolidayOverMidnight,
}

impl BadHours {
    /// One sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TooMany => "at most 50 windows",
            Self::NoDays => "each window needs at least one day",
            Self::Days => "days are 0 (Monday) to 6 (Sunday), and 7 for holidays",
            Self::Time => "times look like 08:00; the last is 24:00",
            Self::Empty => "a window must not end when it begins",
            Self::HolidayOverMidnight => "the hours of holidays must not go over midnight",
        }
    }
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |part: &str| {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u16>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

/// The days after these: Sunday is followed by Monday.
const fn days_after(days: u8) -> u8 {
    let week = days & 0x7f;
    ((week << 1) | (week >> 6)) & 0x7f
}

/// The windows as a lock checks them; those over midnight are split.
///
/// # Errors
/// The first thing that is wrong.
pub fn windows(hours: &[Hours]) -> Result<Vec<Window>, BadHours> {
    if hours.len() > MAX_WINDOWS {
        return Err(BadHours::TooMany);
    }
    let mut windows = Vec::with_capacity(hours.len());
    for one in hours {
        if one.days.is_empty() {
            return Err(BadHours::NoDays);
        }
        if one.days.len() > 8 || one.days.iter().any(|day| *day > HOLIDAY_BIT) {
            return Err(BadHours::Days);
        }
        let days = one.days.iter().fold(0_u8, |bits, day| bits | (1 << day));
        let (Some(from), Some(until)) = (minute_of(&one.from), minute_of(&one.until)) else {
            return Err(BadHours::Time);
        };
        if from == DAY_MINUTES || from == until {
            return Err(BadHours::Empty);
        }
        if from < until {
            windows.push(Window { days, from_minute: from, until_minute: until });
            continue;
        }
        if until > 0 && days & (1 << HOLIDAY_BIT) != 0 {
            return Err(BadHours::HolidayOverMidnight);
        }
        windows.push(Window { days, from_minute: from, until_minute: DAY_MINUTES });
        if until > 0 {
            windows.push(Window { days: days_after(days), from_minute: 0, until_minute: until });
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests {
    use portico_lock_core::schedule::{LocalTime, is_open};

    use super::*;

    fn hours(days: &[u8], from: &str, until: &str) -> Hours {
        Hours { days: days.to_vec(), from: from.into(), until: until.into() }
    }

    #[test]
    fn mistakes_are_told_apart() {
        let table = [
            (hours(&[], "08:00", "18:00"), BadHours::NoDays),
            (hours(&[8], "08:00", "18:00"), BadHours::Days),
            (hours(&[0], "8:00", "18:00"), BadHours::Time),
            (hours(&[0], "08:60", "18:00"), BadHours::Time),
            (hours(&[0], "+8:00", "18:00"), BadHours::Time),
            (hours(&[0], "08:00", "24:01"), BadHours::Time),
            (hours(&[0], "08:00", "08:00"), BadHours::Empty),
            (hours(&[0], "24:00", "08:00"), BadHours::Empty),
            (hours(&[7], "22:00", "06:00"), BadHours::HolidayOverMidnight),
        ];
        for (one, expected) in table {
            assert_eq!(windows(std::slice::from_ref(&one)), Err(expected), "{one:?}");
        }
        assert_eq!(windows(&vec![hours(&[0], "08:00", "09:00"); 51]), Err(BadHours::TooMany));
    }

    #[test]
    fn hours_over_midnight_end_on_the_next_day() {
        let night = windows(&[hours(&[4, 6], "22:00", "06:00")]).unwrap();
        let open = |weekday, minute| is_open(&night, LocalTime { weekday, minute, holiday: false });
        assert!(open(4, 1_320) && open(5, 359) && !open(5, 360) && !open(5, 1_320));
        assert!(open(6, 1_439) && open(0, 0) && !open(1, 0), "Sunday is followed by Monday");
        let until_midnight = windows(&[hours(&[7], "22:00", "00:00")]).unwrap();
        assert_eq!(until_midnight.len(), 1);
        assert_eq!(until_midnight, windows(&[hours(&[7], "22:00", "24:00")]).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn split_hours_say_the_same_as_whole_ones(day in 0_u8..7, from in 0_u16..1_440, until in 0_u16..1_440, at_day in 0_u8..7, at in 0_u16..1_440) {
            proptest::prop_assume!(from != until);
            let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let split = windows(&[hours(&[day], &text(from), &text(until))]).unwrap();
            let open = is_open(&split, LocalTime { weekday: at_day, minute: at, holiday: false });
            // In minutes since the window's day began, around the week.
            let since = u16::from((at_day + 7 - day) % 7) * DAY_MINUTES + at;
            let end = if until > from { until } else { until + DAY_MINUTES };
            proptest::prop_assert_eq!(open, from <= since && since < end);
        }
    }
}
