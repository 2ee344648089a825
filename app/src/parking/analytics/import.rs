//! The history of another system: a file that forecasts can learn from at once.

use leptos::prelude::*;
use portico_model::FieldError;
use serde::Deserialize;

use crate::failure::Failure;
use crate::ui::toast::use_toasts;
use crate::ui::{Glyph, Icon, UploadForm};

const EXAMPLE: &str = "timestamp,lot,occupied,capacity\n2026-11-20T08:00:00+01:00,Main garage,61,120";

/// What the route says came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Imported {
    rows: usize,
    slots: usize,
    lots: Vec<String>,
}

/// What is wrong with a file, and in which row.
fn told(failure: &Failure) -> String {
    let row_of = |error: &FieldError| Some(error.field.strip_prefix("rows[")?.strip_suffix(']')?.to_owned());
    let one = |error: &FieldError| match row_of(error) {
        Some(row) => format!("Row {row}: {}", error.message),
        None => error.message.clone(),
    };
    if failure.fields.is_empty() {
        return failure.message.clone();
    }
    format!("Nothing was imported. {}", failure.fields.iter().map(one).collect::<Vec<_>>().join(" "))
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// What came of it, in a sentence.
fn summary(done: &Imported) -> String {
    let slots = match done.slots {
        1 => "1 quarter of an hour known by it".to_owned(),
        slots => format!("{slots} quarters of an hour known by them"),
    };
    format!("{} imported, {slots}: {}.", rows(done.rows), done.lots.join(", "))
}

/// The form and what came of it.
#[component]
pub fn ImportHistory(
    /// Counts what was imported.
    imports: RwSignal<u32>,
) -> impl IntoView {
    let toast = use_toasts();
    let result = RwSignal::new(None::<Imported>);
    let done = Callback::new(move |answer| {
        let Ok(imported) = serde_json::from_value::<Imported>(answer) else { return };
        toast(format!("{} imported", rows(imported.rows)));
        result.set(Some(imported));
        imports.update(|imports| *imports += 1);
    });
    view! {
        <section class="card" id="history" aria-labelledby="history-title">
            <h2 id="history-title">"Import a history"</h2>
            <p class="quiet">
                "If another system knows how full your lots were, forecasts learn from it. CSV; the first row names the columns, lots go by their name, and times are ISO 8601 or seconds since 1970. What is known of those times already is replaced. One wrong row, and nothing is imported."
            </p>
            <div class="code">
                <pre tabindex="0">{EXAMPLE}</pre>
            </div>
            <UploadForm
                id="import-history"
                to="/api/v1/parking/history"
                file="history-file"
                label="Import history"
                without="curl --data-binary @history.csv '…/api/v1/parking/history'"
                words=told
                done
            >
                <div class="field">
                    <label for="history-file">"File"</label>
                    <input id="history-file" type="file" required accept=".csv,text/csv" on:change=move |_| result.set(None) />
                </div>
            </UploadForm>
            <div role="status">
                {move || {
                    result
                        .get()
                        .map(|imported| {
                            view! {
                                <p class="note history-done">
                                    <Icon glyph=Glyph::Check />
                                    <span>
                                        {summary(&imported)}
                                        " A forecast that was there before learns of it when it is made anew."
                                    </span>
                                </p>
                            }
                        })
                }}
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_row_is_named() {
        let failure = Failure::field("rows[3]", "capacity: above 0");
        assert_eq!(told(&failure), "Nothing was imported. Row 3: capacity: above 0");
        let failure = Failure::field("file", "No CSV");
        assert_eq!(told(&failure), "Nothing was imported. No CSV");
        assert_eq!(told(&Failure::unreachable()), Failure::unreachable().message);
    }

    #[test]
    fn summary_says_how_much_is_known_now() {
        let done = Imported { rows: 2_688, slots: 2_688, lots: vec!["Main garage".into()] };
        assert_eq!(summary(&done), "2688 rows imported, 2688 quarters of an hour known by them: Main garage.");
        let done = Imported { rows: 1, slots: 1, ..done };
        assert_eq!(summary(&done), "1 row imported, 1 quarter of an hour known by it: Main garage.");
    }
}
