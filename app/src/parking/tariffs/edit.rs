//! `/parking/tariffs/new` and `/parking/tariffs/:id`: all rules of a tariff.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::identity::Permission;
use portico_model::parking::tariff::Tariff;

use super::amount::amount_text;
use super::bands::{BandRows, FIELDS, TypedBand};
use super::list::{PAGE, by_whom};
use super::{DeleteTariff, GetTariff, SaveTariff};
use crate::form::{FormState, PostForm};
use crate::load::{in_place, load};
use crate::ui::{Dialog, ErrorSummary, Glyph, SubmitButton, TextField};
use crate::viewer::viewer_may;
use portico_model::parking::tariff::words::summary;

/// The page.
#[component]
pub fn TariffPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let (form, delete) = (FormState::of::<SaveTariff>(), FormState::of::<DeleteTariff>());
    let page = load(move || Some(GetTariff { id: id.get() }));
    let body = move |shown: Memo<Option<Tariff>>| view! { <TariffBody shown form delete /> }.into_any();
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href=PAGE>"Tariffs"</a>
        </nav>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading tariff"</p> }
        }>{in_place(page, |tariff: &Option<Tariff>| tariff.as_ref().map(|tariff| tariff.id), body)}</Transition>
    }
}

#[component]
fn TariffBody(shown: Memo<Option<Tariff>>, form: FormState, delete: FormState) -> impl IntoView {
    let tariff = shown.get_untracked();
    let title = tariff.as_ref().map_or_else(|| "New tariff".to_owned(), |tariff| tariff.name.clone());
    let may_manage = viewer_may(Permission::ManageParking);
    let about = tariff.as_ref().map(|tariff| summary(&tariff.rules));
    let version =
        tariff.as_ref().map(|tariff| format!("Version {}, by {}.", tariff.version, by_whom(&tariff.changed_by)));
    let removal = tariff.clone().filter(|_| may_manage);
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <h1>{title}</h1>
            <div class="page-actions">
                {removal.map(|tariff| view! { <Remove form=delete id=tariff.id.to_string() name=tariff.name /> })}
            </div>
        </div>
        {about.map(|about| view! { <p class="lead">{about} <span class="sub">{version}</span></p> })}
        {may_manage.then(|| view! { <TariffForm tariff form /> })}
    }
}

#[component]
fn Remove(form: FormState, id: String, name: String) -> impl IntoView {
    view! {
        <Dialog label="Remove" glyph=Glyph::Trash class="button button-danger" open=form.came_back()>
            <PostForm form id="delete-tariff">
                <ErrorSummary form shown=&[] />
                <input type="hidden" name="id" value=id />
                <p>{format!("Removes {name}. Reservations that were made with it keep their price.")}</p>
                <SubmitButton
                    label="Remove tariff"
                    glyph=Glyph::Trash
                    class="button button-danger"
                    pending=form.pending()
                />
            </PostForm>
        </Dialog>
    }
}

#[component]
fn TariffForm(tariff: Option<Tariff>, form: FormState) -> impl IntoView {
    let rules = tariff.as_ref().map(|tariff| tariff.rules.clone());
    let currency = rules.as_ref().map_or_else(|| "EUR".to_owned(), |rules| rules.currency.clone());
    let amount = |minor: Option<i64>| minor.map(|minor| amount_text(minor, &currency)).unwrap_or_default();
    let price = amount(rules.as_ref().map(|rules| rules.unit_price_minor));
    let daily = amount(rules.as_ref().and_then(|rules| rules.daily_cap_minor));
    let stay = amount(rules.as_ref().and_then(|rules| rules.stay_cap_minor));
    let whole = |read: fn(&portico_model::parking::tariff::TariffRules) -> i64, usual: &str| {
        rules.as_ref().map_or_else(|| usual.to_owned(), |rules| read(rules).to_string())
    };
    let (free, unit) = (whole(|rules| rules.free_minutes, "0"), whole(|rules| rules.unit_minutes, "30"));
    let known = rules.iter().flat_map(|rules| &rules.bands).enumerate();
    let known = known.map(|(row, band)| TypedBand::of(row, band, &currency)).collect();
    // As it was typed, when the form came back.
    let rows = form.typed("rows").and_then(|rows| serde_json::from_str(&rows).ok()).unwrap_or(known);
    let is_known = tariff.is_some();
    let (id, name) = tariff.map(|tariff| (tariff.id.to_string(), tariff.name)).unwrap_or_default();
    view! {
        <section class="card card-form tariff" aria-label="Rules">
            <PostForm form id="tariff">
                // What Enter does in a field: not one of the buttons of the rows.
                <button class="hidden" type="submit" tabindex="-1" aria-hidden="true"></button>
                <ErrorSummary form shown=FIELDS />
                <input type="hidden" name="id" value=id />
                <div class="form-pair">
                    <TextField form name="name" label="Name" required=true maxlength=100 autocomplete="off" value=name />
                    <TextField
                        form
                        name="currency"
                        label="Currency"
                        required=true
                        minlength=3
                        maxlength=3
                        autocomplete="off"
                        value=currency
                        help="Three letters, such as EUR."
                    />
                </div>
                <div class="form-pair">
                    <TextField
                        form
                        name="unit_price"
                        label="Price of a unit"
                        required=true
                        maxlength=20
                        autocomplete="off"
                        placeholder="1.50"
                        value=price
                        help="In units of the currency; hours below may have another."
                    />
                    <TextField
                        form
                        name="unit_minutes"
                        label="A unit, minutes"
                        kind="number"
                        min="1"
                        max="1440"
                        required=true
                        value=unit
                        help="A started unit is charged whole."
                    />
                </div>
                <div class="form-pair">
                    <TextField
                        form
                        name="free_minutes"
                        label="Free at first, minutes"
                        kind="number"
                        min="0"
                        value=free
                        help="Of every stay, whatever its length."
                    />
                    <TextField
                        form
                        name="daily_cap"
                        label="At most a day"
                        maxlength=20
                        autocomplete="off"
                        value=daily
                        help="Empty: no limit."
                    />
                    <TextField
                        form
                        name="stay_cap"
                        label="At most a stay"
                        maxlength=20
                        autocomplete="off"
                        value=stay
                        help="Empty: no limit."
                    />
                </div>
                <BandRows form first=rows />
                {is_known
                    .then(|| {
                        view! {
                            <p class="field-help">"It holds from now on. Reservations that were made keep their price."</p>
                        }
                    })}
                <div>
                    <SubmitButton label="Save tariff" pending=form.pending() />
                </div>
            </PostForm>
        </section>
    }
}
