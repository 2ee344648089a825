//! `/parking/sensors`: new sensors first, each with a field for its spot; then all of them.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::sensor::Sensor;
use portico_model::{Page, ParkingSensorId};

use super::{
    DeleteSensor, IgnoreSensor, ListSensors, PlaceSensor, SensorsView, TakeSensorAway, battery_text, sensor_look,
    signal_text,
};
use crate::form::{Confirm, FormState, PostForm};
use crate::live::use_live;
use crate::load::{in_place, load, reload_when};
use crate::parking::refetch_upon;
use crate::parking::tabs::ParkingTabs;
use crate::time::Ago;
use crate::ui::list::{asked, is_restricted};
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, EmptyState, ErrorSummary, Filters, Glyph, Icon, Pages, SelectFilter, SubmitButton, TextFilter};
use crate::viewer::viewer_may;

const WHICH: &[(&str, &str)] =
    &[("", "All"), ("placed", "Placed"), ("attention", "Need attention"), ("ignored", "Ignored")];

/// Below this a battery is marked, percent; the alarm goes by the lot's own limit.
const LOW_BATTERY: f64 = 20.0;

const EXAMPLE: &str = r#"curl -X POST '…/api/v1/sensor-data' -H 'X-API-Key: KEY OF THE DEVICE' -H 'Content-Type: application/json' \
  -d '{"sensor_id": "PARK_001", "occupied": true, "timestamp": "2026-11-21T02:00:00Z", "battery_level": 85}'"#;

#[derive(Clone, Copy)]
struct SensorForms {
    place: FormState,
    away: FormState,
    ignore: FormState,
    delete: FormState,
    /// In which row somebody last was: what is wrong is said there.
    row: RwSignal<Option<ParkingSensorId>>,
}

impl SensorForms {
    fn all(&self) -> [FormState; 4] {
        [self.place, self.away, self.ignore, self.delete]
    }
}

/// The page.
#[component]
pub fn SensorsPage() -> impl IntoView {
    let forms = SensorForms {
        place: FormState::of::<PlaceSensor>(),
        away: FormState::of::<TakeSensorAway>(),
        ignore: FormState::of::<IgnoreSensor>(),
        delete: FormState::of::<DeleteSensor>(),
        row: RwSignal::new(None),
    };
    let (which, search, cursor) = (asked("which"), asked("search"), asked("cursor"));
    let page = load(move || Some(ListSensors { which: which.get(), search: search.get(), cursor: cursor.get() }));
    refetch_upon(page, || Some("parking_sensors".to_owned()), |event| matches!(event, Event::ParkingSensorsChanged));
    let live = use_live();
    reload_when(page, move || live.returns.get() + FormState::successes_of(&forms.all()));
    let toast = use_toasts();
    Effect::new(move |_| {
        if let Some(sensor) = forms.place.answer::<Sensor>() {
            toast(format!("{} stands at {} now", sensor.sensor_id, sensor.spot_id.unwrap_or_default()));
        }
    });
    let body = move |shown: Memo<SensorsView>| view! { <SensorsBody shown forms /> }.into_any();
    view! {
        <Title text="Parking sensors" />
        <ParkingTabs />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading sensors"</p> }
        }>{in_place(page, |_: &SensorsView| (), body)}</Transition>
    }
}

#[component]
fn SensorsBody(shown: Memo<SensorsView>, forms: SensorForms) -> impl IntoView {
    let may_manage = viewer_may(Permission::ManageParking);
    let fresh = Memo::new(move |_| shown.with(|shown| shown.fresh.clone()));
    let found = Memo::new(move |_| shown.with(|shown| shown.found.clone()));
    let restricted = is_restricted(&["which", "search", "cursor"]);
    let nothing = Memo::new(move |_| {
        !restricted.get() && fresh.with(Vec::is_empty) && found.with(|found| found.items.is_empty())
    });
    view! {
        <div class="page-head">
            <h1>"Sensors"</h1>
        </div>
        {[forms.away, forms.ignore, forms.delete]
            .into_iter()
            .map(|form| view! { <ErrorSummary form shown=&[] /> })
            .collect_view()}
        <Show when=move || !nothing.get() fallback=NoSensors>
            <Inbox shown fresh forms may_manage />
            <section class="stack-after" aria-labelledby="all-sensors-title">
                <h2 id="all-sensors-title" class="park-section">"All sensors"</h2>
                <Filters action="/parking/sensors">
                    <TextFilter name="search" label="Search" kind="search" placeholder="Sensor or spot" wide=true />
                    <SelectFilter name="which" label="Show" choices=WHICH />
                </Filters>
                {move || {
                    let page = found.get();
                    if page.items.is_empty() {
                        view! {
                            <EmptyState glyph=Glyph::Search title="No sensor fits" text="Change the filters above.">
                                <a class="button" href="/parking/sensors">"Show all"</a>
                            </EmptyState>
                        }
                            .into_any()
                    } else {
                        view! { <SensorTable page forms may_manage /> }.into_any()
                    }
                }}
            </section>
        </Show>
    }
}

