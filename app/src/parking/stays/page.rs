//! `/parking/sessions`: who is there, those that stay too long first; vehicles come, leave and pay.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::{EndStay, ListStays, NoteStayPaid, StayRow, StaysView, VehicleCame, VehicleLeft, source_word};
use crate::access::Choose;
use crate::form::{Confirm, FormState, PostForm};
use crate::live::use_live;
use crate::load::{in_place, load, reload_when};
use crate::parking::refetch_upon;
use crate::parking::reservations::list::LotFilter;
use crate::parking::tabs::ParkingTabs;
use crate::ui::list::{asked, is_restricted};
use crate::ui::toast::use_toasts;
use crate::ui::{
    Badge, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Pages, SelectFilter, SubmitButton, TextField, TextFilter,
};
use crate::viewer::viewer_may;

const PATH: &str = "/parking/sessions";

const SHOW: &[(&str, &str)] = &[("", "There now"), ("over", "There too long"), ("left", "Left"), ("all", "All")];

const EXAMPLE: &str = r#"curl -X POST '…/api/v1/parking/sessions' -H 'X-API-Key: KEY OF THE DEVICE' -H 'Content-Type: application/json' \
  -d '{"lot_id": "ID OF THE LOT", "plate": "B AB 123"}'"#;

#[derive(Clone, Copy)]
struct StayForms {
    came: FormState,
    left: FormState,
    end: FormState,
    paid: FormState,
}

impl StayForms {
    fn all(&self) -> [FormState; 4] {
        [self.came, self.left, self.end, self.paid]
    }
}

/// The page.
#[component]
pub fn StaysPage() -> impl IntoView {
    let forms = StayForms {
        came: FormState::of::<VehicleCame>(),
        left: FormState::of::<VehicleLeft>(),
        end: FormState::of::<EndStay>(),
        paid: FormState::of::<NoteStayPaid>(),
    };
    let [show, plate, lot, cursor] = ["show", "plate", "lot", "cursor"].map(asked);
    let page =
        load(move || Some(ListStays { show: show.get(), plate: plate.get(), lot: lot.get(), cursor: cursor.get() }));
    refetch_upon(page, || Some("parking_sessions".to_owned()), |event| matches!(event, Event::ParkingSessionsChanged));
    let live = use_live();
    reload_when(page, move || live.returns.get() + FormState::successes_of(&forms.all()));
    let toast = use_toasts();
    type Words = fn(&StayRow) -> String;
    let told: [(FormState, Words); 4] = [
        (forms.came, |row| format!("{} is there", row.name())),
        (forms.left, gone),
        (forms.end, gone),
        (forms.paid, |row| format!("{} has paid", row.name())),
    ];
    for (form, text) in told {
        Effect::new(move |_| {
            if let Some(row) = form.answer::<StayRow>() {
                toast(text(&row));
            }
        });
    }
    let body = move |shown: Memo<StaysView>| view! { <StaysBody shown forms /> }.into_any();
    view! {
        <Title text="Vehicles" />
        <ParkingTabs />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading vehicles"</p> }
        }>{in_place(page, |_: &StaysView| (), body)}</Transition>
    }
}

fn gone(row: &StayRow) -> String {
    match &row.due {
        Some(due) => format!("{} has left: {due} to be paid", row.name()),
        None => format!("{} has left", row.name()),
    }
}

