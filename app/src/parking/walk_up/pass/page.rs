//! `/park/pass/:token`: how long one may stay, what is to be paid, longer, over.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::parking::reservation::{PaymentStatus, ReservationState};

use super::{EndStay, ExtendStay, GetStay, StayView};
use crate::form::{FormState, PostForm};
use crate::layout::BarePage;
use crate::load::{Loaded, in_place, load, reload_when};
use crate::parking::card::{CardForm, CardPayment, HoldLeft};
use crate::parking::reservations::pass::offers::phase;
use crate::parking::reservations::receipt::ReceiptView;
use crate::parking::reservations::{StateBadge, payment_look};
use crate::parking::walk_up::path_of;
use crate::time::use_now;
use crate::ui::{Badge, CopyButton, Dialog, ErrorSummary, Glyph, Icon, SubmitButton, Tone};

/// Without an account no event comes: the page asks so often, milliseconds.
const ASK_AGAIN_MS: u64 = 20_000;

#[derive(Clone, Copy)]
struct Forms {
    extend: FormState,
    end: FormState,
}

/// The page.
#[component]
pub fn StayPage() -> impl IntoView {
    let params = use_params_map();
    let token = Memo::new(move |_| params.with(|params| params.get("token").unwrap_or_default()));
    let forms = Forms { extend: FormState::of::<ExtendStay>(), end: FormState::of::<EndStay>() };
    let page = load(move || Some(GetStay { token: token.get() }));
    reload_when(page, move || forms.extend.successes.get() + forms.end.successes.get());
    Effect::new(move |_| crate::browser::every(ASK_AGAIN_MS, move || page.refetch()));
    let body = move |shown: Memo<StayView>| view! { <StayBody shown token forms page /> }.into_any();
    view! {
        <Title text="Your stay" />
        <BarePage>
            <Transition fallback=|| {
                view! { <p class="loading" role="status">"Loading your stay"</p> }
            }>{in_place(page, |view: &StayView| view.stay.start_time, body)}</Transition>
        </BarePage>
    }
}

#[component]
fn StayBody(shown: Memo<StayView>, token: Memo<String>, forms: Forms, page: Resource<Loaded>) -> impl IntoView {
    let state = Memo::new(move |_| shown.with(|shown| shown.stay.state));
    let now = use_now();
    let phase = Memo::new(move |_| {
        shown.with(|shown| {
            phase(shown.stay.state, shown.stay.start_time, shown.stay.end_time, now.get().unwrap_or(shown.now))
        })
    });
    let address = Signal::derive(move || shown.with(|shown| shown.address.clone()));
    let again = shown.with_untracked(|shown| path_of(&shown.stay.spot_key.to_string()));
    view! {
        <section class="card walk-up pass" aria-labelledby="stay-title" class:pass-over=move || !state.get().has_spot()>
            <div class="walk-up-head">
                <h1 id="stay-title">"Your stay"</h1>
                <StateBadge state />
            </div>
            <p class="pass-spot" data-testid="stay-spot">
                <span class="quiet">"Spot"</span>
                <strong>{move || shown.with(|shown| shown.stay.spot_id.clone())}</strong>
            </p>
            <p class="pass-place">{move || shown.with(|shown| shown.place.clone())}</p>
            <p class="pass-when number" data-testid="stay-when">
                {move || shown.with(|shown| shown.when.clone())}
                <span class="sub">{move || shown.with(|shown| shown.stay.time_zone.clone())}</span>
            </p>
            <p class="pass-phase" data-testid="stay-left" hidden=move || phase.with(String::is_empty)>
                {move || phase.get()}
            </p>
            <Payment shown token page />
            <ErrorSummary form=forms.extend shown=&[] />
            <ErrorSummary form=forms.end shown=&[] />
            {move || state.get().has_spot().then(|| view! { <Steps shown token forms state /> })}
            {move || {
                let again = again.clone();
                (!state.get().has_spot())
                    .then(|| {
                        view! {
                            // What Stripe may do here it may not do there.
                            <a class="button button-wide" href=again rel="external">
                                "Park here again"
                            </a>
                        }
                    })
            }}
            <p class="note pass-note" hidden=move || !state.get().has_spot()>
                <Icon glyph=Glyph::Link />
                <span>"Keep this page: who has its address holds the stay, and there is no other way back to it."</span>
            </p>
            <CopyButton text=address what="address of this page" />
        </section>
    }
}

