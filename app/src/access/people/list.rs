//! `/cardholders`: people who come through doors.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::access::Level;
use portico_model::access::people::Person;
use portico_model::identity::Permission;

use super::{CreatePerson, CreatePersonGroup, ListPeople, PAGE_SIZE, PeoplePage};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow};
use crate::load::{load, read, reload_when};
use crate::time::Ago;
use crate::ui::list::{address, asked, is_restricted};
use crate::ui::{
    Badge, Choice, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Icon, ProblemView, SelectField, SelectFilter,
    SubmitButton, TextField, TextFilter, Tone,
};
use crate::viewer::use_viewer;

/// Fields of a person that are shown beside their errors.
pub const PERSON_FIELDS: &[&str] = &["name", "employee_id", "email", "level"];

/// One word for people.
#[must_use]
pub const fn level_title(level: Level) -> &'static str {
    match level {
        Level::Basic => "Basic",
        Level::Admin => "Admin",
        Level::Guest => "Guest",
    }
}

/// Name, employee id, e-mail and level.
#[component]
pub fn PersonFields(form: FormState, #[prop(optional)] person: Option<Person>) -> impl IntoView {
    let level = person.as_ref().map_or(Level::Basic, |person| person.level);
    let (name, employee, email) = person
        .map(|person| (person.name, person.employee_id.unwrap_or_default(), person.email.unwrap_or_default()))
        .unwrap_or_default();
    let choices = vec![
        Choice { value: "basic", label: "Basic" },
        Choice { value: "admin", label: "Admin" },
        Choice { value: "guest", label: "Guest" },
    ];
    view! {
        <TextField form name="name" id="person-name" label="Name" required=true maxlength=100 value=name autocomplete="off" />
        <TextField form name="employee_id" label="Employee ID" maxlength=50 value=employee autocomplete="off" />
        <TextField form name="email" label="E-mail" kind="email" maxlength=254 value=email autocomplete="off" />
        <SelectField
            form
            name="level"
            label="Level"
            choices
            value=level.as_str()
            help="Policies say which levels they let in."
        />
    }
}

