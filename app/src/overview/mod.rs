//! `/`: the building right now.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos_meta::Title;
use portico_model::DeviceId;
use portico_model::devices::{Connection, Device};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::LatestValue;
use serde::{Deserialize, Serialize};

use crate::alarms::bar::use_alarms;
use crate::devices::row::{foremost, key_title, unit_of, value_text};
use crate::failure::Failure;
use crate::live::fold::{
    self, Concern, FeedEntry, ListSnapshot, concern_of, fold_device, fold_latest, happening_of, push_entry, shift_of,
};
use crate::live::{LiveUpdate, follow};
use crate::load::{Ask, load, read};
use crate::time::Ago;
use crate::ui::{EmptyState, Glyph, Icon, ProblemView};
use crate::viewer::viewer_may;

/// How many devices' values stream in.
const TILES_SHOWN: usize = 12;
/// How many values of each.
const VALUES_SHOWN: usize = 3;

/// What the overview begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    pub never: i64,
    /// Open alarms.
    pub alarms: i64,
    /// The first of each state, by name.
    pub online_devices: Vec<Device>,
    pub offline_devices: Vec<Device>,
    pub other_devices: Vec<Device>,
}

/// Counts, and the devices behind them.
#[server(name = GetOverview, prefix = "/sfn", endpoint = "overview/get", input = GetUrl)]
pub async fn get_overview() -> Result<Overview, Failure> {
    use portico_devices::DeviceQuery;

    use crate::server::{actor, alarms, devices, failed};

    const LISTED: i64 = 100;
    let (devices, actor) = (devices()?, actor()?);
    let counts = devices.counts(&actor).await.map_err(failed)?;
    let by = |connection| DeviceQuery { connection, limit: Some(LISTED), ..DeviceQuery::default() };
    Ok(Overview {
        total: counts.total,
        online: counts.online,
        offline: counts.offline,
        never: counts.never,
        alarms: alarms()?.counts(&actor).await.map_err(failed)?.open(),
        online_devices: devices.list(&actor, by(Some(Connection::Online))).await.map_err(failed)?.items,
        offline_devices: devices.list(&actor, by(Some(Connection::Offline))).await.map_err(failed)?.items,
        other_devices: devices.list(&actor, by(Some(Connection::Never))).await.map_err(failed)?.items,
    })
}

