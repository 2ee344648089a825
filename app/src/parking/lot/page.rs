//! `/parking/:lot`: the plan of a level with its spots, live, and the same as a list.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use leptos_router::hooks::use_params_map;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::SpotCounts;
use portico_model::parking::lot::Level;
use portico_model::parking::spot::{Spot, SpotStatus};
use portico_model::{LotId, ParkingLevelId, SpotId};

use super::table::SpotTable;
use super::{GetLot, LotView};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::parking::fill::{FillBar, Legend, Patterns};
use crate::parking::fold::{Filter, count, fold_spot};
use crate::parking::overview::FreeOf;
use crate::parking::plan::{Sheet, corners, lettering, mark, place, status_class};
use crate::parking::reservations::reserve::page::ReserveButton;
use crate::parking::zoom::{PlanBox, Zoom};
use crate::parking::{attributes, refetch_gently, status_look};
use crate::ui::list::{asked, submit_form_of};
use crate::ui::{EmptyState, Glyph, Icon, SelectFilter};
use crate::viewer::viewer_may;

const STATES: &[(&str, &str)] = &[
    ("", "Any"),
    ("available", "Free"),
    ("occupied", "Occupied"),
    ("reserved", "Reserved"),
    ("unknown", "Unknown"),
    ("disabled", "Out of use"),
];

const ATTRIBUTES: &[(&str, &str)] = &[("", "Any"), ("accessible", "Accessible"), ("ev", "With a charger")];

/// A spot that is shown: what changes in it changes where it is drawn, and nowhere else.
#[derive(Clone, Copy)]
pub struct Shown {
    pub spot: RwSignal<Spot>,
    /// How often its status changed while the page was open.
    pub changes: RwSignal<u32>,
    /// Whether the filters let it through.
    pub fits: Memo<bool>,
}

impl Shown {
    fn new(spot: Spot, filter: Memo<Filter>) -> Self {
        let spot = RwSignal::new(spot);
        let fits = Memo::new(move |_| filter.with(|filter| spot.with(|spot| filter.fits(spot))));
        Self { spot, changes: RwSignal::new(0), fits }
    }

    fn change(&self, fold: impl FnOnce(&mut Spot) -> bool) {
        let before = self.spot.with_untracked(|spot| spot.status);
        if self.spot.try_maybe_update(|spot| (fold(spot), ())).is_none() {
            return;
        }
        if self.spot.with_untracked(|spot| spot.status) != before {
            self.changes.update(|changes| *changes += 1);
        }
    }
}

/// The page.
#[component]
pub fn LotPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("lot").and_then(|id| id.parse::<LotId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let level = asked("level");
    let page = load(move || id.get().map(|lot| GetLot { lot, level: level.get() }));
    follow(
        || Some("parking".to_owned()),
        move |update| {
            if matches!(update, LiveUpdate::Event(Event::ParkingChanged)) {
                page.refetch();
            }
        },
    );
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let gently = refetch_gently(page);
    let body = move |shown: Memo<LotView>| view! { <LotBody shown gently /> }.into_any();
    // Whoever is on the plan: when spots come or go it is drawn anew, else each changes in its place.
    let key = |view: &LotView| {
        let spots: Vec<SpotId> = view.spots.iter().map(|spot| spot.key).collect();
        (view.lot.id, view.level.as_ref().map(|level| level.id), spots)
    };
    view! {
        <Patterns />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/parking">"Parking"</a>
        </nav>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading plan"</p> }
        }>{in_place(page, key, body)}</Transition>
    }
}

fn use_filter() -> Memo<Filter> {
    let (zone, attribute, status) = (asked("zone"), asked("with"), asked("status"));
    Memo::new(move |_| Filter {
        zone: zone.get(),
        is_accessible: attribute.with(|with| with == "accessible"),
        is_ev: attribute.with(|with| with == "ev"),
        status: status.with(|status| SpotStatus::parse(status)),
    })
}

