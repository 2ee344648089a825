//! Spots from a table: the file is looked at first, and what would come of it is shown; then it is imported.

use leptos::prelude::*;
use portico_model::{FieldError, LotId};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, Glyph, Icon, SubmitButton, Tone};

/// Id of the file's field.
const FILE: &str = "import-file";

/// Rows shown without a mistake.
const SHOWN: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    row: usize,
    id: String,
    is_new: bool,
    errors: Vec<FieldError>,
}

/// What the route says would come, or came, of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Imported {
    rows: Vec<Row>,
    created: usize,
    changed: usize,
    wrong: usize,
    new_levels: Vec<String>,
    is_done: bool,
}

/// Those with mistakes first, then some of the others; and how many are left out.
fn shown_rows(rows: &[Row]) -> (Vec<Row>, usize) {
    let (wrong, right): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| !row.errors.is_empty());
    let left_out = right.len().saturating_sub(SHOWN);
    (wrong.into_iter().chain(right.into_iter().take(SHOWN)).cloned().collect(), left_out)
}

fn spots(count: usize) -> String {
    if count == 1 { "1 spot".to_owned() } else { format!("{count} spots") }
}

/// What would come of it, in a sentence.
fn summary(preview: &Imported) -> String {
    let mut parts = Vec::new();
    if preview.created > 0 {
        parts.push(format!("{} would be added", spots(preview.created)));
    }
    if preview.changed > 0 {
        parts.push(format!("{} would be changed", spots(preview.changed)));
    }
    if !preview.new_levels.is_empty() {
        parts.push(format!("new levels: {}", preview.new_levels.join(", ")));
    }
    if preview.wrong > 0 {
        let rows =
            if preview.wrong == 1 { "1 row is wrong".to_owned() } else { format!("{} rows are wrong", preview.wrong) };
        parts.push(format!("{rows}: correct the file and look at it again"));
    }
    let text = parts.join("; ");
    if text.is_empty() { "Nothing would change.".to_owned() } else { format!("{text}.") }
}

/// The form and what comes of it.
#[component]
pub fn Import(
    lot: LotId,
    /// Counts what was imported.
    imports: RwSignal<u32>,
) -> impl IntoView {
    let alive = crate::time::use_now();
    let toast = use_toasts();
    let pending = RwSignal::new(false);
    let failure = RwSignal::new(None::<Failure>);
    let preview = RwSignal::new(None::<Imported>);
    let address = format!("/api/v1/parking/lots/{lot}/import");
    let send = {
        let address = address.clone();
        move |is_dry: bool| {
            if pending.get_untracked() {
                return;
            }
            pending.set(true);
            let answered = move |result: Result<Value, Failure>| {
                pending.set(false);
                let read = result.and_then(|answer| {
                    let wrong =
                        || Failure::new(502, "unexpected_answer", "Portico was updated meanwhile: reload the page.");
                    serde_json::from_value::<Imported>(answer).map_err(|_| wrong())
                });
                match read {
                    Ok(done) if done.is_done => {
                        toast(format!("{} imported", spots(done.created + done.changed)));
                        failure.set(None);
                        preview.set(None);
                        imports.update(|imports| *imports += 1);
                    }
                    Ok(looked_at) => {
                        failure.set(None);
                        preview.set(Some(looked_at));
                    }
                    Err(refused) => {
                        preview.set(None);
                        failure.set(Some(refused));
                    }
                }
            };
            crate::browser::send_file(&format!("{address}?dry_run={is_dry}"), FILE, answered);
        }
    };
    let again = send.clone();
    let told = move || {
        failure.with(|failure| {
            failure.as_ref().map(|failure| failure.of_field("file").unwrap_or_else(|| failure.message.clone()))
        })
    };
    view! {
        <section class="card" aria-labelledby="import-title">
            <h2 id="import-title">"Import spots from a table"</h2>
            <p class="quiet">
                "CSV or XLSX, one spot a row. The first row names the columns: id and level, and any of zone, location, sensor_type, accessible, ev, size, clearance_cm, disabled. Levels that are missing are made."
            </p>
            <p class="quiet">
                "The spots that there are, in such a table: "
                <a href=format!("/api/v1/parking/export/spots.csv?lot_id={lot}") rel="external" download="spots.csv">
                    "CSV"
                </a>
                " or "
                <a href=format!("/api/v1/parking/export/spots.xlsx?lot_id={lot}") rel="external" download="spots.xlsx">
                    "XLSX"
                </a> ". Change it and import it again."
            </p>
            <p class="note" hidden=move || alive.get().is_some()>
                <span>
                    "Importing from here needs JavaScript. Without it: "
                    <code>{format!("curl --data-binary @spots.csv '…{address}?dry_run=true'")}</code>
                </span>
            </p>
            <form
                class="form"
                id="import-spots"
                on:submit=move |event| {
                    event.prevent_default();
                    send(true);
                }
            >
                <div class="field">
                    <label for=FILE>"File"</label>
                    <input
                        id=FILE
                        type="file"
                        required
                        accept=".csv,.xlsx,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
                        aria-invalid=move || failure.with(Option::is_some).then_some("true")
                        aria-describedby="import-file-error"
                        on:change=move |_| {
                            preview.set(None);
                            failure.set(None);
                        }
                    />
                    <p class="field-error" id="import-file-error" aria-live="polite" hidden=move || failure.with(Option::is_none)>
                        <Icon glyph=Glyph::Alert />
                        <span>{told}</span>
                    </p>
                </div>
                <div>
                    <SubmitButton label="Look at it" glyph=Glyph::Search class="button" pending />
                </div>
            </form>
            {move || {
                let again = again.clone();
                preview.get().map(|preview| view! { <Preview preview pending import=move || again(false) /> })
            }}
        </section>
    }
}

