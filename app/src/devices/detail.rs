//! `/devices/:id`: one device, live.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use portico_model::devices::{Device, DeviceProblem, DeviceWithKey};
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::LatestValue;
use portico_model::{DeviceId, Timestamp};

use super::chart::{ChartPanel, MAX_BUCKETS, Range, points_of};
use super::commands::{CommandForms, CommandsPanel, ListCommands};
use super::edit::{DeviceActions, DeviceForms};
use super::examples::{Endpoints, Examples, KEY_PLACEHOLDER, use_endpoints};
use super::register::KeyOnce;
use super::row::ConnectionBadge;
use super::shadow::{GetShadow, SetDesired, ShadowPanel};
use super::values::ValueTiles;
use super::{DeviceChart, GetDevice, LatestValues, Problems};
use crate::alarms::DeviceThresholds;
use crate::form::FormState;
use crate::live::{LiveUpdate, fold, follow, use_live};
use crate::load::{Loaded, load, read};
use crate::time::{Ago, Moment};
use crate::ui::toast::use_toasts;
use crate::ui::{Glyph, Icon, ProblemView};
use crate::viewer::use_viewer;

/// The page.
#[component]
pub fn DevicePage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<DeviceId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = DeviceForms::new();
    let panels = Panels {
        commands: load(move || id.get().map(|id| ListCommands { id })),
        command_forms: CommandForms::new(),
        shadow: load(move || id.get().map(|id| GetShadow { id })),
        desired: FormState::of::<SetDesired>(),
    };
    let endpoints = StoredValue::new(use_endpoints());
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let part = |name| query.get(name).unwrap_or_default();
            (part("key"), Range::parse(&part("range"), &part("from"), &part("to")))
        })
    });
    let device = load(move || id.get().map(|id| GetDevice { id }));
    let latest = load(move || id.get().map(|id| LatestValues { id }));
    let thresholds = load(move || id.get().map(|id| DeviceThresholds { id }));
    let troubles = load(move || id.get().map(|id| Problems { id }));
    let series = load(move || {
        let (key, range) = asked.get();
        let (last_ms, from, to) = match range {
            Range::Last { length_ms, .. } => (length_ms, Timestamp::default(), Timestamp::default()),
            Range::Between { from, to } => (0, from, to),
        };
        id.get().map(|id| DeviceChart { id, key, last_ms, from, to, max_buckets: MAX_BUCKETS })
    });
    let live = use_live();
    Effect::new(move |seen: Option<u32>| {
        let returns = live.returns.get();
        if seen.is_some_and(|seen| seen != returns) {
            series.refetch();
            troubles.refetch();
        }
        returns
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/devices">"Devices"</a>
        </nav>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading device"</p> }>
            {move || {
                let device = device.get()?;
                let latest = latest.get()?;
                Some(
                    match read::<Device>(device) {
                        Ok(device) => {
                            view! {
                                <DeviceView
                                    device
                                    latest=read(latest).unwrap_or_default()
                                    series
                                    troubles
                                    thresholds
                                    asked
                                    forms
                                    panels
                                    endpoints=endpoints.get_value()
                                />
                            }
                                .into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    },
                )
            }}
        </Transition>
    }
}

/// What the panels below the chart show, made while the page begins.
#[derive(Clone, Copy)]
struct Panels {
    commands: Resource<Loaded>,
    command_forms: CommandForms,
    shadow: Resource<Loaded>,
    desired: FormState,
}

#[component]
fn DeviceView(
    device: Device,
    latest: Vec<LatestValue>,
    series: Resource<Loaded>,
    troubles: Resource<Loaded>,
    thresholds: Resource<Loaded>,
    asked: Memo<(String, Range)>,
    forms: DeviceForms,
    panels: Panels,
    endpoints: Endpoints,
) -> impl IntoView {
    let id = device.id;
    let may_manage =
        use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAllDevices) || viewer.id == device.owner_id);
    let device = RwSignal::new(device);
    let values = RwSignal::new(latest);
    let points = RwSignal::new(Vec::new());
    let deleted = RwSignal::new(false);
    let range = Memo::new(move |_| asked.with(|(_, range)| range.clone()));
    let key = Memo::new(move |_| {
        asked.with(|(key, _)| {
            if key.is_empty() {
                values.with(|values| super::first_number(values).unwrap_or_default())
            } else {
                key.clone()
            }
        })
    });
    // The first number a new device ever sends gives the chart its key.
    Effect::new(move |before: Option<String>| {
        let key = key.get();
        if before.is_some_and(|before| before.is_empty() && !key.is_empty()) {
            series.refetch();
        }
        key
    });
    follow(
        move || Some(format!("device:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(data) => {
                if let Some(now) = fold::device_of(data) {
                    device.set(now);
                }
            }
            LiveUpdate::Event(Event::DeviceDeleted { .. }) => deleted.set(true),
            LiveUpdate::Event(event) => device.update(|device| {
                fold::fold_device(device, &event);
            }),
        },
    );
    follow(
        move || Some(format!("telemetry:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(data) => {
                if let Some(now) = fold::latest_of(data) {
                    values.set(now);
                }
            }
            LiveUpdate::Event(Event::Telemetry(event)) => {
                values.update(|values| {
                    fold::fold_latest(values, &event.samples);
                });
                points.set(key.with_untracked(|key| points_of(&event.samples, key)));
            }
            LiveUpdate::Event(_) => {}
        },
    );
    let toast = use_toasts();
    Effect::new(move |_| {
        if let Some(changed) = forms.update.answer() {
            device.set(changed);
            toast("Changes saved".to_owned());
        }
    });
    Effect::new(move |_| {
        if let Some(changed) = forms.set_status.answer() {
            device.set(changed);
        }
    });
    let name = Memo::new(move |_| device.with(|device| device.name.clone()));
    let issue = Memo::new(move |_| device.with(|device| device.issue.clone()));
    let new_key = move || match forms.rotate.answer::<DeviceWithKey>() {
        Some(rotated) => Some(rotated.api_key),
        None => forms.rotate.outcome("api_key"),
    };
    let endpoints = StoredValue::new(endpoints);
    view! {
        <Title text=move || name.try_get().unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{move || name.get()}</h1>
                <ConnectionBadge device />
            </div>
            {may_manage.then(|| view! { <DeviceActions device forms /> })}
        </div>
        <p class="note note-danger" role="alert" hidden=move || !deleted.get()>
            "This device was deleted. What you see is its last state."
        </p>
        <p class="note note-attention" hidden=move || issue.with(String::is_empty)>
            <Icon glyph=Glyph::Alert />
            <span>"The device reports: " {move || issue.get()}</span>
        </p>
        {move || {
            new_key()
                .map(|api_key| {
                    view! { <KeyOnce device=device.get_untracked() api_key endpoints=endpoints.get_value() /> }
                })
        }}
        <section aria-labelledby="values-title">
            <h2 id="values-title" class="hidden">"Latest values"</h2>
            <ValueTiles
                id
                values
                metadata=Signal::derive(move || device.with(|device| device.metadata.clone()))
                interval_s=Signal::derive(move || device.with(|device| device.heartbeat_interval_s))
                chosen=key
                range_query=Signal::derive(move || range.with(Range::query))
            />
        </section>
        <ChartPanel
            id
            series
            range
            key
            metadata=Signal::derive(move || device.with(|device| device.metadata.clone()))
            points
            thresholds
        />
        <div class="columns">
            <CommandsPanel id commands=panels.commands may_manage forms=panels.command_forms />
            <ShadowPanel id shadow=panels.shadow may_manage form=panels.desired />
        </div>
        <div class="columns">
            <Facts device />
            <Troubles troubles />
        </div>
        <section class="card">
            <details>
                <summary>
                    <h2>"Send values from this device"</h2>
                </summary>
                <p class="quiet">
                    {format!("The key was shown when the device was registered: put it in place of {KEY_PLACEHOLDER}.")}
                </p>
                <Examples device=device.get_untracked() api_key=KEY_PLACEHOLDER endpoints=endpoints.get_value() />
            </details>
        </section>
    }
}