#[component]
fn LotBody(shown: Memo<LotView>, gently: impl Fn() + Copy + 'static) -> impl IntoView {
    let may_manage = viewer_may(Permission::ManageParking);
    let filter = use_filter();
    let first = shown.get_untracked();
    let id = first.lot.id;
    let all: Vec<Shown> = first.spots.iter().map(|spot| Shown::new(spot.clone(), filter)).collect();
    let by_key: BTreeMap<SpotId, Shown> = first.spots.iter().map(|spot| spot.key).zip(all.iter().copied()).collect();
    let by_key = StoredValue::new(by_key);
    let put = move |spot: Spot| {
        let known = by_key.with_value(|known| known.get(&spot.key).copied());
        if let Some(known) = known {
            known.change(|old| {
                let differs = *old != spot;
                *old = spot;
                differs
            });
        }
    };
    Effect::new(move |before: Option<()>| {
        let spots = shown.with(|shown| shown.spots.clone());
        if before.is_some() {
            spots.into_iter().for_each(put);
        }
    });
    let level = first.level.clone();
    let level_id = level.as_ref().map(|level| level.id);
    follow(
        move || Some(format!("parking:{id}")),
        move |update| match update {
            LiveUpdate::Event(event) => {
                let (key, is_elsewhere) = match &event {
                    Event::SpotStatusChanged { key, .. } => (*key, false),
                    // Added to this level, or moved away from it.
                    Event::SpotChanged { spot } => {
                        let is_known = by_key.with_value(|known| known.contains_key(&spot.key));
                        (spot.key, is_known != (Some(spot.level_id) == level_id))
                    }
                    _ => return,
                };
                match by_key.with_value(|known| known.get(&key).copied()) {
                    Some(known) if !is_elsewhere => known.change(|spot| fold_spot(spot, &event)),
                    // For the numbers beside the other levels.
                    _ => gently(),
                }
            }
            LiveUpdate::Snapshot(mut data) => {
                let spots = data.get_mut("spots").map(serde_json::Value::take);
                let spots = spots.and_then(|spots| serde_json::from_value::<Vec<Spot>>(spots).ok());
                spots.into_iter().flatten().for_each(put);
            }
        },
    );
    let counted = all.clone();
    let counts = Memo::new(move |_| {
        let spots: Vec<_> = counted.iter().map(|shown| shown.spot.read()).collect();
        count(spots.iter().map(|spot| &**spot))
    });
    let edit = match &level {
        Some(level) => format!("/parking/{id}/edit?level={}", level.id),
        None => format!("/parking/{id}/edit"),
    };
    let history = viewer_may(Permission::ReadParking).then(|| {
        view! {
            <a
                class="button"
                href=format!("/api/v1/parking/export/occupancy.csv?lot_id={id}")
                rel="external"
                download="occupancy.csv"
            >
                <Icon glyph=Glyph::Download />
                <span>"History"</span>
            </a>
        }
    });
    let actions = may_manage.then(|| {
        view! {
            <a class="button" href=edit.clone()>
                <Icon glyph=Glyph::Edit />
                <span>"Edit lot"</span>
            </a>
        }
    });
    view! {
        <Title text=move || shown.try_with(|shown| shown.lot.name.clone()).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>{move || shown.with(|shown| shown.lot.name.clone())}</h1>
                <span class="quiet">{move || shown.with(|shown| shown.lot.address.clone())}</span>
            </div>
            <div class="page-actions">
                <ReserveButton lot=first.lot.clone() />
                {history}
                {actions}
            </div>
        </div>
        <LevelChips shown current=level_id counts path=format!("/parking/{id}") />
        {match level {
            None => {
                let text = if may_manage {
                    "A level has a plan with its spots. Add the first, then draw its rows."
                } else {
                    "Nobody has added levels to this lot yet."
                };
                view! {
                    <EmptyState glyph=Glyph::Parking title="No levels yet" text>
                        {may_manage.then(|| view! { <a class="button button-primary" href=edit>"Add level"</a> })}
                    </EmptyState>
                }
                    .into_any()
            }
            Some(_) if all.is_empty() => {
                let text = if may_manage {
                    "Draw its rows of spots, add single ones, or import them from a table."
                } else {
                    "Nobody has drawn its spots yet."
                };
                view! {
                    <EmptyState glyph=Glyph::Parking title="No spots on this level" text>
                        {may_manage.then(|| view! { <a class="button button-primary" href=edit>"Add spots"</a> })}
                    </EmptyState>
                }
                    .into_any()
            }
            Some(level) => view! { <LevelBody lot=id level all counts /> }.into_any(),
        }}
    }
}

