//! `/reservations/:id`: the pass to show at the gate, and what can be done with it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use portico_model::Timestamp;
use portico_model::live::Event;
use portico_model::parking::reservation::ReservationState;

use super::offers::{Gate, Offers, phase};
use super::payment::{PaymentCard, PaymentForms};
use super::{CancelReservation, ChangeReservation, CheckIn, CheckOut, GetReservation, OpenGate, PassView};
use crate::access::Choose;
use crate::form::{FormState, PostForm};
use crate::live::{LiveUpdate, follow, use_live};
use crate::load::{in_place, load, reload_when};
use crate::parking::reservations::StateBadge;
use crate::time::{Ago, use_now};
use crate::ui::toast::use_toasts;
use crate::ui::{Dialog, ErrorSummary, Glyph, Icon, SubmitButton, TextField};

/// What is offered changes with the time, without an event: the page asks for it so often, milliseconds.
const ASK_AGAIN_MS: u64 = 30_000;

const CHANGE_FIELDS: &[&str] = &["from", "until", "plate"];

#[derive(Clone, Copy)]
struct Forms {
    open: FormState,
    check_in: FormState,
    check_out: FormState,
    change: FormState,
    cancel: FormState,
}

/// The page.
#[component]
pub fn ReservationPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let forms = Forms {
        open: FormState::of::<OpenGate>(),
        check_in: FormState::of::<CheckIn>(),
        check_out: FormState::of::<CheckOut>(),
        change: FormState::of::<ChangeReservation>(),
        cancel: FormState::of::<CancelReservation>(),
    };
    let payment = PaymentForms::new();
    let page = load(move || Some(GetReservation { id: id.get() }));
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
    let all = [forms.open, forms.check_in, forms.check_out, forms.change, forms.cancel, payment.paid];
    reload_when(page, move || live.returns.get() + FormState::successes_of(&all));
    let toast = use_toasts();
    for (form, text) in [(forms.open, "The gate opens"), (forms.change, "Reservation changed")] {
        Effect::new(move |_| {
            if form.successes.get() > 0 {
                toast(text.to_owned());
            }
        });
    }
    let body = move |shown: Memo<PassView>| view! { <PassBody shown forms payment /> }.into_any();
    view! {
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/reservations">"Reservations"</a>
        </nav>
        <Transition fallback=|| {
            view! { <p class="loading" role="status">"Loading reservation"</p> }
        }>{in_place(page, |view: &PassView| view.reservation.id, body)}</Transition>
    }
}

#[component]
fn PassBody(shown: Memo<PassView>, forms: Forms, payment: PaymentForms) -> impl IntoView {
    let spot = Memo::new(move |_| shown.with(|shown| shown.reservation.spot_id.clone()));
    let state = Memo::new(move |_| shown.with(|shown| shown.reservation.state));
    view! {
        <Title text=move || spot.try_with(|spot| format!("Reservation {spot}")).unwrap_or_default() />
        <div class="page-head">
            <div class="title-line">
                <h1>"Reservation"</h1>
                <StateBadge state />
            </div>
        </div>
        {[forms.open, forms.check_in, forms.check_out, forms.cancel]
            .map(|form| view! { <ErrorSummary form shown=&[] /> })
            .collect_view()}
        {forms
            .open
            .outcome("opened")
            .map(|_| {
                view! {
                    <p class="note" role="status">
                        <Icon glyph=Glyph::Check />
                        "The gate opens."
                    </p>
                }
            })}
        <div class="columns pass-page">
            <PassCard shown spot state forms />
            <div class="stack">
                <PaymentCard shown forms=payment />
                <About shown />
            </div>
        </div>
    }
}

