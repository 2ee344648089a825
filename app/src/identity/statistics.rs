//! `/admin`: how much there is, and how the server fares.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::statistics::{DeviceStatistics, PeopleStatistics, ServerStatistics, Statistics};

use crate::failure::Failure;
use crate::load::{Ask, load, read};
use crate::time::{Ago, Moment};
use crate::ui::ProblemView;

/// Milliseconds between two looks, while the page is open.
const REFRESH_MS: u64 = 10_000;

/// The figures now.
#[server(name = ReadStatistics, prefix = "/sfn", endpoint = "identity/statistics", input = GetUrl)]
pub async fn read_statistics() -> Result<Statistics, Failure> {
    use crate::server::{actor, devices, failed, identity};

    let (actor, identity) = (actor()?, identity()?);
    Ok(Statistics {
        server: identity.server_statistics(&actor).await.map_err(failed)?,
        people: identity.statistics(&actor).await.map_err(failed)?,
        devices: devices()?.statistics(&actor).await.map_err(failed)?,
    })
}

impl Ask for ReadStatistics {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// `1.2 GB`; the unit is the largest that leaves a number of at least one.
#[allow(clippy::cast_precision_loss)] // shown with two digits
fn size_text(bytes: i64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 1000.0 {
            return if unit == "B" || size >= 100.0 {
                format!("{size:.0} {unit}")
            } else {
                format!("{size:.1} {unit}")
            };
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// `1 234 567`, with thin spaces.
fn number_text(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// The page.
#[component]
pub fn StatisticsPage() -> impl IntoView {
    let statistics = load(|| Some(ReadStatistics {}));
    Effect::new(move |_| crate::browser::every(REFRESH_MS, move || statistics.refetch()));
    view! {
        <Title text="Statistics" />
        <div class="page-head">
            <h1>"Statistics"</h1>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Counting"</p> }>
            {move || {
                statistics
                    .get()
                    .map(|answer| match read::<Statistics>(answer) {
                        Ok(statistics) => view! { <Figures statistics /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Figure(
    #[prop(into)] value: String,
    label: &'static str,
    /// The list behind the number.
    #[prop(optional)]
    href: Option<&'static str>,
) -> impl IntoView {
    let body = view! {
        <strong class="number">{value}</strong>
        <span class="quiet">{label}</span>
    };
    match href {
        Some(href) => view! { <a class="figure" href=href>{body}</a> }.into_any(),
        None => view! { <div class="figure">{body}</div> }.into_any(),
    }
}

#[component]
fn Figures(statistics: Statistics) -> impl IntoView {
    let Statistics { server, people, devices } = statistics;
    let at = server.at;
    view! {
        <div class="figures-cards">
            <DeviceFigures devices />
            <PeopleFigures people />
            <ServerFigures server />
        </div>
        <p class="quiet">"As of " <Moment at />"; counted anew every 10 seconds while this page is open."</p>
    }
}

#[component]
fn DeviceFigures(devices: DeviceStatistics) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="device-figures">
            <h2 id="device-figures">"Devices and measurements"</h2>
            <div class="figures">
                <Figure value=number_text(devices.total) label="devices" href="/devices" />
                <Figure value=number_text(devices.online) label="online" href="/devices?connection=online" />
                <Figure value=number_text(devices.offline) label="offline" href="/devices?connection=offline" />
                <Figure value=number_text(devices.never) label="never seen" href="/devices?connection=never" />
                <Figure value=number_text(devices.series) label="series" />
                <Figure value=format!("{:.1}", devices.points_per_s) label="values a second, last 5 min" />
                <Figure value=number_text(devices.points_last_hour) label="values in the last hour" />
                <Figure value=number_text(devices.points_last_day) label="values in 24 hours" />
            </div>
        </section>
    }
}

#[component]
fn PeopleFigures(people: PeopleStatistics) -> impl IntoView {
    let roles = people.by_role.iter().map(|(role, count)| format!("{count} {role}")).collect::<Vec<_>>().join(", ");
    view! {
        <section class="card" aria-labelledby="people-figures">
            <h2 id="people-figures">"People and programs"</h2>
            <div class="figures">
                <Figure value=number_text(people.total) label="people" href="/users" />
                <Figure value=number_text(people.inactive) label="deactivated" href="/users" />
                <Figure value=number_text(people.sessions) label="sessions" />
                <Figure value=number_text(people.service_keys) label="API keys" href="/api_keys" />
                <Figure
                    value=number_text(people.failed_sign_ins_24h)
                    label="failed sign-ins in 24 hours"
                    href="/security_events"
                />
            </div>
            <p class="quiet">"By role: " {roles}</p>
        </section>
    }
}

#[component]
fn ServerFigures(server: ServerStatistics) -> impl IntoView {
    let deliveries = if server.deliveries.is_empty() {
        "none".to_owned()
    } else {
        server.deliveries.iter().map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
    };
    view! {
        <section class="card" aria-labelledby="server-figures">
            <h2 id="server-figures">"Server"</h2>
            <dl class="facts">
                <dt>"Version"</dt>
                <dd>{server.version}</dd>
                <dt>"Started"</dt>
                <dd>
                    <Ago at=Signal::stored(Some(server.started_at)) />
                </dd>
                <dt>"Database"</dt>
                <dd>{server.database} ", " {size_text(server.database_bytes)}</dd>
                <dt>"MQTT messages waiting"</dt>
                <dd>{number_text(server.outbox_messages)}</dd>
                <dt>"Mails, pushes, webhooks"</dt>
                <dd>{deliveries}</dd>
                <dt>"Live connections"</dt>
                <dd>{number_text(server.live_connections)}</dd>
            </dl>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_groups_and_sizes_in_units() {
        assert_eq!(number_text(0), "0");
        assert_eq!(number_text(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(number_text(-1_000), "-1\u{2009}000");
        assert_eq!(size_text(999), "999 B");
        assert_eq!(size_text(1_500), "1.5 kB");
        assert_eq!(size_text(123_456_789), "123 MB");
        assert_eq!(size_text(2_500_000_000_000), "2.5 TB");
    }
}
