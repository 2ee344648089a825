//! `/parking/permits`: permits, and the form for a new one.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::PermitId;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::permit::PermitState;

use super::{ChangePermit, CreatePermit, ListPermits, PermitRow, PermitsView, RevokePermit, state_look};
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
    Badge, Dialog, EmptyState, ErrorSummary, Filters, Glyph, Icon, Pages, SelectFilter, SubmitButton, TextField,
    TextFilter,
};
use crate::viewer::viewer_may;

const PATH: &str = "/parking/permits";

const SHOW: &[(&str, &str)] = &[("", "That hold or will"), ("over", "Over"), ("all", "All")];

#[derive(Clone, Copy)]
struct PermitForms {
    create: FormState,
    change: FormState,
    revoke: FormState,
    /// In which row somebody last was: what is wrong is said there.
    row: RwSignal<Option<PermitId>>,
}

impl PermitForms {
    fn all(&self) -> [FormState; 3] {
        [self.create, self.change, self.revoke]
    }
}

/// The page.
#[component]
pub fn PermitsPage() -> impl IntoView {
    let forms = PermitForms {
        create: FormState::of::<CreatePermit>(),
        change: FormState::of::<ChangePermit>(),
        revoke: FormState::of::<RevokePermit>(),
        row: RwSignal::new(None),
    };
    let [show, search, lot, cursor] = ["show", "search", "lot", "cursor"].map(asked);
    let page = load(move || {
        Some(ListPermits { show: show.get(), search: search.get(), lot: lot.get(), cursor: cursor.get() })
    });
    let sees_all = viewer_may(Permission::ReadParking);
    refetch_upon(
        page,
        move || sees_all.then(|| "parking_sessions".to_owned()),
        |event| matches!(event, Event::ParkingSessionsChanged),
    );
    let live = use_live();
    reload_when(page, move || live.returns.get() + FormState::successes_of(&forms.all()));
    let toast = use_toasts();
    for (form, text) in [
        (forms.create, "may park without reserving"),
        (forms.change, "has other times"),
        (forms.revoke, "has no permit any more"),
    ] {
        Effect::new(move |_| {
            if let Some(row) = form.answer::<PermitRow>() {
                toast(format!("{} {text}", row.name()));
            }
        });
    }
    let body = move |shown: Memo<PermitsView>| view! { <PermitsBody shown forms /> }.into_any();
    view! {
        <Title text="Parking permits" />
        <ParkingTabs />
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading permits"</p> }
        }>{in_place(page, |_: &PermitsView| (), body)}</Transition>
    }
}

#[component]
fn PermitsBody(shown: Memo<PermitsView>, forms: PermitForms) -> impl IntoView {
    let may_manage = viewer_may(Permission::ManageParking);
    let lots = Memo::new(move |_| shown.with(|shown| shown.lots.clone()));
    let found = Memo::new(move |_| shown.with(|shown| shown.found.items.clone()));
    let next = Memo::new(move |_| shown.with(|shown| shown.found.next.clone()));
    let restricted = is_restricted(&["show", "search", "lot", "cursor"]);
    view! {
        <div class="page-head">
            <h1>"Permits"</h1>
            {move || may_manage.then(|| view! { <CreateForm lots=lots.get() form=forms.create /> })}
        </div>
        <p class="lead">"Who has one parks without reserving and without paying, for as long as it holds."</p>
        <ErrorSummary form=forms.revoke shown=&[] />
        <Filters action=PATH>
            <TextFilter name="search" label="Search" kind="search" placeholder="Plate, holder or label" wide=true />
            <LotFilter lots />
            <SelectFilter name="show" label="Show" choices=SHOW />
        </Filters>
        <Show
            when=move || !found.with(Vec::is_empty)
            fallback=move || view! { <NoPermits is_filtered=restricted.get() may_manage /> }
        >
            <div class="table-wrap">
                <table class="table table-permits">
                    <caption class="hidden">"Permits, the newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"State"</th>
                            <th scope="col">"For"</th>
                            <th scope="col">"Where"</th>
                            <th scope="col">"When, by the clock of the lot"</th>
                            {may_manage.then(|| view! { <th scope="col"><span class="hidden">"Actions"</span></th> })}
                        </tr>
                    </thead>
                    <tbody>
                        // Rows that are as before stay: a form that is open in one is not taken away.
                        <For each=move || found.get() key=PermitRow::clone let(row)>
                            <PermitLine row forms may_manage />
                        </For>
                    </tbody>
                </table>
            </div>
            {move || view! { <Pages next=next.get() /> }}
        </Show>
    }
}

#[component]
fn NoPermits(is_filtered: bool, may_manage: bool) -> impl IntoView {
    if is_filtered {
        return view! {
            <EmptyState glyph=Glyph::Search title="No permit fits" text="Change the filters above.">
                <a class="button" href=PATH>
                    "Show those that hold"
                </a>
            </EmptyState>
        }
        .into_any();
    }
    let text = if may_manage {
        "Staff, tenants and season tickets: whoever has a permit parks without reserving. Make the first one with the button above."
    } else {
        "Whoever has a permit parks without reserving. The people who run the car park give them out."
    };
    view! {
        <EmptyState glyph=Glyph::Key title="No permits yet" text>
            <a class="button" href="/parking">
                "Car parks"
            </a>
        </EmptyState>
    }
    .into_any()
}

