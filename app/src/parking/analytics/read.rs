//! What the page shows, made on the server alone: times as the clock of the lot shows them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use portico_model::parking::analytics::{Day, LotForecast, Trends};
use portico_model::parking::lot::Lot;
use portico_model::parking::tariff::Weekday;
use portico_model::{LotId, Timestamp};
use portico_parking::{LotQuery, Parking};
use portico_platform::{Actor, Error};

use super::{ForecastView, LotAnalytics, Mark, Measured, NowView, ShownDay};
use crate::failure::Failure;
use crate::server::{actor, failed, parking};
use portico_model::parking::tariff::words::day_word;
use portico_parking::Wall;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Forecasts are made anew every quarter of an hour; one as old as this could not be.
const STALE_AFTER_MS: i64 = HOUR_MS;

/// Days of the past, as the address asks for them.
fn span(days: &str) -> i64 {
    match days {
        "7" => 7,
        "90" => 90,
        "365" => 365,
        _ => 28,
    }
}

pub async fn now(lot: &str) -> Result<NowView, Failure> {
    let occupancy = parking()?.occupancy(&actor()?).await.map_err(failed)?;
    let mut lots = occupancy.by_lot.iter().map(|part| part.lot_id);
    let lot = if lot.is_empty() { lots.next() } else { lots.find(|id| id.to_string() == lot) };
    Ok(NowView { lot, occupancy })
}

/// The lot that is asked for, by default the first; `None` when there are none.
async fn chosen(parking: &Parking, actor: &Actor, lot: &str) -> Result<Option<Lot>, Failure> {
    if lot.is_empty() {
        let lots = parking.lots(actor, LotQuery::default()).await.map_err(failed)?;
        return Ok(lots.into_iter().next());
    }
    let none = |_| failed(Error::not_found("lot_not_found", "There is no such lot"));
    let id: LotId = lot.parse().map_err(none)?;
    parking.lot(actor, id).await.map(Some).map_err(failed)
}

pub async fn lot(lot: &str, days: &str) -> Result<Option<LotAnalytics>, Failure> {
    let (parking, actor) = (parking()?, actor()?);
    let Some(lot) = chosen(&parking, &actor, lot).await? else { return Ok(None) };
    let now = crate::server::now();
    let from = now.plus_millis(-span(days) * DAY_MS);
    let trends = parking.trends(&actor, lot.id, Some(from), None).await.map_err(failed)?;
    let clock = Wall::of(&trends.time_zone);
    let forecast = match parking.forecast(&actor, lot.id).await {
        Ok(forecast) => {
            let begin = forecast.steps.first().map_or(forecast.made_at, |step| step.at);
            let hours = hours_before(&clock, begin);
            let since = hours.first().copied();
            let day = parking.trends(&actor, lot.id, since, Some(begin)).await.map_err(failed)?;
            let past = measured(&clock, begin, &hours, &day, forecast.capacity);
            Some(forecast_view(&clock, now, begin, forecast, past))
        }
        Err(error) if error.code() == "too_few_data" => None,
        Err(error) => return Err(failed(error)),
    };
    Ok(Some(LotAnalytics {
        lot: lot.id,
        name: lot.name,
        time_zone: trends.time_zone,
        forecast,
        hours: trends.hours,
        days: all_days(trends.days),
    }))
}

fn forecast_view(
    clock: &Wall,
    now: Timestamp,
    begin: Timestamp,
    forecast: LotForecast,
    past: Vec<Measured>,
) -> ForecastView {
    ForecastView {
        begin,
        is_stale: now.millis_since(forecast.made_at) > STALE_AFTER_MS,
        times: forecast.steps.iter().map(|step| clock.short(step.at)).collect(),
        past,
        marks: marks(clock, begin),
        forecast,
    }
}

/// When the hour began in which a moment lies.
fn hour_of(clock: &Wall, at: Timestamp) -> Timestamp {
    let (_, minute) = clock.of_week(at);
    at.plus_millis(-(minute % 60) * 60_000)
}

/// When the hours of the day before a moment began.
fn hours_before(clock: &Wall, begin: Timestamp) -> Vec<Timestamp> {
    let hour = hour_of(clock, begin);
    // Of an hour that has just begun nothing is known yet.
    let last = if hour == begin { hour.plus_millis(-HOUR_MS) } else { hour };
    (0..24).rev().map(|back: i64| last.plus_millis(-back * HOUR_MS)).collect()
}

/// What was measured in these hours. `day` is of them alone: so each hour of the week is one of them.
#[allow(clippy::cast_precision_loss)] // spots are counted in thousands
fn measured(clock: &Wall, begin: Timestamp, hours: &[Timestamp], day: &Trends, capacity: i64) -> Vec<Measured> {
    let measured = |hour: &Timestamp| {
        let (weekday, minute) = clock.of_week(*hour);
        let at = weekday * 24 + usize::try_from(minute / 60).unwrap_or_default();
        let rate = day.hours.get(at).and_then(|hour| hour.occupancy_rate);
        let length_ms = begin.millis_since(*hour).min(HOUR_MS);
        Measured {
            at: hour.plus_millis(length_ms / 2),
            time: clock.short(*hour),
            occupied: rate.map(|rate| rate * capacity as f64 / 100.0),
        }
    };
    hours.iter().map(measured).collect()
}

