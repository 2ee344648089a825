//! What people say of a spot.

use leptos::prelude::*;
use portico_model::parking::lot::Level;
use portico_model::parking::spot::{SensorType, Spot, SpotSize};

use crate::access::Choose;
use crate::form::FormState;
use crate::parking::{sensor_word, size_word};
use crate::ui::{Choice, SelectField, TextField};

/// Fields that show their errors themselves.
pub const SPOT_FIELDS: &[&str] =
    &["id", "zone", "location", "sensor_type", "size", "clearance_m", "x", "y", "width", "length", "angle"];

/// A box to tick, as it was typed before or as it is.
#[component]
pub fn Tick(form: FormState, name: &'static str, label: &'static str, #[prop(optional)] is_set: bool) -> impl IntoView {
    let checked = form.typed(name).map_or(is_set, |typed| !typed.is_empty());
    view! {
        <label class="check">
            <input type="checkbox" name=name value="yes" checked=checked />
            <span>{label}</span>
        </label>
    }
}

/// Metres of centimetres, for a field.
#[must_use]
pub fn metres(centimetres: Option<i64>) -> String {
    #[allow(clippy::cast_precision_loss)] // at most a kilometre
    centimetres.map(|centimetres| (centimetres as f64 / 100.0).to_string()).unwrap_or_default()
}

/// All fields of a spot; for a new one only what makes it.
#[component]
pub fn SpotFields(
    form: FormState,
    levels: Vec<Level>,
    #[prop(optional)] spot: Option<Spot>,
    /// Of a new one.
    #[prop(optional, into)]
    level: Option<String>,
) -> impl IntoView {
    let is_new = spot.is_none();
    let spot = StoredValue::new(spot);
    let of = move |read: fn(&Spot) -> String| spot.with_value(|spot| spot.as_ref().map(read).unwrap_or_default());
    let is = move |read: fn(&Spot) -> bool| spot.with_value(|spot| spot.as_ref().is_some_and(read));
    let options: Vec<(String, String)> = levels.into_iter().map(|level| (level.id.to_string(), level.name)).collect();
    let chosen = form.value("level_id", &level.unwrap_or_else(|| of(|spot| spot.level_id.to_string())));
    let mut sensors = vec![Choice { value: "", label: "Not said" }];
    sensors.extend(SensorType::ALL.iter().map(|one| Choice { value: one.as_str(), label: sensor_word(*one) }));
    let sizes = SpotSize::ALL.iter().map(|one| Choice { value: one.as_str(), label: size_word(*one) }).collect();
    let size = of(|spot| spot.size.as_str().to_owned());
    let size = if size.is_empty() { SpotSize::Standard.as_str().to_owned() } else { size };
    view! {
        <TextField
            form
            name="id"
            id="spot-id"
            label="Id"
            required=true
            maxlength=50
            value=of(|spot| spot.id.clone())
            autocomplete="off"
            help="What is written on its sign: letters, digits, “-”, “_” or “.”."
        />
        <Choose name="level_id" label="Level" id="spot-level" options chosen />
        <div class="form-pair">
            <TextField
                form
                name="zone"
                id="spot-zone"
                label="Zone"
                maxlength=50
                value=of(|spot| spot.zone.clone())
                autocomplete="off"
            />
            <SelectField form name="size" id="spot-size" label="Size" choices=sizes value=size />
        </div>
        <TextField
            form
            name="location"
            id="spot-location"
            label="Place in words"
            maxlength=200
            value=of(|spot| spot.location.clone())
            autocomplete="off"
            placeholder="By the lift"
        />
        <div class="park-ticks">
            <Tick form name="is_accessible" label="Accessible" is_set=is(|spot| spot.is_accessible) />
            <Tick form name="is_ev" label="With a charger" is_set=is(|spot| spot.is_ev) />
            <Tick form name="is_disabled" label="Out of use" is_set=is(|spot| spot.is_disabled) />
        </div>
        <div class="form-pair">
            <SelectField
                form
                name="sensor_type"
                id="spot-sensor-type"
                label="Sensor"
                choices=sensors
                value=of(|spot| spot.sensor_type.map(|one| one.as_str().to_owned()).unwrap_or_default())
            />
            <TextField
                form
                name="clearance_m"
                id="spot-clearance"
                label="Highest vehicle, m"
                value=metres(spot.with_value(|spot| spot.as_ref()?.clearance_cm))
                autocomplete="off"
                help="Empty: that of its level."
            />
        </div>
        <input
            type="hidden"
            name="tariff_id"
            value=of(|spot| spot.tariff_id.map(|id| id.to_string()).unwrap_or_default())
        />
        <details open=form.came_back()>
            <summary>"Place on the plan"</summary>
            <div class="form park-place-fields">
                <p class="field-help">
                    {if is_new {
                        "Empty: where there is room. Centimetres, from the left and the top of the plan to the middle of the spot."
                    } else {
                        "Centimetres, from the left and the top of the plan to the middle of the spot."
                    }}
                </p>
                <div class="form-pair park-numbers">
                    <TextField form name="x" id="spot-x" label="From the left" value=of(|spot| spot.outline.x.to_string()) autocomplete="off" />
                    <TextField form name="y" id="spot-y" label="From the top" value=of(|spot| spot.outline.y.to_string()) autocomplete="off" />
                    <TextField form name="width" id="spot-width" label="Width" value=of(|spot| spot.outline.width.to_string()) autocomplete="off" />
                    <TextField form name="length" id="spot-length" label="Length" value=of(|spot| spot.outline.length.to_string()) autocomplete="off" />
                    <TextField form name="angle" id="spot-angle" label="Turned, °" value=of(|spot| spot.outline.angle.to_string()) autocomplete="off" />
                </div>
            </div>
        </details>
    }
}