#[component]
fn CreateForm(lots: Vec<(String, String)>, form: FormState) -> impl IntoView {
    let made = Signal::derive(move || form.successes.get() > 0);
    let mut options = vec![(String::new(), "Every lot".to_owned())];
    options.extend(lots);
    let chosen = form.value("lot", "");
    view! {
        <div class="page-actions">
            <Dialog
                label="New permit"
                glyph=Glyph::Plus
                class="button button-primary"
                open=form.came_back()
                done=made
            >
                <PostForm form id="create-permit">
                    <ErrorSummary
                        form
                        shown=&["plate", "holder", "user", "label", "valid_from", "valid_until"]
                    />
                    <div class="form-pair">
                        <TextField form name="plate" label="Number plate" maxlength=20 autocomplete="off" />
                        <TextField form name="label" label="What for" maxlength=100 placeholder="Staff" autocomplete="off" />
                        <TextField form name="holder" label="Holder" maxlength=100 autocomplete="off" />
                        <TextField
                            form
                            name="user"
                            label="Account"
                            maxlength=320
                            autocomplete="off"
                            help="User name or e-mail: sees it here."
                        />
                        <TextField form name="valid_from" label="From" kind="datetime-local" help="Empty: from now on." />
                        <TextField form name="valid_until" label="Until" kind="datetime-local" help="Empty: no end." />
                    </div>
                    <Choose name="lot" label="Lot" id="permit-lot" options chosen />
                    <SubmitButton label="Give permit" pending=form.pending() />
                </PostForm>
            </Dialog>
        </div>
    }
}

#[component]
fn PermitLine(row: PermitRow, forms: PermitForms, may_manage: bool) -> impl IntoView {
    let (tone, glyph, word) = state_look(row.state);
    let (id, name) = (row.id, row.name());
    // The holder stands below the plate, or in its place.
    let holder = Some(row.holder.clone()).filter(|holder| !holder.is_empty() && *holder != name);
    let about = [holder, Some(row.label.clone()).filter(|label| !label.is_empty())];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let (place, when) = (row.place.clone(), row.when.clone());
    view! {
        <tr on:focusin=move |_| forms.row.set(Some(id))>
            <td class="cell-state">
                <Badge tone glyph word />
            </td>
            <th scope="row" class="cell-name">
                <strong class="number">{name}</strong>
                <span class="sub">{about}</span>
            </th>
            <td class="cell-place">{place}</td>
            <td class="cell-when number">{when}</td>
            {may_manage.then(|| view! { <td class="cell-actions"><PermitActions row forms /></td> })}
        </tr>
    }
}

#[component]
fn PermitActions(row: PermitRow, forms: PermitForms) -> impl IntoView {
    (row.state != PermitState::Revoked).then(|| {
        let (this, name, form) = (row.id, row.name(), forms.change);
        let id = this.to_string();
        let came_back = form.came_back_for(Some(&id));
        let typed = |field, now: &str| if came_back { form.value(field, now) } else { now.to_owned() };
        let (from, until) = (typed("valid_from", &row.from), typed("valid_until", &row.until));
        let is_here = Signal::derive(move || forms.row.get().map_or(came_back, |other| other == this));
        let changed = Signal::derive(move || form.successes.get() > 0);
        let text = format!("{name} may no longer park without reserving. If it is there now, it stays too long.");
        let (of, confirm) = (id.clone(), format!("Revoke permit of {name}"));
        view! {
            <Dialog label="Times" glyph=Glyph::Clock class="button button-small" open=came_back done=changed>
                <PostForm form>
                    <input type="hidden" name="id" value=of />
                    <ValidityField form id=this name="valid_from" label="From" value=from is_here />
                    <ValidityField form id=this name="valid_until" label="Until, empty: no end" value=until is_here />
                    <SubmitButton label="Change times" pending=form.pending() />
                </PostForm>
            </Dialog>
            <Confirm form=forms.revoke id label="Revoke" text confirm />
        }
    })
}

/// One of the two times in the form of a row.
#[component]
fn ValidityField(
    form: FormState,
    id: PermitId,
    name: &'static str,
    label: &'static str,
    value: String,
    /// What is wrong belongs to this row.
    is_here: Signal<bool>,
) -> impl IntoView {
    let wrong = form.error(name);
    let error = Memo::new(move |_| wrong.get().filter(|_| is_here.get()));
    let field = format!("{name}-{id}");
    let error_id = format!("{field}-error");
    let describes = error_id.clone();
    view! {
        <div class="field">
            <label for=field.clone()>{label}</label>
            <input
                id=field
                name=name
                type="datetime-local"
                value=value
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=move || error.with(Option::is_some).then(|| describes.clone())
            />
            <p class="field-error" id=error_id aria-live="polite" hidden=move || error.with(Option::is_none)>
                <Icon glyph=Glyph::Alert />
                <span>{move || error.get().unwrap_or_default()}</span>
            </p>
        </div>
    }
}