#[component]
fn PassCard(shown: Memo<PassView>, spot: Memo<String>, state: Memo<ReservationState>, forms: Forms) -> impl IntoView {
    let qr = Memo::new(move |_| shown.with(|shown| shown.qr_svg.clone()));
    let now = use_now();
    let times = Memo::new(move |_| shown.with(|shown| (shown.reservation.start_time, shown.reservation.end_time)));
    let served = Memo::new(move |_| shown.with(|shown| shown.now));
    let phase = Memo::new(move |_| {
        let (start, end) = times.get();
        phase(state.get(), start, end, now.get().unwrap_or_else(|| served.get()))
    });
    let place = move || {
        shown.with(|shown| {
            let one = &shown.reservation;
            let zone = if one.zone.is_empty() { String::new() } else { format!(", zone {}", one.zone) };
            format!("{}{zone}, {}", one.level, one.lot_name)
        })
    };
    let offers = Memo::new(move |_| shown.with(|shown| shown.offers.clone()));
    view! {
        <section class="card pass" aria-label="Pass" class:pass-over=move || !state.get().has_spot()>
            <p class="pass-spot" data-testid="pass-spot">
                <span class="quiet">"Spot"</span>
                <strong>{move || spot.get()}</strong>
            </p>
            <p class="pass-place">{place}</p>
            <p class="quiet">{move || shown.with(|shown| shown.address.clone())}</p>
            <p class="pass-when number">
                {move || shown.with(|shown| shown.when.clone())}
                <span class="sub">{move || shown.with(|shown| shown.reservation.time_zone.clone())}</span>
            </p>
            <p class="pass-phase" hidden=move || phase.with(String::is_empty)>
                {move || phase.get()}
            </p>
            {move || {
                let code = qr.get();
                (!code.is_empty())
                    .then(|| {
                        view! {
                            <div class="qr pass-qr" role="img" aria-label="QR code of this pass" inner_html=code></div>
                        }
                    })
            }}
            <Steps shown offers forms />
        </section>
    }
}

/// What its holder does with it, in the order in which it happens.
#[component]
fn Steps(shown: Memo<PassView>, offers: Memo<Offers>, forms: Forms) -> impl IntoView {
    let id = StoredValue::new(shown.with_untracked(|shown| shown.reservation.id.to_string()));
    let gate = Memo::new(move |_| offers.with(|offers| (offers.gate, offers.comes_from.clone())));
    let of = move |read: fn(&Offers) -> bool| Memo::new(move |_| offers.with(read));
    let (check_in, check_out) = (of(|offers| offers.check_in), of(|offers| offers.check_out));
    let (change, cancel) = (of(|offers| offers.change), of(|offers| offers.cancel));
    let cancelling = Memo::new(move |_| offers.with(|offers| offers.cancelling.clone()));
    let early = Memo::new(move |_| match gate.get() {
        (Gate::Unpaid, _) => "The gate opens for you once it is paid for.".to_owned(),
        (Gate::Later, from) if !from.is_empty() => format!("The gate opens for you from {from} on."),
        (Gate::None, from) if !from.is_empty() => format!("You may come from {from} on."),
        _ => String::new(),
    });
    view! {
        <p class="note pass-note" hidden=move || early.with(String::is_empty)>
            <Icon glyph=Glyph::Clock />
            <span>{move || early.get()}</span>
        </p>
        <div class="pass-steps">
            {move || {
                (gate.get().0 == Gate::Opens)
                    .then(|| {
                        view! {
                            <Step
                                form=forms.open
                                id=id.get_value()
                                label="Open gate"
                                glyph=Glyph::Unlock
                                class="button button-primary button-wide pass-gate"
                            />
                        }
                    })
            }}
            {move || {
                check_in
                    .get()
                    .then(|| {
                        view! {
                            <Step
                                form=forms.check_in
                                id=id.get_value()
                                label="I am here"
                                glyph=Glyph::Car
                                class="button button-wide"
                            />
                        }
                    })
            }}
            {move || {
                check_out
                    .get()
                    .then(|| {
                        view! {
                            <Step
                                form=forms.check_out
                                id=id.get_value()
                                label="I have left"
                                glyph=Glyph::Check
                                class="button button-wide"
                            />
                        }
                    })
            }}
            <div class="pass-more">
                {move || change.get().then(|| view! { <ChangeDialog shown form=forms.change /> })}
                {move || {
                    cancel
                        .get()
                        .then(|| {
                            view! {
                                <Dialog
                                    label="Cancel reservation"
                                    glyph=Glyph::Cross
                                    class="button button-danger"
                                    open=forms.cancel.came_back()
                                >
                                    <PostForm form=forms.cancel id="cancel">
                                        <input type="hidden" name="id" value=id.get_value() />
                                        <p>{move || cancelling.get()}</p>
                                        <SubmitButton
                                            label="Yes, cancel it"
                                            class="button button-danger"
                                            pending=forms.cancel.pending()
                                        />
                                    </PostForm>
                                </Dialog>
                            }
                        })
                }}
            </div>
        </div>
    }
}

