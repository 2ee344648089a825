//! `/parking/reserve`: where and when, what it costs, and then it is reserved.

use leptos::prelude::*;
use leptos_meta::Title;
use portico_model::identity::Permission;
use portico_model::parking::lot::Lot;

use super::{Asked, FindSpot, LotChoice, Offer, PAGE, Reserve, ReserveView, ShowPrice};
use crate::form::{FormState, PostForm};
use crate::load::{in_place, load, reload_when};
use crate::parking::reservations::receipt::ReceiptView;
use crate::ui::list::asked;
use crate::ui::{Badge, EmptyState, ErrorSummary, Glyph, Icon, SubmitButton, TextField, Tone};
use crate::viewer::viewer_may;

const ASKED_FIELDS: &[&str] = &["from", "until", "height"];

const RESERVE_FIELDS: &[&str] = &["plate", "notes", "user_name", "user_email", "user_phone"];

/// The page.
#[component]
pub fn ReservePage() -> impl IntoView {
    let (price, reserve) = (FormState::of::<ShowPrice>(), FormState::of::<Reserve>());
    let [lot, spot, from, until, ev, accessible, height] =
        ["lot", "spot", "from", "until", "ev", "accessible", "height"].map(asked);
    let page = load(move || {
        Some(FindSpot {
            lot: lot.get(),
            spot: spot.get(),
            from: from.get(),
            until: until.get(),
            ev: ev.get(),
            accessible: accessible.get(),
            height: height.get(),
        })
    });
    // Asked for the same again, or refused because something has changed: what is offered may be another now.
    reload_when(page, move || price.successes.get());
    let refusal = reserve.general(RESERVE_FIELDS);
    Effect::new(move |before: Option<()>| {
        if refusal.get().is_some() && before.is_some() {
            page.refetch();
        }
    });
    let body = move |shown: Memo<ReserveView>| view! { <ReserveBody shown price reserve /> }.into_any();
    view! {
        <Title text="Reserve a spot" />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/parking">"Parking"</a>
        </nav>
        <div class="page-head">
            <h1>"Reserve a spot"</h1>
        </div>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading lots"</p> }
        }>{in_place(page, |view: &ReserveView| view.lots.is_empty(), body)}</Transition>
    }
}

#[component]
fn ReserveBody(shown: Memo<ReserveView>, price: FormState, reserve: FormState) -> impl IntoView {
    if shown.with_untracked(|shown| shown.lots.is_empty()) {
        return view! {
            <EmptyState
                glyph=Glyph::Parking
                title="Nothing to reserve"
                text="No lot takes reservations at the moment. Who manages parking switches them on in the settings of a lot."
            >
                <a class="button" href="/parking">
                    "See all lots"
                </a>
            </EmptyState>
        }
        .into_any();
    }
    let offer = Memo::new(move |_| shown.with(|shown| shown.offer.clone()));
    view! {
        <div class="columns reserve">
            <section class="card" aria-labelledby="ask-title">
                <h2 id="ask-title">"Where and when"</h2>
                <AskForm shown form=price />
            </section>
            <section class="card" id="offer" aria-labelledby="offer-title">
                <h2 id="offer-title">"Your spot"</h2>
                <OfferCard shown offer form=reserve />
            </section>
        </div>
    }
    .into_any()
}

