//! `/park/:key`: on the phone of who stands at a spot. How long, what it costs, and then one parks.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::{BeginStay, LookAtSpot, StayOffer, WalkUpView, path_of, walk_up_look};
use crate::form::{FormState, PostForm};
use crate::layout::BarePage;
use crate::load::{in_place, load};
use crate::parking::reservations::receipt::ReceiptView;
use crate::ui::list::asked;
use crate::ui::{Badge, ErrorSummary, Glyph, Icon, SubmitButton, TextField};

const BEGIN_FIELDS: &[&str] = &["plate", "email"];

/// The page.
#[component]
pub fn WalkUpPage() -> impl IntoView {
    let params = use_params_map();
    let key = Memo::new(move |_| params.with(|params| params.get("key").unwrap_or_default()));
    let begin = FormState::of::<BeginStay>();
    let (minutes, until) = (asked("minutes"), asked("until"));
    let page = load(move || Some(LookAtSpot { key: key.get(), minutes: minutes.get(), until: until.get() }));
    // Refused because something has changed: what is offered may be another now.
    let refusal = begin.general(BEGIN_FIELDS);
    Effect::new(move |before: Option<()>| {
        if refusal.get().is_some() && before.is_some() {
            page.refetch();
        }
    });
    let body = move |shown: Memo<WalkUpView>| view! { <WalkUpBody shown form=begin /> }.into_any();
    view! {
        <Title text="Park here" />
        <BarePage>
            <Transition fallback=|| {
                view! { <p class="loading" role="status">"Looking at the spot"</p> }
            }>{in_place(page, |view: &WalkUpView| view.spot.key, body)}</Transition>
        </BarePage>
    }
}

#[component]
fn WalkUpBody(shown: Memo<WalkUpView>, form: FormState) -> impl IntoView {
    let first = shown.get_untracked();
    let (spot, place) = (first.spot, first.place);
    let key = StoredValue::new(spot.key.to_string());
    let special = [(spot.is_accessible, "Only with a permit for accessible parking."), (spot.is_ev, "With a charger.")];
    let special: Vec<_> = special.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
    let status = Memo::new(move |_| shown.with(|shown| shown.spot.status));
    let until = Memo::new(move |_| shown.with(|shown| shown.until.clone()));
    let tariff = if spot.tariff.is_empty() { "Costs nothing".to_owned() } else { spot.tariff };
    let choices = Memo::new(move |_| shown.with(|shown| (shown.choices.clone(), shown.minutes.clone())));
    let is_free = Memo::new(move |_| choices.with(|(choices, _)| !choices.is_empty()));
    let offer = Memo::new(move |_| shown.with(|shown| shown.offer.clone()));
    // The form stays while what is offered changes: nothing that was typed is lost.
    let may_begin = Memo::new(move |_| offer.with(|offer| matches!(offer, Some(Ok(offer)) if offer.is_free)));
    view! {
        <section class="card walk-up" aria-labelledby="spot-title">
            <div class="walk-up-head">
                <h1 id="spot-title">
                    <span class="quiet">"Spot"</span>
                    " "
                    <strong data-testid="walk-up-spot">{spot.spot_id}</strong>
                </h1>
                {move || {
                    let (tone, glyph, word) = walk_up_look(status.get());
                    view! { <Badge tone glyph word /> }
                }}
            </div>
            <p>{place}</p>
            <p class="quiet">{spot.address}</p>
            {special.into_iter().map(|text| view! { <p>{text}</p> }).collect_view()}
            <p class="quiet" data-testid="walk-up-tariff">
                {tariff}
            </p>
            <p class="note" hidden=move || until.with(String::is_empty)>
                <Icon glyph=Glyph::Clock />
                <span>{move || until.get()}</span>
            </p>
            {move || {
                if is_free.get() {
                    view! {
                        <h2>"How long?"</h2>
                        <nav class="walk-up-lengths" aria-label="How long">
                            {move || {
                                let (choices, chosen) = choices.get();
                                choices
                                    .into_iter()
                                    .map(|choice| {
                                        let minutes = choice.minutes.to_string();
                                        let current = (minutes == chosen).then_some("true");
                                        let href = format!("{}?minutes={minutes}#price", path_of(&key.get_value()));
                                        view! {
                                            <a class="button" href=href aria-current=current>
                                                {choice.word}
                                            </a>
                                        }
                                    })
                                    .collect_view()
                            }}
                        </nav>
                        <UntilForm shown key=key.get_value() />
                    }
                        .into_any()
                } else {
                    view! {
                        <p class="walk-up-none">
                            "Nobody can begin to park here now: look for another spot. Is it your own stay? Its pass is the page that came when it began."
                        </p>
                    }
                        .into_any()
                }
            }}
            <div id="price" role="status">
                {move || match offer.get() {
                    None => ().into_any(),
                    Some(Err(text)) => {
                        view! {
                            <p class="note note-attention">
                                <Icon glyph=Glyph::Alert />
                                <span>{text}</span>
                            </p>
                        }
                            .into_any()
                    }
                    Some(Ok(offer)) => view! { <OfferView offer /> }.into_any(),
                }}
            </div>
            <ErrorSummary form shown=BEGIN_FIELDS />
            {move || may_begin.get().then(|| view! { <BeginForm shown offer form /> })}
        </section>
    }
}

