//! A tariff in words.

use super::{Band, TariffRules, Weekday, format_minor};

/// `22:00` of 1,320.
#[must_use]
pub fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Of minutes: `30 min`, `1 h`, `1 h 30 min`, `24 h`.
#[must_use]
pub fn length(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Three letters.
#[must_use]
pub const fn day_word(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// `every day`, `Mon–Fri`, `Sat, Sun`: three and more that follow each other as from–to.
#[must_use]
pub fn days(days: &[Weekday]) -> String {
    if Weekday::ALL.iter().all(|day| days.contains(day)) {
        return "every day".to_owned();
    }
    let mut runs: Vec<Vec<Weekday>> = Vec::new();
    let mut was_in = false;
    for day in Weekday::ALL {
        let is_in = days.contains(&day);
        match runs.last_mut() {
            Some(run) if is_in && was_in => run.push(day),
            _ if is_in => runs.push(vec![day]),
            _ => {}
        }
        was_in = is_in;
    }
    let run = |run: Vec<Weekday>| match run.as_slice() {
        [first, .., last] if run.len() > 2 => format!("{}–{}", day_word(*first), day_word(*last)),
        run => run.iter().map(|day| day_word(*day)).collect::<Vec<_>>().join(", "),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

/// `Night 0.50 EUR (Fri, Sat 22:00–06:00)`.
#[must_use]
pub fn band(band: &Band, currency: &str) -> String {
    let price = format_minor(band.unit_price_minor, currency);
    format!("{} {price} ({} {}–{})", band.name, days(&band.days), clock(band.from_minute), clock(band.to_minute))
}

/// `1.50 EUR per started 30 min, first 15 min free, at most 15.00 EUR a day`; bands after it.
#[must_use]
pub fn summary(rules: &TariffRules) -> String {
    let money = |amount| format_minor(amount, &rules.currency);
    let mut parts = vec![format!("{} per started {}", money(rules.unit_price_minor), length(rules.unit_minutes))];
    if rules.free_minutes > 0 {
        parts.push(format!("first {} free", length(rules.free_minutes)));
    }
    if let Some(cap) = rules.daily_cap_minor {
        parts.push(format!("at most {} a day", money(cap)));
    }
    if let Some(cap) = rules.stay_cap_minor {
        parts.push(format!("at most {} a stay", money(cap)));
    }
    let bands: Vec<_> = rules.bands.iter().map(|one| band(one, &rules.currency)).collect();
    let bands = if bands.is_empty() { String::new() } else { format!("; {}", bands.join("; ")) };
    format!("{}{bands}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tariff_is_told_in_a_sentence() {
        let mut rules = TariffRules {
            currency: "EUR".into(),
            free_minutes: 15,
            unit_minutes: 30,
            unit_price_minor: 150,
            bands: Vec::new(),
            daily_cap_minor: Some(1_500),
            stay_cap_minor: None,
        };
        assert_eq!(summary(&rules), "1.50 EUR per started 30 min, first 15 min free, at most 15.00 EUR a day");
        rules.bands.push(Band {
            name: "Night".into(),
            days: vec![Weekday::Friday, Weekday::Saturday],
            from_minute: 1_320,
            to_minute: 360,
            unit_price_minor: 50,
        });
        let simple = TariffRules { free_minutes: 0, unit_minutes: 60, daily_cap_minor: None, ..rules };
        assert_eq!(summary(&simple), "1.50 EUR per started 1 h; Night 0.50 EUR (Fri, Sat 22:00–06:00)");
    }

    #[test]
    fn days_that_follow_each_other_are_told_together() {
        use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
        assert_eq!(days(&Weekday::ALL), "every day");
        assert_eq!(days(&[Monday, Tuesday, Wednesday, Thursday, Friday]), "Mon–Fri");
        assert_eq!(days(&[Sunday, Saturday]), "Sat, Sun");
        assert_eq!(days(&[Monday, Wednesday, Thursday, Friday, Sunday]), "Mon, Wed–Fri, Sun");
        assert_eq!(length(90), "1 h 30 min");
    }
}