#[component]
fn AskForm(shown: Memo<ReserveView>, form: FormState) -> impl IntoView {
    let first = shown.get_untracked();
    let lots = StoredValue::new(first.lots.clone());
    let lot = RwSignal::new(form.value("lot", &first.asked.lot));
    let chosen = move || {
        let id = lot.get();
        lots.with_value(|lots| lots.iter().find(|lot| lot.id == id).or_else(|| lots.first()).cloned())
    };
    let of = move |read: fn(&LotChoice) -> String| chosen().as_ref().map(read).unwrap_or_default();
    // Another address asks for something else: the fields follow it, unless they came back with what was typed.
    let key = Memo::new(move |_| shown.with(|shown| (shown.asked.from.clone(), shown.asked.until.clone())));
    let spot = Memo::new(move |_| shown.with(|shown| (shown.asked.spot.clone(), shown.asked.any_spot())));
    Effect::new(move |before: Option<()>| {
        let asked_for = shown.with(|shown| shown.asked.lot.clone());
        if before.is_some() {
            lot.set(asked_for);
        }
    });
    view! {
        <PostForm form id="ask">
            <ErrorSummary form shown=ASKED_FIELDS />
            {move || {
                let (spot, any) = spot.get();
                if spot.is_empty() {
                    view! { <LotSelect lots=lots.get_value() lot /> }.into_any()
                } else {
                    view! {
                        <input type="hidden" name="lot" value=lot.get_untracked() />
                        <input type="hidden" name="spot" value=spot.clone() />
                        <p class="chosen-spot">
                            <span>
                                <strong>{spot}</strong>
                                <span class="sub">{of(|lot| lot.name.clone())}</span>
                            </span>
                            <a class="button button-small" href=any>
                                "Any spot instead"
                            </a>
                        </p>
                    }
                        .into_any()
                }
            }}
            {move || {
                let (from, until) = key.get();
                view! {
                    <div class="form-pair">
                        <TextField form name="from" label="From" kind="datetime-local" required=true value=from />
                        <TextField form name="until" label="Until" kind="datetime-local" required=true value=until />
                    </div>
                }
            }}
            <p class="field-help">
                "By the clock of the lot: " <strong data-testid="zone">{move || of(|lot| lot.zone.clone())}</strong>
            </p>
            {move || spot.with(|(spot, _)| spot.is_empty()).then(|| view! { <Needs shown form /> })}
            <p class="field-help">{move || of(|lot| lot.tariff.clone())}</p>
            <SubmitButton label="Show price" class="button button-primary button-wide" pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn LotSelect(lots: Vec<LotChoice>, lot: RwSignal<String>) -> impl IntoView {
    // Without JavaScript the zone below stays that of the first choice: then each says its own.
    let zone = lots.first().map(|lot| lot.zone.clone()).unwrap_or_default();
    let differ = lots.iter().any(|lot| lot.zone != zone);
    view! {
        <div class="field">
            <label for="lot">"Lot"</label>
            <select id="lot" name="lot" on:change=move |event| lot.set(event_target_value(&event))>
                {lots
                    .into_iter()
                    .map(|choice| {
                        let zone = if differ { format!(", {}", choice.zone) } else { String::new() };
                        let free = match choice.available {
                            0 => String::new(),
                            available => format!(" ({available} free now)"),
                        };
                        let text = format!("{}{free}{zone}", choice.name);
                        let id = choice.id.clone();
                        view! {
                            <option value=choice.id selected=move || lot.with(|lot| *lot == id)>
                                {text}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </div>
    }
}

/// What the vehicle or its driver needs.
#[component]
fn Needs(shown: Memo<ReserveView>, form: FormState) -> impl IntoView {
    let Asked { ev, accessible, height, .. } = shown.with_untracked(|shown| shown.asked.clone());
    let came_back = form.came_back();
    let is = move |name: &str, asked: &str| {
        if came_back { form.typed(name).is_some_and(|typed| !typed.is_empty()) } else { !asked.is_empty() }
    };
    view! {
        <fieldset class="field needs">
            <legend class="hidden">"What you need"</legend>
            <label class="check">
                <input type="checkbox" name="ev" value="yes" checked=is("ev", &ev) />
                <span>"With a charger"</span>
            </label>
            <label class="check">
                <input type="checkbox" name="accessible" value="yes" checked=is("accessible", &accessible) />
                <span>"Accessible, with a permit"</span>
            </label>
            <TextField
                form
                name="height"
                label="Height of the vehicle, m"
                value=height
                placeholder="1.95"
                autocomplete="off"
                maxlength=6
            />
        </fieldset>
    }
}

#[component]
fn OfferCard(shown: Memo<ReserveView>, offer: Memo<Option<Result<Offer, String>>>, form: FormState) -> impl IntoView {
    // The form stays while what is offered changes: nothing that was typed is lost.
    let has_offer = Memo::new(move |_| offer.with(|offer| matches!(offer, Some(Ok(_)))));
    view! {
        <div role="status">
            {move || match offer.get() {
                None => {
                    view! { <p class="quiet">"Say where and when: here you will see the spot and what it costs."</p> }
                        .into_any()
                }
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
        {move || has_offer.get().then(|| view! { <ReserveForm shown offer form /> })}
    }
}

#[component]
fn OfferView(offer: Offer) -> impl IntoView {
    let Offer { spot_id, place, when, zone, is_free, receipt, paying, others, .. } = offer;
    let (tone, glyph, word) =
        if is_free { (Tone::Ok, Glyph::Check, "Free then") } else { (Tone::Attention, Glyph::Cross, "Taken then") };
    view! {
        <div class="offer-head">
            <p class="offer-spot" data-testid="offered-spot">
                {spot_id.clone()}
            </p>
            <Badge tone glyph word />
        </div>
        <p>{place}</p>
        <p class="number">{when} <span class="sub">{zone}</span></p>
        {is_free.then(|| view! { <ReceiptView receipt /> })}
        {(is_free && !paying.is_empty()).then(|| view! { <p class="quiet">{paying}</p> })}
        {(!is_free)
            .then(|| {
                let none = others.is_empty();
                view! {
                    <div class="taken">
                        <p>{format!("Somebody else has {spot_id} in that time.")}</p>
                        {if none {
                            view! { <p class="quiet">"Nothing else is free soon. Try another day."</p> }.into_any()
                        } else {
                            view! {
                                <p class="quiet">"But you can have:"</p>
                                <ul class="others">
                                    {others
                                        .into_iter()
                                        .map(|other| {
                                            view! {
                                                <li>
                                                    <a href=other.href>
                                                        <span>{other.text}</span>
                                                        <Icon glyph=Glyph::Next />
                                                    </a>
                                                </li>
                                            }
                                        })
                                        .collect_view()}
                                </ul>
                            }
                                .into_any()
                        }}
                    </div>
                }
            })}
    }
}

#[component]
fn ReserveForm(shown: Memo<ReserveView>, offer: Memo<Option<Result<Offer, String>>>, form: FormState) -> impl IntoView {
    let of = move |read: fn(&Offer) -> String| {
        offer.with(|offer| offer.as_ref().and_then(|offer| offer.as_ref().ok()).map(read).unwrap_or_default())
    };
    let is_free = Memo::new(move |_| of(|offer| offer.is_free.to_string()) == "true");
    let page = move || shown.with(|shown| shown.asked.address());
    let operates = viewer_may(Permission::OperateParking);
    // A refusal is about what was offered then, not about what is offered now.
    let (refusal, refused) = (form.general(RESERVE_FIELDS), RwSignal::new(None::<String>));
    Effect::new(move |_| refused.set(refusal.get().map(|_| untrack(page))));
    let is_old = move || refused.get().is_some_and(|refused| refused != page());
    let is_for_another = ["user_name", "user_email"].iter().any(|name| !form.value(name, "").is_empty());
    view! {
        <PostForm form id="reserve">
            <div hidden=is_old>
                <ErrorSummary form shown=RESERVE_FIELDS />
            </div>
            <input type="hidden" name="spot" value=move || of(|offer| offer.spot_id.clone()) />
            <input type="hidden" name="start" value=move || of(|offer| offer.start.clone()) />
            <input type="hidden" name="end" value=move || of(|offer| offer.end.clone()) />
            <input type="hidden" name="price_minor" value=move || of(|offer| offer.price_minor.to_string()) />
            <input type="hidden" name="currency" value=move || of(|offer| offer.currency.clone()) />
            <input type="hidden" name="page" value=page />
            <div class="form" hidden=move || !is_free.get()>
                <TextField
                    form
                    name="plate"
                    label="Number plate"
                    maxlength=20
                    autocomplete="off"
                    help="So that those who look after the lot know whose car it is."
                />
                {operates
                    .then(|| {
                        view! {
                            <details open=is_for_another>
                                <summary>"For somebody else"</summary>
                                <div class="form">
                                    <TextField form name="user_name" label="Name" maxlength=100 autocomplete="off" />
                                    <TextField
                                        form
                                        name="user_email"
                                        label="E-mail"
                                        kind="email"
                                        maxlength=100
                                        autocomplete="off"
                                    />
                                    <TextField form name="user_phone" label="Phone" kind="tel" maxlength=20 autocomplete="off" />
                                </div>
                            </details>
                        }
                    })}
                <SubmitButton
                    label="Reserve"
                    glyph=Glyph::Check
                    class="button button-primary button-wide"
                    pending=form.pending()
                />
            </div>
        </PostForm>
    }
}

/// Leads to the page with the lot, or one of its spots, already chosen; where it can be reserved.
#[component]
pub fn ReserveButton(lot: Lot, #[prop(optional, into)] spot: String) -> impl IntoView {
    let may = lot.booking.is_bookable || viewer_may(Permission::OperateParking);
    let word = if spot.is_empty() { "Reserve" } else { "Reserve this spot" };
    let href = crate::ui::address(PAGE, [("lot", lot.id.to_string().as_str()), ("spot", &spot)]);
    may.then(|| {
        view! {
            <a class="button button-primary" href=href>
                <Icon glyph=Glyph::Clock />
                <span>{word}</span>
            </a>
        }
    })
}