#[component]
fn Facts(device: RwSignal<Device>) -> impl IntoView {
    let text = move |pick: fn(&Device) -> String| {
        let text = Memo::new(move |_| device.with(pick));
        move || text.with(|text| if text.is_empty() { "–".to_owned() } else { text.clone() })
    };
    let seen = Memo::new(move |_| device.with(|device| device.last_seen_at));
    let created = Memo::new(move |_| device.with(|device| device.created_at));
    view! {
        <section class="card" aria-labelledby="facts-title">
            <h2 id="facts-title">"About this device"</h2>
            <dl class="facts">
                <dt>"Type"</dt>
                <dd>{text(|device| device.device_type.clone())}</dd>
                <dt>"Place"</dt>
                <dd>{text(|device| device.location.clone())}</dd>
                <dt>"Last heard from"</dt>
                <dd>
                    <Ago at=seen />
                </dd>
                <dt>"Promises to be heard"</dt>
                <dd>{text(|device| format!("every {} s", device.heartbeat_interval_s))}</dd>
                <dt>"Battery"</dt>
                <dd>{text(|device| device.battery_percent.map(|percent| format!("{percent:.0} %")).unwrap_or_default())}</dd>
                <dt>"Signal"</dt>
                <dd>{text(|device| device.rssi_dbm.map(|dbm| format!("{dbm:.0} dBm")).unwrap_or_default())}</dd>
                <dt>"Firmware"</dt>
                <dd>{text(|device| device.firmware_version.clone())}</dd>
                <dt>"Owner"</dt>
                <dd>{text(|device| device.owner_name.clone())}</dd>
                <dt>"Registered"</dt>
                <dd>
                    <Moment at=created />
                </dd>
                <dt>"Hardware id"</dt>
                <dd>{text(|device| device.hardware_id.clone().unwrap_or_default())}</dd>
                <dt>"Device id"</dt>
                <dd>
                    <code>{device.with_untracked(|device| device.id.to_string())}</code>
                </dd>
                <dt>"Description"</dt>
                <dd>{text(|device| device.description.clone())}</dd>
            </dl>
        </section>
    }
}

