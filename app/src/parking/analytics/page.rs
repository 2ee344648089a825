//! `/parking/analytics`: how full lots are, live; what is forecast and how good forecasts have been; how a lot was used; and
//! the history of another system.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::live::Event;

use super::days::Days;
use super::forecast::{Backtest, ForecastCard};
use super::heat::HeatMap;
use super::import::ImportHistory;
use super::now::NowBody;
use super::{LotAnalytics, NowView, ReadLotAnalytics, ReadParkingNow, RenewForecast};
use crate::form::FormState;
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::parking::refetch_gently;
use crate::parking::tabs::ParkingTabs;
use crate::ui::list::asked;
use crate::ui::toast::use_toasts;
use crate::viewer::viewer_may;

/// The page.
#[component]
pub fn ParkingAnalyticsPage() -> impl IntoView {
    let renew = FormState::of::<RenewForecast>();
    let imports = RwSignal::new(0_u32);
    let (lot, days) = (asked("lot"), asked("days"));
    let now = load(move || Some(ReadParkingNow { lot: lot.get() }));
    let past = load(move || Some(ReadLotAnalytics { lot: lot.get(), days: days.get() }));
    let gently = refetch_gently(now);
    follow(
        || Some("parking".to_owned()),
        move |update| {
            // The past is counted anew with the next visit, not with every car.
            if let LiveUpdate::Event(
                Event::ParkingChanged | Event::SpotChanged { .. } | Event::SpotStatusChanged { .. },
            ) = update
            {
                gently();
            }
        },
    );
    let live = use_live();
    reload_when(now, move || live.returns.get());
    reload_when(past, move || live.returns.get() + renew.successes.get() + imports.get());
    let toast = use_toasts();
    Effect::new(move |before: Option<u32>| {
        let now = renew.successes.get();
        if before.is_some_and(|before| before != now) {
            toast("Forecast made anew".to_owned());
        }
        now
    });
    let now_body = move |shown: Memo<NowView>| view! { <NowBody shown /> }.into_any();
    let body = move |shown: Memo<Option<LotAnalytics>>| match shown.get_untracked() {
        Some(first) => {
            // It is made anew when it comes or goes.
            let shown = Memo::new(move |_| shown.get().unwrap_or_else(|| first.clone()));
            view! { <LotBody shown renew days imports /> }.into_any()
        }
        None => ().into_any(),
    };
    view! {
        <Title text="Parking analytics" />
        <ParkingTabs />
        <div class="page-head">
            <h1>"Analytics"</h1>
        </div>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading lots"</p> }
        }>{in_place(now, |_: &NowView| (), now_body)}</Transition>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Counting"</p> }
        }>
            {in_place(past, |shown: &Option<LotAnalytics>| shown.as_ref().map(|shown| shown.lot), body)}
        </Transition>
    }
}

#[component]
fn LotBody(shown: Memo<LotAnalytics>, renew: FormState, days: Memo<String>, imports: RwSignal<u32>) -> impl IntoView {
    let name = Memo::new(move |_| shown.with(|shown| shown.name.clone()));
    view! {
        <h2 class="park-section">{move || name.get()}</h2>
        <div class="columns columns-wide-first">
            <ForecastCard shown renew days />
            <Backtest shown />
        </div>
        <div class="columns">
            <HeatMap shown />
            <Days shown />
        </div>
        {viewer_may(Permission::ManageParking).then(|| view! { <ImportHistory imports /> })}
    }
}
