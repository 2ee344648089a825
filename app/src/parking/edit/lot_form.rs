//! The settings of a lot.

use leptos::prelude::*;
use portico_model::parking::lot::Lot;

use super::spot_form::Tick;
use crate::access::Choose;
use crate::form::{FormState, PostForm};
use crate::ui::{Dialog, ErrorSummary, Glyph, SubmitButton, TextField};

const LOT_FIELDS: &[&str] = &[
    "name",
    "address",
    "latitude",
    "longitude",
    "time_zone",
    "debounce_s",
    "stale_after_minutes",
    "low_battery_percent",
    "hold_minutes",
    "early_minutes",
    "no_show_minutes",
    "min_minutes",
    "max_minutes",
    "ahead_days",
    "refund_until_hours",
    "late_refund_percent",
    "grace_minutes",
    "longest_stay_minutes",
];

/// Name, label, help, least, most, and the value.
type NumberOf = (&'static str, &'static str, &'static str, &'static str, &'static str, fn(&Lot) -> Option<i64>);

const SENSORS: [NumberOf; 3] = [
    ("stale_after_minutes", "Unknown after, minutes", "Of silence of its sensor.", "1", "1440", |lot| {
        Some(lot.stale_after_minutes)
    }),
    ("debounce_s", "Believed after, seconds", "When a spot changes again so soon.", "0", "600", |lot| {
        Some(lot.debounce_s)
    }),
    ("low_battery_percent", "Low battery, %", "Below it an alarm is raised.", "0", "90", |lot| {
        Some(lot.low_battery_percent)
    }),
];

const BOOKING: [NumberOf; 9] = [
    ("min_minutes", "Shortest, minutes", "", "1", "1440", |lot| Some(lot.booking.min_minutes)),
    ("max_minutes", "Longest, minutes", "10080 is a week.", "1", "44640", |lot| Some(lot.booking.max_minutes)),
    ("ahead_days", "Ahead, days", "How far ahead one may reserve.", "1", "366", |lot| Some(lot.booking.ahead_days)),
    ("hold_minutes", "Held unpaid, minutes", "Then it is given up.", "1", "1440", |lot| Some(lot.booking.hold_minutes)),
    ("early_minutes", "Kept free before, minutes", "Its holder may come so early.", "0", "240", |lot| {
        Some(lot.booking.early_minutes)
    }),
    ("no_show_minutes", "No-show after, minutes", "Empty: never.", "5", "10080", |lot| lot.booking.no_show_minutes),
    ("grace_minutes", "Overstay after, minutes", "Beyond the end.", "0", "1440", |lot| Some(lot.booking.grace_minutes)),
    ("refund_until_hours", "All money back until, hours", "Before the beginning.", "0", "8760", |lot| {
        Some(lot.booking.refund_until_hours)
    }),
    ("late_refund_percent", "Money back later, %", "", "0", "100", |lot| Some(lot.booking.late_refund_percent)),
];

const VEHICLES: [NumberOf; 1] =
    [("longest_stay_minutes", "Longest stay, minutes", "Empty: as long as they like.", "5", "44640", |lot| {
        lot.booking.longest_stay_minutes
    })];

fn numbers(form: FormState, lot: &Lot, fields: &[NumberOf]) -> impl IntoView + use<> {
    fields
        .iter()
        .map(|(name, label, help, min, max, read)| {
            let value = read(lot).map(|value| value.to_string()).unwrap_or_default();
            view! { <TextField form name=*name label=*label help=*help kind="number" min=*min max=*max value /> }
        })
        .collect_view()
}

/// All of them.
#[component]
pub fn LotForm(
    form: FormState,
    lot: Lot,
    doors: Vec<(String, String)>,
    tariffs: Vec<(String, String)>,
    /// Whether it is open to the public now.
    #[prop(into)]
    is_open: Signal<bool>,
) -> impl IntoView {
    let public = format!("/p/parking/{}", lot.id);
    let frame = format!("<iframe src=\"…{public}?embed=1\" title=\"Free parking\"></iframe>");
    let degrees = |degrees: Option<f64>| degrees.map(|degrees| degrees.to_string()).unwrap_or_default();
    let gate = lot.gate_door_id.map(|id| id.to_string()).unwrap_or_default();
    let gate = form.value("gate_door_id", &gate);
    let mut options = vec![(String::new(), "None".to_owned())];
    // A door that this person does not see stays what it is.
    if !gate.is_empty() && !doors.iter().any(|(id, _)| *id == gate) {
        options.push((gate.clone(), "The one it has now".to_owned()));
    }
    options.extend(doors);
    let tariff = lot.tariff_id.map(|id| id.to_string()).unwrap_or_default();
    let tariff = form.value("tariff_id", &tariff);
    let mut costs = vec![(String::new(), "Costs nothing".to_owned())];
    costs.extend(tariffs);
    view! {
        <PostForm form id="edit-lot">
            <ErrorSummary form shown=LOT_FIELDS />
            <input type="hidden" name="lot" value=lot.id.to_string() />
            <div class="form-pair">
                <TextField form name="name" label="Name" required=true maxlength=100 value=lot.name.clone() autocomplete="off" />
                <TextField form name="address" label="Address" maxlength=200 value=lot.address.clone() autocomplete="off" />
            </div>
            <div class="form-pair park-thirds">
                <TextField form name="latitude" label="Latitude" value=degrees(lot.latitude) autocomplete="off" />
                <TextField form name="longitude" label="Longitude" value=degrees(lot.longitude) autocomplete="off" />
                <TextField
                    form
                    name="time_zone"
                    label="Time zone"
                    value=lot.time_zone.clone().unwrap_or_default()
                    placeholder="Europe/Berlin"
                    autocomplete="off"
                    help="Empty: that of the organisation."
                />
            </div>
            <div class="form-pair">
                <Choose name="tariff_id" label="Tariff" id="lot-tariff" options=costs chosen=tariff />
                <Choose name="gate_door_id" label="Gate: opens for those who have reserved" id="lot-gate" options chosen=gate />
            </div>
            <Tick form name="is_public" label="Anybody may see how full it is, without an account" is_set=lot.is_public />
            <p class="field-help">
                "A page of its own shows the name and the address, how many spots are free, and what they cost. It never shows single spots, reservations or people. "
                <span hidden=move || !is_open.get()>
                    <a href=public target="_blank" rel="external noopener">
                        "Public page"
                    </a> " — in a page of yours: " <code>{frame}</code>
                </span>
            </p>
            <fieldset class="field park-group">
                <legend>"Sensors"</legend>
                <div class="form-pair park-thirds">{numbers(form, &lot, &SENSORS)}</div>
            </fieldset>
            <fieldset class="field park-group">
                <legend>"Reservations"</legend>
                <Tick form name="is_bookable" label="Drivers may reserve" is_set=lot.booking.is_bookable />
                <Tick
                    form
                    name="is_walk_up"
                    label="Anybody at a spot may park by its code, without an account"
                    is_set=lot.booking.is_walk_up
                />
                <p class="field-help">
                    "Whoever scans the QR code of a free spot says how long, sees the price and parks at once. The shortest and the longest time below hold; without Stripe it is paid for at the machine. "
                    <a href=format!("/parking/{}/codes", lot.id)>"Print the codes"</a>
                </p>
                <div class="form-pair park-thirds">{numbers(form, &lot, &BOOKING)}</div>
            </fieldset>
            <fieldset class="field park-group">
                <legend>"Vehicles without reservation and permit"</legend>
                <p class="field-help">
                    "Whoever stays longer is on the list of those that stay too long, under “Vehicles”. Known from the cameras, or from those who note who comes and leaves."
                </p>
                <div class="form-pair park-thirds">{numbers(form, &lot, &VEHICLES)}</div>
            </fieldset>
            <div>
                <SubmitButton label="Save settings" pending=form.pending() />
            </div>
        </PostForm>
    }
}

/// Takes the lot away, with all that belongs to it.
#[component]
pub fn RemoveLot(form: FormState, id: String, name: String) -> impl IntoView {
    view! {
        <Dialog label="Remove lot" glyph=Glyph::Trash class="button button-danger" open=form.came_back()>
            <PostForm form id="delete-lot">
                <ErrorSummary form shown=&[] />
                <input type="hidden" name="id" value=id />
                <p>
                    {format!(
                        "Removes {name} with its levels and spots. What was measured and reserved there stays in the records; its sensors are listed among the new ones again.",
                    )}
                </p>
                <SubmitButton
                    label="Remove lot for good"
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=form.pending()
                />
            </PostForm>
        </Dialog>
    }
}
