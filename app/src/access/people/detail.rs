//! `/cardholders/:id`: a person, what he shows at doors, and his groups, live.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::PersonId;
use portico_model::access::people::{Person, PersonGroup};
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::credentials::{CredentialForms, CredentialsCard, EnrolmentCard};
use super::list::{PERSON_FIELDS, PersonBadge, PersonFields, level_title};
use super::{DeletePerson, GetPerson, PersonView, SetMembership, UpdatePerson};
use crate::access::{Choose, Tick};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{in_place, load, reload_when};
use crate::time::Ago;
use crate::ui::{Dialog, ErrorSummary, Glyph, Icon, SubmitButton};
use crate::viewer::use_viewer;

#[derive(Clone, Copy)]
struct PersonForms {
    update: FormState,
    delete: FormState,
    membership: FormState,
    credentials: CredentialForms,
}

/// The page.
#[component]
pub fn CardholderPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<PersonId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = PersonForms {
        update: FormState::of::<UpdatePerson>(),
        delete: FormState::of::<DeletePerson>(),
        membership: FormState::of::<SetMembership>(),
        credentials: CredentialForms::new(),
    };
    let person = load(move || id.get().map(|id| GetPerson { id }));
    follow(
        || Some("people".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::PersonChanged { id: changed }) = update
                && id.get_untracked() == Some(changed)
            {
                person.refetch();
            }
        },
    );
    crate::groups::detail::refetch_on_return(person);
    // Also without the line.
    reload_when(person, move || {
        forms.update.successes.get() + forms.membership.successes.get() + forms.credentials.successes()
    });
    let body = move |shown: Memo<PersonView>| view! { <PersonBody shown forms /> }.into_any();
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/cardholders">"Cardholders"</a>
        </nav>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading cardholder"</p> }
        }>{in_place(person, |view: &PersonView| view.detail.person.id, body)}</Transition>
    }
}

#[component]
fn PersonBody(shown: Memo<PersonView>, forms: PersonForms) -> impl IntoView {
    let id = shown.with_untracked(|shown| shown.detail.person.id);
    // Who comes through a door does not become another: forms stay as they are.
    let person = Memo::new(move |_| {
        shown.with(|shown| Person { last_access_at: None, credential_count: 0, ..shown.detail.person.clone() })
    });
    let may_change = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let seen = Signal::derive(move || shown.with(|shown| shown.detail.person.last_access_at));
    let text = move |part: fn(&Person) -> String| move || person.with(part);
    view! {
        <Title text=move || person.try_with(|person| person.name.clone()).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{text(|person| person.name.clone())}</h1>
                {move || view! { <PersonBadge is_active=person.with(|person| person.is_active) /> }}
            </div>
            {may_change.then(|| view! { <PersonActions person forms /> })}
        </div>
        <div class="stack">
        <section class="card" aria-label="About this person"><dl class="facts">
                            <dt>"Number"</dt>
            <dd>{text(|person| person.number.to_string())}</dd>
                            <dt>"Employee ID"</dt>
            <dd>{text(|person| person.employee_id.clone().unwrap_or_else(|| "none".to_owned()))}</dd>
                            <dt>"E-mail"</dt>
            <dd>{text(|person| person.email.clone().unwrap_or_else(|| "none".to_owned()))}</dd>
                            <dt>"Level"</dt>
            <dd>{text(|person| level_title(person.level).to_owned())}</dd>
                            <dt>"Account"</dt>
            <dd>{text(|person| person.user_name.clone().unwrap_or_else(|| "none".to_owned()))}</dd>
                            <dt>"Last seen at a door"</dt>
            <dd>
                <Ago at=seen />
            </dd>
        </dl></section>
        <CredentialsCard id shown forms=forms.credentials may_change />
        {may_change.then(|| view! { <EnrolmentCard id shown forms=forms.credentials /> })}
        <GroupsCard id shown form=forms.membership may_change />
        </div>
        <p class="stack-after">
            <a class="button" href=move || person.with(test_address)>
                <Icon glyph=Glyph::Search />
                <span>"Would this person get in?"</span>
            </a>
        </p>
    }
}

