//! Reservations: finding a spot and its price, one's own and those of all, the pass of one.

pub mod list;
pub mod pass;
pub mod pay;
pub mod receipt;
pub mod reserve;

use leptos::prelude::*;
use portico_model::parking::reservation::{PaymentStatus, ReservationState};

use crate::ui::{Badge, Glyph, Tone};

/// How far a reservation has come: colour, mark and word.
#[must_use]
pub const fn state_look(state: ReservationState) -> (Tone, Glyph, &'static str) {
    let (tone, glyph) = match state {
        ReservationState::Held => (Tone::Attention, Glyph::Clock),
        ReservationState::Confirmed => (Tone::Ok, Glyph::Check),
        ReservationState::CheckedIn => (Tone::Ok, Glyph::Car),
        ReservationState::Completed => (Tone::Neutral, Glyph::Check),
        ReservationState::Cancelled => (Tone::Neutral, Glyph::Cross),
        ReservationState::Expired => (Tone::Neutral, Glyph::Clock),
        ReservationState::NoShow => (Tone::Attention, Glyph::Alert),
    };
    (tone, glyph, state.label())
}

/// Whether it was paid for: colour, mark and word.
#[must_use]
pub const fn payment_look(status: PaymentStatus) -> (Tone, Glyph, &'static str) {
    match status {
        PaymentStatus::Pending => (Tone::Attention, Glyph::Clock, "To be paid"),
        PaymentStatus::Paid => (Tone::Ok, Glyph::Check, "Paid"),
        PaymentStatus::Failed => (Tone::Danger, Glyph::Alert, "Payment failed"),
        PaymentStatus::Refunded => (Tone::Neutral, Glyph::Check, "Given back"),
    }
}

/// How far it has come.
#[component]
pub fn StateBadge(#[prop(into)] state: Signal<ReservationState>) -> impl IntoView {
    move || {
        let (tone, glyph, word) = state_look(state.get());
        view! { <Badge tone glyph word /> }
    }
}
