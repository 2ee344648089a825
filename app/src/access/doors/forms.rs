//! What people say of doors.

use leptos::prelude::*;
use portico_model::access::DoorMode;
use portico_model::access::door::Door;

use super::{ChoicesOfDoors, DeviceChoice, DoorChoices};
use crate::form::{FormState, PostForm};
use crate::load::{Loaded, load, read};
use crate::ui::{Choice, ErrorSummary, Glyph, SelectField, SubmitButton, TextField};

/// Fields of a door that are shown beside their errors.
pub const DOOR_FIELDS: &[&str] = &[
    "name",
    "location",
    "reader_id",
    "exit_reader_id",
    "lock_id",
    "contact_id",
    "from_zone_id",
    "into_zone_id",
    "passback",
    "passback_s",
    "held_after_s",
    "unlock_s",
];

/// What the forms choose from; made while the page begins.
#[must_use]
pub fn use_choices() -> Resource<Loaded> {
    load(|| Some(ChoicesOfDoors {}))
}

/// One of the things there are, or none.
#[component]
fn PartSelect(
    form: FormState,
    name: &'static str,
    label: &'static str,
    help: &'static str,
    value: String,
    /// Id and name.
    choices: Vec<(String, String)>,
) -> impl IntoView {
    let error = form.error(name);
    let chosen = form.value(name, &value);
    let described = move || {
        if error.with(Option::is_some) { format!("{name}-error {name}-help") } else { format!("{name}-help") }
    };
    // A device that this person does not see stays what it is.
    let is_listed = chosen.is_empty() || choices.iter().any(|(id, _)| *id == chosen);
    let unlisted = (!is_listed).then(|| chosen.clone());
    view! {
        <div class="field">
            <label for=name>{label} <span class="optional">"optional"</span></label>
            <select id=name name=name aria-describedby=described aria-invalid=move || error.with(Option::is_some).then_some("true")>
                <option value="">"None"</option>
                {unlisted.map(|id| view! { <option value=id selected=true>"The one it has now"</option> })}
                {choices
                    .into_iter()
                    .map(|(id, name)| {
                        let selected = id == chosen;
                        view! {
                            <option value=id selected=selected>
                                {name}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
            <p class="field-error" id=format!("{name}-error") aria-live="polite" hidden=move || error.with(Option::is_none)>
                {move || error.get().unwrap_or_default()}
            </p>
            <p class="field-help" id=format!("{name}-help")>{help}</p>
        </div>
    }
}

/// All fields of a door.
#[component]
pub fn DoorFields(form: FormState, choices: Resource<Loaded>, #[prop(optional)] door: Option<Door>) -> impl IntoView {
    let id_of = |id: Option<portico_model::DeviceId>| id.map(|id| id.to_string()).unwrap_or_default();
    let door = StoredValue::new(door);
    let of = move |read: fn(&Door) -> String| door.with_value(|door| door.as_ref().map(read).unwrap_or_default());
    let bound = door.with_value(|door| {
        door.as_ref().map_or_else(Default::default, |door| {
            [id_of(door.reader_id), id_of(door.exit_reader_id), id_of(door.lock_id), id_of(door.contact_id)]
        })
    });
    let zone_of = |id: Option<portico_model::ZoneId>| id.map(|id| id.to_string()).unwrap_or_default();
    let zones = door.with_value(|door| {
        door.as_ref().map_or_else(Default::default, |door| [zone_of(door.from_zone_id), zone_of(door.into_zone_id)])
    });
    view! {
        <TextField
            form
            name="name"
            id="door-name"
            label="Name"
            required=true
            maxlength=100
            value=of(|door| door.name.clone())
            autocomplete="off"
            help="Such as “Main entrance”."
        />
        <TextField
            form
            name="location"
            id="door-location"
            label="Place"
            maxlength=200
            value=of(|door| door.location.clone())
            autocomplete="off"
        />
        <Suspense fallback=|| view! { <p class="loading" role="status">"Loading devices"</p> }>
            {move || {
                let choices = read::<DoorChoices>(choices.get()?).unwrap_or_default();
                let name = |device: DeviceChoice| (device.id, format!("{} ({})", device.name, device.kind));
                let devices: Vec<_> = choices.devices.into_iter().map(name).collect();
                let areas: Vec<_> = choices.zones.into_iter().map(|zone| (zone.id.to_string(), zone.name)).collect();
                let [from, into] = zones.clone();
                let [reader, exit, lock, contact] = bound.clone();
                Some(
                    view! {
                        <PartSelect
                            form
                            name="reader_id"
                            label="Reader outside"
                            help="Asks whether to let somebody in."
                            value=reader
                            choices=devices.clone()
                        />
                        <PartSelect
                            form
                            name="exit_reader_id"
                            label="Reader inside"
                            help="Nobody is kept from leaving by a lockdown."
                            value=exit
                            choices=devices.clone()
                        />
                        <PartSelect
                            form
                            name="lock_id"
                            label="Lock"
                            help="Told to unlock. Without one the reader moves the bolt itself."
                            value=lock
                            choices=devices.clone()
                        />
                        <PartSelect
                            form
                            name="contact_id"
                            label="Contact"
                            help="Says whether the door is open. Without one its readers say so."
                            value=contact
                            choices=devices
                        />
                        {(!areas.is_empty())
                            .then(|| {
                                view! {
                                    <PartSelect
                                        form
                                        name="from_zone_id"
                                        label="Outside is"
                                        help="The zone one leaves by coming in."
                                        value=from
                                        choices=areas.clone()
                                    />
                                    <PartSelect
                                        form
                                        name="into_zone_id"
                                        label="Inside is"
                                        help="The zone it leads into."
                                        value=into
                                        choices=areas
                                    />
                                }
                            })}
                    },
                )
            }}
        </Suspense>
        <SelectField
            form
            name="passback"
            label="Who came in and has not left"
            choices=vec![
                Choice { value: "off", label: "may come in again" },
                Choice { value: "soft", label: "may come in again, and is marked" },
                Choice { value: "hard", label: "is refused" },
            ]
            value=of(|door| door.passback.as_str().to_owned())
        />
        <TextField
            form
            name="passback_s"
            label="Counts as inside for, seconds"
            kind="number"
            min="1"
            max="604800"
            value=of(|door| door.passback_s.map(|seconds| seconds.to_string()).unwrap_or_default())
            help="Empty: until the person leaves by the reader inside."
        />
        <TextField
            form
            name="unlock_s"
            label="Unlocked for, seconds"
            kind="number"
            min="1"
            max="120"
            value=of(|door| door.unlock_s.to_string())
            help="After somebody was let in; 5 when empty."
        />
        <TextField
            form
            name="held_after_s"
            label="Open too long after, seconds"
            kind="number"
            min="1"
            max="86400"
            value=of(|door| door.held_after_s.to_string())
            help="Then an alarm is raised; 30 when empty."
        />
    }
}

const FOR: [(&str, &str); 5] = [
    ("", "Until somebody ends it"),
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
];

/// What all orders ask beside the mode.
#[component]
pub fn OrderFields(form: FormState, #[prop(optional)] lasts: bool, id: &'static str) -> impl IntoView {
    view! {
        {lasts
            .then(|| {
                view! {
                    <SelectField
                        form
                        name="for_s"
                        id=format!("{id}-for")
                        label="For how long"
                        choices=FOR.into_iter().map(|(value, label)| Choice { value, label }).collect()
                    />
                }
            })}
        <TextField
            form
            name="note"
            id=format!("{id}-note")
            label="Why"
            maxlength=500
            autocomplete="off"
            help="Stands in the log."
        />
    }
}

/// One order with a button of its own.
#[component]
pub fn OrderForm(
    form: FormState,
    id: &'static str,
    scope: String,
    mode: DoorMode,
    /// What will happen, in a sentence.
    text: &'static str,
    label: &'static str,
    #[prop(default = "button button-primary")] class: &'static str,
    #[prop(optional)] lasts: bool,
) -> impl IntoView {
    view! {
        <PostForm form=form id=id>
            <ErrorSummary form=form shown=&[] />
            <input type="hidden" name="scope" value=scope />
            <input type="hidden" name="mode" value=mode.as_str() />
            <p>{text}</p>
            <OrderFields form lasts id />
            <SubmitButton label=label glyph=Glyph::Shield class=class pending=form.pending() />
        </PostForm>
    }
}