/// The page.
#[component]
pub fn OverviewPage() -> impl IntoView {
    let overview = load(|| Some(GetOverview {}));
    let may_register = viewer_may(Permission::RegisterDevices);
    // Kept across refetches, so that what happened stays told.
    let feed = RwSignal::new(Vec::<FeedEntry>::new());
    view! {
        <Title text="Overview" />
        <div class="page-head">
            <h1>"The building right now"</h1>
        </div>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading overview"</p> }>
            {move || {
                overview
                    .get()
                    .map(|answer| match read::<Overview>(answer) {
                        Ok(overview) if overview.total == 0 => view! { <FirstSteps may_register /> }.into_any(),
                        Ok(now) => {
                            view! { <OverviewView now feed on_unknown=move || overview.refetch() /> }.into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn FirstSteps(may_register: bool) -> impl IntoView {
    view! {
        <EmptyState
            glyph=Glyph::Overview
            title="Nothing reports yet"
            text="This page shows the building right now: what is online, what is wrong, what is measured. It begins with the first device."
        >
            {may_register
                .then(|| {
                    view! {
                        <a class="button button-primary" href="/devices/new">"Register the first device"</a>
                    }
                })}
        </EmptyState>
    }
}

#[derive(Clone, Copy)]
struct Known {
    id: DeviceId,
    device: RwSignal<Device>,
}

#[component]
fn OverviewView(now: Overview, feed: RwSignal<Vec<FeedEntry>>, on_unknown: impl Fn() + 'static) -> impl IntoView {
    let total = RwSignal::new(now.total);
    let online = RwSignal::new(now.online);
    let offline = RwSignal::new(now.offline);
    let never = RwSignal::new(now.never);
    let alarms = RwSignal::new(now.alarms);
    let open = use_alarms().counts;
    Effect::new(move |_| {
        if let Some(counts) = open.get() {
            alarms.set(counts.open());
        }
    });
    let known: Vec<Known> = now
        .online_devices
        .into_iter()
        .chain(now.offline_devices)
        .chain(now.other_devices)
        .map(|device| Known { id: device.id, device: RwSignal::new(device) })
        .collect();
    let tiles: Vec<Known> = known.iter().take(TILES_SHOWN).copied().collect();
    let known = RwSignal::new(known);
    let tell = move |id: DeviceId, before: Option<&Device>, event: &Event| {
        if let Some(what) = happening_of(before, event) {
            let name = match (event, before) {
                (Event::DeviceChanged { device }, _) => device.name.clone(),
                (_, Some(before)) => before.name.clone(),
                _ => String::new(),
            };
            feed.update(|feed| push_entry(feed, crate::browser::now(), Some(id), &name, what));
        }
    };
    let find = move |id: DeviceId| known.with_untracked(|known| known.iter().find(|known| known.id == id).copied());
    follow(
        || Some("devices".to_owned()),
        move |update| match update {
            // What happened while the page was on its way, or the line was down.
            LiveUpdate::Snapshot(data) => {
                let Ok(ListSnapshot { devices, counts }) = serde_json::from_value(data) else { return };
                total.set(counts.total);
                online.set(counts.online);
                offline.set(counts.offline);
                never.set(counts.never);
                for device in devices {
                    let (id, event) = (device.id, Event::DeviceChanged { device });
                    if let Some(found) = find(id) {
                        tell(id, Some(&found.device.get_untracked()), &event);
                        found.device.update(|device| {
                            fold_device(device, &event);
                        });
                    }
                }
            }
            LiveUpdate::Event(event) => {
                let id = match &event {
                    Event::DeviceChanged { device } => device.id,
                    Event::DeviceConnection { id, .. } | Event::DeviceDeleted { id } => *id,
                    _ => return,
                };
                let found = find(id);
                let before = found.map(|found| found.device.get_untracked());
                tell(id, before.as_ref(), &event);
                match (found, &event) {
                    (Some(_), Event::DeviceDeleted { .. }) | (None, _) => on_unknown(),
                    (Some(found), _) => {
                        found.device.update(|device| {
                            fold_device(device, &event);
                        });
                        let after = found.device.with_untracked(|device| device.connection);
                        if let Some(before) = before.filter(|before| before.connection != after) {
                            let shift = shift_of(before.connection, after);
                            online.update(|count| *count += shift.online);
                            offline.update(|count| *count += shift.offline);
                            never.update(|count| *count += shift.never);
                        }
                    }
                }
            }
        },
    );
    view! {
        <ul class="counts">
            <Count href="/alarms" word="Open alarms" count=alarms class="count count-danger" glyph=Glyph::Alarm />
            <Count href="/devices" word="Devices" count=total class="count" glyph=Glyph::Devices />
            <Count href="/devices?connection=online" word="Online" count=online class="count count-ok" glyph=Glyph::Online />
            <Count
                href="/devices?connection=offline"
                word="Offline"
                count=offline
                class="count count-danger"
                glyph=Glyph::Offline
            />
            <Count
                href="/devices?connection=never"
                word="Never seen"
                count=never
                class="count count-unknown"
                glyph=Glyph::Unknown
            />
        </ul>
        <div class="columns columns-wide-first">
            <section class="card" aria-labelledby="live-title">
                <div class="card-head">
                    <h2 id="live-title">"Measured now"</h2>
                    <a href="/devices">"All devices"</a>
                </div>
                <ul class="live-list">
                    {tiles.into_iter().map(|known| view! { <LiveDevice known /> }).collect_view()}
                </ul>
            </section>
            <div class="stack">
                <Concerns known />
                <Feed feed />
            </div>
        </div>
    }
}

#[component]
fn Count(
    href: &'static str,
    word: &'static str,
    count: RwSignal<i64>,
    class: &'static str,
    glyph: Glyph,
) -> impl IntoView {
    view! {
        <li class=class class:zero=move || count.get() == 0>
            <a href=href>
                <span class="count-word">
                    <Icon glyph />
                    {word}
                </span>
                <span class="count-number number">{move || count.get()}</span>
            </a>
        </li>
    }
}

/// A device with its first values, streaming.
#[component]
fn LiveDevice(known: Known) -> impl IntoView {
    let Known { id, device } = known;
    let values = RwSignal::new(Vec::<LatestValue>::new());
    let changes = RwSignal::new(0_u32);
    follow(
        move || Some(format!("telemetry:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(data) => {
                if let Some(latest) = fold::latest_of(data) {
                    values.set(latest);
                }
            }
            LiveUpdate::Event(Event::Telemetry(event)) => {
                let mut changed = false;
                values.update(|values| changed = !fold_latest(values, &event.samples).is_empty());
                if changed {
                    changes.update(|changes| *changes += 1);
                }
            }
            LiveUpdate::Event(_) => {}
        },
    );
    let name = Memo::new(move |_| device.with(|device| device.name.clone()));
    let place = Memo::new(move |_| device.with(|device| device.location.clone()));
    let is_online = Memo::new(move |_| device.with(|device| device.connection == Connection::Online));
    let at = Memo::new(move |_| {
        let measured = values.with(|values| values.iter().map(|value| value.ts).max());
        measured.or_else(|| device.with(|device| device.last_seen_at))
    });
    let metadata = device.with_untracked(|device| device.metadata.clone());
    view! {
        <li
            class="live-device row"
            class:stale=move || !is_online.get()
            class:glow-odd=move || changes.get() % 2 == 1
            class:glow-even=move || { changes.get() > 0 && changes.get().is_multiple_of(2) }
        >
            <span class="live-name">
                <a class="row-link" href=format!("/devices/{id}")>{move || name.get()}</a>
                <span class="sub">{move || place.get()}</span>
            </span>
            <span class="live-values">
                {move || {
                    values
                        .with(|values| {
                            foremost(values, VALUES_SHOWN)
                                .into_iter()
                                .map(|latest| {
                                    view! {
                                        <span class="value-chip">
                                            <span class="value-key">{key_title(&latest.key)}</span>
                                            " "
                                            <span class="number">{value_text(&latest.value)}</span>
                                            <span class="unit">{unit_of(&metadata, &latest.key)}</span>
                                        </span>
                                    }
                                })
                                .collect_view()
                        })
                }}
            </span>
            <span class="live-age">
                <Ago at />
            </span>
        </li>
    }
}

/// What wants attention, the most urgent first.
#[component]
fn Concerns(known: RwSignal<Vec<Known>>) -> impl IntoView {
    const SHOWN: usize = 8;
    let concerns = Memo::new(move |_| {
        let mut concerns: Vec<_> = known.with(|known| {
            known
                .iter()
                .filter_map(|known| {
                    known.device.with(|device| {
                        let concern = concern_of(device)?;
                        Some((device.id, device.name.clone(), device.last_seen_at, concern))
                    })
                })
                .collect()
        });
        concerns.sort_by_key(|(_, name, _, concern)| {
            let urgency = match concern {
                Concern::Offline => 0,
                Concern::Issue(_) => 1,
                Concern::LowBattery(_) => 2,
            };
            (urgency, name.clone())
        });
        concerns
    });
    let beyond = move || concerns.with(Vec::len).saturating_sub(SHOWN);
    view! {
        <section class="card" aria-labelledby="concerns-title">
            <h2 id="concerns-title">"Wants attention"</h2>
            {move || {
                if concerns.with(Vec::is_empty) {
                    return view! {
                        <p class="quiet all-well">
                            <Icon glyph=Glyph::Check />
                            "Nothing. Every device in use is heard from."
                        </p>
                    }
                        .into_any();
                }
                view! {
                    <ul class="concerns">
                        {concerns
                            .get()
                            .into_iter()
                            .take(SHOWN)
                            .map(|(id, name, seen, concern)| {
                                let (class, glyph, text) = match concern {
                                    Concern::Offline => ("concern concern-danger", Glyph::Offline, "Offline".to_owned()),
                                    Concern::Issue(issue) => ("concern concern-attention", Glyph::Alert, issue),
                                    Concern::LowBattery(percent) => {
                                        ("concern concern-attention", Glyph::Alert, format!("Battery {percent:.0} %"))
                                    }
                                };
                                view! {
                                    <li class=class>
                                        <Icon glyph />
                                        <span class="concern-text">
                                            <a class="row-link" href=format!("/devices/{id}")>{name}</a>
                                            <span class="sub">{text} ", last heard " <Ago at=Signal::stored(seen) /></span>
                                        </span>
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                }
                    .into_any()
            }}
            <p hidden=move || beyond() == 0>
                <a href="/devices?connection=offline">{move || format!("{} more", beyond())}</a>
            </p>
        </section>
    }
}

/// What happened since the page was opened.
#[component]
fn Feed(feed: RwSignal<Vec<FeedEntry>>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="feed-title">
            <h2 id="feed-title">"Just happened"</h2>
            <p class="quiet" hidden=move || feed.with(|feed| !feed.is_empty())>
                "Devices coming, going and complaining appear here as it happens."
            </p>
            <ol class="feed" aria-live="polite">
                <For each=move || feed.get() key=|entry| entry.number let(entry)>
                    <li class="feed-entry">
                        <span>
                            {entry.device.map(|id| view! { <a href=format!("/devices/{id}")>{entry.name.clone()}</a> })}
                            " " {entry.what.text()}
                        </span>
                        <Ago at=Signal::stored(Some(entry.at)) />
                    </li>
                </For>
            </ol>
        </section>
    }
}

impl Ask for GetOverview {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