#[component]
fn Troubles(troubles: Resource<Loaded>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="problems-title">
            <h2 id="problems-title">"Problems with its messages"</h2>
            <Transition>
                {move || {
                    troubles
                        .get()
                        .map(|troubles| match read::<Vec<DeviceProblem>>(troubles) {
                            Ok(troubles) if troubles.is_empty() => {
                                view! {
                                    <p class="quiet">
                                        <Icon glyph=Glyph::Check />
                                        "Every message so far could be used."
                                    </p>
                                }
                                    .into_any()
                            }
                            Ok(troubles) => {
                                view! {
                                    <ul class="problems">
                                        {troubles
                                            .into_iter()
                                            .map(|problem| {
                                                view! {
                                                    <li>
                                                        <p>
                                                            <strong>{problem.message}</strong>
                                                            " "
                                                            <span class="quiet">
                                                                {(problem.count > 1).then(|| format!("{} times, ", problem.count))}
                                                                <Ago at=Signal::stored(Some(problem.at)) />
                                                            </span>
                                                        </p>
                                                        <pre tabindex="0" aria-label="Beginning of the message">
                                                            <code>{problem.sample}</code>
                                                        </pre>
                                                    </li>
                                                }
                                            })
                                            .collect_view()}
                                    </ul>
                                }
                                    .into_any()
                            }
                            Err(failure) => view! { <ProblemView failure /> }.into_any(),
                        })
                }}
            </Transition>
        </section>
    }
}
