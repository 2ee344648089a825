//! `/policies`: who may go where and when.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::Level;
use portico_model::access::policies::{Policy, PolicyInput};
use portico_model::identity::Permission;

use super::calendar::{CalendarForms, HolidaysCard, SchedulesCard};
use super::tester::Tester;
use super::{DeletePolicy, Editing, GetPolicies, PoliciesView, SavePolicy, SwitchPolicy};
use crate::access::people::list::level_title;
use crate::access::{Choose, Tick};
use crate::form::{Confirm, FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{in_place, load, reload_when};
use crate::time::Moment;
use crate::ui::list::asked;
use crate::ui::{Badge, Dialog, EmptyState, ErrorSummary, Glyph, SubmitButton, TextField, Tone};
use crate::viewer::use_viewer;

const POLICY_FIELDS: &[&str] = &["name", "person", "valid_from", "valid_until"];

#[derive(Clone, Copy)]
struct PolicyForms {
    save: FormState,
    switch: FormState,
    delete: FormState,
    calendar: CalendarForms,
}

/// The page.
#[component]
pub fn PoliciesPage() -> impl IntoView {
    let forms = PolicyForms {
        save: FormState::of::<SavePolicy>(),
        switch: FormState::of::<SwitchPolicy>(),
        delete: FormState::of::<DeletePolicy>(),
        calendar: CalendarForms::new(),
    };
    let edit = asked("edit");
    let page = load(move || Some(GetPolicies { edit: edit.get() }));
    follow(
        || Some("policies".to_owned()),
        move |update| {
            if matches!(update, LiveUpdate::Event(_)) {
                page.refetch();
            }
        },
    );
    crate::groups::detail::refetch_on_return(page);
    reload_when(page, move || {
        let own = [forms.save, forms.switch, forms.delete];
        FormState::successes_of(&own) + forms.calendar.successes()
    });
    let body = move |shown: Memo<PoliciesView>| view! { <PoliciesBody shown forms /> }.into_any();
    view! {
        <Title text="Policies" />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading policies"</p> }
        }>{in_place(page, |view: &PoliciesView| view.editing.as_ref().map(|editing| editing.policy.id), body)}</Transition>
    }
}

#[component]
fn PoliciesBody(shown: Memo<PoliciesView>, forms: PolicyForms) -> impl IntoView {
    let may_change = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let policies = Memo::new(move |_| shown.with(|shown| shown.policies.clone()));
    // As it was when the form was opened.
    let editing = shown.with_untracked(|shown| shown.editing.clone()).filter(|_| may_change);
    view! {
        <div class="page-head">
            <h1>"Policies"</h1>
            {(may_change && editing.is_none()).then(|| view! { <NewPolicy shown form=forms.save /> })}
        </div>
        <p class="lead">
            "A door opens when one policy names the person, the door and the hour. Nothing opens without a policy."
        </p>
        {editing.map(|editing| view! { <EditPolicy shown form=forms.save editing /> })}
        <ErrorSummary form=forms.switch shown=&[] />
        <ErrorSummary form=forms.delete shown=&[] />
        {move || {
            let policies = policies.get();
            if policies.is_empty() {
                view! {
                    <EmptyState
                        glyph=Glyph::Shield
                        title="No policies yet"
                        text="No door opens for anybody. Make the first policy: who, through which doors, at which hours."
                    />
                }
                    .into_any()
            } else {
                view! { <PolicyTable policies forms may_change /> }.into_any()
            }
        }}
        <div class="stack stack-after">
            <Tester shown />
            <SchedulesCard shown forms=forms.calendar may_change />
            <HolidaysCard shown forms=forms.calendar may_change />
        </div>
    }
}

#[component]
fn NewPolicy(shown: Memo<PoliciesView>, form: FormState) -> impl IntoView {
    let made = Signal::derive(move || form.successes.get() > 0);
    view! {
        <div class="page-actions">
            <Dialog label="New policy" glyph=Glyph::Plus class="button button-primary" open=form.came_back() done=made>
                <PolicyForm shown form />
            </Dialog>
        </div>
    }
}