#[component]
fn StaysBody(shown: Memo<StaysView>, forms: StayForms) -> impl IntoView {
    let may_operate = viewer_may(Permission::OperateParking);
    let lots = Memo::new(move |_| shown.with(|shown| shown.lots.clone()));
    let over = Memo::new(move |_| shown.with(|shown| shown.over.clone()));
    let found = Memo::new(move |_| shown.with(|shown| shown.found.items.clone()));
    let next = Memo::new(move |_| shown.with(|shown| shown.found.next.clone()));
    let restricted = is_restricted(&["show", "plate", "lot", "cursor"]);
    let is_empty = Memo::new(move |_| over.with(Vec::is_empty) && found.with(Vec::is_empty));
    view! {
        <div class="page-head">
            <h1>"Vehicles"</h1>
            {move || {
                let lots = lots.get();
                (may_operate && !lots.is_empty()).then(|| view! { <Reports lots forms /> })
            }}
        </div>
        {[forms.end, forms.paid].map(|form| view! { <ErrorSummary form shown=&[] /> }).collect_view()}
        <Filters action=PATH>
            <TextFilter name="plate" label="Plate" kind="search" wide=true />
            <LotFilter lots />
            <SelectFilter name="show" label="Show" choices=SHOW />
        </Filters>
        <Show when=move || !over.with(Vec::is_empty)>
            <section class="stays" aria-labelledby="over-title">
                <h2 id="over-title">"There too long"</h2>
                <p class="quiet">"For longer than their reservation or permit lets them; what is not covered is charged."</p>
                <StayTable rows=over caption="There too long" forms may_operate />
            </section>
        </Show>
        <Show when=move || !found.with(Vec::is_empty)>
            <section class="stays" aria-labelledby="found-title">
                <h2 id="found-title" class="hidden">"Vehicles, the latest first"</h2>
                <StayTable rows=found caption="Vehicles, the latest first" forms may_operate />
                {move || view! { <Pages next=next.get() /> }}
            </section>
        </Show>
        <Show when=move || is_empty.get()>
            {move || view! { <NoStays is_restricted=restricted.get() /> }}
        </Show>
    }
}

#[component]
fn NoStays(is_restricted: bool) -> impl IntoView {
    if is_restricted {
        return view! {
            <EmptyState glyph=Glyph::Search title="No vehicle fits" text="Change the filters above.">
                <a class="button" href=PATH>
                    "Show those that are there"
                </a>
            </EmptyState>
        }
        .into_any();
    }
    view! {
        <EmptyState
            glyph=Glyph::Car
            title="No vehicles at the moment"
            text="A vehicle appears here when a camera at the gate reads its plate, when a program reports it, or when somebody enters it by hand."
        >
            <div class="code park-example">
                <pre tabindex="0">{EXAMPLE}</pre>
            </div>
        </EmptyState>
    }
    .into_any()
}

/// Forms for what nobody but a person has seen.
#[component]
fn Reports(lots: Vec<(String, String)>, forms: StayForms) -> impl IntoView {
    let (came, left) = (forms.came, forms.left);
    let lots = StoredValue::new(lots);
    let has_come = Signal::derive(move || came.successes.get() > 0);
    let has_left = Signal::derive(move || left.successes.get() > 0);
    let chosen = |form: FormState| form.value("lot", "");
    view! {
        <div class="page-actions">
            <Dialog label="Vehicle left" glyph=Glyph::SignOut open=left.came_back() done=has_left>
                <PostForm form=left id="vehicle-left">
                    <ErrorSummary form=left shown=&["plate"] />
                    <Choose name="lot" label="Lot" id="left-lot" options=lots.get_value() chosen=chosen(left) />
                    <TextField
                        form=left
                        name="plate"
                        id="left-plate"
                        label="Number plate"
                        required=true
                        maxlength=20
                        autocomplete="off"
                    />
                    <SubmitButton label="Let it leave" pending=left.pending() />
                </PostForm>
            </Dialog>
            <Dialog
                label="Vehicle came"
                glyph=Glyph::Plus
                class="button button-primary"
                open=came.came_back()
                done=has_come
            >
                <PostForm form=came id="vehicle-came">
                    <ErrorSummary form=came shown=&["plate", "spot_id"] />
                    <Choose name="lot" label="Lot" id="came-lot" options=lots.get_value() chosen=chosen(came) />
                    <TextField
                        form=came
                        name="plate"
                        id="came-plate"
                        label="Number plate"
                        maxlength=20
                        autocomplete="off"
                        help="Or only its spot."
                    />
                    <TextField form=came name="spot_id" id="came-spot" label="Spot" maxlength=50 autocomplete="off" />
                    <SubmitButton label="Enter vehicle" pending=came.pending() />
                </PostForm>
            </Dialog>
        </div>
    }
}

