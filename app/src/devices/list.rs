//! `/devices`: the list with search, filters, order and pages; states and values change in place.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use portico_model::devices::Device;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::LatestValue;
use portico_model::{DeviceId, Page};

use super::ListDevices;
use super::row::{ConnectionBadge, foremost, key_title, unit_of, value_text};
use crate::live::{LiveUpdate, fold, follow, use_live};
use crate::load::{load, read};
use crate::time::Ago;
use crate::ui::{EmptyState, Glyph, Icon, ProblemView};
use crate::viewer::viewer_may;

/// How many values a row shows.
const VALUES_SHOWN: usize = 2;

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Query {
    search: String,
    status: String,
    connection: String,
    sort: String,
    cursor: String,
}

impl Query {
    fn is_restricted(&self) -> bool {
        !(self.search.is_empty() && self.status.is_empty() && self.connection.is_empty())
    }

    fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let parts = [
            ("search", self.search.as_str()),
            ("status", self.status.as_str()),
            ("connection", self.connection.as_str()),
            ("sort", self.sort.as_str()),
            ("cursor", cursor.unwrap_or_default()),
        ];
        let query: Vec<_> = parts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", crate::browser::encode(value)))
            .collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// The page.
#[component]
pub fn DevicesPage() -> impl IntoView {
    let map = use_query_map();
    let query = Memo::new(move |_| {
        map.with(|map| Query {
            search: map.get("search").unwrap_or_default(),
            status: map.get("status").unwrap_or_default(),
            connection: map.get("connection").unwrap_or_default(),
            sort: map.get("sort").unwrap_or_default(),
            cursor: map.get("cursor").unwrap_or_default(),
        })
    });
    let page = load(move || {
        let Query { search, status, connection, sort, cursor } = query.get();
        Some(ListDevices { search, status, connection, sort, cursor })
    });
    let live = use_live();
    Effect::new(move |seen: Option<u32>| {
        let returns = live.returns.get();
        if seen.is_some_and(|seen| seen != returns) {
            page.refetch();
        }
        returns
    });
    let may_register = viewer_may(Permission::RegisterDevices);
    view! {
        <Title text="Devices" />
        <div class="page-head">
            <h1>"Devices"</h1>
            <div class="page-actions">
                <a
                    class="button"
                    href=move || query.with(|query| query.address("/api/v1/devices.csv", None))
                    rel="external"
                    download="devices.csv"
                >
                    <Icon glyph=Glyph::Download />
                    <span>"CSV"</span>
                </a>
                {may_register
                    .then(|| {
                        view! {
                            <a class="button button-primary" href="/devices/new">
                                <Icon glyph=Glyph::Plus />
                                <span>"Register device"</span>
                            </a>
                        }
                    })}
            </div>
        </div>
        <Filters query />
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading devices"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<Page<Device>>(answer) {
                        Ok(found) if found.items.is_empty() => {
                            view! { <NoDevices restricted=query.with_untracked(Query::is_restricted) may_register /> }
                                .into_any()
                        }
                        Ok(found) => {
                            let query = query.get_untracked();
                            view! { <DeviceTable found query on_unknown=move || page.refetch() /> }
                                .into_any()
                        }
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Filters(query: Memo<Query>) -> impl IntoView {
    let select = move |name: &'static str, label: &'static str, choices: &'static [(&'static str, &'static str)]| {
        let chosen = move || {
            query.with(|query| match name {
                "connection" => query.connection.clone(),
                "status" => query.status.clone(),
                _ => query.sort.clone(),
            })
        };
        view! {
            <div class="filter">
                <label for=format!("filter-{name}")>{label}</label>
                <select id=format!("filter-{name}") name=name on:change=submit_form_of>
                    {choices
                        .iter()
                        .map(|(value, label)| {
                            view! {
                                <option value=*value selected=move || chosen() == *value>
                                    {*label}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </div>
        }
    };
    view! {
        <Form method="GET" action="/devices" attr:class="filters" attr:id="device-filters">
            <div class="filter filter-search">
                <label for="filter-search">"Search"</label>
                <input
                    id="filter-search"
                    name="search"
                    type="search"
                    placeholder="Name, type, place or id"
                    value=move || query.with(|query| query.search.clone())
                />
            </div>
            {select(
                "connection",
                "Connection",
                &[("", "Any"), ("online", "Online"), ("offline", "Offline"), ("never", "Never seen")],
            )}
            {select(
                "status",
                "Status",
                &[("", "Any"), ("active", "Active"), ("inactive", "Inactive"), ("maintenance", "Maintenance")],
            )}
            {select(
                "sort",
                "Order",
                &[("", "Name"), ("created", "Newest first")],
            )}
            <button class="button filter-apply" type="submit">"Apply"</button>
        </Form>
    }
}

/// A choice takes effect at once; without JavaScript the button does it.
pub fn submit_form_of(event: leptos::ev::Event) {
    use leptos::wasm_bindgen::JsCast;
    if let Some(form) = event
        .target()
        .and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok())
        .and_then(|element| element.closest("form").ok().flatten())
        .and_then(|form| form.dyn_into::<leptos::web_sys::HtmlFormElement>().ok())
    {
        let _ = form.request_submit();
    }
}

#[component]
fn NoDevices(restricted: bool, may_register: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState
                glyph=Glyph::Search
                title="No device matches"
                text="Search looks into name, type, place and ids. Take a filter away to see more."
            >
                <a class="button" href="/devices">"Show all devices"</a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Devices
                title="No devices yet"
                text="Everything that measures or acts in the building is a device. Register the first one: you get its key, and a command to paste that sends its first value."
            >
                {may_register
                    .then(|| view! { <a class="button button-primary" href="/devices/new">"Register device"</a> })}
            </EmptyState>
        }
        .into_any()
    }
}

#[derive(Clone, Copy)]
struct Row {
    id: DeviceId,
    device: RwSignal<Device>,
    /// Grows when something shown changed; its parity chooses one of two equal animations.
    changes: RwSignal<u32>,
}

impl Row {
    fn new(device: Device) -> Self {
        Self { id: device.id, device: RwSignal::new(device), changes: RwSignal::new(0) }
    }

    fn apply(self, event: &Event) {
        let mut changed = false;
        self.device.update(|device| changed = fold::fold_device(device, event));
        if changed {
            self.changes.update(|changes| *changes += 1);
        }
    }
}

#[component]
fn DeviceTable(
    found: Page<Device>,
    query: Query,
    /// A device that is not on this page appeared.
    on_unknown: impl Fn() + 'static,
) -> impl IntoView {
    let next = found.next.as_deref().map(|cursor| query.address("/devices", Some(cursor)));
    let first = (!query.cursor.is_empty()).then(|| query.address("/devices", None));
    let rows = RwSignal::new(found.items.into_iter().map(Row::new).collect::<Vec<_>>());
    follow(
        || Some("devices".to_owned()),
        move |update| match update {
            // What changed while the page was on its way.
            LiveUpdate::Snapshot(data) => {
                for device in
                    serde_json::from_value::<fold::ListSnapshot>(data).into_iter().flat_map(|list| list.devices)
                {
                    if let Some(row) = rows.with_untracked(|rows| rows.iter().find(|row| row.id == device.id).copied())
                    {
                        row.apply(&Event::DeviceChanged { device });
                    }
                }
            }
            LiveUpdate::Event(event) => match &event {
                Event::DeviceDeleted { id } => rows.update(|rows| rows.retain(|row| row.id != *id)),
                Event::DeviceChanged { device }
                    if !rows.with_untracked(|rows| rows.iter().any(|row| row.id == device.id)) =>
                {
                    on_unknown();
                }
                Event::DeviceChanged { device: Device { id, .. } } | Event::DeviceConnection { id, .. } => {
                    if let Some(row) = rows.with_untracked(|rows| rows.iter().find(|row| row.id == *id).copied()) {
                        row.apply(&event);
                    }
                }
                _ => {}
            },
        },
    );
    view! {
        <div class="table-wrap">
            <table class="table table-devices">
                <caption class="hidden">"Devices"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Device"</th>
                        <th scope="col">"Place"</th>
                        <th scope="col">"Latest values"</th>
                        <th scope="col">"Last heard from"</th>
                    </tr>
                </thead>
                <tbody on:keydown=step_through_rows>
                    <For each=move || rows.get() key=|row| row.id let(row)>
                        <DeviceRow row />
                    </For>
                </tbody>
            </table>
        </div>
        <nav class="pages" aria-label="Pages">
            {first.map(|href| view! { <a class="button" href=href>"First page"</a> })}
            {next
                .map(|href| {
                    view! {
                        <a class="button" href=href rel="next">
                            "Next page"
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}

/// Arrow keys go from row to row.
fn step_through_rows(event: leptos::ev::KeyboardEvent) {
    use leptos::wasm_bindgen::JsCast;
    let forward = match event.key().as_str() {
        "ArrowDown" => true,
        "ArrowUp" => false,
        _ => return,
    };
    let row = event
        .target()
        .and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok())
        .and_then(|element| element.closest("tr").ok().flatten());
    let sibling = row.and_then(|row| if forward { row.next_element_sibling() } else { row.previous_element_sibling() });
    if let Some(link) = sibling
        .and_then(|row| row.query_selector("a").ok().flatten())
        .and_then(|link| link.dyn_into::<leptos::web_sys::HtmlElement>().ok())
    {
        event.prevent_default();
        let _ = link.focus();
    }
}

#[component]
fn DeviceRow(row: Row) -> impl IntoView {
    let Row { id, device, changes } = row;
    let name = Memo::new(move |_| device.with(|device| device.name.clone()));
    let kind = Memo::new(move |_| device.with(|device| device.device_type.clone()));
    let place = Memo::new(move |_| device.with(|device| device.location.clone()));
    let issue = Memo::new(move |_| device.with(|device| device.issue.clone()));
    let seen = Memo::new(move |_| device.with(|device| device.last_seen_at));
    view! {
        <tr
            class="row"
            class:glow-odd=move || changes.get() % 2 == 1
            class:glow-even=move || { changes.get() > 0 && changes.get() % 2 == 0 }
        >
            <td class="cell-state">
                <ConnectionBadge device />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/devices/{id}")>{move || name.get()}</a>
                <span class="sub">{move || kind.get()}</span>
                <span class="sub issue" hidden=move || issue.with(String::is_empty)>{move || issue.get()}</span>
            </th>
            <td class="cell-place">{move || place.get()}</td>
            <td class="cell-values">
                <RowValues id device />
            </td>
            <td class="cell-seen">
                <Ago at=seen />
            </td>
        </tr>
    }
}

/// The first few latest values, live.
#[component]
pub fn RowValues(id: DeviceId, device: RwSignal<Device>) -> impl IntoView {
    let values = RwSignal::new(Vec::<LatestValue>::new());
    follow(
        move || Some(format!("telemetry:{id}")),
        move |update| match update {
            LiveUpdate::Snapshot(data) => {
                if let Some(latest) = fold::latest_of(data) {
                    values.set(latest);
                }
            }
            LiveUpdate::Event(Event::Telemetry(event)) => {
                values.update(|values| {
                    fold::fold_latest(values, &event.samples);
                });
            }
            LiveUpdate::Event(_) => {}
        },
    );
    let metadata = device.with_untracked(|device| device.metadata.clone());
    move || {
        values.with(|values| {
            foremost(values, VALUES_SHOWN)
                .into_iter()
                .map(|latest| {
                    view! {
                        <span class="value-chip" title=key_title(&latest.key)>
                            <span class="value-key">{key_title(&latest.key)}</span>
                            " "
                            <span class="number">{value_text(&latest.value)}</span>
                            <span class="unit">{unit_of(&metadata, &latest.key)}</span>
                        </span>
                    }
                })
                .collect_view()
        })
    }
}