/// Instead of making a new one.
#[component]
fn EditPolicy(shown: Memo<PoliciesView>, form: FormState, editing: Editing) -> impl IntoView {
    let title = format!("Change “{}”", editing.policy.terms.name);
    view! {
        <section class="card edit-card" aria-labelledby="edit-title">
            <div class="card-head">
                <h2 id="edit-title">{title}</h2>
                <a class="button" href="/policies">
                    "Leave it as it is"
                </a>
            </div>
            <PolicyForm shown form editing />
        </section>
    }
}

#[component]
fn PolicyForm(shown: Memo<PoliciesView>, form: FormState, #[prop(optional)] editing: Option<Editing>) -> impl IntoView {
    let who = Memo::new(move |_| {
        let fixed =
            [("", "Everyone"), ("person", "One person")].map(|(value, label)| (value.to_owned(), label.to_owned()));
        let groups = shown.with(|shown| {
            let groups = shown.person_groups.iter();
            groups.map(|group| (group.id.to_string(), format!("Group: {}", group.name))).collect::<Vec<_>>()
        });
        fixed.into_iter().chain(groups).collect::<Vec<_>>()
    });
    let place = Memo::new(move |_| {
        shown.with(|shown| {
            let doors = shown.doors.iter().map(|door| (format!("door:{}", door.id), door.name.clone()));
            let groups = shown.door_groups.iter();
            let groups = groups.map(|group| (format!("group:{}", group.id), format!("Group: {}", group.name)));
            std::iter::once((String::new(), "All doors".to_owned())).chain(groups).chain(doors).collect::<Vec<_>>()
        })
    });
    let schedule = Memo::new(move |_| {
        shown.with(|shown| {
            let schedules = shown.schedules.iter().map(|one| (one.id.to_string(), one.name.clone()));
            std::iter::once((String::new(), "At any time".to_owned())).chain(schedules).collect::<Vec<_>>()
        })
    });
    let id = editing.as_ref().map(|editing| editing.policy.id);
    let terms = editing.as_ref().map(|editing| editing.policy.terms.clone());
    let (person, from, until) =
        editing.map(|editing| (editing.person, editing.valid_from, editing.valid_until)).unwrap_or_default();
    let name = terms.as_ref().map(|terms| terms.name.clone()).unwrap_or_default();
    let of_terms = |read: fn(&PolicyInput) -> String| terms.as_ref().map(read).unwrap_or_default();
    let (its_who, its_place, its_schedule) = (
        of_terms(|terms| match (terms.person_id, terms.person_group_id) {
            (Some(_), _) => "person".to_owned(),
            (None, group) => group.map(|id| id.to_string()).unwrap_or_default(),
        }),
        of_terms(|terms| match (terms.door_id, terms.door_group_id) {
            (Some(door), _) => format!("door:{door}"),
            (None, group) => group.map(|id| format!("group:{id}")).unwrap_or_default(),
        }),
        of_terms(|terms| terms.schedule_id.map(|id| id.to_string()).unwrap_or_default()),
    );
    let levels = terms.as_ref().map_or_else(|| vec![Level::Basic, Level::Admin], |terms| terms.levels.clone());
    let in_lockdown = terms.is_some_and(|terms| terms.in_lockdown);
    let (mark, label) = if id.is_some() { ("edit", "Save policy") } else { ("new", "Make policy") };
    view! {
        <PostForm form id=if id.is_some() { "edit-policy" } else { "create-policy" }>
            <ErrorSummary form shown=POLICY_FIELDS />
            {id.map(|id| view! { <input type="hidden" name="id" value=id.to_string() /> })}
            <TextField
                form
                name="name"
                id=format!("policy-name-{mark}")
                label="Name"
                required=true
                maxlength=100
                value=name
                autocomplete="off"
                help="Such as “Staff in office hours”."
            />
            {move || {
                view! { <Choose name="who" label="Who" id=format!("policy-who-{mark}") options=who.get() chosen=its_who.clone() /> }
            }}
            <TextField
                form
                name="person"
                id=format!("policy-person-{mark}")
                label="Person, when it is for one"
                list="people-suggested"
                value=person
                autocomplete="off"
                help="Name, employee ID or number."
            />
            {move || {
                view! { <Choose name="place" label="Doors" id=format!("policy-place-{mark}") options=place.get() chosen=its_place.clone() /> }
            }}
            {move || {
                view! {
                    <Choose
                        name="schedule"
                        label="Hours"
                        id=format!("policy-schedule-{mark}")
                        options=schedule.get()
                        chosen=its_schedule.clone()
                    />
                }
            }}
            <fieldset class="field">
                <legend>"Levels it lets in"</legend>
                {Level::ALL
                    .iter()
                    .map(|level| {
                        view! {
                            <Tick
                                name="levels[]"
                                value=level.as_str()
                                label=level_title(*level)
                                checked=levels.contains(level)
                            />
                        }
                    })
                    .collect_view()}
            </fieldset>
            <TextField
                form
                name="valid_from"
                id=format!("policy-from-{mark}")
                label="Valid from"
                kind="datetime-local"
                value=from
            />
            <TextField
                form
                name="valid_until"
                id=format!("policy-until-{mark}")
                label="Valid until"
                kind="datetime-local"
                value=until
                help="By the building's clock."
            />
            <Tick name="in_lockdown" value="true" label="Also during a lockdown" checked=in_lockdown />
            <SubmitButton label pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn PolicyTable(policies: Vec<Policy>, forms: PolicyForms, may_change: bool) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-policies">
                <caption class="hidden">"Policies, in the order they are asked"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Policy"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Doors"</th>
                        <th scope="col">"Hours"</th>
                        {may_change.then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                    </tr>
                </thead>
                <tbody>
                    {policies
                        .into_iter()
                        .map(|policy| view! { <PolicyRow policy forms may_change /> })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn PolicyRow(policy: Policy, forms: PolicyForms, may_change: bool) -> impl IntoView {
    let Policy { id, terms, who, doors, when, .. } = policy;
    let levels: Vec<_> = terms.levels.iter().map(|level| level_title(*level)).collect();
    let is_active = terms.is_active;
    let switch = format!("Switch {} {}", terms.name, if is_active { "off" } else { "on" });
    let edit = format!("Change {}", terms.name);
    let removal = format!("Removes the policy “{}”. Whom only it lets in no longer gets in.", terms.name);
    view! {
        <tr>
            <td class="cell-state">
                {if is_active {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="On" /> }
                } else {
                    view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Off" /> }
                }}
            </td>
            <th scope="row" class="cell-name">
                {terms.name.clone()} <span class="sub">{levels.join(", ")}</span>
                {terms.in_lockdown.then(|| view! { <span class="sub">"Also during a lockdown"</span> })}
                {terms
                    .valid_from
                    .map(|from| view! { <span class="sub">"from " <Moment at=Signal::stored(from) /></span> })}
                {terms
                    .valid_until
                    .map(|until| view! { <span class="sub">"until " <Moment at=Signal::stored(until) /></span> })}
            </th>
            <td class="cell-place">{who}</td>
            <td class="cell-place">{doors}</td>
            <td class="cell-place">{when}</td>
            {may_change
                .then(|| {
                    view! {
                        <td class="cell-actions">
                            <a class="button button-small" href=format!("/policies?edit={id}") aria-label=edit>
                                "Edit"
                            </a>
                            <PostForm form=forms.switch class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="active" value=if is_active { "false" } else { "true" } />
                                <button class="button button-small" type="submit" aria-label=switch>
                                    {if is_active { "Switch off" } else { "Switch on" }}
                                </button>
                            </PostForm>
                            <Confirm form=forms.delete id=id.to_string() label="Remove" text=removal confirm="Remove policy" />
                        </td>
                    }
                })}
        </tr>
    }
}