#[component]
fn NoSensors() -> impl IntoView {
    view! {
        <EmptyState
            glyph=Glyph::Online
            title="No sensors yet"
            text="A sensor appears here by itself with its first message, over MQTT or HTTP. Then you say at which spot it stands. Register a device for it, or for the gateway that speaks for many."
        >
            <a class="button button-primary" href="/devices/new">"Register device"</a>
            <div class="code park-example">
                <pre tabindex="0">{EXAMPLE}</pre>
            </div>
        </EmptyState>
    }
}

/// Those that wait for somebody to say where they stand.
#[component]
fn Inbox(shown: Memo<SensorsView>, fresh: Memo<Vec<Sensor>>, forms: SensorForms, may_manage: bool) -> impl IntoView {
    let ids = Memo::new(move |_| fresh.with(|fresh| fresh.iter().map(|sensor| sensor.id).collect::<Vec<_>>()));
    let free = Memo::new(move |_| shown.with(|shown| shown.free_spots.clone()));
    let is_more = Memo::new(move |_| shown.with(|shown| shown.is_more));
    view! {
        <section class="card" aria-labelledby="new-sensors-title">
            <h2 id="new-sensors-title">
                "New sensors "
                <span class="number quiet">{move || {
                    let more = if is_more.get() { "+" } else { "" };
                    format!("{}{more}", ids.with(Vec::len))
                }}</span>
            </h2>
            <p class="quiet" hidden=move || !ids.with(Vec::is_empty)>
                "None waits. A sensor that reports for the first time appears here by itself."
            </p>
            <p class="quiet" hidden=move || ids.with(Vec::is_empty)>
                {if may_manage {
                    "They have reported, and nobody has said yet at which spot they stand. Until then they change no spot."
                } else {
                    "They have reported, and no manager has said yet at which spot they stand."
                }}
            </p>
            <datalist id="free-spots">
                {move || free.get().into_iter().map(|id| view! { <option value=id></option> }).collect_view()}
            </datalist>
            <ul class="rows park-inbox">
                <For each=move || ids.get() key=|id| *id let(id)>
                    <NewSensor id fresh free forms may_manage />
                </For>
            </ul>
        </section>
    }
}

/// The spot that is written as the sensor, or as where it says that it is.
fn guess(sensor: &Sensor, free: &[String]) -> String {
    [&sensor.sensor_id, &sensor.location].into_iter().find(|text| free.contains(text)).cloned().unwrap_or_default()
}

#[component]
fn NewSensor(
    id: ParkingSensorId,
    fresh: Memo<Vec<Sensor>>,
    free: Memo<Vec<String>>,
    forms: SensorForms,
    may_manage: bool,
) -> impl IntoView {
    let first = fresh.with_untracked(|fresh| fresh.iter().find(|sensor| sensor.id == id).cloned());
    let sensor = Memo::new(move |before: Option<&Option<Sensor>>| {
        let found = fresh.with(|fresh| fresh.iter().find(|sensor| sensor.id == id).cloned());
        found.or_else(|| before.cloned().flatten())
    });
    let name = first.as_ref().map(|sensor| sensor.sensor_id.clone()).unwrap_or_default();
    let guessed = first.map(|sensor| free.with_untracked(|free| guess(&sensor, free))).unwrap_or_default();
    let look = Memo::new(move |_| sensor.with(|sensor| sensor.as_ref().map(sensor_look)));
    let heard = Signal::derive(move || sensor.with(|sensor| sensor.as_ref().map(|sensor| sensor.heard_at)));
    let says = move || {
        sensor.with(|sensor| {
            let location = sensor.as_ref().map(|sensor| sensor.location.clone()).filter(|text| !text.is_empty());
            location.map(|location| format!("says that it is at “{location}”"))
        })
    };
    view! {
        <li class="line" on:focusin=move |_| forms.row.set(Some(id))>
            <div class="park-new">
                <span class="park-new-name">
                    <strong>{name.clone()}</strong>
                    {move || look.get().map(|(tone, glyph, word)| view! { <Badge tone glyph word /> })}
                </span>
                <span class="sub">"Heard " <Ago at=heard /> {move || says().map(|text| format!(", {text}"))}</span>
            </div>
            {may_manage.then(|| view! { <NewSensorForms id name guessed forms /> })}
        </li>
    }
}

