//! The hours of the week as a table whose cells are coloured by how full the lot usually is then.

use leptos::prelude::*;
use portico_model::parking::analytics::HourOfWeek;
use portico_model::parking::tariff::Weekday;

use super::LotAnalytics;
use portico_model::parking::tariff::words::day_word;

/// Class of a cell's colour, and what it stands for.
const STEPS: [(&str, &str); 5] = [
    ("heat-0", "below 20 %"),
    ("heat-1", "20 to 39 %"),
    ("heat-2", "40 to 59 %"),
    ("heat-3", "60 to 79 %"),
    ("heat-4", "80 % and more"),
];

/// Colour of a whole number of percent.
fn class_of(percent: f64) -> &'static str {
    let step = STEPS.into_iter().zip([20.0, 40.0, 60.0, 80.0, f64::INFINITY]).find(|(_, below)| percent < *below);
    step.map_or("heat-4", |((class, _), _)| class)
}

fn day_of(hour: &HourOfWeek) -> &'static str {
    Weekday::ALL.get(usize::from(hour.weekday)).copied().map(day_word).unwrap_or_default()
}

/// When it is fullest and when emptiest, in a sentence; `None` when nothing is known.
fn summary(hours: &[HourOfWeek]) -> Option<String> {
    let known: Vec<(f64, &HourOfWeek)> =
        hours.iter().filter_map(|hour| Some((hour.occupancy_rate?.round(), hour))).collect();
    let (most, fullest) = known.iter().copied().reduce(|one, other| if other.0 > one.0 { other } else { one })?;
    let (least, emptiest) = known.iter().copied().reduce(|one, other| if other.0 < one.0 { other } else { one })?;
    let at = |hour: &HourOfWeek| format!("{} {:02}:00", day_of(hour), hour.hour);
    Some(format!("Fullest: {}, {most:.0} %. Emptiest: {}, {least:.0} %.", at(fullest), at(emptiest)))
}

/// The hours of the week.
#[component]
pub fn HeatMap(shown: Memo<LotAnalytics>) -> impl IntoView {
    let hours = Memo::new(move |_| shown.with(|shown| shown.hours.clone()));
    let zone = Memo::new(move |_| shown.with(|shown| shown.time_zone.clone()));
    view! {
        <section class="card" aria-labelledby="heat-title">
            <h2 id="heat-title">"Hours of the week"</h2>
            {move || match hours.with(|hours| summary(hours)) {
                Some(text) => {
                    view! {
                        <p class="forecast-text">{text}</p>
                        <HeatTable hours=hours.get() />
                        <Legend />
                        <p class="quiet chart-note">
                            {format!("Mean occupancy in percent, by the clock of the lot ({}).", zone.get())}
                        </p>
                    }
                        .into_any()
                }
                None => view! { <p class="quiet">"Nothing is known of this time yet."</p> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn HeatTable(hours: Vec<HourOfWeek>) -> impl IntoView {
    let row = move |hour: u8| {
        let cells: Vec<Option<f64>> = (0..7)
            .map(|weekday: u8| {
                let cell = hours.iter().find(|one| one.weekday == weekday && one.hour == hour);
                cell.and_then(|one| one.occupancy_rate).map(f64::round)
            })
            .collect();
        view! {
            <tr>
                <th scope="row">{format!("{hour:02}:00")}</th>
                {cells
                    .into_iter()
                    .map(|cell| match cell {
                        Some(percent) => view! { <td class=class_of(percent)>{format!("{percent:.0}")}</td> }.into_any(),
                        None => {
                            view! {
                                <td class="heat-none">
                                    <span aria-hidden="true">"–"</span>
                                    <span class="hidden">"not known"</span>
                                </td>
                            }
                                .into_any()
                        }
                    })
                    .collect_view()}
            </tr>
        }
    };
    view! {
        <table class="heat">
            <caption class="hidden">"Mean occupancy in percent, by hour and weekday"</caption>
            <thead>
                <tr>
                    <th scope="col">"Hour"</th>
                    {Weekday::ALL.into_iter().map(|day| view! { <th scope="col">{day_word(day)}</th> }).collect_view()}
                </tr>
            </thead>
            <tbody>{(0..24).map(row).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn Legend() -> impl IntoView {
    view! {
        <ul class="heat-legend">
            {STEPS
                .into_iter()
                .map(|(class, text)| {
                    view! {
                        <li>
                            <span class=format!("heat-key {class}") aria-hidden="true"></span>
                            {text}
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(rate: impl Fn(u8) -> Option<f64>) -> Vec<HourOfWeek> {
        let hour = |at: u8| HourOfWeek { weekday: at / 24, hour: at % 24, occupancy_rate: rate(at), arrivals: 0.0 };
        (0..168).map(hour).collect()
    }

    #[test]
    fn colour_goes_by_the_number_that_is_shown() {
        let classes = [0.0, 19.0, 20.0, 59.0, 80.0, 100.0].map(class_of);
        assert_eq!(classes, ["heat-0", "heat-0", "heat-1", "heat-2", "heat-4", "heat-4"]);
    }

    #[test]
    fn fullest_and_emptiest_hours_are_told() {
        let rates = |at: u8| match at {
            33 => Some(82.4),
            147 => Some(3.6),
            0..48 => Some(40.0),
            _ => None,
        };
        assert_eq!(summary(&hours(rates)).as_deref(), Some("Fullest: Tue 09:00, 82 %. Emptiest: Sun 03:00, 4 %."));
        assert_eq!(summary(&hours(|_| None)), None);
    }
}
