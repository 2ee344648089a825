//! The days of a span: sums, small charts of turnover, stays and revenue, and all of it as a table.

use std::collections::BTreeMap;

use leptos::prelude::*;
use portico_model::parking::analytics::{Day, Money};
use portico_model::parking::tariff::format_minor;

use super::{LotAnalytics, ShownDay};
use portico_model::parking::tariff::words::length;

/// What a span of days adds up to.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    arrivals: i64,
    /// Vehicles a spot and day.
    turnover: Option<f64>,
    /// Minutes, of all vehicles that left.
    stay: Option<f64>,
    /// By currency.
    revenue: BTreeMap<String, i64>,
}

fn known(days: &[ShownDay]) -> impl Iterator<Item = &Day> {
    days.iter().filter_map(|day| day.day.as_ref())
}

impl Sums {
    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    fn of(days: &[ShownDay]) -> Self {
        let turnovers: Vec<f64> = known(days).filter_map(|day| day.turnover).collect();
        let mut sums = Self::default();
        let (mut stayed, mut left) = (0.0, 0);
        for day in known(days) {
            sums.arrivals += day.arrivals;
            if let Some(mean) = day.mean_stay_minutes {
                stayed += mean * day.departures as f64;
                left += day.departures;
            }
            for Money { currency, amount_minor } in &day.revenue {
                *sums.revenue.entry(currency.clone()).or_default() += amount_minor;
            }
        }
        sums.turnover = (!turnovers.is_empty()).then(|| turnovers.iter().sum::<f64>() / turnovers.len() as f64);
        sums.stay = (left > 0).then(|| stayed / left as f64);
        sums
    }
}

#[allow(clippy::cast_possible_truncation)] // of a stay
fn stay_text(minutes: f64) -> String {
    length(minutes.round() as i64)
}

fn revenue_text(revenue: &[Money]) -> String {
    let amounts: Vec<_> = revenue.iter().map(|money| format_minor(money.amount_minor, &money.currency)).collect();
    amounts.join(", ")
}

#[allow(clippy::cast_precision_loss)] // a picture needs no more
fn revenue_in(day: &Day, currency: &str) -> Option<f64> {
    let money = day.revenue.iter().find(|money| money.currency == currency)?;
    Some(money.amount_minor as f64)
}

/// Bars, one a day, each a unit wide, in a picture that is 100 high.
fn bars(values: &[Option<f64>]) -> String {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let bar = |(number, value): (usize, &Option<f64>)| {
        let value = value.filter(|value| *value > 0.0)?;
        Some(format!("M{number}.1 100V{:.1}h.8V100Z", 100.0 - value / most * 100.0))
    };
    values.iter().enumerate().filter_map(bar).collect()
}

/// The days of the span.
#[component]
pub fn Days(shown: Memo<LotAnalytics>) -> impl IntoView {
    let days = Memo::new(move |_| shown.with(|shown| shown.days.clone()));
    view! {
        <section class="card" aria-labelledby="days-title">
            <h2 id="days-title">"Day by day"</h2>
            {move || {
                let days = days.get();
                if days.is_empty() {
                    view! { <p class="quiet">"Nothing is known of this time yet."</p> }.into_any()
                } else {
                    view! { <Charts days /> }.into_any()
                }
            }}
        </section>
    }
}

#[component]
fn Charts(days: Vec<ShownDay>) -> impl IntoView {
    let sums = Sums::of(&days);
    let of = |read: &dyn Fn(&Day) -> Option<f64>| -> Vec<Option<f64>> {
        days.iter().map(|day| day.day.as_ref().and_then(read)).collect()
    };
    let span = match days.as_slice() {
        [first, .., last] => format!("{} to {}", first.label, last.label),
        [only] => only.label.clone(),
        [] => String::new(),
    };
    let turnover = sums.turnover.map_or_else(|| "not known".to_owned(), |mean| format!("{mean:.1} a spot and day"));
    let stay = sums.stay.map_or_else(|| "not known".to_owned(), |mean| format!("{} on average", stay_text(mean)));
    let revenue: Vec<_> = sums
        .revenue
        .iter()
        .map(|(currency, amount)| {
            let (sum, values) = (format_minor(*amount, currency), of(&|day| revenue_in(day, currency)));
            view! { <DayChart title="Revenue" sum values /> }
        })
        .collect();
    let has_revenue = !revenue.is_empty();
    let turnovers = of(&|day| day.turnover);
    let stays = of(&|day| day.mean_stay_minutes);
    view! {
        <p class="quiet">{span}</p>
        <DayChart title="Turnover" sum=turnover values=turnovers />
        <p class="quiet chart-note">
            {format!("Vehicles that came, for each spot; {} in all. ", sums.arrivals)}
            {(sums.arrivals == 0).then_some("Sensors count them: an imported history has none.")}
        </p>
        <DayChart title="Stay" sum=stay values=stays />
        {revenue}
        {(!has_revenue).then(|| view! { <DayChart title="Revenue" sum=String::from("none") values=Vec::new() /> })}
        <DayTable days />
    }
}

