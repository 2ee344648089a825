//! Levels of a lot: which there are, and rows of spots on an empty one.

use leptos::prelude::*;
use portico_model::LotId;
use portico_model::parking::lot::{Level, LevelSettings};
use portico_model::parking::spot::SensorType;

use super::spot_form::{Tick, metres};
use crate::form::{FormState, PostForm};
use crate::parking::sensor_word;
use crate::ui::{Choice, Dialog, ErrorSummary, Glyph, SelectField, SubmitButton, TextField};

const LEVEL_FIELDS: &[&str] = &["name", "position", "width_m", "height_m", "clearance_m"];

/// The fields of a level; `prefix` begins their ids, `next` is where a new one is listed.
#[component]
fn LevelFields(
    form: FormState,
    prefix: &'static str,
    #[prop(optional)] level: Option<Level>,
    next: i64,
) -> impl IntoView {
    let usual = LevelSettings::default();
    let (name, position, width, height, clearance) = match level {
        Some(level) => (level.name, level.position, level.width_cm, level.height_cm, level.clearance_cm),
        None => (String::new(), next, usual.width_cm, usual.height_cm, None),
    };
    let id = move |field: &str| format!("{prefix}-{field}");
    view! {
        <ErrorSummary form shown=LEVEL_FIELDS />
        <TextField form name="name" id=id("name") label="Name" required=true maxlength=50 value=name autocomplete="off" placeholder="Level 1" />
        <div class="form-pair park-numbers">
            <TextField form name="width_m" id=id("width") label="Plan: width, m" value=metres(Some(width)) autocomplete="off" />
            <TextField form name="height_m" id=id("height") label="Plan: height, m" value=metres(Some(height)) autocomplete="off" />
            <TextField form name="clearance_m" id=id("clearance") label="Highest vehicle, m" value=metres(clearance) autocomplete="off" />
            <TextField form name="position" id=id("position") label="Listed as" kind="number" min="-100" max="1000" value=position.to_string() />
        </div>
    }
}

/// One more level.
#[component]
pub fn NewLevel(form: FormState, lot: LotId, next: i64, #[prop(optional)] is_first: bool) -> impl IntoView {
    let done = Signal::derive(move || form.successes.get() > 0);
    let class = if is_first { "button button-primary" } else { "button" };
    view! {
        <Dialog label="Add level" glyph=Glyph::Plus class open=form.came_back() done>
            <PostForm form id="create-level">
                <input type="hidden" name="lot" value=lot.to_string() />
                <LevelFields form prefix="new-level" next />
                <SubmitButton label="Add level" pending=form.pending() />
            </PostForm>
        </Dialog>
    }
}

/// What is done to the level that is shown.
#[component]
pub fn LevelMenu(level: Level, update: FormState, delete: FormState) -> impl IntoView {
    let (lot, id, name, total) = (level.lot_id, level.id, level.name.clone(), level.counts.total);
    let removal = match total {
        0 => format!("Removes {name}, which has no spots."),
        1 => format!("Removes {name} with its spot, whose sensor is listed among the new ones again."),
        _ => format!("Removes {name} with its {total} spots. Their sensors are listed among the new ones again."),
    };
    let updated = Signal::derive(move || update.successes.get() > 0);
    view! {
        <Dialog label="Edit level" glyph=Glyph::Edit open=update.came_back() done=updated>
            <PostForm form=update id="edit-level">
                <input type="hidden" name="lot" value=lot.to_string() />
                <input type="hidden" name="level" value=id.to_string() />
                <LevelFields form=update prefix="level" level next=0 />
                <SubmitButton label="Save level" pending=update.pending() />
            </PostForm>
        </Dialog>
        <Dialog label="Remove level" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
            <PostForm form=delete id="delete-level">
                <ErrorSummary form=delete shown=&[] />
                <input type="hidden" name="lot" value=lot.to_string() />
                <input type="hidden" name="id" value=id.to_string() />
                <p>{removal}</p>
                <SubmitButton
                    label=format!("Remove {name}")
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=delete.pending()
                />
            </PostForm>
        </Dialog>
    }
}

const GRID_FIELDS: &[&str] = &["rows", "columns", "prefix", "first", "sensor_type"];

/// Many spots at once.
#[component]
pub fn Generate(form: FormState, lot: LotId, level: Level) -> impl IntoView {
    let mut sensors = vec![Choice { value: "", label: "Not said" }];
    sensors.extend(SensorType::ALL.iter().map(|one| Choice { value: one.as_str(), label: sensor_word(*one) }));
    view! {
        <section class="card" aria-labelledby="generate-title">
            <h2 id="generate-title">{format!("Draw rows of spots on {}", level.name)}</h2>
            <p class="quiet">
                "Bays of 2.5 by 5 m, two rows back to back between driving lanes. The plan grows with them. Each can be moved, renamed or removed afterwards."
            </p>
            <PostForm form id="generate-spots">
                <ErrorSummary form shown=GRID_FIELDS />
                <input type="hidden" name="lot" value=lot.to_string() />
                <input type="hidden" name="level" value=level.id.to_string() />
                <div class="form-pair park-numbers">
                    <TextField form name="rows" label="Rows" kind="number" required=true min="1" max="50" value="4" />
                    <TextField form name="columns" label="Spots in a row" kind="number" required=true min="1" max="100" value="12" />
                    <TextField form name="prefix" label="Ids begin with" maxlength=40 placeholder="A-" autocomplete="off" />
                    <TextField form name="first" label="First number" kind="number" min="0" max="999999" value="1" />
                    <SelectField form name="sensor_type" label="Sensors" choices=sensors />
                </div>
                <Tick form name="zone_letters" label="Each row is a zone of its own: A, B, …" />
                <div>
                    <SubmitButton label="Draw rows" glyph=Glyph::Plus pending=form.pending() />
                </div>
            </PostForm>
        </section>
    }
}
