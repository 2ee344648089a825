//! `/parking`: all lots and how full they are, live.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::SpotCounts;
use portico_model::parking::lot::Level;
use portico_model::{LotId, ParkingLevelId};

use super::edit::CreateLot;
use super::fill::{FillBar, Legend, Patterns};
use super::lot::{ListLots, LotWithLevels};
use super::refetch_gently;
use super::tabs::ParkingTabs;
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::ui::{Dialog, EmptyState, ErrorSummary, Glyph, Icon, SubmitButton, TextField};
use crate::viewer::viewer_may;

const LOT_FIELDS: &[&str] = &["name", "address", "latitude", "longitude", "time_zone"];

/// The page.
#[component]
pub fn ParkingPage() -> impl IntoView {
    let create = FormState::of::<CreateLot>();
    let page = load(|| Some(ListLots {}));
    let gently = refetch_gently(page);
    follow(
        || Some("parking".to_owned()),
        move |update| match update {
            LiveUpdate::Event(Event::ParkingChanged) => page.refetch(),
            LiveUpdate::Event(Event::SpotStatusChanged { .. } | Event::SpotChanged { .. }) => gently(),
            LiveUpdate::Event(_) | LiveUpdate::Snapshot(_) => {}
        },
    );
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let may_manage = viewer_may(Permission::ManageParking);
    let body = move |shown: Memo<Vec<LotWithLevels>>| view! { <Lots shown may_manage /> }.into_any();
    view! {
        <Title text="Parking" />
        <Patterns />
        <ParkingTabs />
        <div class="page-head">
            <h1>"Parking"</h1>
            <div class="page-actions">
                <a class=if may_manage { "button" } else { "button button-primary" } href="/parking/reserve">
                    <Icon glyph=Glyph::Clock />
                    <span>"Reserve"</span>
                </a>
                {may_manage.then(|| view! { <NewLot form=create /> })}
            </div>
        </div>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading lots"</p> }
        }>{in_place(page, |_: &Vec<LotWithLevels>| (), body)}</Transition>
    }
}

#[component]
fn NewLot(form: FormState) -> impl IntoView {
    let done = Signal::derive(move || form.successes.get() > 0);
    view! {
        <Dialog label="Add lot" glyph=Glyph::Plus class="button button-primary" open=form.came_back() done>
            <PostForm form id="create-lot">
                <ErrorSummary form shown=LOT_FIELDS />
                <TextField
                    form
                    name="name"
                    id="lot-name"
                    label="Name"
                    required=true
                    maxlength=100
                    autocomplete="off"
                    help="Such as “Main garage”."
                />
                <TextField form name="address" id="lot-address" label="Address" maxlength=200 autocomplete="off" />
                <div class="form-pair">
                    <TextField form name="latitude" id="lot-latitude" label="Latitude" placeholder="52.5219" autocomplete="off" />
                    <TextField form name="longitude" id="lot-longitude" label="Longitude" placeholder="13.4132" autocomplete="off" />
                </div>
                <TextField
                    form
                    name="time_zone"
                    id="lot-time-zone"
                    label="Time zone"
                    placeholder="Europe/Berlin"
                    autocomplete="off"
                    help="Empty: that of the organisation."
                />
                <p class="field-help">"Rules for reservations begin with their defaults. Levels and spots come next."</p>
                <SubmitButton label="Add lot" pending=form.pending() />
            </PostForm>
        </Dialog>
    }
}

#[component]
fn Lots(shown: Memo<Vec<LotWithLevels>>, may_manage: bool) -> impl IntoView {
    let ids = Memo::new(move |_| shown.with(|lots| lots.iter().map(|one| one.lot.id).collect::<Vec<_>>()));
    let is_empty = move || ids.with(Vec::is_empty);
    view! {
        <Show
            when=move || !is_empty()
            fallback=move || {
                let text = if may_manage {
                    "A lot is a car park with its levels and spots. Add one, draw its rows, and give each spot its sensor: then everybody sees what is free."
                } else {
                    "Here you will see which spots are free. Nobody has added a lot yet."
                };
                view! { <EmptyState glyph=Glyph::Parking title="No lots yet" text /> }
            }
        >
            <ul class="park-lots">
                <For each=move || ids.get() key=|id| *id let(id)>
                    <LotCard id shown />
                </For>
            </ul>
        </Show>
    }
}

#[component]
fn LotCard(id: LotId, shown: Memo<Vec<LotWithLevels>>) -> impl IntoView {
    let lot = Memo::new(move |before: Option<&Option<LotWithLevels>>| {
        let found = shown.with(|lots| lots.iter().find(|one| one.lot.id == id).cloned());
        found.or_else(|| before.cloned().flatten())
    });
    let of = move |read: fn(&LotWithLevels) -> String| lot.with(|lot| lot.as_ref().map(read).unwrap_or_default());
    let counts = Memo::new(move |_| lot.with(|lot| lot.as_ref().map(|one| one.lot.counts).unwrap_or_default()));
    let levels = Memo::new(move |_| lot.with(|lot| lot.as_ref().map(|one| one.levels.clone()).unwrap_or_default()));
    let level_ids = Memo::new(move |_| levels.with(|levels| levels.iter().map(|level| level.id).collect::<Vec<_>>()));
    view! {
        <li class="card park-lot">
            <div class="park-lot-head">
                <div>
                    <h2>
                        <a class="row-link" href=format!("/parking/{id}")>{move || of(|one| one.lot.name.clone())}</a>
                    </h2>
                    <p class="sub">{move || of(|one| one.lot.address.clone())}</p>
                </div>
                <FreeOf counts />
            </div>
            <FillBar counts />
            <Legend counts />
            <p class="quiet" hidden=move || levels.with(|levels| !levels.is_empty())>"No levels yet"</p>
            <ul class="park-levels" hidden=move || levels.with(Vec::is_empty)>
                <For each=move || level_ids.get() key=|id| *id let(level)>
                    <LevelLine lot=id id=level levels />
                </For>
            </ul>
        </li>
    }
}

/// The number that people come for.
#[component]
pub fn FreeOf(#[prop(into)] counts: Signal<SpotCounts>) -> impl IntoView {
    view! {
        <p class="park-free">
            <strong class="number">{move || counts.get().available}</strong>
            <span class="sub">{move || format!("free of {}", counts.get().total)}</span>
        </p>
    }
}

#[component]
fn LevelLine(lot: LotId, id: ParkingLevelId, levels: Memo<Vec<Level>>) -> impl IntoView {
    let level = Memo::new(move |_| levels.with(|levels| levels.iter().find(|level| level.id == id).cloned()));
    let counts = Memo::new(move |_| level.with(|level| level.as_ref().map(|level| level.counts).unwrap_or_default()));
    let name = move || level.with(|level| level.as_ref().map(|level| level.name.clone()).unwrap_or_default());
    view! {
        <li>
            <a href=format!("/parking/{lot}?level={id}")>{name}</a>
            <FillBar counts />
            <span class="number quiet">
                {move || counts.with(|counts| format!("{} of {}", counts.available, counts.total))}
            </span>
        </li>
    }
}
