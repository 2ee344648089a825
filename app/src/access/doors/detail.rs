//! `/doors/:id`: one door, live, and what may be done to it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::access::DoorMode;
use portico_model::access::door::Door;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::{DeviceId, DoorId, ZoneId};

use super::forms::{DOOR_FIELDS, DoorFields, OrderForm, use_choices};
use super::list::{ModeBadge, StateBadge};
use super::{DeleteDoor, DoorChoices, GetDoor, OpenDoor, OrderDoorMode, UpdateDoor};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{Loaded, in_place, load, read, reload_when};
use crate::time::Ago;
use crate::ui::toast::use_toasts;
use crate::ui::{Dialog, ErrorSummary, Glyph, Icon, SubmitButton};
use crate::viewer::use_viewer;

#[derive(Clone, Copy)]
struct Forms {
    update: FormState,
    delete: FormState,
    open: FormState,
    order: FormState,
    choices: Resource<Loaded>,
}

/// The page.
#[component]
pub fn DoorPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<DoorId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = Forms {
        update: FormState::of::<UpdateDoor>(),
        delete: FormState::of::<DeleteDoor>(),
        open: FormState::of::<OpenDoor>(),
        order: FormState::of::<OrderDoorMode>(),
        choices: use_choices(),
    };
    let door = load(move || id.get().map(|id| GetDoor { id }));
    let deleted = RwSignal::new(false);
    follow(
        move || id.get().map(|id| format!("door:{id}")),
        move |update| match update {
            LiveUpdate::Event(Event::DoorChanged { .. }) => door.refetch(),
            LiveUpdate::Event(Event::DoorDeleted { .. }) => deleted.set(true),
            LiveUpdate::Event(_) | LiveUpdate::Snapshot(_) => {}
        },
    );
    let live = use_live();
    reload_when(door, move || live.returns.get());
    let toast = use_toasts();
    Effect::new(move |before: Option<u32>| {
        let opened = forms.open.successes.get();
        if before.is_some_and(|before| before != opened) {
            toast("The door was told to open".to_owned());
        }
        opened
    });
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/doors">"Doors"</a>
        </nav>
        <p class="note note-danger" role="alert" hidden=move || !deleted.get()>
            "This door was removed. What you see is its last state."
        </p>
        <p class="note" role="status" hidden=forms.open.outcome("opened").is_none()>
            "The door was told to open."
        </p>
        {move || id.get().is_none().then(|| view! { <h1>"There is no such door"</h1> })}
        <Transition fallback=|| view! { <p class="loading" role="status">"Loading door"</p> }>
            {in_place(door, |door: &Door| door.id, move |door| view! { <DoorBody door forms /> }.into_any())}
        </Transition>
    }
}

#[component]
fn DoorBody(door: Memo<Door>, forms: Forms) -> impl IntoView {
    let viewer = use_viewer();
    let may = move |permission| viewer.as_ref().is_some_and(|viewer| viewer.may(permission));
    let (may_control, may_manage) = (may(Permission::ControlDoors), may(Permission::ManageAccess));
    let id = door.with_untracked(|door| door.id);
    let mode = Memo::new(move |_| door.with(|door| door.mode));
    let shown = Signal::derive(move || door.get());
    let lasts = move || {
        door.with(|door| match (door.mode, door.mode_by.as_str()) {
            (DoorMode::Normal, _) | (_, "") => None,
            (_, by) => Some(format!("by {by}")),
        })
    };
    view! {
        <Title text=move || door.try_with(|door| door.name.clone()).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{move || door.with(|door| door.name.clone())}</h1>
                <StateBadge door=shown />
                <ModeBadge door=shown />
                <span class="quiet">{lasts}</span>
            </div>
            <div class="page-actions">
                {may(Permission::ReadAccessLog)
                    .then(|| {
                        view! {
                            <a class="button" href=format!("/access_logs?door={id}")>
                                <Icon glyph=Glyph::Clock />
                                <span>"Access log"</span>
                            </a>
                        }
                    })}
                {may_control.then(|| view! { <Control id mode forms /> })}
                {may_manage.then(|| view! { <Manage door forms /> })}
            </div>
        </div>
        <p class="lead">{move || door.with(|door| door.location.clone())}</p>
        <ErrorSummary form=forms.open shown=&[] />
        <section class="card" aria-label="About this door"><dl class="facts">
            <dt>"State"</dt>
            <dd>
                <StateBadge door=shown />
                " "
                <Ago at=Signal::derive(move || door.with(|door| door.state_at)) />
            </dd>
            <dt>"Last let in"</dt>
            <dd>
                <Ago at=Signal::derive(move || door.with(|door| door.granted_at)) />
            </dd>
            <dt>"Mode"</dt>
            <dd>{move || door.with(|door| match (door.mode, door.mode_until) {
                (DoorMode::Normal, _) => "Normal operation".to_owned(),
                (_, None) => "Until somebody ends it".to_owned(),
                (_, Some(until)) => format!("Until {}", crate::time::utc_text(until)),
            })}</dd>
            <Part title="Reader outside" part=Signal::derive(move || door.with(|door| (door.reader_id, door.reader_name.clone()))) />
            <Part title="Reader inside" part=Signal::derive(move || door.with(|door| (door.exit_reader_id, door.exit_reader_name.clone()))) />
            <Part title="Lock" part=Signal::derive(move || door.with(|door| (door.lock_id, door.lock_name.clone()))) />
            <Part title="Contact" part=Signal::derive(move || door.with(|door| (door.contact_id, door.contact_name.clone()))) />
            <ZonePart title="Outside is" choices=forms.choices id=Signal::derive(move || door.with(|door| door.from_zone_id)) />
            <ZonePart title="Inside is" choices=forms.choices id=Signal::derive(move || door.with(|door| door.into_zone_id)) />
            <dt>"Unlocked for"</dt>
            <dd class="number">{move || door.with(|door| door.unlock_s)} " " <span class="unit">"s"</span></dd>
            <dt>"Open too long after"</dt>
            <dd class="number">{move || door.with(|door| door.held_after_s)} " " <span class="unit">"s"</span></dd>
        </dl></section>
    }
}

