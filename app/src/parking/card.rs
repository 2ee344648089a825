//! Paying by card: the form of `public/pay.js`, and how long a spot is still held meanwhile.

use leptos::prelude::*;
use portico_model::Timestamp;

use crate::load::Loaded;
use crate::time::use_now;

/// What is paid, and where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPayment {
    /// Where Stripe.js is.
    pub script: String,
    /// Posted to for the payment.
    pub ask: String,
    /// Posted to for how it stands.
    pub confirm: String,
    /// JSON that goes with both.
    pub body: Option<String>,
    /// In words.
    pub price: String,
}

/// The form is a script's: Stripe alone may see a card, in a frame of its own. Only on a page of [`crate::policy`].
///
/// `otherwise`: what to do without JavaScript.
#[component]
pub fn CardForm(payment: CardPayment, otherwise: &'static str, page: Resource<Loaded>) -> impl IntoView {
    Effect::new(|_| crate::browser::load_module("/pay.js"));
    view! {
        <noscript>
            <p class="note note-attention">"Paying by card needs JavaScript. " {otherwise}</p>
        </noscript>
        <portico-pay
            class="pay-card"
            data-script=payment.script
            data-ask=payment.ask
            data-confirm=payment.confirm
            data-body=payment.body
            data-label=format!("Pay {}", payment.price)
            on:change=move |_| page.refetch()
        ></portico-pay>
    }
}

/// How long the spot is still held.
///
/// `until`: by the clock of the lot; empty: it is not held. `left_ms`: how long that is from when the page was asked for.
#[component]
pub fn HoldLeft(until: Memo<String>, left_ms: Memo<Option<i64>>, page: Resource<Loaded>) -> impl IntoView {
    // From here on by the browser's clock, however wrong that goes.
    let ends = RwSignal::new(None::<Timestamp>);
    Effect::new(move |_| ends.set(left_ms.get().map(|left| crate::browser::now().plus_millis(left))));
    let now = use_now();
    let left = Memo::new(move |_| Some(ends.get()?.millis_since(now.get()?)));
    let is_over = Memo::new(move |_| left.get().is_some_and(|left| left <= 0));
    Effect::new(move |_| {
        if is_over.get() {
            page.refetch();
        }
    });
    view! {
        <p class="pay-at" hidden=move || until.with(String::is_empty)>
            <span>{move || format!("The spot is held for you until {}.", until.get())}</span>
            <strong
                class="number"
                role="timer"
                aria-label="Time left"
                data-testid="hold-left"
                hidden=move || left.get().is_none()
            >
                {move || left.get().map(left_text).unwrap_or_default()}
            </strong>
        </p>
    }
}

/// What is left of a hold: `14:32`, with hours `1:02:03`.
#[must_use]
pub fn left_text(left_ms: i64) -> String {
    let seconds = (left_ms.max(0) + 999) / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_in_minutes_and_seconds() {
        let texts = [3_723_000, 872_000, 59_001, 999, 0, -5].map(left_text);
        assert_eq!(texts, ["1:02:03", "14:32", "1:00", "0:01", "0:00", "0:00"]);
    }
}
