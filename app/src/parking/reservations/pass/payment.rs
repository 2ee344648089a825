//! What is paid and what is to be paid yet, and where: by card on a page of its own, or at the place.

use leptos::prelude::*;
use portico_model::parking::reservation::PaymentStatus;
use portico_model::parking::tariff::format_minor;

use super::{NotePaid, PassView};
use crate::form::{FormState, PostForm};
use crate::parking::reservations::receipt::ReceiptView;
use crate::parking::reservations::{pay, payment_look};
use crate::ui::{Badge, Dialog, ErrorSummary, Glyph, Icon, SubmitButton, Tone};

/// The form that notes a payment.
#[derive(Clone, Copy)]
pub struct PaymentForms {
    pub paid: FormState,
}

impl PaymentForms {
    pub fn new() -> Self {
        Self { paid: FormState::of::<NotePaid>() }
    }
}

/// What it costs, and whether it was paid.
#[component]
pub fn PaymentCard(shown: Memo<PassView>, forms: PaymentForms) -> impl IntoView {
    let receipt = Memo::new(move |_| shown.with(|shown| shown.receipt.clone()));
    let state = Memo::new(move |_| {
        shown.with(|shown| {
            let one = &shown.reservation;
            (one.payment_status, one.amount_minor, shown.offers.due_minor, one.refunded_minor, one.currency.clone())
        })
    });
    let held = Memo::new(move |_| shown.with(|shown| shown.held_until.clone()));
    let by_card = Memo::new(move |_| shown.with(|shown| shown.offers.pay.then(|| pay::address(shown.reservation.id))));
    let may_note = Memo::new(move |_| shown.with(|shown| shown.offers.note_paid));
    let has_receipt = Memo::new(move |_| shown.with(|shown| shown.offers.receipt));
    let id = shown.with_untracked(|shown| shown.reservation.id.to_string());
    let id = StoredValue::new(id);
    view! {
        <section class="card" aria-labelledby="payment-title">
            <div class="card-head">
                <h2 id="payment-title">"Price"</h2>
                {move || {
                    let (status, amount, due, ..) = state.get();
                    let (tone, glyph, word) = match status {
                        _ if amount == 0 => (Tone::Ok, Glyph::Check, "Costs nothing"),
                        // Nothing is asked for any more.
                        PaymentStatus::Pending if due == 0 => (Tone::Neutral, Glyph::Cross, "Not paid"),
                        status => payment_look(status),
                    };
                    view! { <Badge tone glyph word /> }
                }}
            </div>
            {move || view! { <ReceiptView receipt=receipt.get() /> }}
            {move || {
                let (_, _, due, refunded, currency) = state.get();
                let held = held.get();
                let by_card = by_card.get();
                let where_to = match (held.is_empty(), &by_card) {
                    (false, _) => "To be paid now",
                    (true, Some(_)) => "To be paid",
                    (true, None) => "Pay at the place",
                };
                let back = (refunded > 0)
                    .then(|| view! { <p class="quiet">{format!("{} was given back.", format_minor(refunded, &currency))}</p> });
                view! {
                    {back}
                    {(due > 0)
                        .then(|| {
                            view! {
                                <p class="pay-at" data-testid="payment">
                                    <strong>{where_to}</strong>
                                    <span class="number">{format_minor(due, &currency)}</span>
                                    {(!held.is_empty())
                                        .then(|| view! { <span class="sub">{format!("The spot is held for you until {held}.")}</span> })}
                                </p>
                                {by_card
                                    .map(|href| {
                                        view! {
                                            // A document of its own: see `crate::policy`.
                                            <a class="button button-primary button-wide pay-by-card" href=href rel="external">
                                                "Pay by card"
                                            </a>
                                        }
                                    })}
                            }
                        })}
                }
            }}
            <ErrorSummary form=forms.paid shown=&[] />
            {move || {
                may_note
                    .get()
                    .then(|| {
                        view! {
                            <Dialog label="Mark as paid" glyph=Glyph::Check>
                                <PostForm form=forms.paid id="note-paid">
                                    <input type="hidden" name="id" value=id.get_value() />
                                    <p>"Notes that the whole amount was paid at the place. It stands in the audit log with your name."</p>
                                    <SubmitButton label="It was paid" pending=forms.paid.pending() />
                                </PostForm>
                            </Dialog>
                        }
                    })
            }}
            {move || {
                has_receipt
                    .get()
                    .then(|| {
                        let file = id.with_value(|id| format!("/api/v1/reservations/{id}/receipt.pdf"));
                        view! {
                            // The file is named by who sends it.
                            <a class="button pay-receipt" href=file rel="external" download="">
                                <Icon glyph=Glyph::Download />
                                <span>"Receipt (PDF)"</span>
                            </a>
                        }
                    })
            }}
        </section>
    }
}