#[component]
fn DayChart(title: &'static str, sum: String, values: Vec<Option<f64>>) -> impl IntoView {
    let path = bars(&values);
    let view_box = format!("0 0 {} 100", values.len().max(1));
    view! {
        <div class="day-chart">
            <h3>
                {title} ": " <strong class="number">{sum}</strong>
            </h3>
            {(!path.is_empty())
                .then(|| {
                    view! {
                        <svg viewBox=view_box preserveAspectRatio="none" aria-hidden="true" focusable="false">
                            <path d=path />
                        </svg>
                    }
                })}
        </div>
    }
}

#[component]
fn DayTable(days: Vec<ShownDay>) -> impl IntoView {
    let row = |shown: ShownDay| {
        let ShownDay { label, day } = shown;
        let percent = |rate: Option<f64>| rate.map(|rate| format!("{rate:.0} %"));
        let number = |text: Option<String>| view! { <td class="number">{text.unwrap_or_else(|| "–".to_owned())}</td> };
        let of = |read: &dyn Fn(&Day) -> Option<String>| number(day.as_ref().and_then(read));
        view! {
            <tr>
                <th scope="row">{label}</th>
                {of(&|day| percent(day.occupancy_rate))}
                {of(&|day| percent(day.peak_rate))}
                {of(&|day| Some(day.arrivals.to_string()))}
                {of(&|day| day.turnover.map(|turnover| format!("{turnover:.1}")))}
                {of(&|day| day.mean_stay_minutes.map(stay_text))}
                {of(&|day| Some(revenue_text(&day.revenue)).filter(|text| !text.is_empty()))}
            </tr>
        }
    };
    view! {
        <details class="chart-table">
            <summary>"The days as a table"</summary>
            <div class="table-wrap" tabindex="0" role="region" aria-label="The days in numbers">
                <table class="table table-dense">
                    <caption class="hidden">"The days in numbers, the latest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Day"</th>
                            <th scope="col">"Occupied, mean"</th>
                            <th scope="col">"Fullest"</th>
                            <th scope="col">"Came"</th>
                            <th scope="col">"Turnover"</th>
                            <th scope="col">"Stay"</th>
                            <th scope="col">"Revenue"</th>
                        </tr>
                    </thead>
                    <tbody>{days.into_iter().rev().map(row).collect_view()}</tbody>
                </table>
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(departures: i64, stay: Option<f64>, revenue: i64) -> ShownDay {
        let day = Day {
            date: "2026-11-21".into(),
            occupancy_rate: Some(50.0),
            peak_rate: Some(90.0),
            arrivals: 4,
            departures,
            turnover: Some(2.0),
            mean_stay_minutes: stay,
            revenue: vec![Money { currency: "EUR".into(), amount_minor: revenue }],
        };
        ShownDay { label: "Sat 21 Nov 2026".into(), day: Some(day) }
    }

    #[test]
    fn stays_count_by_vehicle_and_gaps_count_for_nothing() {
        let gap = ShownDay { label: String::new(), day: None };
        let sums = Sums::of(&[day(1, Some(60.0), 150), gap, day(3, Some(100.0), 50), day(0, None, 0)]);
        assert_eq!((sums.arrivals, sums.turnover, sums.stay), (12, Some(2.0), Some(90.0)));
        assert_eq!(sums.revenue.get("EUR"), Some(&200));
        assert_eq!(Sums::of(&[]), Sums::default());
        assert_eq!(stay_text(89.6), "1 h 30 min");
    }

    #[test]
    fn highest_bar_is_as_high_as_the_picture_and_a_gap_is_none() {
        assert_eq!(bars(&[Some(5.0), None, Some(10.0)]), "M0.1 100V50.0h.8V100ZM2.1 100V0.0h.8V100Z");
        assert_eq!(bars(&[Some(0.0), None]), "");
    }
}