#[component]
fn Payment(shown: Memo<StayView>, token: Memo<String>, page: Resource<Loaded>) -> impl IntoView {
    let receipt = Memo::new(move |_| shown.with(|shown| shown.receipt.clone()));
    let payment = Memo::new(move |_| {
        shown.with(|shown| (shown.stay.payment_status, shown.stay.price.total_minor, shown.due.clone()))
    });
    let how = Memo::new(move |_| shown.with(|shown| (shown.stay.pay_online, shown.script.clone())));
    let until = Memo::new(move |_| shown.with(|shown| shown.held_until.clone()));
    let left_ms = Memo::new(move |_| shown.with(|shown| shown.hold_left_ms));
    view! {
        <div class="walk-up-price">
            <div class="card-head">
                <h2>"Price"</h2>
                {move || {
                    let (status, total, due) = payment.get();
                    let (tone, glyph, word) = match status {
                        _ if total == 0 => (Tone::Ok, Glyph::Check, "Costs nothing"),
                        // Nothing is asked for any more.
                        PaymentStatus::Pending | PaymentStatus::Failed if due.is_empty() => {
                            (Tone::Neutral, Glyph::Cross, "Not paid")
                        }
                        status => payment_look(status),
                    };
                    view! { <Badge tone glyph word /> }
                }}
            </div>
            {move || view! { <ReceiptView receipt=receipt.get() /> }}
            {move || {
                let (_, _, due) = payment.get();
                let (pay_online, script) = how.get();
                (!due.is_empty())
                    .then(|| {
                        view! {
                            <p class="pay-at" data-testid="payment">
                                <strong>{if pay_online { "To be paid now" } else { "Pay at the machine" }}</strong>
                                <span class="number">{due.clone()}</span>
                            </p>
                            <HoldLeft until left_ms page />
                            {(!script.is_empty()).then(|| view! { <Card token script due page /> })}
                        }
                    })
            }}
        </div>
    }
}

/// The form, where the stay is paid in the page.
#[component]
fn Card(token: Memo<String>, script: String, due: String, page: Resource<Loaded>) -> impl IntoView {
    let address = format!("/api/v1/public/stays/{}/payment", token.get_untracked());
    let payment = CardPayment { script, ask: address.clone(), confirm: address, body: None, price: due };
    let otherwise = "Without it, pay at the machine before the spot is free for others.";
    view! { <CardForm payment otherwise page /> }
}

/// Longer, or over.
#[component]
fn Steps(shown: Memo<StayView>, token: Memo<String>, forms: Forms, state: Memo<ReservationState>) -> impl IntoView {
    let longer = Memo::new(move |_| shown.with(|shown| (shown.longer.clone(), shown.stay.end_time.millis())));
    let has_longer = Memo::new(move |_| longer.with(|(longer, _)| !longer.is_empty()));
    let is_paid_later = move || state.get() == ReservationState::Held;
    view! {
        <div class="pass-steps">
            {move || {
                has_longer
                    .get()
                    .then(|| {
                        view! {
                            <h2>"Stay longer"</h2>
                            <PostForm form=forms.extend id="extend" class="form walk-up-longer">
                                <input type="hidden" name="token" value=move || token.get() />
                                <input type="hidden" name="end" value=move || longer.with(|(_, end)| end.to_string()) />
                                {move || {
                                    let (choices, _) = longer.get();
                                    choices
                                        .into_iter()
                                        .map(|choice| {
                                            view! {
                                                <SubmitButton
                                                    label=format!("{}: {}", choice.word, choice.price)
                                                    glyph=Glyph::Plus
                                                    class="button button-wide"
                                                    pending=forms.extend.pending()
                                                    name="minutes"
                                                    value=choice.minutes.to_string()
                                                />
                                            }
                                        })
                                        .collect_view()
                                }}
                            </PostForm>
                        }
                    })
            }}
            <div class="pass-more">
                <Dialog label="End now" glyph=Glyph::Cross class="button" open=forms.end.came_back()>
                    <PostForm form=forms.end id="end">
                        <input type="hidden" name="token" value=move || token.get() />
                        <p>
                            {move || {
                                if is_paid_later() {
                                    "The spot is free for others at once, and nothing is to be paid."
                                } else {
                                    "The spot is free for others at once. Nothing is given back for the time that is left."
                                }
                            }}
                        </p>
                        <SubmitButton
                            label="Yes, I have left"
                            class="button button-primary"
                            pending=forms.end.pending()
                        />
                    </PostForm>
                </Dialog>
            </div>
        </div>
    }
}
