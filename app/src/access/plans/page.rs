//! `/doors/plan`: where the doors are, and how they are.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::DoorId;
use portico_model::access::door::{Door, Plan};
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::manage::{PlaceDoors, PlanForms, PlanMenu, UploadPlan};
use super::{GetPlan, PlanView};
use crate::access::doors::list::{ModeBadge, StateBadge};
use crate::access::doors::tabs::DoorTabs;
use crate::access::doors::{mode_look, state_look};
use crate::form::PostForm;
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::ui::list::asked;
use crate::ui::{EmptyState, Glyph, Icon, Tone};
use crate::viewer::use_viewer;

/// The page.
#[component]
pub fn PlanPage() -> impl IntoView {
    let forms = PlanForms::new();
    let chosen = asked("plan");
    let page = load(move || Some(GetPlan { plan: chosen.get() }));
    // What doors said since the page was loaded.
    let news = RwSignal::new(BTreeMap::<DoorId, Door>::new());
    follow(
        || Some("doors".to_owned()),
        move |update| match update {
            LiveUpdate::Event(Event::DoorChanged { door }) => {
                let old = news.with_untracked(|news| news.get(&door.id).map(|old| old.plan_id));
                if old.is_some_and(|old| old != door.plan_id) {
                    page.refetch();
                }
                news.update(|news| drop(news.insert(door.id, door)));
            }
            LiveUpdate::Event(Event::DoorAreasChanged | Event::DoorDeleted { .. }) if !forms.is_deleting() => {
                page.refetch()
            }
            LiveUpdate::Event(_) | LiveUpdate::Snapshot(_) => {}
        },
    );
    let live = use_live();
    reload_when(page, move || live.returns.get() + forms.successes());
    let body = move |shown: Memo<PlanView>| view! { <PlanBody shown news forms /> }.into_any();
    view! {
        <Title text="Plan" />
        <DoorTabs />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading plan"</p> }
        }>{in_place(page, |view: &PlanView| view.plan.as_ref().map(|plan| plan.id), body)}</Transition>
    }
}

#[component]
fn PlanBody(shown: Memo<PlanView>, news: RwSignal<BTreeMap<DoorId, Door>>, forms: PlanForms) -> impl IntoView {
    let may_manage = use_viewer().is_some_and(|viewer| viewer.may(Permission::ManageAccess));
    let plan = Memo::new(move |_| shown.with(|shown| shown.plan.clone()));
    Effect::new(move |_| {
        // What was loaded is newer than all that was heard before.
        shown.track();
        news.set(BTreeMap::new());
    });
    let doors = Memo::new(move |_| {
        let mut doors = shown.with(|shown| shown.doors.clone());
        news.with(|news| {
            for door in &mut doors {
                if let Some(now) = news.get(&door.id) {
                    door.clone_from(now);
                }
            }
        });
        doors
    });
    let draft = RwSignal::new(None::<(f64, f64)>);
    view! {
        <div class="page-head">
            <h1>{move || plan.with(|plan| plan.as_ref().map_or("Plan".to_owned(), |plan| plan.name.clone()))}</h1>
            <div class="page-actions">
                {may_manage.then(|| view! { <UploadPlan forms /> })}
                {move || plan.get().filter(|_| may_manage).map(|plan| view! { <PlanMenu plan forms /> })}
            </div>
        </div>
        <WhichPlan shown />
        {move || match plan.get() {
            Some(plan) => view! { <Drawing plan doors draft may_manage /> }.into_any(),
            None => view! {
                <EmptyState
                    glyph=Glyph::Explore
                    title="No plan yet"
                    text="Upload a drawing of a floor (SVG, PNG, JPEG or WebP) and place its doors on it. They show here how they are."
                />
            }
                .into_any(),
        }}
        {move || {
            let plan = plan.get().filter(|_| may_manage)?;
            Some(view! { <PlaceDoors plan shown draft form=forms.place /> })
        }}
        {move || plan.with(Option::is_some).then(|| view! { <OnPlan doors plan forms may_manage /> })}
    }
}

