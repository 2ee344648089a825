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
    let none = Memo::new(move |_| groups.with(Vec::is_empty));
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
                                <GroupForm form doors />
                            </Dialog>
                        }
                    })}
            </div>
            <p class="quiet">"A policy or a lockdown names a group instead of one door after another."</p>
            <ErrorSummary form=forms.delete_group shown=&[] />
            <p class="quiet" hidden=move || !none.get()>
                "No groups yet."
            </p>
            // A row stays, with what somebody types in it, until its own group is another one.
            <ul class="rows" aria-label="Groups of doors" hidden=move || none.get()>
                <For
                    each=move || groups.get()
                    key=|group| (group.id, group.name.clone(), group.description.clone(), group.door_ids.clone())
                    let(group)
                >
                    <GroupRow group doors forms may_change />
                </For>
            </ul>
        </section>
    }
}

#[component]
fn GroupForm(form: FormState, doors: Memo<Vec<Choice>>, #[prop(optional)] group: Option<DoorGroup>) -> impl IntoView {
    let id = group.as_ref().map(|group| group.id.to_string()).unwrap_or_default();
    let (name, description, members) =
        group.map(|group| (group.name, group.description, group.door_ids)).unwrap_or_default();
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    let key = if id.is_empty() { "new".to_owned() } else { id.clone() };
    let some = move || doors.with(|doors| !doors.is_empty());
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
                <p class="quiet" hidden=some>
                    "There are no doors yet."
                </p>
                // Each door keeps its tick when others come and go.
                <For each=move || doors.get() key=|door| (door.id.clone(), door.name.clone()) let(door)>
                    {
                        let checked = members.contains(&door.id);
                        view! { <Tick name="doors[]" value=door.id label=door.name checked /> }
                    }
                </For>
            </fieldset>
            <SubmitButton label="Save group" pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn GroupRow(group: DoorGroup, doors: Memo<Vec<Choice>>, forms: AreaForms, may_change: bool) -> impl IntoView {
    let form = forms.group;
    let saved = Signal::derive(move || form.successes.get() > 0);
    let members: Vec<String> = group.door_ids.iter().map(ToString::to_string).collect();
    let names = move || {
        let is_member = |door: &&Choice| members.contains(&door.id);
        let names =
            doors.with(|doors| doors.iter().filter(is_member).map(|door| door.name.clone()).collect::<Vec<_>>());
        if names.is_empty() { "No doors".to_owned() } else { names.join(", ") }
    };
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
