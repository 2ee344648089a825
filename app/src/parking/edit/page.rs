//! `/parking/:lot/edit`: settings, levels, spots and where they are drawn.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::LotId;
use portico_model::live::Event;
use portico_model::parking::lot::Level;

use super::import::Import;
use super::levels::{Generate, LevelMenu, NewLevel};
use super::lot_form::{LotForm, RemoveLot};
use super::places::Places;
use super::spot_form::{SPOT_FIELDS, SpotFields};
use super::{
    CreateLevel, CreateSpot, DeleteLevel, DeleteLot, EditView, GenerateSpots, GetLotEditor, PlaceSpots, UpdateLevel,
    UpdateLot,
};
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::parking::lot::page::LevelChips;
use crate::parking::refetch_gently;
use crate::ui::list::asked;
use crate::ui::toast::use_toasts;
use crate::ui::{Dialog, EmptyState, ErrorSummary, Glyph, Icon, SubmitButton};

#[derive(Clone, Copy)]
struct EditForms {
    lot: FormState,
    delete_lot: FormState,
    new_level: FormState,
    level: FormState,
    delete_level: FormState,
    generate: FormState,
    spot: FormState,
    places: FormState,
    imports: RwSignal<u32>,
}

impl EditForms {
    fn new() -> Self {
        Self {
            lot: FormState::of::<UpdateLot>(),
            delete_lot: FormState::of::<DeleteLot>(),
            new_level: FormState::of::<CreateLevel>(),
            level: FormState::of::<UpdateLevel>(),
            delete_level: FormState::of::<DeleteLevel>(),
            generate: FormState::of::<GenerateSpots>(),
            spot: FormState::of::<CreateSpot>(),
            places: FormState::of::<PlaceSpots>(),
            imports: RwSignal::new(0),
        }
    }

    /// How often any of them succeeded that leaves the page as it is.
    fn successes(&self) -> u32 {
        let all = [self.lot, self.level, self.generate, self.spot, self.places];
        FormState::successes_of(&all) + self.imports.get()
    }

    /// Whether something is being removed: then the page is about to leave it.
    fn is_deleting(&self) -> bool {
        self.delete_lot.pending().get_untracked() || self.delete_level.pending().get_untracked()
    }
}

/// The page.
#[component]
pub fn EditLotPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("lot").and_then(|id| id.parse::<LotId>().ok())));
    #[cfg(feature = "ssr")]
    if id.get_untracked().is_none() {
        crate::server::set_status(404);
    }
    let forms = EditForms::new();
    let level = asked("level");
    let page = load(move || id.get().map(|lot| GetLotEditor { lot, level: level.get() }));
    let gently = refetch_gently(page);
    follow(
        move || id.get().map(|_| "parking".to_owned()),
        move |update| match update {
            LiveUpdate::Event(Event::ParkingChanged) if !forms.is_deleting() => gently(),
            LiveUpdate::Event(Event::SpotChanged { spot }) if Some(spot.lot_id) == id.get_untracked() => gently(),
            _ => {}
        },
    );
    let live = use_live();
    reload_when(page, move || live.returns.get() + forms.successes());
    let toast = use_toasts();
    for (form, text) in [
        (forms.lot, "Settings saved"),
        (forms.level, "Level saved"),
        (forms.generate, "Rows drawn"),
        (forms.spot, "Spot added"),
    ] {
        Effect::new(move |before: Option<u32>| {
            let now = form.successes.get();
            if before.is_some_and(|before| before != now) {
                toast(text.to_owned());
            }
            now
        });
    }
    let body = move |shown: Memo<EditView>| view! { <EditBody shown forms /> }.into_any();
    let key = |view: &EditView| (view.shown.lot.id, view.shown.level.as_ref().map(|level| level.id));
    view! {
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading lot"</p> }
        }>{in_place(page, key, body)}</Transition>
    }
}