#[component]
fn StayTable(rows: Memo<Vec<StayRow>>, caption: &'static str, forms: StayForms, may_operate: bool) -> impl IntoView {
    view! {
        <div class="table-wrap">
            <table class="table table-stays">
                <caption class="hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Vehicle"</th>
                        <th scope="col">"When, by the clock of the lot"</th>
                        <th scope="col">"Covered by"</th>
                        <th scope="col">"Price"</th>
                        {may_operate.then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                    </tr>
                </thead>
                <tbody>
                    // Rows that are as before stay: a question that is open in one is not taken away.
                    <For each=move || rows.get() key=StayRow::clone let(row)>
                        <Stay row forms may_operate />
                    </For>
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Stay(row: StayRow, forms: StayForms, may_operate: bool) -> impl IntoView {
    let (tone, glyph, word) = row.look();
    let is_there = row.left.is_none();
    let left = row.left.clone().map(|left| format!("left {left}"));
    let right = match (row.href.clone(), row.right.clone()) {
        (_, right) if right.is_empty() => view! { <span class="quiet">"Nothing"</span> }.into_any(),
        (Some(href), right) => view! { <a href=href>{right}</a> }.into_any(),
        (None, right) => view! { <span>{right}</span> }.into_any(),
    };
    let due = row.due.clone().map(|due| view! { <span class="sub">{format!("{due} to be paid")}</span> });
    let (name, place, came, price, source) =
        (row.name(), row.place.clone(), row.came.clone(), row.price.clone(), source_word(row.source));
    view! {
        <tr>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <strong class="number">{name}</strong>
                <span class="sub">{place}</span>
            </th>
            <td class="cell-when">
                <span class="number">{came}</span>
                <span class="sub">{left.unwrap_or_else(|| source.to_owned())}</span>
            </td>
            <td class="cell-right">{right}</td>
            <td class="cell-price number">{price} {due}</td>
            {may_operate.then(|| view! { <td class="cell-actions"><StayActions row is_there forms /></td> })}
        </tr>
    }
}

#[component]
fn StayActions(row: StayRow, is_there: bool, forms: StayForms) -> impl IntoView {
    let (id, name) = (row.id.to_string(), row.name());
    let end = is_there.then(|| {
        let text = format!("{name} is no longer there, and what it owes is worked out up to now.");
        let (id, confirm) = (id.clone(), format!("{name} has left"));
        view! {
            <Confirm
                form=forms.end
                id
                label="End"
                glyph=Glyph::SignOut
                text
                confirm
                class="button button-primary"
            />
        }
    });
    let paid = row.due.map(|due| {
        let text = format!("{name} has paid {due} at the place.");
        let confirm = format!("{due} paid");
        view! {
            <Confirm form=forms.paid id label="Paid" glyph=Glyph::Check text confirm class="button button-primary" />
        }
    });
    view! {
        {paid}
        {end}
    }
}

#[cfg(test)]
mod tests {
    use portico_model::ParkingSessionId;
    use portico_model::parking::session::SessionSource;

    use super::*;

    fn row(left: Option<&str>, due: Option<&str>) -> StayRow {
        StayRow {
            id: ParkingSessionId::nil(),
            plate: "B AB 123".into(),
            place: "Main garage".into(),
            came: "Mon 23 Nov 2026, 08:30".into(),
            left: left.map(ToOwned::to_owned),
            right: String::new(),
            href: None,
            is_overstaying: false,
            source: SessionSource::Camera,
            price: "6.00 EUR".into(),
            due: due.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn who_leaves_is_told_what_he_owes() {
        assert_eq!(gone(&row(Some("now"), Some("6.00 EUR"))), "B AB 123 has left: 6.00 EUR to be paid");
        assert_eq!(gone(&StayRow { plate: String::new(), ..row(Some("now"), None) }), "No plate has left");
    }

    #[test]
    fn staying_too_long_is_said_before_being_there() {
        let there = row(None, None);
        assert_eq!([there.look().2, row(Some("now"), None).look().2], ["There", "Left"]);
        assert_eq!(StayRow { is_overstaying: true, ..there }.look().2, "Too long");
    }
}