/// Where there are several.
#[component]
fn WhichPlan(shown: Memo<PlanView>) -> impl IntoView {
    let plans = Memo::new(move |_| {
        shown.with(|shown| {
            let current = shown.plan.as_ref().map(|plan| plan.id);
            let plans = shown.plans.iter();
            plans.map(|plan| (plan.id, plan.name.clone(), Some(plan.id) == current)).collect::<Vec<_>>()
        })
    });
    move || {
        let plans = plans.get();
        (plans.len() > 1).then(|| {
            view! {
                <nav class="chips" aria-label="Plans">
                    {plans
                        .into_iter()
                        .map(|(id, name, is_current)| {
                            view! {
                                <a href=format!("/doors/plan?plan={id}") aria-current=is_current.then_some("true")>
                                    {name}
                                </a>
                            }
                        })
                        .collect_view()}
                </nav>
            }
        })
    }
}

/// The picture with its doors; a click notes a place.
#[component]
fn Drawing(plan: Plan, doors: Memo<Vec<Door>>, draft: RwSignal<Option<(f64, f64)>>, may_manage: bool) -> impl IntoView {
    let note = move |event: leptos::ev::MouseEvent| {
        use leptos::wasm_bindgen::JsCast;
        let target = event.target().and_then(|target| target.dyn_into::<leptos::web_sys::HtmlElement>().ok());
        let Some(picture) = target.filter(|_| may_manage) else { return };
        let (width, height) = (f64::from(picture.offset_width()), f64::from(picture.offset_height()));
        if width > 0.0 && height > 0.0 {
            let tenths = |part: f64| (part.clamp(0.0, 1.0) * 1000.0).round() / 10.0;
            let (x, y) = (f64::from(event.offset_x()) / width, f64::from(event.offset_y()) / height);
            draft.set(Some((tenths(x), tenths(y))));
        }
    };
    let ids = Memo::new(move |_| doors.with(|doors| doors.iter().map(|door| door.id).collect::<Vec<_>>()));
    view! {
        <div class="plan">
            <img
                class="plan-picture"
                src=plan.picture()
                width=plan.width.to_string()
                height=plan.height.to_string()
                alt=format!("Plan of {}", plan.name)
                on:click=note
            />
            <svg class="plan-doors" aria-label="Doors on the plan">
                {move || {
                    ids.get()
                        .into_iter()
                        .map(|id| {
                            let door = Memo::new(move |before: Option<&Option<Door>>| {
                                let found = doors.with(|doors| doors.iter().find(|door| door.id == id).cloned());
                                found.or_else(|| before.cloned().flatten())
                            });
                            view! { <Marker id door /> }
                        })
                        .collect_view()
                }}
                {move || {
                    draft
                        .get()
                        .map(|(x, y)| {
                            view! {
                                <svg class="plan-draft" x=format!("{x}%") y=format!("{y}%") overflow="visible">
                                    <circle r="16" />
                                    <path d="M-7 0h14M0 -7v14" />
                                </svg>
                            }
                        })
                }}
            </svg>
        </div>
    }
}

const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "plan-door plan-door-ok",
        Tone::Attention => "plan-door plan-door-attention",
        Tone::Danger => "plan-door plan-door-danger",
        Tone::Unknown | Tone::Neutral => "plan-door plan-door-unknown",
    }
}

/// What most needs to be seen of a door: that it is forced, then how it works, then whether it is open.
fn look(door: &Door) -> (Tone, Glyph, String) {
    let (tone, glyph, state) = state_look(door);
    match mode_look(door.mode) {
        Some((mode_tone, mode_glyph, mode)) if tone != Tone::Danger => {
            (mode_tone, mode_glyph, format!("{mode}, {state}"))
        }
        Some((_, _, mode)) => (tone, glyph, format!("{state}, {mode}")),
        None => (tone, glyph, state),
    }
}