#[component]
fn NewSensorForms(id: ParkingSensorId, name: String, guessed: String, forms: SensorForms) -> impl IntoView {
    let form = forms.place;
    let text = id.to_string();
    let came_back = form.came_back_for(Some(&text));
    let value = if came_back { form.value("spot_id", &guessed) } else { guessed };
    let wrong = form.error("spot_id");
    let error = Memo::new(move |_| {
        let is_here = forms.row.get().map_or(came_back, |row| row == id);
        wrong.get().filter(|_| is_here)
    });
    let (field, error_id) = (format!("spot-of-{id}"), format!("spot-of-{id}-error"));
    let describes = error_id.clone();
    let label = format!("Spot of {name}");
    let away = format!("Ignore {name}");
    let (ignored, deleted) = (text.clone(), text.clone());
    view! {
        <div class="park-new-forms">
            <PostForm form class="park-place">
                <input type="hidden" name="id" value=text />
                <div class="field">
                    <label class="hidden" for=field.clone()>{label}</label>
                    <input
                        id=field
                        name="spot_id"
                        list="free-spots"
                        required
                        maxlength="50"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder="Spot"
                        value=value
                        aria-invalid=move || error.with(Option::is_some).then_some("true")
                        aria-describedby=move || error.with(Option::is_some).then(|| describes.clone())
                    />
                    <p class="field-error" id=error_id aria-live="polite" hidden=move || error.with(Option::is_none)>
                        <Icon glyph=Glyph::Alert />
                        <span>{move || error.get().unwrap_or_default()}</span>
                    </p>
                </div>
                <SubmitButton label="Place" pending=form.pending() />
            </PostForm>
            <PostForm form=forms.ignore class="inline">
                <input type="hidden" name="id" value=ignored />
                <input type="hidden" name="ignore" value="yes" />
                <button class="button" type="submit" aria-label=away>"Ignore"</button>
            </PostForm>
            <Confirm
                form=forms.delete
                id=deleted
                label="Remove"
                text=format!("Removes {name} with what it measured. If it reports again, it comes back as a new one.")
                confirm=format!("Remove {name}")
            />
        </div>
    }
}