#[component]
fn Step(
    form: FormState,
    #[prop(into)] id: String,
    label: &'static str,
    glyph: Glyph,
    class: &'static str,
) -> impl IntoView {
    view! {
        <PostForm form class="pass-step">
            <input type="hidden" name="id" value=id />
            <SubmitButton label glyph class pending=form.pending() />
        </PostForm>
    }
}

#[component]
fn ChangeDialog(shown: Memo<PassView>, form: FormState) -> impl IntoView {
    let done = Signal::derive(move || form.successes.get() > 0);
    let id = shown.with_untracked(|shown| shown.reservation.id.to_string());
    // Made anew only when what it begins with is another.
    let first = Memo::new(move |_| {
        shown.with(|shown| {
            let one = &shown.reservation;
            let spots = (one.spot_id.clone(), shown.spots.clone());
            (shown.from.clone(), shown.until.clone(), spots, one.plate.clone(), shown.offers.change_all)
        })
    });
    let zone = shown.with_untracked(|shown| shown.reservation.time_zone.clone());
    view! {
        <Dialog label="Change" glyph=Glyph::Edit open=form.came_back() done>
            <PostForm form id="change">
                <ErrorSummary form shown=CHANGE_FIELDS />
                <input type="hidden" name="id" value=id />
                {move || {
                    let (from, until, (spot, mut spots), plate, all) = first.get();
                    if !spots.contains(&spot) {
                        spots.insert(0, spot.clone());
                    }
                    let options: Vec<_> = spots.into_iter().map(|spot| (spot.clone(), spot)).collect();
                    let chosen = form.value("spot", &spot);
                    view! {
                        {all
                            .then(|| {
                                view! {
                                    <Choose name="spot" label="Spot" id="change-spot" options chosen />
                                    <TextField
                                        form
                                        name="from"
                                        id="change-from"
                                        label="From"
                                        kind="datetime-local"
                                        required=true
                                        value=from
                                    />
                                }
                            })}
                        <TextField
                            form
                            name="until"
                            id="change-until"
                            label="Until"
                            kind="datetime-local"
                            required=true
                            value=until
                        />
                        <TextField
                            form
                            name="plate"
                            id="change-plate"
                            label="Number plate"
                            maxlength=20
                            value=plate
                            autocomplete="off"
                        />
                    }
                }}
                <p class="field-help">
                    {format!("By the clock of the lot ({zone}). The price follows the tariff it was made with.")}
                </p>
                <SubmitButton label="Change reservation" pending=form.pending() />
            </PostForm>
        </Dialog>
    }
}

#[component]
fn About(shown: Memo<PassView>) -> impl IntoView {
    let facts = Memo::new(move |_| {
        shown.with(|shown| {
            let one = &shown.reservation;
            let contact = [one.user_name.clone(), one.user_email.clone(), one.user_phone.clone().unwrap_or_default()];
            let contact: Vec<_> = contact.into_iter().filter(|text| !text.is_empty()).collect();
            (
                contact.join(", "),
                one.plate.clone(),
                one.notes.clone(),
                one.check_in_time,
                one.check_out_time,
                one.created_at,
            )
        })
    });
    let row =
        |label: &'static str, text: String| (!text.is_empty()).then(|| view! { <dt>{label}</dt> <dd>{text}</dd> });
    let moment = |label: &'static str, at: Option<Timestamp>| {
        at.map(|at| view! { <dt>{label}</dt> <dd><Ago at=Signal::stored(Some(at)) /></dd> })
    };
    view! {
        <section class="card" aria-labelledby="about-title">
            <h2 id="about-title">"About it"</h2>
            <dl class="facts">
                {move || {
                    let (contact, plate, notes, came, left, made) = facts.get();
                    view! {
                        {row("For", contact)}
                        {row("Number plate", plate)}
                        {row("Note", notes)}
                        {moment("Reserved", Some(made))}
                        {moment("Came", came)}
                        {moment("Left", left)}
                    }
                }}
            </dl>
        </section>
    }
}
