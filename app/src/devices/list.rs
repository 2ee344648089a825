//! `/devices`: the list with search, filters, order and pages; states and values change in place.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::devices::Device;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::telemetry::LatestValue;
use portico_model::{DeviceId, Page};

use super::ListDevices;
use super::row::{ConnectionBadge, foremost, key_title, unit_of, value_text};
use crate::live::{LiveUpdate, fold, follow, use_live};
use crate::load::{load, reload_when};
use crate::time::Ago;
use crate::ui::list::{address, asked, is_restricted};
use crate::ui::{EmptyState, Filters, Glyph, Icon, Listed, Pages, SelectFilter, TextFilter};
use crate::viewer::viewer_may;

/// How many values a row shows.
const VALUES_SHOWN: usize = 2;

/// What restricts the list.
const RESTRICTIONS: &[&str] = &["search", "status", "connection"];

/// The page.
#[component]
pub fn DevicesPage() -> impl IntoView {
    let [search, status, connection, sort, cursor] = ["search", "status", "connection", "sort", "cursor"].map(asked);
    let restricted = is_restricted(RESTRICTIONS);
    let page = load(move || {
        Some(ListDevices {
            search: search.get(),
            status: status.get(),
            connection: connection.get(),
            sort: sort.get(),
            cursor: cursor.get(),
        })
    });
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let may_register = viewer_may(Permission::RegisterDevices);
    let export = move || {
        let (search, status, connection, sort) = (search.get(), status.get(), connection.get(), sort.get());
        address(
            "/api/v1/devices.csv",
            [("search", search.as_str()), ("status", &status), ("connection", &connection), ("sort", &sort)],
        )
    };
    let list = move |found: Page<Device>| view! { <DeviceTable found on_unknown=move || page.refetch() /> }.into_any();
    let empty = move || view! { <NoDevices restricted=restricted.get_untracked() may_register /> }.into_any();
    view! {
        <Title text="Devices" />
        <div class="page-head">
            <h1>"Devices"</h1>
            <div class="page-actions">
                <a
                    class="button"
                    href=export
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
        <Filters action="/devices">
            <TextFilter
                name="search"
                label="Search"
                kind="search"
                placeholder="Name, type, place or id"
                wide=true
            />
            <SelectFilter
                name="connection"
                label="Connection"
                choices=&[("", "Any"), ("online", "Online"), ("offline", "Offline"), ("never", "Never seen")]
            />
            <SelectFilter
                name="status"
                label="Status"
                choices=&[("", "Any"), ("active", "Active"), ("inactive", "Inactive"), ("maintenance", "Maintenance")]
            />
            <SelectFilter name="sort" label="Order" choices=&[("", "Name"), ("created", "Newest first")] />
        </Filters>
        <Listed
            page
            what="devices"
            list
            empty
        />
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
    /// A device that is not on this page appeared.
    on_unknown: impl Fn() + 'static,
) -> impl IntoView {
    let next = found.next;
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
        <Pages next />
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
