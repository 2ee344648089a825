//! Saved views: chips that open them, and the form that keeps one.

use leptos::prelude::*;
use portico_model::explore::{SavedView, SeriesRef};

use super::address::{Asked, address_of};
use super::{DeleteView, SaveView};
use crate::form::{FormState, PostForm};
use crate::ui::{Dialog, ErrorSummary, Glyph, Icon, SubmitButton, TextField};
use crate::viewer::use_viewer;

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct ViewForms {
    pub save: FormState,
    pub delete: FormState,
}

impl ViewForms {
    #[must_use]
    pub fn new() -> Self {
        Self { save: FormState::of::<SaveView>(), delete: FormState::of::<DeleteView>() }
    }
}

impl Default for ViewForms {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens each; removes one's own.
#[component]
pub fn ViewChips(views: Vec<SavedView>, asked: Asked, forms: ViewForms) -> impl IntoView {
    let me = use_viewer().map(|viewer| viewer.id);
    let here = StoredValue::new(asked.address());
    let is_open = move |view: &SavedView| {
        view.definition.series == asked.series
            && view.definition.aggregation == asked.aggregation
            && view.definition.window == asked.window
    };
    (!views.is_empty()).then(|| {
        view! {
            <nav class="views" aria-label="Saved views">
                <ErrorSummary form=forms.delete shown=&[] />
                <ul>
                    {views
                        .into_iter()
                        .map(|view| {
                            let href = address_of(&view);
                            let own = me == Some(view.owner_id);
                            let note = if own { String::new() } else { format!("of {}", view.owner_name) };
                            let name = view.name.clone();
                            view! {
                                <li class="view-chip">
                                    <a href=href aria-current=is_open(&view).then_some("true")>
                                        <Icon glyph=if view.shared { Glyph::Users } else { Glyph::Explore } />
                                        <span>{view.name.clone()}</span>
                                        {(!own).then(|| view! { <span class="quiet">{note}</span> })}
                                        {view.shared.then(|| view! { <span class="hidden">"shared"</span> })}
                                    </a>
                                    {own
                                        .then(|| {
                                            view! {
                                                <Dialog
                                                    label=format!("Remove {name}")
                                                    glyph=Glyph::Cross
                                                    class="button button-icon view-remove"
                                                >
                                                    <PostForm form=forms.delete>
                                                        <input type="hidden" name="id" value=view.id.to_string() />
                                                        <input type="hidden" name="page" value=here.get_value() />
                                                        <p>
                                                            {format!("Removes the view “{name}”")}
                                                            {view.shared.then_some(", for everyone who uses it")}
                                                            ". Devices and values stay."
                                                        </p>
                                                        <SubmitButton
                                                            label="Remove view"
                                                            glyph=Glyph::Trash
                                                            class="button button-danger"
                                                            pending=forms.delete.pending()
                                                        />
                                                    </PostForm>
                                                </Dialog>
                                            }
                                        })}
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </nav>
        }
    })
}

/// Keeps what the page shows.
#[component]
pub fn SaveDialog(asked: Asked, forms: ViewForms) -> impl IntoView {
    let save = forms.save;
    let done = Signal::derive(move || save.successes.get() > 0);
    let series: Vec<_> = asked.series.iter().map(SeriesRef::to_text).collect();
    view! {
        <Dialog label="Save view" glyph=Glyph::Plus open=save.came_back() done>
            <PostForm form=save id="save-view">
                <ErrorSummary form=save shown=&["name"] />
                <input type="hidden" name="series" value=series.join("\n") />
                <input type="hidden" name="range" value=asked.kept_range() />
                <input type="hidden" name="aggregation" value=asked.aggregation.as_str() />
                <input type="hidden" name="window" value=asked.window.clone() />
                <input type="hidden" name="page" value=asked.address() />
                <TextField
                    form=save
                    name="name"
                    id="view-name"
                    label="Name"
                    required=true
                    maxlength=100
                    autocomplete="off"
                    help="One of your views of the same name is replaced."
                />
                <label class="check">
                    <input type="checkbox" name="shared" value="yes" />
                    <span>"Show it to everyone here; each sees in it only the devices they may see anyway"</span>
                </label>
                <SubmitButton label="Save view" pending=save.pending() />
            </PostForm>
        </Dialog>
    }
}