/// The levels, each with what is free on it.
#[component]
pub fn LevelChips(
    shown: Memo<LotView>,
    current: Option<ParkingLevelId>,
    /// Of the current one, newer than what was loaded.
    counts: Memo<SpotCounts>,
    path: String,
) -> impl IntoView {
    let levels = Memo::new(move |_| {
        let levels = shown.with(|shown| shown.levels.clone());
        let counts_of = |level: &Level| if Some(level.id) == current { counts.get() } else { level.counts };
        levels.into_iter().map(|level| (level.id, counts_of(&level), level.name)).collect::<Vec<_>>()
    });
    move || {
        let levels = levels.get();
        (!levels.is_empty()).then(|| {
            view! {
                <nav class="chips" aria-label="Levels">
                    {levels
                        .into_iter()
                        .map(|(id, counts, name)| {
                            view! {
                                <a
                                    href=format!("{path}?level={id}")
                                    aria-current=(Some(id) == current).then_some("true")
                                >
                                    <span>{name}</span>
                                    <span class="sub number">{format!("{} free of {}", counts.available, counts.total)}</span>
                                </a>
                            }
                        })
                        .collect_view()}
                </nav>
            }
        })
    }
}

#[component]
fn LevelBody(lot: LotId, level: Level, all: Vec<Shown>, counts: Memo<SpotCounts>) -> impl IntoView {
    let mut zones: Vec<String> = all.iter().map(|shown| shown.spot.with_untracked(|spot| spot.zone.clone())).collect();
    zones.retain(|zone| !zone.is_empty());
    zones.sort();
    zones.dedup();
    let fitting = {
        let all = all.clone();
        Memo::new(move |_| all.iter().filter(|shown| shown.fits.get()).count())
    };
    let total = all.len();
    view! {
        <section class="park-now" aria-label="Now">
            <FreeOf counts />
            <div>
                <FillBar counts />
                <Legend counts />
            </div>
        </section>
        <SpotFilters lot level=level.id zones />
        <p class="quiet park-fitting" role="status" hidden=move || fitting.get() == total>
            {move || format!("{} of {total} spots fit.", fitting.get())} " "
            <a href=format!("/parking/{lot}?level={}", level.id)>"Show all"</a>
        </p>
        <div class="park-level">
            <PlanOfLevel level all=all.clone() />
            <SpotTable all />
        </div>
    }
}

#[component]
fn SpotFilters(lot: LotId, level: ParkingLevelId, zones: Vec<String>) -> impl IntoView {
    let zone = asked("zone");
    view! {
        <Form method="GET" action=format!("/parking/{lot}") attr:class="filters">
            <input type="hidden" name="level" value=level.to_string() />
            {(!zones.is_empty())
                .then(|| {
                    view! {
                        <div class="filter">
                            <label for="filter-zone">"Zone"</label>
                            <select id="filter-zone" name="zone" on:change=submit_form_of>
                                <option value="">"Any"</option>
                                {zones
                                    .into_iter()
                                    .map(|name| {
                                        let value = name.clone();
                                        view! {
                                            <option value=value.clone() selected=move || zone.with(|zone| *zone == value)>
                                                {name}
                                            </option>
                                        }
                                    })
                                    .collect_view()}
                            </select>
                        </div>
                    }
                })}
            <SelectFilter name="with" label="Kind" choices=ATTRIBUTES />
            <SelectFilter name="status" label="State" choices=STATES />
            <button class="button" type="submit">"Apply"</button>
        </Form>
    }
}

/// A click on a spot opens its page; one listener for all of them.
fn open_spot(navigate: impl Fn(&str)) -> impl Fn(leptos::ev::MouseEvent) {
    use leptos::wasm_bindgen::JsCast;
    move |event| {
        if event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0 {
            return;
        }
        let target = event.target().and_then(|target| target.dyn_into::<leptos::web_sys::Element>().ok());
        let link = target.and_then(|target| target.closest("a").ok().flatten());
        if let Some(address) = link.and_then(|link| link.get_attribute("href")) {
            event.prevent_default();
            navigate(&address);
        }
    }
}