#[component]
fn Marker(id: DoorId, door: Memo<Option<Door>>) -> impl IntoView {
    let of = move |read: fn(&Door) -> String| door.with(|door| door.as_ref().map(read).unwrap_or_default());
    let part = |part: Option<f64>| format!("{:.1}%", part.unwrap_or_default() * 100.0);
    let place = move |read: fn(&Door) -> Option<f64>| part(door.with(|door| door.as_ref().and_then(read)));
    let seen = Memo::new(move |_| door.with(|door| door.as_ref().map(look)));
    let class = move || seen.with(|seen| seen.as_ref().map_or("plan-door", |(tone, _, _)| tone_class(*tone)));
    let glyph = move || seen.with(|seen| seen.as_ref().map_or("", |(_, glyph, _)| glyph.path()));
    let words = move || seen.with(|seen| seen.as_ref().map(|(_, _, words)| words.clone()).unwrap_or_default());
    // At the edge its name grows inwards.
    let edge = Memo::new(move |_| {
        let x = door.with(|door| door.as_ref().and_then(|door| door.plan_x)).unwrap_or(0.5);
        if x < 0.08 {
            ("start", "-15")
        } else if x > 0.92 {
            ("end", "15")
        } else {
            ("middle", "0")
        }
    });
    let (anchor, shift) = (move || edge.get().0, move || edge.get().1);
    let navigate = leptos_router::hooks::use_navigate();
    let address = format!("/doors/{id}");
    let there = address.clone();
    let go = move |event: leptos::ev::MouseEvent| {
        if !event.ctrl_key() && !event.meta_key() && !event.shift_key() {
            event.prevent_default();
            navigate(&there, leptos_router::NavigateOptions::default());
        }
    };
    view! {
        <svg class=class x=move || place(|door| door.plan_x) y=move || place(|door| door.plan_y) overflow="visible">
            <a href=address on:click=go aria-label=move || format!("{}: {}", of(|door| door.name.clone()), words())>
                <circle class="plan-reach" r="22" />
                <circle class="plan-spot" r="15" />
                <path d=glyph transform="translate(-9 -9) scale(0.9)" />
                <text y="30" x=shift text-anchor=anchor>{move || of(|door| door.name.clone())}</text>
            </a>
        </svg>
    }
}

/// The same in a list.
#[component]
fn OnPlan(doors: Memo<Vec<Door>>, plan: Memo<Option<Plan>>, forms: PlanForms, may_manage: bool) -> impl IntoView {
    let ids = Memo::new(move |_| {
        doors.with(|doors| doors.iter().map(|door| (door.id, door.name.clone())).collect::<Vec<_>>())
    });
    let find = move |id| doors.with(|doors| doors.iter().find(|door| door.id == id).cloned());
    move || {
        let ids = ids.get();
        if ids.is_empty() {
            return view! { <p class="quiet">"No door is on this plan yet."</p> }.into_any();
        }
        let plan = plan.with_untracked(|plan| plan.as_ref().map(|plan| plan.id.to_string()).unwrap_or_default());
        let rows = ids.into_iter().filter_map(|(id, name)| find(id).map(|first| (id, name, first)));
        view! {
            <section class="card" aria-labelledby="on-plan-title">
            <h2 id="on-plan-title">"Doors on this plan"</h2>
            <ul class="rows" aria-label="Doors on this plan">
                {rows
                    .map(|(id, name, first)| {
                        let door = Signal::derive(move || find(id).unwrap_or_else(|| first.clone()));
                        let label = format!("Take {name} off the plan");
                        let plan = plan.clone();
                        view! {
                            <li class="line">
                                <a href=format!("/doors/{id}")>{name}</a>
                                <span class="line-end">
                                    <ModeBadge door />
                                    <StateBadge door />
                                    {may_manage
                                        .then(|| {
                                            view! {
                                                <PostForm form=forms.unplace class="inline">
                                                    <input type="hidden" name="door" value=id.to_string() />
                                                    <input type="hidden" name="plan" value=plan />
                                                    <button class="button button-icon" type="submit" title=label.clone() aria-label=label>
                                                        <Icon glyph=Glyph::Cross />
                                                    </button>
                                                </PostForm>
                                            }
                                        })}
                                </span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
            </section>
        }
            .into_any()
    }
}