#[component]
fn SensorTable(page: Page<Sensor>, forms: SensorForms, may_manage: bool) -> impl IntoView {
    let next = page.next;
    view! {
        <div class="table-wrap">
            <table class="table table-sensors">
                <caption class="hidden">"Sensors by name"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Sensor"</th>
                        <th scope="col">"Spot"</th>
                        <th scope="col">"Battery"</th>
                        <th scope="col">"Signal"</th>
                        <th scope="col">"Heard"</th>
                        {may_manage.then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                    </tr>
                </thead>
                <tbody>
                    {page
                        .items
                        .into_iter()
                        .map(|sensor| view! { <SensorRow sensor forms may_manage /> })
                        .collect_view()}
                </tbody>
            </table>
        </div>
        <Pages next />
    }
}

/// Charge of a battery; a low one is marked.
#[component]
pub fn Battery(sensor: Sensor) -> impl IntoView {
    let is_low = sensor.battery_percent.is_some_and(|percent| percent < LOW_BATTERY);
    battery_text(&sensor).map(|text| {
        if is_low {
            let word = format!("{text} %, low");
            view! { <Badge tone=crate::ui::Tone::Attention glyph=Glyph::Alert word /> }.into_any()
        } else {
            view! { <span class="number">{text}<span class="unit">"%"</span></span> }.into_any()
        }
    })
}

#[component]
fn SensorRow(sensor: Sensor, forms: SensorForms, may_manage: bool) -> impl IntoView {
    let (tone, glyph, word) = sensor_look(&sensor);
    let id = sensor.id.to_string();
    let name = sensor.sensor_id.clone();
    let heard = sensor.heard_at;
    let about: Vec<String> = [
        sensor.is_ignored.then(|| "Ignored".to_owned()),
        sensor.is_bridged.then(|| "Over the bridge for older firmware: not proved".to_owned()),
        Some(sensor.location.clone()).filter(|text| !text.is_empty()),
        Some(sensor.firmware_version.clone())
            .filter(|text| !text.is_empty())
            .map(|version| format!("firmware {version}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let signal = signal_text(&sensor);
    view! {
        <tr>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <strong>{name.clone()}</strong>
                <span class="sub">{about.join(" · ")}</span>
            </th>
            <td class="cell-spot">
                {match sensor.spot_id.clone() {
                    Some(spot) => view! { <a href=format!("/parking/spots/{spot}")>{spot.clone()}</a> }.into_any(),
                    None => view! { <span class="quiet">"None"</span> }.into_any(),
                }}
            </td>
            <td class="cell-battery"><Battery sensor=sensor.clone() /></td>
            <td class="cell-signal number">
                {signal.map(|text| view! { <span>{text}<span class="unit">"dBm"</span></span> })}
            </td>
            <td class="cell-seen"><Ago at=Signal::stored(Some(heard)) /></td>
            {may_manage.then(|| view! { <td class="cell-actions"><RowActions id name sensor forms /></td> })}
        </tr>
    }
}

#[component]
fn RowActions(id: String, name: String, sensor: Sensor, forms: SensorForms) -> impl IntoView {
    if let Some(spot) = sensor.spot_id {
        let text = format!("{spot} is unknown from then on, and {name} is listed among the new sensors.");
        let confirm = format!("Take {name} away");
        return view! {
            <Confirm form=forms.away id label="Take away" glyph=Glyph::Cross text confirm class="button button-primary" />
        }
        .into_any();
    }
    let (ignore, label) = if sensor.is_ignored { ("", "List again") } else { ("yes", "Ignore") };
    let text = format!("Removes {name} with what it measured. If it reports again, it comes back as a new one.");
    let (ignored, about, confirm) = (id.clone(), format!("{label}: {name}"), format!("Remove {name}"));
    view! {
        <PostForm form=forms.ignore class="inline">
            <input type="hidden" name="id" value=ignored />
            <input type="hidden" name="ignore" value=ignore />
            <button class="button button-small" type="submit" aria-label=about>{label}</button>
        </PostForm>
        <Confirm form=forms.delete id label="Remove" text confirm />
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(location: &str) -> Sensor {
        serde_json::from_value(serde_json::json!({
            "id": "1".repeat(32), "sensor_id": "PARK_001", "device_id": null, "spot_id": null, "spot_key": null,
            "is_ignored": false, "is_silent": false, "is_bridged": false, "occupied": true, "reported_at": null,
            "heard_at": "2026-11-21T02:00:01.000+00:00", "distance_cm": null, "battery_percent": 8.4, "rssi_dbm": null,
            "firmware_version": "", "location": location, "messages": 1, "first_seen_at": "2026-11-20T02:00:00.000+00:00"
        }))
        .unwrap()
    }

    #[test]
    fn spot_is_guessed_by_name_or_place_and_only_a_free_one() {
        let free = ["A-1".to_owned(), "PARK_001".to_owned()];
        assert_eq!(guess(&sensor("A-1"), &free), "PARK_001");
        assert_eq!(guess(&sensor("A-1"), &free[..1]), "A-1");
        assert_eq!(guess(&sensor("B-9"), &free[..1]), "");
    }

    #[test]
    fn silent_sensor_says_nothing_of_its_spot() {
        let mut one = sensor("");
        assert_eq!(sensor_look(&one).2, "Occupied");
        one.is_silent = true;
        assert_eq!(sensor_look(&one).2, "Silent");
    }
}
