//! Figures of a period: numbers, and bars that are also a table.

use leptos::prelude::*;
use portico_model::access::anomaly::{Insights, PersonInsight};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[component]
fn Figure(value: String, label: &'static str, href: String) -> impl IntoView {
    view! {
        <a class="figure" href=href>
            <strong class="number">{value}</strong>
            <span class="quiet">{label}</span>
        </a>
    }
}

/// The three hours with the most attempts.
fn peak(by_hour: &[i64]) -> String {
    let mut hours: Vec<(usize, i64)> = by_hour.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
    hours.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let hours: Vec<String> = hours.into_iter().take(3).map(|(hour, _)| format!("{hour:02}")).collect();
    if hours.is_empty() { "—".to_owned() } else { hours.join(", ") }
}

#[component]
pub(super) fn Numbers(insights: Insights) -> impl IntoView {
    let log = |rest: &str| format!("/access_logs{rest}");
    view! {
        <section aria-labelledby="numbers-title">
            <h2 id="numbers-title" class="hidden">
                "In numbers"
            </h2>
            <div class="figures">
                <Figure value=insights.attempts.to_string() label="attempts" href=log("?kind=request") />
                <Figure value=insights.refused.to_string() label="refused" href=log("?result=refused") />
                <Figure value=insights.unusual.to_string() label="unusual" href=log("?unusual=yes") />
                <Figure value=peak(&insights.by_hour) label="busiest hours" href=log("") />
            </div>
            {insights
                .is_cut
                .then(|| {
                    view! { <p class="quiet">"More happened than is counted here: the figures are of the newest events."</p> }
                })}
        </section>
    }
}

/// A bar in a table: what it is of, how long, and the number.
#[component]
fn Bar(label: String, count: i64, most: i64, #[prop(optional)] refused: i64) -> impl IntoView {
    #[allow(clippy::cast_precision_loss)] // a share
    let width = |count: i64| format!("{:.1}", count as f64 * 100.0 / most.max(1) as f64);
    view! {
        <tr>
            <th scope="row">{label}</th>
            <td class="bar-cell" aria-hidden="true">
                // Drawn, not styled: the content policy lets no styles stand in the document.
                <svg class="bar" viewBox="0 0 100 18" preserveAspectRatio="none" focusable="false">
                    <rect width=width(count) height="8" />
                    <rect class="bar-refused" y="10" width=width(refused) height="8" />
                </svg>
            </td>
            <td class="bar-number">{count}</td>
            <td class="bar-number">{refused}</td>
        </tr>
    }
}

#[component]
pub(super) fn Charts(insights: Insights) -> impl IntoView {
    let most_hour = insights.by_hour.iter().copied().max().unwrap_or_default();
    let most_day = insights.by_day.iter().map(|day| day.attempts).max().unwrap_or_default();
    view! {
        <section class="card" aria-labelledby="days-title">
            <h2 id="days-title">"By day"</h2>
            <table class="bars">
                <caption class="hidden">"Attempts by day"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Day"</th>
                        <td></td>
                        <th scope="col">"Attempts"</th>
                        <th scope="col">"Refused"</th>
                    </tr>
                </thead>
                <tbody>
                    {insights
                        .by_day
                        .into_iter()
                        .rev()
                        .map(|day| {
                            let label = day.date.get(5..).unwrap_or(&day.date).to_owned();
                            view! { <Bar label count=day.attempts most=most_day refused=day.refused /> }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </section>
        <section class="card" aria-labelledby="hours-title">
            <h2 id="hours-title">"By hour of the day"</h2>
            <ol class="hours">
                {insights
                    .by_hour
                    .into_iter()
                    .enumerate()
                    .map(|(hour, count)| {
                        #[allow(clippy::cast_precision_loss)] // a share
                        let height = count as f64 * 100.0 / most_hour.max(1) as f64;
                        view! {
                            <li>
                                <span class="hidden">{format!("{hour:02}:00: {count} attempts")}</span>
                                <svg
                                    class="hour-bar"
                                    viewBox="0 0 10 100"
                                    preserveAspectRatio="none"
                                    aria-hidden="true"
                                    focusable="false"
                                >
                                    <rect width="10" y=format!("{:.1}", 100.0 - height) height=format!("{height:.1}") />
                                </svg>
                                <span class="hour-label" aria-hidden="true">
                                    {(hour % 6 == 0).then(|| format!("{hour:02}"))}
                                </span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
        </section>
    }
}

#[component]
pub(super) fn MostActive(people: Vec<PersonInsight>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="people-title">
            <h2 id="people-title">"Most active"</h2>
            {if people.is_empty() {
                view! { <p class="quiet">"Nobody in this period."</p> }.into_any()
            } else {
                view! {
                    <table class="bars">
                        <caption class="hidden">"Most active people"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Person"</th>
                                <th scope="col">"Usually"</th>
                                <th scope="col">"Attempts"</th>
                                <th scope="col">"Refused"</th>
                            </tr>
                        </thead>
                        <tbody>
                            {people.into_iter().map(|person| view! { <ActivePerson person /> }).collect_view()}
                        </tbody>
                    </table>
                }
                    .into_any()
            }}
        </section>
    }
}

#[component]
fn ActivePerson(person: PersonInsight) -> impl IntoView {
    let hours: Vec<_> = person.common_hours.iter().map(|hour| format!("{hour:02}")).collect();
    let days: Vec<_> = person.common_days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
    let name = if person.name.is_empty() { "—".to_owned() } else { person.name };
    view! {
        <tr>
            <th scope="row">
                <a href=format!("/access_logs?person={}", person.person_id)>{name}</a>
            </th>
            <td class="quiet">{format!("{} h · {}", hours.join(", "), days.join(", "))}</td>
            <td class="bar-number">{person.attempts}</td>
            <td class="bar-number">{person.refused}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busiest_hours_are_those_with_the_most_attempts() {
        let mut hours = vec![0; 24];
        assert_eq!(peak(&hours), "—");
        (hours[9], hours[17], hours[0], hours[8]) = (7, 3, 3, 5);
        assert_eq!(peak(&hours), "09, 08, 00");
    }
}
