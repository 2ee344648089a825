//! `/reservations/:id/pay`: what is paid, how long the spot is still held, and the card form of `public/pay.js`.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::live::Event;
use portico_model::parking::tariff::format_minor;

use super::{GetPayPage, PayView, Stage};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{Loaded, in_place, load, reload_when};
use crate::parking::card::{CardForm, CardPayment, HoldLeft};
use crate::parking::reservations::receipt::ReceiptView;
use crate::ui::{Glyph, Icon};

/// Where no event comes, the page looks by itself, milliseconds.
const ASK_AGAIN_MS: u64 = 30_000;

/// The page.
#[component]
pub fn PayPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let page = load(move || Some(GetPayPage { id: id.get() }));
    follow(
        || Some("reservations".to_owned()),
        move |update| {
            if let LiveUpdate::Event(Event::ReservationChanged { reservation }) = update
                && reservation.id.to_string() == id.get_untracked()
            {
                page.refetch();
            }
        },
    );
    Effect::new(move |_| crate::browser::every(ASK_AGAIN_MS, move || page.refetch()));
    let live = use_live();
    reload_when(page, move || live.returns.get());
    let pass = move || format!("/reservations/{}", id.get());
    let body = move |shown: Memo<PayView>| view! { <PayBody shown page /> }.into_any();
    view! {
        <Title text="Pay by card" />
        // It leads out to a document of its own: what Stripe may do here it may not do there.
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href=pass rel="external">
                "Reservation"
            </a>
        </nav>
        <div class="page-head">
            <h1>"Pay by card"</h1>
        </div>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading reservation"</p> }
        }>{in_place(page, |view: &PayView| view.reservation.id, body)}</Transition>
    }
}

#[component]
fn PayBody(shown: Memo<PayView>, page: Resource<Loaded>) -> impl IntoView {
    let stage = Memo::new(move |_| shown.with(|shown| shown.stage));
    let pass = StoredValue::new(shown.with_untracked(|shown| format!("/reservations/{}", shown.reservation.id)));
    Effect::new(move |_| {
        if stage.get() == Stage::Paid {
            crate::browser::replace_by(&pass.get_value());
        }
    });
    let again = Memo::new(move |_| shown.with(|shown| shown.again.clone()));
    view! {
        <div class="columns pay-page">
            <What shown page />
            <section class="card" aria-labelledby="card-title">
                <h2 id="card-title">"Your card"</h2>
                {move || match stage.get() {
                    Stage::Due(due) => view! { <Card shown due page /> }.into_any(),
                    Stage::Paid => {
                        view! {
                            <p class="note" role="status">
                                <Icon glyph=Glyph::Check />
                                <span>"It is paid. "<a href=pass.get_value() rel="external">"See your pass"</a></span>
                            </p>
                        }
                            .into_any()
                    }
                    Stage::Expired => {
                        view! {
                            <p class="note note-attention" role="status">
                                <Icon glyph=Glyph::Clock />
                                <span>
                                    "The time to pay has run out, and the spot is free for others again. Whatever was paid after that is given back."
                                </span>
                            </p>
                            <a class="button button-primary" href=move || again.get() rel="external">
                                "Reserve again"
                            </a>
                        }
                            .into_any()
                    }
                    Stage::Over => {
                        view! {
                            <p class="note" role="status">
                                <Icon glyph=Glyph::Cross />
                                <span>
                                    "This reservation is over: nothing is paid for it any more. "
                                    <a href=pass.get_value() rel="external">"See what has become of it"</a>
                                </span>
                            </p>
                        }
                            .into_any()
                    }
                }}
            </section>
        </div>
    }
}

/// What is paid for.
#[component]
fn What(shown: Memo<PayView>, page: Resource<Loaded>) -> impl IntoView {
    let place = move || {
        shown.with(|shown| {
            let one = &shown.reservation;
            let zone = if one.zone.is_empty() { String::new() } else { format!(", zone {}", one.zone) };
            format!("{}{zone}, {}", one.level, one.lot_name)
        })
    };
    let receipt = Memo::new(move |_| shown.with(|shown| shown.receipt.clone()));
    let until = Memo::new(move |_| shown.with(|shown| shown.held_until.clone()));
    let left_ms = Memo::new(move |_| shown.with(|shown| shown.hold_left_ms));
    view! {
        <section class="card" aria-labelledby="what-title">
            <h2 id="what-title">"What you pay for"</h2>
            <p class="offer-spot" data-testid="pay-spot">
                {move || shown.with(|shown| shown.reservation.spot_id.clone())}
            </p>
            <p>{place}</p>
            <p class="number">
                {move || shown.with(|shown| shown.when.clone())} " "
                <span class="sub">{move || shown.with(|shown| shown.reservation.time_zone.clone())}</span>
            </p>
            {move || view! { <ReceiptView receipt=receipt.get() /> }}
            <HoldLeft until left_ms page />
            <p class="quiet pay-number">
                "Number of the reservation: "
                <code>{move || shown.with(|shown| shown.reservation.id.to_string())}</code>
            </p>
        </section>
    }
}

/// The form, where the reservation is to be paid.
#[component]
fn Card(shown: Memo<PayView>, due: i64, page: Resource<Loaded>) -> impl IntoView {
    let payment = shown.with_untracked(|shown| CardPayment {
        script: shown.script.clone(),
        ask: "/api/v1/payments/create-intent".to_owned(),
        confirm: "/api/v1/payments/confirm".to_owned(),
        body: Some(format!(r#"{{"reservation_id":"{}"}}"#, shown.reservation.id)),
        price: format_minor(due, &shown.reservation.currency),
    });
    let otherwise = "Without it, pay at the place before the spot is free for others: say the number of the reservation to those who \
                     look after the lot.";
    view! { <CardForm payment otherwise page /> }
}
