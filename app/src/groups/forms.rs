//! What may be done to a group: edit, add devices, dissolve.

use leptos::prelude::*;
use leptos_router::components::Form;
use portico_model::GroupId;
use portico_model::devices::Device;
use portico_model::groups::Group;

use super::{AddDevices, DeleteGroup, GroupCandidates, RemoveDevice, UpdateGroup};
use crate::form::{FormState, PostForm};
use crate::load::{in_place, load};
use crate::ui::{Dialog, ErrorSummary, Glyph, SubmitButton, TextAreaField, TextField};

/// Fields of a group that are shown beside their errors.
pub const GROUP_FIELDS: &[&str] = &["name", "description", "color"];

/// The forms of the page, made while it begins.
#[derive(Clone, Copy)]
pub struct GroupForms {
    pub update: FormState,
    pub delete: FormState,
    pub add: FormState,
    pub remove: FormState,
}

impl GroupForms {
    #[must_use]
    pub fn new() -> Self {
        Self {
            update: FormState::of::<UpdateGroup>(),
            delete: FormState::of::<DeleteGroup>(),
            add: FormState::of::<AddDevices>(),
            remove: FormState::of::<RemoveDevice>(),
        }
    }
}

impl Default for GroupForms {
    fn default() -> Self {
        Self::new()
    }
}

/// Name, description and colour.
#[component]
pub fn GroupFields(form: FormState, #[prop(optional)] group: Option<Group>) -> impl IntoView {
    let (name, description, color) = match group {
        Some(group) => (group.name, group.description.unwrap_or_default(), group.color.unwrap_or_default()),
        None => <(String, String, String)>::default(),
    };
    view! {
        <TextField
            form
            name="name"
            id="group-name"
            label="Name"
            required=true
            maxlength=100
            value=name
            autocomplete="off"
            help="Such as “Ground floor” or “Greenhouse”."
        />
        <TextAreaField form name="description" label="Description" value=description />
        <TextField
            form
            name="color"
            id="group-color"
            label="Colour"
            maxlength=7
            value=color
            autocomplete="off"
            placeholder="#00796B"
            help="As #00796B, or a name such as teal."
        />
    }
}

/// The row of buttons that unfold their forms.
#[component]
pub fn GroupActions(group: Group, #[prop(into)] find: Signal<String>, forms: GroupForms) -> impl IntoView {
    let id = group.id;
    let GroupForms { update, delete, add, .. } = forms;
    let updated = Signal::derive(move || update.successes.get() > 0);
    let added = Signal::derive(move || add.successes.get() > 0);
    let name = group.name.clone();
    let searching = find.with_untracked(|find| !find.is_empty());
    view! {
        <div class="page-actions">
            <Dialog
                label="Add devices"
                glyph=Glyph::Plus
                class="button button-primary"
                open=add.came_back() || searching
                done=added
            >
                <Candidates id find forms />
            </Dialog>
            <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
                <PostForm form=update id="edit-group">
                    <ErrorSummary form=update shown=GROUP_FIELDS />
                    <input type="hidden" name="id" value=id.to_string() />
                    <GroupFields form=update group />
                    <SubmitButton label="Save changes" pending=update.pending() />
                </PostForm>
            </Dialog>
            <Dialog label="Delete" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
                <PostForm form=delete id="delete-group">
                    <ErrorSummary form=delete shown=&[] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <p>{format!("Dissolves the group “{name}”. Its devices and what they measured stay.")}</p>
                    <SubmitButton
                        label="Delete group"
                        glyph=Glyph::Trash
                        class="button button-danger"
                        pending=delete.pending()
                    />
                </PostForm>
            </Dialog>
        </div>
    }
}

/// Devices to choose from.
#[component]
fn Candidates(id: GroupId, find: Signal<String>, forms: GroupForms) -> impl IntoView {
    let add = forms.add;
    let candidates = load(move || Some(GroupCandidates { id, find: find.get() }));
    Effect::new(move |before: Option<u32>| {
        let changes = add.successes.get() + forms.remove.successes.get();
        if before.is_some_and(|before| before != changes) {
            candidates.refetch();
        }
        changes
    });
    view! {
        <Form method="GET" action=format!("/groups/{id}") attr:class="inline candidate-search">
            <label class="hidden" for="candidate-find">"Find devices"</label>
            <input
                id="candidate-find"
                name="find"
                type="search"
                placeholder="Name, type, place or id"
                value=move || find.get()
            />
            <button class="button" type="submit">"Find"</button>
        </Form>
        <PostForm form=add id="add-devices">
            <ErrorSummary form=add shown=&[] />
            <input type="hidden" name="id" value=id.to_string() />
            <Transition fallback=|| {
                view! { <p class="loading" role="status">"Loading devices"</p> }
            }>{in_place(candidates, |_: &Vec<Device>| (), |found| view! { <Ticks found /> }.into_any())}</Transition>
            <SubmitButton label="Add to the group" pending=add.pending() />
        </PostForm>
    }
}

/// Each device keeps its tick when others come and go.
#[component]
fn Ticks(found: Memo<Vec<Device>>) -> impl IntoView {
    let is_empty = move || found.with(Vec::is_empty);
    view! {
        <p class="quiet" hidden=move || !is_empty()>
            "No other device that you may add."
        </p>
        <div class="candidates" role="group" aria-label="Devices" hidden=is_empty>
            <For each=move || found.get() key=|device| device.id let(device)>
                <label class="check">
                    <input type="checkbox" name="devices[]" value=device.id.to_string() />
                    <span>{device.name.clone()} <span class="sub">{device.location.clone()}</span></span>
                </label>
            </For>
        </div>
    }
}