/// The page.
#[component]
pub fn CardholdersPage() -> impl IntoView {
    let [search, level, active, group, offset] = ["search", "level", "active", "group", "offset"].map(asked);
    let create = FormState::of::<CreatePerson>();
    let create_group = FormState::of::<CreatePersonGroup>();
    let page = load(move || {
        Some(ListPeople {
            search: search.get(),
            level: level.get(),
            active: active.get(),
            group: group.get(),
            offset: offset.get(),
        })
    });
    let grouped = Signal::derive(move || create_group.successes.get() > 0);
    reload_when(page, move || create_group.successes.get());
    follow(
        || Some("people".to_owned()),
        move |update| {
            if matches!(update, LiveUpdate::Event(_)) {
                page.refetch();
            }
        },
    );
    crate::groups::detail::refetch_on_return(page);
    let may_change = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let restricted = is_restricted(&["search", "level", "active", "group"]);
    view! {
        <Title text="Cardholders" />
        <div class="page-head">
            <h1>"Cardholders"</h1>
            {may_change
                .then(|| {
                    view! {
                        <div class="page-actions">
                            <Dialog label="New group" glyph=Glyph::Groups open=create_group.came_back() done=grouped>
                                <PostForm form=create_group id="create-person-group">
                                    <ErrorSummary form=create_group shown=&["name"] />
                                    <TextField
                                        form=create_group
                                        name="name"
                                        id="person-group-name"
                                        label="Name of the group"
                                        required=true
                                        maxlength=100
                                        autocomplete="off"
                                        help="Such as “Night shift”. Policies and locks can be given to a group."
                                    />
                                    <SubmitButton label="Make group" pending=create_group.pending() />
                                </PostForm>
                            </Dialog>
                            <Dialog
                                label="Add cardholder"
                                glyph=Glyph::Plus
                                class="button button-primary"
                                open=create.came_back()
                            >
                                <PostForm form=create id="create-person">
                                    <ErrorSummary form=create shown=PERSON_FIELDS />
                                    <PersonFields form=create />
                                    <SubmitButton label="Add cardholder" pending=create.pending() />
                                </PostForm>
                            </Dialog>
                        </div>
                    }
                })}
        </div>
        <Filters action="/cardholders">
            <TextFilter name="search" label="Search" kind="search" placeholder="Name, employee ID, e-mail or number" wide=true />
            <SelectFilter
                name="level"
                label="Level"
                choices=&[("", "All"), ("basic", "Basic"), ("admin", "Admin"), ("guest", "Guest")]
            />
            <SelectFilter name="active" label="State" choices=&[("", "All"), ("true", "Active"), ("false", "Inactive")] />
        </Filters>
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading cardholders"</p> }>
            {move || {
                page.get()
                    .map(|answer| match read::<PeoplePage>(answer) {
                        Ok(page) if page.people.is_empty() => {
                            view! { <NobodyThere restricted=restricted.get() /> }.into_any()
                        }
                        Ok(page) => view! { <PeopleTable page /> }.into_any(),
                        Err(failure) => view! { <ProblemView failure /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn NobodyThere(restricted: bool) -> impl IntoView {
    if restricted {
        view! {
            <EmptyState glyph=Glyph::Users title="Nobody matches" text="Search looks into names, employee IDs, e-mail addresses and numbers.">
                <a class="button" href="/cardholders">"Show everyone"</a>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <EmptyState
                glyph=Glyph::Users
                title="No cardholders yet"
                text="A cardholder comes through doors with a card, a PIN or a finger. Add the first one, enrol a card at a reader, and say with a policy where it opens."
            />
        }
        .into_any()
    }
}

#[component]
fn PeopleTable(page: PeoplePage) -> impl IntoView {
    let PeoplePage { people, total, offset, groups } = page;
    let [search, level, active, group] = ["search", "level", "active", "group"].map(asked);
    let to = move |offset: i64| {
        let offset = if offset > 0 { offset.to_string() } else { String::new() };
        let [search, level, active, group] = [search, level, active, group].map(|part| part.get_untracked());
        address(
            "/cardholders",
            [
                ("search", search.as_str()),
                ("level", level.as_str()),
                ("active", active.as_str()),
                ("group", group.as_str()),
                ("offset", offset.as_str()),
            ],
        )
    };
    let shown = i64::try_from(people.len()).unwrap_or_default();
    let before = (offset > 0).then(|| to((offset - PAGE_SIZE).max(0)));
    let after = (offset + shown < total).then(|| to(offset + PAGE_SIZE));
    view! {
        {(!groups.is_empty())
            .then(|| {
                view! {
                    <ul class="keys" aria-label="Groups">
                        {groups
                            .into_iter()
                            .map(|one| {
                                let id = one.id.to_string();
                                let href = address("/cardholders", [("group", id.as_str())]);
                                let is_on = move || group.with(|group| *group == id);
                                view! {
                                    <li>
                                        <a class="key-choice" href=href aria-current=move || is_on().then_some("true")>
                                            {one.name}
                                            " "
                                            {one.member_count}
                                        </a>
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                }
            })}
        <p class="quiet">{format!("{} to {} of {total}", offset + 1, offset + shown)}</p>
        <div class="table-wrap">
            <table class="table table-cardholders">
                <caption class="hidden">"Cardholders"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Cardholder"</th>
                        <th scope="col">"Level"</th>
                        <th scope="col">"Credentials"</th>
                        <th scope="col">"Last seen at a door"</th>
                    </tr>
                </thead>
                <tbody>{people.into_iter().map(|person| view! { <PersonRow person /> }).collect_view()}</tbody>
            </table>
        </div>
        <nav class="pages" aria-label="Pages">
            {before.map(|href| view! { <a class="button" href=href rel="prev">"Previous page"</a> })}
            {after
                .map(|href| {
                    view! {
                        <a class="button" href=href rel="next">
                            "Next page"
                            <Icon glyph=Glyph::Next />
                        </a>
                    }
                })}
        </nav>
    }
}

/// Whether doors open for him at all.
#[component]
pub fn PersonBadge(is_active: bool) -> impl IntoView {
    if is_active {
        view! { <Badge tone=Tone::Ok glyph=Glyph::Check word="Active" /> }
    } else {
        view! { <Badge tone=Tone::Neutral glyph=Glyph::Pause word="Inactive" /> }
    }
}

#[component]
fn PersonRow(person: Person) -> impl IntoView {
    let about: Vec<_> =
        [Some(format!("No. {}", person.number)), person.employee_id, person.email].into_iter().flatten().collect();
    view! {
        <tr class="row">
            <td class="cell-state">
                <PersonBadge is_active=person.is_active />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/cardholders/{}", person.id)>{person.name}</a>
                <span class="sub">{about.join(" · ")}</span>
            </th>
            <td class="cell-role">{level_title(person.level)}</td>
            <td class="cell-count number">{person.credential_count}</td>
            <td class="cell-seen">
                <Ago at=Signal::stored(person.last_access_at) />
            </td>
        </tr>
    }
}