#[component]
fn PlanOfLevel(level: Level, all: Vec<Shown>) -> impl IntoView {
    let sheet = Sheet::of(&level);
    let zoom = Zoom::of(&sheet);
    let navigate = leptos_router::hooks::use_navigate();
    let open = open_spot(move |address| navigate(address, leptos_router::NavigateOptions::default()));
    view! {
        <PlanBox zoom label=format!("Plan of {}", level.name)>
            <a class="park-skip" href="#spots">"Skip the plan, to the list"</a>
            <div class="park-sheet">
                <svg viewBox=sheet.view_box() width=move || zoom.width() on:click=open>
                    <rect
                        class="park-ground"
                        x="0"
                        y="0"
                        width=level.width_cm.to_string()
                        height=level.height_cm.to_string()
                    />
                    {all.into_iter().map(|shown| view! { <Marker shown /> }).collect_view()}
                </svg>
            </div>
        </PlanBox>
    }
}

/// What a reader hears of it.
fn label(spot: &Spot) -> String {
    let (_, _, word) = status_look(spot.status);
    let about = attributes(spot).into_iter().map(|(_, word)| word.to_lowercase());
    let zone = (!spot.zone.is_empty()).then(|| format!("zone {}", spot.zone));
    let parts: Vec<String> = [word.to_owned()].into_iter().chain(zone).chain(about).collect();
    format!("{}: {}", spot.id, parts.join(", "))
}

#[component]
fn Marker(shown: Shown) -> impl IntoView {
    let Shown { spot, changes, fits } = shown;
    let status = Memo::new(move |_| spot.with(|spot| spot.status));
    let words = Memo::new(move |_| spot.with(label));
    // All that seldom changes.
    let drawn = Memo::new(move |_| spot.with(|spot| (spot.id.clone(), spot.outline, spot.is_accessible, spot.is_ev)));
    let class = move || {
        let dim = if fits.get() { "" } else { " park-dim" };
        let glow = match changes.get() {
            0 => "",
            changes if changes % 2 == 1 => " park-glow-odd",
            _ => " park-glow-even",
        };
        format!("park-spot {}{dim}{glow}", status_class(status.get()))
    };
    view! {
        <g
            class=class
            transform=move || drawn.with(|(_, outline, ..)| place(outline))
        >
            {move || {
                let (id, outline, is_accessible, is_ev) = drawn.get();
                let [x, y, width, height] = corners(&outline);
                let (turn, size) = lettering(&outline, &id);
                let extra: Vec<&'static str> = [
                    is_accessible.then_some(Glyph::Accessible.path()),
                    is_ev.then_some(Glyph::Bolt.path()),
                ]
                    .into_iter()
                    .flatten()
                    .collect();
                let all = extra.len() + 1;
                view! {
                    <a href=format!("/parking/spots/{id}") aria-label=move || words.get()>
                        <rect class="park-bay" x=x.clone() y=y.clone() width=width.clone() height=height.clone() rx="18" />
                        <rect class="park-hatched" x=x y=y width=width height=height rx="18" fill="url(#park-hatch-plan)" />
                        <path class="park-glyph" d=move || status_look(status.get()).1.path() transform=mark(&outline, 0, all) />
                        {extra
                            .into_iter()
                            .enumerate()
                            .map(|(at, path)| {
                                view! { <path class="park-glyph" d=path transform=mark(&outline, at + 1, all) /> }
                            })
                            .collect_view()}
                        <text transform=turn font-size=size>{id.clone()}</text>
                    </a>
                }
            }}
        </g>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parking::fold::tests::spot;

    #[test]
    fn readers_hear_the_state_and_what_is_special() {
        assert_eq!(label(&spot("1")), "1: Free, zone A");
        let special = Spot { is_ev: true, zone: String::new(), status: SpotStatus::Reserved, ..spot("1") };
        assert_eq!(label(&special), "1: Reserved, charger");
    }
}
