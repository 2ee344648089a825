//! What managers do to plans: upload, rename, draw anew, remove; and placing doors.

use leptos::prelude::*;
use portico_model::access::door::Plan;

use super::{DeletePlan, PlaceDoor, PlanView, RenamePlan, UnplaceDoor};
use crate::form::{FormState, PostForm};
use crate::ui::toast::use_toasts;
use crate::ui::{Dialog, ErrorSummary, Glyph, SubmitButton, TextField, UploadForm};

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct PlanForms {
    pub place: FormState,
    pub unplace: FormState,
    rename: FormState,
    delete: FormState,
    uploads: RwSignal<u32>,
}

impl PlanForms {
    /// Made while the page begins.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: FormState::of::<PlaceDoor>(),
            unplace: FormState::of::<UnplaceDoor>(),
            rename: FormState::of::<RenamePlan>(),
            delete: FormState::of::<DeletePlan>(),
            uploads: RwSignal::new(0),
        }
    }

    /// Whether the plan is being removed: then the page is about to leave it.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.delete.pending().get_untracked()
    }

    /// How often any of them succeeded.
    #[must_use]
    pub fn successes(&self) -> u32 {
        let all = [self.place, self.unplace, self.rename];
        FormState::successes_of(&all) + self.uploads.get()
    }
}

impl Default for PlanForms {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts an upload, tells of it, and says when its dialog may fold.
fn uploaded(uploads: RwSignal<u32>, then: impl Fn(&Plan) + Send + Sync + 'static) -> Callback<serde_json::Value> {
    let toast = use_toasts();
    Callback::new(move |answer| {
        let Ok(plan) = serde_json::from_value::<Plan>(answer) else { return };
        toast(format!("{} uploaded", plan.name));
        uploads.update(|uploads| *uploads += 1);
        then(&plan);
    })
}

const PICTURES: &str = "image/svg+xml,image/png,image/jpeg,image/webp";

#[component]
fn PictureField(id: &'static str) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>"Picture"</label>
            <input id=id type="file" required accept=PICTURES />
            <p class="field-help">"SVG, PNG, JPEG or WebP, at most 2 MB."</p>
        </div>
    }
}

/// A new plan.
#[component]
pub fn UploadPlan(forms: PlanForms) -> impl IntoView {
    let made = RwSignal::new(0_u32);
    let navigate = leptos_router::hooks::use_navigate();
    let done = uploaded(forms.uploads, move |plan| {
        made.update(|made| *made += 1);
        navigate(&format!("/doors/plan?plan={}", plan.id), leptos_router::NavigateOptions::default());
    });
    view! {
        <Dialog
            label="Add plan"
            glyph=Glyph::Plus
            class="button button-primary"
            done=Signal::derive(move || made.get() > 0)
        >
            <UploadForm
                id="upload-plan"
                to="/api/v1/plans"
                file="plan-picture"
                label="Upload plan"
                without="curl --data-binary @plan.svg '…/api/v1/plans?name=…'"
                done
            >
                <div class="field">
                    <label for="plan-name">"Name"</label>
                    <input id="plan-name" name="name" required maxlength="100" autocomplete="off" placeholder="Ground floor" />
                </div>
                <PictureField id="plan-picture" />
            </UploadForm>
        </Dialog>
    }
}

/// Another name, another picture, or away with it.
#[component]
pub fn PlanMenu(plan: Plan, forms: PlanForms) -> impl IntoView {
    let (rename, delete) = (forms.rename, forms.delete);
    let drawn = RwSignal::new(0_u32);
    let done = uploaded(forms.uploads, move |_| drawn.update(|drawn| *drawn += 1));
    let renamed = Signal::derive(move || rename.successes.get() + drawn.get() > 0);
    let (id, name) = (plan.id, plan.name);
    let (picture, removal) = (
        format!("/api/v1/plans/{id}/picture"),
        format!("Removes the plan “{name}”. Its doors stay, and are on no plan then."),
    );
    let without = format!("curl --data-binary @plan.svg '…{picture}'");
    view! {
        <Dialog label="Edit" glyph=Glyph::Edit open=rename.came_back() done=renamed>
            <PostForm form=rename id="rename-plan">
                <ErrorSummary form=rename shown=&["name"] />
                <input type="hidden" name="id" value=id.to_string() />
                <TextField
                    form=rename
                    name="name"
                    id="plan-new-name"
                    label="Name"
                    required=true
                    maxlength=100
                    value=name
                    autocomplete="off"
                />
                <SubmitButton label="Save name" pending=rename.pending() />
            </PostForm>
            <UploadForm
                id="redraw-plan"
                to=picture
                file="plan-new-picture"
                label="Replace picture"
                without
                done
            >
                <PictureField id="plan-new-picture" />
                <p class="field-help">"Doors stay where they are on it."</p>
            </UploadForm>
        </Dialog>
        <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
            <PostForm form=delete id="delete-plan">
                <ErrorSummary form=delete shown=&[] />
                <input type="hidden" name="id" value=id.to_string() />
                <p>{removal}</p>
                <SubmitButton
                    label="Remove plan"
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=delete.pending()
                />
            </PostForm>
        </Dialog>
    }
}

/// Which door, and where; a click on the plan fills in where.
#[component]
pub fn PlaceDoors(
    plan: Plan,
    shown: Memo<PlanView>,
    draft: RwSignal<Option<(f64, f64)>>,
    form: FormState,
) -> impl IntoView {
    let all = Memo::new(move |_| shown.with(|shown| shown.all_doors.clone()));
    let chosen = form.value("door", "");
    let clicked = move |read: fn((f64, f64)) -> f64| move || draft.get().map(|at| read(at).to_string());
    let hundredths = move |name: &'static str, label: &'static str, read: fn((f64, f64)) -> f64| {
        let error = form.error(name);
        let typed = form.value(name, "50");
        let value = clicked(read);
        view! {
            <div class="field">
                <label for=format!("place-{name}")>{label}</label>
                <input
                    id=format!("place-{name}")
                    name=name
                    type="number"
                    min="0"
                    max="100"
                    step="0.1"
                    required
                    value=typed.clone()
                    prop:value=move || value().unwrap_or_else(|| typed.clone())
                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                />
            </div>
        }
    };
    Effect::new(move |_| {
        if form.successes.get() > 0 {
            draft.set(None);
        }
    });
    view! {
        <section class="card" aria-labelledby="place-title">
            <h2 id="place-title">"Place a door"</h2>
            <p class="quiet">"Choose a door and click where it is, or say how far from the left and the top."</p>
            <PostForm form id="place-door" class="form form-row">
                <ErrorSummary form shown=&[] />
                <input type="hidden" name="plan" value=plan.id.to_string() />
                <div class="field">
                    <label for="place-which">"Door"</label>
                    <select id="place-which" name="door" required>
                        <option value="">"Choose"</option>
                        {move || {
                            all.get()
                                .into_iter()
                                .map(|door| {
                                    let selected = door.id == chosen;
                                    view! { <option value=door.id selected=selected>{door.name}</option> }
                                })
                                .collect_view()
                        }}
                    </select>
                </div>
                {hundredths("x", "From the left, %", |at| at.0)}
                {hundredths("y", "From the top, %", |at| at.1)}
                <SubmitButton label="Place door" pending=form.pending() />
            </PostForm>
        </section>
    }
}
