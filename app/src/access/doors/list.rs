//! `/doors`: all doors with their state and mode, live; lockdown.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::Page;
use portico_model::access::door::Door;
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::forms::{DOOR_FIELDS, DoorFields, OrderFields, use_choices};
use super::tabs::DoorTabs;
use super::{CreateDoor, DoorChoices, ListDoors, OrderDoorMode, mode_look, state_look};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{Loaded, load, read, reload_when};
use crate::time::Ago;
use crate::ui::list::{Filters, Listed, Pages, SelectFilter, TextFilter, asked, is_restricted};
use crate::ui::toast::use_toasts;
use crate::ui::{Badge, Dialog, EmptyState, ErrorSummary, Glyph, SubmitButton};
use crate::viewer::use_viewer;

const MODES: &[(&str, &str)] = &[
    ("", "Any"),
    ("normal", "Normal"),
    ("lockdown", "Lockdown"),
    ("evacuation", "Evacuation"),
    ("unlocked", "Kept unlocked"),
];

/// The page.
#[component]
pub fn DoorsPage() -> impl IntoView {
    let viewer = use_viewer();
    let may = move |permission| viewer.as_ref().is_some_and(|viewer| viewer.may(permission));
    let (may_control, may_manage) = (may(Permission::ControlDoors), may(Permission::ManageAccess));
    let (create, order) = (FormState::of::<CreateDoor>(), FormState::of::<OrderDoorMode>());
    let choices = use_choices();
    let (search, mode, cursor) = (asked("search"), asked("mode"), asked("cursor"));
    let page = load(move || Some(ListDoors { search: search.get(), mode: mode.get(), cursor: cursor.get() }));
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let toast = use_toasts();
    let ordered = Signal::derive(move || order.successes.get() > 0);
    Effect::new(move |_| {
        if let Some(count) = order.answer::<usize>() {
            toast(if count == 1 { "1 door changed".to_owned() } else { format!("{count} doors changed") });
        }
    });
    let restricted = is_restricted(&["search", "mode"]);
    let list = move |found: Page<Door>| view! { <DoorTable found page /> }.into_any();
    let empty = move || {
        let (title, text) = if restricted.get() {
            ("No door fits", "Change the filters above.")
        } else {
            (
                "No doors yet",
                "A door has a reader that asks whom to let in, perhaps a lock and a contact. Register its devices, then add it here.",
            )
        };
        view! { <EmptyState glyph=Glyph::Key title=title text=text /> }.into_any()
    };
    view! {
        <Title text="Doors" />
        <DoorTabs />
        <div class="page-head">
            <h1>"Doors"</h1>
            <div class="page-actions">
                {may_control
                    .then(|| {
                        view! {
                            <Dialog
                                label="Lockdown"
                                glyph=Glyph::Shield
                                class="button button-danger"
                                open=order.came_back()
                                done=ordered
                            >
                                <LockdownForm form=order choices />
                            </Dialog>
                        }
                    })}
                {may_manage
                    .then(|| {
                        view! {
                            <Dialog
                                label="Add door"
                                glyph=Glyph::Plus
                                class="button button-primary"
                                open=create.came_back()
                            >
                                <PostForm form=create id="create-door">
                                    <ErrorSummary form=create shown=DOOR_FIELDS />
                                    <DoorFields form=create choices />
                                    <SubmitButton label="Add door" pending=create.pending() />
                                </PostForm>
                            </Dialog>
                        }
                    })}
            </div>
        </div>
        <Filters action="/doors">
            <TextFilter name="search" label="Search" kind="search" placeholder="Name or place" wide=true />
            <SelectFilter name="mode" label="Mode" choices=MODES />
        </Filters>
        <Listed page what="doors" list empty />
    }
}