/// Until a time, by the clock of the lot.
#[component]
fn UntilForm(shown: Memo<WalkUpView>, key: String) -> impl IntoView {
    let (first, last, value) = shown.with_untracked(|shown| shown.ends.clone());
    let zone = shown.with_untracked(|shown| shown.spot.time_zone.clone());
    let is_open = shown.with_untracked(|shown| !shown.asked_until.is_empty());
    view! {
        <details class="walk-up-until" open=is_open>
            <summary>"Until …"</summary>
            <form class="form" method="get" action=format!("{}#price", path_of(&key))>
                <div class="field">
                    <label for="until">"Until"</label>
                    <input
                        id="until"
                        name="until"
                        type="datetime-local"
                        required=true
                        min=first
                        max=last
                        value=value
                        aria-describedby="until-help"
                    />
                    <p class="field-help" id="until-help">
                        {format!("By the clock of the lot: {zone}")}
                    </p>
                </div>
                <button class="button button-wide" type="submit">
                    "Show price"
                </button>
            </form>
        </details>
    }
}

#[component]
fn OfferView(offer: StayOffer) -> impl IntoView {
    let StayOffer { when, is_free, receipt, paying, .. } = offer;
    if !is_free {
        return view! {
            <p class="note note-attention">
                <Icon glyph=Glyph::Alert />
                <span>"So long it cannot be had: somebody has reserved it. Choose a shorter time."</span>
            </p>
        }
        .into_any();
    }
    view! {
        <h2>"What it costs"</h2>
        <p class="number">{when}</p>
        <ReceiptView receipt />
        {(!paying.is_empty()).then(|| view! { <p class="quiet">{paying}</p> })}
    }
    .into_any()
}

#[component]
fn BeginForm(
    shown: Memo<WalkUpView>,
    offer: Memo<Option<Result<StayOffer, String>>>,
    form: FormState,
) -> impl IntoView {
    let of = move |read: fn(&StayOffer) -> String| {
        offer.with(|offer| offer.as_ref().and_then(|offer| offer.as_ref().ok()).map(read).unwrap_or_default())
    };
    let key = shown.with_untracked(|shown| shown.spot.key.to_string());
    let pays_online = Memo::new(move |_| of(|offer| offer.pay_online.to_string()) == "true");
    view! {
        <PostForm form id="begin">
            <input type="hidden" name="key" value=key />
            <input type="hidden" name="minutes" value=move || shown.with(|shown| shown.minutes.clone()) />
            <input type="hidden" name="until" value=move || shown.with(|shown| shown.asked_until.clone()) />
            <input type="hidden" name="price_minor" value=move || of(|offer| offer.price_minor.to_string()) />
            <TextField
                form
                name="plate"
                label="Number plate"
                maxlength=20
                autocomplete="off"
                help="So that those who look after the lot know whose car it is. It is forgotten some weeks later."
            />
            {move || {
                pays_online
                    .get()
                    .then(|| {
                        view! {
                            <TextField
                                form
                                name="email"
                                label="E-mail"
                                kind="email"
                                maxlength=100
                                autocomplete="email"
                                help="For the receipt of the payment."
                            />
                        }
                    })
            }}
            <SubmitButton
                label="Park here"
                glyph=Glyph::Check
                class="button button-primary button-wide"
                pending=form.pending()
            />
        </PostForm>
    }
}