fn test_address(person: &Person) -> String {
    format!("/policies?person={}#tester", crate::browser::encode(&format!("#{} {}", person.number, person.name)))
}

#[component]
fn PersonActions(person: Memo<Person>, forms: PersonForms) -> impl IntoView {
    let PersonForms { update, delete, .. } = forms;
    let updated = Signal::derive(move || update.successes.get() > 0);
    move || {
        let person = person.get();
        let (id, name) = (person.id, person.name.clone());
        let is_active = person.is_active;
        view! {
            <div class="page-actions">
                <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
                    <PostForm form=update id="edit-person">
                        <ErrorSummary form=update shown=PERSON_FIELDS />
                        <input type="hidden" name="id" value=id.to_string() />
                        <PersonFields form=update person />
                        <Tick name="active" value="true" label="Active: doors may open" checked=is_active />
                        <SubmitButton label="Save changes" pending=update.pending() />
                    </PostForm>
                </Dialog>
                <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
                    <PostForm form=delete id="delete-person">
                        <ErrorSummary form=delete shown=&[] />
                        <input type="hidden" name="id" value=id.to_string() />
                        <p>
                            {format!(
                                "Removes {name} with all cards, PINs, fingers and policies for this person alone. No door opens any more. The access log keeps what happened.",
                            )}
                        </p>
                        <Tick name="erase" value="true" label="Also erase the name and card numbers from the access log" />
                        <SubmitButton
                            label="Remove cardholder"
                            glyph=Glyph::Trash
                            class="button button-danger"
                            pending=delete.pending()
                        />
                    </PostForm>
                </Dialog>
            </div>
        }
    }
}

#[component]
fn GroupsCard(id: PersonId, shown: Memo<PersonView>, form: FormState, may_change: bool) -> impl IntoView {
    let own = Memo::new(move |_| shown.with(|shown| shown.detail.groups.clone()));
    // Their members come and go without a choice being another one.
    let others = Memo::new(move |_| {
        let own = own.with(|own| own.iter().map(|group| group.id).collect::<Vec<_>>());
        shown.with(|shown| {
            let others = shown.groups.iter().filter(|group| !own.contains(&group.id));
            others.map(|group| (group.id.to_string(), group.name.clone())).collect::<Vec<_>>()
        })
    });
    view! {
        <section class="card" aria-labelledby="person-groups-title">
            <h2 id="person-groups-title">"Groups"</h2>
            <ErrorSummary form shown=&[] />
            {move || {
                let own = own.get();
                if own.is_empty() {
                    view! { <p class="quiet">"In no group."</p> }.into_any()
                } else {
                    view! {
                        <ul class="rows" aria-label="Groups of this person">
                            {own.into_iter().map(|group| view! { <GroupRow id group form may_change /> }).collect_view()}
                        </ul>
                    }
                        .into_any()
                }
            }}
            {move || {
                let options = others.get();
                (may_change && !options.is_empty())
                    .then(|| {
                        view! {
                            <PostForm form id="join-group" class="inline">
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="member" value="true" />
                                <Choose name="group" label="Put into" id="join-group-choice" options />
                                <SubmitButton label="Add to group" class="button" pending=form.pending() />
                            </PostForm>
                        }
                    })
            }}
        </section>
    }
}

#[component]
fn GroupRow(id: PersonId, group: PersonGroup, form: FormState, may_change: bool) -> impl IntoView {
    let label = format!("Take out of {}", group.name);
    view! {
        <li class="line">
            <a href=format!("/cardholders?group={}", group.id)>{group.name}</a>
            {may_change
                .then(|| {
                    view! {
                        <PostForm form class="inline">
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="group" value=group.id.to_string() />
                            <input type="hidden" name="member" value="false" />
                            <button class="button button-icon" type="submit" title="Take out" aria-label=label>
                                <Icon glyph=Glyph::Cross />
                            </button>
                        </PostForm>
                    }
                })}
        </li>
    }
}
