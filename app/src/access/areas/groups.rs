//! Groups of doors.

use leptos::prelude::*;
use portico_model::access::door::DoorGroup;
use portico_model::access::policies::Choice;

use super::AreasView;
use super::page::AreaForms;
use crate::access::Tick;
use crate::form::{Confirm, FormState, PostForm};
use crate::ui::{Dialog, ErrorSummary, Glyph, SubmitButton, TextField};

/// All of them.
#[component]
pub fn GroupsCard(shown: Memo<AreasView>, forms: AreaForms, may_change: bool) -> impl IntoView {
    let form = forms.group;
    let groups = Memo::new(move |_| shown.with(|shown| shown.groups.clone()));
    let doors = Memo::new(move |_| shown.with(|shown| shown.doors.clone()));
    let saved = Signal::derive(move || form.successes.get() > 0);
    let is_new = form.came_back_for(None);
    view! {
        <section class="card" aria-labelledby="groups-title">
            <div class="card-head">
                <h2 id="groups-title">"Groups of doors"</h2>
                {may_change
                    .then(|| {
                        view! {
                            <Dialog label="New group" glyph=Glyph::Plus open=is_new done=saved>
                                {move || view! { <GroupForm form doors=doors.get() /> }}
                            </Dialog>
                        }
                    })}
            </div>
            <p class="quiet">"A policy or a lockdown names a group instead of one door after another."</p>
            <ErrorSummary form=forms.delete_group shown=&[] />
            {move || {
                let (groups, doors) = (groups.get(), doors.get());
                if groups.is_empty() {
                    view! { <p class="quiet">"No groups yet."</p> }.into_any()
                } else {
                    view! {
                        <ul class="rows" aria-label="Groups of doors">
                            {groups
                                .into_iter()
                                .map(|group| {
                                    view! { <GroupRow group doors=doors.clone() forms may_change /> }
                                })
                                .collect_view()}
                        </ul>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn GroupForm(form: FormState, doors: Vec<Choice>, #[prop(optional)] group: Option<DoorGroup>) -> impl IntoView {
    let id = group.as_ref().map(|group| group.id.to_string()).unwrap_or_default();
    let (name, description, members) =
        group.map(|group| (group.name, group.description, group.door_ids)).unwrap_or_default();
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    let key = if id.is_empty() { "new".to_owned() } else { id.clone() };
    let none = doors.is_empty();
    view! {
        <PostForm form>
            <ErrorSummary form shown=&["name", "description"] />
            {(!id.is_empty()).then(|| view! { <input type="hidden" name="id" value=id /> })}
            <TextField
                form
                name="name"
                id=format!("group-name-{key}")
                label="Name"
                required=true
                maxlength=100
                value=name
                autocomplete="off"
            />
            <TextField
                form
                name="description"
                id=format!("group-about-{key}")
                label="Description"
                maxlength=1000
                value=description
                autocomplete="off"
            />
            <fieldset class="field ticks">
                <legend>"Doors"</legend>
                {none.then(|| view! { <p class="quiet">"There are no doors yet."</p> })}
                {doors
                    .into_iter()
                    .map(|door| {
                        let checked = members.contains(&door.id);
                        view! { <Tick name="doors[]" value=door.id label=door.name checked /> }
                    })
                    .collect_view()}
            </fieldset>
            <SubmitButton label="Save group" pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn GroupRow(group: DoorGroup, doors: Vec<Choice>, forms: AreaForms, may_change: bool) -> impl IntoView {
    let form = forms.group;
    let saved = Signal::derive(move || form.successes.get() > 0);
    let members: Vec<String> = group.door_ids.iter().map(ToString::to_string).collect();
    let names: Vec<_> = doors.iter().filter(|door| members.contains(&door.id)).map(|door| door.name.clone()).collect();
    let names = if names.is_empty() { "No doors".to_owned() } else { names.join(", ") };
    let removal = format!("Dissolves “{}” and removes the policies that name it. Its doors stay.", group.name);
    let id = group.id.to_string();
    let came_back = form.came_back_for(Some(&id));
    view! {
        <li class="line">
            <span>
                <strong>{group.name.clone()}</strong>
                <span class="sub">{names}</span>
                {(!group.description.is_empty()).then(|| view! { <span class="sub">{group.description.clone()}</span> })}
            </span>
            {may_change
                .then(|| {
                    view! {
                        <span class="line-end">
                            <Dialog
                                label="Edit"
                                glyph=Glyph::Edit
                                class="button button-small"
                                open=came_back
                                done=saved
                            >
                                <GroupForm form doors group />
                            </Dialog>
                            <Confirm form=forms.delete_group id label="Remove" text=removal confirm="Remove group" />
                        </span>
                    }
                })}
        </li>
    }
}