/// Every sixth hour of the day before and the day after.
fn marks(clock: &Wall, begin: Timestamp) -> Vec<Mark> {
    let hour = hour_of(clock, begin);
    let mark = |ahead: i64| {
        let at = hour.plus_millis(ahead * HOUR_MS);
        let (weekday, minute) = clock.of_week(at);
        if minute % 360 != 0 || at.millis_since(begin).abs() > DAY_MS {
            return None;
        }
        let text = match minute {
            0 => Weekday::ALL.get(weekday).copied().map(day_word).unwrap_or_default().to_owned(),
            _ => format!("{:02}:00", minute / 60),
        };
        Some(Mark { at, text, is_minor: minute % 720 != 0 })
    };
    (-24..=24).filter_map(mark).collect()
}

/// With those between them of which nothing is known.
fn all_days(days: Vec<Day>) -> Vec<ShownDay> {
    let known: BTreeMap<Date, Day> =
        days.into_iter().filter_map(|day| Some((day.date.parse::<Date>().ok()?, day))).collect();
    let mut shown: Vec<(Date, ShownDay)> = Vec::new();
    for (date, day) in known {
        while let Some(missing) = shown.last().and_then(|(last, _)| last.tomorrow().ok()).filter(|next| *next < date) {
            shown.push((missing, ShownDay { label: label(missing), day: None }));
        }
        shown.push((date, ShownDay { label: label(date), day: Some(day) }));
    }
    shown.into_iter().map(|(_, day)| day).collect()
}

fn label(date: Date) -> String {
    date.strftime("%a %-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use portico_model::parking::analytics::HourOfWeek;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso(text).unwrap()
    }

    fn trends() -> Trends {
        let hour = |at: u8| HourOfWeek {
            weekday: at / 24,
            hour: at % 24,
            occupancy_rate: (at != 24).then(|| f64::from(at)),
            arrivals: 0.0,
        };
        let (from, until) = (at("2026-11-22T22:00:00Z"), at("2026-11-24T09:15:00Z"));
        let lot_id = "2".repeat(32).parse().unwrap();
        Trends {
            lot_id,
            time_zone: "Europe/Berlin".into(),
            from,
            until,
            hours: (0..168).map(hour).collect(),
            days: Vec::new(),
        }
    }

    #[test]
    fn past_is_the_day_before_by_the_clock_of_the_lot() {
        let berlin = Wall::of("Europe/Berlin");
        // Tuesday, 10:15 there.
        let begin = at("2026-11-24T09:15:00Z");
        let hours = hours_before(&berlin, begin);
        assert_eq!((hours.len(), hours[0], hours[23]), (24, at("2026-11-23T10:00:00Z"), at("2026-11-24T09:00:00Z")));
        let past = measured(&berlin, begin, &hours, &trends(), 50);
        // Monday at eleven is the 11th hour of the week; half of the spots.
        assert_eq!((past[0].time.as_str(), past[0].occupied), ("Mon 23 Nov, 11:00", Some(5.5)));
        assert_eq!(past[0].at, at("2026-11-23T10:30:00Z"));
        assert_eq!((past[13].time.as_str(), past[13].occupied), ("Tue 24 Nov, 00:00", None));
        // The last has just begun: it ends where the forecast begins.
        assert_eq!(past[23].at, at("2026-11-24T09:07:30Z"));
        let hours = hours_before(&berlin, at("2026-11-24T09:00:00Z"));
        assert_eq!((hours[0], hours[23]), (at("2026-11-23T09:00:00Z"), at("2026-11-24T08:00:00Z")));
    }

    #[test]
    fn every_sixth_hour_is_marked_and_midnight_by_its_day() {
        let marks = marks(&Wall::of("Europe/Berlin"), at("2026-11-24T09:15:00Z"));
        let texts: Vec<_> = marks.iter().map(|mark| mark.text.as_str()).collect();
        assert_eq!(texts, ["12:00", "18:00", "Tue", "06:00", "12:00", "18:00", "Wed", "06:00"]);
        assert_eq!((marks[2].at, marks[2].is_minor), (at("2026-11-23T23:00:00Z"), false));
        assert!(marks[1].is_minor);
    }

    #[test]
    fn days_of_which_nothing_is_known_are_gaps() {
        let day = |date: &str| Day {
            date: date.into(),
            occupancy_rate: None,
            peak_rate: None,
            arrivals: 1,
            departures: 0,
            turnover: None,
            mean_stay_minutes: None,
            revenue: Vec::new(),
        };
        let days = all_days(vec![day("2026-11-28"), day("2026-12-01")]);
        let labels: Vec<_> = days.iter().map(|day| (day.label.as_str(), day.day.is_some())).collect();
        assert_eq!(
            labels,
            [
                ("Sat 28 Nov 2026", true),
                ("Sun 29 Nov 2026", false),
                ("Mon 30 Nov 2026", false),
                ("Tue 1 Dec 2026", true)
            ]
        );
        assert!(all_days(Vec::new()).is_empty());
    }
}