#[component]
fn Preview(preview: Imported, pending: RwSignal<bool>, import: impl Fn() + 'static) -> impl IntoView {
    let text = summary(&preview);
    let (rows, left_out) = shown_rows(&preview.rows);
    let may_import = preview.wrong == 0;
    let (class, glyph) = if may_import { ("note", Glyph::Check) } else { ("note note-attention", Glyph::Alert) };
    let count = preview.created + preview.changed;
    view! {
        <div class="park-preview">
            <p class=class role="status">
                <Icon glyph />
                <span>{text}</span>
            </p>
            <div class="park-scroll" tabindex="0" role="region" aria-label="Rows of the file">
                <table class="table table-dense">
                    <caption class="hidden">"Rows of the file"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Row"</th>
                            <th scope="col">"Spot"</th>
                            <th scope="col">"What comes of it"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows
                            .into_iter()
                            .map(|row| {
                                let wrong: Vec<_> = row
                                    .errors
                                    .iter()
                                    .map(|error| format!("{}: {}", error.field, error.message))
                                    .collect();
                                let (tone, glyph, word) = match (wrong.is_empty(), row.is_new) {
                                    (false, _) => (Tone::Danger, Glyph::Alert, "Wrong"),
                                    (true, true) => (Tone::Ok, Glyph::Plus, "New"),
                                    (true, false) => (Tone::Neutral, Glyph::Edit, "Changed"),
                                };
                                view! {
                                    <tr>
                                        <td class="number">{row.row}</td>
                                        <th scope="row">{row.id}</th>
                                        <td>
                                            <Badge tone glyph word /> " " {wrong.join("; ")}
                                        </td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </div>
            {(left_out > 0).then(|| view! { <p class="quiet">{format!("And {left_out} more without a mistake.")}</p> })}
            {may_import
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="button button-primary"
                            disabled=move || pending.get()
                            aria-busy=move || pending.get().then_some("true")
                            on:click=move |_| import()
                        >
                            <Icon glyph=Glyph::Download />
                            <span>{format!("Import {}", spots(count))}</span>
                        </button>
                    }
                })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize, wrong: bool) -> Row {
        let errors = if wrong { vec![FieldError::new("size", "no such size")] } else { Vec::new() };
        Row { row: number, id: format!("A{number}"), is_new: true, errors }
    }

    #[test]
    fn mistakes_are_shown_first_and_all_of_them() {
        let rows: Vec<Row> = (2..80).map(|number| row(number, number > 70)).collect();
        let (shown, left_out) = shown_rows(&rows);
        assert!(shown[..9].iter().all(|row| !row.errors.is_empty()));
        assert_eq!((shown.len(), left_out), (59, 19));
    }

    #[test]
    fn summary_says_what_would_come_of_it() {
        let preview = Imported {
            rows: Vec::new(),
            created: 1,
            changed: 3,
            wrong: 0,
            new_levels: vec!["L2".into()],
            is_done: false,
        };
        assert_eq!(summary(&preview), "1 spot would be added; 3 spots would be changed; new levels: L2.");
        let wrong = Imported { created: 0, changed: 0, wrong: 2, new_levels: Vec::new(), ..preview };
        assert_eq!(summary(&wrong), "2 rows are wrong: correct the file and look at it again.");
    }
}