#[component]
fn EditBody(shown: Memo<EditView>, forms: EditForms) -> impl IntoView {
    let first = shown.get_untracked();
    let (lot, doors, tariffs) = (first.shown.lot, first.doors, first.tariffs);
    let (id, current) = (lot.id, first.shown.level.as_ref().map(|level| level.id));
    let plan = Memo::new(move |_| shown.with(|shown| shown.shown.clone()));
    let name = Memo::new(move |_| plan.with(|plan| plan.lot.name.clone()));
    let level = Memo::new(move |_| plan.with(|plan| plan.level.clone()));
    let counts = Memo::new(move |_| level.with(|level| level.as_ref().map(|level| level.counts).unwrap_or_default()));
    let is_open = Memo::new(move |_| plan.with(|plan| plan.lot.is_public));
    let next = first.shown.levels.iter().map(|level| level.position).max().map_or(1, |last| last + 1);
    let has_levels = !first.shown.levels.is_empty();
    let address = match current {
        Some(level) => format!("/parking/{id}?level={level}"),
        None => format!("/parking/{id}"),
    };
    view! {
        <Title text=move || name.try_with(|name| format!("Edit {name}")).unwrap_or_default() />
        <nav class="crumbs park-crumbs" aria-label="Breadcrumb">
            <a href="/parking">"Parking"</a>
            <a href=address.clone()>{move || name.get()}</a>
        </nav>
        <div class="page-head">
            <h1>{move || format!("Edit {}", name.get())}</h1>
            <div class="page-actions">
                <a class="button" href=address>
                    <Icon glyph=Glyph::Check />
                    <span>"Done"</span>
                </a>
                <a class="button" href=format!("/parking/{id}/codes")>
                    <Icon glyph=Glyph::Parking />
                    <span>"QR codes"</span>
                </a>
                <RemoveLot form=forms.delete_lot id=id.to_string() name=lot.name.clone() />
            </div>
        </div>
        <div class="stack">
            <details class="card park-settings" open=forms.lot.came_back()>
                <summary>
                    <h2>"Settings"</h2>
                </summary>
                <LotForm form=forms.lot lot doors tariffs is_open />
            </details>
            <section aria-labelledby="levels-title">
                <div class="card-head">
                    <h2 id="levels-title">"Levels"</h2>
                    {has_levels
                        .then(|| view! { <NewLevel form=forms.new_level lot=id next /> })}
                </div>
                <LevelChips shown=plan current counts path=format!("/parking/{id}/edit") />
                {(!has_levels)
                    .then(|| {
                        view! {
                            <EmptyState
                                glyph=Glyph::Parking
                                title="No levels yet"
                                text="A level has a plan of its own. Add the first, then draw its rows of spots; or import spots from a table, which makes the levels that it names."
                            >
                                <NewLevel form=forms.new_level lot=id next is_first=true />
                            </EmptyState>
                        }
                    })}
            </section>
            {move || current.and(level.with(Option::is_some).then(|| view! { <OfLevel shown=plan forms /> }))}
            <Import lot=id imports=forms.imports />
        </div>
    }
}

/// All that is done on one level.
#[component]
fn OfLevel(shown: Memo<crate::parking::lot::LotView>, forms: EditForms) -> impl IntoView {
    let level = Memo::new(move |_| shown.with(|shown| shown.level.clone()));
    let levels = shown.with_untracked(|shown| shown.levels.clone());
    let spots = Memo::new(move |_| shown.with(|shown| shown.spots.clone()));
    // When spots come or go, or the plan grows, it is drawn anew; else each stays where somebody has moved it.
    let drawn = Memo::new(move |_| {
        let keys = spots.with(|spots| spots.iter().map(|spot| (spot.key, spot.id.clone())).collect::<Vec<_>>());
        let size =
            level.with(|level| level.as_ref().map(|level| (level.width_cm, level.height_cm, level.name.clone())));
        (keys, size)
    });
    let levels = StoredValue::new(levels);
    let menu = move |level: Level| {
        let chosen = level.id.to_string();
        let lot = level.lot_id.to_string();
        let added = Signal::derive(move || forms.spot.successes.get() > 0);
        view! {
            <div class="park-level-head">
                <h2>{level.name.clone()}</h2>
                <div class="page-actions">
                    <Dialog label="Add spot" glyph=Glyph::Plus open=forms.spot.came_back() done=added>
                        <PostForm form=forms.spot id="create-spot">
                            <ErrorSummary form=forms.spot shown=SPOT_FIELDS />
                            <input type="hidden" name="lot" value=lot />
                            <SpotFields form=forms.spot levels=levels.get_value() level=chosen />
                            <SubmitButton label="Add spot" pending=forms.spot.pending() />
                        </PostForm>
                    </Dialog>
                    <LevelMenu level update=forms.level delete=forms.delete_level />
                </div>
            </div>
        }
    };
    // Made once: a form that somebody is filling stays as it is.
    let head = level.get_untracked().map(menu);
    view! {
        {head}
        {move || {
            let (keys, _) = drawn.get();
            let level = level.get_untracked()?;
            Some(if keys.is_empty() {
                view! { <Generate form=forms.generate lot=level.lot_id level /> }.into_any()
            } else {
                view! { <Places form=forms.places level spots /> }.into_any()
            })
        }}
    }
}
