//! `/policies`: who may go where and when.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::policies::Policy;
use portico_model::identity::Permission;

use super::calendar::{CalendarForms, HolidaysCard, SchedulesCard};
use super::tester::Tester;
use super::{CreatePolicy, DeletePolicy, GetPolicies, PoliciesView, SwitchPolicy};
use crate::access::people::list::level_title;
use crate::access::{Choose, Tick};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{in_place, load, reload_when};
use crate::time::Moment;
use crate::ui::{Badge, Dialog, EmptyState, ErrorSummary, Glyph, SubmitButton, TextField, Tone};
use crate::viewer::use_viewer;

const POLICY_FIELDS: &[&str] = &["name", "person", "valid_from", "valid_until"];

#[derive(Clone, Copy)]
struct PolicyForms {
    create: FormState,
    switch: FormState,
    delete: FormState,
    calendar: CalendarForms,
}

/// The page.
#[component]
pub fn PoliciesPage() -> impl IntoView {
    let forms = PolicyForms {
        create: FormState::of::<CreatePolicy>(),
        switch: FormState::of::<SwitchPolicy>(),
        delete: FormState::of::<DeletePolicy>(),
        calendar: CalendarForms::new(),
    };
    let page = load(|| Some(GetPolicies {}));
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
        let own = [forms.create, forms.switch, forms.delete];
        own.iter().map(|form| form.successes.get()).sum::<u32>() + forms.calendar.successes()
    });
    let body = move |shown: Memo<PoliciesView>| view! { <PoliciesBody shown forms /> }.into_any();
    view! {
        <Title text="Policies" />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading policies"</p> }
        }>{in_place(page, |_: &PoliciesView| (), body)}</Transition>
    }
}

#[component]
fn PoliciesBody(shown: Memo<PoliciesView>, forms: PolicyForms) -> impl IntoView {
    let may_change = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let policies = Memo::new(move |_| shown.with(|shown| shown.policies.clone()));
    view! {
        <div class="page-head">
            <h1>"Policies"</h1>
            {may_change.then(|| view! { <NewPolicy shown form=forms.create /> })}
        </div>
        <p class="lead">
            "A door opens when one policy names the person, the door and the hour. Nothing opens without a policy."
        </p>
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
    view! {
        <div class="page-actions">
            <Dialog label="New policy" glyph=Glyph::Plus class="button button-primary" open=form.came_back() done=made>
                <PostForm form id="create-policy">
                    <ErrorSummary form shown=POLICY_FIELDS />
                    <TextField
                        form
                        name="name"
                        id="policy-name"
                        label="Name"
                        required=true
                        maxlength=100
                        autocomplete="off"
                        help="Such as “Staff in office hours”."
                    />
                    {move || view! { <Choose name="who" label="Who" id="policy-who" options=who.get() /> }}
                    <TextField
                        form
                        name="person"
                        id="policy-person"
                        label="Person, when it is for one"
                        list="people-suggested"
                        autocomplete="off"
                        help="Name, employee ID or number."
                    />
                    {move || view! { <Choose name="place" label="Doors" id="policy-place" options=place.get() /> }}
                    {move || view! { <Choose name="schedule" label="Hours" id="policy-schedule" options=schedule.get() /> }}
                    <fieldset class="field">
                        <legend>"Levels it lets in"</legend>
                        <Tick name="levels[]" value="basic" label="Basic" checked=true />
                        <Tick name="levels[]" value="admin" label="Admin" checked=true />
                        <Tick name="levels[]" value="guest" label="Guest" />
                    </fieldset>
                    <TextField form name="valid_from" label="Valid from" kind="datetime-local" />
                    <TextField
                        form
                        name="valid_until"
                        label="Valid until"
                        kind="datetime-local"
                        help="By the building's clock."
                    />
                    <Tick name="in_lockdown" value="true" label="Also during a lockdown" />
                    <SubmitButton label="Make policy" pending=form.pending() />
                </PostForm>
            </Dialog>
        </div>
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
                            <PostForm form=forms.switch class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="active" value=if is_active { "false" } else { "true" } />
                                <button class="button button-small" type="submit" aria-label=switch>
                                    {if is_active { "Switch off" } else { "Switch on" }}
                                </button>
                            </PostForm>
                            <Dialog label="Remove" glyph=Glyph::Trash class="button button-small">
                                <PostForm form=forms.delete>
                                    <input type="hidden" name="id" value=id.to_string() />
                                    <p>{removal}</p>
                                    <SubmitButton
                                        label="Remove policy"
                                        class="button button-danger"
                                        pending=forms.delete.pending()
                                    />
                                </PostForm>
                            </Dialog>
                        </td>
                    }
                })}
        </tr>
    }
}
