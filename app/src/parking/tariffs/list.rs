//! `/parking/tariffs`: what parking costs, in words.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;
use portico_model::parking::tariff::TariffRules;

use super::{ListTariffs, TariffUse};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::parking::tabs::ParkingTabs;
use crate::time::Ago;
use crate::ui::{EmptyState, Glyph, Icon};
use crate::viewer::viewer_may;
use portico_model::parking::tariff::words::{band, summary};

/// Path of the page.
pub const PAGE: &str = "/parking/tariffs";

/// The page.
#[component]
pub fn TariffsPage() -> impl IntoView {
    let page = load(|| Some(ListTariffs {}));
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
    let may_manage = viewer_may(Permission::ManageParking);
    let body = move |shown: Memo<Vec<TariffUse>>| view! { <Tariffs shown may_manage /> }.into_any();
    view! {
        <Title text="Tariffs" />
        <ParkingTabs />
        <div class="page-head">
            <h1>"Tariffs"</h1>
            <div class="page-actions">
                {may_manage
                    .then(|| {
                        view! {
                            <a class="button button-primary" href=format!("{PAGE}/new")>
                                <Icon glyph=Glyph::Plus />
                                <span>"New tariff"</span>
                            </a>
                        }
                    })}
            </div>
        </div>
        <p class="lead">"A lot has a tariff in its settings; a spot may have another. Reservations keep the price they were made with."</p>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading tariffs"</p> }
        }>{in_place(page, |_: &Vec<TariffUse>| (), body)}</Transition>
    }
}

#[component]
fn Tariffs(shown: Memo<Vec<TariffUse>>, may_manage: bool) -> impl IntoView {
    move || {
        let tariffs = shown.get();
        if tariffs.is_empty() {
            let text = if may_manage {
                "A tariff says what a started unit costs, at which hours, and at most how much. Without one parking costs nothing."
            } else {
                "Parking costs nothing here."
            };
            return view! {
                <EmptyState glyph=Glyph::Parking title="No tariffs yet" text>
                    {may_manage
                        .then(|| {
                            view! {
                                <a class="button button-primary" href=format!("{PAGE}/new")>
                                    "New tariff"
                                </a>
                            }
                        })}
                </EmptyState>
            }
            .into_any();
        }
        view! {
            <div class="table-wrap">
                <table class="table table-tariffs">
                    <caption class="hidden">"Tariffs by name"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Tariff"</th>
                            <th scope="col">"Costs"</th>
                            <th scope="col">"Used by"</th>
                            <th scope="col">"Version"</th>
                        </tr>
                    </thead>
                    <tbody>{tariffs.into_iter().map(|one| view! { <TariffRow one may_manage /> }).collect_view()}</tbody>
                </table>
            </div>
        }
        .into_any()
    }
}

/// The name alone.
pub(super) fn by_whom(label: &str) -> String {
    label.split_once(':').map_or(label, |(_, name)| name).to_owned()
}

#[component]
fn TariffRow(one: TariffUse, may_manage: bool) -> impl IntoView {
    let TariffUse { tariff, lots } = one;
    let used = if lots.is_empty() { "No lot".to_owned() } else { lots.join(", ") };
    let currency = tariff.rules.currency.clone();
    let base = summary(&TariffRules { bands: Vec::new(), ..tariff.rules.clone() });
    let name = tariff.name;
    view! {
        <tr class="row">
            <th scope="row" class="cell-name">
                {if may_manage {
                    view! {
                        <a class="row-link" href=format!("{PAGE}/{}", tariff.id)>
                            {name}
                        </a>
                    }
                        .into_any()
                } else {
                    view! { <strong>{name}</strong> }.into_any()
                }}
            </th>
            <td class="cell-costs">
                {base}
                {tariff
                    .rules
                    .bands
                    .iter()
                    .map(|one| view! { <span class="sub">{band(one, &currency)}</span> })
                    .collect_view()}
            </td>
            <td class="cell-used">{used}</td>
            <td class="cell-version">
                <span class="number">{format!("v{}", tariff.version)}</span>
                <span class="sub">
                    {by_whom(&tariff.changed_by)} ", " <Ago at=Signal::stored(Some(tariff.updated_at)) />
                </span>
            </td>
        </tr>
    }
}