/// A device of the door.
#[component]
fn Part(title: &'static str, part: Signal<(Option<DeviceId>, Option<String>)>) -> impl IntoView {
    view! {
        <dt>{title}</dt>
        <dd>
            {move || match part.get() {
                (None, _) => view! { <span class="quiet">"None"</span> }.into_any(),
                (Some(_), None) => view! { <span class="quiet">"Removed"</span> }.into_any(),
                (Some(id), Some(name)) => view! { <a href=format!("/devices/{id}")>{name}</a> }.into_any(),
            }}
        </dd>
    }
}

/// Where it leads, when that is said.
#[component]
fn ZonePart(title: &'static str, choices: Resource<Loaded>, id: Signal<Option<ZoneId>>) -> impl IntoView {
    view! {
        <Suspense>
            {move || {
                let (id, choices) = (id.get()?, choices.get()?);
                let zones = read::<DoorChoices>(choices).unwrap_or_default().zones;
                let name = zones.into_iter().find(|zone| zone.id == id)?.name;
                Some(
                    view! {
                        <dt>{title}</dt>
                        <dd>
                            <a href="/doors/areas">{name}</a>
                        </dd>
                    },
                )
            }}
        </Suspense>
    }
}

/// Opening it, and how it works.
#[component]
fn Control(id: DoorId, mode: Memo<DoorMode>, forms: Forms) -> impl IntoView {
    let order = forms.order;
    let done = Signal::derive(move || {
        mode.track();
        order.successes.get() > 0
    });
    let scope = move || format!("door:{id}");
    view! {
        <PostForm form=forms.open class="inline">
            <input type="hidden" name="id" value=id.to_string() />
            <SubmitButton label="Open door" glyph=Glyph::Key pending=forms.open.pending() />
        </PostForm>
        {move || {
            if mode.get() == DoorMode::Normal {
                view! {
                    <Dialog
                        label="Lockdown"
                        glyph=Glyph::Shield
                        class="button button-danger"
                        open=order.came_back()
                        done
                    >
                        <OrderForm
                            form=order
                            id="lock-down"
                            scope=scope()
                            mode=DoorMode::Lockdown
                            text="Nobody gets in but whom a policy lets in during lockdowns. Leaving stays free."
                            label="Lock down this door"
                            class="button button-danger"
                            lasts=true
                        />
                    </Dialog>
                    <Dialog label="Keep unlocked" glyph=Glyph::SignOut done>
                        <OrderForm
                            form=order
                            id="keep-unlocked"
                            scope=scope()
                            mode=DoorMode::Unlocked
                            text="Everyone may come in, and nobody is asked who he is."
                            label="Keep this door unlocked"
                            lasts=true
                        />
                    </Dialog>
                }
                    .into_any()
            } else {
                view! {
                    <Dialog label="Back to normal" glyph=Glyph::Check open=order.came_back() done>
                        <OrderForm
                            form=order
                            id="back-to-normal"
                            scope=scope()
                            mode=DoorMode::Normal
                            text="Policies decide again who gets in."
                            label="End it"
                        />
                    </Dialog>
                }
                    .into_any()
            }
        }}
    }
}

/// Its settings.
#[component]
fn Manage(door: Memo<Door>, forms: Forms) -> impl IntoView {
    let Forms { update, delete, choices, .. } = forms;
    let updated = Signal::derive(move || update.successes.get() > 0);
    let first = door.get_untracked();
    let (id, name) = (first.id, first.name.clone());
    view! {
        <Dialog label="Edit" glyph=Glyph::Edit open=update.came_back() done=updated>
            <PostForm form=update id="edit-door">
                <ErrorSummary form=update shown=DOOR_FIELDS />
                <input type="hidden" name="id" value=id.to_string() />
                <DoorFields form=update choices door=first />
                <SubmitButton label="Save changes" pending=update.pending() />
            </PostForm>
        </Dialog>
        <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=delete.came_back()>
            <PostForm form=delete id="delete-door">
                <ErrorSummary form=delete shown=&[] />
                <input type="hidden" name="id" value=id.to_string() />
                <p>
                    {format!(
                        "Removes “{name}” and the policies that name it. Its devices stay, and so does what happened at it.",
                    )}
                </p>
                <SubmitButton
                    label="Remove door"
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=delete.pending()
                />
            </PostForm>
        </Dialog>
    }
}