/// All that is done to many doors at once.
#[component]
fn LockdownForm(form: FormState, choices: Resource<Loaded>) -> impl IntoView {
    let chosen = form.value("scope", "all");
    view! {
        <PostForm form=form id="order-doors">
            <ErrorSummary form=form shown=&[] />
            <p>
                "In a lockdown nobody gets in but whom a policy lets in during lockdowns. Leaving stays free. To end one you are asked to prove who you are."
            </p>
            <div class="field">
                <label for="order-scope">"Which doors"</label>
                <select id="order-scope" name="scope">
                    <option value="all" selected=chosen == "all">"All doors"</option>
                    <Suspense>
                        {move || {
                            let groups = read::<DoorChoices>(choices.get()?).unwrap_or_default().groups;
                            Some(
                                groups
                                    .into_iter()
                                    .map(|group| {
                                        let value = format!("group:{}", group.id);
                                        view! { <option value=value>{group.name}</option> }
                                    })
                                    .collect_view(),
                            )
                        }}
                    </Suspense>
                </select>
            </div>
            <OrderFields form lasts=true id="order" />
            <div class="button-row">
                <SubmitButton
                    label="Lock down"
                    glyph=Glyph::Shield
                    class="button button-danger"
                    name="mode"
                    value="lockdown"
                    pending=form.pending()
                />
                <SubmitButton
                    label="Evacuate: unlock all of them"
                    class="button"
                    name="mode"
                    value="evacuation"
                    pending=form.pending()
                />
                <SubmitButton
                    label="Back to normal"
                    class="button"
                    name="mode"
                    value="normal"
                    pending=form.pending()
                />
            </div>
        </PostForm>
    }
}

#[component]
fn DoorTable(found: Page<Door>, page: Resource<Loaded>) -> impl IntoView {
    let Page { items, next } = found;
    let rows: Vec<_> = items.into_iter().map(|door| (door.id, RwSignal::new(door))).collect();
    let followed = rows.clone();
    follow(
        || Some("doors".to_owned()),
        move |update| match update {
            LiveUpdate::Event(Event::DoorChanged { door }) => match followed.iter().find(|(id, _)| *id == door.id) {
                Some((_, shown)) => shown.set(door),
                None => page.refetch(),
            },
            LiveUpdate::Event(Event::DoorDeleted { .. }) => page.refetch(),
            LiveUpdate::Event(_) | LiveUpdate::Snapshot(_) => {}
        },
    );
    view! {
        <div class="table-wrap">
            <table class="table table-doors">
                <caption class="hidden">"Doors"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Door"</th>
                        <th scope="col">"Mode"</th>
                        <th scope="col">"Since"</th>
                        <th scope="col">"Last let in"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(|(_, door)| view! { <DoorRow door /> }).collect_view()}</tbody>
            </table>
        </div>
        <Pages next />
    }
}

#[component]
fn DoorRow(door: RwSignal<Door>) -> impl IntoView {
    let id = door.with_untracked(|door| door.id);
    view! {
        <tr class="row">
            <td class="cell-state">
                <StateBadge door=Signal::from(door) />
            </td>
            <th scope="row" class="cell-name">
                <a class="row-link" href=format!("/doors/{id}")>{move || door.with(|door| door.name.clone())}</a>
                <span class="sub">{move || door.with(|door| door.location.clone())}</span>
            </th>
            <td class="cell-mode">
                <ModeBadge door=Signal::from(door) />
            </td>
            <td class="cell-seen">
                <Ago at=Signal::derive(move || door.with(|door| door.state_at)) />
            </td>
            <td class="cell-seen">
                <Ago at=Signal::derive(move || door.with(|door| door.granted_at)) />
            </td>
        </tr>
    }
}

/// Whether it is open.
#[component]
pub fn StateBadge(door: Signal<Door>) -> impl IntoView {
    let look = Memo::new(move |_| door.with(state_look));
    move || {
        let (tone, glyph, word) = look.get();
        view! { <Badge tone glyph word /> }
    }
}

/// How it works, when it is out of the ordinary.
#[component]
pub fn ModeBadge(door: Signal<Door>) -> impl IntoView {
    let mode = Memo::new(move |_| door.with(|door| door.mode));
    move || mode_look(mode.get()).map(|(tone, glyph, word)| view! { <Badge tone glyph word /> })
}
